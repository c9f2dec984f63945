//! `bench`: measures, and judges nothing. It ends with an error only where something broke.
//!
//! | module | holds |
//! |---|---|
//! | `db` | the database through `db.read()`, beside plain sqlx |
//! | `hit` | stored pages and files, beside nginx with the same bytes |
//! | `hooks` | a stored page behind five hooks, beside the same page behind none |
//! | `steady` | how long answers take at a rate that the server can well sustain |
//! | `telemetry` | pages with a collector told of them, beside the same without |
//! | `server` | the server of the pages that these two measure |
//! | `turns` | something beside the same without it, in turns |
//! | `nginx` | nginx at its best: its configuration, start and end |
//! | `wrk` | the load generator, and what it prints |
//! | `table` | medians, ratios and how they are shown |
//! | `memory` | what a process holds in memory |

mod db;
mod hit;
mod hooks;
mod memory;
mod nginx;
mod server;
mod steady;
mod table;
mod telemetry;
mod turns;
mod wrk;

use clap::{Parser, Subcommand};
use std::{path::PathBuf, process::ExitCode};
use tropos_cases::check::Problem;

const FIXTURE: &str = "e2e/fixture/dist/tropos-fixture";

/// Measures Tropos side by side with nginx, and its database handles with plain sqlx.
#[derive(Debug, Parser)]
#[command(name = "bench", arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// One row by its key through `db.read()` and through plain sqlx, in turns; starts its own PostgreSQL
    Db(db::Options),
    /// Stored pages and files beside nginx with the same bytes, in turns; needs wrk, and nginx for its part
    Hit(hit::Options),
    /// A stored page behind five hooks and behind none, in turns; needs wrk
    Hooks(hooks::Options),
    /// The server of `hooks` and `telemetry`: prints its address, and serves until its standard input ends
    #[command(hide = true)]
    PagesServer(server::Options),
    /// How long the answer to a stored page takes at a fixed rate
    Steady(steady::Options),
    /// Pages with a collector told of every request, one that answers and one that does not, beside none; needs wrk
    Telemetry(telemetry::Options),
}

/// What `hit` and `steady` measure.
#[derive(Debug, clap::Args)]
struct Target {
    /// The fixture's server, built for release
    #[arg(long, default_value = FIXTURE)]
    server: PathBuf,
    /// Environment variables for it: NAME=VALUE
    #[arg(long = "env", value_name = "NAME=VALUE")]
    environment: Vec<String>,
    /// Prints JSON in place of a table
    #[arg(long)]
    json: bool,
}

impl Target {
    fn environment(&self) -> Vec<(String, String)> {
        let pair = |line: &String| {
            let (name, value) = line.split_once('=').unwrap_or((line, ""));
            (name.to_owned(), value.to_owned())
        };
        self.environment.iter().map(pair).collect()
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Db(options) => db::run(&options).await,
        Command::Hit(options) => hit::run(&options).await,
        Command::Hooks(options) => hooks::run(&options).await,
        Command::PagesServer(options) => server::run(&options).await,
        Command::Steady(options) => steady::run(&options).await,
        Command::Telemetry(options) => telemetry::run(&options).await,
    };
    match done {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// As JSON, on several lines.
fn json(value: &impl serde::Serialize) -> Result<String, Problem> {
    serde_json::to_string_pretty(value).map_err(|error| Problem::Failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }
}
