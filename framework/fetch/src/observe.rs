//! What is told about a fetch: a span by OpenTelemetry's names, with what the cache did. Neither queries nor headers appear:
//! they carry values.

use crate::{Error, Fetched, call::Call};
use tracing::{Span, field::Empty};
use tropos_cache::{Reason, http::CacheStatus};
use tropos_core::Mode;

/// A fetch begins. The span costs nothing where nobody listens to it.
pub(crate) fn fetch(call: &Call) -> Span {
    let span = tracing::debug_span!(
        target: "tropos::fetch",
        "fetch",
        otel.name = Empty,
        otel.kind = "client",
        http.request.method = %call.method,
        url.full = Empty,
        server.address = Empty,
        server.port = Empty,
        http.response.status_code = Empty,
        tropos.cache.status = Empty,
        error.type = Empty,
        exception.message = Empty,
    );
    if !span.is_disabled() {
        span.record("otel.name", call.method.as_str());
        span.record("url.full", call.shown_url());
        span.record("server.address", call.url.host_str().unwrap_or_default());
        if let Some(port) = call.url.port_or_known_default() {
            span.record("server.port", port);
        }
    }
    span
}

/// What the cache did.
pub(crate) fn served(span: &Span, reason: Reason) {
    if !span.is_disabled() {
        span.record("tropos.cache.status", tracing::field::display(CacheStatus::of(reason, Mode::Isr)));
    }
}

/// The same render had made the same call.
pub(crate) fn repeated(span: &Span) {
    span.record("tropos.cache.status", "same render");
}

/// What came of it.
pub(crate) fn ended(span: &Span, answer: &Result<Fetched, Error>) {
    if span.is_disabled() {
        return;
    }
    match answer {
        Ok(fetched) => span.record("http.response.status_code", fetched.status.as_u16()),
        // The convention's word where there is no class of errors to name.
        Err(error) => {
            span.record("error.type", "_OTHER").record("exception.message", tracing::field::display(error))
        }
    };
}
