//! Invalidations within a transaction: guarantee 11.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Page, Source, WriteLog, in_memory, required, settle, text};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use tropos_cache::{Engine, Error, Hold, Purpose, Required, Scope, Strength, Validity, revalidate};
use tropos_core::{Ages, Tag};

fn action(engine: &Engine) -> Scope {
    Scope::new(engine, Purpose::Action)
}

async fn invalidate(scope: &Scope, tag: &'static str) -> u64 {
    scope.run(async { revalidate::tag(tag).await }).await.unwrap()
}

/// Of what began at the very beginning.
fn validity(engine: &Engine, tag: &str) -> Validity {
    let beginning = tropos_cache::Stamp { sequence: 0, ..engine.tags().current() };
    engine.tags().validity(&[tag.into()], beginning)
}

fn numbers(engine: &Engine) -> u64 {
    engine.tags().current().sequence
}

#[tokio::test]
async fn g11_an_invalidation_in_a_transaction_takes_effect_after_the_commit() {
    let (engine, _clock) = in_memory();
    let log = WriteLog::at(10);
    engine.follow_log(log.clone()).await;
    let source = Source::new("old");
    let page = Page::new("p", Ages::NEVER, &["t"], &source);
    page.get(&engine).await;
    let scope = action(&engine);
    let hold = scope.hold();
    assert_eq!(invalidate(&scope, "t").await, 0, "it has no number yet");
    log.write(20);
    assert_eq!(text(&page.get(&engine).await), "old");
    assert_eq!((numbers(&engine), source.reads()), (0, 1), "nobody makes it anew from what is not committed");
    source.set("new"); // the commit
    log.write(30);
    hold.take_effect().await.unwrap();
    assert_eq!(text(&page.get(&engine).await), "new");
    assert_eq!(required(&engine), Required::Position(30), "the position of the commit, not of the statement");
    assert_eq!(invalidate(&scope, "t").await, 2, "at once, when no transaction is open");
}

#[tokio::test]
async fn g11_after_a_roll_back_an_invalidation_takes_no_effect_at_all() {
    let (engine, _clock) = in_memory();
    let ends: [fn(Hold); 3] = [drop, Hold::forget, |mut hold| {
        hold.commit_sent();
        hold.forget(); // the database has said that it rolled back
    }];
    for end in ends {
        let scope = action(&engine);
        let hold = scope.hold();
        invalidate(&scope, "t").await;
        end(hold);
        settle().await;
        assert_eq!((numbers(&engine), validity(&engine, "t")), (0, Validity::Valid));
    }
    assert_eq!(invalidate(&action(&engine), "t").await, 1);
}

#[tokio::test]
async fn g11_all_names_of_a_transaction_take_one_number_for_each_strength() {
    let (engine, _clock) = in_memory();
    let scope = action(&engine);
    let hold = scope.hold();
    scope
        .run(async {
            revalidate::tags(["a", "b"]).await.unwrap();
            revalidate::tag("c").soft().await.unwrap();
            revalidate::tag("a").await.unwrap();
            revalidate::path("/p").warm().await.unwrap();
        })
        .await;
    hold.take_effect().await.unwrap();
    assert_eq!(numbers(&engine), 2);
    let hard = ["a", "b", Tag::path("/p").as_str()].map(|tag| validity(&engine, tag));
    assert_eq!((hard, validity(&engine, "c")), ([Validity::Hard; 3], Validity::Soft));
    let nothing = scope.hold();
    nothing.take_effect().await.unwrap();
    assert_eq!(numbers(&engine), 2, "a transaction that invalidates nothing takes no number");
}

#[tokio::test]
async fn g11_with_several_open_it_takes_effect_after_each_commit_and_not_when_all_are_rolled_back() {
    // Which of two transactions end by a commit, in the order of their ends; the numbers taken by then.
    for (first, second, after_first, after_both) in
        [(true, true, 1, 2), (true, false, 1, 1), (false, true, 0, 1), (false, false, 0, 0)]
    {
        let (engine, _clock) = in_memory();
        let scope = action(&engine);
        let (one, other) = (scope.hold(), scope.hold());
        invalidate(&scope, "t").await;
        let end = async |hold: Hold, commit: bool| match commit {
            true => hold.take_effect().await.unwrap(),
            false => hold.forget(),
        };
        end(one, first).await;
        assert_eq!(numbers(&engine), after_first, "{first} {second}");
        end(other, second).await;
        assert_eq!(numbers(&engine), after_both, "{first} {second}");
    }
    // What comes after the end of one belongs to the other.
    let (engine, _clock) = in_memory();
    let scope = action(&engine);
    let (one, other) = (scope.hold(), scope.hold());
    one.take_effect().await.unwrap();
    invalidate(&scope, "t").await;
    other.forget();
    assert_eq!(numbers(&engine), 0);
}

