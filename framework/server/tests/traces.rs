//! One trace for each request: its spans, their parents and their words, as a collector gets them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends here")]

mod common;

use axum::{Router, routing::get};
use common::{Reads, app};
use futures::StreamExt;
use http::HeaderMap;
use leptos::{prelude::*, server_fn::ServerFn};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tracing_subscriber::{layer::SubscriberExt as _, util::SubscriberInitExt as _};
use tropos::{
    Db, Failure, PageError, PageResult, Path, Result, State, business, cached,
    edge::{Decision, Hooks, Match, Reply, hook, hook::hook_for_all},
    live_url, page,
    prelude::*,
};
use tropos_cache::Strength;
use tropos_db::sqlx;
use tropos_server::Config;
use tropos_telemetry::names::spans;
use tropos_testing::{Captured, OtlpCapture, TestApp};

/// Where pages fetch from, and what its last request carried.
#[derive(Clone, Debug, Default)]
struct Upstream {
    url: String,
    seen: Arc<Mutex<HeaderMap>>,
}

impl tropos::CacheArg for Upstream {
    fn add_to_key(&self, _: &mut tropos::KeyArgs) {}
}

#[cached(ttl = "60s", tags = ["sizes"])]
async fn sizes(db: Db) -> Result<i64> {
    Ok(sqlx::query_scalar("select count(*) from sqlite_master").fetch_one(db.read()).await?)
}

#[page("/ssg/:key", ssg(prerender = keys))]
async fn Ssg(Path(key): Path<String>) -> PageResult {
    view! { <p>{key}</p> }.into_page()
}

async fn keys() -> Result<Vec<String>> {
    Ok(vec!["a".to_owned()])
}

#[page("/isr/:key", isr(revalidate = "2s", expire = "100s", tags = ["isr-{key}"]))]
async fn Isr(Path(key): Path<String>, db: Db, State(reads): State<Reads>) -> PageResult {
    let count = reads.one();
    let _: i64 = sqlx::query_scalar("select 3 where 'Marlowe' <> 'x'").fetch_one(db.read()).await?;
    match key.as_str() {
        "fails" => Err(Failure::new("it rained").into()),
        "gone" => Err(PageError::NotFound),
        "once" if count > 1 => Err(Failure::new("it rained").into()),
        _ => view! { <p id="count">{count}</p> }.into_page(),
    }
}

#[page("/server/:key", server)]
async fn Server(Path(key): Path<String>, db: Db, State(upstream): State<Upstream>) -> PageResult {
    let sizes = sizes(db.clone()).await?;
    let text = tropos::fetch::get(&upstream.url).query(&[("secret", "Vivian")]).text().await?;
    if key == "fails" {
        return Err(Failure::new("it rained").into());
    }
    if key == "gone" {
        return Err(PageError::NotFound);
    }
    let later = Resource::new(
        || (),
        |()| async move {
            tokio::time::sleep(Duration::from_millis(30)).await;
            1
        },
    );
    view! {
        <p>{sizes}{text}</p>
        <Suspense>{move || Suspend::new(async move { later.await })}</Suspense>
    }
    .into_page()
}

#[page("/endless", server)]
async fn Endless() -> PageResult {
    let later = Resource::new(|| (), |()| std::future::pending::<i64>());
    view! { <Suspense fallback=|| "wait">{move || Suspend::new(async move { later.await })}</Suspense> }
        .into_page()
}

#[page("/board", live(tags = ["board"]))]
async fn Board(State(reads): State<Reads>) -> PageResult {
    let count = reads.one();
    view! { <main data-live=live_url()><p id="count">{count}</p></main> }.into_page()
}

/// A query of a handler.
async fn extract_sizes() -> String {
    let db: Db = tropos::extract().await.unwrap();
    sizes(db).await.unwrap().to_string()
}

