//! What can go wrong beside the queries themselves, which give `sqlx::Error`.

use std::time::Duration;
use tropos_core::Tag;

/// What the data layer has to say.
///
/// Queries give `sqlx::Error`; where it was the data layer that failed, [`cause`] finds one of these in it.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address names no database that Tropos can open.
    #[error(
        "the database address `{url}` is not supported: write `postgres://user@host/name` or `sqlite://path/to/file.db`"
    )]
    Url {
        /// The address, without its password.
        url: String,
    },
    /// The configuration contradicts itself.
    #[error("{0}")]
    Config(String),
    /// The file's folder cannot be made.
    #[error(
        "cannot make the folder of the database `{path}`: {reason}; check DATABASE_URL and the folder's rights"
    )]
    Folder {
        /// The database file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// The database cannot be opened.
    #[error("cannot open the database `{url}`: {reason}")]
    Open {
        /// The address, without its password.
        url: String,
        /// What was said.
        reason: String,
    },
    /// All connections were busy for as long as one is waited for.
    #[error(
        "all {connections} connections of {pool} were busy for {} ms; make queries shorter, cache them, or raise \
         DATABASE_CONNECTIONS as far as the server allows",
        .waited.as_millis()
    )]
    Exhausted {
        /// Which pool.
        pool: String,
        /// How many connections it has.
        connections: u32,
        /// How long was waited.
        waited: Duration,
    },
    /// No server can answer.
    #[error("{what} cannot be reached: {reason}")]
    Unavailable {
        /// What was looked for: the primary of a shard, or any replica.
        what: String,
        /// What is known of the servers.
        reason: String,
    },
    /// A statement ran for longer than a statement may.
    #[error("the statement was given up after {} ms without an answer from {server}", .after.as_millis())]
    Hung {
        /// The server.
        server: String,
        /// The limit.
        after: Duration,
    },
    /// A handle of one database was used as that of another.
    #[error(
        "this query is written for {wanted}, and the database is {is}: use `Db` for queries that run on both"
    )]
    View {
        /// What the query is for.
        wanted: &'static str,
        /// What there is.
        is: &'static str,
    },
    /// A shard cannot be migrated, or asked for what it has had.
    #[error("the database `{shard}` cannot be migrated: {reason}")]
    Migrate {
        /// The shard.
        shard: String,
        /// What was said.
        reason: String,
    },
    /// A migration failed; those before it have been applied.
    #[error(
        "migration {step} failed on the database `{shard}`: {reason}; those before it are applied: mend it and migrate again"
    )]
    Migration {
        /// The shard.
        shard: String,
        /// The migration.
        step: crate::Step,
        /// What the database said.
        reason: String,
    },
    /// Migrations were changed after they had been applied.
    #[error(
        "the database `{shard}` has had these migrations in another form than this program knows: {steps}; give their \
         files back their text, and write what is to change as a new migration"
    )]
    MigrationChanged {
        /// The shard.
        shard: String,
        /// The migrations.
        steps: String,
    },
    /// Another instance has been migrating for too long.
    #[error(
        "another instance has been migrating the database `{shard}` for {} s: look at what it waits for, and start again",
        .waited.as_secs()
    )]
    MigrationLock {
        /// The shard.
        shard: String,
        /// How long was waited.
        waited: Duration,
    },
    /// The database lacks migrations, and may not be migrated now.
    #[error(
        "the database is out of date: {0}; run `cargo tropos db migrate`, or start with DATABASE_MIGRATE=start"
    )]
    Pending(String),
    /// The transaction is committed; what it invalidates is not invalidated.
    #[error("the transaction is committed, but what was invalidated in it still counts as valid: {reason}")]
    NotInvalidated {
        /// What is left to be invalidated; invalidate it again.
        tags: Vec<Tag>,
        /// Why it is not.
        reason: String,
    },
    /// A statement of the transaction failed before, so the database would roll it back at the commit and say nothing.
    #[error(
        "nothing is committed: a statement of this transaction failed before; roll it back, or use savepoints"
    )]
    Aborted,
    /// A statement of Tropos's own failed.
    #[error("{doing}: {reason}")]
    Query {
        /// What was being done.
        doing: &'static str,
        /// What the database said.
        reason: String,
    },
}

