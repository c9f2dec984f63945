//! Status and headers of each kind of answer, word for word.

use super::cases;
use crate::{
    check::{Outcome, equal, that},
    client::Request,
    context::Context,
    expect::{HIT, RENEWED, STALE, STORED},
    upstream::default_value,
};
use serde_json::json;

cases! {
    - "an ssg page is public for a year in shared caches, and a browser asks each time" => ssg;
    - "an isr page lives in shared caches for its own ages" => isr;
    - "server and live pages are private, not stored, and say that they bypass the cache" => not_stored;
    - "not found on an isr page lives for the negative age" => negative;
    - "not found, redirects and errors of a server or live page are not stored" => server_answers;
    17 "an isr page that redirects has one Location on a miss, a hit and after an invalidation" => redirects;
    - "an unmatched path is 404 and not stored" => unmatched;
    - "an ambiguous path is 400 and not stored" => ambiguous;
    16 "an entry has one ETag for each encoding, and If-None-Match gives 304" => etags;
    16 "HEAD has the headers of GET and no body, from the same entry" => head;
    - "a method that writes is 405 with Allow on a stored page, and changes nothing" => methods;
    20 "a range of an entry is 206 with that range, or 200 with the whole" => range;
    - "no header for one CDN goes out where none is configured, and no cookie is set" => no_extra_headers;
}

async fn ssg(c: Context) -> Outcome {
    for path in ["/ssg/one", "/ssg/two", "/plain", "/island"] {
        let page = c.get(path).await?;
        page.is(200)?.lives(31_536_000, 0)?.cache(HIT)?.need("etag")?;
        let html = page.need("content-type")?;
        that(html.starts_with("text/html"), format!("{path}: Content-Type is {html:?}"))?;
    }
    Ok(())
}

async fn isr(c: Context) -> Outcome {
    // Without a declared expire it is ten times revalidate, and at least an hour.
    for (route, fresh, stale) in [("isr", 2, 8), ("demand", 31_536_000, 0), ("query", 60, 3540)] {
        let path = format!("/{route}/{}", c.key("row"));
        c.get(&path).await?.is(200)?.lives(fresh, stale)?.cache(STORED)?.need("etag")?;
        let hit = c.get(&path).await?;
        hit.is(200)?.lives(fresh, stale)?.cache(HIT)?.need("etag")?;
        that(hit.need("age")?.parse().is_ok_and(|age: u64| age <= 2), format!("{path}: Age of a new entry"))?;
        let ttl = hit.cache_status().ttl.unwrap_or_default();
        that(route != "query" || (55..=60).contains(&ttl), format!("{path}: ttl={ttl}, expected 55 to 60"))?;
    }
    c.get("/closed/open").await?.is(200)?.lives(2, 3598)?.cache_any(&[HIT, STALE, RENEWED])?.need("etag")?;
    Ok(())
}

async fn not_stored(c: Context) -> Outcome {
    for mode in ["server", "live"] {
        let key = c.key("row");
        let (path, read) = (format!("/{mode}/{key}"), format!("{mode}-{key}"));
        for calls in 1..=2 {
            let page = c.get(&path).await?;
            page.shows(&default_value(&read))?
                .is_private()?
                .cache(&format!("tropos; fwd=bypass; detail={mode}"))?;
            equal("calls upstream", c.upstream.calls(&read), calls)?;
        }
    }
    Ok(())
}

async fn negative(c: Context) -> Outcome {
    for (route, read, stale) in
        [("isr", "isr-KEY", 0), ("demand", "demand-KEY", 0), ("query", "query-KEY-1", 3590)]
    {
        let key = c.key("none");
        c.upstream.not_found(&read.replace("KEY", &key));
        c.get(&format!("/{route}/{key}")).await?.is(404)?.lives(10, stale)?.cache(STORED)?;
        c.get(&format!("/{route}/{key}")).await?.is(404)?.lives(10, stale)?.cache(HIT)?;
    }
    Ok(())
}

