//! Spans and their attributes.

use crate::trace::Kind;
use std::fmt::Write as _;

/// A sort of spans.
#[derive(Debug, Clone, Copy)]
pub struct SpanName {
    /// The sort, by which Tropos knows it.
    pub sort: &'static str,
    /// The target of the `tracing` span.
    pub target: &'static str,
    /// The name of the `tracing` span.
    pub span: &'static str,
    /// The name under which it is sent, where it is always the same; else how that is made.
    pub shown: &'static str,
    /// What it stands for.
    pub kind: Kind,
    /// What it covers.
    pub about: &'static str,
    /// Attributes that it may have.
    pub attributes: &'static [&'static str],
}

/// A sort of events that spans have.
#[derive(Debug, Clone, Copy)]
pub struct EventName {
    /// The name under which it is sent, or how that is made.
    pub shown: &'static str,
    /// What it says.
    pub about: &'static str,
    /// Attributes that it may have.
    pub attributes: &'static [&'static str],
}

/// An attribute.
#[derive(Debug, Clone, Copy)]
pub struct AttributeName {
    /// Its name.
    pub name: &'static str,
    /// Its type, and its unit.
    pub is: &'static str,
    /// What it says.
    pub about: &'static str,
}

/// The sort of a request's span.
pub const REQUEST: &str = "request";

/// Targets whose spans are recorded.
pub const TARGETS: [&str; 7] = [
    REQUEST_TARGET,
    "tropos::hook",
    "tropos::cache",
    "tropos::render",
    "tropos::fetch",
    "tropos::db",
    "tropos::live",
];

/// The target of requests, and of server functions.
pub const REQUEST_TARGET: &str = "tropos::request";

const CACHE_STATUS: &str = "tropos.cache.status";
const ERROR_TYPE: &str = "error.type";
/// Of the first span of a trace.
const KEPT: &str = "tropos.trace.kept";
/// Of the first span of a trace.
const LEFT_OUT: &str = "tropos.trace.left_out";

/// All sorts of spans.
pub const SPANS: &[SpanName] = &[
    SpanName {
        sort: REQUEST,
        target: REQUEST_TARGET,
        span: "request",
        shown: "`{method} {route}`, or `{method}` where there is no route",
        kind: Kind::Server,
        about: "A request, from its head to the last byte of its answer.",
        attributes: &[
            "http.request.method",
            "http.request.method_original",
            "http.response.status_code",
            "http.route",
            "url.path",
            "url.scheme",
            "server.address",
            "server.port",
            "client.address",
            "network.protocol.version",
            "tropos.mode",
            CACHE_STATUS,
            "tropos.hooks.outcome",
            "tropos.response.ended",
            KEPT,
            LEFT_OUT,
            ERROR_TYPE,
        ],
    },
    SpanName {
        sort: "hooks",
        target: "tropos::hook",
        span: "hooks",
        shown: "hooks",
        kind: Kind::Internal,
        about: "All hooks that a request goes through before files, cache and pages.",
        attributes: &["tropos.hooks.outcome"],
    },
    SpanName {
        sort: "cache lookup",
        target: "tropos::cache",
        span: "lookup",
        shown: "cache lookup",
        kind: Kind::Internal,
        about: "Asking for a stored page that is not a hit in memory; a render for it is beneath. A hit has none: the request says that it was one.",
        attributes: &[CACHE_STATUS],
    },
    SpanName {
        sort: "cache wait",
        target: "tropos::cache",
        span: "wait",
        shown: "cache wait",
        kind: Kind::Internal,
        about: "Waiting for a render that another request began.",
        attributes: &[],
    },
    SpanName {
        sort: "cached function",
        target: "tropos::cache",
        span: "function",
        shown: "`{function}`",
        kind: Kind::Internal,
        about: "A call of a cached function.",
        attributes: &["code.function.name", CACHE_STATUS],
    },
    SpanName {
        sort: "regenerate",
        target: "tropos::cache",
        span: "regenerate",
        shown: "`regenerate {route}`, or `regenerate {function}`",
        kind: Kind::Internal,
        about: "A render in the background. The first span of a trace of its own, linked to the request that caused it.",
        attributes: &["http.route", "tropos.cache.key", KEPT, LEFT_OUT, ERROR_TYPE],
    },
    SpanName {
        sort: "invalidate",
        target: "tropos::cache",
        span: "invalidate",
        shown: "invalidate",
        kind: Kind::Internal,
        about: "An invalidation, until it holds on this instance and in the shared store.",
        attributes: &[
            "tropos.invalidation.tags",
            "tropos.invalidation.count",
            "tropos.invalidation.strength",
            ERROR_TYPE,
        ],
    },
    SpanName {
        sort: "render",
        target: "tropos::render",
        span: "render",
        shown: "render",
        kind: Kind::Internal,
        about: "A page's function and its view: until the head is settled where the rest is streamed, else until the end.",
        attributes: &["http.route", "tropos.mode", ERROR_TYPE],
    },
    SpanName {
        sort: "suspended",
        target: "tropos::render",
        span: "suspended",
        shown: "render suspended",
        kind: Kind::Internal,
        about: "What is streamed after the head: the parts within `Suspense`.",
        attributes: &["http.route", ERROR_TYPE],
    },
    SpanName {
        sort: "fetch",
        target: "tropos::fetch",
        span: "fetch",
        shown: "`{method}`",
        kind: Kind::Client,
        about: "A fetch; its caller's `traceparent` goes out with it.",
        attributes: &[
            "http.request.method",
            "http.response.status_code",
            "server.address",
            "server.port",
            "url.full",
            CACHE_STATUS,
            ERROR_TYPE,
        ],
    },
    SpanName {
        sort: "query",
        target: "tropos::db",
        span: "query",
        shown: "`{db.query.summary}`",
        kind: Kind::Client,
        about: "A query of the database.",
        attributes: &[
            "db.system.name",
            "db.query.summary",
            "db.query.text",
            "db.response.returned_rows",
            "server.address",
            "server.port",
            "db.namespace",
            ERROR_TYPE,
        ],
    },
    SpanName {
        sort: "server function",
        target: REQUEST_TARGET,
        span: "function",
        shown: "`server function {route}`, or `handler {route}`",
        kind: Kind::Internal,
        about: "A server function, or a handler of the application's API.",
        attributes: &["http.route", ERROR_TYPE],
    },
    SpanName {
        sort: "live session",
        target: "tropos::live",
        span: "session",
        shown: "`live session {route}`",
        kind: Kind::Internal,
        about: "The stream of changes of one open page, from its first event to its end. The first span of a trace of its own, linked to the request that opened it.",
        attributes: &["http.route", "tropos.live.frames", "tropos.response.ended", KEPT, LEFT_OUT],
    },
    SpanName {
        sort: "live push",
        target: "tropos::live",
        span: "push",
        shown: "`live push {route}`",
        kind: Kind::Internal,
        about: "A render of an open page after an invalidation, for all who have it open. The first span of a trace of its own, linked to the session that began following the page.",
        attributes: &["http.route", KEPT, LEFT_OUT, ERROR_TYPE],
    },
];