#[server]
async fn write(tag: String) -> Result<(), ServerFnError> {
    business::count("orders", 1);
    business::value("revenue", 1999, "EUR");
    tropos::revalidate::tag(tag).warm().await?;
    Ok(())
}

struct Running {
    site: TestApp,
    capture: OtlpCapture,
    upstream: Upstream,
}

impl Running {
    async fn start(hooks: Hooks, change: impl FnOnce(&mut Config)) -> Self {
        drop(tracing_subscriber::registry().with(tropos_telemetry::trace::layer(true)).try_init());
        let capture = OtlpCapture::start().await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v", listener.local_addr().unwrap());
        let upstream = Upstream { url, ..Upstream::default() };
        let seen = upstream.seen.clone();
        let router = Router::new().route(
            "/v",
            get(async move |headers: HeaderMap| {
                *seen.lock().unwrap() = headers;
                "tea"
            }),
        );
        tokio::spawn(async move { axum::serve(listener, router).await });
        let mut config = Config::default();
        config.database = tropos_db::Config::new("sqlite::memory:");
        let variables = HashMap::from([
            ("OTEL_EXPORTER_OTLP_ENDPOINT", capture.url()),
            ("OTEL_TRACES_SAMPLER", "always_on".into()),
            ("OTEL_BSP_SCHEDULE_DELAY", "1".into()),
        ]);
        config.telemetry = tropos_telemetry::Config::read("test", |name| variables.get(name).cloned());
        change(&mut config);
        let pages = tropos::routes![Ssg, Isr, Server, Endless, Board];
        let migrations = sqlx::migrate::Migrator::with_migrations(vec![]);
        let fails = async || -> &'static str { panic!("it rained") };
        let api = Router::new()
            .route("/api/items/{id}", get(async || extract_sizes().await))
            .nest("/api/v2", Router::new().route("/items/{id}", get(fails)));
        let app = app()
            .api(api)
            .pages(pages)
            .migrations(migrations)
            .state(Reads::default())
            .state(upstream.clone())
            .hooks(hooks);
        Self { site: TestApp::with_config(app, config).await, capture, upstream }
    }

    async fn plain() -> Self {
        Self::start(Hooks::new(), |_| {}).await
    }

    /// The whole trace whose first span has this name, once it has come: all spans of a trace come at once.
    async fn trace(&self, name: &str) -> Vec<Captured> {
        let root = self.capture.span(name).await;
        let spans = self.capture.trace(&root.trace);
        spans.iter().for_each(is_as_listed);
        spans
    }
}

/// Names and attributes are those of the reference.
fn is_as_listed(span: &Captured) {
    for (name, value) in span.attributes.iter().chain(span.of_events.iter().flatten()) {
        assert!(spans::ATTRIBUTES.iter().any(|known| known.name == name), "{}: {name}", span.name);
        for planted in ["Marlowe", "Vivian"] {
            assert!(!value.contains(planted), "{}: {name} = {value}", span.name);
        }
    }
    assert!(span.end > span.start, "{span:?}");
}

/// As `name < parent`, in the order in which the spans began.
fn shape(spans: &[Captured]) -> Vec<String> {
    let name = |id: &Option<String>| {
        spans.iter().find(|span| Some(&span.id) == id.as_ref()).map_or("", |span| span.name.as_str())
    };
    spans.iter().map(|span| format!("{} < {}", span.name, name(&span.parent))).collect()
}

const QUERY: &str = "SELECT";

#[tokio::test]
async fn each_mode_has_one_trace_a_request_with_its_parents() {
    let running = Running::plain().await;
    for (path, root, expected) in [
        ("/ssg/a", "GET /ssg/:key", &["cache lookup < GET /ssg/:key", "render < cache lookup"][..]),
        (
            "/isr/a",
            "GET /isr/:key",
            &["cache lookup < GET /isr/:key", "render < cache lookup", "SELECT < render"],
        ),
        ("/board", "GET /board", &["render < GET /board"]),
    ] {
        assert_eq!(running.site.get(path).await.status, 200, "{path}");
        let spans = running.trace(root).await;
        let shape = shape(&spans);
        assert_eq!(shape[0], format!("{root} < "), "{path}");
        assert_eq!(shape[1..], *expected, "{path}");
        assert_eq!(spans[0].kind, "server");
        assert_eq!(spans[0].get("http.response.status_code"), "200");
        assert_eq!(spans[0].get("url.path"), path);
    }
}

