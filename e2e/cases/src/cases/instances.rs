//! Several instances that share a Redis in good health: what one knows, all know.

use super::cases;
use crate::{
    check::{Outcome, Problem, equal, that, within},
    context::{Context, Many},
    events::Events,
    expect::{HIT, STALE, STORED},
    instances::{Instances, Tries, new_or_degraded, side_by_side},
};
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;
use tropos_parts::{FaultProxy, Redis};

cases! {
    21 "a tag that is invalidated on one instance changes the pages of the other that carry it, and no others" => tags;
    22 "a soft invalidation on one instance serves the old body once more on the other, and then the new" => soft;
    23 "a path and a prefix that are invalidated on one instance are so on the other" => paths;
    25 "an invalidation on one instance while the other renders is not lost" => during_render;
    25 "an invalidation on one instance while the other fetches is not lost" => during_fetch;
    25 "an invalidation on one instance while the other's cached function runs is not lost" => during_function;
    26 "an invalidation survives kill -9 of an instance, and reaches one that was dead" => after_kill;
    27 "an invalidation on any of three instances is visible on all when the call returns" => visible_everywhere;
    27 "an instance whose connections to Redis were cut meanwhile gives no old answer as a good one" => after_cut;
    27 "an instance whose connections to Redis fell silent meanwhile gives no old answer as a good one" => after_silence;
    27 "a live page that is open on one instance is told what was invalidated on the other" => open_live_page;
    27 "the stream of a live page may be opened on another instance than the page" => stream_elsewhere;
    28 "a page that one instance has rendered is a hit on the other" => shared_entry;
    28 "a cold page that two instances are asked for fifty times each is rendered once" => one_cold_render;
    28 "a stale page that two instances are asked for fifty times each is rendered once" => one_stale_render;
}

async fn pair(c: Context) -> Result<(Context, Redis, Instances), Problem> {
    c.need_binary()?;
    let c = c.with_own_upstream().await?;
    let redis = Redis::start().await?;
    let instances = Instances::start(&c, &redis, 2, &[]).await?;
    Ok((c, redis, instances))
}

async fn tags(c: Context) -> Outcome {
    let (c, _redis, both) = pair(c).await?;
    tags_reach(&c, &both).await
}

/// Also for other kinds of Redis.
pub(super) async fn tags_reach(c: &Context, both: &Instances) -> Outcome {
    let keys = [c.key("one"), c.key("other")];
    let [one, other] = keys.each_ref().map(|key| format!("/demand/{key}"));
    let reads = keys.map(|key| format!("demand-{key}"));
    for (path, read) in [&one, &other].into_iter().zip(&reads) {
        c.upstream.set(read, "old");
        both.all_show(path, "old").await?;
        c.upstream.set(read, "new");
    }
    let [tag, _] = reads;
    both.invalidate(c, 0, &tag).await?;
    let second = both.at_place(1)?;
    second.get(&one).await?.shows("new")?;
    second.get(&other).await?.shows("old")?.cache(HIT)?;
    // What data carries goes the same way.
    for route in ["fetch", "cached", "nested"] {
        let key = c.key("data");
        let (path, read) = (format!("/{route}/{key}"), format!("{route}-{key}"));
        c.upstream.set(&read, "old");
        both.all_show(&path, "old").await?;
        c.upstream.set(&read, "new");
        both.invalidate(c, 0, &read).await?;
        second.get(&path).await?.shows("new")?;
    }
    Ok(())
}

async fn soft(c: Context) -> Outcome {
    let (c, _redis, both) = pair(c).await?;
    soft_reaches(&c, &both).await
}

/// Also for other kinds of Redis.
pub(super) async fn soft_reaches(c: &Context, both: &Instances) -> Outcome {
    let key = c.key("soft");
    let (path, read) = (format!("/demand/{key}"), format!("demand-{key}"));
    c.upstream.set(&read, "old");
    both.all_show(&path, "old").await?;
    c.upstream.set(&read, "new");
    both.invalidate_by(c, 0, json!({ "tags": [read], "soft": true })).await?;
    both.at_place(1)?.get(&path).await?.shows("old")?.cache(STALE)?;
    both.until_all_show(&path, "new", Duration::from_secs(5)).await
}

