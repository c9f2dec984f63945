//! How spans of queries, fetches and cached functions get into records.
//!
//! What is done for a page happens in spans below the page's own, in whatever task: spawned work takes its span along.
//! So each span that is of interest finds the record of its page among its ancestors. A render in the background is of no
//! request: its span begins a record of its own, and follows from the one that caused it.

use super::record::{Kind, LONGEST_TEXT, Record, Recording, Work, WorkKind};
use std::{cell::RefCell, fmt, sync::Arc};
use tracing::{
    Id, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Record as Values},
};
use tracing_subscriber::{
    Layer, Registry,
    filter::{LevelFilter, Targets},
    layer::Context,
    registry::{LookupSpan, SpanRef},
};
use tropos_core::Key;

thread_local! {
    /// The record whose span is being made on this thread.
    static HANDED: RefCell<Option<Arc<Recording>>> = const { RefCell::new(None) };
}

/// Collects what the pages of this process do, for the dev server's toolbar. A program that has a subscriber of its own
/// adds this to it; one that has none gets it where `TROPOS_DEV` is set.
///
/// It listens to the spans of Tropos alone, and keeps nothing of spans that are below no page's.
pub fn layer<S: Subscriber + for<'a> LookupSpan<'a>>() -> impl Layer<S> {
    let targets = ["tropos::page", "tropos::cache", "tropos::fetch", "tropos::db"];
    Collect.with_filter(Targets::new().with_targets(targets.map(|target| (target, LevelFilter::DEBUG))))
}

/// Makes a span, and has the layer hang what happens below it onto `recording`.
pub(super) fn hand<R>(recording: &Arc<Recording>, make: impl FnOnce() -> R) -> R {
    HANDED.with_borrow_mut(|handed| *handed = Some(recording.clone()));
    let made = make();
    HANDED.with_borrow_mut(Option::take);
    made
}

/// The record below whose span this runs.
pub(super) fn current() -> Option<Arc<Recording>> {
    tracing::dispatcher::get_default(|dispatch| {
        let registry = dispatch.downcast_ref::<Registry>()?;
        let current = registry.current_span();
        let span = registry.span(current.id()?)?;
        within(&span).map(|(recording, _)| recording)
    })
}

/// On a span: its record, and which piece of work it is, if any.
#[derive(Clone)]
struct Within(Arc<Recording>, Option<usize>);

/// On the span of a render in the background, until it is known what caused it.
struct Renews(Key);

fn within<'a, R: LookupSpan<'a>>(span: &SpanRef<'a, R>) -> Option<(Arc<Recording>, Option<usize>)> {
    span.scope().find_map(|span| {
        span.extensions().get::<Within>().map(|Within(recording, work)| (recording.clone(), *work))
    })
}

