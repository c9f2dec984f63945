//! One query as it is told about.

use super::{Counts, Ran, summary, without_values};
use crate::backend::Kind;
use sqlx::SqlStr;
use std::time::Duration;
use tokio::time::Instant;
use tracing::{Span, field::Empty};
use tropos_cache::Scope;

/// A query under way.
pub(crate) struct Watched {
    kind: Kind,
    sql: SqlStr,
    began: Instant,
    slow: Duration,
    span: Span,
}

impl Watched {
    /// A query begins. The span costs nothing where nobody listens to it.
    pub(crate) fn begin(kind: Kind, sql: SqlStr, slow: Duration) -> Self {
        let span = tracing::debug_span!(
            target: "tropos::db",
            "query",
            otel.name = Empty,
            otel.kind = "client",
            db.system.name = kind.system(),
            db.query.summary = Empty,
            db.query.text = Empty,
            db.response.returned_rows = Empty,
            server.address = Empty,
            error.type = Empty,
        );
        if !span.is_disabled() {
            let summary = summary(sql.as_str(), kind);
            span.record("otel.name", summary.as_str());
            span.record("db.query.summary", summary.as_str());
            span.record("db.query.text", without_values(sql.as_str(), kind).as_ref());
        }
        Self { kind, sql, began: Instant::now(), slow, span }
    }

    /// Which server answers.
    pub(crate) fn at(&self, server: Option<&str>) {
        if let Some(server) = server {
            self.span.record("server.address", server);
        }
    }

    /// It has ended.
    pub(crate) fn end(self, rows: u64, error: Option<&sqlx::Error>, counts: &Counts) {
        let took = self.began.elapsed();
        let scope = Scope::current();
        scope.iter().for_each(Scope::queried);
        if let Some(observer) = counts.observer() {
            let error = error.map(kind_of);
            observer.ran(&Ran {
                kind: self.kind,
                summary: &summary(self.sql.as_str(), self.kind),
                route: scope.and_then(|scope| scope.route()),
                took,
                slow: took > self.slow,
                error: error.as_deref(),
            });
        }
        self.span.record("db.response.returned_rows", rows);
        if let Some(error) = error {
            self.span.record("error.type", kind_of(error).as_str());
        }
        if took > self.slow {
            counts.slow();
            let _within = self.span.enter();
            tracing::warn!(
                target: "tropos::db",
                summary = summary(self.sql.as_str(), self.kind),
                text = %without_values(self.sql.as_str(), self.kind),
                took_ms = took.as_millis(),
                rows,
                "a slow query"
            );
        }
    }
}

/// The database's own code, or what failed instead of it.
fn kind_of(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => {
            error.code().map_or_else(|| "database".to_owned(), |code| code.into_owned())
        }
        sqlx::Error::Io(error) => error.kind().to_string(),
        sqlx::Error::RowNotFound => "row_not_found".to_owned(),
        _ => "client".to_owned(),
    }
}
