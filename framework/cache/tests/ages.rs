//! Fresh, stale, expired, failing: cases 6, 9, 11, 12, 13 and 18.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Page, Source, ages, in_memory, produced, seconds, settle, text};
use tropos_cache::{Miss, Reason, Request, Scope, Stale};
use tropos_core::{Ages, Key, Tags};

#[tokio::test]
async fn a_stale_entry_is_served_at_once_and_made_anew_behind_it() {
    let (engine, clock) = in_memory();
    let source = Source::new("old");
    let page = Page::new("/a", ages(2, 10), &[], &source);
    assert_eq!(
        page.get(&engine).await.reason,
        Reason::Miss { why: Miss::Absent, stored: true, collapsed: false }
    );
    clock.advance(seconds(1));
    assert_eq!(page.get(&engine).await.reason, Reason::Hit { ttl: 1 });

    source.set("new");
    source.hold(); // slow data never delays the first byte
    clock.advance(seconds(4));
    for _ in 0..3 {
        let stale = page.get(&engine).await;
        assert_eq!((text(&stale), stale.reason), ("old", Reason::Stale { ttl: -3, why: Stale::Age }));
        settle().await;
    }
    source.release();
    settle().await;
    let fresh = page.get(&engine).await;
    assert_eq!((text(&fresh), fresh.reason), ("new", Reason::Hit { ttl: 2 }));
    assert_eq!(source.reads(), 2);
}

#[tokio::test]
async fn an_expired_entry_is_not_served() {
    let (engine, clock) = in_memory();
    let source = Source::new("old");
    let page = Page::new("/a", ages(2, 10), &[], &source);
    page.get(&engine).await;
    source.set("new");
    clock.advance(seconds(10));
    let served = page.get(&engine).await;
    let reason = Reason::Miss { why: Miss::Expired, stored: true, collapsed: false };
    assert_eq!((text(&served), served.reason), ("new", reason));
}

#[tokio::test]
async fn ages_count_from_the_start_of_the_render() {
    let (engine, clock) = in_memory();
    let source = Source::new("old");
    let page = Page::new("/a", ages(2, 10), &[], &source);
    source.hold();
    let asked = page.ask(&engine).await;
    clock.advance(seconds(3));
    source.release();
    asked.await.unwrap();
    assert_eq!(page.get(&engine).await.reason, Reason::Stale { ttl: -1, why: Stale::Age });
}

#[tokio::test]
async fn while_renders_fail_the_last_good_entry_is_served_and_tries_are_spaced_until_expire() {
    let (engine, clock) = in_memory();
    let source = Source::new("good");
    let page = Page::new("/a", ages(2, 100), &[], &source);
    page.get(&engine).await;
    clock.advance(seconds(2));
    source.fail(true);
    let mut tries_at = Vec::new();
    for second in 2..100 {
        let before = source.reads();
        let served = page.get(&engine).await;
        assert_eq!(text(&served), "good", "at {second} s");
        let why = if second == 2 { Stale::Age } else { Stale::Error };
        assert_eq!(served.reason, Reason::Stale { ttl: 2 - second, why });
        settle().await;
        tries_at.extend((source.reads() > before).then_some(second));
        clock.advance(seconds(1));
    }
    assert_eq!(tries_at, [2, 3, 5, 9, 17, 33, 63, 93]);

    let expired = page.get(&engine).await;
    assert_eq!(expired.reason, Reason::Miss { why: Miss::Expired, stored: false, collapsed: false });
    assert!(expired.result.unwrap_err().to_string().contains("the source fails"));
}

#[tokio::test]
async fn a_source_that_recovers_is_seen_within_one_interval() {
    let (engine, clock) = in_memory();
    let source = Source::new("good");
    let page = Page::new("/a", ages(2, 100), &[], &source);
    page.get(&engine).await;
    clock.advance(seconds(2));
    source.fail(true);
    page.get(&engine).await;
    settle().await;
    source.fail(false);
    source.set("better");
    clock.advance(seconds(1));
    assert_eq!(page.get(&engine).await.reason, Reason::Stale { ttl: -1, why: Stale::Error });
    settle().await;
    let served = page.get(&engine).await;
    assert_eq!((text(&served), served.reason), ("better", Reason::Hit { ttl: 2 }));
}

