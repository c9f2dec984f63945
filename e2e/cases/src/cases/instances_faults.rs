//! Several instances, and a Redis or one of them that fails.

use super::cases;
use crate::{
    check::{Outcome, Problem, that, within},
    context::{Context, Many},
    expect::{HIT, STALE},
    instances::{Instances, Tries, new_or_degraded},
};
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tropos_parts::{Data, Redis};

cases! {
    27 "an instance that was killed does not hold an invalidation up" => killed_instance;
    27 "an instance that was asked to end does not hold an invalidation up at all" => ended_instance;
    27 "an instance that stood still does not hold an invalidation up, and its first answer is new data" => paused_instance;
    27 "an instance that Redis hears and that does not hear Redis gives no old answer as a good one" => deaf_instance;
    28 "an instance that is killed while it renders does not keep the other from rendering" => killed_renderer;
    29 "without Redis pages are served and marked degraded, and an invalidation fails with 503" => without_redis;
    29 "after Redis comes back empty nothing old counts as fresh" => emptied_redis;
    29 "where Redis was emptied while no instance ran, nothing that had been invalidated comes back" => emptied_meanwhile;
    29 "an instance that starts without Redis serves pages" => started_without_redis;
    29 "without Redis for longer than TROPOS_DEGRADED_SECONDS pages are rendered afresh" => degraded_too_long;
    30 "a slow Redis does not make requests slow, and the circuit is seen in a metric" => slow_redis alone;
    30 "a Redis that stands still does not make requests slow, and what it missed is made good" => paused_redis alone;
}

/// How long an instance may take to find that Redis is back: its pause between two tries, and the catching up.
const RECOVERY: Duration = Duration::from_secs(10);

const CIRCUIT: &str = "tropos_cache_shared_circuit_open";

async fn several(
    c: Context,
    count: usize,
    extra: &[(&str, &str)],
) -> Result<(Context, Redis, Instances), Problem> {
    c.need_binary()?;
    let c = c.with_own_upstream().await?;
    let redis = Redis::start().await?;
    let instances = Instances::start(&c, &redis, count, extra).await?;
    Ok((c, redis, instances))
}

/// A page that all instances hold with the value `old`.
async fn warm(c: &Context, instances: &Instances, name: &str) -> Result<(String, String), Problem> {
    let key = c.key(name);
    let (path, read) = (format!("/demand/{key}"), format!("demand-{key}"));
    c.upstream.set(&read, "old");
    instances.all_show(&path, "old").await?;
    Ok((path, read))
}

async fn killed_instance(c: Context) -> Outcome {
    let (c, _redis, mut three) = several(c, 3, &[]).await?;
    let (path, read) = warm(&c, &three, "killed").await?;
    three.at_place_mut(2)?.server.kill().await?;
    c.upstream.set(&read, "new");
    let took = three.invalidate(&c, 0, &read).await?;
    within("seconds for the first invalidation", took.as_secs_f64(), 0.0..=4.0)?;
    for place in [0, 1] {
        three.at_place(place)?.get(&path).await?.shows("new")?;
    }
    // The dead one is forgotten by now.
    let took = three.invalidate(&c, 1, &read).await?;
    within("seconds for the second invalidation", took.as_secs_f64(), 0.0..=2.0)
}

async fn ended_instance(c: Context) -> Outcome {
    let (c, _redis, mut both) = several(c, 2, &[]).await?;
    let (path, read) = warm(&c, &both, "ended").await?;
    // The first one after the start of a Redis waits for leases of which an earlier Redis may have known.
    both.invalidate(&c, 0, "unused").await?;
    both.at_place_mut(1)?.server.ask_to_end().await?;
    let status = both.at_place_mut(1)?.server.ended().await?;
    that(status.success(), format!("ended with {status}"))?;
    c.upstream.set(&read, "new");
    let took = both.invalidate(&c, 0, &read).await?;
    within("seconds for the invalidation", took.as_secs_f64(), 0.0..=1.0)?;
    both.at_place(0)?.get(&path).await?.shows("new").map(drop)
}

