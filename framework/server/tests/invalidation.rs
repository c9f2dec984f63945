//! What an invalidation does beyond its number: pages made again without a visitor (case 34), and a report (case 35).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod common;

use axum::{Router, routing::post};
use common::{Reads, app};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tropos::{PageResult, Path, Query, State, cached, page, prelude::*};
use tropos_server::Config;
use tropos_testing::{Answer, TestApp};

#[page("/count/:name", isr(revalidate = "never", tags = ["count", "count-{name}"]))]
async fn Count(Path(name): Path<String>, State(reads): State<Reads>) -> PageResult {
    let count = reads.one();
    if name == "slow" {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    view! { <p id="count">{count}</p> }.into_page()
}

#[derive(Serialize, Deserialize)]
struct Paging {
    #[serde(default)]
    page: u32,
}

#[page("/paged/:name", isr(revalidate = "never", tags = ["paged"], query = Paging))]
async fn Paged(
    Path(_): Path<String>,
    Query(paging): Query<Paging>,
    State(reads): State<Reads>,
) -> PageResult {
    reads.one();
    let size = size(paging.page).await?;
    view! { <p id="page">{size}</p> }.into_page()
}

#[cached(ttl = "never", tags = ["size"])]
async fn size(page: u32) -> tropos::Result<u32> {
    Ok(page)
}

async fn write() -> String {
    let report = tropos::revalidate::tag("count").warm().report().await.unwrap();
    report.names.iter().map(|(tag, carried)| format!("{tag} {}", carried.pages)).collect()
}

async fn site(reads: &Reads) -> TestApp {
    let mut config = Config::default();
    config.revalidate_token = Some("token".into());
    let app = app().pages(tropos::routes![Count, Paged]).api(Router::new().route("/api/write", post(write)));
    TestApp::with_config(app.state(reads.clone()), config).await
}

async fn revalidate(site: &TestApp, body: &str) -> Answer {
    let headers = [("authorization", "Bearer token")];
    site.send(TestApp::request("POST", "/_tropos/revalidate", body, &headers)).await
}

/// Waits until there were so many reads; the test fails where they do not come.
async fn until(reads: &Reads, count: usize) {
    let reached = async {
        while reads.count() < count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(10), reached).await.is_ok(), "{} reads", reads.count());
}

#[tokio::test]
async fn warmed_pages_are_rendered_without_a_visitor_and_then_hit() {
    let reads = Reads::default();
    let site = site(&reads).await;
    for path in ["/count/a", "/count/b", "/paged/a?page=2&utm=x"] {
        site.get(path).await;
    }
    for (soft, body) in [
        (false, r#"{"tags":["count-a"],"warm":true}"#),
        (true, r#"{"tags":["count-a"],"warm":true,"soft":true}"#),
        (false, r#"{"paths":["/count/a"],"warm":true}"#),
    ] {
        let before = reads.count();
        assert_eq!(revalidate(&site, body).await.status, 200);
        until(&reads, before + 1).await;
        let answer = site.get("/count/a").await;
        assert_eq!(answer.by_id("count"), Some((before + 1).to_string()), "soft: {soft}");
        assert!(answer.header("cache-status").starts_with("tropos; hit; ttl=3") || !soft, "{body}");
        assert_eq!(reads.count(), before + 1);
    }
    let before = reads.count();
    revalidate(&site, r#"{"prefixes":["/paged"],"warm":true}"#).await;
    until(&reads, before + 1).await;
    let answer = site.get("/paged/a?page=2").await;
    assert_eq!((answer.by_id("page").as_deref(), reads.count()), (Some("2"), before + 1));
}

#[tokio::test]
async fn without_warm_nothing_is_rendered_until_somebody_asks() {
    let reads = Reads::default();
    let site = site(&reads).await;
    site.get("/count/a").await;
    revalidate(&site, r#"{"tags":["count"]}"#).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!((reads.count(), site.site.engine().entries_walked()), (1, 0));
}

#[tokio::test]
async fn a_visitor_joins_the_render_that_warms_the_page() {
    let reads = Reads::default();
    let site = site(&reads).await;
    site.get("/count/slow").await;
    revalidate(&site, r#"{"tags":["count"],"warm":true}"#).await;
    until(&reads, 2).await;
    let answer = site.get("/count/slow").await;
    assert_eq!(answer.by_id("count").as_deref(), Some("2"));
    assert_eq!(answer.header("cache-status"), "tropos; fwd=stale; collapsed");
    assert_eq!(reads.count(), 2);
}

#[tokio::test]
async fn the_report_says_what_was_hit_under_the_names_that_were_given() {
    let reads = Reads::default();
    let site = site(&reads).await;
    for path in ["/count/a", "/count/b", "/paged/a?page=1", "/paged/a?page=2"] {
        site.get(path).await;
    }
    let body = r#"{"tags":["count","size","none"],"paths":["/paged/%61"],"prefixes":["/"],"report":true}"#;
    let expected = concat!(
        r#"{"sequence":1,"report":{"complete":true,"names":["#,
        r#"{"tag":"count","pages":2,"data":0},{"tag":"size","pages":2,"data":2},"#,
        r#"{"tag":"none","pages":0,"data":0},{"path":"/paged/%61","pages":2,"data":0},"#,
        r#"{"prefix":"/","pages":4,"data":0}]}}"#
    );
    assert_eq!(revalidate(&site, body).await.text(), expected);
    assert_eq!(revalidate(&site, r#"{"tags":["count"]}"#).await.text(), r#"{"sequence":2}"#);
}

#[tokio::test]
async fn an_api_handler_warms_and_reports_too() {
    let reads = Reads::default();
    let site = site(&reads).await;
    site.get("/count/a").await;
    let answer = site.send(TestApp::request("POST", "/api/write", "", &[])).await;
    assert_eq!(answer.text(), "count 1");
    until(&reads, 2).await;
}
