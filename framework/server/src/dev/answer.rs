//! A page's answer while it is watched: its record begins with the request and ends with the last byte.

use super::{
    advice::Sample,
    events, html, layer,
    record::{IslandsFiles, Kind, Record, Recording, WorkKind, note_tags, total},
    ring::Watch,
    why,
};
use crate::{dispatch::observe, routing::PageRoute, seen, site::Site, traces};
use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, header, request::Parts};
use http_body::{Body as _, Frame, SizeHint};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tracing::Instrument as _;
use tropos_cache::{Engine, Scope, Stamp, Validity, http::CACHE_STATUS};
use tropos_core::{CanonicalPath, PageError, Params, Tag};
use xxhash_rust::xxh3::Xxh3;

/// So much of a body is looked at for islands and compared; a longer page is hashed up to there.
const LONGEST_LOOKED_AT: usize = 2 << 20;

/// How the browser learns which record is that of its page (Server Timing §3).
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// What notes the answer to this request, where one does.
pub(crate) fn watched(head: &Parts) -> Option<&Arc<Recording>> {
    head.extensions.get()
}

/// Answers, and notes what is done for it.
pub(crate) async fn page(
    site: &Arc<Site>,
    watch: &Arc<Watch>,
    page: &Arc<PageRoute>,
    path: &CanonicalPath,
    params: Params,
    mut head: Parts,
    draft: bool,
) -> Response<Body> {
    let recording = watch.begin(begun(site, page, &head, draft));
    head.extensions.insert(recording.clone());
    if watch.ring.is_some() {
        // The dev server adds its script to the HTML, and bytes are counted as the page has them.
        head.headers.remove(header::ACCEPT_ENCODING);
    }
    let asked = Asked {
        target: hash_of(head.uri.path(), head.uri.query()),
        visitor: visitor(&head.headers),
        stamp: site.engine.tags().current(),
        engine: site.engine.clone(),
        is_get: head.method == Method::GET,
        draft,
    };
    let span = layer::hand(&recording, || observe::page(&head, page));
    let answering = site.page_in_mode(page, path, params, head, draft).instrument(span.clone());
    let mut response = answering.await;
    note_head(watch, &recording, &response);
    if !span.is_disabled() {
        span.record("http.response.status_code", response.status().as_u16());
        if let Some(status) = cache_status(&response) {
            span.record("tropos.cache.status", status);
        }
    }
    if watch.ring.is_some() {
        let timing = recording.look(server_timing);
        if let Ok(timing) = HeaderValue::from_str(&timing) {
            response.headers_mut().append(SERVER_TIMING, timing);
        }
    }
    let sets_cookie = response.headers().contains_key(header::SET_COOKIE);
    response.map(|body| {
        let watch = watch.clone();
        let route = page.route.pattern();
        Body::new(Looked {
            body,
            seen: BytesMut::new(),
            length: 0,
            cut: false,
            end: Some(End { watch, recording, route, asked, sets_cookie }),
        })
    })
}

/// What is known when a request comes.
fn begun(site: &Site, page: &PageRoute, head: &Parts, draft: bool) -> Record {
    let (route, mode) = (&page.route, page.route.mode());
    Record {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        route: route.pattern().to_owned(),
        name: route.name().to_owned(),
        mode: mode.as_str().to_owned(),
        source: format!("{}:{}", route.spec.file, route.spec.line),
        why: Some(why::of_mode(mode, draft, site.dist.is_some()).to_owned()),
        trace: traces::of(head).map(|trace| trace.id().to_string()),
        islands_files: site
            .dist
            .as_ref()
            .or(site.dev_files.as_ref())
            .and_then(|dist| IslandsFiles::of(&dist.manifest)),
        ..Record::default()
    }
}

fn note_head(watch: &Watch, recording: &Recording, response: &Response<Body>) {
    let head_ms = recording.elapsed_ms();
    recording.change(|record| {
        record.status = response.status().as_u16();
        record.head_ms = Some(head_ms);
        record.cache_status = cache_status(response).map(str::to_owned);
    });
    // What the entry was made by, where this answer made nothing.
    if let (Some(ring), false) = (&watch.ring, recording.has_rendered())
        && let Some(key) = recording.look(|record| record.key.clone())
    {
        let made_by = ring.made(&key, recording.id);
        recording.change(|record| record.made_by = made_by);
    }
}

fn cache_status(response: &Response<Body>) -> Option<&str> {
    response.headers().get(CACHE_STATUS)?.to_str().ok()
}

/// The record's number, and how long what was done until the head took.
fn server_timing(record: &Record) -> String {
    let mut text = format!("tropos;desc=\"{}\"", record.id);
    let (db, fetch) = (total(record, WorkKind::Query), total(record, WorkKind::Fetch));
    for (name, ms) in [("total", record.head_ms.unwrap_or_default()), ("db", db), ("fetch", fetch)] {
        text.push_str(&format!(", {name};dur={ms}"));
    }
    text
}

