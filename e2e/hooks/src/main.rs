//! The application's server.

use std::process::ExitCode;

fn main() -> ExitCode {
    tropos::main(tropos_hooks::app::app())
}
