//! Instances, readers, writers and a store that misbehaves, over a clock that the runtime turns: one seed, one history.
//!
//! Held at each answer that is not marked degraded: it is no older than what had been invalidated when the reader asked,
//! whichever instance answers; and answers never end up waiting for ever.
//!
//! Renders read from a replica that is as far behind as it may be: it has replayed what they require, and not a write
//! more.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;
mod database;
mod store;

use common::{produced, text};
use database::Database;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use store::{Server, VirtualClock};
use tropos_cache::{Data, Engine, EngineConfig, Request, Served, SharedConfig, Strength};
use tropos_core::{Ages, Key};

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
    /// It is emptied just before an instance that was cut off for a while comes back.
    EmptiedDuringCuts,
}

/// What the protocol must not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mistake {
    None,
    /// An instance knows, and acknowledges, a number before it knows the positions that came with it.
    PositionsAfterNumbers,
    /// An invalidation goes by an answer of the log to a question from before its write.
    OldAnswers,
}

struct World {
    server: Arc<Server>,
    engines: Vec<Engine>,
    /// One value that changes: the number written last.
    database: Arc<Database>,
    key: Key,
    /// The latest number whose invalidation has returned.
    returned: AtomicU64,
    answers: AtomicU64,
}

async fn world(seed: u64, mistake: Mistake) -> Arc<World> {
    let server = Server::new(StdRng::seed_from_u64(seed));
    let database = Database::new(StdRng::seed_from_u64(!seed));
    let mut engines = Vec::new();
    for name in 0..INSTANCES {
        let store = server.instance(name, mistake == Mistake::PositionsAfterNumbers);
        let shared = Some(SharedConfig::new(store));
        let config = EngineConfig { shared, ..EngineConfig::default() };
        let engine = Engine::open(config, Arc::new(VirtualClock::new()), None).await.unwrap();
        match mistake {
            Mistake::None | Mistake::PositionsAfterNumbers => engine.follow_log(database.clone()).await,
            Mistake::OldAnswers => engine.follow_log(database.with_old_answers()).await,
        }
        engines.push(engine);
    }
    let key = Key::page("/:name", "p", "");
    let zero = || AtomicU64::new(0);
    Arc::new(World { server, engines, database, key, returned: zero(), answers: zero() })
}

impl World {
    async fn get(&self, engine: &Engine) -> Served<Data> {
        let (ages, negative) = (Ages::NEVER, Duration::ZERO);
        let tags = ["t"].into_iter().collect();
        let request = Request { key: &self.key, ages, negative, tags, fresh: false, unasked: false };
        let database = self.database.clone();
        let render = move || async move { Ok(produced(database.read_as_late_as_may_be().await.to_string())) };
        engine.data().serve(request, render).await
    }
}

/// Writes and invalidates through any instance, one write after the other.
async fn write(world: Arc<World>, mut random: StdRng) {
    loop {
        let number = world.database.write();
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
        let served = tokio::time::timeout(Duration::from_secs(60), world.get(&world.engines[instance])).await;
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
            Weather::Cuts | Weather::EmptiedDuringCuts => {
                let instance = random.random_range(0..INSTANCES);
                world.server.cut_off(instance, true);
                tokio::time::sleep(Duration::from_millis(random.random_range(0..8_000))).await;
                if weather == Weather::EmptiedDuringCuts {
                    world.server.empty();
                }
                world.server.cut_off(instance, false);
            }
        }
    }
}

fn simulate(seed: u64, weather: Weather, mistake: Mistake) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let world = world(seed, mistake).await;
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
    (0..SEEDS).for_each(|seed| simulate(seed, Weather::Fair, Mistake::None));
}

#[test]
fn no_answer_is_older_than_what_was_invalidated_when_instances_are_cut_off() {
    (0..SEEDS).for_each(|seed| simulate(seed, Weather::Cuts, Mistake::None));
}

#[test]
fn no_answer_is_older_than_what_was_invalidated_when_the_store_is_emptied() {
    (0..SEEDS).for_each(|seed| simulate(seed, Weather::Emptied, Mistake::None));
}

#[test]
fn no_answer_is_older_than_what_was_invalidated_when_the_store_fails_over() {
    (0..SEEDS).for_each(|seed| simulate(seed, Weather::FailOver, Mistake::None));
}

#[test]
fn no_answer_is_older_than_what_was_invalidated_when_the_store_is_emptied_while_an_instance_is_cut_off() {
    (0..SEEDS).for_each(|seed| simulate(seed, Weather::EmptiedDuringCuts, Mistake::None));
}

#[test]
#[should_panic(expected = "had been invalidated")]
fn g9_an_instance_that_knows_numbers_before_their_positions_would_read_from_too_old_a_replica() {
    (0..SEEDS).for_each(|seed| simulate(seed, Weather::Fair, Mistake::PositionsAfterNumbers));
}

#[test]
#[should_panic(expected = "had been invalidated")]
fn g9_an_answer_of_the_log_from_before_the_write_would_not_do() {
    (0..SEEDS).for_each(|seed| simulate(seed, Weather::Fair, Mistake::OldAnswers));
}
