//! What is asked: what the command line leaves open, where a person sits at it.

mod choice;

use super::Database;
use crate::{Error, args, terminal::Terminal};
use choice::Choice;
use std::io::IsTerminal as _;

/// All that is to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answers {
    pub(crate) database: Database,
    pub(crate) tailwind: bool,
}

/// Who answers what the command line leaves open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// Somebody at a terminal.
    Person,
    /// Nobody: the defaults are meant (`--yes`).
    Consent,
    /// Nobody: there is no terminal.
    Nobody,
}

/// SQLite needs nothing installed, and the queries of the template run on both.
const DATABASE: Database = Database::Sqlite;

/// What the options say, and the rest by asking, or by the defaults.
///
/// # Errors
/// Where whoever is asked gives up.
pub(crate) fn answers(options: &args::New, terminal: &Terminal) -> Result<Answers, Error> {
    let is_terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    match who(options.yes, is_terminal) {
        By::Person => ask(options, terminal),
        by => {
            let answers = defaults(options);
            if by == By::Nobody
                && let Some(taken) = taken(options, answers)
            {
                terminal.note(taken);
            }
            Ok(answers)
        }
    }
}

const fn who(yes: bool, is_terminal: bool) -> By {
    match (yes, is_terminal) {
        (true, _) => By::Consent,
        (false, true) => By::Person,
        (false, false) => By::Nobody,
    }
}

fn defaults(options: &args::New) -> Answers {
    Answers { database: options.db.unwrap_or(DATABASE), tailwind: options.tailwind }
}

/// Which defaults were taken without anybody having said so.
fn taken(options: &args::New, answers: Answers) -> Option<String> {
    let taken = options.db.is_none().then(|| format!("--db {}", answers.database));
    taken.map(|taken| format!("nobody is there to ask, so {taken} is taken; --yes says that it is meant"))
}

fn ask(options: &args::New, terminal: &Terminal) -> Result<Answers, Error> {
    let database = match options.db {
        Some(database) => database,
        None => Choice::new(
            "Which database?",
            [
                (Database::Sqlite, "SQLite", "a file beside the application, nothing to install"),
                (Database::Postgres, "PostgreSQL", "a server, for many instances and replicas"),
            ],
        )
        .ask(terminal.color)?,
    };
    let tailwind = options.tailwind
        || Choice::new(
            "Which style sheet?",
            [
                (false, "Plain CSS", "one file, as it is served"),
                (true, "Tailwind", "utilities beside it, made by its own program"),
            ],
        )
        .ask(terminal.color)?;
    Ok(Answers { database, tailwind })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(db: Option<Database>, tailwind: bool) -> args::New {
        args::New { path: "shop".into(), db, tailwind, yes: false }
    }

    #[test]
    fn a_person_is_asked_and_nobody_else() {
        for (yes, terminal, by) in [
            (false, true, By::Person),
            (true, true, By::Consent),
            (true, false, By::Consent),
            (false, false, By::Nobody),
        ] {
            assert_eq!(who(yes, terminal), by);
        }
    }

    #[test]
    fn where_nobody_is_asked_the_options_hold_and_the_rest_is_said() {
        let open = options(None, false);
        let answers = defaults(&open);
        assert_eq!(answers, Answers { database: Database::Sqlite, tailwind: false });
        assert!(taken(&open, answers).unwrap().contains("--db sqlite"));

        let said = options(Some(Database::Postgres), true);
        let answers = defaults(&said);
        assert_eq!(answers, Answers { database: Database::Postgres, tailwind: true });
        assert_eq!(taken(&said, answers), None);
    }
}
