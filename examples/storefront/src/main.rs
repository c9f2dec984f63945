//! The shop's server.

use std::process::ExitCode;

fn main() -> ExitCode {
    tropos::main(storefront::app::app())
}
