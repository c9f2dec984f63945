//! Business figures: with route and variant of the request, and only of what was committed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use axum::{Router, routing::post};
use common::app;
use leptos::{prelude::*, server_fn::ServerFn};
use tropos::{
    Db, PageResult, business,
    db::sqlx::{
        self, SqlSafeStr as _,
        migrate::{Migration, MigrationType, Migrator},
    },
    extract, page,
    prelude::*,
};
use tropos_edge::{Hooks, Match, ready::experiment::Experiment, variant};
use tropos_testing::TestApp;

variant! { enum Button: "button" { Plain = "plain", Bold = "bold" } }

#[page("/basket", server)]
async fn Basket() -> PageResult {
    business::count("baskets", 1);
    view! { <p></p> }.into_page()
}

/// An order, committed or not.
#[server]
async fn order(commit: bool) -> Result<(), ServerFnError> {
    let wrong = |error: &dyn std::fmt::Display| ServerFnError::new(error.to_string());
    let db: Db = extract().await.map_err(|error| wrong(&error))?;
    let mut tx = db.tx().await.map_err(|error| wrong(&error))?;
    sqlx::query("insert into orders default values").execute(&mut tx).await.map_err(|error| wrong(&error))?;
    business::count("orders", 1);
    business::value("revenue", 1999, "EUR");
    match commit {
        true => tx.commit().await.map_err(|error| wrong(&error))?,
        false => tx.rollback().await.map_err(|error| wrong(&error))?,
    }
    tropos::spawn(async { business::count("mails", 1) }).await.map_err(|error| wrong(&error))
}

async fn refund() -> &'static str {
    business::value("revenue", -500, "EUR");
    business::count("Not a name", 1);
    "done"
}

async fn site() -> TestApp {
    let sql = "create table orders (id integer primary key)".into_sql_str();
    let step = Migration::new(1, "orders".into(), MigrationType::Simple, sql, false);
    let experiment = Experiment::<Button>::new().weights([(Button::Bold, 1_000)]);
    let app = app()
        .pages(tropos::routes![Basket])
        .migrations(Migrator::with_migrations(vec![step]))
        .api(Router::new().route("/api/refund", post(refund)))
        .hooks(Hooks::new().at(Match::below("/basket"), experiment));
    TestApp::new(app).await
}

/// Name, route, experiment, variant and amount of each sum.
fn sums(sums: &[impl Sum]) -> Vec<String> {
    sums.iter().map(Sum::line).collect()
}

trait Sum {
    fn line(&self) -> String;
}

impl Sum for tropos_telemetry::business::Sum {
    fn line(&self) -> String {
        let currency = self.currency.map(|currency| currency.to_string()).unwrap_or_default();
        format!("{} {} {}={} {}{currency}", self.name, self.route, self.experiment, self.variant, self.amount)
    }
}

#[tokio::test]
async fn a_figure_has_the_route_and_the_variant_of_its_request_on_the_first_visit_and_in_functions() {
    let site = site().await;
    let first = site
        .get_with(
            "/basket",
            &[("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")],
        )
        .await;
    assert!(first.header("set-cookie").starts_with("button=bold"), "{:?}", first.headers);
    site.post_form(Order::PATH, "commit=true", &[("cookie", "button=bold")]).await;
    site.post_form(Order::PATH, "commit=true", &[("cookie", "button=huge")]).await;
    let totals = site.site.figures().totals();
    let order = Order::PATH;
    assert_eq!(
        sums(&totals.events),
        [
            "baskets /basket button=bold 1".to_owned(),
            format!("mails {order} = 1"),
            format!("mails {order} button=bold 1"),
            format!("orders {order} = 1"),
            format!("orders {order} button=bold 1"),
        ]
    );
    assert_eq!(
        sums(&totals.values),
        [format!("revenue {order} = 1999EUR"), format!("revenue {order} button=bold 1999EUR")]
    );
}

/// The value of a metric under these labels.
fn metric(site: &TestApp, name: &str, labels: &[&str]) -> Option<f64> {
    let text = site.site.metrics();
    let line =
        text.lines().find(|line| line.starts_with(name) && labels.iter().all(|label| line.contains(label)));
    line?.rsplit_once(' ')?.1.parse().ok()
}

#[tokio::test]
async fn metrics_show_figures_with_route_and_variant_in_whole_units() {
    let site = site().await;
    site.post_form(Order::PATH, "commit=true", &[("cookie", "button=bold")]).await;
    let route = format!("http_route=\"{}\"", Order::PATH);
    let labels = [route.as_str(), "tropos_experiment=\"button\"", "tropos_variant=\"bold\""];
    assert_eq!(
        metric(&site, "tropos_business_events_total{tropos_business_name=\"orders\"", &labels),
        Some(1.0)
    );
    let euros =
        [&labels[..], &["tropos_business_name=\"revenue\"", "tropos_business_currency=\"EUR\""]].concat();
    assert_eq!(metric(&site, "tropos_business_value_total", &euros), Some(19.99));
    assert_eq!(metric(&site, "tropos_business_value_refunded_total{", &[]), None, "nothing was paid back");
}

#[tokio::test]
async fn what_is_rolled_back_does_not_count() {
    let site = site().await;
    let answer = site.post_form(Order::PATH, "commit=false", &[]).await;
    assert_eq!(answer.status, 303);
    let totals = site.site.figures().totals();
    assert_eq!(sums(&totals.events), [format!("mails {} = 1", Order::PATH)], "what is beside it counts");
    assert!(totals.values.is_empty());
}

#[tokio::test]
async fn what_is_given_back_is_summed_up_apart_and_what_is_no_name_is_left_out() {
    let site = site().await;
    site.post_form(Order::PATH, "commit=true", &[]).await;
    let refund = TestApp::request("POST", "/api/refund", "", &[("origin", "http://localhost")]);
    assert_eq!(site.send(refund).await.status, 200);
    let totals = site.site.figures().totals();
    assert_eq!(totals.refunds.iter().map(|sum| sum.amount).collect::<Vec<_>>(), [500]);
    let hour = site.site.figures().last_hour();
    let revenue = hour.iter().find(|series| series.name == "revenue").unwrap();
    assert_eq!(revenue.minutes.last().map(|minute| (minute.count, minute.amount)), Some((2, 1499)));
    assert!(!totals.events.iter().any(|sum| sum.name.contains("Not")));
}