async fn paths(c: Context) -> Outcome {
    let (c, _redis, both) = pair(c).await?;
    paths_reach(&c, &both).await
}

/// Also for other kinds of Redis.
pub(super) async fn paths_reach(c: &Context, both: &Instances) -> Outcome {
    let key = c.key("path");
    let (path, paged) = (format!("/query/{key}"), format!("/query/{key}?page=2"));
    for (round, way) in [("first", json!({ "paths": [path] })), ("second", json!({ "prefixes": ["/query"] }))]
    {
        for page in ["1", "2"] {
            c.upstream.set(&format!("query-{key}-{page}"), &format!("before the {round}"));
        }
        // The first time nothing is there yet; later all is there, and old.
        both.invalidate_by(c, 1, json!({ "paths": [path] })).await?;
        both.all_show(&path, &format!("before the {round}")).await?;
        both.all_show(&paged, &format!("before the {round}")).await?;
        for page in ["1", "2"] {
            c.upstream.set(&format!("query-{key}-{page}"), round);
        }
        both.invalidate_by(c, 0, way).await?;
        let second = both.at_place(1)?;
        second.get(&path).await?.shows(round)?;
        second.get(&paged).await?.shows(round)?;
    }
    Ok(())
}

async fn during_render(c: Context) -> Outcome {
    invalidated_during(c, "demand").await
}

async fn during_fetch(c: Context) -> Outcome {
    invalidated_during(c, "fetch").await
}

async fn during_function(c: Context) -> Outcome {
    invalidated_during(c, "cached").await
}

/// The first instance renders, the second invalidates, and both are asked before and after that render has ended.
async fn invalidated_during(c: Context, route: &str) -> Outcome {
    let (c, _redis, both) = pair(c).await?;
    let key = c.key("during");
    let (path, read) = (format!("/{route}/{key}"), format!("{route}-{key}"));
    c.upstream.set(&read, "old");
    let gate = c.upstream.hold(&read);
    let [first, second] = both.pair()?;
    let early = Many::start(&first.http(), &path, 1);
    that(c.upstream.called(&read, 1).await, "no read was started")?;
    c.upstream.set(&read, "new");
    c.upstream.let_pass(&read);
    both.invalidate(&c, 1, &read).await?;
    let late = [first, second].map(|instance| Many::start(&instance.http(), &path, 3));
    sleep(Duration::from_millis(200)).await;
    gate.release();
    for (place, asked) in late.into_iter().enumerate() {
        for page in asked.answers().await? {
            page.shows("new").map_err(|problem| {
                problem.during(&format!("instance {place}, asked after the invalidation had returned"))
            })?;
        }
    }
    early.answer().await?.is(200)?;
    both.all_show(&path, "new").await.map_err(|problem| problem.during("asked after all reads had ended"))
}

async fn after_kill(c: Context) -> Outcome {
    let (c, _redis, mut both) = pair(c).await?;
    let keys = ["before", "meanwhile", "all-dead"].map(|name| c.key(name));
    let paths = keys.each_ref().map(|key| format!("/demand/{key}"));
    let reads = keys.map(|key| format!("demand-{key}"));
    for (path, read) in paths.iter().zip(&reads) {
        c.upstream.set(read, "old");
        both.all_show(path, "old").await?;
        c.upstream.set(read, "new");
    }
    let ([before, meanwhile, all_dead], [path_before, path_meanwhile, path_all_dead]) = (reads, paths);
    // Entries may reach a disk behind the answers, and must not come back from there.
    sleep(Duration::from_millis(700)).await;
    both.invalidate(&c, 0, &before).await?;
    both.at_place_mut(1)?.server.kill().await?;
    let took = both.invalidate(&c, 0, &meanwhile).await?;
    within("seconds for which a dead instance held an invalidation up", took.as_secs_f64(), 0.0..=4.0)?;
    both.at_place_mut(1)?.server.restart().await?;
    let second = both.at_place(1)?;
    for path in [&path_before, &path_meanwhile] {
        second.get(path).await?.shows("new").map_err(|problem| problem.during("first after the restart"))?;
    }
    both.invalidate(&c, 1, &all_dead).await?;
    both.at_place_mut(0)?.server.kill().await?;
    both.at_place_mut(1)?.server.kill().await?;
    for place in [0, 1] {
        both.at_place_mut(place)?.server.restart().await?;
        both.at_place(place)?
            .get(&path_all_dead)
            .await?
            .shows("new")
            .map_err(|problem| problem.during("first after both had been killed"))?;
    }
    Ok(())
}

