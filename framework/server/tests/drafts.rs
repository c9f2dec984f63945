//! Drafts: case 43.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod common;

use axum::{Router, routing::post};
use common::{Reads, app};
use leptos::prelude::*;
use tropos::{Draft, Failure, PageError, PageResult, Path, State, cached, draft, page, prelude::*};
use tropos_server::Config;
use tropos_testing::{Answer, TestApp};

const SECRET: &str = "a long secret of this test";

#[cached(ttl = "never", tags = ["text"])]
async fn text(reads: Reads) -> tropos::Result<usize> {
    Ok(reads.one())
}

#[page("/post/:name", isr(revalidate = "never", tags = ["post-{name}"]))]
async fn Post(Path(name): Path<String>, Draft(draft): Draft, State(reads): State<Reads>) -> PageResult {
    match name.as_str() {
        "unpublished" if !draft => return Err(PageError::NotFound),
        "moved" => return Err(tropos::redirect("/post/a")),
        "fails" => return Err(Failure::new("it rained").into()),
        _ => {}
    }
    let count = text(reads).await?;
    view! { <p id="draft">{draft.to_string()}</p><p id="count">{count}</p> }.into_page()
}

async fn known() -> tropos::Result<Vec<String>> {
    Ok(vec!["known".to_owned()])
}

#[page("/built/:name", ssg(prerender = known))]
async fn Built(Path(name): Path<String>, Draft(draft): Draft) -> PageResult {
    if name == "never" {
        return Err(PageError::NotFound);
    }
    view! { <p id="draft">{draft.to_string()}</p> }.into_page()
}

#[page("/each", server)]
async fn Each(Draft(draft): Draft, State(reads): State<Reads>) -> PageResult {
    let count = text(reads).await?;
    view! { <p id="draft">{draft.to_string()}</p><p id="count">{count}</p> }.into_page()
}

#[page("/open", live)]
async fn Open(Draft(draft): Draft, State(reads): State<Reads>) -> PageResult {
    let count = text(reads).await?;
    view! { <p id="draft">{draft.to_string()}</p><p id="count">{count}</p> }.into_page()
}

async fn on() -> String {
    draft::enable().map_or_else(|error| error.to_string(), |()| draft::link("/post/a").unwrap())
}

async fn off() -> String {
    draft::disable().map_or_else(|error| error.to_string(), |()| String::new())
}

async fn site_with(secret: Option<&str>, origin: Option<&str>) -> TestApp {
    let mut config = Config::default();
    config.draft_secret = secret.map(str::to_owned);
    config.origin = origin.map(str::to_owned);
    let api = Router::new().route("/api/on", post(on)).route("/api/off", post(off));
    let app = app().pages(tropos::routes![Post, Built, Each, Open]).api(api).state(Reads::default());
    TestApp::with_config(app, config).await
}

async fn site() -> TestApp {
    site_with(Some(SECRET), None).await
}

async fn post_to(site: &TestApp, path: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
    site.send(TestApp::request("POST", path, body, headers)).await
}

/// The cookie of somebody who sees drafts.
async fn cookie(site: &TestApp) -> String {
    let answer = post_to(site, "/_tropos/draft", "", &[("authorization", &format!("Bearer {SECRET}"))]).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.cookies()
}

#[tokio::test]
async fn a_draft_is_fresh_each_time_and_stored_nowhere_and_others_are_untouched() {
    let site = site().await;
    let published = site.get("/post/a").await;
    assert_eq!(published.by_id("draft").as_deref(), Some("false"));
    let cookie = cookie(&site).await;
    let mut counts = Vec::new();
    for path in ["/post/a", "/post/a", "/post/only-drafted", "/each"] {
        let draft = site.get_with(path, &[("cookie", &cookie)]).await;
        assert_eq!(draft.status, 200, "{path}");
        assert_eq!(draft.header("cache-control"), "private, no-store", "{path}");
        assert_eq!(draft.header("cache-status"), "tropos; fwd=bypass; detail=draft", "{path}");
        assert_eq!((draft.header("etag"), draft.header("cdn-cache-control")), ("", ""), "{path}");
        assert_eq!(draft.by_id("draft").as_deref(), Some("true"), "{path}");
        counts.push(draft.by_id("count").unwrap());
    }
    assert_eq!(counts, ["2", "3", "4", "5"], "cached functions run each time too");
    let others = site.get("/post/a").await;
    assert_eq!((&others.body, others.header("cache-status")), (&published.body, "tropos; hit; ttl=31536000"));
    let first = site.get("/post/only-drafted").await;
    assert_eq!(first.header("cache-status"), "tropos; fwd=uri-miss; stored");
    assert_eq!(
        first.by_id("count").as_deref(),
        Some("1"),
        "the function's entry is that of before the drafts"
    );
    let live = site.get_with("/open", &[("cookie", &cookie)]).await;
    assert_eq!(
        (live.by_id("draft").as_deref(), live.by_id("count").as_deref(), live.header("cache-status")),
        (Some("true"), Some("6"), "tropos; fwd=bypass; detail=draft")
    );
}

#[tokio::test]
async fn what_is_not_published_is_there_in_a_draft_alone() {
    let site = site().await;
    let cookie = cookie(&site).await;
    for (path, draft, published) in [
        ("/post/unpublished", 200, 404),
        ("/built/known", 200, 200),
        ("/built/new", 200, 404),
        ("/built/never", 404, 404),
        ("/post/moved", 307, 307),
        ("/post/fails", 500, 500),
        ("/nowhere", 404, 404),
        ("/post/%zz", 400, 400),
    ] {
        for _ in 0..2 {
            let answer = site.get_with(path, &[("cookie", &cookie)]).await;
            assert_eq!(answer.status, draft, "{path} in a draft");
            assert!(answer.header("cache-control").contains("no-store"), "{path}");
            assert_eq!(site.get(path).await.status, published, "{path} for others");
        }
    }
    let built = site.get_with("/built/known", &[("cookie", &cookie)]).await;
    assert_eq!(built.by_id("draft").as_deref(), Some("true"));
    assert_eq!(site.get("/built/known").await.by_id("draft").as_deref(), Some("false"));
}

