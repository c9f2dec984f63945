//! Pages and ages: when a page is made, how old it may be, and what is served meanwhile.

use super::cases;
use crate::{
    check::{Outcome, Problem, equal, that, within},
    client::Request,
    context::{Context, TOKEN},
    expect::{COLLAPSED, HIT, RENEWED, STALE, STALE_ERROR, STORED},
    upstream::default_value,
};
use serde_json::json;
use std::{path::Path, time::Duration};
use tokio::time::{Instant, sleep};

cases! {
    1 "an ssg page is one body, always a hit, and never rendered by a running server" => ssg_is_one_body;
    2 "a listed parameter is a hit at the first request after start" => listed_parameters_are_there;
    3 "an unlisted parameter of an open route is a miss once and then a hit with the same body" => open_route;
    4 "an unlisted parameter of a closed or ssg route is 404 before anything is read" => closed_route alone;
    5 "a listed parameter of a closed route is made where nothing usable is stored" => closed_is_made;
    6 "not found is stored for its own age, and the page is there once its path is invalidated" => not_found;
    7 "the encoded and the decoded spelling of a parameter are one entry" => spellings;
    7 "malformed percent-encoding is 400, and nothing is read or stored" => malformed;
    9 "past revalidate the old body comes at once, whatever the data takes, and a later request gets the new" => stale;
    10 "fifty requests at once for a cold page are one render and one body" => stampede_on_cold;
    10 "fifty requests at once for a stale page are one render, and none waits for it" => stampede_on_stale;
    11 "a failing render keeps the last good body, is tried at growing intervals, and recovers" => failing_render;
    12 "past expire a page blocks and is fresh, and is an error when its data fails" => expired;
    15 "a stale hit has an Age and no longer lifetime than a fresh one" => stale_hit_has_age;
    18 "a first render that fails is 500 and not stored, and the next request tries again" => first_render_fails;
    - "a client that leaves in the middle of a render does not block its key" => client_leaves;
    - "no answer from the data source in five seconds is a page error" => silent_upstream;
}

const PAST_REVALIDATE: Duration = Duration::from_millis(2200);
const SOON: Duration = Duration::from_secs(4);

async fn ssg_is_one_body(c: Context) -> Outcome {
    let before = c.upstream.calls_containing("ssg-");
    let first = c.get("/ssg/one").await?;
    first.shows(&default_value("ssg-one"))?.cache(HIT)?;
    let mut connection = c.http.connect().await?;
    for _ in 0..100 {
        connection.send(&Request::get("/ssg/one")).await?.is(200)?.same_body(&first)?.cache(HIT)?;
    }
    equal("calls upstream", c.upstream.calls_containing("ssg-") - before, 0)
}

async fn listed_parameters_are_there(c: Context) -> Outcome {
    let server = c.own_server(Some(TOKEN), &[]).await?;
    // Prerendered, and with the default expire of an hour.
    let page = server.http().get("/closed/open").await?;
    let old = c.binary().is_some_and(|binary| built(binary) > Duration::from_secs(3590));
    if old && !page.cache_status().is_hit() {
        return Err(Problem::Skipped("the fixture was built an hour ago: its pages have expired".into()));
    }
    page.shows(&default_value("closed-open"))?.cache_any(&[HIT, STALE])?;
    // Expires after ten seconds, which may have passed since the build; but it was there.
    let page = server.http().get("/isr/first").await?;
    page.shows(&default_value("isr-first"))?.cache_any(&[HIT, STALE, RENEWED])?;
    Ok(())
}

/// How long ago the pages beside the server were made.
fn built(binary: &Path) -> Duration {
    let manifest = binary.with_file_name("manifest.json").metadata().and_then(|metadata| metadata.modified());
    manifest.ok().and_then(|modified| modified.elapsed().ok()).unwrap_or_default()
}

async fn open_route(c: Context) -> Outcome {
    for route in ["isr", "demand"] {
        let key = c.key("open");
        let path = format!("/{route}/{key}");
        let first = c.get(&path).await?;
        first.shows(&default_value(&format!("{route}-{key}")))?.cache(STORED)?;
        c.get(&path).await?.is(200)?.same_body(&first)?.cache(HIT)?;
        equal("calls upstream", c.upstream.calls(&format!("{route}-{key}")), 1)?;
    }
    Ok(())
}

async fn closed_route(c: Context) -> Outcome {
    let lists = || c.upstream.list_calls("closed") + c.upstream.list_calls("ssg");
    let before = lists();
    for route in ["closed", "ssg"] {
        let key = c.key("unlisted");
        for _ in 0..5 {
            c.get(&format!("/{route}/{key}")).await?.is(404)?.no_store()?;
        }
        c.http.send(&Request::head(&format!("/{route}/{key}"))).await?.is(404)?.no_store()?;
        equal("calls upstream", c.upstream.calls_containing(&key), 0)?;
    }
    equal("lists read for it", lists() - before, 0)
}

