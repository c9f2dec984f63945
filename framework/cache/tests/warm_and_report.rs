//! Having pages made again, and what an invalidation hit: cases 34 and 35.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use bytes::Bytes;
use common::{in_memory, on_disk, seconds, settle};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;
use tropos_cache::{
    Carried, Data, Engine, Error, Produced, Purpose, Reason, Request, Scope, StoredPage, Strength,
    WarmLimits,
    observe::{Invalidated, Observer, Read, Rendered},
    revalidate,
};
use tropos_core::{Ages, Key, ManualClock, Tag, Tags};

fn key(n: usize) -> Key {
    Key::page("/p/:n", &format!("/p/{n}"), "")
}

/// Stores a page, or has it made again.
async fn page(engine: &Engine, key: &Key, tags: &[&str], negative: bool) -> Reason {
    let tags = tags.iter().copied().collect();
    let asked = Request { key, ages: Ages::NEVER, negative: seconds(10), tags, fresh: true, unasked: false };
    let value = StoredPage::new(http::StatusCode::OK, vec![], Bytes::new());
    engine
        .pages()
        .serve(asked, move || async move { Ok(Produced { value, negative, store: true }) })
        .await
        .reason
}

async fn data(engine: &Engine, name: &str, tags: &[&str]) {
    let (key, tags) = (Key::fetch(name), tags.iter().copied().collect());
    let asked =
        Request { key: &key, ages: Ages::NEVER, negative: seconds(10), tags, fresh: false, unasked: false };
    let value = Data(Bytes::new());
    engine
        .data()
        .serve(asked, move || async move { Ok(Produced { value, negative: false, store: true }) })
        .await;
}

