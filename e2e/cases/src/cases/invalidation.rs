//! Which pages an invalidation reaches, and when.

use super::cases;
use crate::{
    check::{Outcome, Problem, that},
    client::Request,
    context::{Context, revalidation},
    expect::{HIT, RENEWED, STALE, STORED},
};
use serde_json::json;
use std::time::Duration;
use tokio::time::sleep;

cases! {
    21 "a tag changes the entries that carry it and no others" => one_tag;
    21 "a page carries the tags of what it reads through a cached fetch" => inherited_tags;
    21 "a tag of cached data changes what a server page shows" => tags_of_data;
    21 "a tag that many entries carry changes all of them" => broad_tag alone;
    22 "a soft invalidation serves the old body once more, and then the new" => soft;
    22 "a hard invalidation serves the new body next" => hard;
    23 "a path is invalidated each time that it is asked for, in any spelling" => path_repeatedly;
    23 "a path covers all its query keys" => path_covers_queries;
    23 "a prefix goes by whole segments" => prefix_by_segments;
    23 "a prefix covers all beneath it and nothing beside it" => prefix_covers_beneath alone;
    24 "a wrong token or a guessed header changes nothing" => guesses;
    25 "an invalidation while a page renders is not lost, and who comes later gets the new data" => during_render;
    25 "an invalidation while a page renders in the background is not lost" => during_background_render;
    25 "an invalidation while a fetch runs is not lost" => during_fetch;
    25 "an invalidation while a cached function runs is not lost" => during_function;
}

async fn one_tag(c: Context) -> Outcome {
    let keys = [c.key("one"), c.key("other")];
    let [one, other] = keys.each_ref().map(|key| format!("/demand/{key}"));
    let reads = keys.map(|key| format!("demand-{key}"));
    c.get(&one).await?.is(200)?;
    let kept = c.get(&other).await?;
    reads.iter().for_each(|read| c.upstream.set(read, "new"));
    let [tag, _] = reads;
    c.invalidate_tag(&tag).await?;
    c.get(&one).await?.shows("new")?.cache(RENEWED)?;
    c.get(&one).await?.shows("new")?.cache(HIT)?;
    c.get(&other).await?.same_body(&kept)?.cache(HIT)?;
    Ok(())
}

async fn inherited_tags(c: Context) -> Outcome {
    let key = c.key("nested");
    let (path, read) = (format!("/nested/{key}"), format!("nested-{key}"));
    for value in ["first", "second", "third"] {
        c.upstream.set(&read, value);
        if value != "first" {
            c.invalidate_tag(&read).await?;
        }
        c.get(&path).await?.shows(value)?;
        c.get(&path).await?.shows(value)?.cache(HIT)?;
    }
    Ok(())
}

async fn tags_of_data(c: Context) -> Outcome {
    for route in ["fetch", "cached"] {
        let key = c.key("data");
        let (path, read) = (format!("/{route}/{key}"), format!("{route}-{key}"));
        for value in ["first", "second", "third"] {
            c.upstream.set(&read, value);
            if value != "first" {
                c.invalidate_tag(&read).await?;
            }
            c.get(&path).await?.shows(value)?;
        }
    }
    Ok(())
}

async fn broad_tag(c: Context) -> Outcome {
    for (tag, route) in [("demand", "demand"), ("isr", "isr"), ("fetch", "fetch")] {
        let keys: Vec<_> = (0..5).map(|_| c.key("broad")).collect();
        for key in &keys {
            c.upstream.set(&format!("{route}-{key}"), "old");
            c.get(&format!("/{route}/{key}")).await?.shows("old")?;
            c.upstream.set(&format!("{route}-{key}"), "new");
        }
        c.invalidate_tag(tag).await?;
        for key in &keys {
            c.get(&format!("/{route}/{key}")).await?.shows("new")?;
        }
    }
    Ok(())
}

async fn soft(c: Context) -> Outcome {
    let key = c.key("soft");
    let (path, read) = (format!("/demand/{key}"), format!("demand-{key}"));
    let ways = [json!({ "tags": [read], "soft": true }), json!({ "paths": [path], "soft": true })];
    c.upstream.set(&read, "0");
    c.get(&path).await?.shows("0")?;
    for (number, way) in ways.into_iter().enumerate() {
        let (old, new) = (number.to_string(), (number + 1).to_string());
        c.upstream.set(&read, &new);
        c.invalidate(way).await?;
        c.get(&path).await?.shows(&old)?.cache(STALE)?;
        c.until_shows(&path, &new, Duration::from_secs(4)).await?.cache(HIT)?;
    }
    Ok(())
}

