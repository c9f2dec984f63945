//! What was done before an error, as far as the trace of its request knows.

use super::report::{Breadcrumb, ErrorContext, MOST_BREADCRUMBS};
use crate::trace::{self, Span, Value};
use std::fmt::Write as _;

impl ErrorContext {
    /// Adds what the trace knows within which this runs: its ids, the route, and the last queries, fetches and looks into the
    /// cache. Nothing where no trace is under way.
    pub fn add_trace(&mut self) {
        let Some(current) = trace::current() else { return };
        self.trace_id = Some(current.trace().to_string());
        self.span_id = Some(current.context().span.to_string());
        if self.route.is_none() {
            self.route = current.route().map(str::to_owned);
        }
        // A render that ends by the error is not what led to it.
        let work = current.work(MOST_BREADCRUMBS).into_iter().filter(|span| span.sort != "render");
        self.breadcrumbs = work.map(|span| crumb(&span)).collect();
    }
}

/// A span without values: neither texts of queries nor addresses of fetches.
fn crumb(span: &Span) -> Breadcrumb {
    let mut message = span.name.to_string();
    let mut add = |name: &str| match span.attribute(name) {
        Some(Value::Text(text)) => drop(write!(message, " {text}")),
        Some(Value::Int(number)) => drop(write!(message, " {number}")),
        _ => {}
    };
    for name in ["server.address", "http.response.status_code", "tropos.cache.status", "error.type"] {
        add(name);
    }
    Breadcrumb {
        at: span.end / 1_000_000,
        category: span.sort.to_owned(),
        message,
        took_ms: Some(span.took() / 1_000_000),
        failed: span.failure.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{Kind, SpanId};

    #[test]
    fn a_breadcrumb_says_what_was_done_and_with_no_value_of_it() {
        let span = Span {
            id: SpanId::random(),
            parent: None,
            name: "GET".into(),
            sort: "fetch",
            kind: Kind::Client,
            start: 1_700_000_000_000_000_000,
            end: 1_700_000_000_012_900_000,
            attributes: vec![
                ("url.full", "https://prices.example/planted?who=planted".into()),
                ("db.query.text", "select planted".into()),
                ("server.address", "prices.example".into()),
                ("http.response.status_code", 503_i64.into()),
            ],
            events: Vec::new(),
            links: Vec::new(),
            failure: Some("planted".to_owned()),
            left_out: [0; 3],
        };
        let crumb = crumb(&span);
        assert_eq!(crumb.message, "GET prices.example 503");
        assert_eq!((crumb.category.as_str(), crumb.took_ms, crumb.failed), ("fetch", Some(12), true));
        assert_eq!(crumb.at, 1_700_000_000_012);
    }
}
