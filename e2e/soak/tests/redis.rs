//! What instances leave in Redis ceases to grow: entries by its own bound, everything else by Tropos's.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use tropos_cache::{Data, Engine, EngineConfig, Produced, RedisStore, Request, SharedConfig, Strength};
use tropos_core::{Ages, Key, SystemClock, Tag, Tags};
use tropos_parts::{Redis, RedisOptions};

/// What the server may hold: a few hundred entries of this test.
const MEMORY: &str = "8mb";
const LIVES: usize = 9;
const SLUGS_A_LIFE: usize = 400;

async fn instance(redis: &Redis) -> Engine {
    let store = Arc::new(RedisStore::open(&redis.url()).unwrap());
    let config = EngineConfig { shared: Some(SharedConfig::new(store)), ..EngineConfig::default() };
    Engine::open(config, Arc::new(SystemClock::new()), None).await.unwrap()
}

/// A slug that nobody asked for before; every fifth is not found.
async fn ask(engine: &Engine, slug: usize) {
    let key = Key::page("/:slug", &format!("/{slug}"), "");
    let tags: Tags = [Tag::from(("slug", slug)), Tag::from("all")].into_iter().collect();
    let request = Request { tags, ..Request::new(&key, Ages::NEVER) };
    let value = Data(std::iter::repeat_with(rand_byte).take(8_000).collect());
    let render = move || async move { Ok(Produced { value, negative: slug.is_multiple_of(5), store: true }) };
    engine.data().serve(request, render).await.result.unwrap();
}

fn rand_byte() -> u8 {
    rand::random()
}

async fn number(redis: &Redis, words: &[&str]) -> u64 {
    redis.cli(words.iter().copied()).await.unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_entries_turns_and_instances_come_to_a_plateau_and_no_invalidation_is_evicted() {
    let redis = RedisOptions::new().maxmemory(MEMORY, "volatile-lru").start().await.unwrap();
    let witness = instance(&redis).await;
    let mut keys = Vec::new();
    for life in 0..LIVES {
        let engines = [instance(&redis).await, instance(&redis).await];
        for slug in 0..SLUGS_A_LIFE {
            let slug = life * SLUGS_A_LIFE + slug;
            ask(&engines[slug % 2], slug).await;
            if slug.is_multiple_of(100) {
                engines[0].invalidate(&[("slug", slug).into()], Strength::Hard).await.unwrap();
            }
        }
        for engine in &engines {
            engine.shutdown().await;
        }
        keys.push(number(&redis, &["DBSIZE"]).await);
        assert_eq!(number(&redis, &["HLEN", "{tropos:tags}:seen"]).await, 1, "the witness alone");
        assert_eq!(number(&redis, &["ZCARD", "{tropos:tags}:leases"]).await, 1);
    }
    println!("keys at the end of each life: {keys:?}");
    let most = |lives: &[u64]| lives.iter().copied().max().unwrap();
    let (middle, last) = (most(&keys[3..6]), most(&keys[6..]));
    assert!(last <= middle + middle / 10, "{keys:?}");
    assert!(most(&keys) < (LIVES * SLUGS_A_LIFE / 2) as u64, "the bound was not pressed: {keys:?}");
    let invalidations = (LIVES * SLUGS_A_LIFE / 100) as u64;
    assert_eq!(number(&redis, &["ZCARD", "{tropos:tags}:marks"]).await, invalidations);
    assert_eq!(witness.tags().current().sequence, invalidations, "nothing had to begin anew");
}
