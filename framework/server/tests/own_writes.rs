//! Visitors who have written, beside real replicas: the cookies that they are given, and what open pages show them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod common;

use axum::{Router, body::Body, routing::post};
use common::{Reads, app};
use futures::StreamExt;
use http::Response;
use leptos::prelude::*;
use std::time::Duration;
use tropos::{Db, PageResult, Result, State, extract, live_url, page, prelude::*};
use tropos_db::{
    ShardConfig,
    shard::Slot,
    sqlx::{
        self, SqlSafeStr as _,
        migrate::{Migration, MigrationType, Migrator},
    },
};
use tropos_parts::PostgresCluster;
use tropos_server::Config;
use tropos_testing::{Answer, TestApp};

const SET: &str = "insert into kv values ($1, $2) on conflict (key) do update set value = excluded.value";

async fn set(key: &str, value: &str) -> Result<()> {
    let db: Db = extract().await?;
    sqlx::query(SET).bind(key).bind(value).execute(db.shard(key).write()).await?;
    Ok(())
}

#[page("/row", live(tags = ["row"]))]
async fn Row(db: Db) -> PageResult {
    let value: Option<String> =
        sqlx::query_scalar("select value from kv where key = 'row'").fetch_optional(db.read()).await?;
    view! { <main data-live=live_url()><p id="value">{value}</p></main> }.into_page()
}

/// Writes as it is shown.
#[page("/visit", live(tags = ["visit"]))]
async fn Visit(State(visits): State<Reads>) -> PageResult {
    visits.one();
    set("row", "visited").await?;
    view! { <main data-live=live_url()><p id="visit">"visited"</p></main> }.into_page()
}

/// Sets the key that is sent, and invalidates nothing.
async fn write(key: String) -> &'static str {
    set(&key, "new").await.unwrap();
    "written"
}

/// The application on databases of one replica each.
async fn site(clusters: &[&PostgresCluster]) -> TestApp {
    counting(clusters, &Reads::default()).await
}

/// The same, counting visits.
async fn counting(clusters: &[&PostgresCluster], visits: &Reads) -> TestApp {
    let [from, to] = [0, 8192];
    let slots = [format!("{from}-{}", to - 1), format!("{to}-16383")];
    let shards = clusters.iter().zip(slots).zip(["a", "b"]).map(|((cluster, slots), name)| {
        let shard = ShardConfig::new(name, cluster.primary().url("postgres"));
        shard.replicas([cluster.replica(0).url("postgres")]).slots(&slots)
    });
    let mut config = Config::default();
    config.database = tropos_db::Config::new("").shards(shards.collect());
    let sql = "create table kv (key text primary key, value text)".into_sql_str();
    let step = Migration::new(1, "kv".into(), MigrationType::Simple, sql, false);
    let app = app()
        .pages(tropos::routes![Row, Visit])
        .state(visits.clone())
        .api(Router::new().route("/api/write", post(write)))
        .migrations(Migrator::with_migrations(vec![step]));
    let site = TestApp::with_config(app, config).await;
    for cluster in clusters {
        cluster.wait_until_caught_up(0).await.unwrap();
    }
    site
}

async fn post_key(site: &TestApp, key: &str, cookie: &str) -> Answer {
    let answer = site.send(TestApp::request("POST", "/api/write", key, &[("cookie", cookie)])).await;
    assert_eq!(answer.text(), "written");
    answer
}

async fn stream(site: &TestApp, page: &Answer, cookie: &str) -> Response<Body> {
    let text = page.text();
    let (_, url) = text.split_once("data-live=\"").unwrap();
    let url = url.split_once('"').unwrap().0.replace("&amp;", "&");
    site.start(TestApp::request("GET", &url, "", &[("cookie", cookie)])).await
}

/// The next event with data; `None` where none comes within the time.
async fn event(stream: Response<Body>, within: Duration) -> Option<String> {
    let mut pieces = stream.into_body().into_data_stream();
    let data = async {
        loop {
            let piece = String::from_utf8_lossy(&pieces.next().await.unwrap().unwrap()).into_owned();
            if piece.contains("data:") {
                return piece;
            }
        }
    };
    tokio::time::timeout(within, data).await.ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_does_not_take_away_what_its_reader_wrote_and_others_have_not_seen() {
    let cluster = PostgresCluster::start(1).await.unwrap();
    let site = site(&[&cluster]).await;
    cluster.primary().psql("postgres", "insert into kv values ('row', 'old')").await.unwrap();
    cluster.wait_until_caught_up(0).await.unwrap();
    cluster.pause_replay(0).await.unwrap();
    let others = stream(&site, &site.get("/row").await, "").await;
    let cookie = post_key(&site, "row", "").await.cookies();
    assert!(cookie.starts_with("tropos_seen="), "{cookie}");
    let page = site.get_with("/row", &[("cookie", &cookie)]).await;
    assert_eq!(page.by_id("value").as_deref(), Some("new"));
    let own = stream(&site, &page, &cookie).await;
    assert_eq!(event(own, Duration::from_millis(300)).await, None, "the page stays as it is");
    site.invalidate("row").await;
    let event = event(others, Duration::from_secs(5)).await.unwrap();
    assert!(event.contains("new"), "all are told once it is invalidated: {event}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_page_that_writes_gives_the_cookie_and_its_stream_goes_on_from_the_first_answer() {
    let cluster = PostgresCluster::start(1).await.unwrap();
    let visits = Reads::default();
    let site = counting(&[&cluster], &visits).await;
    cluster.pause_replay(0).await.unwrap();
    let visit = site.get("/visit").await;
    let cookie = visit.cookies();
    assert!(cookie.starts_with("tropos_seen="), "{cookie}");
    let row = site.get_with("/row", &[("cookie", &cookie)]).await;
    assert_eq!(row.by_id("value").as_deref(), Some("visited"));
    let stream = stream(&site, &visit, &cookie).await;
    assert_eq!(event(stream, Duration::from_millis(100)).await, None);
    assert_eq!(visits.count(), 1, "the stream has found the first answer though the cookie is another");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_wrote_to_two_shards_at_once_set_a_cookie_each() {
    let (a, b) = tokio::join!(PostgresCluster::start(1), PostgresCluster::start(1));
    let (a, b) = (a.unwrap(), b.unwrap());
    let site = site(&[&a, &b]).await;
    let slots = site.site.db().unwrap().slots();
    let keys = [0, 1].map(|shard| {
        let mut keys = (0..).map(|number| format!("key-{number}"));
        keys.find(|key| slots.shard_of(Slot::of(key.as_str())) == shard).unwrap()
    });
    let (first, second) = tokio::join!(post_key(&site, &keys[0], ""), post_key(&site, &keys[1], ""));
    let (first, second) = (first.cookies(), second.cookies());
    assert!(first.starts_with("tropos_seen=") && !first.contains(';'), "{first}");
    assert!(second.starts_with("tropos_seen_1=") && !second.contains(';'), "{second}");
    let both = post_key(&site, &keys[0], &format!("{first}; {second}")).await.cookies();
    assert!(both.starts_with("tropos_seen=") && !both.contains(';'), "the other stays as it is: {both}");
}
