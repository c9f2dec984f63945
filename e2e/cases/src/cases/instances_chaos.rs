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
    let instances = Instances::start(&c, &redis, INSTANCES, &[]).await?;
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
        tasks.push(tokio::spawn(write(c.clone(), fact.clone(), clients.clone(), tally.clone(), seed)));
    }
    for (place, http) in clients.iter().enumerate() {
        tasks.push(tokio::spawn(read(http.clone(), place, facts.clone(), tally.clone())));
    }
    let disturbed = disturb(&instances, &redis, &mut Random(seed | 1)).await;
    tally.over.store(true, Ordering::SeqCst);
    let mut outcome = disturbed;
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
    outcome.map_err(|problem| problem.during(&tallied))?;
    // Otherwise nothing was shown.
    that(good > 200 && degraded > 0 && invalidations > 20 && refused > 0, tallied)?;
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
async fn write(c: Context, fact: Arc<Fact>, clients: Vec<Client>, tally: Arc<Tally>, seed: u64) -> Outcome {
    let mut random = Random(seed ^ RandomState::new().hash_one(&fact.read) | 1);
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

/// One fault after the other, each followed by a while of health.
async fn disturb(instances: &Instances, redis: &Redis, random: &mut Random) -> Outcome {
    let started = Instant::now();
    let mut faults: Vec<usize> = Vec::new();
    while started.elapsed() < SPAN {
        // Each kind once before any comes again.
        if faults.is_empty() {
            faults = (0..8).collect();
        }
        let fault = faults.swap_remove(random.below(faults.len()));
        let instance = instances.at_place(random.below(instances.count()))?;
        let span = Duration::from_millis(200 + random.below(800) as u64);
        let Some(proxy) = &instance.proxy else { return fail("no proxy") };
        match fault {
            0 => proxy.cut(),
            1 => proxy.blackhole(),
            2 => proxy.mute(),
            3 => proxy.delay(Duration::from_millis(300)),
            4 => redis.pause().await?,
            5 => {
                redis.kill().await?;
                sleep(span).await;
                redis.restart(Data::Kept).await?;
            }
            6 => {
                redis.kill().await?;
                redis.restart(Data::Emptied).await?;
            }
            // Longer than a lease.
            _ => {
                instance.server.pause().await?;
                sleep(Duration::from_millis(2_600)).await;
                instance.server.resume().await?;
            }
        }
        sleep(span).await;
        proxy.heal();
        if fault == 4 {
            redis.resume()?;
        }
        sleep(Duration::from_millis(100 + random.below(900) as u64)).await;
    }
    Ok(())
}

/// xorshift64: numbers that a seed repeats.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound.max(1) as u64).unwrap_or(0)
    }
}
