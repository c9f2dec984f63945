//! Invalidation by other writers, over a real PostgreSQL.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod bridged;
mod faults;
mod watched;

use futures::future::BoxFuture;
use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tropos_core::{Failure, Tag};
use tropos_db::bridge::{Bridge, BridgeOptions, Invalidate, install_sql, watch_sql};
use tropos_parts::Postgres;

/// Who is told of tags: takes note of them, and fails, waits or hangs on demand.
#[derive(Clone, Default)]
struct Told(Arc<State>);

#[derive(Default)]
struct State {
    tags: Mutex<Vec<String>>,
    calls: AtomicUsize,
    failing: AtomicBool,
    hanging: AtomicBool,
    millis: AtomicUsize,
}

impl Told {
    fn fail(&self, failing: bool) {
        self.0.failing.store(failing, Ordering::SeqCst);
    }

    fn hang(&self, hanging: bool) {
        self.0.hanging.store(hanging, Ordering::SeqCst);
    }

    fn take_millis(&self, millis: usize) {
        self.0.millis.store(millis, Ordering::SeqCst);
    }

    /// How often it was called, whether it did what it was asked for or not.
    fn calls(&self) -> usize {
        self.0.calls.load(Ordering::SeqCst)
    }

    /// What it was told, in order.
    fn all(&self) -> Vec<String> {
        self.0.tags.lock().unwrap().clone()
    }

    /// What it was told, each once.
    fn tags(&self) -> BTreeSet<String> {
        self.all().into_iter().collect()
    }

    async fn until(&self, tags: impl IntoIterator<Item = String>) {
        let wanted: BTreeSet<String> = tags.into_iter().collect();
        until(&format!("{} tags", wanted.len()), async || wanted.is_subset(&self.tags())).await;
    }
}

impl Invalidate for Told {
    fn invalidate<'a>(&'a self, tags: &'a [Tag]) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let State { calls, failing, hanging, millis, .. } = &*self.0;
            calls.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(millis.load(Ordering::SeqCst) as u64)).await;
            while hanging.load(Ordering::SeqCst) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            if failing.load(Ordering::SeqCst) {
                return Err(Failure::new("by intent"));
            }
            self.0.tags.lock().unwrap().extend(tags.iter().map(|tag| tag.as_str().to_owned()));
            Ok(())
        })
    }
}

/// A server whose database `postgres` has the products 1 to 100, watched as `product-{id}`.
async fn shop() -> Postgres {
    let postgres = Postgres::start().await.unwrap();
    stock(&postgres).await;
    postgres
}

async fn stock(postgres: &Postgres) {
    sql(postgres, install_sql()).await;
    let table = "create table product (id int primary key, name text not null, family text); \
        insert into product select n, 'name ' || n, 'family ' || n % 3 from generate_series(1, 100) n;";
    sql(postgres, table).await;
    sql(postgres, &watch_sql("product", &["product-{id}"])).await;
}

async fn sql(postgres: &Postgres, text: &str) -> String {
    postgres.psql("postgres", text).await.unwrap()
}

fn options(postgres: &Postgres) -> BridgeOptions {
    at(&postgres.url("postgres"))
}

fn at(url: &str) -> BridgeOptions {
    BridgeOptions::new(url.parse().unwrap())
}

/// A bridge that has found its database.
async fn bridge(options: BridgeOptions, told: &Told) -> Bridge {
    let bridge = Bridge::start(options, told.clone());
    until("a connection", async || bridge.stats().connected).await;
    bridge
}

fn products(ids: impl IntoIterator<Item = usize>) -> Vec<String> {
    ids.into_iter().map(|id| format!("product-{id}")).collect()
}

/// How many changes nobody has taken.
async fn waiting(postgres: &Postgres) -> usize {
    sql(postgres, "select count(*) from tropos.changes").await.trim().parse().unwrap()
}

/// Waits for what another process or task does: a minute, which is enough on any machine.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..6_000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited for in vain: {what}");
}
