//! What is counted of requests, and by which names.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod common;

use common::{Reads, app};
use leptos::prelude::*;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};
use tropos::{Cookies, Db, PageResult, Path, State, cached, extract, page, prelude::*};
use tropos_db::sqlx;
use tropos_server::Config;
use tropos_testing::TestApp;

/// Whether pages fail just now.
#[derive(Clone, Default)]
struct Fails(Arc<AtomicBool>);

#[cached(ttl = "never")]
async fn half(db: &Db, name: String) -> tropos::Result<i64> {
    let (length,): (i64,) = sqlx::query_as("select length($1)").bind(name).fetch_one(db.read()).await?;
    Ok(length)
}

/// Two queries: its own, and that of the function.
#[page("/stored/:name", isr(revalidate = "60s", expire = "1h", tags = ["stored"]))]
async fn Stored(Path(name): Path<String>, State(fails): State<Fails>, db: Db) -> PageResult {
    if fails.0.load(Ordering::SeqCst) {
        return Err(tropos_core::Failure::new("it fails").into());
    }
    let length = half(&db, name).await?;
    let (more,): (i64,) = sqlx::query_as("select 1").fetch_one(db.read()).await?;
    view! { <p>{length + more}</p> }.into_page()
}

#[page("/rendered/:name", server)]
async fn Rendered(Path(name): Path<String>, db: Db) -> PageResult {
    drop(extract::<Cookies>().await?);
    let length = half(&db, name.clone()).await?;
    match name.as_str() {
        "missing" => Err(tropos_core::PageError::NotFound),
        "broken" => Err(tropos_core::Failure::new("it fails").into()),
        _ => view! { <p>{length}</p> }.into_page(),
    }
}

#[page("/waits", server)]
async fn Waits(db: Db) -> PageResult {
    sqlx::query("delete from unused").execute(db.write()).await?;
    view! { <p></p> }.into_page()
}

async fn site(fails: &Fails) -> TestApp {
    let mut config = Config::default();
    config.production = true;
    config.allowed_hosts = Some(vec!["localhost".to_owned()]);
    config.database = tropos_db::Config::new("sqlite::memory:");
    let app =
        app().pages(tropos::routes![Stored, Rendered, Waits]).state(Reads::default()).state(fails.clone());
    TestApp::with_config(app.migrations(migrations()), config).await
}

/// An application without migrations has no database.
fn migrations() -> sqlx::migrate::Migrator {
    use sqlx::{
        SqlSafeStr as _,
        migrate::{Migration, MigrationType, Migrator},
    };
    let sql = "create table unused (note text)".into_sql_str();
    let migration = Migration::new(1, "unused".into(), MigrationType::Simple, sql, false);
    Migrator::with_migrations(vec![migration])
}

/// The number of the series whose line begins so, and has all of these labels; none without one.
fn number(site: &TestApp, name: &str, labels: &[&str]) -> Option<f64> {
    let text = site.site.metrics();
    let line = text.lines().find(|line| {
        line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))
            && labels.iter().all(|label| line.contains(label))
    })?;
    line.rsplit(' ').next()?.parse().ok()
}

/// Work in the background is not waited for by who caused it.
async fn until(is_so: impl Fn() -> bool) {
    let looking = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), looking).await.unwrap();
}

#[tokio::test]
async fn a_page_is_counted_by_its_route_whatever_became_of_it() {
    let site = site(&Fails::default()).await;
    for path in ["/stored/a", "/stored/b", "/rendered/a", "/rendered/missing", "/rendered/broken", "/nowhere"]
    {
        site.get(path).await;
    }
    let stored = ["http_route=\"/stored/:name\"", "status_code=\"200\"", "tropos_mode=\"isr\""];
    assert_eq!(number(&site, "http_server_request_duration_seconds_count", &stored), Some(2.0));
    let text = site.site.metrics();
    let of = |status: &str, route: &str| {
        let lines =
            text.lines().filter(|line| line.starts_with("http_server_request_duration_seconds_count"));
        let lines = lines.filter(|line| line.contains(route) && line.contains(status));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum::<f64>()
    };
    let rendered = "http_route=\"/rendered/:name\"";
    assert_eq!(of("status_code=\"404\"", rendered), 1.0, "{text}");
    assert_eq!(of("status_code=\"500\",", rendered), 1.0, "{text}");
    assert!(text.contains("error_type=\"500\",tropos_mode=\"server\""), "{text}");
    assert!(!text.contains("/nowhere") && !text.contains("/stored/a"), "no path is a label");
    assert_eq!(of("tropos_mode=\"none\"", "status_code=\"404\""), 1.0, "{text}");
}

