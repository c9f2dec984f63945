//! What of a request reaches a page, and what of it is in the key.

use super::cases;
use crate::{
    check::{Outcome, equal, that},
    client::Request,
    context::Context,
    expect::{HIT, STORED},
    upstream::default_value,
};

cases! {
    - "a declared query key makes an entry of its own, with its default where it is missing" => declared_query;
    - "an undeclared query key changes neither entry nor body" => undeclared_query;
    - "a server page reads a header and a cookie of each request" => headers_and_cookies;
    - "a page of one visitor is never another's" => no_mixing;
    53 "two hundred odd request headers, one by one, get the same bytes from the same entry" => odd_headers;
}

async fn declared_query(c: Context) -> Outcome {
    let key = c.key("query");
    let read = |page: &str| format!("query-{key}-{page}");
    c.get(&format!("/query/{key}")).await?.shows(&default_value(&read("1")))?.cache(STORED)?;
    c.get(&format!("/query/{key}?page=1")).await?.shows(&default_value(&read("1")))?;
    let second = c.get(&format!("/query/{key}?page=2")).await?;
    second.shows(&default_value(&read("2")))?.cache(STORED)?;
    for query in ["page=2", "p%61ge=2", "page=%32"] {
        c.get(&format!("/query/{key}?{query}")).await?.same_body(&second)?.cache(HIT)?;
    }
    equal("calls upstream for page 2", c.upstream.calls(&read("2")), 1)
}

async fn undeclared_query(c: Context) -> Outcome {
    let key = c.key("query");
    let (first, second) = (format!("/query/{key}"), format!("/query/{key}?page=2"));
    let (first, second) = (c.get(&first).await?, c.get(&second).await?);
    for query in ["utm_source=x", "x", "PAGE=2", "=", "&&", "page[]=2"] {
        c.get(&format!("/query/{key}?{query}")).await?.is(200)?.same_body(&first)?.cache(HIT)?;
    }
    for query in ["utm_source=x&page=2", "page=2&fbclid=y"] {
        c.get(&format!("/query/{key}?{query}")).await?.same_body(&second)?.cache(HIT)?;
    }
    let demand = format!("/demand/{key}");
    let page = c.get(&demand).await?;
    c.get(&format!("{demand}?page=2")).await?.same_body(&page)?.cache(HIT)?;
    Ok(())
}

async fn headers_and_cookies(c: Context) -> Outcome {
    let path = format!("/server/{}", c.key("echo"));
    let odd = "a <b> & \"c\" 'd'";
    let page =
        c.http.send(&Request::get(&path).with("X-Echo", odd).with("Cookie", "a=b; who=ann; c=d")).await?;
    page.is(200)?.is_private()?;
    equal("#echo", page.paragraph("echo").as_deref(), Some(odd))?;
    equal("#who", page.paragraph("who").as_deref(), Some("ann"))?;
    let page = c.get(&path).await?;
    equal("#echo without header", page.paragraph("echo").unwrap_or_default().trim(), "")?;
    equal("#who without cookie", page.paragraph("who").unwrap_or_default().trim(), "")
}

async fn no_mixing(c: Context) -> Outcome {
    let path = format!("/server/{}", c.key("mixing"));
    let mut asking = tokio::task::JoinSet::new();
    for number in 0..40 {
        let (http, name) = (c.http.clone(), format!("visitor-{number}"));
        let request = Request::get(&path).with("Cookie", &format!("who={name}")).with("X-Echo", &name);
        asking.spawn(async move { (http.send(&request).await, name) });
    }
    while let Some(Ok((page, name))) = asking.join_next().await {
        let page = page?;
        equal("#who", page.is(200)?.paragraph("who"), Some(name.clone()))?;
        equal("#echo", page.paragraph("echo"), Some(name))?;
    }
    Ok(())
}

/// Names that servers, proxies and frameworks have given a meaning to, and values that each of them gets.
const NAMES: &str = "Accept Accept-Language Accept-Charset Access-Control-Request-Headers Access-Control-Request-Method \
    Authorization Cache-Control Client-IP Content-Type Cookie DNT Date Early-Data Expires Forwarded From \
    If-Modified-Since If-Unmodified-Since Max-Forwards Origin Pragma Priority Proxy-Authorization Purpose Referer RSC \
    Save-Data Sec-CH-UA Sec-Fetch-Dest Sec-Fetch-Mode Sec-Fetch-Site Sec-GPC Sec-Purpose Surrogate-Capability \
    True-Client-IP Upgrade-Insecure-Requests User-Agent Via Warning X-ATT-DeviceId X-Correlation-ID X-Forwarded-For \
    X-Forwarded-Host X-Forwarded-Port X-Forwarded-Prefix X-Forwarded-Proto X-Forwarded-Server X-Host \
    X-HTTP-Method-Override X-Matched-Path X-Middleware-Rewrite X-Middleware-Subrequest X-Middleware-Prefetch \
    X-Nextjs-Data X-Original-Host X-Original-URL X-Prerender-Revalidate X-Real-IP X-Requested-With X-Rewrite-URL \
    X-Tropos-Draft X-Tropos-Mode X-Tropos-Path X-Wap-Profile";
const VALUES: [&str; 4] =
    ["1", "/server/x, evil.example", "a=b; who=eve; session=good", "\"<script>\" \u{e9}"];

async fn odd_headers(c: Context) -> Outcome {
    let path = format!("/demand/{}", c.key("odd"));
    let first = c.get(&path).await?;
    let mut connection = c.http.connect().await?;
    let mut tried = 0;
    for name in NAMES.split_whitespace() {
        for value in VALUES {
            let during = format!("{name}: {value}");
            let page = connection.send(&Request::get(&path).with(name, value)).await;
            let page = page.map_err(|problem| problem.during(&during))?;
            page.is(200)
                .and_then(|page| page.same_body(&first))
                .and_then(|page| page.cache(HIT))
                .and_then(|page| page.lacks("set-cookie"))
                .map_err(|problem| problem.during(&during))?;
            tried += 1;
        }
    }
    that(tried >= 200, format!("only {tried} headers were tried"))?;
    equal("calls upstream", c.upstream.calls_containing(path.trim_start_matches("/demand/")), 1)
}