#[tokio::test]
async fn a_streamed_page_has_its_reads_beneath_its_render_and_what_is_waited_for_apart() {
    let running = Running::plain().await;
    running.site.get("/server/a").await;
    let spans = running.trace("GET /server/:key").await;
    let shape = shape(&spans);
    for expected in ["render < GET /server/:key", "GET < render", "render suspended < GET /server/:key"] {
        assert!(shape.iter().any(|line| line == expected), "{expected}: {shape:?}");
    }
    let suspended = spans.iter().find(|span| span.name == "render suspended").unwrap();
    assert_eq!(suspended.events, ["part"], "one for each part that was waited for: {suspended:?}");
    let function = spans.iter().find(|span| span.name.contains("sizes")).unwrap();
    let query = spans.iter().find(|span| span.get("db.system.name") == "sqlite").unwrap();
    assert!(query.name.starts_with(QUERY) && query.kind == "client", "{query:?}");
    assert_eq!(query.parent.as_ref(), Some(&function.id));
    assert_eq!(function.get("tropos.cache.status"), "tropos; fwd=uri-miss; stored");
    assert_eq!(spans[0].get("tropos.cache.status"), "tropos; fwd=bypass; detail=server");
    let fetch = spans.iter().find(|span| span.name == "GET" && span.kind == "client").unwrap();
    assert_eq!(fetch.get("url.full"), running.upstream.url);
    // What went out is a child of the fetch, and the fetch's own.
    let seen = running.upstream.seen.lock().unwrap().clone();
    assert_eq!(seen["traceparent"], format!("00-{}-{}-01", fetch.trace, fetch.id).as_str());
}

#[tokio::test]
async fn a_handler_of_the_api_has_its_pattern_for_a_route_also_where_it_fails() {
    let running = Running::plain().await;
    for (path, status, root, inner) in [
        ("/api/items/7", 200, "GET /api/items/{id}", "handler /api/items/{id}"),
        ("/api/v2/items/7", 500, "GET /api/v2/items/{id}", "handler /api/v2/items/{id}"),
    ] {
        assert_eq!(running.site.get(path).await.status, status, "{path}");
        let spans = running.trace(root).await;
        assert_eq!(shape(&spans)[..2], [format!("{root} < "), format!("{inner} < {root}")], "{path}");
        assert_eq!(spans[0].get("http.route"), &root[4..]);
        let metrics = running.site.site.metrics();
        let labels = format!(
            "http_route=\"{}\",http_response_status_code=\"{status}\",url_scheme=\"http\"",
            &root[4..]
        );
        assert!(metrics.contains(&labels), "{labels}: {metrics}");
    }
    assert_eq!(running.site.get("/api/nowhere").await.status, 404);
    assert!(!running.site.site.metrics().contains("nowhere"));
    let spans = running.trace("GET").await;
    assert_eq!(shape(&spans), ["GET < ", "handler < GET"]);
}

#[tokio::test]
async fn a_callers_trace_goes_on_and_its_baggage_with_it() {
    let running = Running::plain().await;
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let headers = [("traceparent", parent), ("tracestate", "a=1"), ("baggage", "tenant=7")];
    running.site.get_with("/server/a", &headers).await;
    let root = running.trace("GET /server/:key").await.remove(0);
    assert_eq!(root.trace, "0af7651916cd43dd8448eb211c80319c");
    assert_eq!((root.parent.as_deref(), root.state.as_str()), (Some("b7ad6b7169203331"), "a=1"));
    let seen = running.upstream.seen.lock().unwrap().clone();
    assert!(seen["traceparent"].to_str().unwrap().starts_with("00-0af7651916cd43dd8448eb211c80319c-"));
    assert_eq!((seen["tracestate"].as_bytes(), seen["baggage"].as_bytes()), (&b"a=1"[..], &b"tenant=7"[..]));
}

