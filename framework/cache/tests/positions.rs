//! What a render must have seen of the database: guarantee 9 on one instance.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{WriteLog, in_memory, on_disk, produced, required, settle, until};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::Instant;
use tropos_cache::{Engine, Error, Purpose, Request, Required, Scope, Strength};
use tropos_core::{Ages, Key, ManualClock, Positions, SystemClock, Tags};

fn at(position: u64) -> Positions {
    [(0, position)].into_iter().collect()
}

async fn invalidate(engine: &Engine) -> Result<u64, Error> {
    engine.invalidate(&["a".into()], Strength::Hard).await
}

/// Runs `look` in the scope of a stored render of `key`, for which the current scope waits.
async fn in_a_flight<T: Send + 'static>(
    engine: &Engine,
    key: &str,
    look: impl FnOnce(&Scope) -> T + Send + 'static,
) -> T {
    let seen = Arc::new(Mutex::new(None));
    let (key, tell) = (Key::fetch(key), seen.clone());
    let (negative, tags) = (Duration::ZERO, Tags::new());
    let request = Request { key: &key, ages: Ages::NEVER, negative, tags, fresh: false, unasked: false };
    let render = || async move {
        *tell.lock().unwrap() = Some(look(&Scope::current().unwrap()));
        Ok(produced("v".to_owned()))
    };
    engine.data().serve(request, render).await.result.unwrap();
    seen.lock().unwrap().take().unwrap()
}

#[tokio::test]
async fn g9_a_render_whose_stamp_covers_an_invalidation_requires_its_position() {
    let (engine, _clock) = in_memory();
    let log = WriteLog::at(10);
    engine.follow_log(log.clone()).await;
    assert_eq!(required(&engine), Required::Position(10), "what was invalidated before the start");
    let before = Scope::new(&engine, Purpose::Stored);
    log.write(25);
    invalidate(&engine).await.unwrap();
    assert_eq!(required(&engine), Required::Position(25));
    assert_eq!(
        before.requires(0),
        Required::Position(10),
        "it may read the old: it is not stored as the new"
    );
    assert_eq!(Scope::new(&engine, Purpose::Stored).requires(1), Required::Nothing, "another shard");
    let in_flight = in_a_flight(&engine, "k", |scope| scope.requires(0)).await;
    assert_eq!(in_flight, Required::Position(25));
    // A database that was restored stands lower: what was required before is required still.
    log.write(5);
    invalidate(&engine).await.unwrap();
    assert_eq!(required(&engine), Required::Position(25));
}

#[tokio::test]
async fn g9_each_purpose_is_bound_by_what_it_must_be() {
    let (engine, _clock) = in_memory();
    engine.follow_log(WriteLog::at(10)).await;
    use Purpose::{Action, Live, Once, Stored};
    let position = Required::Position;
    // The purpose; what it requires by itself, with a cookie that says 4, with one that says 40, and after a write.
    for (purpose, by_itself, low, high) in [
        (Stored, position(10), position(10), position(40)),
        (Live, position(10), position(10), position(40)),
        (Once, Required::Nothing, position(4), position(40)),
        (Action, Required::Nothing, position(4), position(40)),
    ] {
        let scope = Scope::new(&engine, purpose);
        assert_eq!(scope.requires(0), by_itself, "{purpose:?}");
        scope.has_seen(&at(4));
        assert_eq!(scope.requires(0), low, "{purpose:?}");
        scope.has_seen(&at(40));
        scope.has_seen(&at(30));
        assert_eq!((scope.requires(0), scope.seen()), (high, at(40)), "{purpose:?}");
        scope.wrote(0);
        assert_eq!(scope.requires(0), Required::Primary, "{purpose:?}");
        assert_eq!(scope.requires(1), Required::Nothing, "{purpose:?}");
        assert_eq!(scope.take_written(), [0]);
        assert_eq!(scope.requires(0), Required::Primary, "{purpose:?}, once it is asked for");
    }
}

#[tokio::test]
async fn g9_what_a_visitor_has_seen_does_not_reach_what_is_stored_and_does_reach_their_drafts() {
    let (engine, _clock) = in_memory();
    engine.follow_log(WriteLog::at(10)).await;
    let nested = async |scope: &Scope, key: &'static str| {
        scope.run(in_a_flight(&engine, key, |scope| (scope.requires(0), scope.requires(1)))).await
    };
    let visitor = Scope::new(&engine, Purpose::Once);
    visitor.has_seen(&at(40));
    assert_eq!(nested(&visitor, "a").await, (Required::Position(10), Required::Nothing));
    visitor.wrote(1);
    assert_eq!(nested(&visitor, "b").await, (Required::Position(10), Required::Primary));
    let deeper = engine.clone();
    let within = visitor.run(in_a_flight(&engine, "outer", move |outer| {
        let outer = outer.clone();
        async move { outer.run(in_a_flight(&deeper, "inner", |inner| inner.requires(1))).await }
    }));
    assert_eq!(within.await.await, Required::Primary, "two renders deep");
    let draft = Scope::draft(&engine, Purpose::Once);
    draft.has_seen(&at(40));
    assert_eq!(nested(&draft, "c").await, (Required::Position(40), Required::Nothing));
}

