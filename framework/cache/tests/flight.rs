//! One render for all who ask, which nothing can block for longer than its time: case 10 and guarantee 4.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Page, Source, ages, in_memory, produced, seconds, settle, text};
use std::{future::pending, sync::Arc, time::Duration};
use tropos_cache::{Data, Engine, EngineConfig, Miss, Produced, Reason, Request, Served};
use tropos_core::{Ages, Failure, Key, ManualClock, SystemClock};

#[tokio::test]
async fn fifty_requests_at_once_for_a_cold_entry_run_one_render() {
    let (engine, _clock) = in_memory();
    let source = Source::new("v");
    let page = Page::new("/a", ages(2, 10), &[], &source);
    source.hold();
    let mut asked = Vec::new();
    for _ in 0..50 {
        asked.push(page.ask(&engine).await);
    }
    source.release();
    let mut collapsed = 0;
    for asked in asked {
        let served = asked.await.unwrap();
        assert_eq!(text(&served), "v");
        collapsed += usize::from(matches!(served.reason, Reason::Miss { collapsed: true, stored: true, .. }));
    }
    assert_eq!((source.reads(), collapsed), (1, 49));
}

#[tokio::test]
async fn fifty_requests_at_once_for_a_stale_entry_run_one_render() {
    let (engine, clock) = in_memory();
    let source = Source::new("v");
    let page = Page::new("/a", ages(2, 10), &[], &source);
    page.get(&engine).await;
    clock.advance(seconds(2));
    source.hold();
    for _ in 0..50 {
        assert!(matches!(page.get(&engine).await.reason, Reason::Stale { .. }));
    }
    settle().await;
    source.release();
    settle().await;
    assert_eq!(source.reads(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_come_while_a_render_ends_do_not_start_another() {
    for _ in 0..200 {
        let (engine, _clock) = in_memory();
        let source = Source::new("v");
        let page = Page::new("/a", ages(60, 600), &[], &source);
        let asked: Vec<_> = (0..8)
            .map(|_| {
                let (page, engine) = (page.clone(), engine.clone());
                tokio::spawn(async move { page.get(&engine).await.result.is_ok() })
            })
            .collect();
        for asked in asked {
            assert!(asked.await.unwrap());
        }
        assert_eq!(source.reads(), 1);
    }
}

#[tokio::test]
async fn a_client_who_leaves_does_not_cancel_the_render() {
    let (engine, _clock) = in_memory();
    let source = Source::new("v");
    let page = Page::new("/a", ages(2, 10), &[], &source);
    source.hold();
    let asked = page.ask(&engine).await;
    asked.abort();
    settle().await;
    source.release();
    settle().await;
    assert_eq!(page.get(&engine).await.reason, Reason::Hit { ttl: 2 });
    assert_eq!(source.reads(), 1);
}

/// Asks for one key whose render does what is given.
async fn render<F, Fut>(engine: &Engine, produce: F) -> Served<Data>
where
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = Result<Produced<Data>, Failure>> + Send + 'static,
{
    let key = Key::page("/a", "/a", "");
    let request = Request::new(&key, Ages::NEVER);
    engine.data().serve(request, produce).await
}

#[tokio::test]
async fn a_render_that_panics_is_a_failure_without_the_panics_text_and_frees_its_key() {
    let (engine, _clock) = in_memory();
    type Never = std::future::Pending<Result<Produced<Data>, Failure>>;
    let before_the_first_await = render(&engine, || -> Never { panic!("secret") }).await;
    let later = render(&engine, || async {
        tokio::task::yield_now().await;
        panic!("secret")
    });
    for served in [before_the_first_await, later.await] {
        let failure = served.result.unwrap_err().to_string();
        assert!(failure.contains("panicked") && !failure.contains("secret"), "{failure}");
    }
    assert_eq!(text(&render(&engine, || async { Ok(produced("v".into())) }).await), "v");
}

#[tokio::test(start_paused = true)]
async fn a_render_that_hangs_blocks_its_key_no_longer_than_the_render_timeout() {
    let (engine, _clock) = in_memory();
    let began = tokio::time::Instant::now();
    let (a, b) = tokio::join!(render(&engine, pending), render(&engine, pending));
    assert_eq!(began.elapsed().as_secs(), 30);
    for served in [a, b] {
        assert!(served.result.unwrap_err().to_string().contains("took longer than 30s"));
    }
    assert_eq!(text(&render(&engine, || async { Ok(produced("v".into())) }).await), "v");
    assert_eq!(began.elapsed().as_secs(), 30);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn even_a_render_that_never_yields_blocks_its_key_no_longer_than_the_render_timeout() {
    let config = EngineConfig { render_timeout: Duration::from_millis(50), ..EngineConfig::default() };
    let engine = Engine::open(config, Arc::new(SystemClock::new()), None).await.unwrap();
    let (wake, blocked) = std::sync::mpsc::channel::<()>();
    let served = render(&engine, move || async move {
        blocked.recv().ok();
        Ok(produced("late".into()))
    });
    assert!(served.await.result.unwrap_err().to_string().contains("took longer than 50ms"));
    assert_eq!(text(&render(&engine, || async { Ok(produced("v".into())) }).await), "v");
    wake.send(()).unwrap();
}

#[tokio::test]
async fn a_read_that_needs_itself_fails_at_once_instead_of_waiting_for_itself() {
    let (engine, _clock) = in_memory();
    let inner = engine.clone();
    let served = render(&engine, move || async move {
        let again = render(&inner, || async { Ok(produced("v".into())) }).await;
        again.result.map(|_| produced("outer".into()))
    });
    assert!(served.await.result.unwrap_err().to_string().contains("reads itself"));
}

#[test]
fn when_the_runtime_ends_amid_a_render_the_key_is_free_in_the_next() {
    let clock = ManualClock::new();
    let engine = Engine::in_memory(Arc::new(clock));
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    first.block_on(async {
        let engine = engine.clone();
        tokio::spawn(async move { render(&engine, pending).await });
        settle().await;
    });
    drop(first);
    let served = runtime().block_on(render(&engine, || async { Ok(produced("v".into())) }));
    assert_eq!(served.reason, Reason::Miss { why: Miss::Absent, stored: true, collapsed: false });
}