#[tokio::test]
async fn a_cookie_that_is_forged_expired_or_of_another_name_counts_as_none() {
    let site = site().await;
    let good = cookie(&site).await;
    let published = site.get("/post/a").await.body;
    let value = good.split_once('=').unwrap().1;
    let forged = [
        "tropos_draft=1".to_owned(),
        "tropos_draft=".to_owned(),
        format!("tropos_draft={}", &value[..value.len() - 1]),
        format!("tropos_draft=9{value}"),
        format!("__Host-tropos_draft={value}"),
        format!("draft={value}"),
        format!("x=tropos_draft={value}"),
    ];
    for cookie in &forged {
        let answer = site.get_with("/post/a", &[("cookie", cookie)]).await;
        assert_eq!(
            (&answer.body, answer.header("cache-status")),
            (&published, "tropos; hit; ttl=31536000"),
            "{cookie}"
        );
    }
    for carried in [format!("a=b; {good}; c=d"), format!("tropos_draft=forged; {good}")] {
        let answer = site.get_with("/post/a", &[("cookie", &carried)]).await;
        assert_eq!(answer.by_id("draft").as_deref(), Some("true"), "{carried}");
    }
    site.advance(std::time::Duration::from_secs(8 * 3600));
    assert_eq!(site.get_with("/post/a", &[("cookie", &good)]).await.body, published);
}

#[tokio::test]
async fn the_secret_gives_a_cookie_and_a_link_that_leads_on() {
    let site = site_with(Some(SECRET), Some("https://shop.example")).await;
    let bearer = format!("Bearer {SECRET}");
    let auth = [("authorization", bearer.as_str())];
    let given = post_to(&site, "/_tropos/draft", r#"{"to":"/post/a?x=1"}"#, &auth).await;
    let line = given.header("set-cookie");
    for part in
        ["__Host-tropos_draft=", "; HttpOnly", "; SameSite=Lax", "; Secure", "; Path=/", "; Max-Age=28800"]
    {
        assert!(line.contains(part), "{part}: {line}");
    }
    let text = given.text();
    let link = text.split('"').nth(3).unwrap().strip_prefix("https://shop.example").unwrap();
    let opened = site.get(link).await;
    assert_eq!((opened.status.as_u16(), opened.header("location")), (303, "/post/a?x=1"));
    assert_eq!(opened.header("cache-control"), "private, no-store");
    let draft = site.get_with("/post/a", &[("cookie", &opened.cookies())]).await;
    assert_eq!(draft.by_id("draft").as_deref(), Some("true"));
    for wrong in [link.replace("%2Fpost", "%2Fpast"), "/_tropos/draft?to=/".into(), "/_tropos/draft".into()] {
        let answer = site.get(&wrong).await;
        assert_eq!((answer.status.as_u16(), answer.header("set-cookie")), (403, ""), "{wrong}");
    }
    for (body, headers, status) in [
        ("", &[][..], 401),
        ("", &[("authorization", "Bearer wrong")][..], 401),
        ("{", &auth[..], 400),
        (r#"{"too":"/"}"#, &auth[..], 400),
        (r#"{"to":"//evil"}"#, &auth[..], 400),
        (r#"{"to":"https://evil"}"#, &auth[..], 400),
    ] {
        let answer = post_to(&site, "/_tropos/draft", body, headers).await;
        assert_eq!((answer.status.as_u16(), answer.header("set-cookie")), (status, ""), "{body}");
    }
    let other = site.send(TestApp::request("PUT", "/_tropos/draft", "", &auth)).await;
    assert_eq!((other.status.as_u16(), other.header("allow")), (405, "GET, POST"));
}

#[tokio::test]
async fn an_application_turns_drafts_on_and_off_by_itself() {
    let site = site().await;
    let on = post_to(&site, "/api/on", "", &[]).await;
    let cookie = on.cookies();
    assert_eq!(
        site.get_with("/post/a", &[("cookie", &cookie)]).await.by_id("draft").as_deref(),
        Some("true")
    );
    assert_eq!(site.get(&on.text()).await.header("location"), "/post/a");
    for (path, status) in [("/api/off", 200), ("/_tropos/draft/off", 303)] {
        let off = post_to(&site, path, "", &[("cookie", &cookie)]).await;
        assert_eq!(off.status, status, "{path}");
        let line = off.header("set-cookie");
        assert!(line.starts_with("tropos_draft=;") && line.contains("Max-Age=0"), "{line}");
    }
    let foreign = [("cookie", cookie.as_str()), ("sec-fetch-site", "cross-site")];
    assert_eq!(post_to(&site, "/_tropos/draft/off", "", &foreign).await.status, 403);
}

#[tokio::test]
async fn without_a_secret_there_are_no_drafts() {
    let with = site().await;
    let cookie = cookie(&with).await;
    let site = site_with(None, None).await;
    let answer = site.get_with("/post/a", &[("cookie", &cookie)]).await;
    assert_eq!(answer.by_id("draft").as_deref(), Some("false"));
    let bearer = format!("Bearer {SECRET}");
    assert_eq!(post_to(&site, "/_tropos/draft", "", &[("authorization", &bearer)]).await.status, 404);
    assert_eq!(site.get("/_tropos/draft").await.status, 404);
    assert!(post_to(&site, "/api/on", "", &[]).await.text().contains("TROPOS_DRAFT_SECRET"));
}