async fn paused_instance(c: Context) -> Outcome {
    let (c, _redis, both) = several(c, 2, &[]).await?;
    let (path, read) = warm(&c, &both, "paused").await?;
    let [first, second] = both.pair()?;
    second.server.pause().await?;
    c.upstream.set(&read, "new");
    let took = both.invalidate(&c, 0, &read).await;
    // Asked after the invalidation, and answered as soon as it goes on.
    let waiting = Many::start(&second.http(), &path, 10);
    sleep(Duration::from_millis(50)).await;
    second.server.resume().await?;
    within("seconds for the invalidation", took?.as_secs_f64(), 0.0..=4.0)?;
    for page in waiting.answers().await? {
        page.shows("new").map_err(|problem| problem.during("first answers after it went on"))?;
    }
    first.get(&path).await?.shows("new")?;
    second.get(&path).await?.shows("new")?;
    Ok(())
}

async fn deaf_instance(c: Context) -> Outcome {
    let (c, _redis, both) = several(c, 2, &[]).await?;
    let (path, read) = warm(&c, &both, "deaf").await?;
    let [first, second] = both.pair()?;
    let proxy = second.proxy.as_ref().ok_or_else(|| Problem::Failed("no proxy".into()))?;
    proxy.mute();
    c.upstream.set(&read, "new");
    // Its lease is renewed in Redis all the time, so that whoever invalidates may not get the better of it.
    let started = Instant::now();
    let status = c.revalidate_at(&first.http(), &json!({ "tags": [read] })).await?.status;
    within("seconds for the invalidation", started.elapsed().as_secs_f64(), 0.0..=6.0)?;
    that(status == 200 || status == 503, format!("revalidation answered {status}"))?;
    for _ in 0..20 {
        let page = second.get(&path).await?;
        let honest =
            if status == 200 { new_or_degraded(&page, "old", "new") } else { page.is(200).map(drop) };
        honest.map_err(|problem| problem.during("while it hears nothing"))?;
        sleep(Duration::from_millis(10)).await;
    }
    proxy.heal();
    both.settled(&path, RECOVERY).await?;
    both.invalidate(&c, 0, &read).await?;
    both.all_show(&path, "new").await
}

async fn killed_renderer(c: Context) -> Outcome {
    let (c, _redis, mut both) = several(c, 2, &[]).await?;
    let (stale, stale_read) = warm(&c, &both, "stale").await?;
    let key = c.key("cold");
    let (cold, cold_read) = (format!("/demand/{key}"), format!("demand-{key}"));
    both.invalidate_by(&c, 0, json!({ "tags": [stale_read], "soft": true })).await?;
    let gates = [&cold_read, &stale_read].map(|read| c.upstream.hold(read));
    let first = both.at_place(0)?.http();
    let dying = Many::start(&first, &cold, 1);
    first.get(&stale).await?.shows("old")?.cache(STALE)?;
    that(c.upstream.called(&cold_read, 1).await, "no render of the cold page was started")?;
    that(c.upstream.called(&stale_read, 2).await, "no render of the stale page was started")?;
    both.at_place_mut(0)?.server.kill().await?;
    drop(dying);
    for read in [&cold_read, &stale_read] {
        c.upstream.set(read, "new");
        c.upstream.let_pass(read);
    }
    let (second, started) = (both.at_place(1)?, Instant::now());
    second.get(&stale).await?.shows("old")?.cache(STALE)?;
    within("seconds for the stale page", started.elapsed().as_secs_f64(), 0.0..=1.0)?;
    second.get(&cold).await?.shows("new")?;
    within("seconds for the cold page", started.elapsed().as_secs_f64(), 0.0..=8.0)?;
    let tries = Tries::within(Duration::from_secs(8), "the stale page was never rendered again");
    while second.get(&stale).await?.value().as_deref() != Some("new") {
        tries.again().await?;
    }
    drop(gates);
    Ok(())
}