async fn hard(c: Context) -> Outcome {
    for route in ["demand", "isr", "query"] {
        let key = c.key("hard");
        let path = format!("/{route}/{key}");
        let read = if route == "query" { format!("query-{key}-1") } else { format!("{route}-{key}") };
        c.upstream.set(&read, "old");
        c.get(&path).await?.shows("old")?;
        c.upstream.set(&read, "new");
        c.invalidate(json!({ "tags": [format!("{route}-{key}")], "soft": false })).await?;
        c.get(&path).await?.shows("new")?.cache(RENEWED)?;
    }
    Ok(())
}

async fn path_repeatedly(c: Context) -> Outcome {
    let key = c.key("again");
    let (path, read) = (format!("/demand/a{key}"), format!("demand-a{key}"));
    for (number, spelled) in ["a", "a", "%61", "a"].into_iter().enumerate() {
        let value = format!("value {number}");
        c.upstream.set(&read, &value);
        c.invalidate(json!({ "paths": [format!("/demand/{spelled}{key}")] })).await?;
        c.get(&path).await?.shows(&value)?.cache(if number == 0 { STORED } else { RENEWED })?;
    }
    Ok(())
}

async fn path_covers_queries(c: Context) -> Outcome {
    let key = c.key("queries");
    let paths = ["", "?page=1", "?page=2", "?page=3"].map(|query| format!("/query/{key}{query}"));
    for path in &paths {
        c.get(path).await?.is(200)?;
    }
    for page in ["1", "2", "3"] {
        c.upstream.set(&format!("query-{key}-{page}"), "new");
    }
    c.invalidate(json!({ "paths": [format!("/query/{key}")] })).await?;
    for path in &paths {
        c.get(path).await?.shows("new")?;
    }
    Ok(())
}

async fn prefix_by_segments(c: Context) -> Outcome {
    let key = c.key("prefix");
    let longer = format!("{key}s");
    for key in [&key, &longer] {
        c.get(&format!("/demand/{key}")).await?.is(200)?;
        c.upstream.set(&format!("demand-{key}"), "new");
    }
    let kept = c.get(&format!("/demand/{longer}")).await?;
    c.invalidate(json!({ "prefixes": [format!("/demand/{key}"), "/deman"] })).await?;
    c.get(&format!("/demand/{key}")).await?.shows("new")?.cache(RENEWED)?;
    c.get(&format!("/demand/{longer}")).await?.same_body(&kept)?.cache(HIT)?;
    Ok(())
}

async fn prefix_covers_beneath(c: Context) -> Outcome {
    let key = c.key("beneath");
    let beneath = [format!("/query/{key}"), format!("/query/{key}?page=2"), format!("/query/{key}x")];
    let beside = format!("/demand/{key}");
    for path in &beneath {
        c.get(path).await?.is(200)?;
    }
    let kept = c.get(&beside).await?;
    for round in ["first", "second"] {
        for read in [format!("query-{key}-1"), format!("query-{key}-2"), format!("query-{key}x-1")] {
            c.upstream.set(&read, round);
        }
        c.invalidate(json!({ "prefixes": ["/query"] })).await?;
        for path in &beneath {
            c.get(path).await?.shows(round)?.cache(RENEWED)?;
        }
        c.get(&beside).await?.same_body(&kept)?.cache(HIT)?;
    }
    c.upstream.set(&format!("demand-{key}"), "new");
    c.invalidate(json!({ "prefixes": ["/"] })).await?;
    c.get(&beside).await?.shows("new")?;
    Ok(())
}