async fn server_answers(c: Context) -> Outcome {
    for mode in ["server", "live"] {
        let [missing, moved, broken] = [c.key("missing"), c.key("moved"), c.key("broken")];
        c.upstream.not_found(&format!("{mode}-{missing}"));
        c.get(&format!("/{mode}/{missing}")).await?.is(404)?.is_private()?;
        c.upstream.redirect(&format!("{mode}-{moved}"), 302, "/plain?a=b");
        c.get(&format!("/{mode}/{moved}")).await?.is(307)?.has("location", "/plain?a=b")?.is_private()?;
        c.upstream.fail(&format!("{mode}-{broken}"), 503);
        let page = c.get(&format!("/{mode}/{broken}")).await?;
        let control = page.is(500)?.lacks("cdn-cache-control")?.need("cache-control")?;
        that(control.contains("no-store"), format!("{mode}: Cache-Control of an error is {control:?}"))?;
    }
    Ok(())
}

async fn redirects(c: Context) -> Outcome {
    for (upstream, expected) in [(301, 308), (302, 307), (307, 307), (308, 308)] {
        let key = c.key("moved");
        let (path, read) = (format!("/isr/{key}"), format!("isr-{key}"));
        c.upstream.redirect(&read, upstream, "/plain?to=one");
        for cache in [STORED, HIT] {
            c.get(&path).await?.is(expected)?.has("location", "/plain?to=one")?.lives(2, 8)?.cache(cache)?;
        }
        equal("calls upstream", c.upstream.calls(&read), 1)?;
        c.upstream.redirect(&read, upstream, "/plain?to=two");
        c.invalidate(json!({ "tags": [read] })).await?;
        for cache in [RENEWED, HIT] {
            c.get(&path).await?.is(expected)?.has("location", "/plain?to=two")?.cache(cache)?;
        }
        c.upstream.set(&read, "here again");
        c.invalidate_tag(&read).await?;
        c.get(&path).await?.shows("here again")?.lacks("location")?;
    }
    Ok(())
}

async fn unmatched(c: Context) -> Outcome {
    for path in ["/nowhere", "/isr", "/isr/a/b", "/plain/a", "/ssg/one/two", "/ISR/a", "/_tropos/nothing"] {
        c.get(path).await?.is(404)?.no_store()?;
    }
    Ok(())
}

async fn ambiguous(c: Context) -> Outcome {
    let key = c.key("ambiguous");
    for pattern in [
        "//isr/K",
        "/isr//K",
        "/./isr/K",
        "/isr/../isr/K",
        "/isr/%2e%2e/K",
        "/isr/a%2fK",
        "/isr/a%5cK",
        "/isr/K%00",
    ] {
        let path = pattern.replace('K', &key);
        c.get(&path).await?.is(400)?.no_store()?;
    }
    equal("calls upstream", c.upstream.calls_containing(&key), 0)
}

async fn etags(c: Context) -> Outcome {
    let key = c.key("etag");
    let path = format!("/demand/{key}");
    // Long enough to be worth compressing.
    c.upstream.set(&format!("demand-{key}"), &"a long value ".repeat(200));
    c.get(&path).await?.is(200)?;
    let mut seen = Vec::new();
    for encoding in ["identity", "gzip", "br", "zstd"] {
        let request = Request::get(&path).with("Accept-Encoding", encoding);
        let page = c.http.send(&request).await?;
        let etag = page.is(200)?.need("etag")?.to_owned();
        that(etag.starts_with('"') || etag.starts_with("W/\""), format!("ETag {etag} is not quoted"))?;
        match encoding {
            "identity" => page.lacks("content-encoding")?,
            encoding => page.has("content-encoding", encoding)?,
        };
        let vary = page.need("vary")?.to_ascii_lowercase();
        that(vary.contains("accept-encoding"), format!("{encoding}: Vary is {vary:?}"))?;
        that(!seen.contains(&etag), format!("{encoding}: ETag {etag} is also that of another encoding"))?;
        for condition in [
            etag.clone(),
            "*".into(),
            format!("\"x\", {etag}"),
            format!("W/{}", etag.trim_start_matches("W/")),
        ] {
            let page = c.http.send(&request.clone().with("If-None-Match", &condition)).await?;
            page.is(304)?.has("etag", &etag)?.lives(31_536_000, 0)?;
        }
        for condition in seen.iter().map(String::as_str).chain(["\"other\""]) {
            c.http.send(&request.clone().with("If-None-Match", condition)).await?.is(200)?;
        }
        seen.push(etag);
    }
    Ok(())
}