async fn without_redis(c: Context) -> Outcome {
    let (c, redis, both) = several(c, 2, &[]).await?;
    let (path, read) = warm(&c, &both, "degraded").await?;
    redis.stop().await?;
    // As long as its lease runs, an instance need not know.
    let tries = Tries::within(Duration::from_secs(5), "answers are not marked degraded");
    loop {
        let mut degraded = true;
        for page in both.get_all(&path).await? {
            degraded &= page.shows("old")?.cache_status().is_degraded();
        }
        if degraded {
            break;
        }
        tries.again().await?;
    }
    for instance in both.iter() {
        let answer = c.revalidate_at(&instance.http(), &json!({ "tags": [read] })).await?;
        answer.is(503)?;
    }
    // A page that nobody has yet is rendered.
    let cold = c.key("cold");
    both.all_show(&format!("/demand/{cold}"), &format!("demand-{cold}=1")).await?;
    both.all_show(&path, "old").await?;
    redis.restart(Data::Emptied).await?;
    both.settled(&path, RECOVERY).await?;
    c.upstream.set(&read, "new");
    both.invalidate(&c, 0, &read).await?;
    both.all_show(&path, "new").await
}

async fn emptied_redis(c: Context) -> Outcome {
    let (c, redis, both) = several(c, 2, &[]).await?;
    let (path, read) = warm(&c, &both, "emptied").await?;
    // A page of the build that was invalidated: the build's own must not come back.
    let (built, built_read) = ("/closed/ajar", "closed-ajar");
    c.upstream.set(built_read, "old");
    both.invalidate(&c, 0, built_read).await?;
    both.all_show(built, "old").await?;
    for (read, value) in [(&*read, "new"), (built_read, "new")] {
        c.upstream.set(read, value);
    }
    redis.stop().await?;
    redis.restart(Data::Emptied).await?;
    // Within its lease an instance may not have asked yet; what it serves then is as good as before the loss.
    sleep(Duration::from_millis(2_500)).await;
    let tries = Tries::within(RECOVERY, "the instances did not come back");
    loop {
        let mut settled = true;
        for path in [&*path, built] {
            for (place, page) in both.get_all(path).await?.iter().enumerate() {
                let honest = new_or_degraded(page, "old", "new");
                honest.map_err(|problem| problem.during(&format!("instance {place}")))?;
                settled &= !page.cache_status().is_degraded();
            }
        }
        if settled {
            break;
        }
        tries.again().await?;
    }
    both.all_show(&path, "new").await?;
    both.all_show(built, "new").await?;
    both.invalidate(&c, 1, &read).await.map(drop)
}

async fn emptied_meanwhile(c: Context) -> Outcome {
    let (c, redis, mut both) = several(c, 2, &[]).await?;
    let (path, read) = warm(&c, &both, "nobody").await?;
    let (built, built_read) = ("/closed/open", "closed-open");
    for read in [&*read, built_read] {
        c.upstream.set(read, "new");
        both.invalidate(&c, 0, read).await?;
    }
    both.all_show(&path, "new").await?;
    both.all_show(built, "new").await?;
    for place in [0, 1] {
        both.at_place_mut(place)?.server.kill().await?;
    }
    redis.restart(Data::Emptied).await?;
    for place in [0, 1] {
        both.at_place_mut(place)?.server.restart().await?;
    }
    both.all_show(&path, "new").await?;
    both.all_show(built, "new").await.map_err(|problem| problem.during("a page of the build"))
}

async fn started_without_redis(c: Context) -> Outcome {
    c.need_binary()?;
    let c = c.with_own_upstream().await?;
    let redis = Redis::start().await?;
    redis.stop().await?;
    let both = Instances::start(&c, &redis, 2, &[]).await?;
    let key = c.key("alone");
    let (path, read) = (format!("/demand/{key}"), format!("demand-{key}"));
    c.upstream.set(&read, "old");
    both.all_show(&path, "old").await?;
    let answer = c.revalidate_at(&both.at_place(0)?.http(), &json!({ "tags": [read] })).await?;
    answer.is(503)?;
    redis.restart(Data::Emptied).await?;
    both.settled(&path, RECOVERY).await?;
    c.upstream.set(&read, "new");
    both.invalidate(&c, 0, &read).await?;
    both.all_show(&path, "new").await
}

