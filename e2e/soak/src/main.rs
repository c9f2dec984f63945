//! `soak`: what the cache saves, and whether it ceases to grow.

use clap::{Parser, Subcommand};
use std::{path::PathBuf, process::ExitCode};
use tropos_soak::{Error, products, soak};

/// Runs the engine by a clock that is turned, and prints what came of it.
#[derive(Debug, Parser)]
#[command(name = "soak")]
struct Cli {
    #[command(subcommand)]
    program: Program,
}

#[derive(Debug, Subcommand)]
enum Program {
    /// How many reads of a database are saved, where some products are asked for often and most seldom
    Zipf {
        #[command(flatten)]
        plan: products::Plan,
        /// Fails where a smaller share of the reads is saved, in per cent
        #[arg(long, default_value_t = 99.0)]
        least: f64,
    },
    /// Whether memory, disk and journal cease to grow under endless unknown paths, invalidations and restarts
    Soak {
        #[command(flatten)]
        plan: soak::Plan,
        /// An empty folder for the engine; one that is removed at the end unless it is named
        #[arg(long)]
        dir: Option<PathBuf>,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Cli::parse().program {
        Program::Zipf { plan, least } => zipf(&plan, least).await,
        Program::Soak { plan, dir } => soak(&plan, dir).await,
    };
    match done {
        Ok(problems) if problems.is_empty() => ExitCode::SUCCESS,
        Ok(problems) => {
            problems.iter().for_each(|problem| eprintln!("{problem}"));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn zipf(plan: &products::Plan, least: f64) -> Result<Vec<String>, Error> {
    println!("{plan}");
    let outcome = products::run(plan).await?;
    println!("{outcome}");
    let saved = 100.0 * outcome.saved();
    let too_few = saved < least;
    Ok(too_few.then(|| format!("{saved:.3} % saved are less than {least} %")).into_iter().collect())
}

async fn soak(plan: &soak::Plan, dir: Option<PathBuf>) -> Result<Vec<String>, Error> {
    println!("{plan}");
    let of_its_own =
        tempfile::tempdir().map_err(|source| Error::Measure { path: std::env::temp_dir(), source })?;
    let outcome = soak::run(plan, dir.as_deref().unwrap_or(of_its_own.path())).await?;
    print!("{outcome:#}");
    Ok(outcome.problems())
}
