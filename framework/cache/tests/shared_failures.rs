//! A shared store that is slow, cut off, gone, emptied, restored, full: guarantee 7, and what it rests on.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Page, Source, instance, noise, seconds, sharing, text, until};
use std::{sync::Arc, time::Duration};
use tropos_cache::{Engine, Error, Reason, Stats, Strength};
use tropos_core::{Ages, ManualClock};
use tropos_parts::{Data, FaultProxy, Redis, RedisOptions};

fn shared(engine: &Engine) -> tropos_cache::SharedStats {
    let Stats { shared, .. } = engine.stats();
    shared.unwrap()
}

async fn behind_a_proxy() -> (Redis, FaultProxy) {
    let redis = Redis::start().await.unwrap();
    let proxy = FaultProxy::start(redis.address()).await.unwrap();
    (redis, proxy)
}

/// Pages of one source, each under a tag of its own name.
fn page(name: &str, source: &Source) -> Page {
    Page::new(name, Ages::NEVER, &[name], source)
}

#[tokio::test(flavor = "multi_thread")]
async fn g7_out_of_reach_means_degraded_for_a_minute_then_rendered_afresh_and_invalidations_fail() {
    let (redis, proxy) = behind_a_proxy().await;
    let clock = ManualClock::new();
    let engine = sharing(&redis.url_through(&proxy), "build", Arc::new(clock.clone())).await;
    let source = Source::new("old");
    let page = page("p", &source);
    page.get(&engine).await;

    proxy.cut();
    until("an open circuit", async || shared(&engine).circuit_open).await;
    let served = page.get(&engine).await;
    assert!(!served.degraded, "the lease has not run out");
    clock.advance(seconds(2));
    for waited in [0, 57] {
        clock.advance(seconds(waited));
        let served = page.get(&engine).await;
        assert!(served.degraded && matches!(served.reason, Reason::Hit { .. }), "{:?}", served.reason);
    }
    clock.advance(seconds(3));
    source.set("new");
    for _ in 0..2 {
        let served = page.get(&engine).await;
        assert!(served.degraded && matches!(served.reason, Reason::Miss { .. }), "{:?}", served.reason);
        assert_eq!(text(&served), "new");
    }
    assert_eq!(source.reads(), 3, "nothing is taken from memory now");
    let error = engine.invalidate(&["p".into()], Strength::Hard).await.unwrap_err();
    assert!(matches!(error, Error::Shared(_)), "{error}");

    proxy.heal();
    until("trust", async || !shared(&engine).degraded).await;
    assert!(!shared(&engine).circuit_open);
    assert!(!page.get(&engine).await.degraded);
    engine.invalidate(&["p".into()], Strength::Hard).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn g7_what_was_missed_while_cut_off_applies_before_memory_is_trusted_again() {
    let (redis, proxy) = behind_a_proxy().await;
    let (one, two) = (instance(&redis.url()).await, instance(&redis.url_through(&proxy)).await);
    let source = Source::new("old");
    let page = page("p", &source);
    page.get(&one).await;
    page.get(&two).await;
    for (round, fault) in [FaultProxy::cut, FaultProxy::blackhole, FaultProxy::mute].into_iter().enumerate() {
        fault(&proxy);
        let value = format!("new {round}");
        source.set(&value);
        // Returns although one instance cannot be told: when that one's lease has run out.
        one.invalidate(&["p".into()], Strength::Hard).await.unwrap();
        assert!(page.get(&two).await.degraded, "it cannot know, and says so");
        proxy.heal();
        until("an answer that is not degraded", async || {
            let served = page.get(&two).await;
            assert!(served.degraded || text(&served) == value, "old and not marked: {}", text(&served));
            !served.degraded
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_store_makes_no_reader_wait_once_the_circuit_is_open() {
    let (redis, proxy) = behind_a_proxy().await;
    let engine = instance(&redis.url_through(&proxy)).await;
    let source = Source::new("v");
    proxy.delay(seconds(1));
    until("an open circuit", async || {
        page("first", &source).get(&engine).await;
        shared(&engine).circuit_open
    })
    .await;
    let failures = shared(&engine).failures;
    for n in 0..50 {
        page(&format!("p{n}"), &source).get(&engine).await;
    }
    // The keeper of the lease alone still asks.
    assert!(shared(&engine).failures - failures <= 5, "{}", shared(&engine).failures - failures);
    proxy.heal();
    until("a closed circuit", async || !shared(&engine).circuit_open).await;
    until("an answer that is not degraded", async || !page("p0", &source).get(&engine).await.degraded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_not_there_at_the_start_is_found_when_it_comes() {
    let redis = Redis::start().await.unwrap();
    redis.stop().await.unwrap();
    let engine = instance(&redis.url()).await;
    let source = Source::new("v");
    let served = page("p", &source).get(&engine).await;
    assert!(served.degraded && text(&served) == "v");
    redis.restart(Data::Emptied).await.unwrap();
    until("trust", async || !shared(&engine).degraded).await;
    let served = page("p", &source).get(&engine).await;
    assert!(!served.degraded);
    assert!(
        matches!(served.reason, Reason::Miss { .. }),
        "made before anything was known: {:?}",
        served.reason
    );
}

/// What happens to the store, and why everything must be made anew after it.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_emptied_restored_or_robbed_makes_nothing_old_count_as_fresh() {
    let cases: [(&str, &[&[&str]]); 5] = [
        ("emptied", &[&["FLUSHALL"]]),
        (
            "restored to a time before the last invalidation",
            &[
                &["HINCRBY", "{tropos:tags}:state", "sequence", "-1"],
                &["ZREMRANGEBYRANK", "{tropos:tags}:tokens", "-1", "-1"],
            ],
        ),
        (
            "forked: another invalidation took the same number",
            &[
                &["ZREMRANGEBYRANK", "{tropos:tags}:tokens", "-1", "-1"],
                &["ZADD", "{tropos:tags}:tokens", "2", "00000000000000ff"],
            ],
        ),
        ("robbed of a mark", &[&["ZREM", "{tropos:tags}:marks", "hp"]]),
        ("robbed of all marks", &[&["DEL", "{tropos:tags}:marks"]]),
    ];
    for (case, commands) in cases {
        let redis = Redis::start().await.unwrap();
        let engines = [instance(&redis.url()).await, instance(&redis.url()).await];
        let source = Source::new("old");
        let page = page("p", &source);
        for tag in ["p", "q"] {
            engines[0].invalidate(&[tag.into()], Strength::Hard).await.unwrap();
        }
        for engine in &engines {
            page.get(engine).await;
        }
        let before = engines[0].tags().current();
        source.set("new");
        for words in commands {
            redis.cli(words.iter().copied()).await.unwrap();
        }
        for engine in &engines {
            until(case, async || engine.tags().current().incarnation != before.incarnation).await;
            assert!(engine.tags().current().sequence > before.sequence, "{case}: numbers go back");
        }
        until("one sequence", async || engines[0].tags().current() == engines[1].tags().current()).await;
        for engine in &engines {
            assert_eq!(text(&page.get(engine).await), "new", "{case}");
            // Pages of the build know no incarnation: they must be outdated as well.
            let built = engine.tags().validity(&["p".into()], tropos_cache::Stamp::BUILD);
            assert_eq!(built, tropos_cache::Validity::Hard, "{case}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_emptied_while_nothing_ran_is_found_out_by_the_next_start() {
    let redis = Redis::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let start = async || {
        let store = Arc::new(tropos_cache::RedisStore::open(&redis.url()).unwrap());
        let shared = tropos_cache::SharedConfig {
            memo: Some(folder.path().to_owned()),
            ..tropos_cache::SharedConfig::new(store)
        };
        let config = tropos_cache::EngineConfig { shared: Some(shared), ..Default::default() };
        Engine::open(config, Arc::new(ManualClock::new()), None).await.unwrap()
    };
    let built = |engine: &Engine| engine.tags().validity(&["p".into()], tropos_cache::Stamp::BUILD);
    let first = start().await;
    assert_eq!(built(&first), tropos_cache::Validity::Valid, "a store that is new invalidates nothing");
    drop(first);
    let second = start().await;
    assert_eq!(built(&second), tropos_cache::Validity::Valid, "nor does a restart");
    drop(second);
    redis.cli(["FLUSHALL"]).await.unwrap();
    assert_eq!(built(&start().await), tropos_cache::Validity::Hard);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_store_takes_no_entries_and_every_invalidation() {
    let redis = RedisOptions::new().maxmemory("2mb", "noeviction").start().await.unwrap();
    let engines = [instance(&redis.url()).await, instance(&redis.url()).await];
    let source = Source::new(&noise(200_000));
    for n in 0..60 {
        page(&format!("p{n}"), &source).get(&engines[0]).await;
    }
    until("a store that is full", async || {
        redis.cli(["SET", "more", &"x".repeat(100_000)]).await.is_err_and(|e| e.to_string().contains("OOM"))
    })
    .await;
    let page = page("p0", &source);
    page.get(&engines[1]).await;
    source.set("new");
    engines[0].invalidate(&["p0".into()], Strength::Hard).await.unwrap();
    for engine in &engines {
        let served = page.get(engine).await;
        assert_eq!((text(&served), served.degraded), ("new", false));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_is_gone_holds_up_invalidations_no_longer_than_its_lease() {
    let redis = Redis::start().await.unwrap();
    let one = instance(&redis.url()).await;
    // The first seconds of a sequence are over when this has returned.
    one.invalidate(&["t".into()], Strength::Hard).await.unwrap();
    // As if granted to an instance that never acknowledges anything.
    let now = redis.cli(["TIME"]).await.unwrap();
    let now: u64 = now.split_whitespace().next().unwrap().parse().unwrap();
    let until = ((now + 2) * 1_000).to_string();
    redis.cli(["ZADD", "{tropos:tags}:leases", &until, "deadbeef"]).await.unwrap();
    tokio::time::timeout(Duration::from_secs(5), one.invalidate(&["t".into()], Strength::Hard))
        .await
        .unwrap()
        .unwrap();
}