#[tokio::test]
async fn g11_a_transaction_holds_back_its_own_scope_alone() {
    let (engine, _clock) = in_memory();
    let scope = action(&engine);
    let hold = scope.hold();
    assert_eq!(invalidate(&action(&engine), "t").await, 1, "another request");
    assert_eq!(engine.invalidate(&["t".into()], Strength::Hard).await.unwrap(), 2, "by the engine itself");
    let spawned = tokio::spawn(scope.wrap(async { revalidate::tag("t").await }));
    assert_eq!(spawned.await.unwrap().unwrap(), 0, "a task of the same scope");
    hold.take_effect().await.unwrap();
    assert_eq!(numbers(&engine), 3);
}

#[tokio::test]
async fn g11_there_is_nothing_to_report_before_the_commit() {
    let (engine, _clock) = in_memory();
    let scope = action(&engine);
    let hold = scope.hold();
    let error = scope.run(async { revalidate::tag("t").report().await }).await.unwrap_err();
    assert!(matches!(error, Error::ReportHeld), "{error}");
    assert!(error.to_string().contains("when the transaction is committed"), "{error}");
    hold.take_effect().await.unwrap();
    assert_eq!(numbers(&engine), 0);
    scope.run(async { revalidate::tag("t").report().await }).await.unwrap();
}

#[tokio::test]
async fn a_transaction_may_have_so_many_names_wait_and_no_more() {
    let (engine, _clock) = in_memory();
    let scope = action(&engine);
    let hold = scope.hold();
    let names =
        |from: u32, to: u32| scope.run(async move { revalidate::tags((from..to).map(|n| ("t", n))).await });
    names(0, 99_999).await.unwrap();
    let error = names(100_000, 100_002).await.unwrap_err();
    assert!(matches!(error, Error::TooManyHeld { most: 100_000 }), "{error}");
    names(99_999, 100_000).await.unwrap();
    hold.take_effect().await.unwrap();
    assert_eq!(validity(&engine, "t-99999"), Validity::Hard);
}