/// What the data layer said in an error of a query.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use tropos_db::{Config, Db, sqlx};
/// # let db: Db = Db::connect(&Config::new("sqlite::memory:")).await?;
/// if let Err(error) = sqlx::query("select 1").execute(db.read()).await
///     && let Some(tropos_db::Error::Exhausted { waited, .. }) = tropos_db::cause(&error)
/// {
///     println!("try again later than in {waited:?}");
/// }
/// # Ok(()) }
/// ```
pub fn cause(error: &sqlx::Error) -> Option<&Error> {
    match error {
        sqlx::Error::Io(error) => error.get_ref().and_then(|inner| inner.downcast_ref()),
        _ => None,
    }
}

/// As a query gives it.
impl From<Error> for sqlx::Error {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Exhausted { .. } | Error::Hung { .. } => std::io::ErrorKind::TimedOut,
            Error::Unavailable { .. } => std::io::ErrorKind::NotConnected,
            _ => std::io::ErrorKind::Other,
        };
        Self::Io(std::io::Error::new(kind, error))
    }
}

/// An address as it may be shown in a message: without user and password, and without what follows the `?`, where
/// passwords may stand as well.
///
/// ```
/// # use tropos_db::without_password;
/// assert_eq!(without_password("postgres://me:secret@db-1/shop?sslmode=require"), "postgres://…@db-1/shop");
/// ```
pub fn without_password(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let scheme = if scheme.is_empty() { String::new() } else { format!("{scheme}://") };
    match (rest.rfind('@'), rest.find('?')) {
        // Either the password has a `?` in it or what follows the `?` an `@`: nobody can say, so neither is shown.
        (Some(at), Some(query)) if query < at => format!("{scheme}…"),
        (Some(at), _) => format!("{scheme}…{}", before_query(rest.get(at..).unwrap_or_default())),
        (None, _) => format!("{scheme}{}", before_query(rest)),
    }
}

fn before_query(text: &str) -> &str {
    text.split_once('?').map_or(text, |(before, _)| before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_message_shows_a_password() {
        for (url, shown) in [
            ("postgres://a:secret@h:1/d", "postgres://…@h:1/d"),
            ("postgres://a:se@cret@h/d", "postgres://…@h/d"),
            ("postgres://a:secret@h/d?sslmode=require", "postgres://…@h/d"),
            ("postgres://h/d?user=a&password=secret", "postgres://h/d"),
            ("postgres://h/d?password=secret", "postgres://h/d"),
            ("postgres://a@h/d?sslpassword=secret", "postgres://…@h/d"),
            ("postgres://h/d?password=se@cret", "postgres://…"),
            ("postgres://a:se?cret@h/d", "postgres://…"),
            ("postgres:h/d?password=secret", "postgres:h/d"),
            ("a:secret@h/d", "…@h/d"),
            ("sqlite://a.db", "sqlite://a.db"),
            ("sqlite://a.db?mode=ro", "sqlite://a.db"),
            ("sqlite::memory:", "sqlite::memory:"),
        ] {
            assert_eq!(without_password(url), shown, "{url}");
        }
    }

    #[test]
    fn what_the_data_layer_said_is_found_in_the_error_of_a_query() {
        let error = sqlx::Error::from(Error::View { wanted: "PostgreSQL", is: "SQLite" });
        assert!(matches!(cause(&error), Some(Error::View { .. })));
        assert!(error.to_string().contains("use `Db` for queries that run on both"), "{error}");
        assert!(cause(&sqlx::Error::RowNotFound).is_none());
    }
}
