//! The mode advisor, as the admin listener gives it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod common;
#[path = "common/planted.rs"]
mod planted;

use axum::Router;
use common::app;
use leptos::prelude::*;
use tower::ServiceExt as _;
use tropos::{PageResult, page, prelude::*};
use tropos_core::advice::{Advice, Rule};
use tropos_server::Config;
use tropos_testing::TestApp;

/// Paths of one round of the sample.
const ROUND: usize = 10;

async fn advice(site: &TestApp) -> Advice {
    let router: Router = tropos_server::dev::router(&site.site);
    let answer = router.oneshot(TestApp::request("GET", "/advice", "", &[])).await.unwrap();
    let body = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    serde_json::from_slice(&body).unwrap()
}

async fn site(dev: bool) -> TestApp {
    let mut config = Config::default();
    config.database = tropos_db::Config::new("sqlite::memory:");
    config.dev = dev.then(|| "somewhere".into());
    // A build that counts, as `TROPOS_ADVISE` makes it.
    (config.advise, config.production) = (!dev, !dev);
    config.allowed_hosts = Some(vec!["localhost".into()]);
    TestApp::with_config(planted::planted(app()), config).await
}

async fn visit(site: &TestApp, paths: &[String]) {
    for (at, path) in paths.iter().enumerate() {
        let cookie = format!("tropos_advise={}", at / ROUND % 3);
        let headers = [("cookie", cookie.as_str())];
        let headers = if (at / ROUND).is_multiple_of(3) { &[][..] } else { &headers[..] };
        assert_eq!(site.get_with(path, headers).await.status, 200, "{path}");
        site.advance(std::time::Duration::from_millis(100));
    }
}

#[tokio::test]
async fn it_is_read_by_whatever_name_the_admin_listener_has() {
    for dev in [true, false] {
        let router: Router = tropos_server::dev::router(&site(dev).await.site);
        let named = |path| {
            let mut request = TestApp::request("GET", path, "", &[]);
            request.headers_mut().insert("host", http::HeaderValue::from_static("shop-admin:3001"));
            request
        };
        assert_eq!(router.clone().oneshot(named("/advice")).await.unwrap().status(), 200, "{dev}");
        let refused = if dev { 403 } else { 404 };
        assert_eq!(router.oneshot(named("/dev/advice")).await.unwrap().status(), refused, "{dev}");
    }
}

#[tokio::test]
async fn the_two_planted_pages_are_named_and_none_else() {
    for dev in [true, false] {
        let site = site(dev).await;
        let sample = planted::sample();
        let (first, others) = sample.split_at(10 * ROUND);
        visit(&site, first).await;
        assert!(advice(&site).await.findings.is_empty(), "ten answers say nothing");
        visit(&site, others).await;
        let advice = advice(&site).await;
        let mut found: Vec<(&str, Rule)> =
            advice.findings.iter().map(|finding| (finding.pattern.as_str(), finding.rule)).collect();
        found.sort_by_key(|(pattern, _)| *pattern);
        let expected = [("/receipt/:number", Rule::NeverTwice), ("/terms/:part", Rule::ReadsNothing)];
        assert_eq!(found, expected, "{advice:#?}");
        let text = advice.to_string();
        assert!(text.contains("Terms /terms/:part, server") && text.contains("planted.rs:"), "{text}");
        let judged = advice.routes.iter().filter(|route| route.enough).count();
        assert_eq!(judged, 7, "all but the one that the build makes: {advice:#?}");
        // Hits are counted although they are answered by the shortest way otherwise.
        let product = advice.routes.iter().find(|route| route.pattern == "/product/:id").unwrap();
        assert_eq!(product.answers, 40);
    }
}

#[page("/news", isr(revalidate = "never", tags = ["news"]))]
async fn News() -> PageResult {
    view! { <p>"news"</p> }.into_page()
}

#[page("/rates", isr(revalidate = "2s"))]
async fn Rates() -> PageResult {
    view! { <p>"rates"</p> }.into_page()
}

#[tokio::test]
async fn stored_pages_that_are_never_found_fresh_are_told_why() {
    let mut config = Config::default();
    config.database = tropos_db::Config::new("sqlite::memory:");
    config.advise = true;
    let site = TestApp::with_config(app().pages(tropos::routes![News, Rates]), config).await;
    for _ in 0..40 {
        site.get("/news").await;
        site.get("/rates").await;
        site.invalidate("news").await;
        // What is made in the background is made before the clock is turned: by longer than the page is fresh, and less
        // than it may be served.
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        site.advance(std::time::Duration::from_secs(30));
    }
    let findings = advice(&site).await.findings;
    let found: Vec<_> = findings.iter().map(|finding| (finding.pattern.as_str(), finding.rule)).collect();
    assert_eq!(found, [("/news", Rule::AlwaysInvalidated), ("/rates", Rule::TooShort)]);
    assert!(findings[0].advice.contains("it carries `news`"), "{}", findings[0].advice);
    assert!(findings[1].reason.contains("every 30s or so, and stale after 2s"), "{}", findings[1].reason);
}

#[tokio::test]
async fn nothing_is_counted_unless_it_is_asked_for() {
    let mut config = Config::default();
    config.database = tropos_db::Config::new("sqlite::memory:");
    let site = TestApp::with_config(planted::planted(app()), config).await;
    visit(&site, &planted::sample()[..2 * ROUND]).await;
    assert!(advice(&site).await.routes.is_empty());
}
