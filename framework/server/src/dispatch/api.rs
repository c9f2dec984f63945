//! The application's API: handlers of Axum beside the pages.

use crate::traces::spans;
use axum::{
    Extension, Router,
    body::Body,
    extract::{MatchedPath, Request},
    middleware::{Next, from_fn},
};
use http::Response;
use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};
use tower::ServiceExt as _;
use tracing::Span;
use tropos_cache::Scope;
use tropos_telemetry::trace::RequestTrace;

/// Marks the answer of a router that had no route.
#[derive(Clone, Copy)]
struct Unmatched;

/// The router, so that what its handlers do is told of under their patterns, and what it has none for is known.
pub(crate) fn named(api: Router) -> Router {
    api.layer(from_fn(name)).fallback(async || Extension(Unmatched))
}

/// Calls it; `None` where it has no handler.
pub(super) async fn call(api: Router, request: Request) -> Option<Response<Body>> {
    let response = match api.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    response.extensions().get::<Unmatched>().is_none().then_some(response)
}

async fn name(request: Request, next: Next) -> Response<Body> {
    let Some(pattern) = request.extensions().get::<MatchedPath>().map(|path| kept(path.as_str())) else {
        return next.run(request).await;
    };
    if let Some(trace) = request.extensions().get::<RequestTrace>() {
        trace.set_route(pattern);
    }
    if let Some(scope) = Scope::current() {
        scope.set_route(pattern);
    }
    spans::named(&Span::current(), "handler", pattern);
    next.run(request).await
}

/// The pattern for as long as the process runs: there are as many as the application has written.
fn kept(pattern: &str) -> &'static str {
    static PATTERNS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut patterns = PATTERNS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = patterns.get(pattern) {
        return known;
    }
    let pattern: &'static str = Box::leak(pattern.into());
    patterns.insert(pattern);
    pattern
}