struct Collect;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Collect {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, cx: Context<'_, S>) {
        let Some(span) = cx.span(id) else { return };
        let kind = match (attributes.metadata().target(), attributes.metadata().name()) {
            ("tropos::page", _) => {
                if let Some(recording) = HANDED.with_borrow_mut(Option::take) {
                    span.extensions_mut().insert(Within(recording, None));
                }
                return;
            }
            ("tropos::cache", "regenerate") => {
                let mut key = KeyOf(None);
                attributes.record(&mut key);
                if let Some(key) = key.0 {
                    span.extensions_mut().insert(Renews(Key::from_stored(&key)));
                }
                return;
            }
            ("tropos::cache", "function") => WorkKind::Function,
            ("tropos::fetch", "fetch") => WorkKind::Fetch,
            ("tropos::db", "query") => WorkKind::Query,
            _ => return,
        };
        let Some((recording, parent)) = within(&span) else { return };
        let mut work = Work::new(kind);
        attributes.record(&mut Into(&mut work));
        if let Some(id) = recording.begin(work, parent) {
            span.extensions_mut().insert(Within(recording, Some(id)));
        }
    }

    fn on_follows_from(&self, span: &Id, follows: &Id, cx: Context<'_, S>) {
        let (Some(span), Some(cause)) = (cx.span(span), cx.span(follows)) else { return };
        let renews = span.extensions_mut().remove::<Renews>();
        let (Some(Renews(key)), Some((cause, _))) = (renews, within(&cause)) else { return };
        let Some(ring) = cause.ring.upgrade() else { return };
        let recording = ring.begin(background(&key, &cause));
        span.extensions_mut().insert(Within(recording, None));
    }

    fn on_record(&self, id: &Id, values: &Values<'_>, cx: Context<'_, S>) {
        let Some(span) = cx.span(id) else { return };
        let extensions = span.extensions();
        if let Some(Within(recording, Some(work))) = extensions.get() {
            recording.work(*work, |work| values.record(&mut Into(work)));
        }
    }

    fn on_close(&self, id: Id, cx: Context<'_, S>) {
        let Some(span) = cx.span(&id) else { return };
        let Some(Within(recording, work)) = span.extensions_mut().remove() else { return };
        match work {
            Some(work) => {
                let now = recording.elapsed_ms();
                recording.work(work, |work| work.took_ms = Some((now - work.start_ms).max(0.0)));
            }
            // An answer is over when its last byte has gone.
            None if recording.look(|record| record.kind == Kind::Background) => recording.finish(),
            None => {}
        }
    }
}

/// A render in the background, as far as its key and its cause tell. Arguments of functions are values, and left out.
fn background(key: &Key, cause: &Recording) -> Record {
    let mut record = Record { kind: Kind::Background, caused_by: Some(cause.id), ..Record::default() };
    match key.as_page() {
        Some(page) => {
            let route = page.route;
            (record.route, record.path, record.query) = (route.into(), page.path.into(), page.query.into());
            record.key = Some(key.to_string());
            cause.look(|cause| {
                if cause.route == route {
                    (record.name, record.mode) = (cause.name.clone(), cause.mode.clone());
                    record.source = cause.source.clone();
                }
            });
        }
        None => record.name = key.as_str().split(' ').take(2).collect::<Vec<_>>().join(" "),
    }
    record
}

/// The key that a span names.
struct KeyOf(Option<String>);

impl Visit for KeyOf {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "tropos.cache.key" {
            // Whole: records stay on this machine.
            self.0 = Some(format!("{value:#?}"));
        }
    }
}

/// Takes the fields of a span into a piece of work.
struct Into<'a>(&'a mut Work);

impl Into<'_> {
    fn text(&mut self, name: &str, mut value: String) {
        // Statements are as long as who writes them likes.
        if value.len() > LONGEST_TEXT {
            value.truncate(value.floor_char_boundary(LONGEST_TEXT));
            value.push('…');
        }
        let work = &mut *self.0;
        match name {
            "db.query.summary" | "http.request.method" | "code.function.name" => work.name = value,
            "db.query.text" | "url.full" => work.text = value,
            "server.address" if work.kind == WorkKind::Query => work.server = Some(value),
            "tropos.cache.status" => work.cache = Some(value),
            "error.type" => work.error = Some(value).filter(|_| work.error.is_none()).or(work.error.take()),
            "exception.message" => work.error = Some(value),
            _ => {}
        }
    }
}

impl Visit for Into<'_> {
    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "db.response.returned_rows" => self.0.rows = Some(value),
            "http.response.status_code" => self.0.status = Some(value),
            _ => {}
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field.name(), format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_work_are_cut() {
        let mut work = Work::new(WorkKind::Query);
        let mut into = Into(&mut work);
        for field in ["db.query.text", "db.query.summary", "exception.message", "server.address"] {
            into.text(field, "é".repeat(LONGEST_TEXT));
        }
        for text in [work.text, work.name, work.error.unwrap(), work.server.unwrap()] {
            assert_eq!((text.len(), text.chars().last()), (LONGEST_TEXT + '…'.len_utf8(), Some('…')));
        }
    }
}
