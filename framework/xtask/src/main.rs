//! `cargo xtask`: the chores of this repository.
//!
//! | module | holds |
//! |---|---|
//! | `bench` | measures the fixture beside nginx, the dev server beside Next.js |
//! | `demo` | builds and serves the storefront |
//! | `dev_server` | what tests and measurements of `cargo tropos dev` need |
//! | `fixture` | builds the application that black-box tests drive |
//! | `test` | runs everything that must hold before a change lands |
//! | `tidy` | what the repository says of itself, held to it |
//! | `machine` | what must be installed, and how it is had |
//! | `steps` | running programs, with a line for each |

mod bench;
mod demo;
mod dev_server;
mod error;
mod fixture;
mod machine;
mod steps;
mod test;
mod tidy;

use clap::{Parser, Subcommand};
use std::process::ExitCode;
use steps::Steps;

pub(crate) use error::Error;

/// The chores of the Tropos repository.
#[derive(Debug, Parser)]
#[command(name = "xtask", bin_name = "cargo xtask", arg_required_else_help = true)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build the fixture for release and measure it beside nginx; judges nothing
    Bench(bench::Options),
    /// Install what is missing, build the storefront, serve it and print its address
    Demo(demo::Options),
    /// Build e2e/fixture into e2e/fixture/dist; UPSTREAM_URL names the server of its data
    Fixture,
    /// Install what tests need, then run everything
    Test(test::Options),
    /// Check crate edges, file sizes, links, documented variables
    Tidy,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let steps = Steps::new();
    let result = match &args.command {
        Command::Bench(options) => bench::run(options, &steps),
        Command::Demo(options) => demo::run(options, &steps),
        Command::Fixture => fixture::run(&steps),
        Command::Test(options) => test::run(options, &steps),
        Command::Tidy => tidy::run(&steps),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }
}
