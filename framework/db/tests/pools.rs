//! Bounds of the pools: how many connections, how long the wait, how long a statement.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;
use tokio::{task::JoinSet, time::Instant};
use tropos_db::{Config, Db, Error, cause, sqlx};
use tropos_parts::Postgres;

async fn open(change: impl FnOnce(&mut Config)) -> (Postgres, Db) {
    let server = Postgres::start().await.unwrap();
    let mut config = Config::new(server.url("postgres"));
    change(&mut config);
    let db = Db::connect(&config).await.unwrap();
    (server, db)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_500_at_once_on_ten_connections_none_is_lost_and_the_last_waits_no_longer_than_its_turn() {
    let (server, db) = open(|config| config.pool.wait = Duration::from_secs(60)).await;
    let mut queries = JoinSet::new();
    let began = Instant::now();
    for number in 0..500i64 {
        let db = db.clone();
        queries.spawn(async move {
            let (answer, _): (i64, String) = sqlx::query_as("select $1, pg_sleep(0.01)::text")
                .bind(number)
                .fetch_one(db.read())
                .await
                .unwrap();
            (answer, began.elapsed())
        });
    }
    let mut done = queries.join_all().await;
    done.sort_unstable();
    assert!(done.iter().map(|(number, _)| *number).eq(0..500));
    // Fifty turns of ten milliseconds; a machine that is busy with something else may take longer.
    let longest = done.iter().map(|(_, waited)| *waited).max().unwrap();
    eprintln!("the last of 500 waited {longest:?}; fifty turns are 500 ms");
    assert!(longest < Duration::from_secs(15), "{longest:?}");
    let pool = db.stats().pools.into_iter().find(|pool| pool.name.ends_with("reads")).unwrap();
    assert!(pool.used + pool.idle <= 10 && pool.most == 10, "{pool:?}");
    assert_eq!(db.stats().exhausted, 0);
    let sessions = "select count(*) from pg_stat_activity where application_name = 'tropos'";
    let sessions: u32 = server.psql("postgres", sessions).await.unwrap().parse().unwrap();
    assert!(sessions <= 11, "{sessions}: ten that read and one that looks");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_finds_no_connection_in_time_is_told_so_then_and_not_when_one_is_free() {
    let (_server, db) = open(|config| {
        config.pool.connections = 2;
        config.pool.wait = Duration::from_millis(400);
    })
    .await;
    // Held for as long as this test wants: nothing but the end of the wait lets the query go.
    let held = [db.read_tx().await.unwrap(), db.read_tx().await.unwrap()];
    let began = Instant::now();
    let error = sqlx::query("select 1").execute(db.read()).await.unwrap_err();
    let waited = began.elapsed();
    eprintln!("told after {waited:?} of 400 ms");
    assert!(matches!(cause(&error), Some(Error::Exhausted { connections: 2, .. })), "{error}");
    assert!(error.to_string().contains("DATABASE_CONNECTIONS"), "{error}");
    assert!(waited >= Duration::from_millis(400) && waited < Duration::from_secs(15), "{waited:?}");
    assert_eq!(db.stats().exhausted, 1);
    for tx in held {
        tx.commit().await.unwrap();
    }
    sqlx::query("select 1").execute(db.read()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_takes_too_long_is_ended_by_the_database() {
    let (server, db) = open(|config| config.pool.statement = Duration::from_millis(300)).await;
    let began = Instant::now();
    let mut code = None;
    // A database that does not get to say so within half a second, as on a busy machine, counts as dead: then once more.
    for _ in 0..5 {
        let error = sqlx::query("select pg_sleep(60)").execute(db.read()).await.unwrap_err();
        code = error.as_database_error().and_then(|error| error.code().map(|code| code.into_owned()));
        eprintln!("after {:?} of 300 ms: {error}", began.elapsed());
        if code.is_some() {
            break;
        }
    }
    assert_eq!(code.as_deref(), Some("57014"), "query_canceled");
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    let running = "select count(*) from pg_stat_activity where query like '%pg_sleep(60)%' and state = 'active' and pid <> pg_backend_pid()";
    while server.psql("postgres", running).await.unwrap() != "0" {
        assert!(began.elapsed() < Duration::from_secs(30), "a statement that was given up goes on");
    }
    sqlx::query("select 1").execute(db.read()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_the_server_has_closed_meanwhile_are_not_noticed_by_reads() {
    let (server, db) = open(|_| {}).await;
    for _ in 0..5 {
        sqlx::query("select 1").execute(db.read()).await.unwrap();
    }
    let others = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'tropos'";
    server.psql("postgres", others).await.unwrap();
    sqlx::query("select 1").execute(db.read()).await.unwrap();
    assert_eq!(db.stats().retries, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_query_runs_on_both_databases_and_a_handle_of_the_other_one_says_so() {
    let (_server, postgres) = open(|_| {}).await;
    let sqlite: Db = Db::connect(&Config::new("sqlite::memory:")).await.unwrap();
    #[derive(Debug, PartialEq, sqlx::FromRow)]
    struct Row {
        id: i64,
        name: Option<String>,
        price: f64,
        sold: i64,
    }
    for db in [&postgres, &sqlite] {
        let table =
            "create table item (id bigint primary key, name text, price double precision, sold bigint)";
        sqlx::query(table).execute(db.write()).await.unwrap();
        let insert = sqlx::query("insert into item values ($1, $2, $3, $4), ($5, null, 0.0, 0)");
        let inserted =
            insert.bind(1i64).bind("a").bind(1.5).bind(1i64).bind(2i64).execute(db.write()).await.unwrap();
        assert_eq!(inserted.rows_affected(), 2);
        let rows: Vec<Row> =
            sqlx::query_as("select * from item order by id").fetch_all(db.read()).await.unwrap();
        assert_eq!(
            rows,
            [
                Row { id: 1, name: Some("a".to_owned()), price: 1.5, sold: 1 },
                Row { id: 2, name: None, price: 0.0, sold: 0 },
            ]
        );
        use futures::TryStreamExt;
        let streamed: Vec<i64> = sqlx::query_scalar::<_, i64>("select id from item order by id")
            .fetch(db.read())
            .try_collect()
            .await
            .unwrap();
        assert_eq!(streamed, [1, 2]);
        let mut tx = db.tx().await.unwrap();
        sqlx::query("delete from item where id = $1").bind(2i64).execute(&mut tx).await.unwrap();
        drop(tx);
        let count: i64 = sqlx::query_scalar("select count(*) from item").fetch_one(db.write()).await.unwrap();
        assert_eq!(count, 2, "a transaction that is dropped is rolled back");
    }
    let typed = postgres.typed::<sqlx::Postgres>().unwrap();
    let now: (Vec<i32>,) = sqlx::query_as("select array[1, 2]").fetch_one(typed.read()).await.unwrap();
    assert_eq!(now.0, [1, 2], "types that only PostgreSQL has");
    assert!(matches!(sqlite.typed::<sqlx::Postgres>(), Err(Error::View { is: "SQLite", .. })));
}
