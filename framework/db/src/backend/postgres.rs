//! The view for queries of PostgreSQL alone.

use super::{Given, Kind, Raw, Statement, blind, sealed::View};
use futures::{
    StreamExt,
    future::{self, BoxFuture, FutureExt},
    stream::{self, BoxStream},
};
use sqlx::{
    Executor, Postgres, SqlStr,
    postgres::{PgArguments, PgRow, PgStatement, PgTypeInfo},
};

impl View for Postgres {
    const WANTED: &'static str = Kind::Postgres.name();

    fn sees(kind: Kind) -> bool {
        kind == Kind::Postgres
    }

    fn run<'c>(conn: Raw<'c>, statement: Statement<Self>) -> BoxStream<'c, Result<Given<Self>, sqlx::Error>> {
        match conn {
            Raw::Postgres(conn) => conn.fetch_many(statement),
            other => stream::once(future::ready(Err(blind(Self::WANTED, &other)))).boxed(),
        }
    }

    fn first<'c>(
        conn: Raw<'c>,
        statement: Statement<Self>,
    ) -> BoxFuture<'c, Result<Option<PgRow>, sqlx::Error>> {
        match conn {
            Raw::Postgres(conn) => conn.fetch_optional(statement),
            other => future::ready(Err(blind(Self::WANTED, &other))).boxed(),
        }
    }

    fn copy(arguments: &PgArguments) -> PgArguments {
        arguments.clone()
    }

    fn prepare<'c>(
        conn: Raw<'c>,
        sql: SqlStr,
        parameters: &'c [PgTypeInfo],
    ) -> BoxFuture<'c, Result<PgStatement, sqlx::Error>> {
        match conn {
            Raw::Postgres(conn) => conn.prepare_with(sql, parameters),
            other => future::ready(Err(blind(Self::WANTED, &other))).boxed(),
        }
    }
}