#[tokio::test(start_paused = true)]
async fn g11_an_invalidation_that_fails_after_the_commit_is_tried_again_and_then_named() {
    let (engine, _clock) = in_memory();
    let log = WriteLog::at(10);
    engine.follow_log(log.clone()).await;
    for (down, succeeds) in [(1_000, true), (60_000, false)] {
        let before = numbers(&engine);
        let scope = action(&engine);
        let hold = scope.hold();
        invalidate(&scope, "t").await;
        scope.run(async { revalidate::tag("s").soft().await }).await.unwrap();
        log.fail(true);
        let back = tokio::spawn({
            let log = log.clone();
            async move {
                tokio::time::sleep(Duration::from_millis(down)).await;
                log.fail(false);
            }
        });
        let began = Instant::now();
        match hold.take_effect().await {
            Ok(()) => assert!(succeeds && numbers(&engine) == before + 2),
            Err(Error::AfterCommit { tags, cause }) => {
                assert!(!succeeds && matches!(*cause, Error::Positions { .. }), "{cause}");
                assert_eq!(tags, ["s".into(), "t".into()]);
                let text = Error::AfterCommit { tags, cause }.to_string();
                assert!(text.contains("is committed") && text.contains("`s`, `t`"), "{text}");
            }
            Err(other) => panic!("{other}"),
        }
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
        back.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn g11_a_client_who_leaves_after_the_commit_stops_no_invalidation() {
    let (engine, _clock) = in_memory();
    let log = WriteLog::at(10);
    engine.follow_log(log.clone()).await;
    let scope = action(&engine);
    let hold = scope.hold();
    invalidate(&scope, "t").await;
    log.fail(true);
    tokio::time::timeout(Duration::from_millis(10), hold.take_effect()).await.unwrap_err();
    log.fail(false);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(validity(&engine, "t"), Validity::Hard);
}

#[tokio::test(start_paused = true)]
async fn g11_a_commit_whose_answer_is_lost_counts_as_one() {
    let (engine, _clock) = in_memory();
    let log = WriteLog::at(10);
    engine.follow_log(log.clone()).await;
    let scope = action(&engine);
    let mut hold = scope.hold();
    invalidate(&scope, "t").await;
    hold.commit_sent();
    // The primary is gone for longer than a caller would wait.
    log.fail(true);
    drop(hold);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(validity(&engine, "t"), Validity::Valid);
    log.fail(false);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(validity(&engine, "t"), Validity::Hard);
    assert_eq!(invalidate(&scope, "u").await, 2, "and the scope holds nothing back any more");
}

#[tokio::test]
async fn g11_a_shutdown_before_the_commit_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let engine = common::on_disk(folder.path(), "b", &tropos_core::ManualClock::new()).await;
    let scope = action(&engine);
    let hold = scope.hold();
    invalidate(&scope, "t").await;
    engine.shutdown().await;
    let error = hold.take_effect().await.unwrap_err();
    assert!(
        matches!(&error, Error::AfterCommit { cause, .. } if matches!(**cause, Error::Closed)),
        "{error}"
    );
    drop(Arc::new(error));
}

#[tokio::test]
async fn what_is_to_be_called_after_a_commit_is_called_after_the_first_and_never_after_roll_backs_alone() {
    let (engine, _clock) = in_memory();
    let scope = action(&engine);
    let calls = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let called = || calls.load(std::sync::atomic::Ordering::SeqCst);
    let call = || {
        let calls = calls.clone();
        let one_more = move || {
            calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        };
        scope.after_commit(one_more).unwrap();
    };
    call();
    assert_eq!(called(), 1, "at once, where no transaction is open");
    let hold = scope.hold();
    call();
    assert_eq!(called(), 1);
    hold.take_effect().await.unwrap();
    assert_eq!(called(), 2);
    let (one, other) = (scope.hold(), scope.hold());
    call();
    one.forget();
    assert_eq!(called(), 2);
    other.take_effect().await.unwrap();
    assert_eq!(called(), 3, "the other may have been meant");
    let (one, other) = (scope.hold(), scope.hold());
    call();
    one.take_effect().await.unwrap();
    other.take_effect().await.unwrap();
    assert_eq!(called(), 4, "once for both");
    let hold = scope.hold();
    call();
    drop(hold);
    assert_eq!(called(), 4, "rolled back");
    let mut hold = scope.hold();
    call();
    hold.commit_sent();
    drop(hold);
    assert_eq!(called(), 5, "in doubt it was committed");
}

#[tokio::test]
async fn a_render_that_fails_is_told_with_its_reason_and_whether_an_earlier_one_is_given() {
    use std::sync::Mutex;
    use tropos_cache::observe::{Invalidated, Observer, Read, Rendered};
    struct Failures(Arc<Mutex<Vec<(String, bool)>>>);
    impl Observer for Failures {
        fn read(&self, _: &Read<'_>) {}
        fn waited(&self, _: &tropos_core::Key, _: Duration) {}
        fn invalidated(&self, _: &Invalidated) {}
        fn rendered(&self, render: &Rendered<'_>) {
            if let Some(failure) = render.failure {
                self.0.lock().unwrap().push((failure.to_string(), render.kept));
            }
        }
    }
    let (engine, _clock) = in_memory();
    let failures = Arc::<Mutex<Vec<_>>>::default();
    engine.observe(Failures(failures.clone()));
    let source = Source::new("good");
    let page = Page::new("p", Ages::NEVER, &["t"], &source);
    source.fail(true);
    drop(page.get(&engine).await);
    source.fail(false);
    page.get(&engine).await;
    source.fail(true);
    engine.invalidate(&["t".into()], Strength::Soft).await.unwrap();
    drop(page.get(&engine).await);
    settle().await;
    let fails = |kept| ("the source fails".to_owned(), kept);
    assert_eq!(*failures.lock().unwrap(), [fails(false), fails(true)]);
}