async fn closed_is_made(c: Context) -> Outcome {
    let server = c.own_server(Some(TOKEN), &[]).await?;
    c.invalidate_at(&server.http(), json!({ "prefixes": ["/closed"] })).await?;
    for key in ["open", "ajar"] {
        server.http().get(&format!("/closed/{key}")).await?.is(200)?.cache_any(&[RENEWED, STORED])?;
    }
    Ok(())
}

async fn not_found(c: Context) -> Outcome {
    let key = c.key("missing");
    let (path, read) = (format!("/isr/{key}"), format!("isr-{key}"));
    c.upstream.not_found(&read);
    // Ten seconds is also when the route expires, so that nothing is left for stale-while-revalidate.
    c.get(&path).await?.is(404)?.lives(10, 0)?.cache(STORED)?;
    for _ in 0..4 {
        c.get(&path).await?.is(404)?.lives(10, 0)?.cache(HIT)?;
    }
    equal("calls upstream for five requests", c.upstream.calls(&read), 1)?;
    c.upstream.set(&read, "found");
    c.invalidate(json!({ "paths": [path] })).await?;
    c.get(&path).await?.shows("found")?.lives(2, 8)?;
    Ok(())
}

async fn spellings(c: Context) -> Outcome {
    let key = c.key("spelled");
    let cases: [(&str, &[&str]); 3] = [
        ("a", &["a", "%61"]),
        ("é", &["%c3%a9", "%C3%A9"]),
        ("x y:+", &["x%20y:+", "x%20y%3a%2b", "x%20y%3A+"]),
    ];
    for (decoded, spellings) in cases {
        let read = format!("demand-{decoded}{key}");
        c.upstream.set(&read, "the one");
        let paths = spellings.iter().map(|spelling| format!("/demand/{spelling}{key}"));
        let mut first = None;
        for path in paths {
            let page = c.get(&path).await?;
            page.shows("the one")?.cache(if first.is_some() { HIT } else { STORED })?;
            page.same_body(first.get_or_insert_with(|| page.clone()))?;
        }
        equal(&format!("calls upstream for {read}"), c.upstream.calls(&read), 1)?;
    }
    Ok(())
}

async fn malformed(c: Context) -> Outcome {
    let key = c.key("malformed");
    for wrong in ["%zz", "%", "%4", "%ff", "%c3%28", "%u0041"] {
        for route in ["isr", "ssg", "closed", "server", "live", "nowhere"] {
            for _ in 0..2 {
                c.get(&format!("/{route}/{key}{wrong}")).await?.is(400)?.no_store()?;
            }
        }
    }
    equal("calls upstream", c.upstream.calls_containing(&key), 0)
}

async fn stale(c: Context) -> Outcome {
    let key = c.key("stale");
    let (path, read) = (format!("/isr/{key}"), format!("isr-{key}"));
    c.upstream.set(&read, "old");
    let first = c.get(&path).await?;
    first.shows("old")?;
    sleep(PAST_REVALIDATE).await;
    c.upstream.set(&read, "new");
    let gate = c.upstream.hold(&read);
    for _ in 0..3 {
        let asked = Instant::now();
        c.get(&path).await?.shows("old")?.same_body(&first)?.cache(STALE)?.ttl(-5..=0)?;
        that(asked.elapsed() < Duration::from_secs(1), "a stale page waited for its data")?;
    }
    that(c.upstream.called(&read, 2).await, "no render was started behind the stale answer")?;
    gate.release();
    c.until_shows(&path, "new", SOON).await?.cache(HIT)?.ttl(0..=2)?;
    equal("calls upstream", c.upstream.calls(&read), 2)
}

async fn stampede_on_cold(c: Context) -> Outcome {
    let key = c.key("cold");
    let (path, read) = (format!("/demand/{key}"), format!("demand-{key}"));
    let gate = c.upstream.hold(&read);
    let requests = c.many(&path, 50);
    that(c.upstream.called(&read, 1).await, "no render was started")?;
    sleep(Duration::from_millis(400)).await;
    gate.release();
    let pages = requests.answers().await?;
    let mut stored = 0;
    for page in &pages {
        page.shows(&default_value(&read))?.cache_any(&[STORED, COLLAPSED, HIT])?;
        pages.first().map_or(Ok(page), |first| page.same_body(first))?;
        stored += usize::from(page.cache_status().form == STORED);
    }
    equal("answers that say `stored`", stored, 1)?;
    equal("calls upstream", c.upstream.calls(&read), 1)
}

