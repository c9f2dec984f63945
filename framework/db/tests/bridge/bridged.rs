//! From a writer to the tag.

use crate::{Told, bridge, options, products, shop, sql, until, waiting};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tropos_cache::{Engine, Purpose, Scope, function::cached};
use tropos_core::{Ages, ManualClock};
use tropos_db::{
    Bridge,
    sqlx::{self, Connection as _, PgConnection},
};

#[tokio::test]
async fn what_psql_updates_is_made_anew() {
    let postgres = shop().await;
    let engine = Engine::in_memory(Arc::new(ManualClock::new()));
    let bridge = Bridge::start(options(&postgres), engine.clone());
    let reads = Arc::new(AtomicUsize::new(0));
    // What `#[cached(ttl = "never", tags = ["product-{id}"])]` makes of a function.
    let read = async |id: usize| {
        let (tags, reads) = ([("product", id)].into_iter().collect(), reads.clone());
        let call = cached("name_of", Ok(id.to_string()), Ages::NEVER, tags, move || async move {
            Ok(reads.fetch_add(1, Ordering::SeqCst))
        });
        Scope::new(&engine, Purpose::Once).run(call).await.unwrap()
    };
    assert_eq!((read(1).await, read(2).await, read(1).await), (0, 1, 0));
    sql(&postgres, "update product set name = 'new' where id = 1").await;
    until("a new read", async || read(1).await == 2).await;
    assert_eq!(read(2).await, 1, "another product is left alone");
    bridge.stop().await;
    assert_eq!(waiting(&postgres).await, 0);
}

#[tokio::test]
async fn a_change_that_is_hinted_at_is_taken_long_before_the_next_look() {
    let (postgres, told) = (shop().await, Told::default());
    let bridge = bridge(options(&postgres).look_every(Duration::from_secs(3_600)), &told).await;
    for id in 1..=20 {
        sql(&postgres, &format!("update product set name = 'new' where id = {id}")).await;
        told.until(products([id])).await;
    }
    until("all counted", async || bridge.stats().taken == 20).await;
    let stats = bridge.stats();
    assert_eq!((stats.invalidated, stats.failures, stats.malformed), (20, 0, 0));
    assert!(stats.delay < Duration::from_secs(60), "{stats:?}");
}

#[tokio::test]
async fn what_nobody_hints_at_is_found_by_the_next_look() {
    let (postgres, told) = (shop().await, Told::default());
    let _bridge = bridge(options(&postgres).look_every(Duration::from_millis(50)), &told).await;
    sql(&postgres, "set tropos.hints = 'off'; update product set name = 'new' where id = 9").await;
    told.until(products([9])).await;
}

#[tokio::test]
async fn what_was_changed_before_the_bridge_began_is_taken_at_its_start() {
    let (postgres, told) = (shop().await, Told::default());
    sql(&postgres, "update product set name = 'new' where id <= 3").await;
    let _bridge = bridge(options(&postgres), &told).await;
    told.until(products(1..=3)).await;
}

#[tokio::test]
async fn what_is_rolled_back_is_not_told() {
    let (postgres, told) = (shop().await, Told::default());
    let _bridge = bridge(options(&postgres), &told).await;
    sql(
        &postgres,
        "begin; update product set name = 'new' where id = 1; rollback; \
         begin; savepoint s; update product set name = 'new' where id = 2; rollback to s; \
         update product set name = 'new' where id = 3; commit",
    )
    .await;
    told.until(products([3])).await;
    assert_eq!(told.all(), products([3]));
    assert_eq!(waiting(&postgres).await, 0);
}

#[tokio::test]
async fn a_transaction_is_told_when_it_is_committed_and_not_before() {
    let (postgres, told) = (shop().await, Told::default());
    let _bridge = bridge(options(&postgres).look_every(Duration::from_millis(20)), &told).await;
    let mut writer = PgConnection::connect(&postgres.url("postgres")).await.unwrap();
    let mut open = writer.begin().await.unwrap();
    sqlx::raw_sql("update product set name = 'new' where id = 1").execute(&mut *open).await.unwrap();
    // Its number is greater, and it overtakes.
    sql(&postgres, "update product set name = 'new' where id = 2").await;
    told.until(products([2])).await;
    open.commit().await.unwrap();
    told.until(products([1])).await;
    assert_eq!(told.all(), products([2, 1]));
}

#[tokio::test]
async fn a_change_of_many_rows_goes_out_in_batches_and_each_tag_once() {
    let (postgres, told) = (shop().await, Told::default());
    let bridge = bridge(options(&postgres).rows(30), &told).await;
    sql(&postgres, "update product set name = 'new'").await;
    told.until(products(1..=100)).await;
    assert_eq!(told.all().len(), 100);
    assert_eq!(told.calls(), 4);
    bridge.stop().await;
}

#[tokio::test]
async fn two_bridges_share_the_work_and_tell_nothing_twice() {
    let (postgres, one, two) = (shop().await, Told::default(), Told::default());
    // Until both have some, each keeps what it has taken.
    for told in [&one, &two] {
        told.hang(true);
    }
    let first = bridge(options(&postgres).rows(10), &one).await;
    let second = bridge(options(&postgres).rows(10), &two).await;
    for _ in 0..5 {
        sql(&postgres, "update product set name = name || 'x'").await;
    }
    until("both at work", async || one.calls() > 0 && two.calls() > 0).await;
    for told in [&one, &two] {
        told.hang(false);
    }
    until("all counted", async || first.stats().taken + second.stats().taken >= 500).await;
    assert_eq!(first.stats().taken + second.stats().taken, 500);
    assert!(!one.all().is_empty() && !two.all().is_empty());
    assert_eq!(waiting(&postgres).await, 0);
}

#[tokio::test]
async fn rows_that_make_no_tag_are_dropped_and_counted() {
    let (postgres, told) = (shop().await, Told::default());
    let forged = "insert into tropos.changes (template, columns) values \
        ('a-{', '{}'), ('', '{}'), ('a-{id}', '{}'), ('a-{id}', '[1]'), ('a-{id}', '{\"id\": null}'), ('a-{id}', '{\"id\": \"1\"}')";
    sql(&postgres, forged).await;
    let bridge = bridge(options(&postgres), &told).await;
    told.until(["a-1".to_owned()]).await;
    until("all counted", async || bridge.stats().taken == 6).await;
    assert_eq!((bridge.stats().malformed, told.all().len()), (5, 1));
}

#[tokio::test]
async fn a_stop_finishes_what_is_being_taken_and_a_drop_gives_it_back() {
    let (postgres, told) = (shop().await, Told::default());
    for (stops, waiting_after) in [(true, 0), (false, 1)] {
        told.hang(true);
        let calls = told.calls();
        let bridge = bridge(options(&postgres), &told).await;
        sql(&postgres, "update product set name = name || 'x' where id = 1").await;
        until("a call", async || told.calls() > calls).await;
        if stops {
            let stop = bridge.stop();
            told.hang(false);
            stop.await;
        } else {
            drop(bridge);
        }
        until("its connection gone", async || {
            let count = "select count(*) from pg_stat_activity where application_name = 'tropos bridge'";
            sql(&postgres, count).await.trim() == "0"
        })
        .await;
        assert_eq!(waiting(&postgres).await, waiting_after);
    }
}
