//! Live pages: who is sent what.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod common;

use axum::body::Body;
use common::{Reads, app};
use futures::{StreamExt, future::BoxFuture};
use http::Response;
use leptos::prelude::*;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tropos::{Cookies, PageResult, State, extract, live_url, page, prelude::*};
use tropos_cache::{LogSource, Scope};
use tropos_core::{Positions, failure};
use tropos_testing::{Answer, TestApp};

/// Whether the page is personal just now.
#[derive(Clone, Default)]
struct Personal(Arc<AtomicBool>);

#[page("/board", live(tags = ["board"]))]
async fn Board(State(reads): State<Reads>, State(personal): State<Personal>) -> PageResult {
    let count = reads.one();
    let who = match personal.0.load(Ordering::SeqCst) {
        true => extract::<Cookies>().await?.get("who"),
        false => None,
    };
    view! { <main data-live=live_url()><p id="count">{count}</p><p id="who">{who}</p></main> }.into_page()
}

async fn site(personal: &Personal) -> TestApp {
    TestApp::new(app().pages(tropos::routes![Board]).state(Reads::default()).state(personal.clone())).await
}

fn stream_of(page: &Answer) -> String {
    let text = page.text();
    let (_, url) = text.split_once("data-live=\"").unwrap();
    url.split_once('"').unwrap().0.replace("&amp;", "&")
}

/// The next event with data; `None` where the stream has ended.
async fn next(stream: &mut Response<Body>) -> Option<String> {
    let mut pieces = std::mem::take(stream.body_mut()).into_data_stream();
    let wait = async {
        let mut text = String::new();
        while let Some(Ok(piece)) = pieces.next().await {
            text.push_str(&String::from_utf8_lossy(&piece));
            if let Some(event) = text.split("\n\n").find(|event| event.contains("data:")) {
                return Some(event.to_owned());
            }
        }
        None
    };
    let event = tokio::time::timeout(Duration::from_secs(5), wait).await.unwrap();
    *stream.body_mut() = Body::from_stream(pieces);
    event
}

async fn open(site: &TestApp, cookie: &str) -> Response<Body> {
    let page = site.get_with("/board", &[("cookie", cookie)]).await;
    site.start(TestApp::request("GET", &stream_of(&page), "", &[("cookie", cookie)])).await
}

#[tokio::test]
async fn all_who_watch_a_page_that_reads_nothing_of_theirs_share_one_render_a_change() {
    let site = site(&Personal::default()).await;
    let (mut a, mut b) = (open(&site, "who=a").await, open(&site, "who=b").await);
    site.invalidate("board").await;
    let (of_a, of_b) = (next(&mut a).await.unwrap(), next(&mut b).await.unwrap());
    assert!(of_a.contains(r#"id=\"count\">3<"#), "two first answers, and one render for the change: {of_a}");
    assert!(of_b.contains(r#"id=\"count\">3<"#), "{of_b}");
}

#[tokio::test]
async fn a_page_that_becomes_personal_is_sent_to_nobody_else() {
    let personal = Personal::default();
    let site = site(&personal).await;
    let (mut a, mut b) = (open(&site, "who=a").await, open(&site, "who=b").await);
    personal.0.store(true, Ordering::SeqCst);
    site.invalidate("board").await;
    assert_eq!((next(&mut a).await, next(&mut b).await), (None, None), "both are to connect again");
    let (mut a, mut b) = (open(&site, "who=a").await, open(&site, "who=b").await);
    site.invalidate("board").await;
    let (of_a, of_b) = (next(&mut a).await.unwrap(), next(&mut b).await.unwrap());
    assert!(of_a.contains(r#"id=\"who\">a<"#) && of_b.contains(r#"id=\"who\">b<"#), "{of_a} {of_b}");
}

#[tokio::test]
async fn the_address_of_a_stream_opens_no_page_but_that_of_who_asks() {
    let personal = Personal(Arc::new(AtomicBool::new(true)));
    let site = site(&personal).await;
    let page = site.get_with("/board", &[("cookie", "who=victim")]).await;
    let asked =
        TestApp::request("GET", &stream_of(&page), "", &[("cookie", "who=thief"), ("last-event-id", "x")]);
    let mut stream = site.start(asked).await;
    let event = next(&mut stream).await.unwrap();
    assert!(!event.contains("victim") && event.contains("thief"), "{event}");
}

#[tokio::test]
async fn a_stream_is_opened_by_this_site_alone() {
    let site = site(&Personal::default()).await;
    let url = stream_of(&site.get("/board").await);
    for (name, value) in
        [("origin", "https://evil.example"), ("origin", "null"), ("sec-fetch-site", "cross-site")]
    {
        let answer = site.start(TestApp::request("GET", &url, "", &[(name, value)])).await;
        assert_eq!(answer.status(), 403, "{name}: {value}");
    }
}

/// A log that stands one further at each question.
#[derive(Debug, Default)]
struct Log(AtomicU64);

impl LogSource for Log {
    fn current(&self) -> BoxFuture<'_, failure::Result<Positions>> {
        let position = self.0.fetch_add(1, Ordering::SeqCst) + 1;
        Box::pin(async move { Ok([(0, position)].into_iter().collect()) })
    }
}

/// Shows what its reads must have seen.
#[page("/required", live(tags = ["board"]))]
async fn RequiredOfReads() -> PageResult {
    let required = format!("{:?}", Scope::current().map(|scope| scope.requires(0)));
    view! { <main data-live=live_url()><p id="required">{required}</p></main> }.into_page()
}

#[tokio::test]
async fn g9_a_live_page_is_made_again_from_what_the_invalidation_carried() {
    let site = TestApp::new(app().pages(tropos::routes![RequiredOfReads]).state(Reads::default())).await;
    site.site.engine().follow_log(Arc::new(Log::default())).await;
    let page = site.get("/required").await;
    assert_eq!(page.by_id("required").as_deref(), Some("Some(Position(1))"));
    let mut stream = site.start(TestApp::request("GET", &stream_of(&page), "", &[])).await;
    site.invalidate("board").await;
    let event = next(&mut stream).await.unwrap();
    assert!(event.contains("Some(Position(2))"), "{event}");
}
