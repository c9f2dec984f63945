//! The view for queries of SQLite alone.

use super::{Given, Kind, Raw, Statement, blind, sealed::View};
use futures::{
    StreamExt,
    future::{self, BoxFuture, FutureExt},
    stream::{self, BoxStream},
};
use sqlx::{
    Executor, SqlStr, Sqlite,
    sqlite::{SqliteArguments, SqliteRow, SqliteStatement, SqliteTypeInfo},
};

impl View for Sqlite {
    const WANTED: &'static str = Kind::Sqlite.name();

    fn sees(kind: Kind) -> bool {
        kind == Kind::Sqlite
    }

    fn run<'c>(conn: Raw<'c>, statement: Statement<Self>) -> BoxStream<'c, Result<Given<Self>, sqlx::Error>> {
        match conn {
            Raw::Sqlite(conn) => conn.fetch_many(statement),
            other => stream::once(future::ready(Err(blind(Self::WANTED, &other)))).boxed(),
        }
    }

    fn first<'c>(
        conn: Raw<'c>,
        statement: Statement<Self>,
    ) -> BoxFuture<'c, Result<Option<SqliteRow>, sqlx::Error>> {
        match conn {
            Raw::Sqlite(conn) => conn.fetch_optional(statement),
            other => future::ready(Err(blind(Self::WANTED, &other))).boxed(),
        }
    }

    fn copy(arguments: &SqliteArguments) -> SqliteArguments {
        arguments.clone()
    }

    fn prepare<'c>(
        conn: Raw<'c>,
        sql: SqlStr,
        parameters: &'c [SqliteTypeInfo],
    ) -> BoxFuture<'c, Result<SqliteStatement, sqlx::Error>> {
        match conn {
            Raw::Sqlite(conn) => conn.prepare_with(sql, parameters),
            other => future::ready(Err(blind(Self::WANTED, &other))).boxed(),
        }
    }
}
