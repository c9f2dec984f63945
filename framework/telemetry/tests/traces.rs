//! Traces as they are kept: what has no room in them, what goes on after their end, and hits.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use http::{HeaderMap, Method};
use std::{
    fmt,
    sync::{Arc, atomic::Ordering, mpsc},
    time::Duration,
};
use tracing_subscriber::layer::SubscriberExt as _;
use tropos_core::ManualClock;
use tropos_telemetry::{
    Config,
    config::{Otlp, Protocol},
    export::Signal,
    trace::{Ended, Guard, Tracer, Value, current, layer, sampling::Sampler},
};

/// A tracer that keeps all in memory.
fn tracer(change: impl FnOnce(&mut Config)) -> Tracer {
    let mut config = Config::default();
    config.ring = true;
    config.sampler = Sampler::named("always_on", None).unwrap();
    change(&mut config);
    Tracer::new(&config, Arc::new(ManualClock::new())).unwrap()
}

fn kept(tracer: &Tracer) -> usize {
    tracer.ring().unwrap().latest().len()
}

/// A request within which a query runs.
fn begin(tracer: &Tracer) -> (Guard, tracing::Span) {
    let guard = tracer.begin(&Method::GET, &HeaderMap::new());
    let request = guard.trace().enter(|| tracing::debug_span!(target: "tropos::request", "request"));
    let query = request.in_scope(|| tracing::debug_span!(target: "tropos::db", "query"));
    (guard, query)
}

fn listen() -> tracing::subscriber::DefaultGuard {
    tracing::subscriber::set_default(tracing_subscriber::registry().with(layer(true)))
}

#[tokio::test]
async fn spans_that_have_no_room_are_told_of_and_counted() {
    let _listening = listen();
    let endpoint = "http://127.0.0.1:1/v1/traces";
    let tracer = tracer(|config| {
        config.limits.spans = 4;
        config.traces = Some(Otlp::new(Signal::Traces, Protocol::HttpProtobuf, endpoint));
    });
    for (queries, left_out) in [(3, None), (10, Some(Value::Int(7)))] {
        let (guard, first) = begin(&tracer);
        let request = guard.trace().enter(|| tracing::debug_span!(target: "tropos::request", "request"));
        drop(first);
        for _ in 1..queries {
            request.in_scope(|| drop(tracing::debug_span!(target: "tropos::db", "query")));
        }
        drop(request);
        guard.trace().finish(Ended::Whole);
        let last = tracer.ring().unwrap().latest()[0].clone();
        assert_eq!(last.root().unwrap().attribute("tropos.trace.left_out"), left_out.as_ref(), "{queries}");
    }
    assert_eq!(tracer.counts().unwrap().0.left_out.load(Ordering::Relaxed), 7);
}

#[tokio::test]
async fn what_has_ended_takes_no_room_of_what_is_waited_for() {
    let _listening = listen();
    let tracer = tracer(|_| {});
    for _ in 0..1_000 {
        let (guard, query) = begin(&tracer);
        guard.trace().finish(Ended::Whole);
        drop(query);
    }
    assert_eq!(kept(&tracer), 1_000);
    let (guard, query) = begin(&tracer);
    let id = guard.trace().id();
    guard.trace().finish(Ended::Whole);
    assert!(tracer.ring().unwrap().find(id).is_empty(), "its query goes on");
    drop(query);
    assert_eq!(tracer.ring().unwrap().find(id).len(), 1);
}

#[tokio::test]
async fn what_goes_on_after_the_end_is_not_waited_for() {
    let _listening = listen();
    let tracer = tracer(|_| {});
    let (before, _goes_on) = begin(&tracer);
    let (after, _goes_on_too) = begin(&tracer);
    before.trace().finish(Ended::Whole);
    assert_eq!(kept(&tracer), 0);
    tracer.close(Duration::ZERO).await;
    assert_eq!(kept(&tracer), 1);
    after.trace().finish(Ended::Whole);
    assert_eq!(kept(&tracer), 2);
}

#[tokio::test]
async fn a_query_says_which_server_answered_and_from_which_database() {
    let _listening = listen();
    let tracer = tracer(|_| {});
    let guard = tracer.begin(&Method::GET, &HeaderMap::new());
    let request = guard.trace().enter(|| tracing::debug_span!(target: "tropos::request", "request"));
    request.in_scope(|| {
        let query =
            tracing::debug_span!(target: "tropos::db", "query", server.address = tracing::field::Empty);
        query.record("server.address", "db-1:5432/shop");
    });
    drop(request);
    guard.trace().finish(Ended::Whole);
    let trace = tracer.ring().unwrap().latest()[0].clone();
    for (name, expected) in [
        ("server.address", Value::from("db-1")),
        ("server.port", Value::Int(5432)),
        ("db.namespace", Value::from("shop")),
    ] {
        assert_eq!(trace.spans[1].attribute(name), Some(&expected), "{name}");
    }
}

#[tokio::test]
async fn a_hit_is_of_its_callers_trace_where_there_is_one_caller() {
    const CALLER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let other = CALLER.replace("0af7", "1af7");
    for (name, callers, propagate, state) in [
        ("one", &[CALLER][..], true, "a=1,b=2"),
        ("none", &[], true, ""),
        ("two", &[CALLER, &other], true, ""),
        ("one that is not listened to", &[CALLER], false, ""),
    ] {
        let tracer = tracer(|config| config.propagate.trace = propagate);
        let lines = |name: &'static str| {
            let lines = if name == "traceparent" { callers } else { &["a=1", "b=2"][..] };
            lines.iter().map(|line| line.as_bytes())
        };
        let hit = tracer.hit(lines).unwrap();
        hit.finish(&tracer, &Method::GET, Some("/a"), 200, Vec::new());
        let trace = tracer.ring().unwrap().latest()[0].clone();
        let is_callers = trace.id.to_string() == "0af7651916cd43dd8448eb211c80319c";
        assert_eq!((trace.state.as_str(), is_callers), (state, !state.is_empty()), "{name}");
        assert_eq!(trace.root().unwrap().parent.is_some(), is_callers, "{name}");
    }
}

/// Looks at its trace while it is written, as the report of a panic does.
struct Looks;

impl fmt::Display for Looks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", current().map_or(0, |current| current.work(10).len()))
    }
}

/// On a thread of its own: it would stand still else.
#[test]
fn a_value_may_look_at_the_trace_that_it_is_written_to() {
    let (done, ended) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _within = runtime.enter();
        let _listening = listen();
        let tracer = tracer(|_| {});
        let (guard, query) = begin(&tracer);
        drop(query);
        let render = guard.trace().enter(|| {
            tracing::debug_span!(target: "tropos::request", "request", exception.message = tracing::field::Empty)
        });
        render.in_scope(|| render.record("exception.message", tracing::field::display(Looks)));
        drop(render);
        guard.trace().finish(Ended::Whole);
        let trace = tracer.ring().unwrap().latest()[0].clone();
        done.send(trace.root().unwrap().failure.clone()).unwrap();
    });
    let failure = ended.recv_timeout(Duration::from_secs(20)).expect("it stands still");
    assert_eq!(failure.as_deref(), Some("1"));
}