#[tokio::test]
async fn hits_and_failures_keep_their_route_and_say_what_the_cache_did() {
    let running = Running::plain().await;
    for (path, name, status, cache, failed) in [
        ("/isr/a", "GET /isr/:key", "200", "tropos; fwd=uri-miss; stored", false),
        ("/isr/gone", "GET /isr/:key", "404", "tropos; fwd=uri-miss; stored", false),
        ("/isr/fails", "GET /isr/:key", "500", "tropos; fwd=uri-miss", true),
        ("/server/gone", "GET /server/:key", "404", "tropos; fwd=bypass; detail=server", false),
        ("/server/fails", "GET /server/:key", "500", "tropos; fwd=bypass; detail=server", true),
        ("/isr/a", "GET /isr/:key", "200", "tropos; hit; ttl=2", false),
        ("/nowhere", "GET", "404", "", false),
    ] {
        let before = running.capture.spans().len();
        running.site.get(path).await;
        let is_root = |span: &Captured| span.kind == "server";
        let spans = running.capture.wait_for(|spans| spans[before..].iter().any(is_root)).await;
        let root = spans[before..].iter().find(|span| is_root(span)).unwrap();
        assert_eq!((root.name.as_str(), root.get("http.response.status_code")), (name, status), "{path}");
        assert_eq!(root.get("tropos.cache.status"), cache, "{path}");
        assert_eq!(root.error.is_some(), failed, "{path}: {root:?}");
        assert_eq!(root.get("error.type"), if failed { "500" } else { "" }, "{path}");
        if cache.contains("hit") {
            assert_eq!(spans[before..].len(), 1, "a hit is one span");
        }
    }
}

#[tokio::test]
async fn a_render_in_the_background_is_a_trace_of_its_own_linked_to_the_request_that_caused_it() {
    let running = Running::plain().await;
    running.site.get("/isr/a").await;
    running.site.advance(Duration::from_secs(3));
    let stale = running.site.get("/isr/a").await;
    assert!(stale.header("cache-status").contains("detail=stale"), "{}", stale.header("cache-status"));
    let spans = running.trace("regenerate /isr/:key").await;
    assert_eq!(
        shape(&spans),
        ["regenerate /isr/:key < ", "render < regenerate /isr/:key", "SELECT < render"]
    );
    let cause = running
        .capture
        .wait_for(|spans| spans.iter().any(|span| span.get("tropos.cache.status").contains("stale")))
        .await;
    let causes: Vec<_> = cause.iter().map(|span| (span.trace.clone(), span.id.clone())).collect();
    assert_eq!(spans[0].links.len(), 1);
    assert!(causes.contains(&spans[0].links[0]) && spans[0].links[0].0 != spans[0].trace);
}

#[tokio::test]
async fn a_page_that_is_made_again_after_an_invalidation_is_linked_to_it_and_fails_as_others() {
    for strength in [Strength::Hard, Strength::Soft] {
        let running = Running::plain().await;
        running.site.get("/isr/once?more=Vivian").await;
        if strength == Strength::Hard {
            running.site.post_form(Write::PATH, "tag=isr-once", &[]).await;
        } else {
            // The earlier page is given on.
            let (engine, tags) = (running.site.site.engine(), ["isr-once".into()]);
            engine.invalidate(&tags, strength).await.unwrap();
            engine.warm(&tags);
        }
        let regenerated = running.trace("regenerate /isr/:key").await;
        assert_eq!(regenerated[0].get("error.type"), "_OTHER", "{regenerated:?}");
        if strength == Strength::Hard {
            let cause = running.trace(&format!("POST {}", Write::PATH)).await;
            let [(trace, span)] = regenerated[0].links.as_slice() else { panic!("{regenerated:?}") };
            assert!(cause.iter().any(|cause| (&cause.trace, &cause.id) == (trace, span)), "{cause:?}");
        }
    }
}

