//! `cargo tropos`: builds, starts and inspects Tropos applications.
//!
//! | module | holds |
//! |---|---|
//! | `args` | what can be written after `cargo tropos` |
//! | `project` | which package is meant, by `cargo metadata` |
//! | `cargo` | running cargo |
//! | `build` | from sources to `dist/`, a module for each step |
//! | `start`, `routes`, `revalidate`, `explain` | the other commands |
//! | `server` | asking a running server |
//! | `table` | the table of routes |
//! | `terminal` | colours, phases, numbers for people |

mod args;
mod build;
mod cargo;
mod error;
mod explain;
mod project;
mod revalidate;
mod routes;
mod server;
mod start;
mod table;
mod terminal;

use args::{Args, Command};
use clap::Parser as _;
use std::process::ExitCode;
use terminal::Terminal;

pub(crate) use error::Error;

fn main() -> ExitCode {
    let args = Args::parse_from(args::without_subcommand(std::env::args_os()));
    let mut terminal = Terminal::detect();
    let result = match &args.command {
        Command::Build(options) => build::run(options, &mut terminal),
        Command::Start(options) => start::run(options),
        Command::Routes(options) => routes::run(options, &terminal),
        Command::Revalidate(options) => revalidate::run(options),
        Command::Explain(options) => explain::run(options),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            terminal.error(&error);
            ExitCode::FAILURE
        }
    }
}