/// Rounds of one invalidation each. Any old answer is a failure.
pub(super) async fn rounds(c: Context, instances: Arc<Instances>, lane: usize, count: usize) -> Outcome {
    let key = c.key("round");
    let (path, read) = (format!("/demand/{key}"), format!("demand-{key}"));
    c.upstream.set(&read, "0");
    instances.all_show(&path, "0").await?;
    for round in 1..=count {
        let (from, value) = ((round + lane) % instances.count(), round.to_string());
        c.upstream.set(&read, &value);
        instances.invalidate(&c, from, &read).await?;
        let shown = instances.all_show(&path, &value).await;
        shown.map_err(|problem| problem.during(&format!("round {round}, invalidated on instance {from}")))?;
    }
    Ok(())
}

async fn visible_everywhere(c: Context) -> Outcome {
    c.need_binary()?;
    let c = c.with_own_upstream().await?;
    let redis = Redis::start().await?;
    let three = Arc::new(Instances::start(&c, &redis, 3, &[]).await?);
    // 200 rounds, four at a time, so that invalidations also overtake each other.
    side_by_side((0..4).map(|lane| rounds(c.clone(), three.clone(), lane, 50))).await
}

async fn after_cut(c: Context) -> Outcome {
    missed_meanwhile(c, FaultProxy::cut).await
}

async fn after_silence(c: Context) -> Outcome {
    missed_meanwhile(c, FaultProxy::blackhole).await
}

async fn missed_meanwhile(c: Context, fault: fn(&FaultProxy)) -> Outcome {
    let (c, _redis, both) = pair(c).await?;
    let key = c.key("meanwhile");
    let (path, read) = (format!("/demand/{key}"), format!("demand-{key}"));
    c.upstream.set(&read, "old");
    both.all_show(&path, "old").await?;
    let [first, second] = both.pair()?;
    let proxy = second.proxy.as_ref().ok_or_else(|| Problem::Failed("no proxy".into()))?;
    fault(proxy);
    c.upstream.set(&read, "new");
    let took = both.invalidate(&c, 0, &read).await?;
    within("seconds for which a cut-off instance held an invalidation up", took.as_secs_f64(), 0.0..=4.0)?;
    first.get(&path).await?.shows("new")?;
    for _ in 0..20 {
        new_or_degraded(&second.get(&path).await?, "old", "new")
            .map_err(|problem| problem.during("while it was cut off"))?;
        sleep(Duration::from_millis(10)).await;
    }
    proxy.heal();
    // From the healing on without a pause, until it is one of many again.
    let tries = Tries::within(Duration::from_secs(10), "it did not come back");
    loop {
        let page = second.get(&path).await?;
        new_or_degraded(&page, "old", "new").map_err(|problem| problem.during("after the healing"))?;
        if !page.cache_status().is_degraded() {
            break;
        }
        tries.again().await?;
    }
    second.get(&path).await?.shows("new")?.cache(HIT)?;
    c.upstream.set(&read, "newest");
    both.invalidate(&c, 1, &read).await?;
    both.all_show(&path, "newest").await
}

async fn open_live_page(c: Context) -> Outcome {
    let (c, _redis, both) = pair(c).await?;
    let key = c.key("live");
    let (path, read) = (format!("/live/{key}"), format!("live-{key}"));
    c.upstream.set(&read, "value 0");
    let [first, second] = both.pair()?;
    let page = first.get(&path).await?;
    let mut events = Events::open(&first.http(), &page.shows("value 0")?.need_live_url()?, None).await?;
    for number in 1..4 {
        let value = format!("value {number}");
        c.upstream.set(&read, &value);
        both.invalidate(&c, number % 2, &read).await?;
        events.containing(&value).await?;
    }
    // The proxy of the first falls silent: what it missed is told when that is over.
    let proxy = first.proxy.as_ref().ok_or_else(|| Problem::Failed("no proxy".into()))?;
    proxy.blackhole();
    c.upstream.set(&read, "value missed");
    both.invalidate(&c, 1, &read).await?;
    second.get(&path).await?.shows("value missed")?;
    proxy.heal();
    events.containing("value missed").await.map(drop)
}

