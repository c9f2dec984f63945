//! How spans of `tracing` get into the trace of their request.
//!
//! What is done for a request happens in spans below its own, in whatever task: spawned work takes its span along. So each span
//! finds the trace of its request among its ancestors. A render in the background is of no request: its span begins a trace of
//! its own, linked to the one that caused it.

use super::{
    building::{self, Begun, Building},
    context::{SpanContext, SpanId},
    span::{Kind, Span, Value},
};
use crate::{config::Limits, names::spans};
use std::{borrow::Cow, cell::RefCell, fmt, sync::Arc};
use tracing::{
    Id, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Record},
};
use tracing_subscriber::{
    Layer, Registry,
    filter::{FilterFn, LevelFilter},
    layer::Context,
    registry::{LookupSpan, SpanRef},
};

thread_local! {
    /// The trace whose root span is being made on this thread.
    static HANDED: RefCell<Option<Arc<Building>>> = const { RefCell::new(None) };
}

/// Listens to the spans of Tropos: with `records`, to all of them, else to those of requests alone, so that lines of the log and
/// error pages know their trace. A program that has a subscriber of its own adds this to it.
pub fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(records: bool) -> impl Layer<S> {
    let is_ours = move |metadata: &Metadata<'_>| {
        let target = metadata.target();
        metadata.is_span()
            && match records {
                true => spans::TARGETS.contains(&target),
                false => target == spans::REQUEST_TARGET && metadata.name() == spans::REQUEST,
            }
    };
    Recorder.with_filter(FilterFn::new(is_ours).with_max_level_hint(LevelFilter::DEBUG))
}

/// Makes a span, and has the layer take it for the root of `building`.
pub(crate) fn hand<R>(building: &Arc<Building>, make: impl FnOnce() -> R) -> R {
    HANDED.with_borrow_mut(|handed| *handed = Some(building.clone()));
    let made = make();
    HANDED.with_borrow_mut(Option::take);
    made
}

/// The trace within which this runs, and the span of it.
pub(crate) fn current() -> Option<(Arc<Building>, SpanId, usize)> {
    tracing::dispatcher::get_default(|dispatch| {
        let registry = dispatch.downcast_ref::<Registry>()?;
        let current = registry.current_span();
        let span = registry.span(current.id()?)?;
        let Within { building, id, at, .. } = within(&span)?;
        Some((building, id, at))
    })
}

/// On a span: its trace, and which span of it this is.
#[derive(Clone)]
struct Within {
    building: Arc<Building>,
    id: SpanId,
    at: usize,
    /// Whether the end of this span is that of the recorded one: not for what stands within a span that is recorded.
    ends: Ends,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// A piece of work.
    Span,
    /// A root that nobody else ends.
    Root,
    /// Somebody else says when it ends.
    Nothing,
}

/// On the span of a render in the background, until it is known what caused it.
struct Caused(Span);

fn within<'a, R: LookupSpan<'a>>(span: &SpanRef<'a, R>) -> Option<Within> {
    span.scope().find_map(|span| span.extensions().get::<Within>().cloned())
}

struct Recorder;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Recorder {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, cx: Context<'_, S>) {
        let Some(span) = cx.span(id) else { return };
        let handed = HANDED.with_borrow_mut(Option::take);
        if let Some(building) = handed {
            if building.records {
                let limits = building.limits();
                building.change(0, |root| _ = fill(root, limits, |visit| attributes.record(visit)));
            }
            let (id, ends) = (building.root, Ends::Nothing);
            span.extensions_mut().insert(Within { building, id, at: 0, ends });
            return;
        }
        let metadata = attributes.metadata();
        if (metadata.target(), metadata.name()) == spans::WITHIN_REQUEST {
            return;
        }
        let Some(name) = spans::sort_of(metadata.target(), metadata.name()) else { return };
        if name.sort == "regenerate" {
            let mut made = empty(name, SpanId::random(), None, 0);
            fill(&mut made, Limits::default(), |visit| attributes.record(visit));
            span.extensions_mut().insert(Caused(made));
            return;
        }
        let Some(Within { building, id: parent, .. }) = within(&span) else { return };
        let mut made = empty(name, SpanId::random(), Some(parent), building.now());
        fill(&mut made, building.limits(), |visit| attributes.record(visit));
        let id = made.id;
        if let Some(at) = building.begin(made) {
            span.extensions_mut().insert(Within { building, id, at, ends: Ends::Span });
        }
    }

    fn on_follows_from(&self, span: &Id, follows: &Id, cx: Context<'_, S>) {
        let (Some(span), Some(cause)) = (cx.span(span), cx.span(follows)) else { return };
        let caused = span.extensions_mut().remove::<Caused>();
        let (Some(Caused(made)), Some(cause)) = (caused, within(&cause)) else { return };
        let building = regeneration(made, cause.building.context(cause.id), &cause.building);
        let id = building.root;
        span.extensions_mut().insert(Within { building, id, at: 0, ends: Ends::Root });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, cx: Context<'_, S>) {
        let Some(span) = cx.span(id) else { return };
        if let Some(Caused(made)) = span.extensions_mut().get_mut() {
            fill(made, Limits::default(), |visit| values.record(visit));
            return;
        }
        let extensions = span.extensions();
        let Some(Within { building, at, .. }) = extensions.get::<Within>() else { return };
        if !building.records {
            return;
        }
        let (limits, now) = (building.limits(), building.now());
        building.change(*at, |span| {
            if fill(span, limits, |visit| values.record(visit)) {
                span.end = now.max(span.start + 1);
            }
        });
    }

    fn on_close(&self, id: Id, cx: Context<'_, S>) {
        let Some(span) = cx.span(&id) else { return };
        let Some(Within { building, at, ends, .. }) = span.extensions_mut().remove() else { return };
        match ends {
            Ends::Span => building.end(at),
            Ends::Root => building.finish(|_| {}),
            Ends::Nothing => {}
        }
    }
}

