//! Server functions, forms and invalidation from them.

mod common;

use common::app;
use leptos::{prelude::*, server_fn::ServerFn};
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};
use tropos::{PageResult, State, page, prelude::*, redirect_after};
use tropos_testing::TestApp;

/// The price that the pages show.
#[derive(Clone, Default)]
struct Price(Arc<AtomicI64>);

impl Price {
    fn get(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

#[page("/item", isr(revalidate = "never", tags = ["item"]))]
async fn Item(State(price): State<Price>) -> PageResult {
    view! { <p id="price">{price.get()}</p> }.into_page()
}

/// Sets the price, and invalidates before or after it says where to go on.
#[server]
async fn set_price(to: i64, redirect_first: bool) -> Result<(), ServerFnError> {
    let State(price) =
        tropos::extract::<State<Price>>().await.map_err(|e| ServerFnError::new(format!("{e:?}")))?;
    price.0.store(to, Ordering::SeqCst);
    if redirect_first {
        redirect_after("/item")?;
    }
    tropos::revalidate::tag("item").await?;
    if !redirect_first {
        redirect_after("/item")?;
    }
    Ok(())
}

/// Changes nothing, and says nothing of where to go on.
#[server]
async fn nothing() -> Result<(), ServerFnError> {
    Ok(())
}

/// A page that invalidates while it is rendered.
#[page("/confused", server)]
async fn Confused() -> PageResult {
    tropos::revalidate::tag("item").await?;
    view! { <p></p> }.into_page()
}

async fn site() -> TestApp {
    TestApp::new(app().pages(tropos::routes![Item, Confused]).state(Price::default())).await
}

#[tokio::test]
async fn case_31_an_invalidation_before_or_after_the_redirect_takes_effect_and_the_next_page_shows_the_write()
{
    let site = site().await;
    assert_eq!(site.get("/item").await.by_id("price").as_deref(), Some("0"));
    for (to, first) in [(1, true), (2, false)] {
        let answer = site.post_form(SetPrice::PATH, &format!("to={to}&redirect_first={first}"), &[]).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "/item"), "{}", answer.text());
        assert_eq!(site.get("/item").await.by_id("price"), Some(to.to_string()));
    }
}

#[tokio::test]
async fn a_form_without_script_leads_back_to_its_own_page_and_never_to_another_site() {
    let site = site().await;
    for (referrer, expected) in [
        ("http://localhost/item?a=1", "/item?a=1"),
        ("http://evil.example/item", "/"),
        ("http://localhost//evil.example", "/"),
        ("nonsense", "/"),
    ] {
        let answer = site.post_form(Nothing::PATH, "", &[("referer", referrer)]).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (303, expected), "{referrer}");
    }
}

#[tokio::test]
async fn a_form_that_fails_leads_back_to_its_own_page_with_the_error_and_never_to_another_site() {
    let site = site().await;
    let answer = site
        .post_form(SetPrice::PATH, "to=x&redirect_first=true", &[("referer", "http://localhost/item")])
        .await;
    assert_eq!(answer.status, 303);
    let location = answer.header("location");
    assert!(location.starts_with("/item?") && location.contains("__err="), "{location}");
    let foreign = [("referer", "http://evil.example/item")];
    let answer = site.post_form(SetPrice::PATH, "to=x&redirect_first=true", &foreign).await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "/"));
    let call = TestApp::request(
        "POST",
        SetPrice::PATH,
        "to=x",
        &[("content-type", "application/x-www-form-urlencoded")],
    );
    assert_eq!(site.send(call).await.status, 500);
}

#[tokio::test]
async fn a_call_from_an_island_is_answered_with_its_result_and_told_where_to_go_on() {
    let site = site().await;
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")];
    let call = TestApp::request("POST", SetPrice::PATH, "to=7&redirect_first=false", &headers);
    let answer = site.send(call).await;
    assert_eq!(answer.status, 200);
    assert!(answer.headers.contains_key("serverfnredirect") && answer.header("location") == "/item");
}

#[tokio::test]
async fn case_64_a_write_from_another_site_does_not_run() {
    let site = site().await;
    for (name, value) in [
        ("origin", "http://evil.example"),
        ("origin", "null"),
        ("origin", "http://localhost.evil.example"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let call = TestApp::request("POST", SetPrice::PATH, "to=9&redirect_first=true", &[(name, value)]);
        assert_eq!(site.send(call).await.status, 403, "{name}: {value}");
    }
    assert_eq!(site.get(SetPrice::PATH).await.status, 404, "a mutating function is not called by GET");
    assert_eq!(site.get("/item").await.by_id("price").as_deref(), Some("0"));
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused() {
    let site = site().await;
    let long = format!("to=1&redirect_first=true&x={}", "x".repeat(3 * 1024 * 1024));
    let length = long.len().to_string();
    let declared = TestApp::request("POST", SetPrice::PATH, &long, &[("content-length", &length)]);
    assert_eq!(site.send(declared).await.status, 413);
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let endless = site.send(TestApp::request("POST", SetPrice::PATH, &long, &headers)).await;
    assert!(!endless.status.is_success(), "{}", endless.status);
    assert_eq!(site.get("/item").await.by_id("price").as_deref(), Some("0"));
}

#[tokio::test]
async fn case_32_an_invalidation_during_a_render_is_an_error() {
    let site = site().await;
    assert_eq!(site.get("/confused").await.status, 500);
}
