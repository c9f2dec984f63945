//! What an attacker sends.

use super::cases;
use crate::{
    check::{Outcome, equal, that},
    client::Request,
    context::{Context, TOKEN},
    expect::HIT,
    html,
    page::Page,
};
use serde_json::json;

cases! {
    52 "headers that claim another host leave no trace in a stored body or a redirect" => claimed_hosts;
    52 "an unknown Host gets 421 where hosts are declared" => unknown_host;
    54 "a path that looks like a file beneath a page is 404 or 400 and never public" => disguised_paths;
    61 "an error page shows nothing of the error, and the process lives" => errors_show_nothing;
    68 "a value that looks like markup stays a value" => no_break_out;
    71 "traversal in paths of files is 404 or 400 and reads nothing" => traversal;
}

const CLAIMS: [(&str, &str); 11] = [
    ("X-Forwarded-Host", "evil.example"),
    ("X-Forwarded-Server", "evil.example"),
    ("X-Forwarded-Proto", "evil.example"),
    ("X-Forwarded-Port", "evil.example"),
    ("X-Forwarded-Prefix", "/evil.example"),
    ("X-Forwarded-For", "evil.example"),
    ("X-Host", "evil.example"),
    ("X-Original-URL", "/evil.example"),
    ("X-Rewrite-URL", "/evil.example"),
    ("Forwarded", "for=evil.example;host=evil.example;proto=https"),
    ("Referer", "http://evil.example/"),
];

async fn claimed_hosts(c: Context) -> Outcome {
    let spoil = |path: &str| {
        CLAIMS.iter().fold(Request::get(path), |request, (name, value)| request.with(name, value))
    };
    for route in ["demand", "isr", "server", "live"] {
        let key = c.key("claimed");
        let path = format!("/{route}/{key}");
        c.http.send(&spoil(&path)).await?.is(200)?.hides(&["evil.example"])?;
        c.get(&path).await?.is(200)?.hides(&["evil.example"])?;
        let moved = c.key("claimed-moved");
        c.upstream.redirect(&format!("{route}-{moved}"), 302, "/plain");
        c.http.send(&spoil(&format!("/{route}/{moved}"))).await?.is(307)?.has("location", "/plain")?;
        c.get(&format!("/{route}/{moved}")).await?.is(307)?.has("location", "/plain")?;
    }
    // In a Host header or an absolute target: refused, or without trace.
    let key = c.key("claimed");
    let path = format!("/demand/{key}");
    let absolute = Request::get(&format!("http://evil.example{path}"));
    for request in [Request::get(&path).with("Host", "evil.example"), absolute] {
        let page = c.http.send(&request).await?;
        that(matches!(page.status, 200 | 400 | 421), format!("a foreign host got {}", page.status))?;
        page.hides(&["evil.example"])?;
    }
    c.get(&path).await?.is(200)?.hides(&["evil.example"])?;
    Ok(())
}

async fn unknown_host(c: Context) -> Outcome {
    let hosts =
        [("TROPOS_ALLOWED_HOSTS", "good.example,also.example"), ("TROPOS_ORIGIN", "http://good.example")];
    let server = c.own_server(Some(TOKEN), &hosts).await?;
    let key = c.key("host");
    let path = format!("/demand/{key}");
    for host in ["evil.example", "good.example.evil.example", "xgood.example", "good.example@evil.example"] {
        let status = server.http().send(&Request::get(&path).with("Host", host)).await?.status;
        that(
            status == 421 || (status == 400 && host.contains('@')),
            format!("Host {host} got {status}, expected 421"),
        )?;
    }
    equal("calls upstream", c.upstream.calls_containing(&key), 0)?;
    for host in ["good.example", "also.example", "GOOD.example"] {
        server.http().send(&Request::get(&path).with("Host", host)).await?.is(200)?;
    }
    Ok(())
}

async fn disguised_paths(c: Context) -> Outcome {
    let key = c.key("disguised");
    for page in ["/plain", "/island", &format!("/server/{key}"), &format!("/isr/{key}")] {
        for tail in
            ["/x.css", "%2fx.css", "%00.css", "/..%2f", "/..%2fx.css", "%2f..%2fx.css", "/x.js", "//x.css"]
        {
            let answer = c.get(&format!("{page}{tail}")).await?;
            that(matches!(answer.status, 400 | 404), format!("{page}{tail} got {}", answer.status))?;
            answer.no_store()?;
        }
    }
    c.get("/plain;x.css").await?.is(404)?.no_store()?;
    // A parameter takes it as a part of itself: then it is a page of its own, and as private as any.
    let answer = c.get(&format!("/server/{key};x.css")).await?;
    that(matches!(answer.status, 200 | 404), format!("/server/{key};x.css got {}", answer.status))?;
    that(answer.directive("cache-control", "no-store").is_some(), "a server page may be stored")?;
    equal("calls upstream for /isr", c.upstream.calls(&format!("isr-{key}")), 0)
}

