//! The dashboard over HTTP: what it shows of what traffic did, what its button does, and whom it answers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod common;

use axum::{Router, body::Body};
use common::{Reads, app};
use http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use leptos::prelude::*;
use std::time::Duration;
use tower::ServiceExt as _;
use tracing_subscriber::{layer::SubscriberExt as _, util::SubscriberInitExt as _};
use tropos::{Db, Failure, PageResult, Path, State, page, prelude::*};
use tropos_db::sqlx;
use tropos_server::{Config, business, dashboard};
use tropos_testing::TestApp;

#[page("/isr/:key", isr(revalidate = "60s", tags = ["isr-{key}"]))]
async fn Isr(Path(key): Path<String>, db: Db, State(reads): State<Reads>) -> PageResult {
    let count = reads.one();
    let _: i64 = sqlx::query_scalar("select count(*) from sqlite_master").fetch_one(db.read()).await?;
    if key == "fails" {
        return Err(Failure::new("it rained").into());
    }
    view! { <p id="count">{count}</p> }.into_page()
}

#[page("/ordered", server)]
async fn Ordered() -> PageResult {
    business::count("orders", 2);
    business::value("revenue", 1999, "EUR");
    view! { <p>"Thank you"</p> }.into_page()
}

#[page("/watched", live)]
async fn Watched() -> PageResult {
    view! { <p>"Still here"</p> }.into_page()
}

const ADMIN: &str = "127.0.0.1:3001";

const TOKEN: &str = "name=\"token\" value=\"";

struct Shop {
    site: TestApp,
    /// The admin listener, as far as it is the dashboard's.
    admin: Router,
}

async fn shop(change: impl FnOnce(&mut Config)) -> Shop {
    drop(tracing_subscriber::registry().with(tropos_telemetry::trace::layer(true)).try_init());
    let mut config = Config::default();
    config.database = tropos_db::Config::new("sqlite::memory:");
    config.dashboard = true;
    change(&mut config);
    let migrations = sqlx::migrate::Migrator::with_migrations(vec![]);
    let pages = tropos::routes![Isr, Ordered, Watched];
    let app = app().pages(pages).migrations(migrations).state(Reads::default());
    let site = TestApp::with_config(app, config).await;
    let admin = dashboard::router(&site.site);
    Shop { site, admin }
}

impl Shop {
    async fn ask(&self, request: Request<Body>) -> Response<Body> {
        self.admin.clone().oneshot(request).await.unwrap()
    }

    async fn answer(&self, request: Request<Body>) -> (StatusCode, String) {
        let answer = self.ask(request).await;
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn page(&self, path: &str) -> String {
        let (status, text) = self.answer(TestApp::request("GET", path, "", &[])).await;
        assert_eq!(status, 200, "{path}: {text}");
        text
    }

    /// Traces are kept once the last byte has gone, which may be after the answer has come.
    async fn page_with(&self, path: &str, wanted: &str) -> String {
        for _ in 0..200 {
            let text = self.page(path).await;
            if text.contains(wanted) {
                return text;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.page(path).await
    }

    async fn token(&self) -> String {
        let page = self.page("/dashboard/cache").await;
        page.split_once(TOKEN).unwrap().1.split('"').next().unwrap().to_owned()
    }

    async fn invalidate(&self, form: &str, headers: &[(&str, &str)]) -> Response<Body> {
        let form_type = [("content-type", "application/x-www-form-urlencoded")];
        let headers: Vec<_> = form_type.iter().chain(headers).copied().collect();
        self.ask(to(ADMIN, "POST", "/dashboard/invalidate", form, &headers)).await
    }

    async fn count(&self) -> String {
        self.site.get("/isr/a").await.by_id("count").unwrap()
    }
}

/// A request that names the host by which it came.
fn to(host: &str, method: &str, path: &str, body: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = TestApp::request(method, path, body, headers);
    request.headers_mut().insert(header::HOST, host.parse().unwrap());
    request
}

/// The table of that name.
fn table<'p>(page: &'p str, id: &str) -> &'p str {
    let from = page.split_once(&format!("<section id=\"{id}\"")).unwrap().1;
    from.split("</section>").next().unwrap()
}

/// The row of a table that has this text.
fn row<'p>(page: &'p str, text: &str) -> &'p str {
    page.split("<tr").find(|row| row.contains(text)).unwrap_or_default()
}

