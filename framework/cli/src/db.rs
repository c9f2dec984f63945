//! `cargo tropos db`: migrations and data, by the application's own program.

use crate::{
    Error,
    args::{self, DbTask, Program},
    program::{self, Answer},
    project::Project,
    table,
    terminal::{self, Look, Terminal},
};
use serde::Deserialize;
use std::process::ExitCode;

/// What the program says of what it did or found.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
struct Report {
    #[serde(default)]
    shards: Vec<Shard>,
    #[serde(default)]
    seeded: bool,
    #[serde(default)]
    map: Vec<Slots>,
}

/// A shard, and the slots on it.
#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Slots {
    shard: String,
    slots: String,
}

/// A shard, and its migrations.
#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Shard {
    shard: String,
    applied: Vec<Step>,
    #[serde(default)]
    pending: Vec<Step>,
    #[serde(default)]
    changed: Vec<Step>,
    #[serde(default)]
    unknown: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Step {
    version: i64,
    description: String,
}

/// Does what was asked, and prints what came of it.
///
/// # Errors
/// Where the program does not compile, or says that it failed.
pub(crate) fn run(options: &args::Db, terminal: &Terminal) -> Result<ExitCode, Error> {
    match &options.task {
        DbTask::Migrate(program) => {
            let (project, answer) = ask(program, &["db", "migrate"], terminal)?;
            terminal::print(&migrated(&answer.read(&project)?, terminal.color_out));
        }
        DbTask::Seed(program) => {
            let (project, answer) = ask(program, &["db", "seed"], terminal)?;
            terminal::print(seeded(&answer.read(&project)?));
        }
        DbTask::Reset(options) => {
            let mut words = vec!["db", "reset"];
            words.extend(options.yes.then_some("--yes"));
            words.extend(options.yes_destroy_production_data.then_some("--yes-destroy-production-data"));
            let (project, answer) = ask(&options.program, &words, terminal)?;
            let report = answer.read(&project)?;
            terminal::print("  everything was dropped; pages and data in the cache are as they were\n");
            terminal::print(&migrated(&report, terminal.color_out));
            terminal::print(seeded(&report));
        }
        DbTask::MoveSlots(options) => {
            let mut words = vec!["db", "move-slots", &options.slots, &options.from, &options.to];
            words.extend(options.abort.then_some("--abort"));
            words.extend(options.clean.then_some("--clean"));
            let (project, answer) = ask(&options.program, &words, terminal)?;
            terminal::print(&map(&answer.read(&project)?));
        }
        DbTask::Status(options) => {
            let (project, answer) = ask(&options.program, &["db", "status"], terminal)?;
            match options.json {
                true => terminal::print(&answer.text),
                false => terminal::print(&status(&answer.read(&project)?, terminal.color_out)),
            }
            return Ok(if answer.well { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn ask(which: &Program, words: &[&str], terminal: &Terminal) -> Result<(Project, Answer), Error> {
    let project = Project::find(&which.project)?;
    let program = program::at_hand(&project, which.dev, terminal)?;
    let answer = program::ask(&project, &program, words)?;
    Ok((project, answer))
}

const HEAD: [&str; 4] = ["shard", "migration", "", "state"];

fn row(shard: &Shard, step: &Step, state: &str, look: Look) -> Vec<(String, Look)> {
    vec![
        (shard.shard.clone(), Look::Plain),
        (step.version.to_string(), Look::Bold),
        (step.description.clone(), Look::Plain),
        (state.to_owned(), look),
    ]
}

fn migrated(report: &Report, color: bool) -> String {
    let rows: Vec<_> = report
        .shards
        .iter()
        .flat_map(|shard| shard.applied.iter().map(move |step| row(shard, step, "applied now", Look::Green)))
        .collect();
    if rows.is_empty() {
        "  nothing to do: the database is up to date\n".into()
    } else {
        table::plain(&HEAD, &rows, color)
    }
}

/// What is to be written into `tropos.toml`.
fn map(report: &Report) -> String {
    let lines = report
        .map
        .iter()
        .map(|Slots { shard, slots }| format!("  database.shards.{shard}.slots = \"{slots}\"\n"));
    format!("  done; in tropos.toml, for the next roll-out:\n\n{}", lines.collect::<String>())
}

fn seeded(report: &Report) -> &'static str {
    if report.seeded { "  the seeding was run\n" } else { "  the application has no seeding (`App::seed`)\n" }
}

/// The migrations in the order in which they are, or will be, applied, and what is to be done.
fn status(report: &Report, color: bool) -> String {
    let (mut rows, mut pending, mut changed) = (Vec::new(), 0, 0);
    for shard in &report.shards {
        let lists = [
            (&shard.applied, "applied", Look::Green),
            (&shard.pending, "pending", Look::Yellow),
            (&shard.changed, "changed", Look::Red),
            (&shard.unknown, "unknown to this program", Look::Dim),
        ];
        let mut steps: Vec<_> = lists
            .iter()
            .flat_map(|(list, state, look)| list.iter().map(move |step| (step, *state, *look)))
            .collect();
        steps.sort_by_key(|(step, ..)| step.version);
        rows.extend(steps.into_iter().map(|(step, state, look)| row(shard, step, state, look)));
        pending += shard.pending.len() as u64;
        changed += shard.changed.len() as u64;
    }
    if rows.is_empty() {
        return "  the application has no migrations\n".to_owned();
    }
    let mut text = table::plain(&HEAD, &rows, color);
    text.push_str(&match (changed, pending) {
        (0, 0) => "\n  up to date\n".to_owned(),
        (0, _) => format!("\n  {} pending: run `cargo tropos db migrate`\n", table::plural(pending, "migration")),
        _ => format!(
            "\n  {} changed after being applied: give the files back their text, and write what is to change as a new one\n",
            table::plural(changed, "migration")
        ),
    });
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_in_order_and_says_what_to_do() {
        let step = |version| format!(r#"{{"version":{version},"description":"step {version}"}}"#);
        let report = |pending: &str, changed: &str| -> Report {
            let text = format!(
                r#"{{"shards":[{{"shard":"a","applied":[{},{}],"pending":[{pending}],"changed":[{changed}],"unknown":[{}]}}]}}"#,
                step(1),
                step(3),
                step(9)
            );
            serde_json::from_str(&text).unwrap()
        };
        let text = status(&report(&step(2), ""), false);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "  shard  migration          state",
                "  a      1          step 1  applied",
                "  a      2          step 2  pending",
                "  a      3          step 3  applied",
                "  a      9          step 9  unknown to this program",
                "",
                "  1 migration pending: run `cargo tropos db migrate`",
            ]
        );
        assert!(status(&report("", ""), false).ends_with("\n  up to date\n"));
        assert!(
            status(&report(&step(2), &step(4)), false).contains("1 migration changed after being applied")
        );
        assert!(status(&Report::default(), false).contains("has no migrations"));
    }

    #[test]
    fn what_was_applied_is_listed_and_nothing_is_said_to_be_nothing() {
        let text = r#"{"shards":[{"shard":"a","applied":[{"version":1,"description":"x"}]},{"shard":"b","applied":[]}]}"#;
        let report: Report = serde_json::from_str(text).unwrap();
        assert_eq!(migrated(&report, false).lines().last(), Some("  a      1          x  applied now"));
        assert!(migrated(&Report::default(), false).contains("up to date"));
    }
}