#[tokio::test]
async fn what_tropos_itself_answers_has_a_route_and_tells_no_ticket() {
    let running = Running::plain().await;
    let ticket = "0123456789abcdef0123456789abcdef";
    for (method, path, name, shown) in [
        (
            "GET",
            format!("/_tropos/live/{ticket}?page=%2Fnowhere"),
            "GET /_tropos/live/:ticket",
            "/_tropos/live/…",
        ),
        ("GET", format!("/_tropos/live/{ticket}/x"), "GET /_tropos/live/:ticket", "/_tropos/live/…"),
        ("GET", "/_tropos/assets/a.js".to_owned(), "GET /_tropos/assets/*file", "/_tropos/assets/a.js"),
        ("POST", "/_tropos/revalidate".to_owned(), "POST /_tropos/revalidate", "/_tropos/revalidate"),
    ] {
        let before = running.capture.spans().len();
        running.site.send(TestApp::request(method, &path, "", &[])).await;
        let spans = running.capture.wait_for(|spans| spans.len() > before).await;
        let root = spans[before..].iter().find(|span| span.kind == "server").unwrap();
        assert_eq!((root.name.as_str(), root.get("url.path")), (name, shown), "{path}");
        assert_eq!(root.get("http.route"), name.split_once(' ').unwrap().1, "{path}");
    }
    assert!(!format!("{:?}", running.capture.spans()).contains(ticket));
}

#[tokio::test]
async fn a_stream_that_the_client_cuts_ends_its_span_and_says_why() {
    let running = Running::plain().await;
    let response = running.site.start(TestApp::request("GET", "/endless", "", &[])).await;
    let mut pieces = response.into_body().into_data_stream();
    assert!(pieces.next().await.unwrap().is_ok());
    drop(pieces);
    let spans = running.trace("GET /endless").await;
    assert_eq!(spans[0].get("tropos.response.ended"), "client_left");
    assert_eq!(spans[0].error, None, "it is nobody's fault");
}

#[tokio::test]
async fn a_server_function_and_its_invalidation_are_within_its_request() {
    let running = Running::plain().await;
    let answer = running.site.post_form(Write::PATH, "tag=isr-a", &[]).await;
    assert_eq!(answer.status, 303);
    let root = format!("POST {}", Write::PATH);
    let spans = running.trace(&root).await;
    let function = format!("server function {}", Write::PATH);
    assert_eq!(
        shape(&spans),
        [format!("{root} < "), format!("{function} < {root}"), format!("invalidate < {function}")]
    );
    assert_eq!(spans[1].events, ["orders", "revenue"]);
    let said = |at: usize, name: &str| spans[1].of_events[at].get(name).map(String::as_str);
    assert_eq!(said(0, "tropos.business.number"), Some("1"));
    assert_eq!(said(1, "tropos.business.minor"), Some("1999"));
    let invalidation = spans.last().unwrap();
    assert_eq!(
        (invalidation.get("tropos.invalidation.tags"), invalidation.get("tropos.invalidation.strength")),
        ("isr-a", "hard")
    );
}

#[tokio::test]
async fn hooks_have_a_span_that_says_whether_they_answered() {
    let hooks = Hooks::new()
        .hook(hook_for_all("on all", |_, _| Decision::Next))
        .at("/nowhere", hook("teapot", |_, _| Decision::from(Reply::text(418, "no"))));
    let running = Running::start(hooks, |_| {}).await;
    for (path, outcome) in [("/nowhere", "answered"), ("/board", "passed")] {
        running.site.get(path).await;
        let spans = running
            .capture
            .wait_for(|spans| spans.iter().any(|span| span.get("tropos.hooks.outcome") == outcome))
            .await;
        let hooks = spans.iter().find(|span| span.get("tropos.hooks.outcome") == outcome).unwrap();
        assert!(hooks.name == "hooks" && hooks.parent.is_some(), "{hooks:?}");
    }
}