/// All sorts of events.
pub const EVENTS: &[EventName] = &[
    EventName {
        shown: "`part`",
        about: "A part within `Suspense` goes out, on the span of what is streamed.",
        attributes: &["tropos.render.part"],
    },
    EventName {
        shown: "the figure's name",
        about: "A business figure has counted, on the span within which it was told.",
        attributes: &["tropos.business.number", "tropos.business.minor", "tropos.business.currency"],
    },
];

/// All attributes of spans and of their events.
pub const ATTRIBUTES: &[AttributeName] = &[
    AttributeName {
        name: "client.address",
        is: "string",
        about: "Who asks, behind trusted proxies. Only where `TROPOS_TRACE_CLIENT_ADDRESS=1`: it is personal.",
    },
    AttributeName { name: "code.function.name", is: "string", about: "The function, with its module." },
    AttributeName { name: "db.namespace", is: "string", about: "The database of PostgreSQL." },
    AttributeName {
        name: "db.query.summary",
        is: "string",
        about: "What a query does to which tables, without values.",
    },
    AttributeName {
        name: "db.query.text",
        is: "string",
        about: "The query, with `?` for each value that is written into it.",
    },
    AttributeName { name: "db.response.returned_rows", is: "int", about: "Rows that came, or were changed." },
    AttributeName { name: "db.system.name", is: "string", about: "`postgresql` or `sqlite`." },
    AttributeName {
        name: "error.type",
        is: "string",
        about: "What sort of failure it was: a status, the code of the database, or `_OTHER`; `cancelled` where whoever asked left before a query or fetch ended.",
    },
    AttributeName {
        name: "http.request.method",
        is: "string",
        about: "The method; `_OTHER` for one that HTTP does not know.",
    },
    AttributeName {
        name: "http.request.method_original",
        is: "string",
        about: "The method as it was sent, where that is `_OTHER`.",
    },
    AttributeName { name: "http.response.status_code", is: "int", about: "The status of the answer." },
    AttributeName {
        name: "http.route",
        is: "string",
        about: "The pattern of the route, also where the answer is 404 or 500; of hashed files, streams and invalidations that of Tropos itself.",
    },
    AttributeName { name: "network.protocol.version", is: "string", about: "`1.0`, `1.1` or `2`." },
    AttributeName {
        name: "server.address",
        is: "string",
        about: "The host: of the request, of the fetch, of the database.",
    },
    AttributeName { name: "server.port", is: "int", about: "Its port." },
    AttributeName {
        name: "tropos.business.currency",
        is: "string",
        about: "The currency of an amount, as `business::value` was told.",
    },
    AttributeName {
        name: "tropos.business.minor",
        is: "int",
        about: "An amount, in the currency's smallest unit.",
    },
    AttributeName {
        name: "tropos.business.number",
        is: "int",
        about: "A number, as `business::count` was told.",
    },
    AttributeName {
        name: "tropos.cache.key",
        is: "string",
        about: "The name of the stored page: its route, path and variants, without the values of its query.",
    },
    AttributeName {
        name: "tropos.cache.status",
        is: "string",
        about: "What the cache did and why, in the words of `Cache-Status`; `same render` for a call that the render had made before.",
    },
    AttributeName {
        name: "tropos.hooks.outcome",
        is: "string",
        about: "`passed` or `answered`. On a request only where a hook answered it on the quick path.",
    },
    AttributeName { name: "tropos.invalidation.count", is: "int", about: "The number of tags." },
    AttributeName { name: "tropos.invalidation.strength", is: "string", about: "`hard` or `soft`." },
    AttributeName {
        name: "tropos.invalidation.tags",
        is: "string",
        about: "The first ten tags, with commas.",
    },
    AttributeName { name: "tropos.live.frames", is: "int", about: "Events that were sent." },
    AttributeName {
        name: "tropos.mode",
        is: "string",
        about: "The mode of the page: `ssg`, `isr`, `server`, `live`.",
    },
    AttributeName {
        name: "tropos.render.part",
        is: "string",
        about: "Which of the page's parts within `Suspense` an event `part` is of: the number that its fallback has in the page.",
    },
    AttributeName {
        name: "tropos.response.ended",
        is: "string",
        about: "Only where an answer was not sent whole: `client_left`, `failed`; `refused` for a session that there was no room for.",
    },
    AttributeName {
        name: "tropos.trace.kept",
        is: "string",
        about: "Only where the sampler did not keep the trace: `failed` or `slow`.",
    },
    AttributeName {
        name: "tropos.trace.left_out",
        is: "int",
        about: "Only where the trace had more spans than one may: how many are not there.",
    },
    AttributeName {
        name: "url.full",
        is: "string",
        about: "The address of a fetch, without its query and without credentials.",
    },
    AttributeName {
        name: "url.path",
        is: "string",
        about: "The path as it was asked for, without the ticket of a live page.",
    },
    AttributeName { name: "url.scheme", is: "string", about: "`http` or `https`, by the public origin." },
];

