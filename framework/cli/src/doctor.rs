//! `cargo tropos doctor`: what is wrong, with the command or setting that mends it.
//!
//! Each area gives findings of one form; [`run`] puts them together. So far there is one area, the database, which the
//! application's program looks at by its own configuration.

use crate::{
    Error, args, program,
    project::Project,
    table,
    terminal::{self, Look, Terminal},
};
use serde::{Deserialize, Serialize};
use std::process::ExitCode;

/// One thing that was looked at.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Finding {
    area: String,
    subject: String,
    level: Level,
    says: String,
    mend: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Ok,
    Warning,
    Problem,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Findings {
    findings: Vec<Finding>,
}

/// Looks at everything, and fails where there is a problem.
///
/// # Errors
/// Where the application's program does not compile, or cannot read its configuration.
pub(crate) fn run(options: &args::Doctor, terminal: &Terminal) -> Result<ExitCode, Error> {
    let project = Project::find(&options.program.project)?;
    let all = database(options, &project, terminal)?;
    match options.json {
        true => terminal::print(&json(&all)?),
        false => terminal::print(&report(&all, terminal.color_out)),
    }
    let worst = all.findings.iter().map(|finding| finding.level).max();
    Ok(if worst == Some(Level::Problem) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What the application's program says of its database.
fn database(options: &args::Doctor, project: &Project, terminal: &Terminal) -> Result<Findings, Error> {
    let program = program::at_hand(project, options.program.dev, terminal)?;
    let instances = options.instances.to_string();
    program::ask(project, &program, ["doctor", "--instances", &instances])?.read(project)
}

fn json(all: &Findings) -> Result<String, Error> {
    let what = || "the findings".to_owned();
    let text = serde_json::to_string_pretty(all).map_err(|source| Error::Json { what: what(), source })?;
    Ok(format!("{text}\n"))
}

fn report(all: &Findings, color: bool) -> String {
    if all.findings.is_empty() {
        return "  the application has no database: nothing to look at\n".to_owned();
    }
    let mut rows = Vec::new();
    for finding in &all.findings {
        let (level, look) = match finding.level {
            Level::Ok => ("ok", Look::Green),
            Level::Warning => ("warning", Look::Yellow),
            Level::Problem => ("problem", Look::Red),
        };
        rows.push(vec![
            (level.to_owned(), look),
            (finding.area.clone(), Look::Dim),
            (finding.subject.clone(), Look::Bold),
            (finding.says.clone(), Look::Plain),
        ]);
        if let Some(mend) = &finding.mend {
            let empty = || (String::new(), Look::Plain);
            rows.push(vec![empty(), empty(), empty(), (format!("→ {mend}"), Look::Cyan)]);
        }
    }
    let mut text = table::plain(&["", "area", "subject", "found"], &rows, color);
    let count = |level| all.findings.iter().filter(|finding| finding.level == level).count() as u64;
    text.push_str(&match (count(Level::Problem), count(Level::Warning)) {
        (0, 0) => "\n  nothing is wrong\n".to_owned(),
        (problems, warnings) => {
            format!("\n  {}, {}\n", table::plural(problems, "problem"), table::plural(warnings, "warning"))
        }
    });
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_finding_is_a_line_and_what_mends_it_another() {
        let text = r#"{"findings":[
            {"area":"database","subject":"main db:5432","level":"ok","says":"primary, PostgreSQL 17.2","mend":null},
            {"area":"database","subject":"connections db:5432","level":"problem","says":"105, and 97 are allowed","mend":"set X=9"}
        ]}"#;
        let findings: Findings = serde_json::from_str(text).unwrap();
        let text = report(&findings, false);
        assert_eq!(
            text.lines().collect::<Vec<_>>(),
            [
                "           area      subject              found",
                "  ok       database  main db:5432         primary, PostgreSQL 17.2",
                "  problem  database  connections db:5432  105, and 97 are allowed",
                "                                          → set X=9",
                "",
                "  1 problem, 0 warnings",
            ]
        );
        assert!(json(&findings).unwrap().contains("\"level\": \"problem\""));
        assert!(report(&Findings::default(), false).contains("has no database"));
    }
}
