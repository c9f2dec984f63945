//! What a page makes the browser load, and how that is served.

use super::cases;
use crate::{
    check::{Outcome, Problem, equal, fail, that},
    client::Request,
    context::Context,
    html,
    page::Page,
};

cases! {
    - "a page without islands has no script and no wasm at all" => no_script;
    - "a page with an island has its button, a script and a wasm" => island;
    - "a hashed asset is immutable, has an ETag, and comes in each encoding" => hashed_assets;
    - "an asset that does not exist is 404 and not stored" => missing_assets;
}

/// The quoted paths in a text that end like a script, a wasm or a style sheet, each once.
pub(super) fn assets(text: &str) -> Vec<String> {
    let mut found: Vec<String> = text
        .split(['"', '\'', '`', '(', ')', '<', '>', ' '])
        .filter(|part| [".js", ".wasm", ".css"].iter().any(|end| part.ends_with(end)))
        .filter(|part| part.starts_with('/') && !part.starts_with("//"))
        .map(Into::into)
        .collect();
    found.sort();
    found.dedup();
    found
}

async fn no_script(c: Context) -> Outcome {
    for path in [
        "/plain".into(),
        "/ssg/one".into(),
        format!("/isr/{}", c.key("plain")),
        format!("/server/{}", c.key("plain")),
    ] {
        let page = c.get(&path).await?;
        let text = page.is(200)?.text().to_ascii_lowercase();
        that(!html::has_tag(&text, "script"), format!("{path} has a script: {text}"))?;
        page.hides(&[".wasm", "modulepreload", "leptos-island", ".js\"", "javascript:", "onload="])?;
        that(
            page.header("link").is_none_or(|link| !link.contains("script")),
            format!("{path} preloads a script"),
        )?;
    }
    Ok(())
}

/// Everything that the island's page loads, also from within its scripts.
async fn loaded(c: &Context) -> Result<Vec<String>, Problem> {
    let page = c.get("/island").await?;
    page.is(200)?;
    let mut urls = assets(&page.text());
    for script in urls.clone().iter().filter(|url| url.ends_with(".js")) {
        let body = c.get(script).await?;
        body.is(200)?;
        let folder = script.rsplit_once('/').map_or("", |(folder, _)| folder);
        let text = body.text();
        urls.extend(assets(&text));
        if urls.iter().any(|url| url.ends_with(".wasm")) {
            continue;
        }
        // Named nowhere else: then relative to the script.
        let quoted = text.split(['"', '\'', '`']);
        let wasm = quoted
            .filter(|part| part.len() > ".wasm".len() && part.ends_with(".wasm") && !part.contains('/'));
        urls.extend(wasm.map(|name| format!("{folder}/{name}")));
    }
    urls.sort();
    urls.dedup();
    if urls.is_empty() { fail("/island loads nothing") } else { Ok(urls) }
}

async fn island(c: Context) -> Outcome {
    let page = c.get("/island").await?;
    let text = page.is(200)?.text();
    that(html::has_tag(&text, "script"), format!("/island has no script: {text}"))?;
    let count = html::text_of(&text, "button", "counter");
    that(
        count.as_deref().is_some_and(|count| count.contains('0')),
        format!("<button id=\"counter\"> shows {count:?}"),
    )?;
    let urls = loaded(&c).await?;
    let has = |end: &str| urls.iter().any(|url| url.ends_with(end));
    that(has(".js") && has(".wasm"), format!("/island loads {urls:?}, expected a script and a wasm"))?;
    if let Some(policy) = page.header("content-security-policy") {
        that(!policy.contains("nonce-"), "a stored page carries a nonce")?;
    }
    Ok(())
}

async fn hashed_assets(c: Context) -> Outcome {
    for url in loaded(&c).await? {
        let plain = c.http.send(&Request::get(&url).with("Accept-Encoding", "identity")).await?;
        let plain_tag = immutable(&plain)?;
        plain.lacks("content-encoding")?;
        for encoding in ["br", "zstd", "gzip"] {
            let request = Request::get(&url).with("Accept-Encoding", encoding);
            let page = c.http.send(&request).await?;
            let tag = immutable(&page)?;
            page.has("content-encoding", encoding)?;
            that(tag != plain_tag, format!("{url}: {encoding} has the ETag of the plain body"))?;
            that(page.body.len() < plain.body.len(), format!("{url}: {encoding} is no smaller"))?;
            c.http.send(&request.with("If-None-Match", &tag)).await?.is(304)?;
        }
        let kind = plain.need("content-type")?;
        let expected = match url.rsplit('.').next() {
            Some("js") => "javascript",
            Some("wasm") => "application/wasm",
            _ => "text/css",
        };
        that(kind.contains(expected), format!("{url}: Content-Type is {kind:?}"))?;
        let head = c.http.send(&Request::head(&url).with("Accept-Encoding", "identity")).await?;
        head.is(200)?.has("content-length", &plain.body.len().to_string())?;
        equal("bytes of HEAD", head.body.len(), 0)?;
    }
    Ok(())
}

fn immutable(page: &Page) -> Result<String, Problem> {
    page.is(200)?.has("cache-control", "public, max-age=31536000, immutable")?;
    Ok(page.need("etag")?.to_owned())
}

async fn missing_assets(c: Context) -> Outcome {
    for url in loaded(&c).await? {
        let (stem, end) = url.rsplit_once('.').unwrap_or((&url, ""));
        c.get(&format!("{stem}0.{end}")).await?.is(404)?.no_store()?;
        c.get(&format!("{url}.map")).await?.is(404)?.no_store()?;
    }
    Ok(())
}
