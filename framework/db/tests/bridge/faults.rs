//! Nothing is lost, whatever dies.

use crate::{Told, at, bridge, options, products, shop, sql, stock, until, waiting};
use std::time::Duration;
use tropos_db::{
    Bridge,
    bridge::{install_sql, watch_sql},
};
use tropos_parts::{FaultProxy, PgBouncer, PgBouncerOptions, Postgres, PostgresCluster};

const KILL: &str =
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'tropos bridge'";

/// What a test waits out. It holds for each question to the database too, so it is one that a busy machine keeps.
const LIMIT: Duration = Duration::from_secs(1);

#[tokio::test]
async fn fifty_changes_while_its_connection_is_killed_again_and_again_are_all_told() {
    let (postgres, told) = (shop().await, Told::default());
    let bridge = bridge(options(&postgres).look_every(Duration::from_secs(3_600)), &told).await;
    for id in 1..=50 {
        if id % 5 == 0 {
            sql(&postgres, KILL).await;
        }
        sql(&postgres, &format!("update product set name = 'new' where id = {id}")).await;
    }
    told.until(products(1..=50)).await;
    until("nothing left", async || waiting(&postgres).await == 0).await;
    assert!(bridge.stats().failures > 0, "it was killed");
}

#[tokio::test]
async fn what_is_not_invalidated_is_told_again_until_it_is() {
    let (postgres, told) = (shop().await, Told::default());
    told.fail(true);
    let bridge = bridge(options(&postgres), &told).await;
    sql(&postgres, "update product set name = 'new'").await;
    until("some failures", async || bridge.stats().failures >= 3).await;
    assert_eq!((bridge.stats().taken, waiting(&postgres).await), (0, 100));
    assert!(bridge.stats().connected, "the connection is as good as before");
    told.fail(false);
    told.until(products(1..=100)).await;
    until("nothing left", async || waiting(&postgres).await == 0).await;
}

#[tokio::test]
async fn an_invalidation_that_hangs_is_given_up_and_told_again() {
    let (postgres, told) = (shop().await, Told::default());
    told.hang(true);
    let bridge = bridge(options(&postgres).limit(LIMIT), &told).await;
    sql(&postgres, "update product set name = 'new' where id = 1").await;
    until("some failures", async || bridge.stats().failures >= 2).await;
    told.hang(false);
    until("taken", async || bridge.stats().taken == 1).await;
    assert_eq!(told.tags(), products([1]).into_iter().collect());
}

#[tokio::test]
async fn a_database_that_crashes_and_comes_back_loses_nothing_that_was_committed() {
    let (postgres, told) = (shop().await, Told::default());
    let bridge = bridge(options(&postgres).rows(10), &told).await;
    told.take_millis(20);
    sql(&postgres, "set tropos.hints = 'off'; update product set name = 'new'").await;
    postgres.kill().await.unwrap();
    until("the loss noticed", async || !bridge.stats().connected).await;
    postgres.restart().await.unwrap();
    told.until(products(1..=100)).await;
}

#[tokio::test]
async fn what_a_bridge_held_when_its_machine_went_silent_is_told_by_another() {
    let (postgres, silent, other) = (shop().await, Told::default(), Told::default());
    let proxy = FaultProxy::start(postgres.address()).await.unwrap();
    silent.hang(true);
    let _first = bridge(at(&postgres.url_through(&proxy, "postgres")).limit(LIMIT), &silent).await;
    sql(&postgres, "update product set name = 'new' where id = 1").await;
    until("a call", async || silent.calls() >= 1).await;
    proxy.blackhole();
    let _second = bridge(options(&postgres).look_every(Duration::from_millis(50)), &other).await;
    other.until(products([1])).await;
    assert!(silent.all().is_empty());
}

