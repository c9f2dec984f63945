//! Handlers beside the pages, and the endpoint for invalidation.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod common;

use axum::{Router, routing::get};
use common::{Reads, app};
use futures::future::BoxFuture;
use leptos::prelude::*;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tropos::{PageResult, State, page, prelude::*};
use tropos_cache::LogSource;
use tropos_core::{Failure, Positions};
use tropos_server::Config;
use tropos_testing::TestApp;

#[page("/count", isr(revalidate = "never", tags = ["count"]))]
async fn Count(State(reads): State<Reads>) -> PageResult {
    let count = reads.one();
    view! { <p id="count">{count}</p> }.into_page()
}

/// Writes, takes its time, and invalidates.
async fn slow_write() -> &'static str {
    tokio::time::sleep(Duration::from_millis(50)).await;
    tropos::revalidate::tag("count").await.unwrap();
    "written"
}

async fn site() -> TestApp {
    let api = Router::new().route("/api/write", get(async || "read").post(slow_write));
    let mut config = Config::default();
    config.revalidate_token = Some("token".into());
    TestApp::with_config(app().pages(tropos::routes![Count]).api(api).state(Reads::default()), config).await
}

#[tokio::test]
async fn other_sites_may_read_an_api_and_not_write() {
    let site = site().await;
    let foreign = [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")];
    let ask =
        async |method, path| site.send(TestApp::request(method, path, "", &foreign)).await.status.as_u16();
    assert_eq!(ask("GET", "/api/write").await, 200);
    assert_eq!(ask("GET", "/nowhere").await, 404);
    assert_eq!(ask("POST", "/api/write").await, 403);
    assert_eq!(ask("DELETE", "/api/write").await, 403);
}

#[tokio::test]
async fn the_api_and_the_pages_decide_on_one_spelling_of_a_path() {
    let site = site().await;
    assert_eq!(site.get("/api/%77rite").await.text(), "read");
    assert_eq!(site.get("/api//write").await.status, 400);
}

#[tokio::test]
async fn a_client_that_leaves_does_not_part_a_write_from_its_invalidation() {
    let site = site().await;
    assert_eq!(site.get("/count").await.by_id("count").as_deref(), Some("1"));
    let write = site.site.clone().handle(TestApp::request("POST", "/api/write", "", &[]));
    assert!(tokio::time::timeout(Duration::from_millis(5), write).await.is_err(), "it takes its time");
    let mut changes = site.site.engine().tags().changes();
    tokio::time::timeout(Duration::from_secs(5), changes.changed()).await.unwrap().unwrap();
    assert_eq!(site.get("/count").await.by_id("count").as_deref(), Some("2"));
}

#[tokio::test]
async fn head_has_no_body_whatever_the_answer() {
    let site = site().await;
    for path in ["/count", "/nowhere", "/%zz", "/api/write"] {
        let answer = site.send(TestApp::request("HEAD", path, "", &[])).await;
        assert!(answer.body.is_empty(), "{path}");
    }
}

#[tokio::test]
async fn the_endpoint_takes_the_body_that_is_documented_and_names_what_is_wrong_with_another() {
    let site = site().await;
    let call = async |token: &str, body: &str| {
        let token = format!("Bearer {token}");
        let headers = [("authorization", token.as_str())];
        site.send(TestApp::request("POST", "/_tropos/revalidate", body, &headers)).await.status.as_u16()
    };
    let documented = r#"{"tags":["count"],"paths":["/a"],"prefixes":["/blog"],"soft":false,"warm":false}"#;
    assert_eq!(call("token", documented).await, 200);
    assert_eq!(call("tokem", documented).await, 401);
    for malformed in ["", "{", "{}", r#"{"tag":["count"]}"#, r#"{"paths":["//a"]}"#] {
        assert_eq!(call("token", malformed).await, 400, "{malformed}");
    }
    let many: Vec<String> = (0..1001).map(|n| format!("\"t{n}\"")).collect();
    assert_eq!(call("token", &format!("{{\"tags\":[{}]}}", many.join(","))).await, 413);
}

/// The log of a primary that may be gone.
#[derive(Debug, Default)]
struct Primary {
    is_gone: AtomicBool,
}

impl LogSource for Primary {
    fn current(&self) -> BoxFuture<'_, tropos_core::failure::Result<Positions>> {
        Box::pin(async {
            let is_gone = self.is_gone.load(Ordering::SeqCst);
            if is_gone { Err(Failure::new("the primary is gone")) } else { Ok(Positions::default()) }
        })
    }
}

#[tokio::test]
async fn g9_while_the_primary_cannot_be_asked_the_endpoint_says_that_nothing_was_invalidated() {
    let site = site().await;
    let primary = Arc::new(Primary::default());
    site.site.engine().follow_log(primary.clone()).await;
    let headers = [("authorization", "Bearer token")];
    let call = async || {
        let request = TestApp::request("POST", "/_tropos/revalidate", r#"{"tags":["count"]}"#, &headers);
        site.send(request).await
    };
    primary.is_gone.store(true, Ordering::SeqCst);
    let refused = call().await;
    assert_eq!(refused.status, 503);
    assert!(refused.text().contains("nothing has changed"), "{}", refused.text());
    assert_eq!(site.site.engine().tags().current().sequence, 0);
    primary.is_gone.store(false, Ordering::SeqCst);
    assert_eq!(call().await.status, 200);
}
