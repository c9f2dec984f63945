//! The pools over a real SQLite file.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

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
