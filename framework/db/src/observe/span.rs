//! One query as it is told about.

use super::{Counts, Ran, summary, without_values};
use crate::backend::Kind;
use sqlx::SqlStr;
use std::{
    borrow::Cow,
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::time::Instant;
use tracing::{Span, field::Empty};
use tropos_cache::Scope;

/// What is told of a query that was given up before it ended: its reader has left, or something else was quicker.
const CANCELLED: &str = "cancelled";

/// A query under way. It is told of once: when it ends, or when it is dropped before.
pub(crate) struct Watched {
    kind: Kind,
    sql: SqlStr,
    /// Found out where somebody is told of it.
    summary: OnceLock<String>,
    began: Instant,
    slow: Duration,
    span: Span,
    counts: Arc<Counts>,
    /// For whom: what is dropped may be so outside of it.
    scope: Option<Scope>,
    /// The rows that have come.
    rows: u64,
    /// Whether a row is in the hands of who reads them: dropped then, they have all that they wanted.
    handed_on: bool,
    told: bool,
}

impl Watched {
    /// A query begins. The span costs nothing where nobody listens to it.
    pub(crate) fn begin(kind: Kind, sql: SqlStr, slow: Duration, counts: &Arc<Counts>) -> Self {
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
        let watched = Self {
            kind,
            sql,
            summary: OnceLock::new(),
            began: Instant::now(),
            slow,
            span,
            counts: counts.clone(),
            scope: Scope::current(),
            rows: 0,
            handed_on: false,
            told: false,
        };
        if !watched.span.is_disabled() {
            watched.span.record("otel.name", watched.summary());
            watched.span.record("db.query.summary", watched.summary());
            watched.span.record("db.query.text", watched.text().as_ref());
        }
        watched
    }

    fn summary(&self) -> &str {
        self.summary.get_or_init(|| summary(self.sql.as_str(), self.kind))
    }

    fn text(&self) -> Cow<'_, str> {
        without_values(self.sql.as_str(), self.kind)
    }

    /// Which server answers.
    pub(crate) fn at(&self, server: Option<&str>) {
        if let Some(server) = server {
            self.span.record("server.address", server);
        }
    }

    /// So many rows have come.
    pub(crate) fn came(&mut self, rows: u64) {
        self.rows += rows;
    }

    /// The rows that have come.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// It is tried again, from its first row.
    pub(crate) fn begins_again(&mut self) {
        self.rows = 0;
    }

    /// Whether what has come is in the hands of who reads it, who may want no more.
    pub(crate) fn hands_on(&mut self, handed_on: bool) {
        self.handed_on = handed_on;
    }

    /// It has ended. The first time counts.
    pub(crate) fn end(&mut self, error: Option<&sqlx::Error>) {
        self.tell(error.map(kind_of));
    }

    /// It has ended by this error, which is given back.
    pub(crate) fn failed(&mut self, error: sqlx::Error) -> sqlx::Error {
        self.end(Some(&error));
        error
    }

    fn tell(&mut self, error: Option<Cow<'_, str>>) {
        if std::mem::replace(&mut self.told, true) {
            return;
        }
        let took = self.began.elapsed();
        let (is_slow, error) = (took > self.slow, error.as_deref());
        self.scope.iter().for_each(Scope::queried);
        if let Some(observer) = self.counts.observer() {
            observer.ran(&Ran {
                kind: self.kind,
                summary: self.summary(),
                route: self.scope.as_ref().and_then(Scope::route),
                took,
                slow: is_slow,
                error,
            });
        }
        self.span.record("db.response.returned_rows", self.rows);
        if let Some(error) = error {
            self.span.record("error.type", error);
        }
        if is_slow {
            self.counts.slow();
            let _within = self.span.enter();
            tracing::warn!(
                target: "tropos::db",
                summary = self.summary(),
                text = %self.text(),
                took_ms = took.as_millis(),
                rows = self.rows,
                error,
                "a slow query"
            );
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let error = if self.handed_on { None } else { Some(CANCELLED.into()) };
        self.tell(error);
    }
}

/// The database's own code, or what failed instead of it.
fn kind_of(error: &sqlx::Error) -> Cow<'_, str> {
    match error {
        sqlx::Error::Database(error) => error.code().unwrap_or("database".into()),
        sqlx::Error::Io(error) => error.kind().to_string().into(),
        sqlx::Error::RowNotFound => "row_not_found".into(),
        _ => "client".into(),
    }
}
