//! Panics and failed renders, as they happen, for the overlay in the browser.

use super::{
    layer,
    record::{Kind, Recording},
};
use crate::{edge::policy, routing::PageRoute, statics::HTML};
use axum::body::Body;
use http::{Response, StatusCode, header};
use serde::Serialize;
use std::sync::{Arc, LazyLock, Once};
use tokio::sync::broadcast;
use tropos_cache::http::lifetime::NO_STORE;
use tropos_core::Failure;

/// Who listens slower misses the oldest: a page that fails in a loop must not fill the memory.
const MOST_WAITING: usize = 256;

/// A message is cut at so many characters.
const LONGEST_TEXT: usize = 8_000;

/// One for the process, as there is one panic hook.
static EVENTS: LazyLock<broadcast::Sender<Arc<str>>> = LazyLock::new(|| broadcast::channel(MOST_WAITING).0);

/// What happened, as `GET /dev/events` gives it.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(super) enum Event {
    /// Code panicked, within a page or elsewhere.
    Panic(Trouble),
    /// A page failed.
    Failed(Trouble),
    /// A record is complete. `good` where what it shows is no older than its last render, and that did not fail.
    Rendered { render: u64, path: String, good: bool },
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Trouble {
    /// The message with its causes.
    text: String,
    /// Where the code panicked; for a page that failed, where it is written. As the compiler names it.
    file: Option<String>,
    line: Option<u32>,
    column: Option<u32>,
    route: Option<String>,
    path: Option<String>,
    render: Option<u64>,
}

/// Tells all who listen; nobody may.
pub(super) fn say(event: &Event) {
    if EVENTS.receiver_count() > 0
        && let Ok(json) = serde_json::to_string(event)
    {
        drop(EVENTS.send(json.into()));
    }
}

/// An answer is over.
pub(super) fn rendered(recording: &Recording) {
    let has_panicked = recording.has_panicked();
    say(&recording.look(|record| {
        // A stale entry may be the last good one of a page that fails now.
        let is_stale = record.cache_status.as_deref().is_some_and(|status| status.contains("detail=stale"));
        let good = !has_panicked && !is_stale && record.failure.is_none() && record.status < 500;
        Event::Rendered { render: record.id, path: record.path.clone(), good }
    }));
}

pub(super) fn listen() -> broadcast::Receiver<Arc<str>> {
    EVENTS.subscribe()
}

/// From now on, panics are told of, beside what was done about them before.
pub(super) fn tell_of_panics() {
    static TOLD: Once = Once::new();
    TOLD.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let recording = layer::current();
            let text = panic.payload_as_str().unwrap_or("(no message)");
            let mut trouble = Trouble { text: cut(text), ..of(recording.as_deref()) };
            if let Some(place) = panic.location() {
                trouble.file = Some(place.file().to_owned());
                (trouble.line, trouble.column) = (Some(place.line()), Some(place.column()));
            }
            if let Some(recording) = &recording {
                recording.panics();
            }
            say(&Event::Panic(trouble));
            before(panic);
        }));
    });
}

/// What is known of the record within which something happened.
fn of(recording: Option<&Recording>) -> Trouble {
    let Some(recording) = recording else { return Trouble::default() };
    recording.look(|record| Trouble {
        route: Some(record.route.clone()),
        path: Some(record.path.clone()),
        render: Some(record.id),
        ..Trouble::default()
    })
}

/// A page failed. A panic within it has been told of already, with a better place.
pub(super) fn render_failed(page: &PageRoute, path: &str, failure: &Failure, recording: Option<&Recording>) {
    if let Some(recording) = recording {
        recording.change(|record| record.failure = Some(cut(&failure.to_string())));
        if recording.has_panicked() {
            return;
        }
    }
    say(&Event::Failed(Trouble {
        text: cut(&failure.to_string()),
        file: Some(page.route.spec.file.to_owned()),
        line: Some(page.route.spec.line),
        column: None,
        route: Some(page.route.pattern().to_owned()),
        path: Some(path.to_owned()),
        render: recording.map(|recording| recording.id),
    }));
}

/// A page broke off after its head had gone out.
pub(super) fn broke_off(recording: &Recording, text: &str) {
    recording.change(|record| record.failure = Some(cut(text)));
    if !recording.has_panicked() {
        let source = recording.look(|record| record.source.clone());
        let (file, line) = source.rsplit_once(':').unwrap_or_default();
        let (file, line) = (Some(file.to_owned()), line.parse().ok());
        say(&Event::Failed(Trouble { text: cut(text), file, line, ..of(Some(recording)) }));
    }
}

/// The answer in place of a page that failed, with the cause: its reader is who writes it.
pub(crate) fn failed(page: &PageRoute, path: &str, failure: &Failure) -> Response<Body> {
    let recording = layer::current();
    // A render that is stored has told of it where it ran, but for one that took too long or panicked.
    let told = recording.as_deref().is_some_and(|recording| {
        recording.look(|record| record.kind == Kind::Answer && record.failure.is_some())
    });
    if !told {
        render_failed(page, path, failure, recording.as_deref());
    }
    let source = format!("{}:{}", page.route.spec.file, page.route.spec.line);
    let nonce = policy::new_nonce();
    let html = error_page(page.route.name(), &source, &failure.to_string(), &nonce);
    let mut response = policy::of_render(Body::from(html), nonce);
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response.headers_mut().insert(header::CONTENT_TYPE, HTML);
    response.headers_mut().insert(header::CACHE_CONTROL, NO_STORE);
    response
}

/// A document of its own: the layouts may be what failed.
fn error_page(name: &str, source: &str, cause: &str, nonce: &str) -> String {
    let [name, source, cause] = [name, source, cause].map(escaped);
    format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{name} failed</title>\
         <style nonce=\"{nonce}\">:root{{color-scheme:light dark}}body{{font:16px/1.5 system-ui,sans-serif;margin:3rem auto;max-width:60rem;padding:0 1rem}}\
         pre{{white-space:pre-wrap;padding:1rem;border:1px solid #8888;border-radius:6px}}</style></head>\
         <body><h1>The page {name} failed</h1><pre>{cause}</pre><p><code>{source}</code></p>\
         <p>In production readers see the application's page for failures, without the cause.</p></body></html>"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

fn cut(text: &str) -> String {
    text.chars().take(LONGEST_TEXT).collect()
}
