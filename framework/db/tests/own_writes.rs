//! Who has written reads it, and no page is made from a replica that has not seen what made it necessary: guarantee 9.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{cluster, get, on_replica, set, with};
use std::{sync::Arc, time::Duration};
use tropos_cache::{Engine, Purpose, Scope, Strength, revalidate};
use tropos_core::SystemClock;
use tropos_db::{Db, sqlx};
use tropos_parts::PostgresClusterOptions;

async fn engine(db: &Db) -> Engine {
    let engine = Engine::in_memory(Arc::new(SystemClock::new()));
    engine.follow_log(Arc::new(db.clone())).await;
    engine
}

/// Both replicas two seconds behind.
async fn behind() -> (tropos_parts::PostgresCluster, Db) {
    let delay = Duration::from_secs(2);
    let options = PostgresClusterOptions::new(2).apply_delay(0, delay).apply_delay(1, delay);
    with(options, |config| config).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_reads_their_own_writes_a_thousand_times_with_replicas_two_seconds_behind() {
    let (_cluster, db) = behind().await;
    let engine = engine(&db).await;
    let visitors = (0..20).map(|visitor| {
        let (db, engine) = (db.clone(), engine.clone());
        tokio::spawn(async move {
            let mut stale = 0;
            for round in 0..50 {
                let key = format!("visitor-{visitor}");
                let value = round.to_string();
                let action = Scope::new(&engine, Purpose::Action);
                action.run(set(&db, &key, &value)).await.unwrap();
                assert_eq!(
                    action.run(get(&db, &key)).await.unwrap(),
                    Some(value.clone()),
                    "in the same request"
                );
                let cookie = db.positions_after(&action.take_written()).await;
                let next = Scope::new(&engine, Purpose::Once);
                next.has_seen(&cookie);
                stale += u32::from(next.run(get(&db, &key)).await.unwrap() != Some(value));
            }
            stale
        })
    });
    let mut stale = 0;
    for visitor in visitors.collect::<Vec<_>>() {
        stale += visitor.await.unwrap();
    }
    assert_eq!(stale, 0);
    // Somebody else is served by replicas, as late as they are.
    let other = Scope::new(&engine, Purpose::Once);
    assert!(other.run(on_replica(&db)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_has_caught_up_answers_the_writer_too() {
    let (cluster, db) = cluster().await;
    let engine = engine(&db).await;
    let action = Scope::new(&engine, Purpose::Action);
    action.run(set(&db, "a", "1")).await.unwrap();
    let cookie = db.positions_after(&action.take_written()).await;
    for replica in 0..2 {
        cluster.wait_until_caught_up(replica).await.unwrap();
    }
    let next = Scope::new(&engine, Purpose::Once);
    next.has_seen(&cookie);
    assert!(next.run(on_replica(&db)).await);
    assert_eq!(next.run(get(&db, "a")).await.unwrap().as_deref(), Some("1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn g9_a_page_made_after_an_invalidation_is_not_read_from_a_replica_behind_the_write() {
    let (cluster, db) = cluster().await;
    set(&db, "a", "old").await.unwrap();
    for replica in 0..2 {
        cluster.wait_until_caught_up(replica).await.unwrap();
    }
    let engine = engine(&db).await;
    let before = Scope::new(&engine, Purpose::Stored);
    assert!(before.run(on_replica(&db)).await, "nothing was invalidated yet");
    for replica in 0..2 {
        cluster.pause_replay(replica).await.unwrap();
    }
    // Written by anybody, through anything; invalidated through the engine.
    cluster.primary().psql("postgres", "update kv set value = 'new' where key = 'a'").await.unwrap();
    engine.invalidate(&["a".into()], Strength::Hard).await.unwrap();
    let page = Scope::new(&engine, Purpose::Stored);
    assert_eq!(page.run(get(&db, "a")).await.unwrap().as_deref(), Some("new"));
    let visitor = Scope::new(&engine, Purpose::Once);
    assert_eq!(
        visitor.run(get(&db, "a")).await.unwrap().as_deref(),
        Some("old"),
        "replicas serve who need not know"
    );
    for replica in 0..2 {
        cluster.resume_replay(replica).await.unwrap();
        cluster.wait_until_caught_up(replica).await.unwrap();
    }
    let later = Scope::new(&engine, Purpose::Stored);
    assert!(later.run(on_replica(&db)).await, "once they have replayed it, replicas make pages again");
}

#[tokio::test(flavor = "multi_thread")]
async fn g9_an_invalidation_fails_while_no_primary_says_where_its_log_stands() {
    let (cluster, db) = cluster().await;
    let engine = engine(&db).await;
    cluster.primary().kill().await.unwrap();
    let error = engine.invalidate(&["a".into()], Strength::Hard).await.unwrap_err();
    assert!(error.to_string().contains("try again"), "{error}");
    cluster.primary().restart().await.unwrap();
    common::wait_for("the primary", || {
        db.stats().servers.iter().any(|server| server.role == "primary" && server.up)
    })
    .await;
    engine.invalidate(&["a".into()], Strength::Hard).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn g11_an_invalidation_in_a_transaction_takes_effect_after_the_commit_and_not_after_a_roll_back() {
    let (_cluster, db) = cluster().await;
    let engine = engine(&db).await;
    let update = "insert into kv values ('a', $1) on conflict (key) do update set value = excluded.value";
    for (commit, expected) in [(false, 0), (true, 1)] {
        let before = engine.tags().current().sequence;
        let action = Scope::new(&engine, Purpose::Action);
        action
            .run(async {
                let mut tx = db.tx().await.unwrap();
                sqlx::query(update).bind(commit.to_string()).execute(&mut tx).await.unwrap();
                revalidate::tag("a").await.unwrap();
                assert_eq!(engine.tags().current().sequence, before, "not before the end");
                match commit {
                    true => tx.commit().await.unwrap(),
                    false => tx.rollback().await.unwrap(),
                }
            })
            .await;
        assert_eq!(engine.tags().current().sequence - before, expected, "committed: {commit}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn g11_a_commit_after_a_failed_statement_is_an_error_and_invalidates_nothing() {
    let (_cluster, db) = cluster().await;
    let engine = engine(&db).await;
    let action = Scope::new(&engine, Purpose::Action);
    let before = engine.tags().current().sequence;
    let insert = "insert into kv values ('a', '1')";
    action
        .run(async {
            let mut tx = db.tx().await.unwrap();
            sqlx::query(insert).execute(&mut tx).await.unwrap();
            revalidate::tag("a").await.unwrap();
            sqlx::query(insert).execute(&mut tx).await.unwrap_err();
            // PostgreSQL would answer this commit with a roll-back, and without an error.
            let error = tx.commit().await.unwrap_err();
            assert!(matches!(tropos_db::cause(&error), Some(tropos_db::Error::Aborted)), "{error}");
            // A savepoint saves it.
            let mut tx = db.tx().await.unwrap();
            sqlx::query(insert).execute(&mut tx).await.unwrap();
            sqlx::query("savepoint before").execute(&mut tx).await.unwrap();
            sqlx::query(insert).execute(&mut tx).await.unwrap_err();
            sqlx::query("rollback to savepoint before").execute(&mut tx).await.unwrap();
            tx.commit().await.unwrap();
        })
        .await;
    assert_eq!(engine.tags().current().sequence, before);
    assert_eq!(action.run(get(&db, "a")).await.unwrap().as_deref(), Some("1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn g9_a_replica_that_crashed_and_knows_less_than_before_is_not_taken_for_what_it_was() {
    let (cluster, db) = cluster().await;
    let engine = engine(&db).await;
    cluster.replica(1).kill().await.unwrap();
    common::wait_for("one replica", || common::usable(&db).len() == 1).await;
    let mut seen = tropos_core::Positions::default();
    for round in 0..6 {
        let value = format!("round {round} {}", "x".repeat(20_000));
        let action = Scope::new(&engine, Purpose::Action);
        action.run(set(&db, "a", &value)).await.unwrap();
        seen = db.positions_after(&action.take_written()).await;
        cluster.wait_until_caught_up(0).await.unwrap();
        let visitor = Scope::new(&engine, Purpose::Once);
        visitor.has_seen(&seen);
        assert_eq!(visitor.run(get(&db, "a")).await.unwrap().as_deref(), Some(value.as_str()));
        // One of its processes dies, so all of them begin anew from the last restart point, without a new start time.
        let pid = "select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid() limit 1";
        let pid = cluster.replica(0).psql("postgres", pid).await.unwrap();
        assert!(std::process::Command::new("kill").args(["-9", &pid]).status().unwrap().success());
        for _ in 0..300 {
            let visitor = Scope::new(&engine, Purpose::Once);
            visitor.has_seen(&seen);
            let read = visitor.run(get(&db, "a")).await.unwrap();
            assert_eq!(read.as_deref(), Some(value.as_str()), "round {round}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    assert!(!seen.is_empty());
}