/// When each key was handed out, and how many renders ran at a time.
#[derive(Clone, Default)]
struct Log {
    starts: Arc<Mutex<Vec<(Key, Instant)>>>,
    running: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Log {
    /// Registers a render that takes so long, and makes the page again under these tags.
    fn register(&self, engine: &Engine, limits: WarmLimits, takes: Duration) {
        let (log, of) = (self.clone(), engine.clone());
        engine.set_warmer(
            limits,
            || None,
            move |key, _| {
                let (log, engine) = (log.clone(), of.clone());
                Box::pin(async move {
                    log.starts.lock().unwrap().push((key.clone(), Instant::now()));
                    log.most.fetch_max(log.running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    tokio::time::sleep(takes).await;
                    page(&engine, &key, &["all"], false).await;
                    log.running.fetch_sub(1, Ordering::SeqCst);
                })
            },
        );
    }

    fn keys(&self) -> Vec<Key> {
        let mut keys: Vec<Key> = self.starts.lock().unwrap().iter().map(|(key, _)| key.clone()).collect();
        keys.sort();
        keys
    }

    fn gaps(&self) -> Vec<Duration> {
        let starts: Vec<Instant> = self.starts.lock().unwrap().iter().map(|(_, at)| *at).collect();
        starts.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }
}

async fn invalidate(engine: &Engine, tags: &[&str]) {
    let tags: Vec<Tag> = tags.iter().map(|tag| Tag::from(*tag)).collect();
    engine.invalidate(&tags, Strength::Hard).await.unwrap();
    engine.warm(&tags);
}

/// Time stands still until every task waits; blocking threads are waited for.
async fn a_while() {
    tokio::time::sleep(seconds(600)).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_hit_is_made_again_without_a_visitor_and_nothing_else_is() {
    let (engine, _clock) = in_memory();
    let log = Log::default();
    log.register(&engine, WarmLimits::default(), Duration::ZERO);
    page(&engine, &key(1), &["a"], false).await;
    page(&engine, &key(2), &["b"], false).await;
    page(&engine, &key(3), &["a"], true).await;
    invalidate(&engine, &["a"]).await;
    assert!(log.keys().is_empty(), "the invalidation returns first");
    a_while().await;
    assert_eq!(log.keys(), [key(1)], "one page carries the tag; a `not found` is left to its next request");
    assert!(matches!(page(&engine, &key(1), &[], false).await, Reason::Hit { .. }));
}

#[tokio::test(start_paused = true)]
async fn what_is_made_again_is_told_what_invalidated_it_last() {
    let (engine, _clock) = in_memory();
    page(&engine, &key(1), &["a"], false).await;
    page(&engine, &key(2), &["b"], false).await;
    let (calls, told) = (AtomicUsize::new(0), Arc::<Mutex<Vec<_>>>::default());
    let cause = move || Some(format!("call {}", calls.fetch_add(1, Ordering::SeqCst)).into());
    let tells = told.clone();
    engine.set_warmer(WarmLimits::default(), cause, move |key, cause| {
        tells.lock().unwrap().push((key, cause.unwrap().to_string()));
        Box::pin(async {})
    });
    for tags in [&["a"][..], &["a"], &["b"]] {
        invalidate(&engine, tags).await;
    }
    a_while().await;
    let mut told = told.lock().unwrap().clone();
    told.sort();
    assert_eq!(told, [(key(1), "call 1".to_owned()), (key(2), "call 2".to_owned())]);
}

/// Who was told of a render, and whether nobody had asked for it.
#[derive(Clone, Default)]
struct Renders(Arc<Mutex<Vec<bool>>>);

impl Observer for Renders {
    fn read(&self, _: &Read<'_>) {}
    fn rendered(&self, render: &Rendered<'_>) {
        self.0.lock().unwrap().push(render.background);
    }
    fn waited(&self, _: &Key, _: Duration) {}
    fn invalidated(&self, _: &Invalidated) {}
}

#[tokio::test]
async fn a_render_that_nobody_asked_for_is_told_of_as_one_in_the_background() {
    let (engine, _clock) = in_memory();
    let renders = Renders::default();
    engine.observe(renders.clone());
    for (n, unasked) in [(1, false), (2, true)] {
        let (key, tags) = (key(n), Tags::new());
        let request =
            Request { key: &key, ages: Ages::NEVER, negative: seconds(1), tags, fresh: true, unasked };
        let fails = || async { Err::<Produced<StoredPage>, _>(tropos_core::Failure::new("it rained")) };
        engine.pages().serve(request, fails).await.result.unwrap_err();
    }
    assert_eq!(*renders.0.lock().unwrap(), [false, true]);
}

#[tokio::test(start_paused = true)]
async fn pages_are_made_again_at_a_bounded_rate_and_so_many_at_a_time() {
    let (engine, _clock) = in_memory();
    for n in 0..40 {
        page(&engine, &key(n), &["all"], false).await;
    }
    let log = Log::default();
    let limits = WarmLimits { at_once: 3, per_second: 10, waiting: 100 };
    log.register(&engine, limits, seconds(1));
    invalidate(&engine, &["all"]).await;
    a_while().await;
    assert_eq!(log.keys().len(), 40);
    assert_eq!(log.most.load(Ordering::SeqCst), 3);
    assert!(log.gaps().iter().all(|gap| *gap >= Duration::from_millis(100)), "{:?}", log.gaps());
}

#[tokio::test(start_paused = true)]
async fn one_call_after_another_keeps_to_the_rate_too() {
    let (engine, _clock) = in_memory();
    let log = Log::default();
    log.register(&engine, WarmLimits { per_second: 10, ..WarmLimits::default() }, Duration::ZERO);
    page(&engine, &key(1), &["all"], false).await;
    for _ in 0..30 {
        invalidate(&engine, &["all"]).await;
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    a_while().await;
    assert!(log.keys().len() >= 5, "{:?}", log.keys());
    assert!(log.gaps().iter().all(|gap| *gap >= Duration::from_millis(99)), "{:?}", log.gaps());
}

#[tokio::test(start_paused = true)]
async fn a_key_that_waits_is_made_once_however_often_it_is_hit() {
    let (engine, _clock) = in_memory();
    for n in 0..3 {
        page(&engine, &key(n), &["all"], false).await;
    }
    let log = Log::default();
    let limits = WarmLimits { at_once: 1, per_second: 1, waiting: 100 };
    log.register(&engine, limits, seconds(5));
    for _ in 0..5 {
        invalidate(&engine, &["all"]).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    a_while().await;
    let first = log.starts.lock().unwrap()[0].0.clone();
    let again = log.keys().iter().filter(|key| **key == first).count();
    assert!(again <= 2, "the one that was under way is made once more: {:?}", log.keys());
    assert!(log.keys().len() <= 4, "{:?}", log.keys());
}

#[tokio::test(start_paused = true)]
async fn what_finds_no_room_in_the_queue_is_left_out() {
    let (engine, _clock) = in_memory();
    for n in 0..50 {
        page(&engine, &key(n), &["all"], false).await;
    }
    let log = Log::default();
    log.register(&engine, WarmLimits { waiting: 10, ..WarmLimits::default() }, Duration::ZERO);
    invalidate(&engine, &["all"]).await;
    a_while().await;
    assert_eq!(log.keys().len(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_render_that_panics_stops_no_other() {
    let (engine, _clock) = in_memory();
    for n in 0..5 {
        page(&engine, &key(n), &["all"], false).await;
    }
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    engine.set_warmer(
        WarmLimits { at_once: 1, ..WarmLimits::default() },
        || None,
        move |_, _| {
            let call = counted.fetch_add(1, Ordering::SeqCst);
            Box::pin(async move { assert!(call > 1, "the first two fail") })
        },
    );
    invalidate(&engine, &["all"]).await;
    a_while().await;
    assert_eq!(calls.load(Ordering::SeqCst), 5);
}

#[tokio::test(start_paused = true)]
async fn the_words_of_an_application_warm_and_report() {
    let (engine, _clock) = in_memory();
    let log = Log::default();
    log.register(&engine, WarmLimits::default(), Duration::ZERO);
    page(&engine, &key(1), &["_path:/p/1", "_beneath:/p"], false).await;
    page(&engine, &key(2), &["_path:/p/2", "_beneath:/p"], false).await;
    let action = Scope::new(&engine, Purpose::Action);
    action.run(async { revalidate::path("/p/1").warm().await }).await.unwrap();
    a_while().await;
    assert_eq!(log.keys(), [key(1)]);
    let report = action.run(async { revalidate::prefix("/p").soft().report().await }).await.unwrap();
    assert_eq!(report.sequence, engine.tags().current().sequence);
    assert_eq!(report.names, [(Tag::prefix("/p"), Carried { pages: 1, data: 0 })]);
    let render = Scope::new(&engine, Purpose::Stored);
    let refused = render.run(async { revalidate::tag("a").warm().report().await }).await;
    assert!(matches!(refused, Err(Error::DuringRender)));
}

#[tokio::test]
async fn a_report_counts_what_memory_holds_of_pages_and_of_data() {
    let (engine, _clock) = in_memory();
    page(&engine, &key(1), &["a", "b"], false).await;
    page(&engine, &key(2), &["a"], true).await;
    data(&engine, "x", &["b"]).await;
    let tags = ["a", "b", "c", "a"].map(Tag::from);
    let sequence = engine.invalidate(&tags, Strength::Hard).await.unwrap();
    let report = engine.report(sequence, &tags).await;
    let carried = |pages, data| Carried { pages, data };
    let counts: Vec<_> = report.names.iter().map(|(tag, carried)| (tag.as_str(), *carried)).collect();
    assert_eq!(
        counts,
        [("a", carried(2, 0)), ("b", carried(1, 1)), ("c", carried(0, 0)), ("a", carried(2, 0))]
    );
    assert!(report.complete && report.sequence == sequence);
}

#[tokio::test]
async fn an_invalidation_looks_at_no_entry_and_its_report_at_each_once_however_many_names_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let on_disk = on_disk(folder.path(), "b", &ManualClock::new()).await;
    for engine in [in_memory().0, on_disk] {
        for n in 0..1_000 {
            // Ten thousand tags, ten on each entry.
            let tags: Vec<String> = (0..10).map(|of| format!("t{}", 10 * n + of)).collect();
            let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
            page(&engine, &key(n), &tags, false).await;
        }
        let names: Vec<Tag> = (0..1_000).map(|n| Tag::from(format!("t{}", 10 * n))).collect();
        for strength in [Strength::Soft, Strength::Hard] {
            let sequence = engine.invalidate(&names, strength).await.unwrap();
            settle().await;
            assert_eq!(engine.entries_walked() % 1_000, 0);
            let walked = engine.entries_walked();
            assert_eq!(walked, if strength == Strength::Soft { 0 } else { 1_000 }, "before its report");
            let report = engine.report(sequence, &names).await;
            assert!(report.names.iter().all(|(_, carried)| carried.pages == 1));
            assert_eq!(engine.entries_walked() - walked, 1_000);
        }
    }
}
