//! Pages of the build: cases 1 and 2 at this level.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use bytes::Bytes;
use common::seconds;
use futures::future::BoxFuture;
use std::sync::Arc;
use tropos_cache::{
    Engine, EngineConfig, Entry, Meta, Miss, Produced, Purpose, Reason, Request, Scope, Seed, Stale, Stamp,
    StoredPage, Strength, revalidate,
};
use tropos_core::{Ages, Key, ManualClock, Tag, Tick};

/// A build that made one page, some time ago.
struct Build {
    key: Key,
    age: u64,
}

fn page(text: &'static str) -> StoredPage {
    StoredPage::new(http::StatusCode::OK, Vec::new(), Bytes::from_static(text.as_bytes()))
}

impl Seed<StoredPage> for Build {
    fn load<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Option<Entry<StoredPage>>> {
        let meta = Meta {
            tags: Tag::of_path("/a").into_iter().collect(),
            stamp: Stamp::BUILD,
            started: Tick(0).minus(seconds(self.age)),
            started_wall: 0,
            revalidate: Some(seconds(60)),
            expire: Some(seconds(600)),
            negative: false,
            cost: std::time::Duration::ZERO,
        };
        Box::pin(std::future::ready((*key == self.key).then(|| Entry::new(meta, page("built")))))
    }
}

async fn engine(age: u64) -> (Engine, Key) {
    let key = Key::page("/:key", "/a", "");
    let seed = Arc::new(Build { key: key.clone(), age });
    let engine =
        Engine::open(EngineConfig::default(), Arc::new(ManualClock::new()), Some(seed)).await.unwrap();
    (engine, key)
}

async fn get(engine: &Engine, key: &Key) -> Reason {
    let request = Request { negative: seconds(1), ..Request::new(key, Ages::NEVER) };
    let render = || async { Ok(Produced { value: page("rendered"), negative: false, store: true }) };
    engine.pages().serve(request, render).await.reason
}

#[tokio::test]
async fn the_first_request_after_the_start_is_a_hit_fresh_or_stale_while_not_past_expire() {
    for (age, reason) in [
        (0, Reason::Hit { ttl: 60 }),
        (90, Reason::Stale { ttl: -30, why: Stale::Age }),
        (600, Reason::Miss { why: Miss::Expired, stored: true, collapsed: false }),
    ] {
        let (engine, key) = engine(age).await;
        assert_eq!(get(&engine, &key).await, reason);
    }
}

#[tokio::test]
async fn an_invalidation_reaches_pages_of_the_build_too() {
    let (engine, key) = engine(0).await;
    let action = Scope::new(&engine, Purpose::Action);
    action.run(async { revalidate::path("/a").await }).await.unwrap();
    let reason = Reason::Miss { why: Miss::Invalidated, stored: true, collapsed: false };
    assert_eq!(get(&engine, &key).await, reason);
    assert!(matches!(get(&engine, &key).await, Reason::Hit { .. }));
}

#[tokio::test]
async fn ssg_takes_the_page_of_the_build_whatever_its_age_and_tags_and_knows_no_other() {
    let (engine, key) = engine(9_999).await;
    engine.invalidate(&[Tag::path("/a")], Strength::Hard).await.unwrap();
    for _ in 0..100 {
        let entry = engine.pages().from_build(&key).await.unwrap();
        assert_eq!(entry.meta.stamp, Stamp::BUILD);
    }
    assert!(engine.pages().from_build(&Key::page("/:key", "/b", "")).await.is_none());
}

/// A build without pages, whose first look-up takes until it is told to end.
struct SlowAtFirst {
    first: std::sync::atomic::AtomicBool,
    end: tokio::sync::Notify,
}

impl Seed<StoredPage> for SlowAtFirst {
    fn load<'a>(&'a self, _: &'a Key) -> BoxFuture<'a, Option<Entry<StoredPage>>> {
        Box::pin(async {
            if self.first.swap(false, std::sync::atomic::Ordering::SeqCst) {
                self.end.notified().await;
            }
            None
        })
    }
}

#[tokio::test]
async fn who_finds_nothing_while_another_renders_and_stores_it_does_not_render_it_again() {
    let seed = Arc::new(SlowAtFirst { first: true.into(), end: tokio::sync::Notify::new() });
    let config = EngineConfig::default();
    let engine = Engine::open(config, Arc::new(ManualClock::new()), Some(seed.clone())).await.unwrap();
    let key = Key::page("/:key", "/a", "");
    let slow = tokio::spawn({
        let (engine, key) = (engine.clone(), key.clone());
        async move { get(&engine, &key).await }
    });
    common::settle().await; // looks up, and has found nothing in memory
    assert_eq!(get(&engine, &key).await, Reason::Miss { why: Miss::Absent, stored: true, collapsed: false });
    seed.end.notify_one();
    assert_eq!(slow.await.unwrap(), Reason::Miss { why: Miss::Absent, stored: true, collapsed: true });
}