async fn head(c: Context) -> Outcome {
    let demand = format!("/demand/{}", c.key("head"));
    c.http.send(&Request::head(&demand)).await?.is(200)?.cache(STORED)?;
    for path in [demand.as_str(), "/ssg/one", "/plain"] {
        for encoding in ["identity", "br"] {
            let with = |request: Request| request.with("Accept-Encoding", encoding);
            let get = c.http.send(&with(Request::get(path))).await?;
            let head = c.http.send(&with(Request::head(path))).await?;
            head.is(200)?.cache(HIT)?.has("content-length", &get.body.len().to_string())?;
            equal("bytes of body", head.body.len(), 0)?;
            for name in
                ["etag", "content-type", "content-encoding", "cache-control", "cdn-cache-control", "vary"]
            {
                equal(&format!("{path}: {name} of HEAD"), head.header(name), get.header(name))?;
            }
        }
    }
    let server = format!("/server/{}", c.key("head"));
    c.http.send(&Request::head(&server)).await?.is(200)?.is_private()?;
    // A body after HEAD would be read as the start of the next answer.
    let mut connection = c.http.connect().await?;
    for path in [&server, &demand] {
        connection.send(&Request::head(path)).await?.is(200)?;
        connection.send(&Request::get(path)).await?.is(200)?;
    }
    Ok(())
}

async fn methods(c: Context) -> Outcome {
    let key = c.key("method");
    let demand = format!("/demand/{key}");
    let before = c.get(&demand).await?;
    for path in [demand.as_str(), "/ssg/one", "/plain"] {
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            let page = c.http.send(&Request::new(method, path).body("a=b")).await?;
            let allow = page.is(405)?.need("allow")?;
            let allows = |method: &str| allow.split(',').any(|allowed| allowed.trim() == method);
            that(
                allows("GET") && allows("HEAD") && !allows(method),
                format!("{method} {path}: Allow is {allow:?}"),
            )?;
            that(
                page.directive("cache-control", "public").is_none(),
                format!("{method} {path} may be stored"),
            )?;
        }
    }
    c.get(&demand).await?.is(200)?.same_body(&before)?.cache(HIT)?;
    // Nor may one make a page that was not there.
    let cold = c.key("method");
    c.http.send(&Request::new("POST", &format!("/demand/{cold}")).body("a=b")).await?.is(405)?;
    equal("calls upstream", c.upstream.calls_containing(&cold), 0)
}

async fn range(c: Context) -> Outcome {
    let path = format!("/demand/{}", c.key("range"));
    let whole = c.get(&path).await?;
    let page = c.http.send(&Request::get(&path).with("Range", "bytes=5-14")).await?;
    if page.status == 206 {
        page.has("content-range", &format!("bytes 5-14/{}", whole.body.len()))?;
        equal("the range", Some(page.body.as_slice()), whole.body.get(5..15))?;
    } else {
        page.is(200)?.same_body(&whole)?;
    }
    c.get(&path).await?.is(200)?.same_body(&whole)?.cache(HIT)?;
    Ok(())
}

async fn no_extra_headers(c: Context) -> Outcome {
    let key = c.key("extra");
    for route in ["isr", "demand", "query", "server", "live", "fetch"] {
        let page = c.get(&format!("/{route}/{key}")).await?;
        page.is(200)?.lacks("surrogate-key")?.lacks("cache-tag")?.lacks("set-cookie")?;
        let vary = page.header("vary").unwrap_or_default().to_ascii_lowercase();
        that(!vary.contains("cookie") && !vary.contains('*'), format!("/{route}: Vary is {vary:?}"))?;
    }
    Ok(())
}
