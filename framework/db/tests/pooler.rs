//! Through a real PgBouncer in transaction mode, where each transaction may meet another connection.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use tokio::task::JoinSet;
use tropos_db::{Config, Db, Pooler, sqlx};
use tropos_parts::{PgBouncer, PgBouncerOptions, Postgres};

async fn open() -> (Postgres, PgBouncer, Db) {
    let server = Postgres::start().await.unwrap();
    server.psql("postgres", "create table kv (key text primary key, value text)").await.unwrap();
    let pooler =
        PgBouncer::start(&[("postgres", &server)], PgBouncerOptions::new().pool_size(3)).await.unwrap();
    let mut config = Config::new(pooler.url("postgres"));
    config.pooler = Pooler::Transaction;
    let db = Db::connect(&config).await.unwrap();
    (server, pooler, db)
}

#[tokio::test(flavor = "multi_thread")]
async fn many_queries_and_transactions_share_few_connections_and_leave_nothing_prepared_behind() {
    let (server, _pooler, db) = open().await;
    let mut tasks = JoinSet::new();
    for number in 0..60 {
        let db = db.clone();
        tasks.spawn(async move {
            let key = number.to_string();
            let insert = "insert into kv values ($1, $2)";
            if number % 2 == 0 {
                sqlx::query(insert).bind(&key).bind("x").execute(db.write()).await.unwrap();
            } else {
                let mut tx = db.tx().await.unwrap();
                sqlx::query(insert).bind(&key).bind("x").execute(&mut tx).await.unwrap();
                sqlx::query("update kv set value = $2 where key = $1")
                    .bind(&key)
                    .bind("y")
                    .execute(&mut tx)
                    .await
                    .unwrap();
                tx.commit().await.unwrap();
            }
            let sql = "select value from kv where key = $1";
            let value: String = sqlx::query_scalar(sql).bind(&key).fetch_one(db.read()).await.unwrap();
            assert_eq!(value, if number % 2 == 0 { "x" } else { "y" });
        });
    }
    tasks.join_all().await;
    // In the pooler's own connections: what this session sees is its own, so each of them is asked through the pooler.
    for _ in 0..6 {
        let left: i64 = sqlx::query_scalar("select count(*) from pg_prepared_statements where name <> ''")
            .fetch_one(db.read())
            .await
            .unwrap();
        assert_eq!(left, 0);
    }
    let sessions = "select count(*) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()";
    let sessions: u32 = server.psql("postgres", sessions).await.unwrap().parse().unwrap();
    assert!(sessions <= 3, "{sessions}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_through_the_reading_handle_fails_in_the_database_here_too() {
    let (_server, _pooler, db) = open().await;
    let insert = "insert into kv values ('a', '1')";
    let error = sqlx::query(insert).execute(db.read()).await.unwrap_err();
    assert!(error.to_string().contains("use `db.write()` or `db.tx()`"), "{error}");
    // And the session that was told to only read is not left so for the next.
    sqlx::query(insert).execute(db.write()).await.unwrap();
    for _ in 0..5 {
        let value: String = sqlx::query_scalar("select value from kv").fetch_one(db.read()).await.unwrap();
        assert_eq!(value, "1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_that_is_restarted_costs_no_read() {
    let (_server, pooler, db) = open().await;
    let sql = "select count(*) from kv";
    let _: i64 = sqlx::query_scalar(sql).fetch_one(db.read()).await.unwrap();
    pooler.kill().await.unwrap();
    pooler.restart().await.unwrap();
    let up = || db.stats().servers.iter().all(|server| server.up);
    for _ in 0..200 {
        if up() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let _: i64 = sqlx::query_scalar(sql).fetch_one(db.read()).await.unwrap();
}
