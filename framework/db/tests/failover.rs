//! Silent servers, and histories that fork: what must never be waited for, written to or read from.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{cluster, get, set, usable, wait_for, with};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tropos_db::{Error, cause, sqlx};
use tropos_parts::PostgresClusterOptions;

#[tokio::test(flavor = "multi_thread")]
async fn no_part_of_a_transaction_waits_for_a_frozen_primary() {
    let (cluster, db) = cluster().await;
    set(&db, "a", "1").await.unwrap();
    let update = "update kv set value = '2' where key = 'a'";
    let mut begun = db.tx().await.unwrap();
    let mut written = db.tx().await.unwrap();
    sqlx::query("insert into kv values ('b', '1')").execute(&mut written).await.unwrap();
    let rolled_back = db.tx().await.unwrap();
    // So that there are idle connections to begin on.
    tokio::join!(async { set(&db, "c", "1").await.unwrap() }, async { set(&db, "d", "1").await.unwrap() });
    cluster.primary().freeze().await.unwrap();
    let began = Instant::now();
    let begin = async { db.tx().await.map(drop) };
    let statement = async { sqlx::query(update).execute(&mut begun).await.map(drop) };
    let all = tokio::join!(begin, statement, written.commit(), rolled_back.rollback(), set(&db, "a", "3"));
    let waited = began.elapsed();
    for ended in [all.0, all.1, all.2, all.3, all.4] {
        let error = ended.unwrap_err();
        assert!(matches!(cause(&error), Some(Error::Unavailable { .. } | Error::Hung { .. })), "{error}");
    }
    assert!(waited < Duration::from_secs(8), "{waited:?}");
    drop(begun);
    cluster.primary().thaw().await.unwrap();
    common::set_at_last(&db, "a", "4").await;
    // And no connection is lost to the pool.
    let writes = (0..30).map(|number| {
        let db = db.clone();
        tokio::spawn(async move { set(&db, "a", &number.to_string()).await })
    });
    for write in writes.collect::<Vec<_>>() {
        write.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_fell_silent_gets_other_pools_when_it_is_heard_again() {
    let server = tropos_parts::Postgres::start().await.unwrap();
    let proxy = tropos_parts::FaultProxy::start(server.address()).await.unwrap();
    let config = tropos_db::Config::new(server.url_through(&proxy, "postgres"));
    let db = tropos_db::Db::connect(&config).await.unwrap();
    sqlx::query("select 1").execute(db.read()).await.unwrap();
    let connections = || db.stats().pools.iter().map(|pool| pool.used + pool.idle).sum::<u32>();
    wait_for("the connection to be given back", || connections() == 1).await;
    proxy.blackhole();
    let is_up = || db.stats().servers.iter().all(|server| server.up);
    wait_for("the silence to be noticed", || !is_up()).await;
    proxy.heal();
    wait_for("it to be heard again", is_up).await;
    // The same process, and the connection still stands; but what the silence has kept from the pool never would.
    assert_eq!(connections(), 0);
    sqlx::query("select 1").execute(db.read()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_former_primary_is_not_written_to_though_the_promoted_one_is_away() {
    let (cluster, db) = cluster().await;
    set(&db, "a", "1").await.unwrap();
    cluster.wait_until_caught_up(0).await.unwrap();
    cluster.primary().kill().await.unwrap();
    cluster.promote(0).await.unwrap();
    common::set_at_last(&db, "a", "2").await;
    cluster.primary().restart().await.unwrap();
    let primaries =
        || db.stats().servers.iter().filter(|server| server.role == "primary" && server.up).count();
    wait_for("the former primary to be seen", || primaries() == 2).await;
    cluster.replica(0).kill().await.unwrap();
    wait_for("the promoted one to be missed", || primaries() == 1).await;
    for _ in 0..20 {
        let error = set(&db, "a", "3").await.unwrap_err();
        assert!(error.to_string().contains("another was promoted over"), "{error}");
        sleep(Duration::from_millis(20)).await;
    }
    let value = cluster.primary().psql("postgres", "select value from kv where key = 'a'").await.unwrap();
    assert_eq!(value, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_has_replayed_what_the_promoted_one_never_had_is_left_out() {
    let (cluster, db) = with(PostgresClusterOptions::new(2), |mut config| {
        config.replicas.most_lag = Duration::from_secs(120);
        config
    })
    .await;
    set(&db, "a", "kept").await.unwrap();
    for replica in 0..2 {
        cluster.wait_until_caught_up(replica).await.unwrap();
    }
    // The first does not hear of this write any more, the second does.
    cluster.replica(0).kill().await.unwrap();
    set(&db, "a", "lost").await.unwrap();
    cluster.wait_until_caught_up(1).await.unwrap();
    wait_for("the second to be seen so far", || usable(&db).len() == 1).await;
    sleep(Duration::from_millis(600)).await;
    cluster.primary().kill().await.unwrap();
    cluster.replica(0).restart().await.unwrap();
    cluster.promote(0).await.unwrap();
    common::set_at_last(&db, "b", "new").await;
    wait_for("the second to be left out", || usable(&db).is_empty()).await;
    for _ in 0..100 {
        assert_eq!(get(&db, "a").await.unwrap().as_deref(), Some("kept"));
        set(&db, "b", &"x".repeat(10_000)).await.unwrap();
    }
    assert!(usable(&db).is_empty(), "also once the log of the new primary is longer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_with_more_values_than_the_protocol_counts_is_nobodys_fault() {
    let (_cluster, db) = cluster().await;
    let values = 70_000;
    let list = (1..=values).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ");
    let sql = format!("select key from kv where key in ({list})");
    let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
    for number in 0..values {
        query = query.bind(number.to_string());
    }
    assert!(query.fetch_all(db.read()).await.is_err());
    assert_eq!((usable(&db).len(), db.stats().retries), (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_start_nobody_reads_from_a_replica_that_lacks_what_it_brought() {
    let delay = Duration::from_secs(3);
    let options = PostgresClusterOptions::new(2).apply_delay(0, delay).apply_delay(1, delay);
    let (_cluster, db) = with(options, |config| config).await;
    sqlx::query("create table brought (by text)").execute(db.write()).await.unwrap();
    let read = || async { sqlx::query("select by from brought").fetch_all(db.read()).await };
    assert!(read().await.is_err(), "replicas do not know it yet");
    db.settle().await.unwrap();
    for _ in 0..20 {
        read().await.unwrap();
    }
}
