//! Faults at random under load: whatever fails, no answer is older than an invalidation that had returned before it was
//! asked for, unless it is marked as degraded.

use super::cases;
use crate::{
    check::{Outcome, Problem, fail, that},
    client::Client,
    context::Context,
    instances::{Instance, Instances},
};
use serde_json::json;
use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::time::{Instant, sleep};
use tropos_parts::{Data, Redis, RedisOptions};

cases! {
    27 "under faults at random no answer is older than an invalidation that had returned, unless marked degraded" => chaos;
}

/// For how long faults follow each other.
const SPAN: Duration = Duration::from_secs(12);
const KEYS: usize = 4;
const INSTANCES: usize = 3;

/// A page whose data is a number that only grows.
#[derive(Debug)]
struct Fact {
    path: String,
    read: String,
    /// The number that had been set when the latest invalidation that succeeded was asked for.
    confirmed: AtomicU64,
}

#[derive(Debug, Default)]
struct Tally {
    over: AtomicBool,
    good: AtomicUsize,
    degraded: AtomicUsize,
    invalidations: AtomicUsize,
    refused: AtomicUsize,
}

impl Tally {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }
}

async fn chaos(c: Context) -> Outcome {
    c.need_binary()?;
    let c = c.with_own_upstream().await?;
    let redis = RedisOptions::new().appendonly(true).start().await?;
    // Else the lines of invalidations hide what went wrong.
    let instances = Instances::start(&c, &redis, INSTANCES, &[("TROPOS_LOG", "warn")]).await?;
    let facts: Vec<_> = (0..KEYS)
        .map(|_| {
            let key = c.key("chaos");
            let (path, read) = (format!("/demand/{key}"), format!("demand-{key}"));
            c.upstream.set(&read, "0");
            Arc::new(Fact { path, read, confirmed: AtomicU64::new(0) })
        })
        .collect();
    let tally = Arc::new(Tally::default());
    let seed = RandomState::new().hash_one(0);
    let clients: Vec<_> = instances.iter().map(Instance::http).collect();
    let mut tasks = Vec::new();
    for fact in &facts {
        let random = Random::of(seed, 4 + tasks.len());
        tasks.push(tokio::spawn(write(c.clone(), fact.clone(), clients.clone(), tally.clone(), random)));
    }
    for (place, http) in clients.iter().enumerate() {
        tasks.push(tokio::spawn(read(http.clone(), place, facts.clone(), tally.clone())));
    }
    let [first, second, third] = [instances.at_place(0)?, instances.at_place(1)?, instances.at_place(2)?];
    let disturbed = tokio::join!(
        disturb_instance(first, Random::of(seed, 0)),
        disturb_instance(second, Random::of(seed, 1)),
        disturb_instance(third, Random::of(seed, 2)),
        disturb_redis(&redis, Random::of(seed, 3)),
    );
    tally.over.store(true, Ordering::SeqCst);
    let mut outcome = disturbed.0.and(disturbed.1).and(disturbed.2).and(disturbed.3);
    for task in tasks {
        let ended = task.await.map_err(|error| Problem::Failed(error.to_string()));
        outcome = outcome.and(ended.and_then(|ended| ended));
    }
    let of = |count: &AtomicUsize| count.load(Ordering::SeqCst);
    let (good, degraded) = (of(&tally.good), of(&tally.degraded));
    let (invalidations, refused) = (of(&tally.invalidations), of(&tally.refused));
    let tallied = format!(
        "seed {seed:x}: {good} good answers, {degraded} degraded, {invalidations} invalidations, {refused} refused"
    );
    if let Err(Problem::Failed(why)) = outcome {
        let logs: Vec<_> = instances.iter().map(|instance| instance.server.log()).collect();
        return fail(format!("{tallied}: {why}\n{}", logs.join("\n")));
    }
    // Otherwise nothing was shown.
    that(good > 200 && degraded > 0 && invalidations > 5 && refused > 0, tallied)?;
    for fact in &facts {
        instances.settled(&fact.path, Duration::from_secs(10)).await?;
    }
    for (place, fact) in facts.iter().enumerate() {
        c.upstream.set(&fact.read, "at last");
        instances.invalidate(&c, place % INSTANCES, &fact.read).await?;
        instances.all_show(&fact.path, "at last").await?;
    }
    Ok(())
}