async fn stream_elsewhere(c: Context) -> Outcome {
    let (c, _redis, both) = pair(c).await?;
    let key = c.key("live");
    let (path, read) = (format!("/live/{key}"), format!("live-{key}"));
    c.upstream.set(&read, "value 0");
    let [first, second] = both.pair()?;
    let url = first.get(&path).await?.shows("value 0")?.need_live_url()?;
    // What changes between the page and its stream is not lost either.
    c.upstream.set(&read, "value 1");
    both.invalidate(&c, 0, &read).await?;
    let mut events = Events::open(&second.http(), &url, None).await?;
    events.containing("value 1").await?;
    c.upstream.set(&read, "value 2");
    both.invalidate(&c, 0, &read).await?;
    events.containing("value 2").await.map(drop)
}

async fn shared_entry(c: Context) -> Outcome {
    let (c, _redis, both) = pair(c).await?;
    for (first, second) in [(0, 1), (1, 0)] {
        let key = c.key("shared");
        let path = format!("/demand/{key}");
        let rendered = both.at_place(first)?.get(&path).await?;
        rendered.is(200)?.cache(STORED)?;
        // Entries reach the store behind the answers.
        let tries = Tries::within(Duration::from_secs(3), "the other instance rendered by itself");
        while both.at_place(second)?.get(&path).await?.is(200)?.same_body(&rendered).is_err() {
            tries.again().await?;
        }
        both.at_place(second)?.get(&path).await?.same_body(&rendered)?.cache(HIT)?;
        equal("reads of the data", c.upstream.calls(&format!("demand-{key}")), 1)?;
    }
    Ok(())
}

async fn one_cold_render(c: Context) -> Outcome {
    let (c, _redis, both) = pair(c).await?;
    let key = c.key("cold");
    let (path, read) = (format!("/demand/{key}"), format!("demand-{key}"));
    c.upstream.delay(&read, Duration::from_millis(400));
    let asked: Vec<_> = both.iter().map(|instance| Many::start(&instance.http(), &path, 50)).collect();
    for many in asked {
        for page in many.answers().await? {
            page.shows(&format!("{read}=1"))?;
        }
    }
    equal("reads of the data", c.upstream.calls(&read), 1)
}

async fn one_stale_render(c: Context) -> Outcome {
    let (c, _redis, both) = pair(c).await?;
    // Stale by its age, and stale because somebody said so.
    let keys = [c.key("aged"), c.key("said")];
    let [aged, said] = keys;
    let pages = [("isr", aged), ("demand", said)];
    for (route, key) in &pages {
        c.upstream.set(&format!("{route}-{key}"), "old");
        both.at_place(0)?.get(&format!("/{route}/{key}")).await?.shows("old")?;
    }
    sleep(Duration::from_millis(2_200)).await;
    for (route, key) in &pages {
        let (path, read) = (format!("/{route}/{key}"), format!("{route}-{key}"));
        // So that both have it, whatever their ages.
        if *route == "demand" {
            both.all_show(&path, "old").await?;
            both.invalidate_by(&c, 1, json!({ "tags": [read], "soft": true })).await?;
        }
        c.upstream.set(&read, "new");
        c.upstream.delay(&read, Duration::from_millis(400));
        let asked: Vec<_> = both.iter().map(|instance| Many::start(&instance.http(), &path, 50)).collect();
        for many in asked {
            for page in many.answers().await? {
                page.shows("old").map_err(|problem| problem.during("served while one renders"))?;
            }
        }
        both.until_all_show(&path, "new", Duration::from_secs(5)).await?;
        equal(&format!("reads of the data of /{route}"), c.upstream.calls(&read), 2)?;
    }
    Ok(())
}
