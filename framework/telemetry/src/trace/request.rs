//! The trace of one request, from its head to its last byte; and of what goes on in the background.

use super::{
    baggage::Baggage,
    building::{self, Begun, Building},
    context::{SpanContext, SpanId, TraceId, TraceState},
    recorder,
    sampling::Kept,
    span::{Attribute, Span, Text, Trace, UnixNanos, Value},
    tracer::Tracer,
};
use crate::names::{method_name, spans};
use http::{HeaderMap, Method};
use std::{borrow::Cow, fmt, sync::Arc};
use tokio::time::Instant;

/// How an answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// With its last byte.
    Whole,
    /// Before, because its reader left.
    Left,
    /// Before, because what made it failed.
    Failed(String),
}

/// The trace of one request. Clones are of the same.
///
/// Its span ends by [`finish`](Self::finish), at the latest when the [`Guard`] is dropped.
#[derive(Clone)]
pub struct RequestTrace(Arc<Building>);

/// Ends the span of a request that nobody ended: its future was dropped, because the client left.
#[derive(Debug)]
pub struct Guard(RequestTrace);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.finish(Ended::Left);
    }
}

impl Guard {
    /// The trace.
    pub fn trace(&self) -> &RequestTrace {
        &self.0
    }
}

impl Tracer {
    /// The trace of a request begins: the caller's, where it sent a sound `traceparent`, else a new one.
    pub fn begin(&self, method: &Method, headers: &HeaderMap) -> Guard {
        let (caller, state, baggage) = self.of_caller(headers);
        let begun = Begun {
            tracer: self.clone(),
            caller,
            state,
            baggage,
            records: self.records(),
            may_be_slow: true,
        };
        let sampled = |id| self.samples(caller.map(|caller| caller.sampled), id);
        let root = |id, start| request_span(method, caller.map(|caller| caller.span), id, start);
        Guard(RequestTrace(Building::new(begun, sampled, root)))
    }

    /// What goes on by itself, caused by the trace within which this runs, or by another. The layer takes the span that `make`
    /// makes for its root, which ends when the span closes.
    pub fn background(
        &self,
        sort: &'static str,
        route: &str,
        cause: Option<SpanContext>,
        make: impl FnOnce() -> tracing::Span,
    ) -> Background {
        let Some(name) = spans::SPANS.iter().find(|name| name.sort == sort) else {
            return Background { building: None, span: tracing::Span::none() };
        };
        let begun = Begun {
            tracer: self.clone(),
            caller: None,
            state: TraceState::default(),
            baggage: Baggage::default(),
            records: self.records(),
            // A session lasts as long as its reader stays.
            may_be_slow: sort != "live session",
        };
        let sampled = |id| match cause {
            // A link that leads nowhere helps nobody.
            Some(cause) => cause.sampled,
            None => self.samples(None, id),
        };
        let building = Building::new(begun, sampled, |id, start| {
            let mut span = recorder::empty(name, id, None, start);
            span.name = format!("{sort} {route}").into();
            span.attributes.push(("http.route", route.to_owned().into()));
            if let Some(cause) = cause {
                building::add_link(&mut span, &self.limits(), cause);
            }
            span
        });
        building.set_route(route.to_owned().into());
        let span = recorder::hand(&building, make);
        Background { building: Some(building), span }
    }