/// A trace of its own for a render in the background. It is kept where the request that caused it is: a link that leads nowhere
/// helps nobody.
fn regeneration(made: Span, cause: SpanContext, of: &Building) -> Arc<Building> {
    let begun = Begun {
        tracer: of.tracer().clone(),
        caller: None,
        state: Default::default(),
        baggage: Default::default(),
        records: of.records,
        may_be_slow: true,
    };
    let building = Building::new(
        begun,
        |_| cause.sampled,
        |id, start| {
            let mut root = Span { id, start, end: start, ..made };
            building::add_link(&mut root, &of.limits(), cause);
            root
        },
    );
    building.change(0, |root| {
        if let Some(Value::Text(route)) = root.attribute("http.route") {
            building.set_route(route.clone());
        }
    });
    building
}

pub(crate) fn empty(name: &spans::SpanName, id: SpanId, parent: Option<SpanId>, start: u64) -> Span {
    Span {
        id,
        parent,
        name: Cow::Borrowed(name.shown),
        sort: name.sort,
        kind: name.kind,
        start,
        end: start,
        attributes: Vec::new(),
        events: Vec::new(),
        links: Vec::new(),
        failure: None,
        left_out: [0; 3],
    }
}

/// Takes fields into a span; says whether they said that it is done, though spans below it go on.
fn fill(span: &mut Span, limits: Limits, record: impl FnOnce(&mut Fields<'_>)) -> bool {
    let mut fields = Fields { span, limits, done: false };
    record(&mut fields);
    fields.done
}

struct Fields<'a> {
    span: &'a mut Span,
    limits: Limits,
    done: bool,
}

impl Fields<'_> {
    fn set(&mut self, field: &Field, value: Value) {
        let name = field.name();
        match (name, &value) {
            ("otel.name", Value::Text(text)) => {
                self.span.name = building::short(text.clone(), self.limits.text.min(256));
                return;
            }
            // Of its sort.
            ("otel.kind", _) => return,
            ("tropos.done", _) => {
                self.done = true;
                return;
            }
            ("exception.message", Value::Text(text)) => {
                let text = building::short(text.clone(), self.limits.text).into_owned();
                self.span.failure = Some(text);
                return;
            }
            // What the database's pool knows a server by.
            ("server.address", Value::Text(text)) if self.span.sort == "query" => {
                let split = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
                if let Some((host, port)) = split.map(|(host, port): (&str, u16)| (host.to_owned(), port)) {
                    building::set(self.span, &self.limits, name, host.into());
                    building::set(self.span, &self.limits, "server.port", i64::from(port).into());
                    return;
                }
            }
            // The key of a function has its arguments, which are values.
            ("tropos.cache.key", _) if self.span.attribute("http.route").is_none() => return,
            ("error.type", _) => {
                self.span.failure.get_or_insert_default();
            }
            // By the conventions of clients, an answer of 400 and more is an error.
            ("http.response.status_code", Value::Int(status @ 400..)) if self.span.kind == Kind::Client => {
                self.span.failure.get_or_insert_default();
                building::set(self.span, &self.limits, "error.type", status.to_string().into());
            }
            _ => {}
        }
        building::set(self.span, &self.limits, name, value);
    }
}

impl Visit for Fields<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, i64::try_from(value).unwrap_or(i64::MAX).into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let most = value.floor_char_boundary(self.limits.text);
        self.set(field, value.get(..most).unwrap_or_default().to_owned().into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, format!("{value:?}").into());
    }
}
