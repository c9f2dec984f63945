//! What is known of the request in which an error happens.

use crate::page::PageCx;
use tropos_cache::Scope;
use tropos_telemetry::{
    errors::ErrorContext,
    names::{method_name, metrics::OTHER},
    trace::SpanContext,
};

/// What is known of the render, server function or task that runs.
pub(crate) fn context() -> ErrorContext {
    of(PageCx::current().as_ref())
}

/// The same, where what runs in it is over.
pub(super) fn of(cx: Option<&PageCx>) -> ErrorContext {
    let mut context = ErrorContext::default();
    context.route = Scope::current().and_then(|scope| scope.route()).map(str::to_owned);
    if let Some(cx) = cx {
        context.mode = Some(cx.mode().as_str());
        context.experiments = cx.experiments();
        if let Some(head) = cx.head() {
            // Anybody may send any word.
            context.method = Some(method_name(&head.method).unwrap_or(OTHER).to_owned());
            // What the caller says, where no trace of our own is under way.
            context.trace_id = trace_of(&head.headers);
        }
    }
    context.add_trace();
    context
}

/// The trace that the caller has begun.
fn trace_of(headers: &http::HeaderMap) -> Option<String> {
    let caller = SpanContext::parse(headers.get("traceparent")?.as_bytes())?;
    Some(caller.trace.to_string())
}