    /// Whether a hit is to be told of. To be asked before it is answered: then its time is taken. Where it is not, this has cost a look at
    /// one number and at the lines of `traceparent`. `lines` are those of the header of a name.
    pub fn hit<'l, L>(&self, lines: impl Fn(&'static str) -> L) -> Option<Hit>
    where
        L: Iterator<Item = &'l [u8]>,
    {
        if !self.records() {
            return None;
        }
        let caller = self.caller(|| lines("traceparent"));
        let id = caller.map_or_else(TraceId::random, |caller| caller.trace);
        let sampled = self.samples(caller.map(|caller| caller.sampled), id);
        sampled.then(|| Hit {
            id,
            caller: caller.map(|caller| caller.span),
            state: caller.map(|_| TraceState::parse(lines("tracestate"))).unwrap_or_default(),
            start: self.wall(),
            began: Instant::now(),
        })
    }

    fn of_caller(&self, headers: &HeaderMap) -> (Option<SpanContext>, TraceState, Baggage) {
        let lines = |name| headers.get_all(name).iter().map(http::HeaderValue::as_bytes);
        let caller = self.caller(|| lines("traceparent"));
        let state = caller.map(|_| TraceState::parse(lines("tracestate"))).unwrap_or_default();
        let baggage = match self.inner().propagate.baggage {
            true => Baggage::parse(lines("baggage")),
            false => Baggage::default(),
        };
        (caller, state, baggage)
    }

    /// The caller's span, by the lines of `traceparent`. W3C Trace Context §3.2.1: of several, none counts.
    fn caller<'l, L: Iterator<Item = &'l [u8]>>(&self, lines: impl FnOnce() -> L) -> Option<SpanContext> {
        if !self.inner().propagate.trace {
            return None;
        }
        let mut lines = lines();
        let only = lines.next().filter(|_| lines.next().is_none())?;
        SpanContext::parse(only)
    }
}

/// Room for as much as is said of most requests.
const USUAL_ATTRIBUTES: usize = 12;

/// The span of a request, as far as its method tells.
fn request_span(method: &Method, parent: Option<SpanId>, id: SpanId, start: UnixNanos) -> Span {
    let name = spans::sort_of(spans::REQUEST_TARGET, spans::REQUEST).unwrap_or(&spans::SPANS[0]);
    let mut span = recorder::empty(name, id, parent, start);
    span.attributes.reserve(USUAL_ATTRIBUTES);
    match method_name(method) {
        Some(word) => {
            span.name = word.into();
            span.attributes.push(("http.request.method", word.into()));
        }
        // The conventions' names for what HTTP does not know: anybody may send any word.
        None => {
            let original: String = method.as_str().chars().take(64).collect();
            span.name = "HTTP".into();
            span.attributes.push(("http.request.method", "_OTHER".into()));
            span.attributes.push(("http.request.method_original", original.into()));
        }
    }
    span
}

impl RequestTrace {
    /// The id of the trace: the caller's, where there is one.
    pub fn id(&self) -> TraceId {
        self.0.id
    }

    /// The span of the request, as others are told of it: for `traceresponse`.
    pub fn context(&self) -> SpanContext {
        self.0.context(self.0.root)
    }

    /// Makes the `tracing` span below which the request is answered.
    pub fn enter(&self, make: impl FnOnce() -> tracing::Span) -> tracing::Span {
        recorder::hand(&self.0, make)
    }

    /// Names the route by its pattern; the first one counts.
    pub fn set_route(&self, pattern: impl Into<Text>) {
        self.0.set_route(pattern.into());
    }

    /// Says something of the request.
    pub fn set(&self, name: &'static str, value: impl Into<Value>) {
        if self.0.records {
            let limits = self.0.limits();
            self.0.change(0, |root| building::set(root, &limits, name, value.into()));
        }
    }

    /// Says several things of the request at once; not asked for where nothing is recorded.
    pub fn set_all(&self, attributes: impl FnOnce() -> Vec<Attribute>) {
        if self.0.records {
            let (limits, attributes) = (self.0.limits(), attributes());
            self.0.change(0, |root| {
                for (name, value) in attributes {
                    building::set(root, &limits, name, value);
                }
            });
        }
    }

    /// The head of the answer is known: its status, and what the cache did.
    pub fn answered(&self, status: u16, cache_status: Option<&str>) {
        if !self.0.records {
            return;
        }
        let limits = self.0.limits();
        self.0.change(0, |root| {
            building::set(root, &limits, "http.response.status_code", i64::from(status).into());
            if let Some(cache_status) = cache_status {
                building::set(root, &limits, "tropos.cache.status", cache_status.to_owned().into());
            }
            if status >= 500 {
                building::set(root, &limits, "error.type", status.to_string().into());
                root.failure.get_or_insert_default();
            }
        });
    }

