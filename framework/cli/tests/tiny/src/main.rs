fn main() -> std::process::ExitCode {
    tropos::main(tiny::pages::app())
}
