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
                let fields = read(limits, |visit| attributes.record(visit));
                building.change(0, |root| _ = fill(root, limits, fields));
            }
            let (id, ends) = (building.root, Ends::Nothing);
            span.extensions_mut().insert(Within { building, id, at: 0, ends });
            return;
        }
        let metadata = attributes.metadata();
        let Some(name) = spans::sort_of(metadata.target(), metadata.name()) else { return };
        if name.sort == "regenerate" {
            let mut made = empty(name, SpanId::random(), None, 0);
            let limits = Limits::default();
            fill(&mut made, limits, read(limits, |visit| attributes.record(visit)));
            span.extensions_mut().insert(Caused(made));
            return;
        }
        let Some(Within { building, id: parent, .. }) = within(&span) else { return };
        let mut made = empty(name, SpanId::random(), Some(parent), building.now());
        let limits = building.limits();
        fill(&mut made, limits, read(limits, |visit| attributes.record(visit)));
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
        let within = span.extensions().get::<Within>().cloned();
        let Some(Within { building, at, .. }) = within else {
            if span.extensions().get::<Caused>().is_some() {
                let limits = Limits::default();
                let fields = read(limits, |visit| values.record(visit));
                if let Some(Caused(made)) = span.extensions_mut().get_mut() {
                    fill(made, limits, fields);
                }
            }
            return;
        };
        if !building.records {
            return;
        }
        let (limits, now) = (building.limits(), building.now());
        let fields = read(limits, |visit| values.record(visit));
        building.change(at, |span| {
            if fill(span, limits, fields) {
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

/// A field and its value.
type Given = (&'static str, Value);

/// The fields as they are given. Read before anything is locked: a value is written by whoever made its type, and where that panics, what
/// reports the panic looks at the trace.
fn read(limits: Limits, record: impl FnOnce(&mut Fields)) -> Vec<Given> {
    let mut fields = Fields { limits, given: Vec::new() };
    record(&mut fields);
    fields.given
}

/// Takes fields into a span; says whether they said that it is done, though spans below it go on.
fn fill(span: &mut Span, limits: Limits, given: Vec<Given>) -> bool {
    let mut done = false;
    for (name, value) in given {
        match name {
            "tropos.done" => done = true,
            _ => take(span, limits, name, value),
        }
    }
    done
}

fn take(span: &mut Span, limits: Limits, name: &'static str, value: Value) {
    match (name, &value) {
        ("otel.name", Value::Text(text)) => {
            span.name = building::short(text.clone(), limits.text.min(256));
            return;
        }
        // Of its sort.
        ("otel.kind", _) => return,
        ("exception.message", Value::Text(text)) => {
            let text = building::short(text.clone(), limits.text).into_owned();
            span.failure = Some(text);
            return;
        }
        // What the database's pool knows a server by.
        ("server.address", Value::Text(text)) if span.sort == "query" => {
            if let Some((host, port, database)) = parts_of_place(text) {
                let (host, database) = (host.to_owned(), database.map(str::to_owned));
                building::set(span, &limits, name, host.into());
                building::set(span, &limits, "server.port", i64::from(port).into());
                if let Some(database) = database {
                    building::set(span, &limits, "db.namespace", database.into());
                }
                return;
            }
        }
        // The key of a function has its arguments, which are values.
        ("tropos.cache.key", _) if span.attribute("http.route").is_none() => return,
        ("error.type", _) => {
            span.failure.get_or_insert_default();
        }
        // By the conventions of clients, an answer of 400 and more is an error.
        ("http.response.status_code", Value::Int(status @ 400..)) if span.kind == Kind::Client => {
            span.failure.get_or_insert_default();
            building::set(span, &limits, "error.type", status.to_string().into());
        }
        _ => {}
    }
    building::set(span, &limits, name, value);
}

/// Host, port and database of `host:port/database`. A host may have colons, and the folder of a socket slashes: the port is what stands
/// as a number between one of each.
fn parts_of_place(place: &str) -> Option<(&str, u16, Option<&str>)> {
    place.match_indices(':').find_map(|(at, _)| {
        let (host, rest) = (place.get(..at)?, place.get(at + 1..)?);
        let (port, database) = rest.split_once('/').map_or((rest, None), |(port, name)| (port, Some(name)));
        Some((host, port.parse().ok()?, database.filter(|name| !name.is_empty())))
    })
}

struct Fields {
    limits: Limits,
    given: Vec<Given>,
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.given.push((field.name(), value.into()));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.given.push((field.name(), value.into()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.given.push((field.name(), i64::try_from(value).unwrap_or(i64::MAX).into()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.given.push((field.name(), value.into()));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let most = value.floor_char_boundary(self.limits.text);
        let text = value.get(..most).unwrap_or_default();
        self.given.push((field.name(), text.to_owned().into()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.given.push((field.name(), format!("{value:?}").into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_of_the_database_has_a_host_a_port_and_a_database() {
        for (place, expected) in [
            ("db-1:5432/shop", Some(("db-1", 5432, Some("shop")))),
            ("db-1:5432", Some(("db-1", 5432, None))),
            ("db-1:5432/", Some(("db-1", 5432, None))),
            ("::1:5432/shop", Some(("::1", 5432, Some("shop")))),
            ("[::1]:5432/shop", Some(("[::1]", 5432, Some("shop")))),
            ("/var/run/postgresql:5432/shop", Some(("/var/run/postgresql", 5432, Some("shop")))),
            ("db-1:5432/a/b", Some(("db-1", 5432, Some("a/b")))),
            ("db-1", None),
            ("db-1:99999/shop", None),
        ] {
            assert_eq!(parts_of_place(place), expected, "{place}");
        }
    }
}
