//! PostgreSQL with streaming replicas: lag, pause, promotion, and who follows whom.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};
use tropos_parts::{Error, PATIENCE, Postgres, PostgresCluster, PostgresClusterOptions};

async fn ask(postgres: &Postgres, sql: &str) -> String {
    postgres.psql("postgres", sql).await.unwrap()
}

async fn rows(postgres: &Postgres) -> String {
    ask(postgres, "select count(*) from t").await
}

#[tokio::test]
async fn replicas_have_what_the_primary_wrote_and_take_no_writes() {
    let cluster = PostgresCluster::start(2).await.unwrap();
    ask(cluster.primary(), "create table t (a int); insert into t values (1)").await;
    let identifier = "select system_identifier from pg_control_system()";
    let own = ask(cluster.primary(), identifier).await;
    for replica in 0..2 {
        cluster.wait_until_caught_up(replica).await.unwrap();
        assert_eq!(rows(cluster.replica(replica)).await, "1");
        assert_eq!(ask(cluster.replica(replica), "select pg_is_in_recovery()").await, "t");
        assert_eq!(ask(cluster.replica(replica), identifier).await, own, "one cluster, one identifier");
        let refused =
            cluster.replica(replica).psql("postgres", "insert into t values (2)").await.unwrap_err();
        assert!(refused.to_string().contains("read-only transaction"), "{refused}");
    }
    assert_eq!(ask(cluster.primary(), "select pg_is_in_recovery()").await, "f");
    assert_eq!(
        ask(cluster.primary(), "select application_name from pg_stat_replication order by 1").await,
        "replica0\nreplica1"
    );
}

#[tokio::test]
async fn a_replica_whose_replay_is_paused_stays_where_it_is_until_it_goes_on() {
    let cluster = PostgresCluster::start(2).await.unwrap();
    ask(cluster.primary(), "create table t (a int)").await;
    cluster.wait_until_caught_up(0).await.unwrap();
    cluster.pause_replay(0).await.unwrap();
    let before = cluster.replay_lsn(0).await.unwrap();
    ask(cluster.primary(), "insert into t values (1)").await;
    cluster.wait_until_caught_up(1).await.unwrap();
    let written = cluster.current_lsn().await.unwrap();
    assert!(cluster.replay_lsn(1).await.unwrap() >= written && written > before);
    assert_eq!(cluster.replay_lsn(0).await.unwrap(), before);
    assert_eq!((rows(cluster.replica(0)).await, rows(cluster.replica(1)).await), ("0".into(), "1".into()));
    // A long way behind, and away for a while: its place is kept.
    cluster.replica(0).kill().await.unwrap();
    ask(cluster.primary(), "insert into t select generate_series(2, 10000); checkpoint").await;
    cluster.replica(0).restart().await.unwrap();
    cluster.wait_until_caught_up(0).await.unwrap();
    assert_eq!(rows(cluster.replica(0)).await, "10000", "a restart ends the pause");
    cluster.pause_replay(0).await.unwrap();
    ask(cluster.primary(), "delete from t").await;
    cluster.resume_replay(0).await.unwrap();
    cluster.wait_until_caught_up(0).await.unwrap();
    assert_eq!(rows(cluster.replica(0)).await, "0");
}

#[tokio::test]
async fn a_delayed_replica_sees_a_commit_that_much_later() {
    let long = Duration::from_secs(3600);
    let cluster = PostgresClusterOptions::new(2).apply_delay(1, long).start().await.unwrap();
    ask(cluster.primary(), "create table t (a int)").await;
    let written = cluster.current_lsn().await.unwrap();
    cluster.wait_until_caught_up(0).await.unwrap();
    assert!(cluster.replay_lsn(1).await.unwrap() < written);
    cluster.set_apply_delay(1, Duration::ZERO).await.unwrap();
    cluster.wait_until_caught_up(1).await.unwrap();
    assert_eq!(rows(cluster.replica(1)).await, "0");

    let delay = Duration::from_millis(600);
    cluster.set_apply_delay(1, delay).await.unwrap();
    #[expect(clippy::disallowed_methods, reason = "the server does not know the clock of the test")]
    let began = Instant::now();
    ask(cluster.primary(), "insert into t values (1)").await;
    cluster.wait_until_caught_up(1).await.unwrap();
    assert!(began.elapsed() >= delay, "{:?}", began.elapsed());
    assert_eq!(rows(cluster.replica(1)).await, "1");
}

#[tokio::test]
async fn a_promoted_replica_takes_writes_and_the_others_follow_it() {
    let cluster = PostgresCluster::start(2).await.unwrap();
    ask(cluster.primary(), "create table t (a int); insert into t values (1)").await;
    for replica in 0..2 {
        cluster.wait_until_caught_up(replica).await.unwrap();
    }
    cluster.primary().kill().await.unwrap();
    cluster.promote(0).await.unwrap();
    ask(cluster.replica(0), "insert into t values (2)").await;
    assert_eq!(rows(cluster.replica(1)).await, "1", "it still looks for the old one");
    cluster.follow(1, 0).await.unwrap();
    cluster.wait_until_caught_up(1).await.unwrap();
    assert_eq!(rows(cluster.replica(1)).await, "2");
    assert!(cluster.replay_lsn(1).await.unwrap() >= cluster.replica(0).lsn().await.unwrap());

    cluster.rejoin(0).await.unwrap();
    assert_eq!(ask(cluster.primary(), "select pg_is_in_recovery(), count(*) from t").await, "t|2");
    assert_eq!(
        ask(cluster.replica(0), "select application_name from pg_stat_replication order by 1").await,
        "primary\nreplica1"
    );
}

#[tokio::test]
async fn a_paused_and_delayed_replica_is_promoted_with_all_that_it_received() {
    let cluster =
        PostgresClusterOptions::new(1).apply_delay(0, Duration::from_secs(3600)).start().await.unwrap();
    ask(cluster.primary(), "create table t (a int)").await;
    let written = cluster.current_lsn().await.unwrap();
    let has_received = format!("select pg_last_wal_receive_lsn() - '0/0' >= {written}");
    let receives = async { while ask(cluster.replica(0), &has_received).await != "t" {} };
    tokio::time::timeout(PATIENCE, receives).await.unwrap();
    cluster.primary().kill().await.unwrap();
    cluster.promote(0).await.unwrap();
    assert_eq!(rows(cluster.replica(0)).await, "0");
    ask(cluster.replica(0), "insert into t values (1)").await;
}

#[tokio::test]
async fn a_replica_outlives_a_primary_that_is_stopped_and_goes_on_when_that_is_back() {
    let cluster = PostgresCluster::start(1).await.unwrap();
    ask(cluster.primary(), "create table t (a int)").await;
    cluster.wait_until_caught_up(0).await.unwrap();
    cluster.primary().stop().await.unwrap();
    assert_eq!(rows(cluster.replica(0)).await, "0");
    assert!(matches!(cluster.wait_until_caught_up(0).await, Err(Error::Refused { .. })));
    cluster.primary().restart().await.unwrap();
    ask(cluster.primary(), "insert into t values (1)").await;
    cluster.wait_until_caught_up(0).await.unwrap();
    assert_eq!(rows(cluster.replica(0)).await, "1");
}
