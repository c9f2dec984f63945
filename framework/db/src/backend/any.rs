//! The view for queries that run on both databases.

use super::{Given, Kind, Raw, Statement, sealed::View};
use futures::{future::BoxFuture, stream::BoxStream};
use sqlx::{
    Any, SqlStr,
    any::{AnyArguments, AnyRow, AnyStatement, AnyTypeInfo},
};
use sqlx_core::any::{AnyArgumentBuffer, AnyConnectionBackend};

impl View for Any {
    const WANTED: &'static str = "either database";

    fn sees(_: Kind) -> bool {
        true
    }

    fn run<'c>(conn: Raw<'c>, statement: Statement<Self>) -> BoxStream<'c, Result<Given<Self>, sqlx::Error>> {
        let (sql, persistent, arguments) = statement.into_parts();
        backend(conn).fetch_many(sql, persistent, arguments)
    }

    fn first<'c>(
        conn: Raw<'c>,
        statement: Statement<Self>,
    ) -> BoxFuture<'c, Result<Option<AnyRow>, sqlx::Error>> {
        let (sql, persistent, arguments) = statement.into_parts();
        backend(conn).fetch_optional(sql, persistent, arguments)
    }

    fn copy(arguments: &AnyArguments) -> AnyArguments {
        AnyArguments { values: AnyArgumentBuffer(arguments.values.0.clone()) }
    }

    fn prepare<'c>(
        conn: Raw<'c>,
        sql: SqlStr,
        parameters: &'c [AnyTypeInfo],
    ) -> BoxFuture<'c, Result<AnyStatement, sqlx::Error>> {
        backend(conn).prepare_with(sql, parameters)
    }
}

fn backend(conn: Raw<'_>) -> &mut dyn AnyConnectionBackend {
    match conn {
        Raw::Postgres(conn) => conn,
        Raw::Sqlite(conn) => conn,
    }
}
