//! A primary and two streaming replicas: who answers, and what happens when one of them does not.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{MINUTE, cluster, connect, get, on_replica, set, took, usable, wait_for, with};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::{Instant, sleep};
use tropos_db::{Db, Error, cause, sqlx};
use tropos_parts::{FaultProxy, PostgresClusterOptions};

/// Reads all the time from four tasks; how many reads there were, and those that failed.
struct Load {
    stop: Arc<AtomicBool>,
    reads: Arc<AtomicU64>,
    tasks: Vec<tokio::task::JoinHandle<Vec<String>>>,
}

impl Load {
    fn start(db: &Db) -> Self {
        let (stop, reads) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let tasks = (0..4).map(|_| {
            let (db, stop, reads) = (db.clone(), stop.clone(), reads.clone());
            tokio::spawn(async move {
                let mut failures = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    match get(&db, "a").await {
                        Ok(_) => reads.fetch_add(1, Ordering::Relaxed),
                        Err(error) => {
                            failures.push(error.to_string());
                            0
                        }
                    };
                    tokio::task::yield_now().await;
                }
                failures
            })
        });
        let tasks = tasks.collect();
        Self { stop, reads, tasks }
    }

    async fn end(self) -> (u64, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        let mut failures = Vec::new();
        for task in self.tasks {
            failures.extend(task.await.unwrap());
        }
        (self.reads.load(Ordering::Relaxed), failures)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_are_spread_over_the_replicas_and_writes_go_to_the_primary() {
    let (cluster, db) = cluster().await;
    set(&db, "a", "1").await.unwrap();
    for replica in 0..2 {
        cluster.wait_until_caught_up(replica).await.unwrap();
    }
    let mut ports = std::collections::BTreeMap::new();
    for _ in 0..40 {
        let port: i32 =
            sqlx::query_scalar("select current_setting('port')::int").fetch_one(db.read()).await.unwrap();
        *ports.entry(port).or_insert(0) += 1;
    }
    assert_eq!(ports.len(), 2, "{ports:?}");
    assert!(!ports.contains_key(&i32::from(cluster.primary().address().port())), "{ports:?}");
    assert_eq!(db.stats().primary_reads, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_through_the_reading_handle_fails_in_the_database_and_says_which_handle_to_use() {
    let (cluster, db) = cluster().await;
    let insert = "insert into kv values ('a', '1')";
    let on_replica = sqlx::query(insert).execute(db.read()).await.unwrap_err();
    let alone = Db::connect(&tropos_db::Config::new(cluster.primary().url("postgres"))).await.unwrap();
    let on_primary = sqlx::query(insert).execute(alone.read()).await.unwrap_err();
    let mut tx = alone.read_tx().await.unwrap();
    let in_tx = sqlx::query(insert).execute(&mut tx).await.unwrap_err();
    for (error, advice) in [
        (on_replica, "use `db.write()` or `db.tx()`"),
        (on_primary, "use `db.write()` or `db.tx()`"),
        (in_tx, "use `db.tx()`"),
    ] {
        assert!(error.to_string().contains(advice), "{error}");
        let code = error.as_database_error().and_then(|error| error.code().map(|code| code.into_owned()));
        assert_eq!(code.as_deref(), Some("25006"));
    }
    assert_eq!(get(&db, "a").await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_is_killed_or_frozen_under_load_costs_no_read() {
    let (cluster, db) = cluster().await;
    set(&db, "a", "1").await.unwrap();
    let load = Load::start(&db);
    sleep(Duration::from_millis(300)).await;
    cluster.replica(0).kill().await.unwrap();
    wait_for("the killed one to be left out", || usable(&db).len() == 1).await;
    sleep(Duration::from_millis(300)).await;
    cluster.replica(0).restart().await.unwrap();
    wait_for("the killed one to be back", || usable(&db).len() == 2).await;
    cluster.replica(1).freeze().await.unwrap();
    wait_for("the frozen one to be left out", || usable(&db).len() == 1).await;
    sleep(Duration::from_millis(300)).await;
    cluster.replica(1).thaw().await.unwrap();
    wait_for("the frozen one to be back", || usable(&db).len() == 2).await;
    let (reads, failures) = load.end().await;
    assert!(failures.is_empty() && reads > 100, "{reads} reads; {failures:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_open_connection_to_a_replica_costs_no_read() {
    let cluster = PostgresClusterOptions::new(2).start().await.unwrap();
    cluster.primary().psql("postgres", "create table kv (key text primary key, value text)").await.unwrap();
    cluster.wait_until_caught_up(0).await.unwrap();
    let proxy = FaultProxy::start(cluster.replica(0).address()).await.unwrap();
    let url = cluster.replica(0).url_through(&proxy, "postgres");
    let mut config = tropos_db::Config::new(cluster.primary().url("postgres")).replicas([url]);
    config.replicas.most_lag = MINUTE;
    let db: Db = Db::connect(&config).await.unwrap();
    wait_for("the replica", || usable(&db).len() == 1).await;
    let load = Load::start(&db);
    sleep(Duration::from_millis(200)).await;
    proxy.blackhole();
    wait_for("the silent one to be left out", || usable(&db).is_empty()).await;
    sleep(Duration::from_millis(300)).await;
    proxy.heal();
    wait_for("it to be back", || usable(&db).len() == 1).await;
    let (reads, failures) = load.end().await;
    assert!(failures.is_empty() && reads > 100, "{reads} reads; {failures:?}");
    assert!(db.stats().primary_reads > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_primary_stopped_replicas_answer_writes_fail_quickly_and_all_is_well_after_its_return() {
    // A write that waited for a connection or for an answer would wait for a minute.
    let (cluster, db) = with(PostgresClusterOptions::new(2), |mut config| {
        config.pool.wait = MINUTE;
        config.pool.statement = MINUTE;
        config
    })
    .await;
    set(&db, "a", "1").await.unwrap();
    for replica in 0..2 {
        cluster.wait_until_caught_up(replica).await.unwrap();
    }
    let load = Load::start(&db);
    cluster.primary().kill().await.unwrap();
    wait_for("the primary to be seen down", || !db.stats().servers.iter().any(is_primary)).await;
    let began = Instant::now();
    let error = set(&db, "a", "2").await.unwrap_err();
    took("a write fails", Duration::from_secs(2), began.elapsed());
    assert!(matches!(cause(&error), Some(Error::Unavailable { .. })), "{error}");
    assert!(error.to_string().contains("primary"), "{error}");
    // Nobody falls behind a primary that is away: lag is not what passes meanwhile.
    let lags = || usable(&db).iter().map(|replica| replica.lag).collect::<Vec<_>>();
    let before = lags();
    sleep(Duration::from_secs(3)).await;
    assert_eq!(lags(), before);
    assert_eq!(before.len(), 2);
    cluster.primary().restart().await.unwrap();
    let back = common::set_at_last(&db, "a", "2").await;
    took("writes after the primary's return", Duration::from_secs(2), back);
    let (reads, failures) = load.end().await;
    assert!(failures.is_empty() && reads > 100, "{reads} reads; {failures:?}");
}

fn is_primary(server: &tropos_db::ServerStats) -> bool {
    server.role == "primary" && server.up
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promoted_replica_is_written_to_without_a_restart_and_the_former_primary_never_again() {
    let (cluster, db) = cluster().await;
    set(&db, "a", "1").await.unwrap();
    cluster.wait_until_caught_up(0).await.unwrap();
    cluster.primary().kill().await.unwrap();
    cluster.promote(0).await.unwrap();
    let promoted = common::set_at_last(&db, "a", "2").await;
    took("writes after the promotion", Duration::from_secs(2), promoted);
    // The former primary comes back, unaware.
    cluster.primary().restart().await.unwrap();
    wait_for("the former primary to be seen", || {
        db.stats().servers.iter().filter(|server| is_primary(server)).count() == 2
    })
    .await;
    for value in 3..20 {
        set(&db, "a", &value.to_string()).await.unwrap();
    }
    let value = cluster.replica(0).psql("postgres", "select value from kv where key = 'a'").await.unwrap();
    assert_eq!(value, "19");
    let value = cluster.primary().psql("postgres", "select value from kv where key = 'a'").await.unwrap();
    assert_eq!(value, "1", "nothing was written to it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_lags_too_far_is_left_out_until_it_has_caught_up() {
    let (cluster, db) = with(PostgresClusterOptions::new(2), |mut config| {
        config.replicas.most_lag = Duration::from_secs(1);
        config
    })
    .await;
    cluster.pause_replay(0).await.unwrap();
    let address = format!("{}/postgres", cluster.replica(0).address());
    let paused = || db.stats().servers.into_iter().find(|server| server.address == address).unwrap();
    let (limit, other) =
        (Duration::from_secs(1), || usable(&db).iter().any(|server| server.address != address));
    // Lag is there only where something was written.
    let writing = async {
        for number in 0.. {
            set(&db, "a", &number.to_string()).await.unwrap();
            sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        () = writing => {}
        _ = wait_for("the paused one to be left out for its lag", || {
            let paused = paused();
            !paused.usable && paused.lag.time > limit && other()
        }) => {}
    }
    assert!(paused().lag.bytes > 0, "{:?}", paused().lag);
    cluster.resume_replay(0).await.unwrap();
    wait_for("it to be back", || usable(&db).len() == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_replicas_the_primary_answers_or_reads_fail_as_the_policy_says() {
    let (cluster, db) = cluster().await;
    let strict = connect(&cluster, |mut config| {
        config.replicas.without = tropos_db::WithoutReplicas::Fail;
        config
    })
    .await;
    set(&db, "a", "1").await.unwrap();
    for replica in 0..2 {
        cluster.replica(replica).kill().await.unwrap();
    }
    wait_for("both to be left out", || usable(&db).is_empty() && usable(&strict).is_empty()).await;
    assert_eq!(get(&db, "a").await.unwrap().as_deref(), Some("1"));
    assert!(!on_replica(&db).await);
    let error = get(&strict, "a").await.unwrap_err();
    assert!(error.to_string().contains("replica"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_transaction_sees_one_moment() {
    let (cluster, db) = cluster().await;
    set(&db, "a", "1").await.unwrap();
    for replica in 0..2 {
        cluster.wait_until_caught_up(replica).await.unwrap();
    }
    let mut tx = db.read_tx().await.unwrap();
    let sql = "select value from kv where key = 'a'";
    let (before,): (String,) = sqlx::query_as(sql).fetch_one(&mut tx).await.unwrap();
    set(&db, "a", "2").await.unwrap();
    for replica in 0..2 {
        cluster.wait_until_caught_up(replica).await.unwrap();
    }
    let (after,): (String,) = sqlx::query_as(sql).fetch_one(&mut tx).await.unwrap();
    assert_eq!((before.as_str(), after.as_str()), ("1", "1"));
    tx.commit().await.unwrap();
    assert_eq!(get(&db, "a").await.unwrap().as_deref(), Some("2"));
}
