//! The pools over a real SQLite file.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use std::time::Duration;
use tropos_db::{Config, Db, Error};

async fn open(folder: &tempfile::TempDir) -> Db {
    let url = format!("sqlite://{}", folder.path().join("deep/app.db").display());
    let db: Db = Db::connect(&Config::new(url)).await.unwrap();
    sqlx::query("create table if not exists kv (key text primary key, value text)")
        .execute(db.write())
        .await
        .unwrap();
    db
}

#[tokio::test]
async fn a_missing_file_and_its_folder_are_made_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(&folder).await;
    sqlx::query("insert into kv values ('a', '1')").execute(db.write()).await.unwrap();
    db.close().await;
    let db = open(&folder).await;
    let (value,): (String,) = sqlx::query_as("select value from kv").fetch_one(db.read()).await.unwrap();
    assert_eq!(value, "1");
}

#[tokio::test]
async fn a_write_through_the_reading_handle_fails_in_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(&folder).await;
    let error = sqlx::query("insert into kv values ('a', '1')").execute(db.read()).await.unwrap_err();
    assert!(error.to_string().contains("use `db.write()` or `db.tx()`"), "{error}");
}

#[tokio::test]
async fn readers_are_not_held_up_by_an_open_write_transaction() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(&folder).await;
    let mut tx = db.tx().await.unwrap();
    sqlx::query("insert into kv values ('a', '1')").execute(&mut tx).await.unwrap();
    let rows: Vec<(String,)> = sqlx::query_as("select value from kv").fetch_all(db.read()).await.unwrap();
    assert_eq!(rows, [], "not committed yet");
    tx.commit().await.unwrap();
    let rows: Vec<(String,)> = sqlx::query_as("select value from kv").fetch_all(db.read()).await.unwrap();
    assert_eq!(rows, [("1".to_owned(),)]);
}

#[tokio::test]
async fn many_writers_queue_instead_of_failing_with_a_locked_database() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(&folder).await;
    let writes = (0..50).map(|n| {
        let db = db.clone();
        tokio::spawn(async move {
            sqlx::query("insert into kv values (?, 'x')").bind(n.to_string()).execute(db.write()).await
        })
    });
    for write in writes.collect::<Vec<_>>() {
        write.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn an_address_that_is_not_supported_is_shown_without_its_password() {
    let error = Db::connect(&Config::new("mysql://user:secret@host/db")).await.unwrap_err();
    assert!(matches!(error, Error::Url { .. }));
    assert!(!error.to_string().contains("secret"), "{error}");
}

/// A file without a log written ahead, in which somebody else writes.
async fn held_by_another_writer(folder: &tempfile::TempDir) -> (Config, SqliteConnection) {
    let file = folder.path().join("app.db");
    let options = SqliteConnectOptions::new().filename(&file).create_if_missing(true);
    let mut other = options.connect().await.unwrap();
    sqlx::raw_sql("create table kv (key text); begin immediate; insert into kv values ('theirs')")
        .execute(&mut other)
        .await
        .unwrap();
    (Config::new(format!("sqlite://{}", file.display())), other)
}

#[tokio::test]
async fn a_file_that_another_process_writes_to_is_opened_once_it_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let (mut config, mut other) = held_by_another_writer(&folder).await;
    config.pool.busy = Duration::from_secs(60);
    let opened = tokio::spawn(async move { Db::connect(&config).await });
    // In which SQLite has refused to switch to the log; where the machine is slower, the test only shows less.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!opened.is_finished());
    sqlx::raw_sql("commit").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    let db: Db = opened.await.unwrap().unwrap();
    let key: String = sqlx::query_scalar("select key from kv").fetch_one(db.read()).await.unwrap();
    assert_eq!(key, "theirs");
    let mode: String = sqlx::query_scalar("pragma journal_mode").fetch_one(db.read()).await.unwrap();
    assert_eq!(mode, "wal");
}

#[tokio::test]
async fn a_file_that_stays_locked_is_given_up_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let (mut config, _other) = held_by_another_writer(&folder).await;
    config.pool.busy = Duration::from_millis(50);
    let error = Db::<sqlx::Any>::connect(&config).await.unwrap_err();
    assert!(matches!(&error, Error::Open { reason, .. } if reason.contains("locked")), "{error}");
}
