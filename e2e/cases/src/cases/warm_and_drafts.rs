//! What an invalidation does beyond its number, drafts, and why a path would hit or miss.

use super::cases;
use crate::{
    check::{Outcome, fail, that},
    client::Request,
    context::{Context, TOKEN},
    expect::{HIT, RENEWED, STORED},
    page::Page,
};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::sleep;

/// What a draft is answered with.
const DRAFT: &str = "tropos; fwd=bypass; detail=draft";

const SECRET: &str = "a-draft-secret-of-the-cases";

cases! {
    34 "a warm invalidation has pages made again without a visitor" => warms;
    35 "a report says what an invalidation hit, under the names that were given" => reports;
    43 "a draft cookie shows every page afresh and stores nothing, and others are untouched" => drafts;
    43 "a draft link leads on once it is signed, and nowhere without" => links;
    - "the admin listener explains why a path would hit or miss" => explains;
}

async fn warms(c: Context) -> Outcome {
    let keys = ["tag", "path", "prefix"].map(|name| c.key(name));
    let cold = c.key("cold");
    for key in keys.iter().chain([&cold]) {
        c.get(&format!("/demand/{key}")).await?.is(200)?;
        c.upstream.set(&format!("demand-{key}"), "new");
    }
    let [tag, path, prefix] = &keys;
    c.invalidate(json!({ "tags": [format!("demand-{cold}")] })).await?;
    c.invalidate(json!({
        "tags": [format!("demand-{tag}")],
        "paths": [format!("/demand/{path}")],
        "prefixes": [format!("/demand/{prefix}")],
        "warm": true
    }))
    .await?;
    for key in &keys {
        that(c.upstream.called(&format!("demand-{key}"), 2).await, format!("{key} was not read again"))?;
        // The read is over before the page is stored.
        sleep(Duration::from_millis(300)).await;
        c.get(&format!("/demand/{key}")).await?.shows("new")?.cache(HIT)?;
        let calls = c.upstream.calls(&format!("demand-{key}"));
        that(calls == 2, format!("{key} was read {calls} times"))?;
    }
    let calls = c.upstream.calls(&format!("demand-{cold}"));
    that(calls == 1, format!("without `warm`, {cold} was read {calls} times"))?;
    c.get(&format!("/demand/{cold}")).await?.shows("new")?.cache(RENEWED)?;
    Ok(())
}

async fn reports(c: Context) -> Outcome {
    let (key, none) = (c.key("report"), c.key("none"));
    for query in ["", "?page=2"] {
        c.get(&format!("/query/{key}{query}")).await?.is(200)?;
    }
    let page = c
        .revalidate(&json!({ "tags": [format!("query-{key}"), none], "paths": [format!("/query/{key}")], "report": true }))
        .await?;
    let names = json_of(page.is(200)?)?["report"]["names"].clone();
    let expected = json!([
        { "tag": format!("query-{key}"), "pages": 2, "data": 0 },
        { "tag": none, "pages": 0, "data": 0 },
        { "path": format!("/query/{key}"), "pages": 2, "data": 0 },
    ]);
    that(names == expected, format!("the report is {names}, expected {expected}"))
}

async fn drafts(c: Context) -> Outcome {
    let server = c.own_server(Some(TOKEN), &[("TROPOS_DRAFT_SECRET", SECRET)]).await?;
    let http = server.http();
    let key = c.key("draft");
    let cookie = cookie_of(http.send(&with_secret("")).await?.is(200)?)?;
    for route in ["demand", "isr", "query", "nested", "cached", "fetch", "server"] {
        let path = format!("/{route}/{key}");
        let read = if route == "query" { format!("query-{key}-1") } else { format!("{route}-{key}") };
        c.upstream.set(&read, "published");
        let published = http.get(&path).await?;
        published.shows("published")?;
        c.upstream.set(&read, "draft");
        for _ in 0..2 {
            let calls = c.upstream.calls(&read);
            let draft = http.send(&Request::get(&path).with("Cookie", &cookie)).await?;
            draft.shows("draft")?.cache(DRAFT)?.has("cache-control", "private, no-store")?.lacks("etag")?;
            that(c.upstream.calls(&read) == calls + 1, format!("{path} was not read afresh"))?;
        }
        if route == "demand" {
            http.get(&path).await?.same_body(&published)?.cache(HIT)?;
        }
        let forged = format!("{cookie}0");
        let forged = http.send(&Request::get(&path).with("Cookie", &forged)).await?;
        that(forged.header("cache-status") != Some(DRAFT), format!("{path}: a forged cookie shows drafts"))?;
    }
    let unseen = format!("/demand/{}", c.key("unseen"));
    http.send(&Request::get(&unseen).with("Cookie", &cookie)).await?.is(200)?.cache(DRAFT)?;
    http.get(&unseen).await?.is(200)?.cache(STORED)?;
    // The main server has no secret, so no drafts either.
    c.http.send(&with_secret("")).await?.is(404)?;
    Ok(())
}