#[tokio::test]
async fn a_first_render_that_fails_is_not_stored_and_the_next_request_tries_again() {
    let (engine, _clock) = in_memory();
    let source = Source::new("good");
    let page = Page::new("/a", ages(2, 10), &[], &source);
    source.fail(true);
    for _ in 0..2 {
        let served = page.get(&engine).await;
        assert!(served.result.is_err());
        assert_eq!(served.reason, Reason::Miss { why: Miss::Absent, stored: false, collapsed: false });
    }
    source.fail(false);
    assert_eq!(text(&page.get(&engine).await), "good");
    assert_eq!(source.reads(), 3);
}

#[tokio::test]
async fn who_wants_fresh_data_waits_and_gets_the_stale_entry_only_when_the_render_fails() {
    let (engine, clock) = in_memory();
    let source = Source::new("old");
    let page = Page { fresh: true, ..Page::new("/a", ages(2, 100), &[], &source) };
    page.get(&engine).await;
    clock.advance(seconds(2));
    source.set("new");
    let served = page.get(&engine).await;
    let reason = Reason::Miss { why: Miss::Stale, stored: true, collapsed: false };
    assert_eq!((text(&served), served.reason), ("new", reason));

    clock.advance(seconds(3));
    source.fail(true);
    for reads in [3, 3] {
        // The second does not even try: the failure is too recent.
        let served = page.get(&engine).await;
        assert_eq!((text(&served), served.reason), ("new", Reason::Stale { ttl: -1, why: Stale::Error }));
        assert_eq!(source.reads(), reads);
    }
}

#[tokio::test]
async fn not_found_has_its_own_age_and_ends_when_the_data_appears_and_is_invalidated() {
    let (engine, clock) = in_memory();
    let source = Source::new("");
    let page = Page::new("/a", Ages::NEVER, &["a"], &source);
    for _ in 0..5 {
        assert!(page.get(&engine).await.result.unwrap().meta.negative);
    }
    assert_eq!(source.reads(), 1);
    clock.advance(seconds(10));
    assert_eq!(page.get(&engine).await.reason, Reason::Stale { ttl: 0, why: Stale::Age });
    settle().await;
    assert_eq!(source.reads(), 2);

    source.set("there");
    engine.invalidate(&["a".into()], tropos_cache::Strength::Hard).await.unwrap();
    assert_eq!(text(&page.get(&engine).await), "there");
    assert_eq!(page.get(&engine).await.reason, Reason::Hit { ttl: 31_536_000 });
}

#[tokio::test]
async fn not_found_takes_the_place_of_the_page_that_was_there() {
    let (engine, clock) = in_memory();
    let source = Source::new("there");
    let page = Page::new("/a", ages(2, 100), &[], &source);
    page.get(&engine).await;
    source.set("");
    clock.advance(seconds(2));
    page.get(&engine).await;
    settle().await;
    let served = page.get(&engine).await;
    assert_eq!((text(&served), served.reason), ("", Reason::Hit { ttl: 10 }));
}

#[tokio::test]
async fn an_answer_that_may_not_be_stored_is_made_for_every_request_and_ends_an_earlier_entry() {
    let (engine, clock) = in_memory();
    let key = Key::page("/a", "/a", "");
    let source = Source::new("v");
    let get = |store| {
        let source = source.clone();
        let request = Request { negative: seconds(1), fresh: true, ..Request::new(&key, ages(1, 99)) };
        let made = async move { Ok(tropos_cache::Produced { store, ..produced(source.read().await?) }) };
        engine.data().serve(request, move || made)
    };
    assert_eq!(get(true).await.reason, Reason::Miss { why: Miss::Absent, stored: true, collapsed: false });
    clock.advance(seconds(1));
    assert_eq!(get(false).await.reason, Reason::Miss { why: Miss::Stale, stored: false, collapsed: false });
    assert_eq!(get(false).await.reason, Reason::Miss { why: Miss::Absent, stored: false, collapsed: false });
    assert_eq!(source.reads(), 3);
}