/// Sets the next number, and invalidates on any instance until one confirms it.
async fn write(
    c: Context,
    fact: Arc<Fact>,
    clients: Vec<Client>,
    tally: Arc<Tally>,
    mut random: Random,
) -> Outcome {
    let mut number = 0_u64;
    while !tally.is_over() {
        number += 1;
        c.upstream.set(&fact.read, &number.to_string());
        let Some(http) = clients.get(random.below(clients.len())) else { return fail("no instance") };
        // One that stands still answers late, or not at all.
        match c.revalidate_at(http, &json!({ "tags": [fact.read] })).await {
            Ok(page) if page.status == 200 => {
                fact.confirmed.store(number, Ordering::SeqCst);
                tally.invalidations.fetch_add(1, Ordering::SeqCst);
            }
            Ok(page) => {
                page.is(503)?;
                tally.refused.fetch_add(1, Ordering::SeqCst);
            }
            Err(problem) => return Err(problem),
        }
        sleep(Duration::from_millis(5 + random.below(40) as u64)).await;
    }
    Ok(())
}

/// Asks one instance for each page in turn, and compares with what had been confirmed before.
async fn read(http: Client, place: usize, facts: Vec<Arc<Fact>>, tally: Arc<Tally>) -> Outcome {
    for fact in facts.iter().cycle() {
        if tally.is_over() {
            break;
        }
        let confirmed = fact.confirmed.load(Ordering::SeqCst);
        let page = http.get(&fact.path).await?;
        let shown: u64 = page.is(200)?.value().and_then(|value| value.parse().ok()).unwrap_or(0);
        let count = if page.cache_status().is_degraded() { &tally.degraded } else { &tally.good };
        count.fetch_add(1, Ordering::SeqCst);
        if shown < confirmed && !page.cache_status().is_degraded() {
            let status = page.header("cache-status").unwrap_or("none");
            return fail(format!(
                "instance {place} showed {shown} after the invalidation of {confirmed} had returned; Cache-Status: {status}"
            ));
        }
        sleep(Duration::from_millis(3)).await;
    }
    Ok(())
}

/// One fault of an instance after the other, each followed by a while of health.
async fn disturb_instance(instance: &Instance, mut random: Random) -> Outcome {
    let Some(proxy) = &instance.proxy else { return fail("no proxy") };
    let started = Instant::now();
    while started.elapsed() < SPAN {
        let span = random.millis(200, 3_000);
        match random.below(5) {
            0 => proxy.cut(),
            1 => proxy.blackhole(),
            2 => proxy.mute(),
            3 => proxy.delay(Duration::from_millis(300)),
            _ => instance.server.pause().await?,
        }
        sleep(span).await;
        proxy.heal();
        instance.server.resume().await?;
        sleep(random.millis(500, 3_500)).await;
    }
    Ok(())
}

/// The same for Redis itself.
async fn disturb_redis(redis: &Redis, mut random: Random) -> Outcome {
    let started = Instant::now();
    while started.elapsed() < SPAN {
        let span = random.millis(50, 2_500);
        match random.below(4) {
            0 => {
                redis.pause().await?;
                sleep(span).await;
                redis.resume()?;
            }
            1 => {
                redis.kill().await?;
                sleep(span).await;
                redis.restart(Data::Kept).await?;
            }
            2 => {
                redis.kill().await?;
                sleep(span).await;
                redis.restart(Data::Emptied).await?;
            }
            _ => drop(redis.cli(["FLUSHALL"]).await?),
        }
        sleep(random.millis(500, 3_000)).await;
    }
    Ok(())
}

/// xorshift64: numbers that a seed repeats.
#[derive(Debug)]
struct Random(u64);

impl Random {
    /// Another sequence of the same seed.
    fn of(seed: u64, lane: usize) -> Self {
        Self(seed.wrapping_add(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(lane as u64 + 1)) | 1)
    }

    fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(1000) as u64 * (to - from) / 1000)
    }
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound.max(1) as u64).unwrap_or(0)
    }
}
