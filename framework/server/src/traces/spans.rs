//! The spans that the server makes below a request's. They cost nothing where nobody listens; names and fields are those of
//! `tropos_telemetry::names::spans`.

use crate::routing::PageRoute;
use memchr::memmem;
use tracing::{Span, debug_span, field::Empty};
use tropos_telemetry::trace::current;

/// The request itself.
pub(super) fn request() -> Span {
    debug_span!(target: "tropos::request", "request")
}

/// All hooks of a request.
pub(crate) fn hooks() -> Span {
    debug_span!(target: "tropos::hook", "hooks", tropos.hooks.outcome = Empty)
}

/// Asking for a stored page.
pub(crate) fn lookup() -> Span {
    debug_span!(target: "tropos::cache", "lookup", tropos.cache.status = Empty)
}

/// A page's function and its view.
pub(crate) fn render(page: &PageRoute) -> Span {
    debug_span!(
        target: "tropos::render",
        "render",
        http.route = page.route.pattern(),
        tropos.mode = page.route.mode().as_str(),
        error.type = Empty,
        exception.message = Empty,
        tropos.done = Empty,
    )
}

/// What is streamed after the head. Part of `parent`, whoever polls it.
pub(crate) fn suspended(parent: &Span) -> Span {
    debug_span!(target: "tropos::render", parent: parent, "suspended", error.type = Empty, exception.message = Empty)
}

/// Notes which of a page's suspended parts go out by this piece of it, within its span.
pub(crate) fn parts(piece: &str) {
    // As Leptos writes them: `<template id="1-f">`, `f` for what fills the place of the fallback.
    const BEFORE: &str = "<template id=\"";
    for at in memmem::find_iter(piece.as_bytes(), BEFORE) {
        let id = piece.get(at + BEFORE.len()..).and_then(|rest| rest.split('"').next()?.strip_suffix("-f"));
        if let (Some(id), Some(current)) = (id, current()) {
            current.event("part", vec![("tropos.render.part", id.to_owned().into())]);
        }
    }
}

/// A server function, or a handler of the application's API.
///
/// Which handler it is is known only when the router has found it: [`named`] says so.
pub(crate) fn function(path: Option<&str>) -> Span {
    let span = debug_span!(target: "tropos::request", "function", otel.name = Empty, http.route = Empty, error.type = Empty);
    match path {
        Some(path) => named(&span, "server function", path),
        // Until one is found; where none is, for good.
        None => _ = span.record("otel.name", "handler"),
    }
    span
}

/// Says which of its sort a span is of.
pub(crate) fn named(span: &Span, sort: &str, route: &str) {
    if !span.is_disabled() {
        span.record("otel.name", format!("{sort} {route}"));
        span.record("http.route", route);
    }
}

/// A page made again without a visitor.
pub(crate) fn regenerate() -> Span {
    debug_span!(target: "tropos::cache", parent: None, "regenerate")
}

/// The stream of an open page.
pub(super) fn session() -> Span {
    debug_span!(target: "tropos::live", parent: None, "session")
}

/// A render of an open page, for all who have it open.
pub(crate) fn push() -> Span {
    debug_span!(target: "tropos::live", parent: None, "push")
}

/// Says that a render has failed.
pub(crate) fn failed(span: &Span, why: &dyn std::fmt::Display) {
    if !span.is_disabled() {
        // Written out before anybody who listens holds a lock: where it panics, the report of the panic looks at the trace.
        let why = why.to_string();
        span.record("error.type", "_OTHER");
        span.record("exception.message", why.as_str());
    }
}

/// Says that it is done, though what it has begun goes on.
pub(crate) fn done(span: &Span) {
    span.record("tropos.done", true);
}
