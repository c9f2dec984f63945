//! Cached fetches and cached functions: how old their data may be, and how often it is read.

use super::cases;
use crate::{
    check::{Outcome, equal, that, within},
    context::Context,
    expect::STALE,
    upstream::default_value,
};
use std::time::Duration;
use tokio::time::sleep;

cases! {
    13 "a page of 60 s with a cached read of 2 s in it lives 2 s" => shortest_lived_read;
    36 "an uncached read is made for every request" => uncached;
    36 "a cached fetch or function is read once within its age, and again after it" => cached;
    37 "an answer other than 200 is not stored" => failures_are_not_stored;
    37 "where the data fails, the last good data is shown" => last_good_data;
    40 "the same uncached read twice in one render is one call, also when it fails" => twice;
    - "twenty requests at once for cold data are one call" => stampede_on_data;
}

const PAST_AGE: Duration = Duration::from_millis(2200);

async fn shortest_lived_read(c: Context) -> Outcome {
    let key = c.key("nested");
    let (path, read) = (format!("/nested/{key}"), format!("nested-{key}"));
    c.upstream.set(&read, "old");
    let page = c.get(&path).await?;
    page.shows("old")?;
    let fresh = |page: &crate::page::Page| {
        page.directive("cache-control", "s-maxage").and_then(|n| n.parse::<u64>().ok())
    };
    within("s-maxage", fresh(&page).unwrap_or(u64::MAX), 0..=2)?;
    c.upstream.set(&read, "new");
    sleep(PAST_AGE).await;
    c.get(&path).await?.shows("old")?.cache(STALE)?;
    c.until_shows(&path, "new", Duration::from_secs(4)).await?;
    equal("calls upstream", c.upstream.calls(&read), 2)
}

async fn uncached(c: Context) -> Outcome {
    let key = c.key("uncached");
    let (path, read) = (format!("/server/{key}"), format!("server-{key}"));
    for number in 1..=3 {
        let value = format!("value {number}");
        c.upstream.set(&read, &value);
        c.get(&path).await?.shows(&value)?;
        equal("calls upstream", c.upstream.calls(&read), number)?;
    }
    Ok(())
}

async fn cached(c: Context) -> Outcome {
    for route in ["fetch", "cached"] {
        let key = c.key("cached");
        let (path, read) = (format!("/{route}/{key}"), format!("{route}-{key}"));
        c.upstream.set(&read, "old");
        let first = c.get(&path).await?;
        first.shows("old")?.is_private()?.cache("tropos; fwd=bypass; detail=server")?;
        c.upstream.set(&read, "new");
        for _ in 0..4 {
            let page = c.get(&path).await?;
            page.shows("old")?;
            that(page.time()? >= first.time()?, format!("{path}: rendered earlier than the page before it"))?;
        }
        equal(&format!("{route}: calls upstream"), c.upstream.calls(&read), 1)?;
        sleep(PAST_AGE).await;
        c.until_shows(&path, "new", Duration::from_secs(4)).await?;
        equal(&format!("{route}: calls upstream after its age"), c.upstream.calls(&read), 2)?;
    }
    Ok(())
}

async fn failures_are_not_stored(c: Context) -> Outcome {
    for route in ["fetch", "cached"] {
        let key = c.key("failing");
        let (path, read) = (format!("/{route}/{key}"), format!("{route}-{key}"));
        for status in [500, 503] {
            c.upstream.fail(&read, status);
            c.get(&path).await?.is(500)?;
        }
        c.upstream.set(&read, "good");
        c.get(&path).await?.shows("good")?;
    }
    Ok(())
}

async fn last_good_data(c: Context) -> Outcome {
    for route in ["fetch", "cached"] {
        let key = c.key("last-good");
        let (path, read) = (format!("/{route}/{key}"), format!("{route}-{key}"));
        c.upstream.set(&read, "good");
        c.get(&path).await?.shows("good")?;
        c.upstream.fail(&read, 500);
        sleep(PAST_AGE).await;
        for _ in 0..10 {
            c.get(&path).await?.shows("good")?;
            sleep(Duration::from_millis(50)).await;
        }
        within(&format!("{route}: calls upstream"), c.upstream.calls(&read), 2..=3)?;
    }
    Ok(())
}

async fn twice(c: Context) -> Outcome {
    let key = c.key("twice");
    let (path, read) = (format!("/twice/{key}"), format!("twice-{key}"));
    for calls in 1..=3 {
        c.get(&path).await?.shows(&default_value(&read))?;
        equal("calls upstream", c.upstream.calls(&read), calls)?;
    }
    c.upstream.fail(&read, 500);
    c.get(&path).await?.is(500)?;
    equal("calls upstream of a failing render", c.upstream.calls(&read), 4)
}

async fn stampede_on_data(c: Context) -> Outcome {
    for route in ["fetch", "cached"] {
        let key = c.key("cold");
        let read = format!("{route}-{key}");
        let gate = c.upstream.hold(&read);
        let requests = c.many(&format!("/{route}/{key}"), 20);
        that(c.upstream.called(&read, 1).await, "no read was started")?;
        sleep(Duration::from_millis(300)).await;
        gate.release();
        for page in requests.answers().await? {
            page.shows(&default_value(&read))?;
        }
        equal(&format!("{route}: calls upstream"), c.upstream.calls(&read), 1)?;
    }
    Ok(())
}
