//! What is told about queries: spans, and a line for each slow one, never with a value.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use futures::StreamExt as _;
use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::timeout;
use tracing::{Level, subscriber::DefaultGuard};
use tracing_subscriber::fmt::{MakeWriter, format::FmtSpan};
use tropos_db::{Config, Db, Observer, Ran, Waited, sqlx};

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Of what this thread writes until the guard goes.
    fn start(level: Level, spans: FmtSpan) -> (Self, DefaultGuard) {
        let log = Self::default();
        let lines = tracing_subscriber::fmt().json().with_max_level(level).with_span_events(spans);
        let set = tracing::subscriber::set_default(lines.with_writer(log.clone()).finish());
        (log, set)
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

async fn open(slow: Duration) -> Db {
    let mut config = Config::new("sqlite::memory:");
    config.slow = slow;
    Db::connect(&config).await.unwrap()
}

async fn ask(db: &Db) {
    sqlx::query("create table person (name text)").execute(db.write()).await.unwrap();
    let sql = "select name from person where name = 'Marlowe' or name = $1";
    sqlx::query(sql).bind("Vivian").fetch_all(db.read()).await.unwrap();
}

#[tokio::test]
async fn a_slow_query_is_logged_with_its_summary_and_without_values() {
    let (log, _set) = Log::start(Level::INFO, FmtSpan::NONE);
    let db = open(Duration::ZERO).await;
    ask(&db).await;
    let text = log.text();
    let line = text.lines().find(|line| line.contains("SELECT person")).unwrap();
    assert!(line.contains("a slow query") && line.contains("took_ms"), "{line}");
    assert!(line.contains("name = ? or name = $1"), "{line}");
    assert!(!text.contains("Marlowe") && !text.contains("Vivian"), "{text}");
    assert!(db.stats().slow >= 2);
}

#[tokio::test]
async fn a_quick_query_is_not_logged_and_has_a_span_by_the_conventions() {
    let (log, _set) = Log::start(Level::DEBUG, FmtSpan::CLOSE);
    let db = open(Duration::from_secs(60)).await;
    ask(&db).await;
    sqlx::query("select nothing from nowhere").execute(db.read()).await.unwrap_err();
    let text = log.text();
    assert!(!text.contains("a slow query"), "{text}");
    let ours: Vec<_> = text.lines().filter(|line| line.contains("\"target\":\"tropos::db\"")).collect();
    let line = ours.iter().find(|line| line.contains("SELECT person")).unwrap();
    for field in [
        "\"db.system.name\":\"sqlite\"",
        "\"db.query.summary\":\"SELECT person\"",
        "\"db.query.text\":\"select name from person where name = ? or name = $1\"",
        "\"db.response.returned_rows\":0",
        "\"otel.kind\":\"client\"",
    ] {
        assert!(line.contains(field), "{field} is missing: {line}");
    }
    let failed = ours.iter().find(|line| line.contains("SELECT nowhere")).unwrap();
    assert!(failed.contains("\"error.type\":\"1\""), "{failed}");
    assert!(!text.contains("Marlowe") && !text.contains("Vivian"), "{text}");
}

/// A query as it was told of: its summary, and its error.
type Query = (String, Option<String>);

/// What was told, in order.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<Query>>>);

impl Told {
    fn take(&self) -> Vec<Query> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Observer for Told {
    fn ran(&self, query: &Ran<'_>) {
        self.0.lock().unwrap().push((query.summary.to_owned(), query.error.map(str::to_owned)));
    }

    fn waited(&self, _: &Waited<'_>) {}
}

const SOON: Duration = Duration::from_millis(20);

#[tokio::test]
async fn a_query_that_is_given_up_is_told_of_once_as_cancelled() {
    let (log, _set) = Log::start(Level::INFO, FmtSpan::NONE);
    let db = open(Duration::ZERO).await;
    sqlx::query("create table person (name text)").execute(db.write()).await.unwrap();
    let told = Told::default();
    db.observe(told.clone());
    // The one connection that writes is taken, so that others wait for it.
    let tx = db.tx().await.unwrap();
    let slow = db.stats().slow;
    timeout(SOON, sqlx::query("delete from person").execute(db.write())).await.unwrap_err();
    let streamed = async { _ = sqlx::query("delete from person").fetch(db.write()).next().await };
    timeout(SOON, streamed).await.unwrap_err();
    let cancelled = ("DELETE person".to_owned(), Some("cancelled".to_owned()));
    assert_eq!(told.take(), [cancelled.clone(), cancelled]);
    assert_eq!(db.stats().slow, slow + 2);
    let text = log.text();
    assert_eq!(text.matches("\"error\":\"cancelled\"").count(), 2, "{text}");
    tx.rollback().await.unwrap();
}

#[tokio::test]
async fn a_stream_that_is_left_after_its_first_row_has_not_failed() {
    let (log, _set) = Log::start(Level::DEBUG, FmtSpan::CLOSE);
    let db = open(Duration::from_secs(60)).await;
    let told = Told::default();
    db.observe(told.clone());
    let all = "select 1 union all select 2 union all select 3";
    let first = sqlx::query(all).fetch(db.read()).next().await;
    assert!(first.unwrap().is_ok());
    let mut tx = db.tx().await.unwrap();
    let first = sqlx::query(all).fetch(&mut tx).next().await;
    assert!(first.unwrap().is_ok());
    drop(tx);
    assert_eq!(told.take(), [("SELECT".to_owned(), None), ("SELECT".to_owned(), None)]);
    let text = log.text();
    assert_eq!(text.matches("\"db.response.returned_rows\":1").count(), 2, "{text}");
}

#[tokio::test]
async fn a_stream_that_finds_no_connection_is_told_of_with_its_error() {
    let mut config = Config::new("sqlite::memory:");
    config.pool.wait = SOON;
    let db: Db = Db::connect(&config).await.unwrap();
    let told = Told::default();
    db.observe(told.clone());
    let _tx = db.tx().await.unwrap();
    assert!(sqlx::query("delete from person").fetch(db.write()).next().await.unwrap().is_err());
    let told = told.take();
    let [(summary, Some(error))] = told.as_slice() else { panic!("{told:?}") };
    assert!(summary == "DELETE person" && error != "cancelled", "{told:?}");
}
