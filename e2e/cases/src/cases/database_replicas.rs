//! A database with replicas that are behind: visitors see what they wrote, and no page is made from what was before.

use super::cases;
use crate::{
    check::{Outcome, Problem, equal, that},
    client::Request,
    context::{Context, Many},
    expect::{HIT, RENEWED},
    instances::side_by_side,
    page::Page,
    replicated::{Replicated, write},
    visitor::Visitor,
};
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

cases! {
    33 "with replicas 5 s behind, the page of a row is made from the new row once a write has returned" => from_the_new_row;
    33 "the same on an instance that learns of the invalidation from another, whoever wrote" => from_the_new_row_elsewhere;
    - "with replicas 2 s behind, visitors who write and read a thousand times see each write, on either instance" => own_writes alone;
    - "while replicas are behind, all but the writer are answered by them" => by_replicas;
}

/// At least the five seconds of the titles: so long that also on a busy machine all is asked before the replicas have replayed
/// the write, which [`Replicated::replicas_have`] makes sure of.
const BEHIND: Duration = Duration::from_secs(20);

/// A row that all servers have as `old`, with its stored page on all instances.
async fn settled(all: &Replicated, name: &str) -> Result<(String, String), Problem> {
    let key = all.c.key(name);
    all.settle(&key, "old").await?;
    let path = format!("/db-isr/{key}");
    all.instances.all_show(&path, "old").await?;
    Ok((key, path))
}

async fn from_the_new_row(c: Context) -> Outcome {
    let all = Replicated::start(c, 2, 1).await?;
    let (key, path) = settled(&all, "behind").await?;
    let (cold, cold_path) = settled(&all, "cold").await?;
    all.fall_behind(BEHIND).await?;
    let http = all.at(0)?.http();
    write(&mut Visitor::new(), &http, &key, "new").await?.is(204)?;
    // Somebody else is the first to ask.
    http.get(&path).await?.shows("new")?.cache(RENEWED)?;
    http.get(&path).await?.shows("new")?.cache(HIT)?;
    // Many at once, and an invalidation that has nothing to do with the row: who renders last may not be older.
    write(&mut Visitor::new(), &http, &cold, "new").await?.is(204)?;
    for page in Many::start(&http, &cold_path, 20).answers().await? {
        page.shows("new")?;
    }
    all.c.invalidate_at(&http, json!({ "prefixes": ["/db-isr"] })).await?;
    http.get(&path).await?.shows("new")?;
    all.replicas_have(&key, "old").await?;
    all.replicas_have(&cold, "old").await
}

async fn from_the_new_row_elsewhere(c: Context) -> Outcome {
    let all = Replicated::start(c, 2, 2).await?;
    let mut rows = Vec::new();
    for name in ["written-here", "written-by-psql"] {
        rows.push(settled(&all, name).await?);
    }
    all.fall_behind(BEHIND).await?;
    let [first, second] = all.instances.pair()?.map(|instance| instance.http());
    for (number, (key, path)) in rows.iter().enumerate() {
        if number == 0 {
            write(&mut Visitor::new(), &first, key, "new").await?.is(204)?;
        } else {
            let sql = format!("update kv set value = 'new' where key = '{key}'");
            all.cluster.primary().psql("postgres", &sql).await?;
            all.c.invalidate_at(&first, json!({ "tags": [format!("db-{key}")] })).await?;
        }
        second.get(path).await?.shows("new").map_err(|problem| problem.during(key))?;
        first.get(path).await?.shows("new").map_err(|problem| problem.during(key))?;
        all.replicas_have(key, "old").await?;
    }
    Ok(())
}

async fn own_writes(c: Context) -> Outcome {
    const VISITORS: usize = 20;
    const ROUNDS: usize = 50;
    let all = Arc::new(Replicated::start(c, 2, 2).await?);
    all.fall_behind(Duration::from_secs(2)).await?;
    let [stale, behind] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
    let visitors = (0..VISITORS).map(|number| {
        let (all, stale, behind, key) = (all.clone(), stale.clone(), behind.clone(), all.c.key("mine"));
        async move {
            let (mut visitor, path) = (Visitor::new(), format!("/db/{key}"));
            for round in 0..ROUNDS {
                let value = format!("{number}-{round}");
                let [here, there] = [round, round + 1].map(|place| all.at(place));
                write(&mut visitor, &here?.http(), &key, &value).await?.is(204)?;
                let there = there?.http();
                let is_new = |page: Page| page.status == 200 && page.value().as_ref() == Some(&value);
                if !is_new(visitor.get(&there, &path).await?) {
                    stale.fetch_add(1, Ordering::Relaxed);
                }
                // Now and then somebody else looks, and may see the row of two seconds ago, or none.
                if round % 10 == 9 && !is_new(there.get(&path).await?) {
                    behind.fetch_add(1, Ordering::Relaxed);
                }
            }
            Ok(())
        }
    });
    side_by_side(visitors).await?;
    let others = VISITORS * ROUNDS / 10;
    let behind = behind.load(Ordering::Relaxed);
    that(behind > others / 2, format!("only {behind} of {others} other visitors were answered by replicas"))?;
    equal(&format!("stale of {}", VISITORS * ROUNDS), stale.load(Ordering::Relaxed), 0)
}

async fn by_replicas(c: Context) -> Outcome {
    let all = Replicated::start(c, 2, 2).await?;
    let (key, path) = (all.c.key("others"), |key: &str| format!("/db/{key}"));
    all.settle(&key, "old").await?;
    for replica in [0, 1] {
        all.cluster.pause_replay(replica).await?;
    }
    let mut writer = Visitor::new();
    let written = write(&mut writer, &all.at(0)?.http(), &key, "new").await?;
    let cookie = written.is(204)?.need("set-cookie")?.to_owned();
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        that(cookie.contains(attribute), format!("no {attribute} in Set-Cookie: {cookie}"))?;
    }
    // Signed: nobody can send reads to the primary by a cookie of their own.
    let (pair, _) = cookie.split_once(';').unwrap_or_default();
    let (kept, last) = pair.split_at_checked(pair.len().saturating_sub(1)).unwrap_or_default();
    let forged = format!("{kept}{}", if last == "0" { "1" } else { "0" });
    for place in 0..10 {
        let http = all.at(place)?.http();
        writer.get(&http, &path(&key)).await?.shows("new").map_err(|problem| problem.during("the writer"))?;
        // Only a replica still knows the old row.
        let other = http.get(&path(&key)).await?;
        other.shows("old")?.lacks("set-cookie").map_err(|problem| problem.during("another visitor"))?;
        let forger = http.send(&Request::get(&path(&key)).with("cookie", &forged)).await?;
        forger.shows("old").map_err(|problem| problem.during("a forged cookie"))?;
    }
    for replica in [0, 1] {
        all.cluster.resume_replay(replica).await?;
    }
    all.level().await?;
    // A server is looked at four times a second, but nothing that was replayed waits for a look.
    all.instances.all_show(&path(&key), "new").await
}