#[tokio::test]
async fn sections_show_what_traffic_did() {
    let shop = shop(|_| {}).await;
    for (path, status) in
        [("/isr/a", 200), ("/isr/a", 200), ("/isr/fails", 500), ("/ordered", 200), ("/none", 404)]
    {
        assert_eq!(shop.site.get(path).await.status, status, "{path}");
    }
    let requests = shop.page_with("/dashboard", "/none").await;
    let rows: Vec<_> = requests.split("<tr").filter(|row| row.contains("/isr/a")).collect();
    assert_eq!(rows.len(), 2, "{requests}");
    assert!(rows[0].contains(">hit<") && rows[1].contains(">miss<"), "the latest first: {rows:?}");
    let failed = row(&requests, "/isr/fails");
    assert!(failed.contains(">500<") && failed.contains("GET /isr/:key"), "{failed}");

    let failures = shop.page("/dashboard/traces?only=failed").await;
    let failures = table(&failures, "traces");
    assert!(failures.contains("/isr/fails") && !failures.contains("/ordered"), "{failures}");
    let of_route = shop.page("/dashboard/traces?route=%2Fordered").await;
    let of_route = table(&of_route, "traces");
    assert!(of_route.contains("GET /ordered") && !of_route.contains("/isr/fails"), "{of_route}");

    let href = failures.split("/dashboard/trace/").nth(1).unwrap().split('"').next().unwrap();
    let trace = shop.page(&format!("/dashboard/trace/{href}")).await;
    for part in ["cache lookup", "render", "sqlite_master", "it rained", "db.system.name", "left:"] {
        assert!(trace.contains(part), "{part}: {trace}");
    }
    let gone = shop.page(&format!("/dashboard/trace/{}", "ab".repeat(16))).await;
    assert!(gone.contains("not among those that are kept"));

    let slowest = shop.page("/dashboard/slowest").await;
    assert!(slowest.contains("/isr/:key") && slowest.contains("sqlite_master"), "{slowest}");
    let cache = shop.page("/dashboard/cache").await;
    assert!(cache.contains("isr-a") && row(&cache, "<code>/isr/a").contains("fresh"), "{cache}");
    assert!(shop.page("/dashboard/cache?tag=isr-none").await.contains("No entry in memory is like that"));
    assert!(shop.page("/dashboard/database").await.contains("Pools"));
    let business = shop.page("/dashboard/business").await;
    assert!(business.contains("orders") && business.contains("19.99 EUR"), "{business}");
}

#[tokio::test]
async fn open_pages_are_shown() {
    let shop = shop(|_| {}).await;
    assert!(shop.page("/dashboard/live").await.contains("Nobody has a live page open"));
    let html = shop.site.get("/watched").await.text();
    let stream = html.split("/_tropos/live/").nth(1).unwrap().split('"').next().unwrap();
    let stream = format!("/_tropos/live/{}", stream.replace("&amp;", "&"));
    let open = shop.site.start(TestApp::request("GET", &stream, "", &[])).await;
    assert_eq!(open.status(), 200);
    let live = shop.page("/dashboard/live").await;
    assert!(row(&live, "<code>/watched").contains(">1<"), "{live}");
    let ticket = stream.split(['/', '?']).nth(3).unwrap();
    assert_eq!(ticket.len(), 32);
    let requests = shop.page_with("/dashboard", "/_tropos/live/…").await;
    assert!(!live.contains(ticket) && !requests.contains(ticket), "a ticket is its reader's own: {requests}");
}

#[tokio::test]
async fn the_button_invalidates() {
    let shop = shop(|_| {}).await;
    let token = shop.token().await;
    let own = [("origin", "http://127.0.0.1:3001"), ("sec-fetch-site", "same-origin")];
    for (at, form) in ["tag=isr-a", "path=%2Fisr%2Fa"].into_iter().enumerate() {
        let before = (at + 1).to_string();
        assert_eq!((shop.count().await, shop.count().await), (before.clone(), before));
        let done = shop.invalidate(&format!("token={token}&{form}"), &own).await;
        assert_eq!(done.status(), StatusCode::SEE_OTHER);
        let next = done.headers()[header::LOCATION].to_str().unwrap().to_owned();
        assert!(next.starts_with("/dashboard/cache?invalidated="), "{next}");
        let page = shop.page(&next).await;
        assert!(
            page.contains("role=\"status\"") && row(&page, "<code>/isr/a").contains("unusable"),
            "{page}"
        );
        assert_eq!(shop.count().await, (at + 2).to_string(), "{form}");
    }
    for form in ["tag=", "tag=a&path=/b", "path=none"] {
        let refused = shop.invalidate(&format!("token={token}&{form}"), &own).await;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{form}");
    }
}

#[tokio::test]
async fn pages_of_other_sites_may_neither_invalidate_nor_follow() {
    let shop = shop(|_| {}).await;
    let token = shop.token().await;
    let form = format!("token={token}&tag=isr-a");
    let stream = "/dashboard/stream?page=%2Fdashboard";
    assert_eq!(shop.count().await, "1");
    for headers in [
        [("origin", "http://evil.example")],
        [("origin", "http://127.0.0.1:3000")],
        [("origin", "null")],
        [("sec-fetch-site", "cross-site")],
        [("sec-fetch-site", "same-site")],
    ] {
        assert_eq!(shop.invalidate(&form, &headers).await.status(), StatusCode::FORBIDDEN, "{headers:?}");
        let (status, _) = shop.answer(to(ADMIN, "GET", stream, "", &headers)).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{headers:?}");
    }
    for form in ["token=&tag=isr-a", &format!("token={}&tag=isr-a", "0".repeat(32)), "token=x&tag=isr-a"] {
        assert_eq!(shop.invalidate(form, &[]).await.status(), StatusCode::FORBIDDEN, "{form}");
    }
    assert_eq!(shop.count().await, "1", "nothing was invalidated");
}