async fn degraded_too_long(c: Context) -> Outcome {
    let (c, redis, both) = several(c, 2, &[("TROPOS_DEGRADED_SECONDS", "2")]).await?;
    let (path, read) = warm(&c, &both, "too-long").await?;
    let started = Instant::now();
    redis.stop().await?;
    c.upstream.set(&read, "new");
    both.until_all_show(&path, "new", Duration::from_secs(8)).await?;
    // Its lease at most, the two seconds, and the render.
    within("seconds", started.elapsed().as_secs_f64(), 0.5..=6.0)?;
    // And again: what is rendered now is not confirmed either.
    c.upstream.set(&read, "newer");
    both.until_all_show(&path, "newer", Duration::from_secs(5)).await
}

async fn slow_redis(c: Context) -> Outcome {
    let (c, _redis, both) = several(c, 2, &[]).await?;
    let (path, read) = warm(&c, &both, "slow").await?;
    for instance in both.iter() {
        instance.until_metric(CIRCUIT, 0.0, RECOVERY).await?;
    }
    both.iter().filter_map(|instance| instance.proxy.as_ref()).for_each(|p| p.delay(Duration::from_secs(1)));
    is_quick_once_the_circuit_is_open(&c, &both, &path).await?;
    both.iter().filter_map(|instance| instance.proxy.as_ref()).for_each(tropos_parts::FaultProxy::heal);
    comes_back(&c, &both, &path, &read).await
}

async fn paused_redis(c: Context) -> Outcome {
    let (c, redis, both) = several(c, 2, &[]).await?;
    let (path, read) = warm(&c, &both, "still").await?;
    redis.pause().await?;
    let quick = is_quick_once_the_circuit_is_open(&c, &both, &path).await;
    redis.resume()?;
    quick?;
    comes_back(&c, &both, &path, &read).await
}

async fn is_quick_once_the_circuit_is_open(c: &Context, both: &Instances, path: &str) -> Outcome {
    let first = both.at_place(0)?;
    // Hits need not wait even before the circuit opens.
    let mut slowest = Duration::ZERO;
    let tries = Tries::within(RECOVERY, "the circuit did not open");
    loop {
        let started = Instant::now();
        first.get(path).await?.shows("old")?;
        slowest = slowest.max(started.elapsed());
        if first.metric(CIRCUIT).await? == 1.0 {
            break;
        }
        tries.again().await?;
    }
    within("seconds for the slowest hit before the circuit opened", slowest.as_secs_f64(), 0.0..=1.0)?;
    let mut took = Vec::new();
    for _ in 0..200 {
        let started = Instant::now();
        first.get(path).await?.shows("old")?;
        took.push(started.elapsed());
    }
    took.sort_unstable();
    let p99 = took.get(took.len() * 99 / 100).copied().unwrap_or_default();
    within("seconds for 99 of 100 hits", p99.as_secs_f64(), 0.0..=0.3)?;
    let started = Instant::now();
    for number in 0..10 {
        let key = c.key("cold");
        first.get(&format!("/demand/{key}")).await?.shows(&format!("demand-{key}=1"))?;
        let what = format!("seconds for {} cold pages", number + 1);
        within(&what, started.elapsed().as_secs_f64(), 0.0..=3.0)?;
    }
    Ok(())
}

async fn comes_back(c: &Context, both: &Instances, path: &str, read: &str) -> Outcome {
    for instance in both.iter() {
        instance.until_metric(CIRCUIT, 0.0, RECOVERY).await?;
    }
    both.settled(path, RECOVERY).await?;
    c.upstream.set(read, "new");
    both.invalidate(c, 0, read).await?;
    both.all_show(path, "new").await?;
    both.at_place(0)?.get(path).await?.shows("new")?.cache(HIT)?;
    Ok(())
}