/// The sort of a `tracing` span; `None` for those that are not recorded.
pub fn sort_of(target: &str, span: &str) -> Option<&'static SpanName> {
    SPANS.iter().find(|name| name.span == span && name.target == target)
}

/// The tables as the reference has them.
pub fn markdown() -> String {
    let mut text =
        String::from("| span | name | kind | what it covers | attributes |\n|---|---|---|---|---|\n");
    for span in SPANS {
        let kind = match span.kind {
            Kind::Internal => "internal",
            Kind::Server => "server",
            Kind::Client => "client",
        };
        let shown =
            if span.shown.contains('`') { span.shown.to_owned() } else { format!("`{}`", span.shown) };
        let attributes: Vec<String> = span.attributes.iter().map(|name| format!("`{name}`")).collect();
        // A text takes everything.
        let _ = writeln!(
            text,
            "| {} | {shown} | {kind} | {} | {} |",
            span.sort,
            span.about,
            attributes.join(", ")
        );
    }
    text.push_str("\n| event | when | attributes |\n|---|---|---|\n");
    for event in EVENTS {
        let attributes: Vec<String> = event.attributes.iter().map(|name| format!("`{name}`")).collect();
        let _ = writeln!(text, "| {} | {} | {} |", event.shown, event.about, attributes.join(", "));
    }
    text.push_str("\n| attribute | type | what it says |\n|---|---|---|\n");
    for attribute in ATTRIBUTES {
        let _ = writeln!(text, "| `{}` | {} | {} |", attribute.name, attribute.is, attribute.about);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attribute_of_a_span_or_event_is_described_and_every_description_is_used() {
        for span in SPANS {
            assert!(TARGETS.contains(&span.target), "{}", span.sort);
            for name in span.attributes {
                assert!(ATTRIBUTES.iter().any(|known| known.name == *name), "{}: {name}", span.sort);
            }
        }
        for name in EVENTS.iter().flat_map(|event| event.attributes) {
            assert!(ATTRIBUTES.iter().any(|known| known.name == *name), "{name}");
        }
        for attribute in ATTRIBUTES {
            let of_spans = SPANS.iter().map(|span| span.attributes);
            let mut all = of_spans.chain(EVENTS.iter().map(|event| event.attributes));
            assert!(all.any(|names| names.contains(&attribute.name)), "{}", attribute.name);
        }
        assert!(ATTRIBUTES.is_sorted_by_key(|attribute| attribute.name));
    }
}