#[tokio::test]
async fn a_live_session_and_its_pushes_are_traces_of_their_own_linked_to_what_caused_them() {
    let running = Running::plain().await;
    let page = running.site.get("/board").await.text();
    let url = page.split_once("data-live=\"").unwrap().1.split_once('"').unwrap().0.replace("&amp;", "&");
    let stream = running.site.start(TestApp::request("GET", &url, "", &[])).await;
    let mut pieces = stream.into_body().into_data_stream();
    running.site.invalidate("board").await;
    let mut text = String::new();
    while !text.contains("data:") {
        text.push_str(&String::from_utf8_lossy(&pieces.next().await.unwrap().unwrap()));
    }
    let push = running.trace("live push /board").await;
    assert_eq!(shape(&push), ["live push /board < ", "render < live push /board"]);
    drop(pieces);
    let session = running.trace("live session /board").await.remove(0);
    assert_eq!(push[0].links, [(session.trace.clone(), session.id.clone())]);
    assert_eq!(
        (session.get("tropos.live.frames"), session.get("tropos.response.ended")),
        ("1", "client_left")
    );
    let opened = running.capture.spans();
    assert!(
        opened
            .iter()
            .any(|span| (span.trace.clone(), span.id.clone()) == session.links[0] && span.kind == "server")
    );
}

#[tokio::test]
async fn what_failed_is_kept_though_the_caller_does_not_keep_it_and_what_did_not_is_left() {
    let running = Running::start(Hooks::new(), |config| {
        config.telemetry.sampler = tropos_telemetry::trace::sampling::Sampler::default();
    })
    .await;
    let unsampled = [("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")];
    running.site.get_with("/isr/a", &unsampled).await;
    running.site.get_with("/isr/fails", &unsampled).await;
    let spans = running.trace("GET /isr/:key").await;
    assert_eq!((spans[0].get("tropos.trace.kept"), spans[0].get("url.path")), ("failed", "/isr/fails"));
    assert_eq!(running.capture.spans().iter().filter(|span| span.kind == "server").count(), 1);
}

#[tokio::test]
async fn answers_name_their_trace_and_what_they_took_where_that_is_chosen() {
    let running = Running::plain().await;
    let answer = running.site.get("/isr/a").await;
    assert!(answer.header("traceresponse").is_empty() && answer.header("server-timing").is_empty());
    let error = running.site.get("/isr/fails").await;
    let root = running
        .capture
        .wait_for(|spans| spans.iter().any(|span| span.get("url.path") == "/isr/fails"))
        .await
        .into_iter()
        .find(|span| span.get("url.path") == "/isr/fails")
        .unwrap();
    assert!(error.text().contains(&format!("<code>{}</code>", root.trace)), "{}", error.text());

    let running = Running::start(Hooks::new(), |config| {
        (config.traceresponse, config.server_timing) = (true, true);
    })
    .await;
    let answer = running.site.get("/isr/a").await;
    let root = running.capture.span("GET /isr/:key").await;
    let context = format!("00-{}-{}-01", root.trace, root.id);
    assert_eq!(answer.header("traceresponse"), context);
    let timing = answer.header("server-timing");
    assert!(timing.contains(&format!("traceparent;desc=\"{context}\", ")), "{timing}");
    for part in ["total;dur=", "cache;desc=\"fwd=uri-miss; stored\"", "lookup;dur=", "render;dur=", "db;dur="]
    {
        assert!(timing.contains(part), "{part}: {timing}");
    }
}

