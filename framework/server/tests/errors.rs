//! Errors, as Sentry and the application's own listener are told of them: once, with what helps, and nothing of the visitor.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use axum::{Router, body::Body, routing::any};
use common::{
    app,
    sentry::{Event, Sentry},
};
use futures::StreamExt as _;
use leptos::{prelude::*, server_fn::ServerFn};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;
use tracing_subscriber::{layer::SubscriberExt as _, util::SubscriberInitExt as _};
use tropos::{Db, ErrorKind, PageResult, State, live_url, page, prelude::*};
use tropos_cache::Strength;
use tropos_db::sqlx;
use tropos_edge::{Decision, Hooks, Match, hook};
use tropos_server::Config;
use tropos_testing::TestApp;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// Everything that must not leave.
const SECRETS: [&str; 7] = [
    "planted-cookie",
    "planted-token",
    "planted-query",
    "planted@mail.example",
    "planted-form",
    "203.0.113.77",
    "planted-path",
];

/// With every sort of secret in its message.
const MESSAGE: &str = "no basket for planted@mail.example at /basket?q=planted-query from 203.0.113.77, \
    cookie: session=planted-cookie";

/// Whether pages fail just now.
#[derive(Clone, Default)]
struct Failing(Arc<AtomicBool>);

impl Failing {
    fn set(&self, failing: bool) {
        self.0.store(failing, Ordering::SeqCst);
    }

    fn look(&self) -> tropos::Result<()> {
        match self.0.load(Ordering::SeqCst) {
            true => Err(tropos::Failure::new(MESSAGE)),
            false => Ok(()),
        }
    }
}

#[page("/fails/:key", server)]
async fn Fails(Path(_key): Path<String>) -> PageResult {
    "x".parse::<u8>().map_err(|_| tropos::Failure::new(MESSAGE))?;
    view! { <p></p> }.into_page()
}

fn panics_within() {
    panic!("{MESSAGE}");
}

#[page("/panics/:key", server)]
async fn Panics(Path(_key): Path<String>) -> PageResult {
    panics_within();
    view! { <p></p> }.into_page()
}

#[page("/stored-panics", isr(revalidate = "60s"))]
async fn StoredPanics() -> PageResult {
    panics_within();
    view! { <p></p> }.into_page()
}

#[page("/renews", isr(revalidate = "60s", tags = ["renews"]))]
async fn Renews(State(failing): State<Failing>) -> PageResult {
    failing.look()?;
    view! { <p id="value">"good"</p> }.into_page()
}

#[page("/board", live(tags = ["board"]))]
async fn Board(State(failing): State<Failing>) -> PageResult {
    failing.look()?;
    view! { <main data-live=live_url()></main> }.into_page()
}

#[server]
async fn order(street: String) -> Result<(), ServerFnError> {
    match street.as_str() {
        "panic" => panics_within(),
        "handle" => {
            tropos::report("x".parse::<u8>().unwrap_err());
            return Err(ServerFnError::new("Try again in a moment."));
        }
        "spawn" => drop(tropos::spawn(async { panics_within() }).await),
        _ => return Err(ServerFnError::new(MESSAGE)),
    }
    Ok(())
}