#[tokio::test]
async fn a_page_lives_no_longer_than_the_shortest_lived_read_in_it() {
    let (engine, clock) = in_memory();
    let source = Source::new("v");
    let inner = Page::new("/inner", ages(5, 100), &["inner"], &source);
    inner.get(&engine).await;
    clock.advance(seconds(3));
    let get = || {
        let (engine2, inner) = (engine.clone(), inner.clone());
        let render = move || async move {
            let scope = Scope::current().unwrap();
            let read = Page { fresh: scope.wants_fresh(), ..inner }.get(&engine2).await.result?;
            scope.note_entry(&read);
            Ok(produced("page".to_owned()))
        };
        let key = Key::page("/outer", "/outer", "");
        let engine = engine.clone();
        async move {
            let request = Request::new(&key, ages(60, 600));
            engine.data().serve(request, render).await
        }
    };
    let page = get().await.result.unwrap();
    assert_eq!(page.meta.revalidate, Some(seconds(2)), "what remains of the inner five seconds");
    assert_eq!(page.meta.expire, Some(seconds(600)));
    assert_eq!(page.meta.tags, ["inner"].into_iter().collect());

    // Made anew, it waits for fresh inner data instead of living on with what is stale.
    clock.advance(seconds(2));
    assert_eq!(get().await.reason, Reason::Stale { ttl: 0, why: Stale::Age });
    settle().await;
    assert_eq!(get().await.result.unwrap().meta.revalidate, Some(seconds(5)));
    assert_eq!(source.reads(), 2);
}

#[tokio::test]
async fn entries_that_were_made_together_are_made_anew_apart_and_nobody_gets_a_stale_one() {
    let (engine, clock) = in_memory();
    let source = Source::new("v");
    let pages: Vec<Page> =
        (0..200).map(|n| Page::new(&format!("/{n}"), ages(100, 1_000), &[], &source)).collect();
    for page in &pages {
        page.get(&engine).await;
    }
    let mut renewed = Vec::new();
    for _ in 1..100 {
        clock.advance(seconds(1));
        let before = source.reads();
        for page in &pages {
            assert!(matches!(page.get(&engine).await.reason, Reason::Hit { .. }));
        }
        settle().await;
        renewed.push(source.reads() - before);
    }
    assert!(renewed[..89].iter().all(|renewals| *renewals == 0), "not before the last tenth: {renewed:?}");
    assert!((150..=200).contains(&renewed.iter().sum::<usize>()), "most, and none twice: {renewed:?}");
    assert!(renewed.iter().all(|renewals| *renewals <= 60), "not together: {renewed:?}");
}

#[test]
fn an_early_refresh_by_chance_is_the_likelier_the_longer_renders_take_and_the_nearer_the_end() {
    use tropos_cache::{Backoff, Early, Meta, Stamp, decide::is_due_early};
    let early = Early { jitter: 0.0, beta: Some(1.0) };
    let share = |cost: u64, age: u64| {
        let meta = Meta {
            tags: Tags::new(),
            stamp: Stamp::BUILD,
            started: tropos_core::Tick(0),
            started_wall: 0,
            revalidate: Some(seconds(60)),
            expire: None,
            negative: false,
            cost: seconds(cost),
        };
        let now = tropos_core::Tick(0).plus(seconds(age));
        let due = |_: &u32| is_due_early(&meta, &Key::fetch("k"), now, Backoff::NONE, early);
        (0..20_000).filter(due).count() as f64 / 20_000.0
    };
    // The chance is exp(-(time left) / cost).
    for (cost, age, expected) in
        [(1, 59, 0.368), (10, 59, 0.905), (10, 50, 0.368), (10, 10, 0.0067), (0, 59, 0.0)]
    {
        let share = share(cost, age);
        assert!((share - expected).abs() < 0.02, "{cost} s, {age} s: {share}");
    }
}