#[tokio::test]
async fn a_connection_that_is_half_open_is_found_out_and_replaced() {
    let (postgres, told) = (shop().await, Told::default());
    let proxy = FaultProxy::start(postgres.address()).await.unwrap();
    let options = at(&postgres.url_through(&proxy, "postgres"));
    let options = options.look_every(Duration::from_millis(50)).limit(LIMIT);
    let bridge = bridge(options, &told).await;
    for fault in [FaultProxy::blackhole, FaultProxy::mute, FaultProxy::cut] {
        fault(&proxy);
        until("the loss noticed", async || !bridge.stats().connected).await;
        sql(&postgres, "update product set name = name || 'x' where id = 1").await;
        let told_before = told.all().len();
        proxy.heal();
        until("told", async || told.all().len() > told_before).await;
    }
}

#[tokio::test]
async fn a_database_without_the_table_is_watched_as_soon_as_it_has_it() {
    let (postgres, told) = (Postgres::start().await.unwrap(), Told::default());
    let bridge = Bridge::start(options(&postgres), told.clone());
    until("a failure", async || bridge.stats().failures > 0).await;
    assert!(!bridge.stats().connected);
    let trouble = bridge.trouble().unwrap();
    assert!(
        trouble.contains("tropos.changes is missing: run `tropos_db::bridge::install_sql()`"),
        "{trouble}"
    );
    sql(&postgres, install_sql()).await;
    sql(&postgres, "create table product (id int)").await;
    sql(&postgres, &watch_sql("product", &["product-{id}"])).await;
    sql(&postgres, "insert into product values (1)").await;
    told.until(products([1])).await;
    assert_eq!(bridge.trouble(), None);
}

#[tokio::test]
async fn of_several_addresses_the_one_of_a_living_primary_is_used() {
    let (postgres, told) = (shop().await, Told::default());
    let gone = Postgres::start().await.unwrap();
    let options = at(&gone.url("postgres")).or(postgres.url("postgres").parse().unwrap());
    gone.stop().await.unwrap();
    let _bridge = bridge(options, &told).await;
    sql(&postgres, "update product set name = 'new' where id = 1").await;
    told.until(products([1])).await;
}

#[tokio::test]
async fn a_promoted_replica_is_followed_and_nothing_is_lost() {
    let cluster = PostgresCluster::start(1).await.unwrap();
    let told = Told::default();
    stock(cluster.primary()).await;
    let options = at(&cluster.replica(0).url("postgres"));
    let options = options.or(cluster.primary().url("postgres").parse().unwrap());
    let bridge = bridge(options.look_every(Duration::from_millis(50)), &told).await;
    sql(cluster.primary(), "update product set name = 'new' where id = 1").await;
    told.until(products([1])).await;
    assert_eq!(bridge.stats().failures, 0, "the replica is passed over without a word");

    told.fail(true);
    sql(cluster.primary(), "update product set name = 'new' where id = 2").await;
    until("a refusal", async || bridge.stats().failures > 0).await;
    cluster.wait_until_caught_up(0).await.unwrap();
    cluster.primary().kill().await.unwrap();
    cluster.promote(0).await.unwrap();
    told.fail(false);
    sql(cluster.replica(0), "update product set name = 'new' where id = 3").await;
    told.until(products([2, 3])).await;
}

#[tokio::test]
async fn a_standby_alone_and_a_pooler_in_transaction_mode_are_named_as_such() {
    let cluster = PostgresCluster::start(1).await.unwrap();
    stock(cluster.primary()).await;
    let databases = [("postgres", cluster.primary())];
    let strict = PgBouncer::start(&databases, PgBouncerOptions::new()).await.unwrap();
    // What is often advised, for drivers that send settings.
    let lenient = PgBouncerOptions::new().setting("ignore_startup_parameters", "extra_float_digits, options");
    let lenient = PgBouncer::start(&databases, lenient).await.unwrap();
    for (url, message) in [
        (cluster.replica(0).url("postgres"), "a standby has no changes to take"),
        (strict.url("postgres"), "the address leads to a pooler"),
        (lenient.url("postgres"), "the address leads to a pooler"),
    ] {
        let bridge = Bridge::start(at(&url), Told::default());
        until("trouble", async || bridge.trouble().is_some()).await;
        let trouble = bridge.trouble().unwrap();
        assert!(trouble.contains(message), "{url}: {trouble}");
        assert!(!bridge.stats().connected);
    }
}
