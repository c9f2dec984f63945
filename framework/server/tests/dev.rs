//! What the dev server's toolbar is told: records of renders, and events.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod common;

use axum::{Router, body::Body, routing::get};
use common::{Reads, app};
use futures::StreamExt;
use http::{Request, StatusCode};
use leptos::prelude::*;
use serde_json::{Value, json};
use std::time::Duration;
use tower::ServiceExt as _;
use tracing_subscriber::{layer::SubscriberExt as _, util::SubscriberInitExt as _};
use tropos::{Cookies, Db, Failure, PageResult, Path, Query, Result, State, cached, page, prelude::*};
use tropos_db::sqlx;
use tropos_server::Config;
use tropos_testing::{Answer, TestApp};

#[derive(Clone, Debug)]
struct Upstream(String);

impl tropos::CacheArg for Upstream {
    fn add_to_key(&self, _: &mut tropos::KeyArgs) {}
}

/// Reads the database: its query belongs to it, and only a miss has one.
#[cached(ttl = "60s", tags = ["sizes"])]
async fn sizes(db: Db) -> Result<i64> {
    Ok(sqlx::query_scalar("select count(*) from sqlite_master").fetch_one(db.read()).await?)
}

#[page("/much/:key", server)]
async fn Much(
    Path(key): Path<String>,
    db: Db,
    State(upstream): State<Upstream>,
    cookies: Cookies,
) -> PageResult {
    cookies.get("theme");
    let one: i64 =
        sqlx::query_scalar("select 1 where 'Marlowe' <> $1").bind(&key).fetch_one(db.read()).await?;
    let sizes = sizes(db.clone()).await?;
    let text = tropos::fetch::get(&upstream.0).query(&[("secret", "Vivian")]).text().await?;
    let later = Resource::new_blocking(
        || (),
        move |()| {
            let db = db.clone();
            async move {
                let two: i64 = sqlx::query_scalar("select 2").fetch_one(db.read()).await.unwrap_or_default();
                two
            }
        },
    );
    view! {
        <p>{one}{sizes}{text}</p>
        <Suspense>{move || Suspend::new(async move { later.await })}</Suspense>
        <div inner_html="<leptos-island data-component=\"Counter_1\" data-props=\"12345\"></leptos-island>"></div>
    }
    .into_page()
}

#[page("/isr/:key", isr(revalidate = "2s", expire = "10s", tags = ["isr-{key}"]))]
async fn Isr(Path(key): Path<String>, db: Db, State(reads): State<Reads>) -> PageResult {
    let count = reads.one();
    let _: i64 = sqlx::query_scalar("select 3").fetch_one(db.read()).await?;
    if key == "fails" {
        return Err(Failure::new("it rained").into());
    }
    view! { <p id="count">{count}</p> }.into_page()
}

#[derive(serde::Deserialize)]
struct Search {
    #[serde(default)]
    #[expect(dead_code, reason = "read is read")]
    q: String,
}

#[page("/search", server)]
async fn Found(Query(_): Query<Search>) -> PageResult {
    view! { <p></p> }.into_page()
}

#[page("/panics", server)]
#[expect(clippy::panic, reason = "this page is there to panic")]
async fn Panics() -> PageResult {
    panic!("the tea is cold")
}

fn listen() {
    drop(tracing_subscriber::registry().with(tropos_server::dev::layer()).try_init());
}

