//! `db`: the same read of one row by its key, through plain sqlx and through `db.read()`, in turns.
//!
//! | module | holds |
//! |---|---|
//! | `readers` | the ways in which the row is read |
//! | `subjects` | the databases, and for each of them the ways that are compared |
//! | `turn` | one turn: a few tasks that read for a while |
//! | `report` | medians, ratios, the table |

mod readers;
mod report;
mod subjects;
mod turn;

use crate::json;
use report::{Report, Row};
use std::time::Duration;
use subjects::{Databases, Subject};
use tropos_cases::check::Problem;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Turns of each way to read on each opening of the pools; medians count
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rounds: u32,
    /// How often all pools are opened anew: which threads and connections find each other may stay as it began
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=100))]
    openings: u32,
    /// How long a turn is, in milliseconds: short, so that what else the machine does meets all ways alike
    #[arg(long, default_value_t = 250, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    millis: u64,
    /// How many tasks read at the same time; each number gives rows of its own
    #[arg(long, value_delimiter = ',', default_value = "1,16")]
    tasks: Vec<u32>,
    /// Connections of each pool: as many as an application has unless it says otherwise
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=40))]
    connections: u32,
    /// Prints JSON in place of a table
    #[arg(long)]
    json: bool,
    /// Only rows of these names, such as `sqlite` or `postgres any`
    filter: Vec<String>,
}

/// Measures, and gives the table.
///
/// # Errors
/// Where a database does not start, or does not answer.
pub(crate) async fn run(options: &Options) -> Result<String, Problem> {
    let databases = Databases::start(options.connections).await?;
    let mut rows: Vec<Row> = Vec::new();
    for opening in 1..=options.openings {
        let mut known = rows.iter_mut();
        let mut new = Vec::new();
        for subject in databases.subjects().await? {
            if !options.filter.is_empty() && !options.filter.iter().any(|part| subject.name == part) {
                continue;
            }
            for tasks in &options.tasks {
                // Each opening gives the same subjects in the same order.
                match known.next() {
                    Some(row) => measure(&subject, row, options).await?,
                    None => {
                        let mut row = Row::new(&subject, *tasks);
                        measure(&subject, &mut row, options).await?;
                        new.push(row);
                    }
                }
            }
        }
        rows.extend(new);
        eprintln!("opening {opening} of {}", options.openings);
    }
    let report = Report {
        load: format!(
            "{} times {} turns of {} ms each, pools of {} connections",
            options.openings, options.rounds, options.millis, options.connections
        ),
        aim: report::AIM,
        rows,
    };
    drop(databases);
    if options.json { json(&report) } else { Ok(report.show()) }
}

async fn measure(subject: &Subject, row: &mut Row, options: &Options) -> Result<(), Problem> {
    let span = Duration::from_millis(options.millis);
    for way in &subject.ways {
        // Opens all connections and prepares the statement on them, so that all pools are alike, whoever was late once.
        turn::run(way, options.connections * 2, span).await?;
    }
    for round in 0..options.rounds as usize {
        // Another begins each time, so that none always runs after the same.
        for turn in 0..subject.ways.len() {
            let at = (round + turn) % subject.ways.len();
            let (Some(way), Some(column)) = (subject.ways.get(at), row.ways.get_mut(at)) else { continue };
            column.turns.push(turn::run(way, row.tasks, span).await?);
        }
    }
    Ok(())
}
