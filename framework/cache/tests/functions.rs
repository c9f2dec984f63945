//! Cached functions, and reads that a render shares: cases 13, 21, 25 and 40.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Source, ages, in_memory, seconds, settle};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tropos_cache::{Engine, Purpose, Scope, Strength, function};
use tropos_core::{Ages, Clock, Failure, Tags};

/// A cached function of one argument, as `#[cached]` writes it.
async fn by_id(id: u32, ages: Ages, source: &Source) -> Result<String, Failure> {
    let source = source.clone();
    let tags: Tags = [format!("item-{id}")].into_iter().collect();
    function::cached("by_id", Ok(id.to_string()), ages, tags, move || async move { source.read().await })
        .await
}

async fn in_scope<T>(
    engine: &Engine,
    purpose: Purpose,
    work: impl Future<Output = T>,
) -> (T, tropos_cache::Reads) {
    let scope = Scope::new(engine, purpose);
    (scope.run(work).await, scope.reads())
}

#[tokio::test]
async fn calls_with_equal_arguments_are_one_and_others_are_others() {
    let (engine, _clock) = in_memory();
    let source = Source::new("v");
    for (id, reads) in [(1, 1), (1, 1), (2, 2), (1, 2)] {
        let (value, _) = in_scope(&engine, Purpose::Once, by_id(id, Ages::NEVER, &source)).await;
        assert_eq!((value.unwrap().as_str(), source.reads()), ("v", reads));
    }
}

#[tokio::test]
async fn tags_and_remaining_life_flow_up_to_the_caller() {
    let (engine, clock) = in_memory();
    let source = Source::new("v");
    for purpose in [Purpose::Stored, Purpose::Once, Purpose::Live, Purpose::Action] {
        let started = clock.now();
        in_scope(&engine, purpose, by_id(7, ages(5, 50), &source)).await.0.unwrap();
        clock.advance(seconds(1));
        let (_, reads) = in_scope(&engine, purpose, by_id(7, ages(5, 50), &source)).await;
        assert_eq!(reads.tags, ["item-7"].into_iter().collect(), "{purpose:?}");
        assert_eq!(reads.stale_at, Some(started.plus(seconds(5))), "{purpose:?}");
        engine.invalidate(&["item-7".into()], Strength::Hard).await.unwrap();
    }
}

#[tokio::test]
async fn a_stored_page_waits_for_fresh_data_and_a_server_page_takes_what_is_stale() {
    for (purpose, value) in [(Purpose::Stored, "new"), (Purpose::Live, "new"), (Purpose::Once, "old")] {
        let (engine, clock) = in_memory();
        let source = Source::new("old");
        in_scope(&engine, purpose, by_id(1, ages(2, 20), &source)).await.0.unwrap();
        source.set("new");
        clock.advance(seconds(2));
        let (read, _) = in_scope(&engine, purpose, by_id(1, ages(2, 20), &source)).await;
        assert_eq!(read.unwrap(), value, "{purpose:?}");
        settle().await;
        let (read, _) = in_scope(&engine, purpose, by_id(1, ages(2, 20), &source)).await;
        assert_eq!((read.unwrap().as_str(), source.reads()), ("new", 2), "{purpose:?}");
    }
}

#[tokio::test]
async fn an_invalidation_while_the_function_runs_is_not_lost() {
    let (engine, _clock) = in_memory();
    let source = Source::new("old");
    source.hold();
    let ask = || {
        let (engine, source) = (engine.clone(), source.clone());
        tokio::spawn(async move {
            in_scope(&engine, Purpose::Once, by_id(1, Ages::NEVER, &source)).await.0.unwrap()
        })
    };
    let before = ask();
    settle().await;
    source.set("new");
    engine.invalidate(&["item-1".into()], Strength::Hard).await.unwrap();
    let after = ask();
    settle().await;
    source.release();
    assert_eq!((before.await.unwrap().as_str(), after.await.unwrap().as_str()), ("old", "new"));
    assert_eq!(ask().await.unwrap(), "new");
    assert_eq!(source.reads(), 2);
}