async fn errors_show_nothing(c: Context) -> Outcome {
    let upstream = c.upstream.url();
    let address = upstream.trim_start_matches("http://");
    for route in ["isr", "demand", "query", "nested", "server", "live", "fetch", "cached", "twice"] {
        let key = c.key("secret");
        let read = if route == "query" { format!("query-{key}-1") } else { format!("{route}-{key}") };
        c.upstream.fail(&read, 500);
        let page = c.get(&format!("/{route}/{key}")).await?;
        page.is(500)?.hides(&[
            "upstream-internal-detail",
            address,
            &read,
            "panicked",
            "UPSTREAM_URL",
            ".rs:",
        ])?;
        for (name, value) in &page.headers {
            that(!value.contains(address), format!("{name} of an error page names the data source"))?;
        }
        c.upstream.set(&read, "well again");
        c.get(&format!("/{route}/{key}")).await?.shows("well again")?;
    }
    Ok(())
}

async fn no_break_out(c: Context) -> Outcome {
    let values = [
        "</script><script>alert(1)</script>",
        "<!--<script>alert(2)",
        "--><img src=x onerror=alert(3)>",
        "\"><script>alert(4)</script>",
        "' onmouseover='alert(5)",
        "a\u{2028}b\u{2029}c",
        "__proto__ &amp; &lt; &#39; &quot",
        "</p></main><main data-value=\"forged\">",
        "{{7*7}} ${7*7} %3Cscript%3E",
        "é 漢字 🦀 \u{202e}rtl",
    ];
    for route in ["demand", "isr", "server", "live", "stream", "fetch", "cached"] {
        let key = c.key("markup");
        let (path, read) = (format!("/{route}/{key}"), format!("{route}-{key}"));
        for value in values {
            c.upstream.set(&read, value);
            c.invalidate(json!({ "tags": [read], "paths": [path] })).await?;
            let page = c.get(&path).await?;
            page.shows(value)?;
            stays_a_value(&page)?;
            if route == "demand" {
                c.get(&path).await?.shows(value)?.cache(HIT)?;
            }
        }
    }
    // In a parameter, too.
    let key = c.key("markup");
    let page = c.get(&format!("/server/%3Cscript%3Ealert(6)%22'{key}")).await?;
    page.shows(&format!("server-<script>alert(6)\"'{key}=1"))?;
    stays_a_value(&page)
}

/// Looks at the markup as a browser does: within a quoted attribute, `<script>` is harmless.
fn stays_a_value(page: &Page) -> Outcome {
    let text = page.text();
    let broke_out = html::scripts(&text).iter().any(|script| script.trim_start().starts_with("alert("))
        || html::has_tag(&text, "img")
        || html::attributes_of(&text, "main", "data-value").iter().any(|value| value == "forged")
        || ["main", "p"].iter().any(|tag| html::attribute_of(&text, tag, "onmouseover").is_some());
    that(!broke_out, format!("{}: a value became markup\n{text}", page.request))
}

async fn traversal(c: Context) -> Outcome {
    let island = c.get("/island").await?;
    let assets = super::assets_and_islands::assets(&island.text());
    let folder = assets.first().and_then(|url| Some(url.rsplit_once('/')?.0)).unwrap_or_default();
    let tails = [
        "../../../../../../../../etc/passwd",
        "..%2f..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
        "%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "%252e%252e%252f%252e%252e%252fetc%252fpasswd",
        "....//....//....//etc/passwd",
        "..%5c..%5c..%5cetc%5cpasswd",
        "..;/..;/etc/passwd",
        "%c0%ae%c0%ae/%c0%ae%c0%ae/etc/passwd",
        "/etc/passwd",
        "../manifest.json",
        "../tropos-fixture",
        "../pages/plain.html",
        "%00",
        "a%00.js",
        ".env",
        ".git/config",
        ".",
        "..",
        "",
    ];
    for base in [folder, "", "/public", "/pages", "/static"] {
        for tail in tails {
            let path = format!("{base}/{tail}");
            if path == "/" {
                continue;
            }
            let answer = c.get(&path).await?;
            that(matches!(answer.status, 400 | 404), format!("GET {path} got {}", answer.status))?;
            answer.hides(&["root:x:", "\"routes\""])?;
        }
    }
    Ok(())
}
