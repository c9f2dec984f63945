//! Requests that two instances count together in a real Redis, and alone while it is away.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{seconds, sharing, until};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tropos_cache::{Counted, Engine, Limit};
use tropos_core::ManualClock;
use tropos_parts::{Data, FaultProxy, Redis};

/// What a machine that does other things as well may add to waits of 50 ms.
const SLACK: Duration = Duration::from_secs(3);

/// How often a store that does not answer is asked: if each waited, they would by far take longer than the slack.
const ASKED: u32 = 200;

fn limit(most: u32, seconds: u32, sliding: bool) -> Limit {
    Limit { most, seconds, sliding }
}

/// Counts, and says how long that took.
#[expect(
    clippy::disallowed_methods,
    reason = "what a visitor waits for is measured by the machine's own clock"
)]
async fn timed(engine: &Engine, key: &str, limit: Limit) -> (Option<Counted>, Duration) {
    let begun = Instant::now();
    let counted = engine.count(key, limit).await;
    (counted, begun.elapsed())
}

/// As on a machine where other tests have the processor: what waits too long for its turn is asked again.
async fn count(engine: &Engine, key: &str, limit: Limit) -> Counted {
    for _ in 0..50 {
        if let Some(counted) = engine.count(key, limit).await {
            return counted;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the store does not count");
}

async fn two(redis: &Redis) -> (Engine, Engine) {
    let clock = || Arc::new(ManualClock::new());
    (sharing(&redis.url(), "a", clock()).await, sharing(&redis.url(), "b", clock()).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_over_two_instances_admits_exactly_as_many_as_it_says() {
    let redis = Redis::start().await.unwrap();
    let (one, other) = two(&redis).await;
    for (key, sliding) in [("fixed", false), ("sliding", true)] {
        let limit = limit(30, 600, sliding);
        let asked = (0..100).map(|at| {
            let engine = if at % 2 == 0 { one.clone() } else { other.clone() };
            tokio::spawn(async move { count(&engine, key, limit).await })
        });
        let mut left = Vec::new();
        for answer in futures::future::join_all(asked).await {
            let Counted { left: room, seconds } = answer.unwrap();
            assert!((590..=1200).contains(&seconds), "{seconds}");
            left.extend(room);
        }
        // Each number once, so that no two requests were told of the same room. One that was counted and not heard of in time may be missing.
        left.sort_unstable();
        left.dedup();
        assert!(left.len() <= 30 && left.iter().all(|room| *room < 30), "{left:?}");
        assert_eq!(count(&one, key, limit).await.left, None);
        assert_eq!(count(&other, key, limit).await.left, None);
        assert_eq!(count(&other, "another", limit).await.left, Some(29), "keys are apart");
        redis.cli(["DEL", "tropos:count:another"]).await.unwrap();
    }
    let names = redis.cli(["KEYS", "*:count:*"]).await.unwrap();
    for name in names.lines() {
        let life: i64 = redis.cli(["PTTL", name.trim()]).await.unwrap().trim().parse().unwrap();
        assert!((1..=1_200_000).contains(&life), "{name} goes by itself: {life}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_begin_anew_or_slide_and_who_waits_as_told_is_let_through() {
    let redis = Redis::start().await.unwrap();
    let (one, other) = two(&redis).await;
    for (key, sliding) in [("fixed", false), ("sliding", true)] {
        let limit = limit(2, 3, sliding);
        assert_eq!(count(&one, key, limit).await.left, Some(1));
        assert_eq!(count(&other, key, limit).await.left, Some(0));
        let refused = count(&one, key, limit).await;
        assert_eq!(refused.left, None);
        // The rest of this window, of which a second may be over, and, where it slides, half of the next one.
        let expected = if sliding { 4..=5 } else { 2..=3 };
        assert!(expected.contains(&refused.seconds), "{key}: {}", refused.seconds);
        tokio::time::sleep(seconds(refused.seconds.into())).await;
        assert!(count(&other, key, limit).await.left.is_some(), "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_store_that_is_silent_or_gone_and_it_counts_again_when_it_is_back() {
    let redis = Redis::start().await.unwrap();
    let proxy = FaultProxy::start(redis.address()).await.unwrap();
    let clock = ManualClock::new();
    let engine = sharing(&redis.url_through(&proxy), "a", Arc::new(clock.clone())).await;
    let limit = limit(1_000, 600, true);
    assert!(engine.counts_together());
    assert_eq!(count(&engine, "k", limit).await.left, Some(999));

    for fault in [FaultProxy::blackhole, FaultProxy::mute, FaultProxy::cut] {
        fault(&proxy);
        let mut waited = Duration::ZERO;
        for at in 0..ASKED {
            let (counted, took) = timed(&engine, "k", limit).await;
            assert!(counted.is_none() || at == 0, "an answer may have been on its way");
            assert!(took < Duration::from_millis(50) + SLACK, "{took:?}");
            waited += took;
        }
        // Three wait, the others do not.
        assert!(waited < 4 * Duration::from_millis(50) + SLACK, "{waited:?}");
        proxy.heal();
        until("counts in the store again", async || {
            clock.advance(seconds(1));
            engine.count("k", limit).await.is_some()
        })
        .await;
    }

    let answered = count(&engine, "k", limit).await.left.unwrap();
    assert!(answered < 998, "what was counted before is kept: {answered}");
    redis.stop().await.unwrap();
    until("a store that is gone is given up", async || engine.count("k", limit).await.is_none()).await;
    redis.restart(Data::Kept).await.unwrap();
    until("counts in the store that is back", async || {
        clock.advance(seconds(1));
        engine.count("k", limit).await.is_some()
    })
    .await;
}

#[tokio::test]
async fn without_a_shared_store_each_counts_alone() {
    let (engine, _) = common::in_memory();
    assert!(!engine.counts_together());
    assert_eq!(engine.count("k", limit(1, 1, true)).await, None);
}
