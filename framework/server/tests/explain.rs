//! Why a path would hit or miss.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod common;

use common::{Reads, app};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tropos::{Failure, PageError, PageResult, Path, Query, State, page, prelude::*};
use tropos_core::explain::{RefusedBecause, RenderBecause, StaleBecause, UnstoredBecause, Verdict};
use tropos_testing::TestApp;

#[page("/isr/:key", isr(revalidate = "2s", expire = "10s", tags = ["isr-{key}"]))]
async fn Isr(Path(key): Path<String>, State(reads): State<Reads>) -> PageResult {
    if key == "fails" && reads.one() > 1 {
        return Err(Failure::new("it rained").into());
    }
    if key == "missing" {
        return Err(PageError::NotFound);
    }
    view! { <p>{key}</p> }.into_page()
}

async fn known() -> tropos::Result<Vec<String>> {
    Ok(vec!["known".to_owned()])
}

#[page("/closed/:key", isr(revalidate = "2s", closed, prerender = known))]
async fn Closed(Path(key): Path<String>) -> PageResult {
    view! { <p>{key}</p> }.into_page()
}

#[derive(Serialize, Deserialize)]
struct Paging {
    #[serde(default)]
    page: u32,
}

#[page("/paged", isr(revalidate = "2s", query = Paging))]
async fn Paged(Query(paging): Query<Paging>) -> PageResult {
    view! { <p>{paging.page}</p> }.into_page()
}

#[page("/each", server)]
async fn Each() -> PageResult {
    view! { <p>"each"</p> }.into_page()
}

#[page("/open", live)]
async fn Open() -> PageResult {
    view! { <p>"open"</p> }.into_page()
}

async fn site() -> TestApp {
    let pages = tropos::routes![Isr, Closed, Paged, Each, Open];
    TestApp::new(app().pages(pages).state(Reads::default())).await
}

#[tokio::test]
async fn what_is_refused_is_refused_with_its_reason_and_as_a_request_is() {
    let site = site().await;
    for (path, status, why) in [
        ("/isr/%zz", 400, RefusedBecause::Malformed),
        ("isr/a", 400, RefusedBecause::Malformed),
        ("/isr//a", 400, RefusedBecause::Malformed),
        ("/isr/a/", 404, RefusedBecause::TrailingSlash),
        ("/nowhere", 404, RefusedBecause::NoRoute),
        ("/closed/other", 404, RefusedBecause::NotListed),
        ("/paged?page=x", 404, RefusedBecause::Query),
    ] {
        let verdict = site.site.explain(path).await.verdict;
        assert!(
            matches!(&verdict, Verdict::Refused { status: is, why: because, .. } if *is == status && *because == why),
            "{path}: {verdict:?}"
        );
        if path.starts_with('/') {
            assert_eq!(site.get(path).await.status, status, "{path}");
        }
    }
    let long = format!("/isr/{}", "a".repeat(9000));
    assert!(matches!(site.site.explain(&long).await.verdict, Verdict::Refused { status: 414, .. }));
}

#[tokio::test]
async fn the_answer_that_is_foretold_is_the_one_that_comes() {
    let site = site().await;
    let foretold = async |expected: &str| {
        let explanation = site.site.explain("/isr/a").await;
        assert_eq!(explanation.cache_status.as_deref(), Some(expected), "{explanation}");
        assert_eq!(site.get("/isr/a").await.header("cache-status"), expected);
        explanation
    };
    let absent = foretold("tropos; fwd=uri-miss; stored").await;
    assert_eq!(absent.verdict, Verdict::Render { why: RenderBecause::Absent });
    assert!(absent.entry.is_none() && absent.tags.contains(&"isr-a".to_owned()));
    let hit = foretold("tropos; hit; ttl=2").await;
    assert_eq!(hit.key.as_deref(), Some("page /isr/:key /isr/a"));
    assert_eq!(hit.entry.unwrap().place, "memory");
    site.advance(Duration::from_secs(3));
    let stale = foretold("tropos; hit; ttl=-1; detail=stale").await;
    assert_eq!(stale.verdict, Verdict::Stale { why: StaleBecause::Age, regenerates: true });
    assert_eq!(stale.entry.unwrap().age_ms, 3_000);
    while !matches!(site.site.explain("/isr/a").await.verdict, Verdict::Hit { .. }) {
        tokio::time::sleep(Duration::from_millis(2)).await; // the render in the background
    }
    site.advance(Duration::from_secs(20));
    let expired = foretold("tropos; fwd=stale; stored").await;
    assert_eq!(expired.verdict, Verdict::Render { why: RenderBecause::Expired });
    site.invalidate("isr-a").await;
    let invalidated = site.site.explain("/isr/a").await;
    assert_eq!(invalidated.verdict, Verdict::Render { why: RenderBecause::Invalidated });
    assert!(invalidated.to_string().contains("tag `isr-a` was invalidated at sequence 1"), "{invalidated}");
    foretold("tropos; fwd=stale; stored").await;
    assert!(matches!(site.site.explain("/isr/a#part").await.verdict, Verdict::Hit { ttl_seconds: 2 }));
}

#[tokio::test]
async fn asking_why_changes_nothing() {
    let site = site().await;
    for _ in 0..3 {
        assert_eq!(site.site.explain("/isr/a").await.verdict, Verdict::Render { why: RenderBecause::Absent });
    }
    assert_eq!(site.get("/isr/a").await.header("cache-status"), "tropos; fwd=uri-miss; stored");
}

#[tokio::test]
async fn what_is_not_declared_of_a_query_is_named() {
    let site = site().await;
    let paged = site.site.explain("/paged?utm=x&page=02").await;
    assert_eq!(paged.key.as_deref(), Some("page /paged /paged?page=2"));
    assert_eq!(paged.query.unwrap().ignored, ["utm"]);
    let plain = site.site.explain("/isr/a?page=2").await;
    assert_eq!(
        (plain.key.as_deref(), plain.query.unwrap().ignored),
        (Some("page /isr/:key /isr/a"), vec!["page".to_owned()])
    );
}

#[tokio::test]
async fn pages_that_are_never_stored_are_explained_too() {
    let site = site().await;
    for (path, detail) in [("/each", "server"), ("/open", "live")] {
        let explanation = site.site.explain(path).await;
        assert_eq!(explanation.verdict, Verdict::Bypass);
        assert_eq!(explanation.cache_status, Some(format!("tropos; fwd=bypass; detail={detail}")));
        assert_eq!(explanation.key, None);
    }
    site.get("/isr/missing").await;
    assert!(site.site.explain("/isr/missing").await.entry.unwrap().not_found);
}

#[tokio::test]
async fn a_failed_render_is_told_until_a_newer_entry_is_there() {
    let site = site().await;
    site.get("/isr/fails").await;
    assert_eq!(site.site.explain("/isr/fails").await.last_unstored, None);
    site.advance(Duration::from_secs(20));
    assert_eq!(site.get("/isr/fails").await.status, 500);
    let explanation = site.site.explain("/isr/fails").await;
    let unstored = explanation.last_unstored.clone().unwrap();
    assert_eq!((unstored.why, unstored.detail.as_deref()), (UnstoredBecause::Failed, Some("it rained")));
    assert_eq!(explanation.verdict, Verdict::Render { why: RenderBecause::Expired });
}
