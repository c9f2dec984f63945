//! Instances, readers, writers and a store that misbehaves, over a clock that the runtime turns: one seed, one history.
//!
//! Held at each answer that is not marked degraded: it is no older than what had been invalidated when the reader asked,
//! whichever instance answers; and answers never end up waiting for ever.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;
mod store;

use common::{Page, Source, text};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use store::{Server, VirtualClock};
use tropos_cache::{Engine, EngineConfig, SharedConfig, Strength};
use tropos_core::Ages;

const INSTANCES: u64 = 3;

/// What happens to the store while all goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weather {
    /// Late and lost messages alone.
    Fair,
    /// Instances are cut off for a while, one after the other.
    Cuts,
    /// It is emptied now and then.
    Emptied,
    /// It fails over now and then, and loses its last write and renewals.
    FailOver,
}

struct World {
    server: Arc<Server>,
    engines: Vec<Engine>,
    /// One value that changes, and the tag on it.
    source: Source,
    page: Page,
    /// The number written last, and the latest whose invalidation has returned.
    written: AtomicU64,
    returned: AtomicU64,
    answers: AtomicU64,
}

async fn world(seed: u64) -> Arc<World> {
    let server = Server::new(StdRng::seed_from_u64(seed));
    let mut engines = Vec::new();
    for name in 0..INSTANCES {
        let shared = Some(SharedConfig::new(server.instance(name)));
        let config = EngineConfig { shared, ..EngineConfig::default() };
        engines.push(Engine::open(config, Arc::new(VirtualClock::new()), None).await.unwrap());
    }
    let source = Source::new("0");
    let page = Page::new("p", Ages::NEVER, &["t"], &source);
    let zero = || AtomicU64::new(0);
    Arc::new(World { server, engines, source, page, written: zero(), returned: zero(), answers: zero() })
}

/// Writes and invalidates through any instance, one write after the other.
async fn write(world: Arc<World>, mut random: StdRng) {
    loop {
        let number = world.written.fetch_add(1, Ordering::SeqCst) + 1;
        world.source.set(&number.to_string());
        let engine = &world.engines[random.random_range(0..world.engines.len())];
        if engine.invalidate(&["t".into()], Strength::Hard).await.is_ok() {
            world.returned.fetch_max(number, Ordering::SeqCst);
        }
        tokio::time::sleep(Duration::from_millis(random.random_range(0..200))).await;
    }
}

async fn read(world: Arc<World>, instance: usize, mut random: StdRng) {
    loop {
        let owed = world.returned.load(Ordering::SeqCst);
        let served =
            tokio::time::timeout(Duration::from_secs(60), world.page.get(&world.engines[instance])).await;
        let served = served.unwrap();
        let got: u64 = text(&served).parse().unwrap();
        assert!(
            served.degraded || got >= owed,
            "instance {instance} answered {got}, and {owed} had been invalidated"
        );
        world.answers.fetch_add(u64::from(!served.degraded), Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(random.random_range(0..20))).await;
    }
}

async fn misbehave(world: Arc<World>, weather: Weather, mut random: StdRng) {
    loop {
        tokio::time::sleep(Duration::from_millis(random.random_range(0..6_000))).await;
        match weather {
            Weather::Fair => {}
            Weather::Emptied => world.server.empty(),
            Weather::FailOver => world.server.lose_the_last(),
            Weather::Cuts => {
                let instance = random.random_range(0..INSTANCES);
                world.server.cut_off(instance, true);
                tokio::time::sleep(Duration::from_millis(random.random_range(0..8_000))).await;
                world.server.cut_off(instance, false);
            }
        }
    }
}

fn simulate(seed: u64, weather: Weather) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let world = world(seed).await;
        let random = |part: u64| StdRng::seed_from_u64(seed ^ (part << 32));
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(write(world.clone(), random(1)));
        for instance in 0..world.engines.len() {
            tasks.spawn(read(world.clone(), instance, random(2 + instance as u64)));
        }
        tasks.spawn(misbehave(world.clone(), weather, random(9)));
        let ended = tokio::time::timeout(Duration::from_secs(60), tasks.join_next()).await;
        assert!(ended.is_err(), "{weather:?}, seed {seed}: {ended:?}");
        let (answers, returned) =
            (world.answers.load(Ordering::SeqCst), world.returned.load(Ordering::SeqCst));
        assert!(
            answers > 500 && returned > 3,
            "{weather:?}, seed {seed}: {answers} answers, {returned} writes"
        );
    });
}

const SEEDS: u64 = 12;

#[test]
fn no_answer_is_older_than_what_was_invalidated_when_messages_are_late_or_lost() {
    (0..SEEDS).for_each(|seed| simulate(seed, Weather::Fair));
}

#[test]
fn no_answer_is_older_than_what_was_invalidated_when_instances_are_cut_off() {
    (0..SEEDS).for_each(|seed| simulate(seed, Weather::Cuts));
}

#[test]
fn no_answer_is_older_than_what_was_invalidated_when_the_store_is_emptied() {
    (0..SEEDS).for_each(|seed| simulate(seed, Weather::Emptied));
}

#[test]
fn no_answer_is_older_than_what_was_invalidated_when_the_store_fails_over() {
    (0..SEEDS).for_each(|seed| simulate(seed, Weather::FailOver));
}