/// Asks for `/isr/a` over a socket, in a caller's trace with these flags and with these headers more.
async fn on_socket(running: &Running) -> impl AsyncFn(&str, &str) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(running.site.site.clone().serve_on(listener, std::future::pending()));
    async move |flag: &str, more: &str| {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let head = format!(
            "GET /isr/a HTTP/1.1\r\nHost: localhost:8080\r\nConnection: close\r\n{more}traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-{flag}\r\ntracestate: a=1\r\ntracestate: b=2\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }
}

#[tokio::test]
async fn a_hook_that_answers_on_the_quick_path_is_one_span_and_one_that_fails_is_kept_in_any_case() {
    let answers = |status| {
        let name = if status == 418 { "teapot" } else { "broken" };
        (Match::header(name), hook(name, move |_, _| Decision::from(Reply::text(status, "no"))))
    };
    let ([(teapot, answers_418), (broken, answers_503)], hooks) =
        ([answers(418), answers(503)], Hooks::new());
    let hooks = hooks.at(teapot, answers_418).at(broken, answers_503);
    let running = Running::start(hooks, |config| {
        config.production = true;
        config.telemetry.sampler = tropos_telemetry::trace::sampling::Sampler::default();
    })
    .await;
    let ask = on_socket(&running).await;
    assert!(ask("00", "").await.contains("fwd=uri-miss"));
    assert!(ask("00", "").await.contains("tropos; hit;"));
    for flag in ["00", "01"] {
        assert!(ask(flag, "teapot: 1\r\n").await.starts_with("HTTP/1.1 418 "));
    }
    let root = running.trace("GET").await;
    assert_eq!(root.len(), 1, "{root:?}");
    assert_eq!(root[0].trace, "0af7651916cd43dd8448eb211c80319c");
    let said =
        ["http.response.status_code", "tropos.hooks.outcome", "url.path"].map(|name| root[0].get(name));
    assert_eq!(said, ["418", "answered", "/isr/a"]);
    assert_eq!(running.capture.spans().len(), 1, "the others were not the caller's to keep");

    assert!(ask("00", "broken: 1\r\n").await.starts_with("HTTP/1.1 503 "));
    let spans = running.capture.wait_for(|spans| spans.len() > 1).await;
    assert_eq!(shape(&spans[1..]), ["GET < ", "hooks < GET"]);
    assert_eq!((spans[1].get("tropos.trace.kept"), spans[1].get("error.type")), ("failed", "503"));
}

#[tokio::test]
async fn a_hit_on_the_quick_path_is_one_span_in_its_callers_trace_and_none_where_the_caller_keeps_none() {
    let running = Running::start(Hooks::new(), |config| {
        config.production = true;
        config.telemetry.sampler = tropos_telemetry::trace::sampling::Sampler::default();
    })
    .await;
    let ask = on_socket(&running).await;
    let ask = async |flag: &str| ask(flag, "").await;
    assert!(ask("00").await.contains("fwd=uri-miss"));
    // The first hit is learnt by; those after it are answered before any routing.
    for flag in ["00", "00", "01"] {
        assert!(ask(flag).await.contains("tropos; hit;"));
    }
    let root = running.trace("GET /isr/:key").await;
    assert_eq!(root.len(), 1, "{root:?}");
    assert_eq!(root[0].trace, "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(root[0].parent.as_deref(), Some("b7ad6b7169203331"));
    assert_eq!((root[0].get("tropos.mode"), root[0].get("url.path")), ("isr", "/isr/a"));
    assert!(root[0].get("tropos.cache.status").starts_with("tropos; hit; ttl="));
    assert_eq!(root[0].state, "a=1,b=2");
    assert_eq!((root[0].get("server.address"), root[0].get("server.port")), ("localhost", "8080"));
    assert_eq!(root[0].get("network.protocol.version"), "1.1");
    assert_eq!(root[0].resource["service.version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(root[0].resource["service.instance.id"].len(), 36);
    assert_eq!(running.capture.spans().len(), 1, "the others were not the caller's to keep");
}