#[tokio::test]
async fn a_name_that_could_be_rebound_is_not_answered() {
    let shop = shop(|_| {}).await;
    for (host, status) in [("evil.example:3001", 403), ("127.0.0.1:3001", 200), ("localhost:3001", 200)] {
        for path in ["/dashboard", "/dashboard/cache", "/dashboard/style.css"] {
            let (answered, _) = shop.answer(to(host, "GET", path, "", &[])).await;
            assert_eq!(answered, status, "{host} {path}");
        }
    }
}

#[tokio::test]
async fn the_public_listener_has_no_dashboard() {
    let shop = shop(|_| {}).await;
    for path in ["/dashboard", "/dashboard/cache", "/dashboard/style.css", "/dashboard/stream"] {
        assert_eq!(shop.site.get(path).await.status, 404, "{path}");
    }
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let posted = TestApp::request("POST", "/dashboard/invalidate", "tag=a", &form);
    assert_eq!(shop.site.send(posted).await.status, 404);
}

#[tokio::test]
async fn it_is_there_in_development_and_where_it_is_asked_for() {
    for (name, production, dev, asked, there) in [
        ("production", true, false, false, false),
        ("production, asked for", true, false, true, true),
        ("no dev server", false, false, false, false),
        ("development", false, true, false, true),
    ] {
        let shop = shop(|config| {
            config.production = production;
            config.dev = dev.then(|| "somewhere".into());
            config.dashboard = asked;
        })
        .await;
        for path in ["/dashboard", "/dashboard/traces", "/dashboard/live.js"] {
            let (status, _) = shop.answer(TestApp::request("GET", path, "", &[])).await;
            assert_eq!(status == 200, there, "{name} {path}: {status}");
        }
    }
}

#[tokio::test]
async fn a_page_holds_nothing_of_elsewhere_and_forbids_it() {
    let shop = shop(|_| {}).await;
    let answer = shop.ask(TestApp::request("GET", "/dashboard/cache", "", &[])).await;
    let policy = answer.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
    assert!(
        policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
        "{policy}"
    );
    assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
    for path in
        ["/dashboard", "/dashboard/traces", "/dashboard/slowest", "/dashboard/cache", "/dashboard/business"]
    {
        let page = shop.page(path).await;
        assert!(
            !page.contains("http://") && !page.contains("https://") && !page.contains("<script>"),
            "{path}"
        );
        assert!(page.contains("<title>") && page.contains("<h1>") && page.contains("Refresh"), "{path}");
    }
    let hostile = shop.page("/dashboard/cache?tag=%3Cscript%3Ealert(1)%3C%2Fscript%3E").await;
    assert!(!hostile.contains("<script>alert"), "{hostile}");
}

#[tokio::test]
async fn an_open_page_is_sent_what_changes_and_nothing_else() {
    let shop = shop(|_| {}).await;
    let page = shop.page("/dashboard").await;
    let stream = page.split("content=\"/dashboard/stream").nth(1).unwrap().split('"').next().unwrap();
    let stream = format!("/dashboard/stream{}", stream.replace("&amp;", "&"));
    let answer = shop.ask(TestApp::request("GET", &stream, "", &[])).await;
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/event-stream");
    let mut events = answer.into_body();
    let mut next = async |limit: Duration| {
        let frame = tokio::time::timeout(limit, events.frame()).await.ok()??;
        Some(String::from_utf8(frame.unwrap().into_data().unwrap().to_vec()).unwrap())
    };
    assert_eq!(next(Duration::from_secs(5)).await.as_deref(), Some("retry: 1000\n\n"));
    assert_eq!(next(Duration::from_millis(2_500)).await, None, "nothing has happened");
    shop.site.get("/ordered").await;
    let event = next(Duration::from_secs(10)).await.unwrap();
    assert!(event.contains("GET /ordered"), "{event}");
}

#[tokio::test]
async fn streams_are_bounded() {
    let shop = shop(|_| {}).await;
    let stream = || TestApp::request("GET", "/dashboard/stream?page=%2Fdashboard%2Flive", "", &[]);
    let mut open = Vec::new();
    for _ in 0..32 {
        open.push(shop.ask(stream()).await);
    }
    assert!(open.iter().all(|answer| answer.status() == 200));
    assert_eq!(shop.ask(stream()).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    open.pop();
    assert_eq!(shop.ask(stream()).await.status(), 200, "a reader who leaves makes room");
    for wrong in
        ["/dashboard/stream", "/dashboard/stream?page=%2F", "/dashboard/stream?page=%2Fdashboard%2Fx"]
    {
        let (status, _) = shop.answer(TestApp::request("GET", wrong, "", &[])).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{wrong}");
    }
}
