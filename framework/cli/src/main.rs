//! `cargo tropos`: builds, starts and inspects Tropos applications.
//!
//! | module | holds |
//! |---|---|
//! | `args` | what can be written after `cargo tropos` |
//! | `project` | which package is meant, by `cargo metadata` |
//! | `cargo` | running cargo |
//! | `build` | from sources to `dist/`, a module for each step |
//! | `start`, `routes`, `revalidate`, `explain`, `db`, `doctor` | the other commands |
//! | `program` | having the application's program do something without serving |
//! | `server` | asking a running server |
//! | `table` | tables, that of routes above all |
//! | `terminal` | colours, phases, numbers for people |

mod args;
mod build;
mod cargo;
mod db;
mod doctor;
mod error;
mod explain;
mod program;
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
        Command::Db(options) => db::run(options, &terminal),
        Command::Doctor(options) => doctor::run(options, &terminal),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            terminal.error(&error);
            ExitCode::FAILURE
        }
    }
}
