//! What to do with a new application.

use super::Database;
use crate::terminal::Look;
use std::{path::Path, time::Duration};

/// What the advice depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Next<'a> {
    /// The folder, as it was typed.
    pub(crate) path: &'a Path,
    pub(crate) database: Database,
    /// The name as code has it, which is the database's too.
    pub(crate) krate: &'a str,
}

impl Next<'_> {
    /// The last lines of the command, after how long its phases took.
    pub(crate) fn text(self, phases: &[(&'static str, Duration)], color: bool) -> String {
        let lines = self.lines();
        let explained = lines.iter().filter(|(_, says)| !says.is_empty());
        let width = explained.map(|(command, _)| command.chars().count()).max().unwrap_or_default();
        let mut text = format!("\n  {}; next:\n\n", times(phases));
        for (command, says) in lines {
            let line = format!(
                "    {}{:gap$}  {}",
                Look::Cyan.paint(&command, color),
                "",
                Look::Dim.paint(says, color),
                gap = width.saturating_sub(command.chars().count())
            );
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text.push('\n');
        text
    }

    fn lines(self) -> Vec<(String, &'static str)> {
        let mut lines = Vec::new();
        if self.path != Path::new(".") {
            lines.push((format!("cd {}", quoted(&self.path.to_string_lossy())), ""));
        }
        if self.database == Database::Postgres {
            lines.push((format!("createdb {}", self.krate), "or name another database by DATABASE_URL"));
        }
        lines.push(("cargo tropos dev".to_owned(), "builds it, serves it, and follows what you change"));
        lines.push(("cargo test".to_owned(), "asks it for its pages, without a server"));
        lines
    }
}

/// As a shell takes it for one word.
fn quoted(path: &str) -> String {
    if path.contains(char::is_whitespace) { format!("\"{path}\"") } else { path.to_owned() }
}

/// `files 4 ms · git 12 ms`: what the work took, without the time in which a person thought.
fn times(phases: &[(&str, Duration)]) -> String {
    let times: Vec<_> = phases.iter().map(|(name, time)| format!("{name} {} ms", time.as_millis())).collect();
    times.join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_to_run_are_named_in_their_order() {
        let phases = [("files", Duration::from_millis(4)), ("git", Duration::from_millis(12))];
        let next =
            Next { path: Path::new("apps/of/ours/my-shop"), database: Database::Postgres, krate: "my_shop" };
        assert_eq!(
            next.text(&phases, false).lines().collect::<Vec<_>>(),
            [
                "",
                "  files 4 ms · git 12 ms; next:",
                "",
                "    cd apps/of/ours/my-shop",
                "    createdb my_shop  or name another database by DATABASE_URL",
                "    cargo tropos dev  builds it, serves it, and follows what you change",
                "    cargo test        asks it for its pages, without a server",
                "",
            ]
        );
    }

    #[test]
    fn the_folder_one_is_in_is_not_entered_and_spaces_are_quoted() {
        let next = |path| Next { path: Path::new(path), database: Database::Sqlite, krate: "shop" }.lines();
        assert!(!next(".").iter().any(|(command, _)| command.starts_with("cd")));
        assert_eq!(next("my apps/shop").first().unwrap().0, "cd \"my apps/shop\"");
    }
}