async fn guesses(c: Context) -> Outcome {
    let key = c.key("guessed");
    let (path, read) = (format!("/demand/{key}"), format!("demand-{key}"));
    let before = c.get(&path).await?;
    c.upstream.set(&read, "new");
    let body = json!({ "tags": [read], "paths": [path] }).to_string();
    let token = c.token();
    let half: String = token.chars().take(token.len() / 2).collect();
    for wrong in
        ["", "wrong", &half, &format!("{token}x"), &token.to_uppercase(), &format!("{token},{token}")]
    {
        c.http.send(&revalidation(wrong, &body)).await?.is(401)?;
    }
    let bare = Request::new("POST", "/_tropos/revalidate").body(body.as_str());
    let attempts = [
        bare.clone(),
        bare.clone().with("Authorization", token),
        bare.clone().with("Authorization", &format!("Basic {token}")),
        bare.clone().with("X-Tropos-Token", token),
        bare.clone().with("Cookie", &format!("token={token}")),
    ];
    for attempt in attempts {
        c.http.send(&attempt).await?.is(401)?;
    }
    let mut in_query = bare;
    in_query.target = format!("/_tropos/revalidate?token={token}");
    c.http.send(&in_query).await?.is(401)?;
    let mut get = revalidation(token, &body);
    get.method = "GET".into();
    let status = c.http.send(&get).await?.status;
    that(status == 404 || status == 405, format!("GET of the endpoint answered {status}"))?;
    for (name, value) in [
        ("X-Prerender-Revalidate", token),
        ("Authorization", &format!("Bearer {token}")),
        ("X-Tropos-Revalidate", token),
        ("Cache-Control", "no-cache"),
        ("Cache-Control", "no-store"),
        ("Cache-Control", "max-age=0"),
        ("Pragma", "no-cache"),
        ("X-Purge", "1"),
    ] {
        let page = c.http.send(&Request::get(&path).with(name, value)).await?;
        page.same_body(&before).and_then(|page| page.cache(HIT)).map_err(|problem| problem.during(name))?;
    }
    for method in ["PURGE", "BAN", "REFRESH"] {
        let status = c.http.send(&Request::new(method, &path)).await?.status;
        that(status == 405 || status == 501, format!("{method} answered {status}"))?;
    }
    c.get(&path).await?.same_body(&before)?.cache(HIT)?;
    Ok(())
}

/// Asks for a page, invalidates its data while that is read, and asks again before and after the read has ended.
async fn invalidated_during(c: &Context, route: &str) -> Result<String, Problem> {
    let key = c.key("during");
    let (path, read) = (format!("/{route}/{key}"), format!("{route}-{key}"));
    c.upstream.set(&read, "old");
    let gate = c.upstream.hold(&read);
    let early = c.start(&path);
    that(c.upstream.called(&read, 1).await, "no read was started")?;
    c.upstream.set(&read, "new");
    c.upstream.let_pass(&read);
    c.invalidate_tag(&read).await?;
    let late = c.many(&path, 5);
    sleep(Duration::from_millis(200)).await;
    gate.release();
    for page in late.answers().await? {
        page.shows("new").map_err(|problem| problem.during("asked after the invalidation had returned"))?;
    }
    // It began before the invalidation, so that either is right.
    let early = early.answer().await?;
    early.is(200)?;
    that(
        early.value().is_some_and(|value| value == "old" || value == "new"),
        "the first request got no value",
    )?;
    c.get(&path).await?.shows("new").map_err(|problem| problem.during("asked after all reads had ended"))?;
    Ok(path)
}

async fn during_render(c: Context) -> Outcome {
    let path = invalidated_during(&c, "demand").await?;
    c.get(&path).await?.shows("new")?.cache(HIT)?;
    Ok(())
}

async fn during_fetch(c: Context) -> Outcome {
    invalidated_during(&c, "fetch").await.map(drop)
}

async fn during_function(c: Context) -> Outcome {
    invalidated_during(&c, "cached").await.map(drop)
}

async fn during_background_render(c: Context) -> Outcome {
    let key = c.key("behind");
    let (path, read) = (format!("/demand/{key}"), format!("demand-{key}"));
    c.upstream.set(&read, "first");
    c.get(&path).await?.shows("first")?;
    c.upstream.set(&read, "second");
    let gate = c.upstream.hold(&read);
    c.invalidate(json!({ "tags": [read], "soft": true })).await?;
    c.get(&path).await?.shows("first")?.cache(STALE)?;
    that(c.upstream.called(&read, 2).await, "no render was started behind the stale answer")?;
    c.upstream.set(&read, "third");
    c.upstream.let_pass(&read);
    c.invalidate_tag(&read).await?;
    let late = c.start(&path);
    sleep(Duration::from_millis(200)).await;
    gate.release();
    late.answer().await?.shows("third")?;
    for _ in 0..5 {
        c.get(&path).await?.shows("third")?;
        sleep(Duration::from_millis(60)).await;
    }
    Ok(())
}