#[tokio::test]
async fn the_same_call_twice_in_one_render_is_one_call_also_when_it_fails() {
    let (engine, _clock) = in_memory();
    let source = Source::new("v");
    source.fail(true);
    let twice = || {
        in_scope(&engine, Purpose::Once, async {
            tokio::join!(by_id(1, Ages::NEVER, &source), by_id(1, Ages::NEVER, &source))
        })
    };
    let ((a, b), _) = twice().await;
    assert!(a.is_err() && b.is_err());
    assert_eq!(source.reads(), 1);
    source.fail(false);
    let ((a, b), _) = twice().await;
    assert_eq!(
        (a.unwrap(), b.unwrap(), source.reads()),
        ("v".into(), "v".into(), 2),
        "errors are not stored"
    );
}

#[tokio::test]
async fn a_failing_function_gives_its_last_good_result() {
    let (engine, clock) = in_memory();
    let source = Source::new("good");
    in_scope(&engine, Purpose::Stored, by_id(1, ages(2, 20), &source)).await.0.unwrap();
    source.fail(true);
    clock.advance(seconds(2));
    let (read, reads) = in_scope(&engine, Purpose::Stored, by_id(1, ages(2, 20), &source)).await;
    assert_eq!(read.unwrap(), "good");
    assert_eq!(
        reads.stale_at,
        Some(clock.now().plus(seconds(1))),
        "a page made of it is stale at the next try"
    );
}

#[tokio::test]
async fn outside_a_scope_a_function_simply_runs() {
    let source = Source::new("v");
    by_id(1, Ages::NEVER, &source).await.unwrap();
    by_id(1, Ages::NEVER, &source).await.unwrap();
    assert_eq!(source.reads(), 2);
}

#[tokio::test]
async fn arguments_that_are_no_key_and_results_that_read_back_otherwise_are_failures_that_say_so() {
    let (engine, _clock) = in_memory();
    let call = |args| function::cached::<u8, _, _>("f", args, Ages::NEVER, Tags::new(), || async { Ok(1) });
    let (result, _) = in_scope(&engine, Purpose::Once, call(Err("it is a map".into()))).await;
    assert!(result.unwrap_err().to_string().contains("an argument of the cached function `f`"));
    in_scope(&engine, Purpose::Once, call(Ok("1".into()))).await.0.unwrap();
    let other_type =
        function::cached::<String, _, _>("f", Ok("1".into()), Ages::NEVER, Tags::new(), || async {
            Ok(String::new())
        });
    let (result, _) = in_scope(&engine, Purpose::Once, other_type).await;
    assert!(result.unwrap_err().to_string().contains("does not read back"));
}

#[tokio::test]
async fn a_read_that_is_not_cached_runs_once_a_render_but_each_time_in_an_action() {
    let (engine, _clock) = in_memory();
    for (purpose, calls) in
        [(Purpose::Stored, 1), (Purpose::Once, 1), (Purpose::Live, 1), (Purpose::Action, 3)]
    {
        let count = Arc::new(AtomicUsize::new(0));
        let read = || async {
            let scope = Scope::current().unwrap();
            scope.once("GET /v", || async { Err::<(), usize>(count.fetch_add(1, Ordering::SeqCst)) }).await
        };
        let ((a, b, c), _) =
            in_scope(&engine, purpose, async { (read().await, read().await, read().await) }).await;
        assert_eq!(count.load(Ordering::SeqCst), calls, "{purpose:?}");
        assert_eq!((a == b, b == c), (calls == 1, calls == 1));
        in_scope(&engine, purpose, read()).await.0.unwrap_err();
        assert_eq!(count.load(Ordering::SeqCst), calls + 1, "another render reads again");
    }
}

#[tokio::test]
async fn a_reader_who_leaves_amid_a_shared_read_leaves_it_to_those_who_wait() {
    let (engine, _clock) = in_memory();
    let scope = Scope::new(&engine, Purpose::Once);
    let first = tokio::spawn(
        scope.wrap(async { Scope::current().unwrap().once("k", std::future::pending::<u8>).await }),
    );
    settle().await;
    let second =
        tokio::spawn(scope.wrap(async { Scope::current().unwrap().once("k", || async { 2_u8 }).await }));
    settle().await;
    first.abort();
    assert_eq!(second.await.unwrap(), 2);
}