#[tokio::test(start_paused = true)]
async fn g9_until_the_log_has_answered_renders_read_from_the_primary() {
    let clock = Arc::new(ManualClock::new());
    for silent in [false, true] {
        let engine = Engine::in_memory(clock.clone());
        let log = WriteLog::at(7);
        log.fail(true);
        log.fall_silent(silent);
        assert_eq!(required(&engine), Required::Nothing, "nobody has a log");
        let began = Instant::now();
        engine.follow_log(log.clone()).await;
        assert!(began.elapsed() < Duration::from_millis(2_100), "the start does not wait for ever");
        for purpose in [Purpose::Stored, Purpose::Live] {
            assert_eq!(Scope::new(&engine, purpose).requires(0), Required::Primary, "{purpose:?}");
        }
        for purpose in [Purpose::Once, Purpose::Action] {
            assert_eq!(Scope::new(&engine, purpose).requires(0), Required::Nothing, "{purpose:?}");
        }
        let early = Scope::new(&engine, Purpose::Stored);
        log.fail(false);
        log.fall_silent(false);
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(required(&engine), Required::Position(7), "asked for in the background");
        assert_eq!(early.requires(0), Required::Primary, "as it began");
        let asked = log.questions();
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(log.questions(), asked, "once it is known nobody asks");
    }
}

#[tokio::test(start_paused = true)]
async fn g9_an_invalidation_whose_position_is_not_known_does_not_take_place() {
    let (engine, _clock) = in_memory();
    let log = WriteLog::at(7);
    engine.follow_log(log.clone()).await;
    for silent in [false, true] {
        log.fail(true);
        log.fall_silent(silent);
        let began = Instant::now();
        let error = invalidate(&engine).await.unwrap_err();
        assert!(matches!(error, Error::Positions { .. }), "{error}");
        assert!(error.to_string().contains("nothing was invalidated"), "{error}");
        assert!(began.elapsed() < Duration::from_millis(1_100), "{:?}", began.elapsed());
        assert_eq!(engine.tags().current().sequence, 0);
        assert_eq!(required(&engine), Required::Position(7), "what was known is known still");
    }
    assert_eq!(engine.stats().invalidation_failures, 2);
    log.fail(false);
    log.fall_silent(false);
    log.write(8);
    assert_eq!(invalidate(&engine).await.unwrap(), 1);
    assert_eq!(required(&engine), Required::Position(8));
}

#[tokio::test]
async fn g9_an_invalidation_that_is_answered_ends_the_doubt() {
    let (engine, _clock) = in_memory();
    let log = WriteLog::at(7);
    log.fail(true);
    let follow = tokio::spawn({
        let (engine, log) = (engine.clone(), log.clone());
        async move { engine.follow_log(log).await }
    });
    settle().await;
    log.fail(false);
    invalidate(&engine).await.unwrap();
    assert_eq!(required(&engine), Required::Position(7));
    follow.await.unwrap();
}

#[tokio::test]
async fn g9_after_a_restart_the_floor_is_asked_for_before_replicas_are_read() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), ManualClock::new());
    let first = on_disk(folder.path(), "b", &clock).await;
    first.follow_log(WriteLog::at(90)).await;
    invalidate(&first).await.unwrap();
    first.shutdown().await;
    drop(first);
    let second = on_disk(folder.path(), "b", &clock).await;
    assert_eq!(second.tags().current().sequence, 1);
    second.follow_log(WriteLog::at(95)).await;
    assert_eq!(required(&second), Required::Position(95));
}

#[tokio::test]
async fn the_question_of_a_query_allocates_nothing() {
    let engine = Engine::in_memory(Arc::new(SystemClock::new()));
    engine.follow_log(WriteLog::at(10)).await;
    let scope = Scope::new(&engine, Purpose::Live);
    scope.has_seen(&at(40));
    let counted = allocation_counter::measure(|| {
        assert_eq!(scope.requires(0), Required::Position(40));
        scope.wrote(0);
        assert_eq!(scope.requires(0), Required::Primary);
    });
    assert_eq!(counted.count_total, 0);
}

#[tokio::test]
async fn an_engine_that_is_gone_lets_go_of_the_database() {
    let (engine, _clock) = in_memory();
    let log = WriteLog::at(10);
    engine.follow_log(log.clone()).await;
    engine.follow_log(WriteLog::at(99)).await; // the first stays
    assert_eq!(required(&engine), Required::Position(10));
    drop(engine);
    until("the end of the task that asks", async || Arc::strong_count(&log) == 1).await;
}