#[tokio::test]
async fn what_the_cache_did_is_counted_with_its_reason_and_what_it_saved() {
    let fails = Fails::default();
    let site = site(&fails).await;
    let pages = |result: &str, reason: &str| {
        let labels = [
            "cache_read=\"page\"",
            &*format!("cache_result=\"{result}\""),
            &*format!("cache_reason=\"{reason}\""),
            "http_route=\"/stored/:name\"",
        ];
        number(&site, "tropos_cache_requests_total", &labels).unwrap_or_default()
    };
    let saved =
        || number(&site, "tropos_cache_saved_queries_total", &["cache_read=\"page\"", "/stored/:name"]);
    let queries = || {
        let text = site.site.metrics();
        let lines =
            text.lines().filter(|line| line.starts_with("db_client_operation_duration_seconds_count"));
        let lines = lines.filter(|line| line.contains("http_route=\"/stored/:name\""));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum::<f64>()
    };
    site.get("/stored/a").await;
    assert_eq!((pages("miss", "absent"), saved(), queries()), (1.0, Some(0.0), 2.0));
    site.get("/stored/a").await;
    site.get("/stored/a").await;
    assert_eq!((pages("hit", "fresh"), saved(), queries()), (2.0, Some(4.0), 2.0));

    // The page is made anew, and the function's result is still there: that hit saves one query, and the page's next two.
    site.invalidate("stored").await;
    site.get("/stored/a").await;
    assert_eq!((pages("miss", "invalidated"), queries()), (1.0, 3.0));
    let of_function = ["cache_read=\"function\"", "http_route=\"/stored/:name\""];
    assert_eq!(number(&site, "tropos_cache_saved_queries_total", &of_function), Some(1.0));
    site.get("/stored/a").await;
    assert_eq!(saved(), Some(6.0));
    let of_function = ["cache_read=\"function\"", "cache_result=\"hit\"", "http_route=\"/stored/:name\""];
    assert_eq!(number(&site, "tropos_cache_requests_total", &of_function), Some(1.0));
    assert_eq!(number(&site, "tropos_cache_invalidations_total", &["strength=\"hard\""]), Some(1.0));
    let confirmed = number(&site, "tropos_cache_invalidation_duration_seconds_count", &["store=\"process\""]);
    assert_eq!(confirmed, Some(1.0));

    // Stale, and what should replace it fails.
    let failures = || number(&site, "tropos_cache_regeneration_failures_total", &["/stored/:name"]);
    assert_eq!(failures(), Some(0.0), "there from the start, so that its first rise is seen");
    fails.0.store(true, Ordering::SeqCst);
    site.advance(Duration::from_secs(61));
    site.get("/stored/a").await;
    assert_eq!((pages("stale", "age"), saved()), (1.0, Some(6.0)), "it causes a render");
    until(|| failures() == Some(1.0)).await;
    site.get("/stored/a").await;
    assert_eq!(pages("stale", "error"), 1.0);
    let renders = |cause: &str, outcome: &str| {
        let labels = [&*format!("cause=\"{cause}\""), &*format!("outcome=\"{outcome}\""), "/stored/:name"];
        number(&site, "tropos_render_duration_seconds_count", &labels)
    };
    assert_eq!((renders("request", "ok"), renders("background", "failed")), (Some(2.0), Some(1.0)));
}

#[tokio::test]
async fn what_is_made_again_after_an_invalidation_is_counted_as_made_in_the_background() {
    let fails = Fails::default();
    let site = site(&fails).await;
    site.get("/stored/a").await;
    fails.0.store(true, Ordering::SeqCst);
    site.invalidate("stored").await;
    site.site.engine().warm(&["stored".into()]);
    let renders = |cause: &str| {
        let labels = [&*format!("cause=\"{cause}\""), "outcome=\"failed\"", "/stored/:name"];
        number(&site, "tropos_render_duration_seconds_count", &labels)
    };
    let failures = || number(&site, "tropos_cache_regeneration_failures_total", &["/stored/:name"]);
    until(|| failures() == Some(1.0)).await;
    assert_eq!((renders("background"), renders("request")), (Some(1.0), None));
}

#[tokio::test]
async fn a_page_whose_reader_leaves_is_counted_with_its_query_as_cancelled() {
    let site = site(&Fails::default()).await;
    // The one connection that writes is taken.
    let tx = site.site.db().unwrap().tx().await.unwrap();
    let left = tokio::time::timeout(Duration::from_millis(50), site.get("/waits")).await;
    assert!(left.is_err(), "the page had to wait");
    tx.rollback().await.unwrap();
    let query = ["db_query_summary=\"DELETE unused\"", "http_route=\"/waits\"", "error_type=\"cancelled\""];
    assert_eq!(number(&site, "db_client_operation_duration_seconds_count", &query), Some(1.0));
    let render = ["outcome=\"cancelled\"", "http_route=\"/waits\""];
    assert_eq!(number(&site, "tropos_render_duration_seconds_count", &render), Some(1.0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hits_of_the_quick_path_are_counted_as_all_others() {
    let site = site(&Fails::default()).await;
    for _ in 0..2 {
        site.get("/stored/a").await;
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (end, ended) = oneshot::channel::<()>();
    let serving = tokio::spawn(site.site.clone().serve_on(listener, async { drop(ended.await) }));
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut answer = [0; 4096];
    for _ in 0..10 {
        stream.write_all(b"GET /stored/a HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        let length = stream.read(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer[..length]);
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("tropos; hit"), "{answer}");
    }
    drop(stream);
    end.send(()).unwrap();
    serving.await.unwrap().unwrap();
    let hit = ["cache_result=\"hit\"", "cache_read=\"page\"", "/stored/:name"];
    assert_eq!(number(&site, "tropos_cache_requests_total", &hit), Some(11.0));
    let took = ["http_route=\"/stored/:name\"", "status_code=\"200\"", "method=\"GET\""];
    let counted = number(&site, "http_server_request_duration_seconds_count", &took);
    assert_eq!(counted, Some(12.0), "two that were asked for within, and ten over the socket");
    let saved = number(&site, "tropos_cache_saved_queries_total", &["cache_read=\"page\"", "/stored/:name"]);
    assert_eq!(saved, Some(22.0));
}
