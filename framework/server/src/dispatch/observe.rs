//! What is told about a page's answer.

use crate::routing::PageRoute;
use http::request::Parts;
use tracing::{Span, field::Empty};

/// The span of a page's answer, by OpenTelemetry's conventions for HTTP servers. It costs nothing where nobody listens: the dev
/// server's records do, and what a developer logs by. Traces have all of it in the request's.
pub(crate) fn page(head: &Parts, page: &PageRoute) -> Span {
    let span = tracing::debug_span!(
        target: "tropos::page",
        "page",
        otel.name = Empty,
        otel.kind = "server",
        http.request.method = %head.method,
        http.route = page.route.pattern(),
        url.path = head.uri.path(),
        tropos.mode = page.route.mode().as_str(),
        http.response.status_code = Empty,
        tropos.cache.status = Empty,
    );
    if !span.is_disabled() {
        span.record("otel.name", format!("{} {}", head.method, page.route.pattern()));
    }
    span
}
