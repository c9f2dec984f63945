//! Whose fault an error is.

use sqlx::error::{BoxDynError, DatabaseError, ErrorKind};
use std::{borrow::Cow, error::Error as StdError, fmt};

/// Whose fault an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The server's or the network's: another server may do better.
    Server,
    /// Replay on a replica was in the way of the query: another server may do better, and this one is well.
    Conflict,
    /// The query's, or the data's.
    Query,
}

/// PostgreSQL's codes (appendix A of its manual) for a server that goes, comes or takes no more: connection exceptions are
/// the class `08`.
const OF_THE_SERVER: [&str; 5] = ["57P01", "57P02", "57P03", "57P05", "53300"];

/// A write where none may be: `read_only_sql_transaction`.
const READ_ONLY: &str = "25006";

/// `serialization_failure`, which a replica gives where replay removed rows that a query still needs.
const SERIALIZATION: &str = "40001";

/// Whose fault an error is.
pub(crate) fn fault(error: &sqlx::Error) -> Fault {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolClosed => match crate::cause(error) {
            Some(crate::Error::Hung { .. } | crate::Error::Unavailable { .. }) | None => Fault::Server,
            Some(_) => Fault::Query,
        },
        // `sqlx::Error::Protocol` among them: a statement with more values than the protocol can count, which no server
        // was ever asked.
        sqlx::Error::Database(error) => match error.code() {
            Some(code) if code.starts_with("08") || OF_THE_SERVER.contains(&code.as_ref()) => Fault::Server,
            Some(code) if code == SERIALIZATION && error.message().contains("recovery") => Fault::Conflict,
            _ => Fault::Query,
        },
        _ => Fault::Query,
    }
}

/// Whether it is a write where none may be.
pub(crate) fn is_read_only(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else { return false };
    // SQLite's codes carry the reason in the upper bits: the lower eight say `SQLITE_READONLY`.
    let code = error.code();
    let sqlite =
        || code.as_deref().and_then(|code| code.parse::<u32>().ok()).is_some_and(|code| code & 0xff == 8);
    match code.as_deref() {
        Some(READ_ONLY) => true,
        Some(code) if code.len() < 5 => sqlite(),
        _ => false,
    }
}

/// The error with what to do about it.
pub(crate) fn advised(error: sqlx::Error, advice: &'static str) -> sqlx::Error {
    match error {
        sqlx::Error::Database(inner) => {
            let message = format!("{}; {advice}", inner.message());
            sqlx::Error::Database(Box::new(Advised { inner, message }))
        }
        other => other,
    }
}

/// An error of the database, with what to do about it.
#[derive(Debug)]
struct Advised {
    inner: Box<dyn DatabaseError>,
    message: String,
}

impl fmt::Display for Advised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Advised {}

impl DatabaseError for Advised {
    fn message(&self) -> &str {
        &self.message
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        self.inner.code()
    }

    fn as_error(&self) -> &(dyn StdError + Send + Sync + 'static) {
        self.inner.as_error()
    }

    fn as_error_mut(&mut self) -> &mut (dyn StdError + Send + Sync + 'static) {
        self.inner.as_error_mut()
    }

    fn into_error(self: Box<Self>) -> BoxDynError {
        self.inner.into_error()
    }

    fn constraint(&self) -> Option<&str> {
        self.inner.constraint()
    }

    fn table(&self) -> Option<&str> {
        self.inner.table()
    }

    fn kind(&self) -> ErrorKind {
        self.inner.kind()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_network_is_the_servers_and_a_missing_row_is_not() {
        let network = sqlx::Error::Io(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
        assert_eq!(fault(&network), Fault::Server);
        assert_eq!(fault(&sqlx::Error::RowNotFound), Fault::Query);
        let down = crate::Error::Unavailable { what: "x".to_owned(), reason: "y".to_owned() };
        assert_eq!(fault(&down.into()), Fault::Server);
        let waited = std::time::Duration::from_secs(1);
        let exhausted = crate::Error::Exhausted { pool: "x".to_owned(), connections: 1, waited };
        assert_eq!(fault(&exhausted.into()), Fault::Query, "the server does what it can");
        let too_many = sqlx::Error::Protocol("too many arguments".to_owned());
        assert_eq!(fault(&too_many), Fault::Query, "no server was asked");
    }
}
