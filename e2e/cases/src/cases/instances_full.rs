//! A Redis without room.

use super::cases;
use crate::{
    check::{Outcome, Problem, equal, that, within},
    context::Context,
    instances::{Instances, all},
};
use std::hash::{BuildHasher, RandomState};
use tropos_parts::{Redis, RedisOptions};

cases! {
    63 "a Redis that is full drops entries, stays within its bound, and carries invalidations" => evicting;
    63 "a Redis that is full and drops nothing still carries invalidations" => refusing;
    63 "pages that are not there leave nothing in Redis" => not_found;
}

/// Redis itself takes one of them.
const BOUND: u64 = 3 << 20;
/// More than has room, at 20 KiB each that no compression makes smaller.
const PAGES: usize = 240;

async fn evicting(c: Context) -> Outcome {
    let redis = full(c, "volatile-lru").await?;
    let evicted = number(&redis, "stats", "evicted_keys:").await?;
    that(evicted > 0, "Redis was never full")
}

async fn refusing(c: Context) -> Outcome {
    let redis = full(c, "noeviction").await?;
    equal("entries that were dropped", number(&redis, "stats", "evicted_keys:").await?, 0)
}

async fn full(c: Context, policy: &str) -> Result<Redis, Problem> {
    c.need_binary()?;
    let c = c.with_own_upstream().await?;
    let redis = RedisOptions::new().maxmemory(&BOUND.to_string(), policy).start().await?;
    let both = Instances::start(&c, &redis, 2, &[]).await?;
    let key = c.key("before");
    let (path, read) = (format!("/demand/{key}"), format!("demand-{key}"));
    c.upstream.set(&read, "old");
    both.all_show(&path, "old").await?;
    let keys: Vec<_> = (0..PAGES).map(|_| c.key("filling")).collect();
    for some in keys.chunks(8) {
        let asked = some.iter().map(|key| {
            let (value, path) = (incompressible(), format!("/demand/{key}"));
            c.upstream.set(&format!("demand-{key}"), &value);
            let http = both.at_place(0).map(|instance| instance.http());
            tokio::spawn(async move {
                let page = http?.get(&path).await?;
                that(
                    page.status == 200 && page.value() == Some(value),
                    "a page of the flood is not as it should be",
                )
            })
        });
        all(asked.collect()).await?;
    }
    let used = number(&redis, "memory", "used_memory:").await?;
    // What is on its way to a client counts beyond the bound.
    within("bytes that Redis uses", used, BOUND / 2..=BOUND * 5 / 4)?;
    let entries = number(&redis, "keyspace", "db0:keys=").await?;
    that(entries < PAGES as u64, format!("all {entries} entries have room: nothing was shown"))?;
    for round in 0..10 {
        let value = round.to_string();
        c.upstream.set(&read, &value);
        both.invalidate(&c, round % 2, &read).await?;
        both.all_show(&path, &value).await?;
    }
    Ok(redis)
}

async fn not_found(c: Context) -> Outcome {
    c.need_binary()?;
    let c = c.with_own_upstream().await?;
    let redis = Redis::start().await?;
    let both = Instances::start(&c, &redis, 2, &[]).await?;
    both.all_show("/demand/there", "demand-there=1").await?;
    // Turns to render run out by themselves, some seconds later; the tags have a few keys of their own, however many pages there are, which
    // come as instances tell of themselves. All else would be there for good.
    let kept = async || -> Result<Vec<String>, Problem> {
        let all = redis.cli(["KEYS", "*"]).await?;
        let of_pages = |key: &&str| !key.contains(":tags}") && !key.contains(":turn:");
        let mut kept: Vec<String> = all.lines().filter(of_pages).map(str::to_owned).collect();
        kept.sort_unstable();
        Ok(kept)
    };
    let before = kept().await?;
    for _ in 0..100 {
        let key = c.key("nowhere");
        c.upstream.not_found(&format!("demand-{key}"));
        for path in [format!("/demand/{key}"), format!("/no-such-route/{key}"), format!("/closed/{key}")] {
            both.at_place(0)?.get(&path).await?.is(404)?;
        }
    }
    let after = kept().await?;
    equal("entries", after.len(), 1)?;
    equal("keys", after, before)
}

/// A number of `INFO`.
async fn number(redis: &Redis, section: &str, name: &str) -> Result<u64, Problem> {
    let info = redis.cli(["INFO", section]).await?;
    let text = info.lines().find_map(|line| line.strip_prefix(name));
    let digits = text.map(|text| text.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default());
    match digits.and_then(|digits| digits.parse().ok()) {
        Some(number) => Ok(number),
        None => Err(Problem::Failed(format!("INFO {section} has no {name}"))),
    }
}

/// 20 KiB of text that differs each time.
fn incompressible() -> String {
    let state = RandomState::new();
    (0..1280).map(|number: u32| format!("{:016x}", state.hash_one(number))).collect()
}
