fn main() -> std::process::ExitCode {
    tropos::main(dev_tiny::pages::app())
}
