//! `cargo tropos`: makes, builds, starts and inspects Tropos applications.
//!
//! | module | holds |
//! |---|---|
//! | `args` | what can be written after `cargo tropos` |
//! | `examples` | what `--help` shows last |
//! | `new` | a new application, from `app-template/` |
//! | `project` | which package is meant, by `cargo metadata` |
//! | `cargo` | running cargo |
//! | `build` | from sources to `dist/`, a module for each step |
//! | `export` | from `dist/` to plain files for any static host |
//! | `deploy` | the files that a deployment needs |
//! | `completions` | what shells need to complete these commands |
//! | `interrupt` | ending what was started when the command is ended |
//! | `near` | what was probably meant |
//! | `start`, `routes`, `revalidate`, `explain`, `advise`, `db`, `doctor` | the other commands |
//! | `dev` | the dev server |
//! | `program` | having the application's program do something without serving |
//! | `server` | asking a running server |
//! | `table` | tables, that of routes above all |
//! | `terminal` | colours, phases, numbers for people |

mod advise;
mod args;
mod build;
mod cargo;
mod completions;
mod db;
mod deploy;
mod dev;
mod doctor;
mod error;
mod examples;
mod explain;
mod export;
mod interrupt;
mod near;
mod new;
mod program;
mod project;
mod revalidate;
mod routes;
mod server;
mod start;
mod table;
mod terminal;

use args::{Args, Command};
use clap::{CommandFactory as _, FromArgMatches as _};
use std::{ffi::OsString, process::ExitCode};
use terminal::Terminal;

pub(crate) use error::Error;

fn main() -> ExitCode {
    let words: Vec<OsString> = args::without_subcommand(std::env::args_os()).collect();
    let color = args::color(&words);
    let mut terminal = Terminal::detect(color);
    let matches = Args::command().color(color.into()).get_matches_from(words);
    let args = match Args::from_arg_matches(&matches) {
        Ok(args) => args,
        Err(error) => error.exit(),
    };
    // `start` becomes the server, and the others start nothing.
    if matches!(
        args.command,
        Command::Build(_) | Command::Export(_) | Command::Routes(_) | Command::Db(_) | Command::Doctor(_)
    ) {
        interrupt::watch();
    }
    let result = match &args.command {
        Command::New(options) => new::run(options, &mut terminal),
        Command::Dev(options) => dev::run(options, &terminal),
        Command::Build(options) => build::run(options, &mut terminal),
        Command::Export(options) => export::run(options, &mut terminal),
        Command::Start(options) => start::run(options, &terminal),
        Command::Routes(options) => routes::run(options, &terminal),
        Command::Revalidate(options) => revalidate::run(options),
        Command::Explain(options) => explain::run(options),
        Command::Advise(options) => advise::run(options, &terminal),
        Command::Db(options) => db::run(options, &terminal),
        Command::Doctor(options) => doctor::run(options, &terminal),
        Command::Deploy(options) => deploy::run(options, &terminal),
        Command::Completions(options) => Ok(completions::run(options)),
    };
    interrupt::hold_if_ending();
    match result {
        Ok(code) => code,
        Err(error) => {
            terminal.error(&error);
            ExitCode::FAILURE
        }
    }
}
