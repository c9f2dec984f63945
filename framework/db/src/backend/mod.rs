//! The two databases, and the views by which queries to them are typed.
//!
//! Connections are always those of the database itself. [`Any`] is a view on either of them: its arguments and rows know
//! the types that both have, so one query runs on both.

mod any;
mod postgres;
mod sqlite;
mod statement;

pub(crate) use statement::Statement;

use either::Either;
use futures::{future::BoxFuture, stream::BoxStream};
use sqlx::{Database, PgConnection, Postgres, Sqlite, SqliteConnection, Transaction, pool::PoolConnection};

pub use sqlx::Any;

/// How queries are typed: [`Any`] for those that run on both databases, `Postgres` or `Sqlite` for those of one.
pub trait Backend: Database + sealed::View {}

impl<B: Database + sealed::View> Backend for B {}

/// Which database it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// SQLite, embedded.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

impl Kind {
    /// Its name in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }

    /// Its name on spans, by OpenTelemetry's conventions (`db.system.name`).
    pub const fn system(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgresql",
        }
    }
}

/// A connection, or a transaction of SQLite on one.
#[derive(Debug)]
pub(crate) enum Conn {
    Postgres(PoolConnection<Postgres>),
    Sqlite(PoolConnection<Sqlite>),
    SqliteTx(Transaction<'static, Sqlite>),
}

/// The connection underneath.
#[derive(Debug)]
pub enum Raw<'c> {
    /// To PostgreSQL.
    Postgres(&'c mut PgConnection),
    /// To SQLite.
    Sqlite(&'c mut SqliteConnection),
}

impl Conn {
    pub(crate) fn raw(&mut self) -> Raw<'_> {
        match self {
            Self::Postgres(conn) => Raw::Postgres(conn),
            Self::Sqlite(conn) => Raw::Sqlite(conn),
            Self::SqliteTx(tx) => Raw::Sqlite(tx),
        }
    }
}

pub type Given<B> = Either<<B as Database>::QueryResult, <B as Database>::Row>;

pub(crate) mod sealed {
    use super::*;

    /// A view on connections.
    #[diagnostic::on_unimplemented(
        message = "`{Self}` is no database that Tropos speaks to",
        note = "write `Db` for queries that run on both, `Db<Postgres>` or `Db<Sqlite>` for those of one"
    )]
    pub trait View: Database + Sized {
        /// What it is called in messages.
        const WANTED: &'static str;

        /// Whether it can see that database.
        fn sees(kind: Kind) -> bool;

        /// Runs a statement.
        fn run<'c>(
            conn: Raw<'c>,
            statement: Statement<Self>,
        ) -> BoxStream<'c, Result<Given<Self>, sqlx::Error>>;

        /// Runs a read for its first row, as connections of sqlx do: without all that comes after it, where they do not
        /// need it.
        fn first<'c>(
            conn: Raw<'c>,
            statement: Statement<Self>,
        ) -> BoxFuture<'c, Result<Option<Self::Row>, sqlx::Error>>;

        /// The same arguments once more.
        fn copy(arguments: &Self::Arguments) -> Self::Arguments;

        /// Prepares a statement, to learn its types.
        fn prepare<'c>(
            conn: Raw<'c>,
            sql: sqlx::SqlStr,
            parameters: &'c [Self::TypeInfo],
        ) -> BoxFuture<'c, Result<Self::Statement, sqlx::Error>>;
    }
}

/// What a view that cannot see a database says.
fn blind(wanted: &'static str, conn: &Raw<'_>) -> sqlx::Error {
    let is = match conn {
        Raw::Postgres(_) => Kind::Postgres.name(),
        Raw::Sqlite(_) => Kind::Sqlite.name(),
    };
    crate::Error::View { wanted, is }.into()
}