async fn stampede_on_stale(c: Context) -> Outcome {
    let key = c.key("crowd");
    let (path, read) = (format!("/isr/{key}"), format!("isr-{key}"));
    c.upstream.set(&read, "old");
    let first = c.get(&path).await?;
    sleep(PAST_REVALIDATE).await;
    c.upstream.set(&read, "new");
    let gate = c.upstream.hold(&read);
    for page in c.many(&path, 50).answers().await? {
        page.shows("old")?.same_body(&first)?.cache(STALE)?;
    }
    that(c.upstream.called(&read, 2).await, "no render was started behind the stale answers")?;
    gate.release();
    c.until_shows(&path, "new", SOON).await?;
    equal("calls upstream", c.upstream.calls(&read), 2)
}

async fn failing_render(c: Context) -> Outcome {
    let key = c.key("failing");
    let (path, read) = (format!("/isr/{key}"), format!("isr-{key}"));
    c.upstream.set(&read, "good");
    let first = c.get(&path).await?;
    sleep(PAST_REVALIDATE).await;
    c.upstream.fail(&read, 500);
    c.get(&path).await?.shows("good")?.cache(STALE)?;
    that(c.upstream.called(&read, 2).await, "no render was tried behind the stale answer")?;
    // Tries are due at once, after 1 s, and after 2 s more.
    let failing = Instant::now();
    let mut told = false;
    while failing.elapsed() < Duration::from_millis(2700) {
        let page = c.get(&path).await?;
        page.shows("good")?.same_body(&first)?.lives(2, 8)?.cache_any(&[STALE, STALE_ERROR])?;
        told |= page.cache_status().form == STALE_ERROR;
        sleep(Duration::from_millis(50)).await;
    }
    that(told, format!("no Cache-Status said {STALE_ERROR:?} in 2.7 s of failures"))?;
    within("calls upstream, the first one good", c.upstream.calls(&read), 3..=4)?;
    c.upstream.set(&read, "recovered");
    c.until_shows(&path, "recovered", Duration::from_secs(5)).await?.cache(HIT)?;
    Ok(())
}

async fn expired(c: Context) -> Outcome {
    let [good, bad] = [c.key("expired"), c.key("expired-failing")];
    for key in [&good, &bad] {
        c.upstream.set(&format!("isr-{key}"), "old");
        c.get(&format!("/isr/{key}")).await?.shows("old")?;
    }
    sleep(Duration::from_millis(10_300)).await;
    c.upstream.set(&format!("isr-{good}"), "new");
    c.upstream.fail(&format!("isr-{bad}"), 500);
    c.get(&format!("/isr/{good}")).await?.shows("new")?.cache(RENEWED)?.lives(2, 8)?;
    c.get(&format!("/isr/{bad}")).await?.is(500)?.no_store()?;
    Ok(())
}

async fn stale_hit_has_age(c: Context) -> Outcome {
    let path = format!("/isr/{}", c.key("age"));
    c.get(&path).await?.lives(2, 8)?;
    let fresh = c.get(&path).await?;
    within("Age of a fresh hit", age(fresh.cache(HIT)?.need("age")?), 0..=2)?;
    sleep(Duration::from_millis(3200)).await;
    let stale = c.get(&path).await?;
    within("Age of a stale hit", age(stale.cache(STALE)?.lives(2, 8)?.need("age")?), 3..=5)
}

fn age(text: &str) -> i64 {
    text.parse().unwrap_or(-1)
}

async fn first_render_fails(c: Context) -> Outcome {
    let key = c.key("broken");
    let (path, read) = (format!("/isr/{key}"), format!("isr-{key}"));
    c.upstream.fail(&read, 500);
    for tries in 1..=3 {
        c.get(&path).await?.is(500)?.no_store()?;
        equal("calls upstream", c.upstream.calls(&read), tries)?;
    }
    c.upstream.set(&read, "mended");
    c.get(&path).await?.shows("mended")?.cache(STORED)?;
    Ok(())
}

async fn client_leaves(c: Context) -> Outcome {
    let key = c.key("leaves");
    let (path, read) = (format!("/demand/{key}"), format!("demand-{key}"));
    let gate = c.upstream.hold(&read);
    for _ in 0..20 {
        let mut connection = c.http.connect().await?;
        connection.start(&Request::get(&path)).await?;
        if c.upstream.calls(&read) == 0 {
            that(c.upstream.called(&read, 1).await, "no render was started")?;
        }
    }
    gate.release();
    let asked = Instant::now();
    c.get(&path).await?.shows(&default_value(&read))?;
    that(asked.elapsed() < Duration::from_secs(2), "the key stayed blocked after its clients had left")?;
    within("calls upstream", c.upstream.calls(&read), 1..=2)
}

async fn silent_upstream(c: Context) -> Outcome {
    let key = c.key("silent");
    let (path, read) = (format!("/isr/{key}"), format!("isr-{key}"));
    let gate = c.upstream.hold(&read);
    let asked = Instant::now();
    c.get(&path).await?.is(500)?.no_store()?;
    within("seconds until the error", asked.elapsed().as_secs(), 4..=7)?;
    gate.release();
    c.get(&path).await?.shows(&default_value(&read))?;
    Ok(())
}
