//! The trace within which code runs: for lines of the log, headers of fetches, and what an application tells of itself.

use super::{
    baggage::Baggage,
    building::{self, Building},
    context::{SpanContext, SpanId, TraceId},
    recorder,
    span::{Attribute, Span, Text},
};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::{fmt, sync::Arc};

/// The trace within which this code runs, and the innermost span of it that is recorded.
#[derive(Clone)]
pub struct Current {
    building: Arc<Building>,
    span: SpanId,
    at: usize,
}

/// The trace within which this code runs; `None` outside of requests and of what they caused, and where the program's subscriber has
/// not got [`layer`](super::layer).
pub fn current() -> Option<Current> {
    let (building, span, at) = recorder::current()?;
    Some(Current { building, span, at })
}

impl Current {
    /// The trace.
    pub fn trace(&self) -> TraceId {
        self.building.id
    }

    /// The span, as others are told of it.
    pub fn context(&self) -> SpanContext {
        self.building.context(self.span)
    }

    /// The pattern of the request's route, where it is known already.
    pub fn route(&self) -> Option<&str> {
        self.building.route()
    }

    /// What the caller gave along.
    pub fn baggage(&self) -> &Baggage {
        &self.building.baggage
    }

    /// What has been done for the request until now, without its own span: the last pieces of work that are over, the oldest
    /// first.
    pub fn work(&self, most: usize) -> Vec<Span> {
        self.building.last_work(most)
    }

    /// Notes that something happens now.
    pub fn event(&self, name: impl Into<Text>, attributes: Vec<Attribute>) {
        let (limits, now) = (self.building.limits(), self.building.now());
        self.building
            .change(self.at, |span| building::add_event(span, &limits, name.into(), now, attributes));
    }
}

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Current").field(&self.context()).finish()
    }
}

/// Adds the headers that carry the trace on, as far as they are not there yet.
///
/// Where nothing is recorded, what the caller sent is handed on as it came: no span of this process will ever be found.
pub fn inject(headers: &mut HeaderMap) {
    let Some(current) = current() else { return };
    let building = &current.building;
    let propagate = building.tracer().inner().propagate;
    let mut add = |name: &'static str, value: String| {
        if let (Ok(value), false) = (HeaderValue::from_str(&value), value.is_empty()) {
            headers.entry(HeaderName::from_static(name)).or_insert(value);
        }
    };
    if propagate.trace {
        let context = match (building.records, building.caller) {
            (false, Some(caller)) => caller,
            _ => current.context(),
        };
        add("traceparent", context.to_string());
        add("tracestate", building.state.as_str().to_owned());
    }
    if propagate.baggage {
        add("baggage", building.baggage.header());
    }
}
