//! Memory, disk and journal cease to grow: case 63 without the HTTP, in a short form of what `soak soak` runs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use clap::Parser;
use tropos_soak::soak::{self, Plan};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    plan: Plan,
}

fn plan(arguments: &str) -> Plan {
    Line::try_parse_from(["soak"].into_iter().chain(arguments.split_whitespace())).unwrap().plan
}

const SMALL: &str = "--memory-bytes 524288 --negative-bytes 32768 --disk-bytes 2097152 --names 20000";

#[tokio::test]
async fn endless_paths_dead_links_invalidations_and_restarts_come_to_a_plateau() {
    let dir = tempfile::tempdir().unwrap();
    let plan = plan(&format!("--lives 9 --lives-a-build 3 --requests 4000 {SMALL}"));
    let outcome = soak::run(&plan, dir.path()).await.unwrap();
    println!("{plan}\n{outcome}");
    assert_eq!(outcome.problems(), [""; 0], "{outcome}");
}

#[tokio::test]
async fn a_run_that_presses_no_bound_shows_nothing_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let outcome = soak::run(&plan("--lives 3 --requests 50"), dir.path()).await.unwrap();
    let problems = outcome.problems();
    for store in ["bytes of pages", "bytes of data", "bytes of not found", "files on disk"] {
        assert!(problems.iter().any(|problem| problem.starts_with(&format!("{store}: "))), "{problems:?}");
    }
}