    /// Why it failed, in words for the collector and the dashboard; the reader is not told.
    pub fn failed(&self, why: &str) {
        let most = self.0.limits().text;
        self.0
            .change(0, |root| root.failure = Some(building::short(why.to_owned().into(), most).into_owned()));
    }

    /// The answer is over. The first time counts.
    pub fn finish(&self, ended: Ended) {
        let limits = self.0.limits();
        self.0.finish(|root| {
            let (word, why) = match ended {
                Ended::Whole => return,
                Ended::Left => ("client_left", None),
                Ended::Failed(why) => ("failed", Some(why)),
            };
            building::set(root, &limits, "tropos.response.ended", word.into());
            if let Some(why) = why {
                building::set(root, &limits, "error.type", "_OTHER".into());
                root.failure = Some(building::short(why.into(), limits.text).into_owned());
            }
        });
    }

    /// How long the request has taken so far, in nanoseconds.
    pub fn lasted(&self) -> u64 {
        self.0.lasted()
    }

    /// How long work of each sort took so far, in nanoseconds, and how often it was done. Pieces that ran at once count each.
    pub fn sums(&self) -> Vec<(&'static str, u64, u32)> {
        self.0.sums()
    }
}

impl fmt::Debug for RequestTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RequestTrace").field(&self.0.id).finish()
    }
}

/// Something that goes on by itself. Its trace ends when this is dropped.
pub struct Background {
    building: Option<Arc<Building>>,
    span: tracing::Span,
}

impl Background {
    /// The span below which it runs.
    pub fn span(&self) -> tracing::Span {
        self.span.clone()
    }

    /// Its first span, for those who link to it.
    pub fn context(&self) -> Option<SpanContext> {
        self.building.as_ref().map(|building| building.context(building.root))
    }

    /// Says something of it.
    pub fn set(&self, name: &'static str, value: impl Into<Value>) {
        if let Some(building) = &self.building {
            let limits = building.limits();
            building.change(0, |root| building::set(root, &limits, name, value.into()));
        }
    }

    /// It failed.
    pub fn failed(&self, why: &str) {
        if let Some(building) = &self.building {
            let limits = building.limits();
            building.change(0, |root| {
                building::set(root, &limits, "error.type", "_OTHER".into());
                root.failure = Some(building::short(why.to_owned().into(), limits.text).into_owned());
            });
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(building) = &self.building {
            building.finish(|_| {});
        }
    }
}

impl fmt::Debug for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Background").field(&self.context()).finish()
    }
}

/// A hit that is told of.
#[derive(Debug)]
pub struct Hit {
    id: TraceId,
    caller: Option<SpanId>,
    state: TraceState,
    start: UnixNanos,
    began: Instant,
}

impl Hit {
    /// It is answered: one span, that of the request, is all that there is to it.
    pub fn finish(
        self,
        tracer: &Tracer,
        method: &Method,
        route: Option<&str>,
        status: u16,
        attributes: Vec<Attribute>,
    ) {
        let took = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let mut span = request_span(method, self.caller, SpanId::random(), self.start);
        span.end = self.start.saturating_add(took.max(1));
        if let Some(route) = route {
            span.name = format!("{} {route}", span.name).into();
            span.attributes.push(("http.route", Value::Text(Cow::Owned(route.to_owned()))));
        }
        span.attributes.push(("http.response.status_code", i64::from(status).into()));
        let limits = tracer.limits();
        for (name, value) in attributes {
            building::set(&mut span, &limits, name, value);
        }
        let (id, kept, state) = (self.id, Kept::Sampled, self.state.into_text());
        tracer.keep(Trace { id, state, sampled: true, kept, spans: vec![span], left_out: 0 });
    }
}
