//! What was looked at, how it is, and what mends it.

use crate::{table, terminal::Look};
use serde::{Deserialize, Serialize};

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Finding {
    /// `machine`, `application`, `settings`, `redis`, `database`.
    pub(crate) area: String,
    pub(crate) subject: String,
    pub(crate) level: Level,
    pub(crate) says: String,
    /// The command or setting that mends it.
    pub(crate) mend: Option<String>,
    /// The words of a command that mends it and does no harm: what `--fix` runs. Never taken from the application's program.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub(crate) fix: Option<Vec<String>>,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// As it should be.
    Ok,
    /// Nothing is wrong, and it could be better.
    Note,
    /// It works, and may not for long.
    Warning,
    /// It does not work.
    Problem,
}

impl Finding {
    fn new(level: Level, area: &str, subject: impl Into<String>, says: impl Into<String>) -> Self {
        let (area, subject, says) = (area.to_owned(), subject.into(), says.into());
        Self { area, subject, level, says, mend: None, fix: None }
    }

    pub(crate) fn ok(area: &str, subject: impl Into<String>, says: impl Into<String>) -> Self {
        Self::new(Level::Ok, area, subject, says)
    }

    pub(crate) fn note(area: &str, subject: impl Into<String>, says: impl Into<String>) -> Self {
        Self::new(Level::Note, area, subject, says)
    }

    pub(crate) fn warning(area: &str, subject: impl Into<String>, says: impl Into<String>) -> Self {
        Self::new(Level::Warning, area, subject, says)
    }

    pub(crate) fn problem(area: &str, subject: impl Into<String>, says: impl Into<String>) -> Self {
        Self::new(Level::Problem, area, subject, says)
    }

    /// With what mends it.
    pub(crate) fn mend(self, mend: impl Into<String>) -> Self {
        Self { mend: Some(mend.into()), ..self }
    }

    /// With a command that mends it and does no harm.
    pub(crate) fn fix(self, words: &[&str]) -> Self {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        Self { mend: Some(words.join(" ")), fix: Some(words), ..self }
    }
}

/// All of it.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Findings {
    pub(crate) findings: Vec<Finding>,
}

impl Findings {
    pub(crate) fn has_problem(&self) -> bool {
        self.findings.iter().any(|finding| finding.level == Level::Problem)
    }

    /// The commands of [`Finding::fix`], each once.
    pub(crate) fn fixes(&self) -> Vec<&[String]> {
        let mut fixes: Vec<&[String]> = self.findings.iter().filter_map(|it| it.fix.as_deref()).collect();
        fixes.dedup();
        fixes
    }

    /// As a table for people.
    pub(crate) fn report(&self, color: bool) -> String {
        let mut rows = Vec::new();
        for finding in &self.findings {
            let (level, look) = match finding.level {
                Level::Ok => ("ok", Look::Green),
                Level::Note => ("note", Look::Cyan),
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
        let count = |level| self.findings.iter().filter(|finding| finding.level == level).count() as u64;
        text.push_str(&match (count(Level::Problem), count(Level::Warning)) {
            (0, 0) => "\n  nothing is wrong\n".to_owned(),
            (problems, warnings) => {
                format!(
                    "\n  {}, {}\n",
                    table::plural(problems, "problem"),
                    table::plural(warnings, "warning")
                )
            }
        });
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_finding_is_a_line_and_what_mends_it_another() {
        let findings = vec![
            Finding::ok("database", "main db:5432", "primary, PostgreSQL 17.2"),
            Finding::problem("database", "connections db:5432", "105, and 97 are allowed").mend("set X=9"),
        ];
        let text = Findings { findings }.report(false);
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
    }

    #[test]
    fn a_note_is_nothing_wrong() {
        let all = Findings {
            findings: vec![Finding::note("machine", "wasm-opt", "none").mend("npm install binaryen")],
        };
        assert!(!all.has_problem());
        assert!(all.report(false).ends_with("\n  nothing is wrong\n"));
    }

    #[test]
    fn what_the_application_says_never_becomes_a_command_that_is_run() {
        let text = r#"{"area":"database","subject":"x","level":"problem","says":"y","mend":"z","fix":["rm","-rf","/"]}"#;
        let finding: Finding = serde_json::from_str(text).unwrap();
        assert_eq!((finding.mend.as_deref(), finding.fix), (Some("z"), None));
    }
}