fn hash_of(path: &str, query: Option<&str>) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(path.as_bytes());
    hash.update(b"?");
    hash.update(query.unwrap_or_default().as_bytes());
    hash.digest()
}

/// Who asks, as far as a page could tell by cookies and credentials; 0 where there are none.
fn visitor(headers: &HeaderMap) -> u64 {
    let mut hash = Xxh3::new();
    let mut any = false;
    for pair in headers.get_all(header::COOKIE).iter().flat_map(seen::others).filter(|pair| !pair.is_empty())
    {
        hash.update(pair);
        hash.update(b";");
        any = true;
    }
    for credentials in headers.get_all(header::AUTHORIZATION) {
        hash.update(credentials.as_bytes());
        any = true;
    }
    if any { hash.digest().max(1) } else { 0 }
}

/// What is noted of a render that is stored, where it runs in the background: nobody is sent what it made. A failure is
/// told of wherever it runs.
pub(crate) fn rendered(page: &PageRoute, rendered: &Result<String, PageError>) {
    let recording = layer::current();
    if let Err(PageError::Failed(failure)) = rendered {
        let path = recording.as_ref().map(|recording| recording.look(|record| record.path.clone()));
        events::render_failed(page, &path.unwrap_or_default(), failure, recording.as_deref());
    }
    let Some(recording) = recording.filter(|it| it.look(|record| record.kind == Kind::Background)) else {
        return;
    };
    let tags = Scope::current().map(|scope| scope.reads().tags);
    recording.change(|record| {
        if let Some(tags) = &tags {
            note_tags(record, tags);
        }
        if let Ok(html) = rendered {
            record.html_bytes = Some(html.len());
            record.islands = html::islands(html);
        }
    });
}

/// What was asked, for the advisor.
struct Asked {
    target: u64,
    visitor: u64,
    stamp: Stamp,
    engine: Engine,
    is_get: bool,
    draft: bool,
}

/// What is to be done when the body ends.
struct End {
    watch: Arc<Watch>,
    recording: Arc<Recording>,
    route: &'static str,
    asked: Asked,
    sets_cookie: bool,
}

impl End {
    /// The answer is over: with its last byte where it is `whole`, else because its reader left.
    fn done(self, body: &[u8], length: usize, whole: bool) {
        let Self { watch, recording, route, asked, sets_cookie } = self;
        recording.change(|record| {
            if length > 0 {
                record.html_bytes = Some(length);
                record.islands = html::islands(&String::from_utf8_lossy(body));
            }
        });
        recording.finish();
        if watch.ring.is_some() {
            events::rendered(&recording);
        }
        if !whole || !asked.is_get || asked.draft {
            return;
        }
        let sample = recording.look(|record| Sample {
            // What is stored under one key is one thing, whatever the address: variants are in it, and other keys of the
            // query than those that are declared are not.
            target: record.key.as_deref().map_or(asked.target, |key| hash_of(key, None)),
            visitor: asked.visitor,
            stamp: asked.stamp,
            at_ms: watch.clock.now().0,
            parts: recording.parts(),
            read_value: None,
            status: record.status,
            body: html::hash(record.status, body),
            acts: sets_cookie || recording.has_acted(),
            revalidate_ms: record.revalidate_ms,
            took_us: (record.total_ms.unwrap_or_default() * 1000.0) as u64,
            queries: record.work.iter().filter(|work| work.kind == WorkKind::Query).count() as u64,
            tags: record.tags.iter().take(8).cloned().collect(),
            reason: None,
        });
        let changed = |since| {
            let tags = recording.look(|record| record.tags.clone());
            let tags: Vec<Tag> = tags.iter().filter_map(|name| Tag::named(name).ok()).collect();
            asked.engine.tags().validity(&tags, since) != Validity::Valid
        };
        watch.counts.add(
            route,
            &Sample { reason: recording.reason(), read_value: recording.read_value(), ..sample },
            changed,
        );
    }
}

/// A body that is looked at as it goes out.
struct Looked {
    body: Body,
    seen: BytesMut,
    length: usize,
    /// Whether it broke off.
    cut: bool,
    end: Option<End>,
}

impl http_body::Body for Looked {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let polled = Pin::new(&mut this.body).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    this.length += data.len();
                    let room = LONGEST_LOOKED_AT.saturating_sub(this.seen.len());
                    this.seen.extend_from_slice(data.get(..room).unwrap_or(data));
                }
            }
            Poll::Ready(Some(Err(error))) => {
                this.cut = true;
                if let Some(end) = &this.end {
                    events::broke_off(&end.recording, &error.to_string());
                }
            }
            Poll::Ready(None) => this.done(true),
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Looked {
    fn done(&mut self, whole: bool) {
        if let Some(end) = self.end.take() {
            end.done(&self.seen, self.length, whole && !self.cut);
        }
    }
}

impl Drop for Looked {
    fn drop(&mut self) {
        // Who knows the length, as hyper does, does not ask for an end.
        let whole = self.body.is_end_stream();
        self.done(whole);
    }
}
