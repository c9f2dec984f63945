//! A trace under way.

use super::{
    baggage::Baggage,
    context::{SpanContext, SpanId, TraceId, TraceState},
    sampling::{self, Kept},
    span::{Attribute, Event, Kind, Span, Text, Trace, UnixNanos, Value},
    tracer::Tracer,
};
use crate::config::Limits;
use std::{
    borrow::Cow,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// Room for a page that asks for little is made at once.
const USUAL_SPANS: usize = 4;

/// What is known of a trace when it begins.
pub(crate) struct Begun {
    pub(crate) tracer: Tracer,
    pub(crate) caller: Option<SpanContext>,
    pub(crate) state: TraceState,
    pub(crate) baggage: Baggage,
    /// Whether what happens in it is noted; else it has nothing but its ids.
    pub(crate) records: bool,
    /// Whether it may be slow, or takes as long as it likes.
    pub(crate) may_be_slow: bool,
}

/// A trace under way, as far as this process makes it. The spans of all tasks that belong to it come here.
pub(crate) struct Building {
    pub(crate) id: TraceId,
    pub(crate) root: SpanId,
    pub(crate) caller: Option<SpanContext>,
    pub(crate) state: TraceState,
    pub(crate) baggage: Baggage,
    pub(crate) records: bool,
    tracer: Tracer,
    sampled: AtomicBool,
    may_be_slow: bool,
    began: Instant,
    wall: UnixNanos,
    route: OnceLock<Text>,
    work: Mutex<Work>,
}

#[derive(Default)]
struct Work {
    /// The first is the root.
    spans: Vec<Span>,
    /// Those that have not ended, without the root.
    open: usize,
    /// When the root ended.
    over: Option<Instant>,
    /// Nothing is taken any more.
    gone: bool,
    left_out: u32,
}

impl Building {
    pub(crate) fn new(
        begun: Begun,
        sampled: impl FnOnce(TraceId) -> bool,
        root: impl FnOnce(SpanId, UnixNanos) -> Span,
    ) -> Arc<Self> {
        let Begun { tracer, caller, state, baggage, records, may_be_slow } = begun;
        let id = caller.map_or_else(TraceId::random, |caller| caller.trace);
        let (span, wall) = (SpanId::random(), tracer.wall());
        let work = match records {
            true => {
                let mut spans = Vec::with_capacity(USUAL_SPANS);
                spans.push(root(span, wall));
                Work { spans, ..Work::default() }
            }
            false => Work::default(),
        };
        Arc::new(Self {
            id,
            root: span,
            caller,
            state,
            baggage,
            records,
            sampled: AtomicBool::new(records && sampled(id)),
            tracer,
            may_be_slow,
            began: Instant::now(),
            wall,
            route: OnceLock::new(),
            work: Mutex::new(work),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tracer(&self) -> &Tracer {
        &self.tracer
    }

    pub(crate) fn limits(&self) -> Limits {
        self.tracer.limits()
    }

    pub(crate) fn is_sampled(&self) -> bool {
        self.sampled.load(Ordering::Relaxed)
    }

    /// The pattern of its route, once that is known.
    pub(crate) fn route(&self) -> Option<&str> {
        self.route.get().map(|route| &**route)
    }

    pub(crate) fn set_route(&self, route: Text) {
        // A request has one; what is rewritten has not got one yet.
        drop(self.route.set(route));
    }

    /// This span, as others are told of it.
    pub(crate) fn context(&self, span: SpanId) -> SpanContext {
        SpanContext { trace: self.id, span, sampled: self.is_sampled() }
    }

    /// Now, as spans have it: by the wall clock when the trace began, and by the monotonic one since.
    pub(crate) fn now(&self) -> UnixNanos {
        self.wall.saturating_add(u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// Adds a span that begins now; `None` where there is no room, or the trace is gone already.
    pub(crate) fn begin(&self, span: Span) -> Option<usize> {
        let mut work = self.lock();
        if work.gone || !self.records {
            return None;
        }
        if work.spans.len() >= self.limits().spans {
            work.left_out = work.left_out.saturating_add(1);
            return None;
        }
        work.open += 1;
        work.spans.push(span);
        Some(work.spans.len() - 1)
    }

    pub(crate) fn change(&self, at: usize, change: impl FnOnce(&mut Span)) {
        if let Some(span) = self.lock().spans.get_mut(at) {
            change(span);
        }
    }

    /// A span has ended. It may have said before when.
    pub(crate) fn end(self: &Arc<Self>, at: usize) {
        let now = self.now();
        let mut work = self.lock();
        if let Some(span) = work.spans.get_mut(at).filter(|span| span.end == span.start) {
            span.end = now;
        }
        work.open = work.open.saturating_sub(1);
        if work.open == 0 && work.over.is_some() {
            self.ship(work);
        }
    }

    /// The root has ended, and the trace with it, or with the last span that is under way. Said again, it changes nothing.
    pub(crate) fn finish(self: &Arc<Self>, change: impl FnOnce(&mut Span)) {
        if !self.records {
            return;
        }
        let now = self.now();
        let mut work = self.lock();
        if work.over.is_some() {
            return;
        }
        work.over = Some(Instant::now());
        if let Some(root) = work.spans.first_mut() {
            root.end = now.max(root.start + 1);
            change(root);
        }
        match work.open {
            0 => self.ship(work),
            _ => {
                drop(work);
                self.tracer.linger(self);
            }
        }
    }

    /// Whether it has been sent, or left.
    pub(crate) fn is_gone(&self) -> bool {
        self.lock().gone
    }

    /// Sends what there is, where the root ended so long ago; says whether the trace is gone.
    pub(crate) fn give_up(&self, after: Duration) -> bool {
        let work = self.lock();
        if work.gone {
            return true;
        }
        let is_late = work.over.is_some_and(|over| over.elapsed() >= after);
        if is_late {
            self.ship(work);
        }
        is_late
    }

    fn ship(&self, mut work: MutexGuard<'_, Work>) {
        if std::mem::replace(&mut work.gone, true) {
            return;
        }
        let mut spans = std::mem::take(&mut work.spans);
        let left_out = work.left_out;
        drop(work);
        let now = self.now();
        for span in spans.iter_mut().filter(|span| span.end == span.start) {
            // Cut short, or too quick for the clock.
            span.end = now.max(span.start + 1);
        }
        let took = Duration::from_nanos(spans.first().map_or(0, Span::took));
        let failed = spans.iter().any(counts_as_failed);
        let (sampler, slow) = self.tracer.thresholds();
        let kept =
            sampling::keep(sampler, self.is_sampled(), failed, took, slow.filter(|_| self.may_be_slow));
        let Some(kept) = kept.filter(|kept| *kept == Kept::Sampled || self.tracer.tails().take()) else {
            return;
        };
        // A request is named by its method alone until here, since most traces are not kept.
        let root = spans.first_mut().filter(|root| root.kind == Kind::Server);
        if let (Some(root), Some(route)) = (root, self.route.get()) {
            root.name = format!("{} {route}", root.name).into();
            set(root, &self.limits(), "http.route", Value::Text(route.clone()));
        }
        if let (Some(root), true) = (spans.first_mut(), kept != Kept::Sampled) {
            set(root, &self.limits(), "tropos.trace.kept", kept.as_str().into());
        }
        if let (Some(root), true) = (spans.first_mut(), left_out > 0) {
            set(root, &self.limits(), "tropos.trace.left_out", i64::from(left_out).into());
        }
        let state = self.state.as_str().to_owned();
        self.tracer.keep(Trace { id: self.id, state, sampled: self.is_sampled(), kept, spans, left_out });
    }

    /// The last spans that are over, without the root, the oldest first.
    pub(crate) fn last_work(&self, most: usize) -> Vec<Span> {
        let work = self.lock();
        let over = work.spans.iter().skip(1).filter(|span| span.end != span.start);
        let mut last: Vec<Span> = over.rev().take(most).cloned().collect();
        last.reverse();
        last
    }

    /// How long work of each sort took so far, in nanoseconds, and how often it was done.
    pub(crate) fn sums(&self) -> Vec<(&'static str, u64, u32)> {
        let now = self.now();
        let mut sums: Vec<(&'static str, u64, u32)> = Vec::new();
        for span in self.lock().spans.iter().skip(1) {
            let end = if span.end == span.start { now } else { span.end };
            let took = end.saturating_sub(span.start);
            match sums.iter_mut().find(|(sort, ..)| *sort == span.sort) {
                Some((_, sum, count)) => (*sum, *count) = (*sum + took, *count + 1),
                None => sums.push((span.sort, took, 1)),
            }
        }
        sums
    }

    /// How long it has lasted, in nanoseconds.
    pub(crate) fn lasted(&self) -> u64 {
        self.now().saturating_sub(self.wall)
    }
}

/// Whether a span makes its trace one that failed. A fetch that was answered 404 is an error by the conventions of clients, and often
/// all is well; so is work that was given up because its reader left.
fn counts_as_failed(span: &Span) -> bool {
    let refused = matches!(span.attribute("http.response.status_code"), Some(Value::Int(400..=499)));
    let cancelled = matches!(span.attribute("error.type"), Some(Value::Text(word)) if word == "cancelled");
    span.failure.is_some() && !refused && !cancelled
}

/// Sets an attribute, within the bounds.
pub(crate) fn set(span: &mut Span, limits: &Limits, name: &'static str, value: Value) {
    let value = cut(value, limits.text);
    if let Some((_, old)) = span.attributes.iter_mut().find(|(known, _)| *known == name) {
        *old = value;
    } else if span.attributes.len() < limits.attributes {
        span.attributes.push((name, value));
    } else {
        span.left_out[0] = span.left_out[0].saturating_add(1);
    }
}

/// Adds an event, within the bounds.
pub(crate) fn add_event(
    span: &mut Span,
    limits: &Limits,
    name: Text,
    at: UnixNanos,
    attributes: Vec<Attribute>,
) {
    if span.events.len() >= limits.events {
        span.left_out[1] = span.left_out[1].saturating_add(1);
        return;
    }
    let attributes = attributes.into_iter().take(limits.attributes);
    let attributes = attributes.map(|(name, value)| (name, cut(value, limits.text))).collect();
    span.events.push(Event { name: short(name, limits.text), at, attributes });
}

/// Adds a link, within the bounds.
pub(crate) fn add_link(span: &mut Span, limits: &Limits, to: SpanContext) {
    match span.links.len() < limits.links {
        true => span.links.push(to),
        false => span.left_out[2] = span.left_out[2].saturating_add(1),
    }
}

fn cut(value: Value, most: usize) -> Value {
    match value {
        Value::Text(text) => Value::Text(short(text, most)),
        other => other,
    }
}

/// A text of at most so many bytes.
pub(crate) fn short(text: Text, most: usize) -> Text {
    match text.len() <= most {
        true => text,
        false => {
            let mut text = text.into_owned();
            text.truncate(text.floor_char_boundary(most));
            Cow::Owned(text)
        }
    }
}
