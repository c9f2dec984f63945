//! Through a real PgBouncer in transaction mode, where each transaction may meet another connection.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use tropos_db::{Config, Db, Error, Pooler, cause, sqlx};
use tropos_parts::{PgBouncer, PgBouncerOptions, Postgres};

async fn open(change: impl FnOnce(&mut Config)) -> (Postgres, PgBouncer, Db) {
    let server = Postgres::start().await.unwrap();
    server.psql("postgres", "create table kv (key text primary key, value text)").await.unwrap();
    let pooler =
        PgBouncer::start(&[("postgres", &server)], PgBouncerOptions::new().pool_size(3)).await.unwrap();
    let mut config = Config::new(pooler.url("postgres"));
    config.pooler = Pooler::Transaction;
    change(&mut config);
    let db = Db::connect(&config).await.unwrap();
    (server, pooler, db)
}

#[tokio::test(flavor = "multi_thread")]
async fn many_queries_and_transactions_share_few_connections_and_leave_nothing_prepared_behind() {
    let (server, _pooler, db) = open(|_| {}).await;
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
    let (_server, _pooler, db) = open(|_| {}).await;
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

/// Reads until told to stop. How many were answered, and each failure with what it took.
async fn read_on(db: Db, stop: Arc<AtomicBool>, answered: Arc<AtomicU64>) -> Vec<(Duration, sqlx::Error)> {
    let mut failures = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        match sqlx::query_scalar::<_, i64>("select count(*) from kv").fetch_one(db.read()).await {
            Ok(_) => drop(answered.fetch_add(1, Ordering::Relaxed)),
            Err(error) => {
                failures.push((began.elapsed(), error));
                // Not to fill the memory while there is nothing to be had.
                sleep(Duration::from_millis(1)).await;
            }
        }
    }
    failures
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_pooler_is_away_reads_fail_at_once_and_say_so_and_all_is_well_after_its_return() {
    const READERS: usize = 4;
    const KILLS: usize = 3;
    // A read that waited for a connection or for an answer would wait for a minute.
    let (_server, pooler, db) = open(|config| {
        config.pool.wait = Duration::from_secs(60);
        config.pool.statement = Duration::from_secs(60);
    })
    .await;
    let (stop, answered) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
    let mut readers = JoinSet::new();
    for _ in 0..READERS {
        readers.spawn(read_on(db.clone(), stop.clone(), answered.clone()));
    }
    let more = async |what: &str| {
        let (began, before) = (Instant::now(), answered.load(Ordering::Relaxed));
        while answered.load(Ordering::Relaxed) < before + 100 {
            assert!(began.elapsed() < Duration::from_secs(30), "no reads {what}");
            sleep(Duration::from_millis(5)).await;
        }
        began.elapsed()
    };
    more("before").await;
    for _ in 0..KILLS {
        pooler.kill().await.unwrap();
        // Until it is noticed: there is no other way to the server.
        while db.stats().servers.iter().any(|server| server.up) {
            sleep(Duration::from_millis(5)).await;
        }
        pooler.restart().await.unwrap();
        let back = more("after the pooler's return").await;
        eprintln!("a hundred reads after {back:?} from the pooler's return");
    }
    stop.store(true, Ordering::Relaxed);
    let failures: Vec<_> = readers.join_all().await.into_iter().flatten().collect();
    let slowest = failures.iter().map(|(took, _)| *took).max().unwrap_or_default();
    eprintln!(
        "{} reads answered, {} failed, the slowest after {slowest:?}",
        answered.load(Ordering::Relaxed),
        failures.len()
    );
    assert!(slowest < Duration::from_secs(15), "{slowest:?}");
    let (away, broken): (Vec<_>, Vec<_>) = failures
        .into_iter()
        .map(|(_, error)| error)
        .partition(|error| matches!(cause(error), Some(Error::Unavailable { .. })));
    assert!(!away.is_empty(), "nobody can have been answered while the pooler was away");
    eprintln!("{} of them said that the server is away; {broken:?}", away.len());
    // Each reader may have had one read under way at each kill, whose connection broke under it.
    assert!(broken.len() <= READERS * KILLS, "{broken:?}");
    assert!(
        broken.iter().all(|error| matches!(error, sqlx::Error::Io(_)) && cause(error).is_none()),
        "{broken:?}"
    );
}