async fn links(c: Context) -> Outcome {
    let server = c.own_server(None, &[("TROPOS_DRAFT_SECRET", SECRET)]).await?;
    let http = server.http();
    let path = format!("/demand/{}", c.key("link"));
    let given = http.send(&with_secret(&json!({ "to": path }).to_string())).await?;
    let given = json_of(given.is(200)?)?;
    let link = given["link"].as_str().unwrap_or_default();
    let Some(at) = link.find("/_tropos/") else { return fail(format!("no link: {given}")) };
    let link = link.get(at..).unwrap_or_default();
    let opened = http.get(link).await?;
    opened.is(303)?.has("location", &path)?;
    let cookie = cookie_of(&opened)?;
    http.send(&Request::get(&path).with("Cookie", &cookie)).await?.is(200)?.cache(DRAFT)?;
    for wrong in [link.replace("demand", "demanx"), "/_tropos/draft?to=/".into(), format!("{link}0")] {
        http.get(&wrong).await?.is(403)?.lacks("set-cookie")?;
    }
    for request in
        [Request::new("POST", "/_tropos/draft"), with_secret("{").with("Authorization", "Bearer x")]
    {
        let answer = http.send(&request).await?;
        that(matches!(answer.status, 400 | 401), format!("answered {}", answer.status))?;
        answer.lacks("set-cookie")?;
    }
    Ok(())
}

async fn explains(c: Context) -> Outcome {
    let server = c.own_server(Some(TOKEN), &[]).await?;
    let (http, admin) = (server.http(), server.admin());
    let key = c.key("why");
    let ask = async |path: String| {
        let page = admin.get(&format!("/explain?path={}", path.replace('/', "%2F"))).await?;
        json_of(page.is(200)?)
    };
    let path = format!("/demand/{key}");
    let absent = ask(path.clone()).await?;
    that(absent["verdict"]["why"] == "absent", format!("before the first request: {absent}"))?;
    http.get(&path).await?.is(200)?;
    let hit = ask(path.clone()).await?;
    that(hit["verdict"]["answer"] == "hit" && hit["entry"]["place"] == "memory", format!("then: {hit}"))?;
    let sequence = c.invalidate_at(&http, json!({ "tags": [format!("demand-{key}")] })).await?;
    let missed = ask(path.clone()).await?;
    let causes = json!([{ "tag": format!("demand-{key}"), "sequence": sequence, "soft": false }]);
    that(missed["entry"]["invalidated"] == causes, format!("after the invalidation: {missed}"))?;
    http.get(&path).await?.cache(missed["cache_status"].as_str().unwrap_or_default())?;
    c.upstream.fail(&format!("demand-{key}-fails"), 500);
    http.get(&format!("{path}-fails")).await?.is(500)?;
    let failed = ask(format!("{path}-fails")).await?;
    that(failed["last_unstored"]["why"] == "failed", format!("after a failure: {failed}"))?;
    for (path, why) in [("/demand/a/", "trailing-slash"), ("/nowhere", "no-route"), ("/a//b", "malformed")] {
        let refused = ask(path.into()).await?;
        that(refused["verdict"]["why"] == why, format!("{path}: {refused}"))?;
    }
    let server = ask(format!("/server/{key}")).await?;
    that(server["verdict"]["answer"] == "bypass", format!("a server page: {server}"))?;
    admin.get("/explain").await?.is(400)?;
    Ok(())
}

fn with_secret(body: &str) -> Request {
    Request::new("POST", "/_tropos/draft").with("Authorization", &format!("Bearer {SECRET}")).body(body)
}

fn json_of(page: &Page) -> Result<Value, crate::check::Problem> {
    match serde_json::from_slice(&page.body) {
        Ok(json) => Ok(json),
        Err(error) => fail(format!("{}: {error}: {}", page.request, page.text())),
    }
}

/// The cookie that an answer sets, as it is sent back.
fn cookie_of(page: &Page) -> Result<String, crate::check::Problem> {
    let line = page.need("set-cookie")?;
    Ok(line.split(';').next().unwrap_or_default().to_owned())
}
