//! Positions between instances that share a real Redis: guarantee 9.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{WriteLog, instance, required, until};
use std::{sync::Arc, time::Duration};
use tropos_cache::{
    Engine, Purpose, RedisStore, Required, Scope, Strength,
    store::shared::{Changes, Known, Renewal, SharedStore},
};
use tropos_core::{MOST_SHARDS, Positions};
use tropos_parts::{FaultProxy, Redis, RedisCluster};

/// An instance with a database, whose log stands at 1.
async fn with_log(url: &str) -> (Engine, Arc<WriteLog>) {
    let (engine, log) = (instance(url).await, WriteLog::at(1));
    engine.follow_log(log.clone()).await;
    (engine, log)
}

async fn invalidate(engine: &Engine) {
    engine.invalidate(&["t".into()], Strength::Hard).await.unwrap();
}

/// Each round another instance invalidates, whose log alone stands higher: the others can only know it from that one.
async fn every_floor_is_raised_before_the_return(urls: &[&str], rounds: u64) {
    let mut instances = Vec::new();
    for url in urls {
        instances.push(with_log(url).await);
    }
    for round in 2..rounds + 2 {
        let (engine, log) = &instances[usize::try_from(round).unwrap() % instances.len()];
        log.write(round);
        invalidate(engine).await;
        for (engine, _) in &instances {
            assert_eq!(required(engine), Required::Position(round));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn g9_an_invalidation_has_raised_the_floor_of_every_instance_when_it_returns() {
    let redis = Redis::start().await.unwrap();
    let proxy = FaultProxy::start(redis.address()).await.unwrap();
    proxy.delay(Duration::from_millis(20)); // one hears of it late
    let (near, far) = (redis.url(), redis.url_through(&proxy));
    every_floor_is_raised_before_the_return(&[&near, &near, &far], 30).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g9_holds_on_a_cluster_of_three_nodes() {
    let cluster = RedisCluster::start().await.unwrap();
    every_floor_is_raised_before_the_return(&[&cluster.url(), &cluster.url()], 10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g9_the_store_keeps_the_highest_position_of_each_shard() {
    let redis = Redis::start().await.unwrap();
    let store = RedisStore::open(&redis.url()).unwrap();
    let known = async || match store.renew(Known::default(), Duration::from_secs(1)).await.unwrap() {
        Renewal::Continued(Changes { positions, .. }) => positions,
        Renewal::Broken => panic!("nothing was known"),
    };
    let mut expected = Positions::default();
    // Digits that are letters in some languages, halves that differ, and more bits than a double has.
    for (shard, position) in [
        (0, 0xdd_0000_0000),
        (0, 0xde_0000_0000),
        (0, 0xdd_ffff_ffff),
        (0, 0xde_0000_0001),
        (1, 0x1_0000_0000),
        (1, 0xffff_ffff),
        (2, u64::MAX - 1),
        (2, u64::MAX),
        (2, 1),
        (3, (1 << 53) + 1),
        (3, 1 << 53),
    ] {
        let carried = [(shard, position)].into_iter().collect();
        store.invalidate(&["t".into()], Strength::Hard, &carried).await.unwrap();
        expected.merge(&carried);
        assert_eq!(known().await, expected, "{shard}: {position:x}");
    }
    let all: Positions = (0u16..).take(MOST_SHARDS).map(|shard| (shard, u64::MAX)).collect();
    store.invalidate(&[], Strength::Soft, &all).await.unwrap();
    assert_eq!(known().await, all);
    store.invalidate(&["a".into(), "b".into()], Strength::Soft, &Positions::default()).await.unwrap();
    assert_eq!(known().await, all, "an invalidation that knows of no log lowers nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn g9_an_instance_that_starts_late_requires_what_was_carried_before() {
    let redis = Redis::start().await.unwrap();
    let (first, log) = with_log(&redis.url()).await;
    log.write(70);
    invalidate(&first).await;
    let (second, _log) = with_log(&redis.url()).await;
    assert_eq!(required(&second), Required::Position(70));
    // One without a database passes on what it does not need.
    let third = instance(&redis.url()).await;
    assert_eq!(required(&third), Required::Position(70));
    invalidate(&third).await;
    assert_eq!(required(&second), Required::Position(70));
}

#[tokio::test(flavor = "multi_thread")]
async fn g9_when_the_store_is_emptied_the_log_is_asked_before_replicas_are_read_again() {
    let redis = Redis::start().await.unwrap();
    let (one, log) = with_log(&redis.url()).await;
    let (other, other_log) = with_log(&redis.url()).await;
    log.write(70);
    invalidate(&one).await;
    other_log.fail(true);
    redis.cli(["FLUSHALL"]).await.unwrap();
    until("the doubt", async || required(&other) == Required::Primary).await;
    assert_eq!(Scope::new(&other, Purpose::Live).requires(0), Required::Primary);
    other_log.write(80);
    other_log.fail(false);
    until("the answer of the log", async || required(&other) == Required::Position(80)).await;
    until("the answer to the first", async || required(&one) == Required::Position(70)).await;
}