async fn site(config: Config, failing: &Failing) -> TestApp {
    let hooks = Hooks::new().at(
        Match::below("/hooked"),
        hook("broken hook", |_, _| Err::<Decision, _>(tropos_edge::Error::Hook(MESSAGE.into()))),
    );
    let hooks = hooks.at(
        Match::below("/hook-panics"),
        hook("broken hook", |_, _| {
            panics_within();
            Decision::Next
        }),
    );
    let pages = tropos::routes![Fails, Panics, StoredPanics, Renews, Board];
    let api = Router::new().route("/api/fails", any(async || -> &'static str { panic!("{MESSAGE}") }));
    TestApp::with_config(app().pages(pages).state(failing.clone()).hooks(hooks).api(api), config).await
}

/// What a visitor sends, secrets and all.
fn headers() -> Vec<(&'static str, &'static str)> {
    vec![
        ("cookie", "session=planted-cookie"),
        ("authorization", "Bearer planted-token"),
        ("x-forwarded-for", "203.0.113.77"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ]
}

async fn get(site: &TestApp, path: &str) -> u16 {
    site.get_with(&format!("{path}?q=planted-query"), &headers()).await.status.as_u16()
}

/// The one event of a kind.
fn of<'a>(events: &'a [Event], kind: &str) -> &'a Event {
    let found: Vec<_> = events.iter().filter(|event| event.kind() == kind).collect();
    assert_eq!(found.len(), 1, "{kind}: {events:#?}");
    found[0]
}

fn assert_nothing_personal(sentry: &Sentry) {
    let text = sentry.text();
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[tokio::test]
async fn a_page_that_fails_is_reported_with_its_route_its_trace_and_its_place() {
    let sentry = Sentry::start().await;
    let site = site(sentry.config(), &Failing::default()).await;
    assert_eq!(get(&site, "/fails/planted-path").await, 500);
    let events = sentry.events(1).await;
    let event = of(&events, "page");
    for (pointer, expected) in [
        ("/transaction", "GET /fails/:key"),
        ("/tags/tropos.mode", "server"),
        ("/contexts/trace/trace_id", TRACE),
        ("/environment", "development"),
        ("/exception/values/0/type", "tropos_core::failure::Failure"),
    ] {
        assert_eq!(event.text(pointer), expected, "{pointer}: {event:#?}");
    }
    assert!(event.text("/release").starts_with("tropos-server@"), "{event:#?}");
    assert!(event.text("/exception/values/0/value").starts_with("no basket for [email]"), "{event:#?}");
    let [page, place] = event.frames() else { panic!("{event:#?}") };
    assert_eq!(page["function"], "Fails");
    assert!(place["filename"].as_str().unwrap().ends_with("tests/errors.rs") && place["lineno"].is_u64());
    assert_nothing_personal(&sentry);
}

#[tokio::test]
async fn panics_of_renders_functions_and_spawned_work_are_reported_once_with_their_stack() {
    let sentry = Sentry::start().await;
    let site = site(sentry.config(), &Failing::default()).await;
    assert_eq!(get(&site, "/panics/planted-path").await, 500);
    assert_eq!(get(&site, "/stored-panics").await, 500);
    for street in ["panic", "spawn"] {
        site.post_form(Order::PATH, &format!("street={street}&name=planted-form"), &headers()).await;
    }
    let events = sentry.events(4).await;
    site.site.close().await;
    assert_eq!(sentry.events(4).await.len(), 4, "each once: {events:#?}");
    let routes: Vec<_> = events.iter().map(|event| event.text("/tags/http.route")).collect();
    assert_eq!(routes, ["/panics/:key", "/stored-panics", Order::PATH, Order::PATH]);
    for event in &events {
        assert_eq!((event.kind(), event.text("/level")), ("panic", "fatal"));
        let functions: Vec<_> =
            event.frames().iter().map(|frame| frame["function"].as_str().unwrap_or_default()).collect();
        let innermost = functions.last().unwrap();
        assert!(innermost.ends_with("panics_within"), "{functions:#?}");
        assert!(event.frames().last().unwrap()["lineno"].is_u64());
    }
    assert!(events.iter().filter(|event| event.text("/contexts/trace/trace_id") == TRACE).count() >= 3);
    assert_nothing_personal(&sentry);
}

#[tokio::test]
async fn a_hook_that_panics_costs_one_answer_and_is_reported_once() {
    let sentry = Sentry::start().await;
    let site = site(sentry.config(), &Failing::default()).await;
    assert_eq!(get(&site, "/hook-panics/planted-path").await, 500);
    site.site.close().await;
    let events = sentry.events(1).await;
    assert_eq!((events.len(), events[0].kind()), (1, "panic"), "{events:#?}");
    assert_nothing_personal(&sentry);
}

#[tokio::test]
async fn a_regeneration_that_fails_is_reported_though_readers_see_the_last_good_page() {
    let (sentry, failing) = (Sentry::start().await, Failing::default());
    let site = site(sentry.config(), &failing).await;
    assert_eq!(get(&site, "/renews").await, 200);
    failing.set(true);
    site.site.engine().invalidate(&["renews".into()], Strength::Soft).await.unwrap();
    assert_eq!(get(&site, "/renews").await, 200);
    let events = sentry.events(1).await;
    let event = of(&events, "regeneration");
    assert_eq!((event.text("/tags/http.route"), event.text("/level")), ("/renews", "warning"));
    assert_eq!(event.frames()[0]["function"], "Renews");
    // Without an earlier one, it is the page that fails.
    site.invalidate("renews").await;
    assert_eq!(get(&site, "/renews").await, 500);
    let events = sentry.events(2).await;
    assert_eq!(of(&events, "page").text("/tags/tropos.mode"), "isr");
    assert_nothing_personal(&sentry);
}

#[tokio::test]
async fn a_page_that_cannot_be_made_again_after_an_invalidation_is_reported_as_a_regeneration() {
    let (sentry, failing) = (Sentry::start().await, Failing::default());
    let site = site(sentry.config(), &failing).await;
    assert_eq!(get(&site, "/renews").await, 200);
    failing.set(true);
    site.invalidate("renews").await;
    site.site.engine().warm(&["renews".into()]);
    let events = sentry.events(1).await;
    assert_eq!(of(&events, "regeneration").text("/tags/http.route"), "/renews");
}

#[tokio::test]
async fn a_method_that_http_does_not_know_is_reported_as_another() {
    let sentry = Sentry::start().await;
    let site = site(sentry.config(), &Failing::default()).await;
    for method in ["BREW", "planted-form"] {
        site.send(TestApp::request(method, "/api/fails", "", &headers())).await;
    }
    let events = sentry.events(1).await;
    for event in &events {
        assert_eq!((event.kind(), event.text("/request/method")), ("panic", "_OTHER"));
    }
    assert_nothing_personal(&sentry);
}

#[tokio::test]
async fn an_open_live_page_that_cannot_be_rendered_again_is_reported() {
    let (sentry, failing) = (Sentry::start().await, Failing::default());
    let site = site(sentry.config(), &failing).await;
    let page = site.get("/board").await.text().to_owned();
    let (_, url) = page.split_once("data-live=\"").unwrap();
    let url = url.split_once('"').unwrap().0.replace("&amp;", "&");
    let mut stream = site.start(TestApp::request("GET", &url, "", &headers())).await;
    let mut pieces = std::mem::take(stream.body_mut()).into_data_stream();
    let reading = tokio::spawn(async move { while pieces.next().await.is_some() {} });
    failing.set(true);
    site.invalidate("board").await;
    let events = sentry.events(1).await;
    assert_eq!(of(&events, "live").text("/tags/http.route"), "/board");
    assert_nothing_personal(&sentry);
    reading.abort();
}

#[tokio::test]
async fn functions_and_hooks_that_fail_are_reported() {
    let sentry = Sentry::start().await;
    let site = site(sentry.config(), &Failing::default()).await;
    site.post_form(Order::PATH, "street=planted-form", &headers()).await;
    assert_eq!(get(&site, "/hooked/planted-path").await, 500);
    let events = sentry.events(2).await;
    let function = of(&events, "function");
    assert_eq!(function.text("/transaction"), format!("POST {}", Order::PATH));
    assert_eq!(function.text("/contexts/trace/trace_id"), TRACE);
    assert!(function.text("/exception/values/0/value").contains("no basket for [email]"), "{function:#?}");
    assert_eq!(of(&events, "hook").frames()[0]["function"], "broken hook");
    assert_nothing_personal(&sentry);
}

#[tokio::test]
async fn what_a_function_reports_itself_is_reported_with_its_cause_and_not_as_its_answer() {
    let sentry = Sentry::start().await;
    let site = site(sentry.config(), &Failing::default()).await;
    site.post_form(Order::PATH, "street=handle", &headers()).await;
    site.site.close().await;
    let events = sentry.events(1).await;
    assert_eq!(events.len(), 1, "{events:#?}");
    let event = of(&events, "handled");
    assert_eq!(event.text("/exception/values/0/type"), "core::num::error::ParseIntError");
    assert_eq!(event.text("/tags/http.route"), Order::PATH);
}

fn from_browser(body: &str, headers: &[(&str, &str)]) -> http::Request<Body> {
    let own = [
        ("content-type", "application/json"),
        ("origin", "http://localhost"),
        ("sec-fetch-site", "same-origin"),
    ];
    let own = own.iter().filter(|(name, _)| !headers.iter().any(|(other, _)| other == name));
    let headers: Vec<_> = own.chain(headers).copied().filter(|(_, value)| !value.is_empty()).collect();
    TestApp::request("POST", "/_tropos/error", body, &headers)
}

const REPORT: &str = r#"{"name":"TypeError","message":"x is undefined for planted@mail.example","path":"/fails/planted-path","source":"error","stack":"TypeError: x\n    at show (https://shop.example/a.js?q=planted-query:2:31)"}"#;

#[tokio::test]
async fn an_error_of_a_browser_is_reported_by_the_relay_and_nothing_else_is_taken() {
    let sentry = Sentry::start().await;
    let site = site(sentry.config(), &Failing::default()).await;
    let long = REPORT.replace("x is undefined", &"x".repeat(20_000));
    for (name, status, request) in [
        (
            "another site",
            403,
            from_browser(REPORT, &[("origin", "http://evil.example"), ("sec-fetch-site", "")]),
        ),
        ("another site by fetch metadata", 403, from_browser(REPORT, &[("sec-fetch-site", "cross-site")])),
        ("a sibling site", 403, from_browser(REPORT, &[("sec-fetch-site", "same-site")])),
        ("no browser", 403, from_browser(REPORT, &[("sec-fetch-site", ""), ("origin", "")])),
        ("a form", 415, from_browser(REPORT, &[("content-type", "text/plain")])),
        ("too long", 413, from_browser(&long, &[])),
        ("no report", 400, from_browser("{}", &[])),
        ("no JSON", 400, from_browser("planted-form", &[])),
        ("read", 405, TestApp::request("GET", "/_tropos/error", "", &[("sec-fetch-site", "same-origin")])),
    ] {
        assert_eq!(site.send(request).await.status, status, "{name}");
    }
    assert_eq!(site.send(from_browser(REPORT, &headers())).await.status, 204);
    let events = sentry.events(1).await;
    let event = of(&events, "browser");
    assert_eq!(event.text("/platform"), "javascript");
    assert_eq!((event.text("/tags/http.route"), event.text("/tags/tropos.mode")), ("/fails/:key", "server"));
    assert_eq!(event.text("/contexts/trace/trace_id"), TRACE);
    assert_eq!(
        (event.frames()[0]["function"].as_str(), event.frames()[0]["lineno"].as_u64()),
        (Some("show"), Some(2))
    );
    assert_nothing_personal(&sentry);
    // The page may have said its own trace, which then counts for more than that of the report.
    let own = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let of_page = REPORT.replace("x is undefined", "y is undefined");
    let of_page = of_page.replace(r#""source""#, &format!(r#""traceparent":"{own}","source""#));
    assert_eq!(site.send(from_browser(&of_page, &headers())).await.status, 204);
    let events = sentry.events(2).await;
    let traces: Vec<_> = events.iter().map(|event| event.text("/contexts/trace/trace_id")).collect();
    assert!(traces.contains(&"4bf92f3577b34da6a3ce929d0e0e4736"), "{traces:?}");
    // Twenty a minute of one browser.
    let mut statuses = Vec::new();
    for _ in 0..30 {
        statuses.push(site.send(from_browser(REPORT, &[])).await.status.as_u16());
    }
    // Five were let through before: what is refused for its form is counted too.
    assert_eq!(statuses.iter().filter(|status| **status == 204).count(), 15, "{statuses:?}");
    site.advance(Duration::from_secs(60));
    assert_eq!(site.send(from_browser(REPORT, &[])).await.status, 204);
}

#[tokio::test]
async fn where_nobody_is_told_browsers_are_answered_and_nothing_is_read() {
    let site = site(TestConfig::silent(), &Failing::default()).await;
    assert_eq!(site.send(from_browser("no report", &[])).await.status, 204);
}

#[tokio::test]
async fn a_listener_is_told_without_sentry_and_one_that_panics_does_no_harm() {
    let told = Arc::<Mutex<Vec<(ErrorKind, String, Option<String>, String)>>>::default();
    let keeps = told.clone();
    let app = app().pages(tropos::routes![Fails, Panics]).on_error(|_, _| panic!("a bad listener")).on_error(
        move |error, context| {
            let (kind, message) = (error.kind, error.message.clone());
            let trace = context.trace_id.clone().unwrap_or_default();
            keeps.lock().unwrap().push((kind, message, context.route.clone(), trace));
        },
    );
    let site = TestApp::with_config(app, TestConfig::silent()).await;
    get(&site, "/fails/a").await;
    get(&site, "/panics/a").await;
    site.site.close().await;
    let told = told.lock().unwrap().clone();
    let [(ErrorKind::Page, message, Some(route), trace), (ErrorKind::Panic, ..)] = told.as_slice() else {
        panic!("{told:#?}")
    };
    assert!(message.contains("[email]") && !message.contains("planted"), "{message}");
    assert_eq!((route.as_str(), trace.as_str()), ("/fails/:key", TRACE));
}

#[page("/queries", server)]
async fn Queries(db: Db) -> PageResult {
    let _: i64 = sqlx::query_scalar("select 3 where 'planted-form' <> 'x'").fetch_one(db.read()).await?;
    Err(tropos::Failure::new("it rained").into())
}

#[tokio::test]
async fn what_was_done_before_an_error_goes_with_it_without_values() {
    // As the server's own logging has it.
    drop(tracing_subscriber::registry().with(tropos_telemetry::trace::layer(true)).try_init());
    let sentry = Sentry::start().await;
    let mut config = sentry.config();
    config.database = tropos_db::Config::new("sqlite::memory:");
    let migrations = sqlx::migrate::Migrator::with_migrations(Vec::new());
    let app = app().pages(tropos::routes![Queries]).migrations(migrations);
    let site = TestApp::with_config(app, config).await;
    assert_eq!(get(&site, "/queries").await, 500);
    let events = sentry.events(1).await;
    let event = of(&events, "page");
    let crumb = |field: &str| event.text(&format!("/breadcrumbs/values/0/{field}"));
    assert_eq!((crumb("category"), crumb("message")), ("query", "SELECT"), "{event:#?}");
    assert_eq!(event.text("/contexts/trace/trace_id"), TRACE);
    assert_nothing_personal(&sentry);
}

#[tokio::test]
async fn ten_of_one_kind_on_one_route_pass_in_a_minute() {
    let sentry = Sentry::start().await;
    let site = site(sentry.config(), &Failing::default()).await;
    for number in 0..25 {
        get(&site, &format!("/fails/{number}")).await;
    }
    site.site.close().await;
    assert_eq!(sentry.events(10).await.len(), 10);
    let metrics = site.site.metrics();
    for line in [
        "tropos_errors_total{tropos_error_kind=\"page\"} 25\n",
        "tropos_errors_sent_total 10\n",
        "tropos_errors_dropped_total{tropos_error_dropped=\"repeated\"} 15\n",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    site.advance(Duration::from_secs(60));
    get(&site, "/fails/again").await;
    sentry.events(11).await;
}

#[tokio::test]
async fn a_dead_sentry_costs_requests_nothing_and_the_end_its_limit_at_most() {
    // Takes connections and never answers.
    let hole = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    // Refuses connections: it is held, so that nobody else listens there meanwhile, and does not listen itself.
    let closed = tokio::net::TcpSocket::new_v4().unwrap();
    closed.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let ports = [hole.local_addr().unwrap().port(), closed.local_addr().unwrap().port()];
    let failing = async |config: Config| {
        let site = site(config, &Failing::default()).await;
        let began = Instant::now();
        for number in 0..200 {
            // Time goes on, so that reports are let through.
            site.advance(Duration::from_secs(10));
            assert_eq!(get(&site, &format!("/fails/{number}")).await, 500);
        }
        let took = began.elapsed();
        let began = Instant::now();
        site.site.close().await;
        (took, began.elapsed())
    };
    let (alone, _) = failing(TestConfig::silent()).await;
    for port in ports {
        let mut config = TestConfig::silent();
        config.sentry = config.sentry.dsn(&format!("http://key@127.0.0.1:{port}/7")).unwrap();
        let (beside, close) = failing(config).await;
        // Far less than if each of the 200 waited for an answer.
        assert!(beside < alone * 3 + Duration::from_secs(5), "{beside:?} for {alone:?}");
        assert!(close < Duration::from_secs(4), "{close:?}");
    }
}

/// Configurations of tests.
struct TestConfig;

impl TestConfig {
    /// Where nobody is told.
    fn silent() -> Config {
        let mut config = Config::default();
        config.database = tropos_db::Config::new("sqlite::memory:");
        config
    }
}
