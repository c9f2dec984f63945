//! The guarantees on several instances that share a real Redis.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Page, Source, ages, in_memory, instance, sharing, text, until};
use std::{sync::Arc, time::Duration};
use tropos_cache::{Engine, Miss, Reason, Strength};
use tropos_core::{Ages, SystemClock, Tag};
use tropos_parts::{ClusterOptions, FaultProxy, Redis, RedisCluster, RedisOptions, Sentinels};

async fn three(url: &str) -> [Engine; 3] {
    [instance(url).await, instance(url).await, instance(url).await]
}

/// Writes and invalidates through one instance, reads through the others at once, over and over.
async fn every_write_is_seen_by_all(engines: &[Engine], rounds: usize) {
    let source = Source::new("0");
    let page = Page::new("p", Ages::NEVER, &["t"], &source);
    for round in 1..=rounds {
        for engine in engines {
            page.get(engine).await;
        }
        source.set(&round.to_string());
        engines[round % engines.len()].invalidate(&["t".into()], Strength::Hard).await.unwrap();
        for engine in engines {
            assert_eq!(text(&page.get(engine).await), round.to_string(), "round {round}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn g1_an_invalidation_is_seen_by_every_instance_when_it_has_returned() {
    let redis = Redis::start().await.unwrap();
    every_write_is_seen_by_all(&three(&redis.url()).await, 100).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g1_an_invalidation_waits_for_an_instance_that_hears_of_it_late() {
    let redis = Redis::start().await.unwrap();
    let proxy = FaultProxy::start(redis.address()).await.unwrap();
    let engines = [instance(&redis.url()).await, instance(&redis.url_through(&proxy)).await];
    proxy.delay(Duration::from_millis(60));
    every_write_is_seen_by_all(&engines, 10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g1_holds_on_a_cluster_of_three_nodes() {
    let cluster = RedisCluster::start().await.unwrap();
    every_write_is_seen_by_all(&three(&cluster.url()).await, 30).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g1_holds_across_a_fail_over_by_sentinels() {
    let master = Redis::start().await.unwrap();
    let _replica = Redis::replica_of(&master).await.unwrap();
    let sentinels = Sentinels::start(&master, 3).await.unwrap();
    fail_over(&sentinels.url(), async || {
        master.kill().await.unwrap();
        sentinels.failed_over(master.address(), Duration::from_secs(15)).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g1_holds_across_a_fail_over_in_a_cluster() {
    let cluster = ClusterOptions::new().replicas().start().await.unwrap();
    fail_over(&cluster.url(), async || {
        cluster.kill_master_of("{tropos:tags}:state").await.unwrap();
        cluster.wait_until_ok().await.unwrap();
    })
    .await;
}

async fn fail_over(url: &str, kill: impl AsyncFnOnce()) {
    let engines = [instance(url).await, instance(url).await];
    let source = Source::new("old");
    let page = Page::new("p", Ages::NEVER, &["t"], &source);
    for engine in &engines {
        assert_eq!(text(&page.get(engine).await), "old");
    }
    source.set("new");
    engines[0].invalidate(&["t".into()], Strength::Hard).await.unwrap();
    kill().await;
    let trusted = async |engine: &Engine| !engine.stats().shared.unwrap().degraded;
    until("a lease by the new primary", async || trusted(&engines[0]).await && trusted(&engines[1]).await)
        .await;
    for engine in &engines {
        assert_eq!(text(&page.get(engine).await), "new");
    }
    every_write_is_seen_by_all(&engines, 10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g2_a_render_that_began_before_an_invalidation_elsewhere_is_not_taken_for_newer() {
    let redis = Redis::start().await.unwrap();
    let [one, two, three] = three(&redis.url()).await;
    let source = Source::new("old");
    let page = Page::new("p", Ages::NEVER, &["t"], &source);
    source.hold();
    let early = page.ask(&one).await;
    until("the read", async || source.reads() == 1).await;
    source.set("new");
    two.invalidate(&["t".into()], Strength::Hard).await.unwrap();
    let late = page.ask(&one).await;
    source.release();
    assert_eq!(text(&early.await.unwrap()), "old", "it came before");
    assert_eq!(text(&late.await.unwrap()), "new");
    assert_eq!(text(&page.get(&three).await), "new", "what the first render left in the store is outdated");
}

#[tokio::test(flavor = "multi_thread")]
async fn g3_simultaneous_misses_on_two_instances_run_one_render() {
    let redis = Redis::start().await.unwrap();
    let [one, two, _] = three(&redis.url()).await;
    let source = Source::new("v");
    for (name, strength) in [("cold", None), ("hard", Some(Strength::Hard)), ("soft", Some(Strength::Soft))] {
        let page = Page::new(name, Ages::NEVER, &[name], &source);
        if let Some(strength) = strength {
            page.get(&one).await;
            page.get(&two).await;
            one.invalidate(&[name.into()], strength).await.unwrap();
        }
        let before = source.reads();
        source.hold();
        let mut asked = Vec::new();
        for _ in 0..50 {
            asked.push(page.ask(&one).await);
            asked.push(page.ask(&two).await);
        }
        until("a render", async || source.reads() > before).await;
        source.release();
        for answer in asked {
            assert_eq!(text(&answer.await.unwrap()), "v", "{name}");
        }
        // A stale entry is replaced behind the readers' backs.
        until("the end of both renewals", async || {
            matches!(page.get(&one).await.reason, Reason::Hit { .. })
                && matches!(page.get(&two).await.reason, Reason::Hit { .. })
        })
        .await;
        assert_eq!(source.reads() - before, 1, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn g3_an_entry_of_one_instance_is_a_hit_on_another() {
    let redis = Redis::start().await.unwrap();
    let [one, two, _] = three(&redis.url()).await;
    let source = Source::new("v");
    let page = Page::new("p", ages(60, 600), &["t"], &source);
    page.get(&one).await;
    until("the entry in the store", async || {
        !redis.cli(["KEYS", "tropos:entry:*"]).await.unwrap().is_empty()
    })
    .await;
    let served = page.get(&two).await;
    assert!(matches!(served.reason, Reason::Hit { ttl: 58..=60 }), "{:?}", served.reason);
    assert_eq!(source.reads(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn g4_an_instance_that_dies_in_its_turn_holds_up_the_others_for_three_seconds_at_most() {
    let redis = Redis::start().await.unwrap();
    let [one, two, _] = three(&redis.url()).await;
    let source = Source::new("v");
    let page = Page::new("p", Ages::NEVER, &["t"], &source);
    source.hold();
    let held = page.ask(&one).await;
    until("the read", async || source.reads() == 1).await;
    // As if the process were gone: nobody extends the turn.
    let turn = redis.cli(["KEYS", "tropos:turn:*"]).await.unwrap();
    redis.cli(["SET", &turn, "0000000000000001", "PX", "300"]).await.unwrap();
    let other = page.ask(&two).await;
    until("a render by the other", async || source.reads() == 2).await;
    source.release();
    assert_eq!(text(&other.await.unwrap()), "v");
    assert_eq!(text(&held.await.unwrap()), "v");
}

#[tokio::test(flavor = "multi_thread")]
async fn g6_an_invalidation_survives_the_restart_of_every_instance_and_of_the_store() {
    let redis = RedisOptions::new().appendonly(true).argument("appendfsync", "always").start().await.unwrap();
    let url = redis.url();
    let source = Source::new("old");
    let page = Page::new("p", Ages::NEVER, &["t"], &source);
    let first = instance(&url).await;
    page.get(&first).await;
    until("the entry in the store", async || {
        !redis.cli(["KEYS", "tropos:entry:*"]).await.unwrap().is_empty()
    })
    .await;
    source.set("new");
    first.invalidate(&["t".into()], Strength::Hard).await.unwrap();
    drop(first);
    redis.kill().await.unwrap();
    redis.restart(tropos_parts::Data::Kept).await.unwrap();
    let second = instance(&url).await;
    let served = page.get(&second).await;
    assert_eq!(text(&served), "new");
    assert!(matches!(served.reason, Reason::Miss { why: Miss::Invalidated, .. }), "{:?}", served.reason);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_starts_late_knows_all_that_was_invalidated_before() {
    let redis = Redis::start().await.unwrap();
    let one = instance(&redis.url()).await;
    // More than one answer of the store holds.
    for some in 0..9 {
        let tags: Vec<Tag> = (0..1_000).map(|n| Tag::from(("t", some * 1_000 + n))).collect();
        one.invalidate(&tags, Strength::Hard).await.unwrap();
    }
    let two = instance(&redis.url()).await;
    // A machine that is too busy for it at the start catches up before anything is trusted.
    until("the catch-up", async || two.tags().current() == one.tags().current()).await;
    let before = tropos_cache::Stamp { sequence: 0, ..two.tags().current() };
    for n in [0, 4_567, 8_999] {
        assert_eq!(two.tags().validity(&[("t", n).into()], before), tropos_cache::Validity::Hard, "{n}");
    }
    assert_eq!(two.tags().validity(&[("t", 9_000).into()], before), tropos_cache::Validity::Valid);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_reads_no_entry_of_another() {
    let redis = Redis::start().await.unwrap();
    let (old, new) = (Source::new("old build"), Source::new("new build"));
    let clock = || Arc::new(SystemClock::new());
    let first = sharing(&redis.url(), "one", clock()).await;
    let second = sharing(&redis.url(), "two", clock()).await;
    let page = |source: &Source| Page::new("p", Ages::NEVER, &["t"], source);
    assert_eq!(text(&page(&old).get(&first).await), "old build");
    assert_eq!(text(&page(&new).get(&second).await), "new build");
    // Invalidations are the same for both: data has no build.
    second.invalidate(&["t".into()], Strength::Hard).await.unwrap();
    assert!(matches!(page(&old).get(&first).await.reason, Reason::Miss { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn not_found_is_not_shared_and_takes_the_place_of_what_was() {
    let redis = Redis::start().await.unwrap();
    let [one, two, _] = three(&redis.url()).await;
    let source = Source::new("v");
    let page = Page::new("p", Ages::NEVER, &["t"], &source);
    page.get(&one).await;
    source.set("");
    one.invalidate(&["t".into()], Strength::Hard).await.unwrap();
    assert_eq!(text(&page.get(&one).await), "");
    until("the entry's removal", async || redis.cli(["KEYS", "tropos:entry:*"]).await.unwrap().is_empty())
        .await;
    assert_eq!(text(&page.get(&two).await), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_instance_has_found_takes_the_place_of_an_older_not_found() {
    let redis = Redis::start().await.unwrap();
    let [one, two, _] = three(&redis.url()).await;
    let source = Source::new("");
    let page = Page::new("p", Ages::NEVER, &["t"], &source);
    page.get(&one).await;
    page.get(&two).await;
    source.set("found");
    one.invalidate(&["t".into()], Strength::Soft).await.unwrap();
    for engine in [&two, &one] {
        until("an answer that is fresh", async || {
            let served = page.get(engine).await;
            matches!(served.reason, Reason::Hit { .. }) && text(&served) == "found"
        })
        .await;
    }
    assert_eq!(source.reads(), 3, "two found nothing, and one render found it for both");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_stays_in_the_store_no_longer_than_until_it_expires() {
    let redis = Redis::start().await.unwrap();
    let one = instance(&redis.url()).await;
    for (name, ages, most) in [("short", ages(2, 100), 100_000), ("long", Ages::NEVER, 86_400_000)] {
        redis.cli(["FLUSHDB"]).await.unwrap();
        Page::new(name, ages, &[], &Source::new("v")).get(&one).await;
        until("the entry", async || !redis.cli(["KEYS", "tropos:entry:*"]).await.unwrap().is_empty()).await;
        let key = redis.cli(["KEYS", "tropos:entry:*"]).await.unwrap();
        let life: u64 = redis.cli(["PTTL", &key]).await.unwrap().parse().unwrap();
        assert!(life <= most && life > most - 10_000, "{name}: {life}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_leases_alone_are_lost_invalidations_wait_for_those_who_still_trust_theirs() {
    let redis = Redis::start().await.unwrap();
    let proxy = FaultProxy::start(redis.address()).await.unwrap();
    let engines = [instance(&redis.url()).await, instance(&redis.url_through(&proxy)).await];
    let source = Source::new("old");
    let page = Page::new("p", Ages::NEVER, &["t"], &source);
    engines[0].invalidate(&["other".into()], Strength::Hard).await.unwrap(); // the beginning is over
    for engine in &engines {
        page.get(engine).await;
    }
    proxy.cut();
    redis.cli(["DEL", "{tropos:tags}:leases"]).await.unwrap();
    source.set("new");
    engines[0].invalidate(&["t".into()], Strength::Hard).await.unwrap();
    let served = page.get(&engines[1]).await;
    assert!(served.degraded || text(&served) == "new");
}

#[tokio::test]
async fn without_a_shared_store_nothing_is_ever_degraded() {
    let (engine, _clock) = in_memory();
    let served = Page::new("p", Ages::NEVER, &[], &Source::new("v")).get(&engine).await;
    assert!(!served.degraded);
    assert_eq!(engine.stats().shared, None);
}