async fn site(dev: bool) -> TestApp {
    listen();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = format!("http://{}/v", listener.local_addr().unwrap());
    let router = Router::new().route("/v", get(async || "tea"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let mut config = Config::default();
    config.database = tropos_db::Config::new("sqlite::memory:");
    config.dev = dev.then(|| "somewhere".into());
    let migrations = sqlx::migrate::Migrator::with_migrations(vec![]);
    let pages = tropos::routes![Much, Isr, Found, Panics];
    let app = app().pages(pages).migrations(migrations).state(Reads::default()).state(Upstream(upstream));
    TestApp::with_config(app, config).await
}

/// Asks the admin listener.
async fn admin(site: &TestApp, request: Request<Body>) -> (StatusCode, Value) {
    let router: Router = tropos_server::dev::router(&site.site);
    let answer = router.oneshot(request).await.unwrap();
    let status = answer.status();
    let body = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

async fn ask(site: &TestApp, path: &str) -> Value {
    admin(site, TestApp::request("GET", path, "", &[])).await.1
}

fn number(answer: &Answer) -> u64 {
    let timing = answer.header("server-timing");
    let rest = timing.strip_prefix("tropos;desc=\"").unwrap();
    rest.split('"').next().unwrap().parse().unwrap()
}

async fn record(site: &TestApp, answer: &Answer) -> Value {
    ask(site, &format!("/dev/renders/{}", number(answer))).await
}

/// The record of an answer once it says that it is over.
async fn complete(site: &TestApp, id: u64) -> Value {
    for _ in 0..200 {
        let record = ask(site, &format!("/dev/renders/{id}")).await;
        if record["done"] == true {
            return record;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Value::Null
}

fn work<'a>(record: &'a Value, kind: &str) -> Vec<&'a Value> {
    record["work"].as_array().unwrap().iter().filter(|work| work["kind"] == kind).collect()
}

#[tokio::test]
async fn a_record_has_what_was_done_for_its_page_each_with_its_parent() {
    let site = site(true).await;
    let answer = site.get_with("/much/a?utm=x", &[("cookie", "theme=dark; other=1")]).await;
    assert_eq!(answer.status, 200);
    let record = record(&site, &answer).await;
    assert_eq!(record["done"], true);
    assert_eq!(
        (&record["route"], &record["mode"], &record["name"], &record["status"]),
        (&json!("/much/:key"), &json!("server"), &json!("Much"), &json!(200))
    );
    assert_eq!((&record["path"], &record["query"]), (&json!("/much/a"), &json!("utm=x")));
    assert_eq!(record["cache_status"], "tropos; fwd=bypass; detail=server");
    assert_eq!(record["tags"], json!(["sizes"]));

    let functions = work(&record, "function");
    assert_eq!(functions.len(), 1, "{record:#}");
    assert!(functions[0]["name"].as_str().unwrap().ends_with("sizes"));
    assert_eq!(functions[0]["cache"], "tropos; fwd=uri-miss; stored");
    let queries = work(&record, "query");
    let texts: Vec<&str> = queries.iter().map(|query| query["text"].as_str().unwrap()).collect();
    let expected = ["select ? where ? <> $1", "select count(*) from sqlite_master", "select ?"];
    assert_eq!(texts, expected, "{record:#}");
    assert!(queries.iter().all(|query| query["rows"] == 1 && query["took_ms"].is_number()));
    // The query of the cached function is its own; the others are the page's, that of the resource among them.
    let parents: Vec<&Value> = queries.iter().map(|query| &query["parent"]).collect();
    assert_eq!(parents, [&Value::Null, &functions[0]["id"], &Value::Null]);
    let fetches = work(&record, "fetch");
    assert_eq!(fetches.len(), 1);
    assert_eq!((&fetches[0]["name"], &fetches[0]["status"]), (&json!("GET"), &json!(200)));
    assert!(fetches[0]["text"].as_str().unwrap().ends_with("/v"), "the query of an address carries values");

    let read = &record["read"];
    assert_eq!(read["cookies"], true);
    assert_eq!(read["cookie_names"], json!(["theme"]));
    assert_eq!(
        (&read["headers"], &read["session"], &read["query"]),
        (&json!(false), &json!(false), &json!(false))
    );
    assert_eq!(record["islands"], json!([{"name": "Counter", "count": 1, "props_bytes": 5}]));
    assert_eq!(record["html_bytes"], answer.body.len());

    let again = self::record(&site, &site.get("/much/b").await).await;
    assert_eq!(work(&again, "function")[0]["cache"].as_str().unwrap().split("; ").nth(1), Some("hit"));
    assert_eq!(work(&again, "query").len(), 2);
    assert_eq!(again["read"]["cookies"], true);
}

#[tokio::test]
async fn an_answer_of_the_store_says_why_and_what_made_it() {
    let site = site(true).await;
    let miss = site.get("/isr/a").await;
    let missed = record(&site, &miss).await;
    assert_eq!(missed["cache_status"], "tropos; fwd=uri-miss; stored");
    assert!(missed["why"].as_str().unwrap().starts_with("nothing was stored for it"));
    assert_eq!((work(&missed, "query").len(), &missed["tags"]), (1, &json!(["isr-a"])));
    assert_eq!((&missed["revalidate_ms"], &missed["expire_ms"]), (&json!(2_000), &json!(10_000)));

    site.advance(Duration::from_millis(900));
    let hit = record(&site, &site.get("/isr/a").await).await;
    assert_eq!((&hit["cache_status"], &hit["age_ms"]), (&json!("tropos; hit; ttl=1"), &json!(900)));
    assert_eq!((work(&hit, "query").len(), &hit["made_by"]), (0, &missed["id"]));

    // Served stale: what renews it has a record of its own, which names this one.
    site.advance(Duration::from_secs(3));
    let stale = site.get("/isr/a").await;
    let stale = record(&site, &stale).await;
    assert!(stale["cache_status"].as_str().unwrap().ends_with("detail=stale"), "{stale:#}");
    let renewed = complete(&site, stale["id"].as_u64().unwrap() + 1).await;
    assert_eq!((&renewed["kind"], &renewed["caused_by"]), (&json!("background"), &stale["id"]));
    assert_eq!((&renewed["route"], &renewed["path"]), (&json!("/isr/:key"), &json!("/isr/a")));
    assert_eq!((work(&renewed, "query").len(), work(&stale, "query").len()), (1, 0));
    assert_eq!(renewed["html_bytes"].as_u64(), Some(stale["html_bytes"].as_u64().unwrap()));
    let hit = record(&site, &site.get("/isr/a").await).await;
    assert_eq!(hit["made_by"], renewed["id"]);
}

#[tokio::test]
async fn tags_are_invalidated_from_the_toolbar() {
    let site = site(true).await;
    assert_eq!(site.get("/isr/a").await.by_id("count").as_deref(), Some("1"));
    let json = [("content-type", "application/json")];
    let call = TestApp::request("POST", "/dev/invalidate", r#"{"tags":["isr-a"]}"#, &json);
    assert_eq!(admin(&site, call).await, (StatusCode::OK, json!({"sequence": 1})));
    let missed = site.get("/isr/a").await;
    assert_eq!(missed.by_id("count").as_deref(), Some("2"));
    assert!(record(&site, &missed).await["why"].as_str().unwrap().contains("has been invalidated"));
    // What a page of another site could send.
    for (headers, status) in [
        (&[("content-type", "text/plain")][..], 415),
        (&[("content-type", "application/json"), ("host", "evil.example")][..], 403),
    ] {
        let mut call = TestApp::request("POST", "/dev/invalidate", r#"{"tags":["isr-a"]}"#, &[]);
        for (name, value) in headers {
            call.headers_mut().insert(*name, value.parse().unwrap());
        }
        assert_eq!(admin(&site, call).await.0, status, "{headers:?}");
    }
}

#[tokio::test]
async fn panics_and_failures_are_told_with_their_place_and_page() {
    let site = site(true).await;
    let router: Router = tropos_server::dev::router(&site.site);
    let events = router.oneshot(TestApp::request("GET", "/dev/events", "", &[])).await.unwrap();
    let mut events = events.into_body().into_data_stream();
    let panicked = site.get("/panics").await;
    assert_eq!(panicked.status, 500);
    assert!(panicked.text().contains("the tea is cold"), "the page says so, too");
    let failed = site.get("/isr/fails").await;
    assert!(failed.text().contains("it rained") && failed.text().contains("dev.rs:"), "{}", failed.text());
    let mut told = Vec::new();
    while told.len() < 4 {
        let event =
            tokio::time::timeout(Duration::from_secs(5), events.next()).await.unwrap().unwrap().unwrap();
        let text = String::from_utf8(event.to_vec()).unwrap();
        let of = |event: &str| serde_json::from_str::<Value>(event.strip_prefix("data: ")?).ok();
        told.extend(text.split("\n\n").filter_map(of));
    }
    // Other tests of this process tell of theirs as well.
    let find = |kind: &str, route: &str| {
        told.iter().filter(|event| event["kind"] == kind && event["route"] == route).collect::<Vec<_>>()
    };
    let panics = find("panic", "/panics");
    assert_eq!(panics.len(), 1, "{told:#?}");
    assert_eq!((&panics[0]["text"], &panics[0]["path"]), (&json!("the tea is cold"), &json!("/panics")));
    assert!(panics[0]["file"].as_str().unwrap().ends_with("dev.rs") && panics[0]["line"].is_number());
    assert_eq!(panics[0]["render"], number(&panicked));
    let failures = find("failed", "/isr/:key");
    assert_eq!(failures.len(), 1, "once, though the cache and the answer both see it: {told:#?}");
    assert_eq!((&failures[0]["text"], &failures[0]["path"]), (&json!("it rained"), &json!("/isr/fails")));
    assert_eq!(find("failed", "/panics").len(), 0, "told as a panic already");
    let rendered: Vec<_> = told
        .iter()
        .filter(|event| event["kind"] == "rendered")
        .map(|event| (event["path"].as_str().unwrap(), event["good"].as_bool().unwrap()))
        .collect();
    assert_eq!(rendered, [("/panics", false), ("/isr/fails", false)], "an error page is no good render");
}

#[tokio::test]
async fn the_last_records_are_listed_and_older_ones_forgotten() {
    let site = site(true).await;
    let first = number(&site.get("/search?q=first").await);
    for _ in 0..500 {
        site.get("/search").await;
    }
    let list = ask(&site, "/dev/renders").await;
    assert_eq!(list.as_array().unwrap().len(), 500);
    assert_eq!((&list[0]["route"], &list[0]["queries"]), (&json!("/search"), &json!(0)));
    let gone = admin(&site, TestApp::request("GET", &format!("/dev/renders/{first}"), "", &[])).await;
    assert_eq!(gone.0, 404);
}

#[tokio::test]
async fn outside_of_development_there_is_nothing() {
    let site = site(false).await;
    let answer = site.get_with("/much/a", &[("accept-encoding", "gzip")]).await;
    assert_eq!((answer.status.as_u16(), answer.header("server-timing")), (200, ""));
    for path in ["/dev/renders", "/dev/renders/1", "/dev/events", "/dev/advice"] {
        assert_eq!(admin(&site, TestApp::request("GET", path, "", &[])).await.0, 404, "{path}");
    }
    assert!(!site.get("/isr/fails").await.text().contains("it rained"));
}
