//! What an error knows of the trace in which it happens.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use http::{HeaderMap, HeaderValue, Method};
use std::{sync::Arc, time::Duration};
use tracing_subscriber::layer::SubscriberExt as _;
use tropos_core::ManualClock;
use tropos_telemetry::{
    Config,
    errors::ErrorContext,
    trace::{Tracer, layer},
};

const CALLER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[tokio::test]
async fn an_error_knows_the_trace_the_route_and_what_was_done_before_it() {
    let _default = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer(true)));
    let mut config = Config::default();
    config.ring = true;
    let tracer = Tracer::new(&config, Arc::new(ManualClock::new())).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("traceparent", HeaderValue::from_static(CALLER));
    let guard = tracer.begin(&Method::GET, &headers);
    guard.trace().set_route("/products/:id");
    let request = guard.trace().enter(|| tracing::debug_span!(target: "tropos::request", "request"));
    let _within = request.enter();
    for number in 0..40 {
        let query = tracing::debug_span!(
            target: "tropos::db",
            "query",
            otel.name = "SELECT product",
            db.query.text = "select * from product where name = 'planted'",
            server.address = %format!("db-{number}"),
        );
        let _query = query.enter();
        std::thread::sleep(Duration::from_micros(10));
    }
    let _under_way = tracing::debug_span!(target: "tropos::fetch", "fetch", otel.name = "GET").entered();
    let mut context = ErrorContext::default();
    context.add_trace();
    assert_eq!(context.trace_id.as_deref(), Some("0af7651916cd43dd8448eb211c80319c"));
    assert_eq!(context.span_id.as_ref().map(String::len), Some(16));
    assert_eq!(context.route.as_deref(), Some("/products/:id"));
    let messages: Vec<_> = context.breadcrumbs.iter().map(|crumb| crumb.message.as_str()).collect();
    assert_eq!(messages.len(), 30, "the last ones, and none that is not over");
    assert_eq!((messages[0], messages[29]), ("SELECT product db-10", "SELECT product db-39"));
    assert!(context.breadcrumbs.iter().all(|crumb| crumb.category == "query" && crumb.took_ms.is_some()));
}

#[test]
fn outside_of_a_trace_nothing_is_known() {
    let mut context = ErrorContext::default();
    context.add_trace();
    assert_eq!(context, ErrorContext::default());
}
