//! Servers of the database that stop, die, freeze and change places, under load.

use super::cases;
use crate::{
    check::{Outcome, Problem, that, within},
    client::Client,
    context::Context,
    instances::Tries,
    load::Load,
    replicated::{Replicated, write},
    visitor::Visitor,
};
use std::time::Duration;
use tokio::time::{Instant, sleep};

cases! {
    - "a primary that is away for 10 s: pages and reads are answered, writes fail clearly within 2 s, and 2 s later all is well" => primary_away alone;
    - "a primary that freezes fails no read, and writes within 3 s; 2 s after it goes on all is well" => frozen_primary alone;
    - "a replica that is killed and one that freezes fail no read" => lost_replicas alone;
    - "a replica that is promoted takes the writes without a restart" => promotion alone;
}

/// How long may take what a title promises to take some seconds: generous, since the machine may be busy with something else,
/// and much shorter than statements and the wait for a connection may take here. What it took is told.
const PROMPT: Duration = Duration::from_secs(12);

/// Tells how long something took beside what was promised, and expects that it was prompt.
fn took(what: &str, promised: u64, took: Duration) -> Outcome {
    eprintln!("{what}: {took:?}; promised: {promised} s");
    within(&format!("seconds until {what}"), took.as_secs_f64(), 0.0..=PROMPT.as_secs_f64())
}

/// Rows that all servers have, one with a stored page, one without.
async fn rows(all: &Replicated, count: usize) -> Result<Vec<String>, Problem> {
    let mut keys = Vec::with_capacity(count);
    for _ in 0..count {
        let key = all.c.key("row");
        all.settle(&key, "before").await?;
        keys.push(key);
    }
    Ok(keys)
}

fn paths(route: &str, keys: &[String]) -> Vec<String> {
    keys.iter().map(|key| format!("/{route}/{key}")).collect()
}

fn servers(all: &Replicated) -> Vec<Client> {
    all.instances.iter().map(|instance| instance.http()).collect()
}

/// Writes until it is taken, which was promised to happen within so many seconds.
async fn until_written(all: &Replicated, key: &str, value: &str, promised: u64) -> Outcome {
    let (tries, began) = (Tries::within(PROMPT, "no write was taken"), Instant::now());
    let http = all.at(0)?.http();
    while write(&mut Visitor::new(), &http, key, value).await?.status != 204 {
        tries.again().await?;
    }
    took("a write was taken", promised, began.elapsed())
}

async fn primary_away(c: Context) -> Outcome {
    let all = Replicated::start(c, 2, 2).await?;
    let keys = rows(&all, 4).await?;
    let (stored, cold) = (paths("db-isr", &keys), all.c.key("cold"));
    all.settle(&cold, "before").await?;
    let mut writer = Visitor::new();
    write(&mut writer, &all.at(0)?.http(), "writers-own", "mine").await?.is(204)?;
    all.level().await?;
    for path in &stored {
        all.instances.all_show(path, "before").await?;
    }
    let servers = servers(&all);
    let mut pages = stored.clone();
    pages.push(format!("/isr/{}", all.c.key("page")));
    let [pages, reads] = [pages, paths("db", &keys)].map(|paths| Load::start(&servers, &paths));
    sleep(Duration::from_millis(500)).await;

    all.cluster.primary().kill().await?;
    let killed = Instant::now();
    // A page that nobody has asked for is made from a replica.
    all.instances.all_show(&format!("/db-isr/{cold}"), "before").await?;
    let mut slowest = Duration::ZERO;
    while killed.elapsed() < Duration::from_secs(10) {
        for place in [0, 1] {
            let asked = Instant::now();
            let answer = write(&mut Visitor::new(), &all.at(place)?.http(), &cold, "lost").await?;
            that((500..600).contains(&answer.status), format!("without a primary: {}", answer.status))?;
            slowest = slowest.max(asked.elapsed());
            writer.get(&all.at(place)?.http(), "/db/writers-own").await?.shows("mine")?;
        }
        sleep(Duration::from_millis(250)).await;
    }
    took("the slowest write failed", 2, slowest)?;
    all.cluster.primary().restart().await?;
    until_written(&all, &cold, "after", 2).await?;
    all.instances.all_show(&format!("/db-isr/{cold}"), "after").await?;
    for path in &stored {
        all.instances.all_show(path, "before").await?;
    }
    pages.stop().await.all_answered("stored pages", PROMPT)?;
    reads.stop().await.all_answered("reads", PROMPT)
}

async fn frozen_primary(c: Context) -> Outcome {
    let all = Replicated::start(c, 2, 2).await?;
    let keys = rows(&all, 2).await?;
    let load = Load::start(&servers(&all), &[paths("db", &keys), paths("db-isr", &keys)].concat());
    sleep(Duration::from_millis(300)).await;
    all.cluster.primary().freeze().await?;
    let key = all.c.key("row");
    for place in 0..4 {
        let asked = Instant::now();
        let answer = write(&mut Visitor::new(), &all.at(place)?.http(), &key, "lost").await?;
        that((500..600).contains(&answer.status), format!("of a frozen primary: {}", answer.status))?;
        took("a write failed", 3, asked.elapsed())?;
    }
    all.cluster.primary().thaw().await?;
    until_written(&all, &key, "after", 2).await?;
    all.instances.all_show(&format!("/db-isr/{key}"), "after").await?;
    load.stop().await.all_answered("reads", PROMPT)
}

async fn lost_replicas(c: Context) -> Outcome {
    let all = Replicated::start(c, 2, 2).await?;
    let keys = rows(&all, 2).await?;
    let load = Load::start(&[servers(&all), servers(&all)].concat(), &paths("db", &keys));
    sleep(Duration::from_millis(500)).await;
    all.cluster.replica(0).kill().await?;
    sleep(Duration::from_secs(1)).await;
    all.cluster.replica(1).freeze().await?;
    sleep(Duration::from_secs(2)).await;
    // Neither answers now, so the primary does.
    let key = all.c.key("row");
    until_written(&all, &key, "meanwhile", 2).await?;
    all.instances.all_show(&format!("/db-isr/{key}"), "meanwhile").await?;
    all.cluster.replica(1).thaw().await?;
    all.cluster.replica(0).restart().await?;
    sleep(Duration::from_secs(1)).await;
    load.stop().await.all_answered("reads", PROMPT)?;
    all.level().await?;
    all.instances.all_show(&format!("/db/{key}"), "meanwhile").await
}

async fn promotion(c: Context) -> Outcome {
    let all = Replicated::start(c, 2, 2).await?;
    let keys = rows(&all, 2).await?;
    let load = Load::start(&servers(&all), &paths("db", &keys));
    // As for a planned change: whoever is connected is told.
    all.cluster.primary().stop().await?;
    all.cluster.promote(0).await?;
    all.cluster.follow(1, 0).await?;
    let key = all.c.key("row");
    until_written(&all, &key, "promoted", 3).await?;
    let mut writer = Visitor::new();
    for place in 0..4 {
        let value = format!("promoted {place}");
        write(&mut writer, &all.at(place)?.http(), &key, &value).await?.is(204)?;
        writer.get(&all.at(place + 1)?.http(), &format!("/db/{key}")).await?.shows(&value)?;
        all.at(place + 1)?.get(&format!("/db-isr/{key}")).await?.shows(&value)?;
    }
    load.stop().await.all_answered("reads", PROMPT)
}
