//! `live` pages: the first answer, and the stream of changes behind it.
//!
//! A page is rendered the same for all who may share it, so the address of its stream, which is each reader's own,
//! stands in the HTML as a placeholder of the same length until it goes out.

use super::{reply, streamed};
use crate::{
    dev,
    edge::policy::{self, without_nonce},
    meter::{Meter, Told},
    page::inputs::Inputs,
    render::{self, Order},
    request::RequestHead,
    routing::PageRoute,
    seen,
    site::Site,
    traces::{EndsWithHead, Session, spans},
};
use axum::{
    body::Body,
    response::{
        IntoResponse,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures::{StreamExt, future::BoxFuture, stream};
use http::{HeaderValue, Response, StatusCode, Uri, header, request::Parts};
use std::{
    convert::Infallible,
    sync::{Arc, OnceLock},
    time::Duration,
};
use tracing::Instrument as _;
use tropos_cache::{Engine, Purpose, Reason, Scope, Stamp, Validity, http::Detail};
use tropos_core::{CanonicalPath, Failure, Mode, PageError, Params, Tags};
use tropos_edge::request::page_of_stream;
use tropos_live::{Since, Source, Version, html::inner_body};
use tropos_telemetry::{
    errors::Kind,
    trace::{SpanContext, current},
};

/// As many digits as a ticket has: 128 random bits.
const TICKET: usize = 32;

/// Stands for the reader's ticket while a page is rendered: as long as a ticket, and unknown outside of this process, so
/// that nothing that a reader writes can become another reader's ticket.
fn placeholder() -> &'static str {
    static PLACEHOLDER: OnceLock<String> = OnceLock::new();
    PLACEHOLDER.get_or_init(new_ticket)
}

fn new_ticket() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// A first render for a stream whose page is not at hand any more takes at most so long.
const RENDER_TIMEOUT: Duration = Duration::from_secs(30);

/// Comments go out this often, so that proxies keep the stream open and a reader who is gone is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A browser opens a stream that was cut again after so long.
const RETRY: Duration = Duration::from_secs(1);

/// When a live page read its data, and what it read.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    stamp: Stamp,
    tags: Tags,
    /// Whether it read more than can be followed tag by tag: then every invalidation counts.
    all: bool,
    /// Whether the page read something of its request, so that nobody else may be sent its renders.
    personal: bool,
}

impl Site {
    /// The first answer: a plain render, whose text is kept until its stream is opened.
    pub(super) async fn live(
        self: &Arc<Self>,
        page: &Arc<PageRoute>,
        params: Params,
        request: &Parts,
    ) -> Response<Body> {
        let ticket = new_ticket();
        let source = PageSource {
            site: self.clone(),
            page: page.clone(),
            params,
            query: request.uri.query().unwrap_or_default().to_owned(),
            target: target_of(&request.uri),
            visitor: self.visitor(request),
            shared: false,
            cause: None,
        };
        let (cx, additions) = source.cx();
        let scope = source.scope();
        dev::watched(request).inspect(|recording| recording.within(&scope));
        let detail = if source.visitor.draft { Detail::Draft } else { Detail::Live };
        let personal = cx.clone();
        self.meter.page_read(&page.route, Reason::Bypass, source.visitor.draft);
        let begun =
            scope.run(self.measured(page, "request", streamed::begin(page, cx, Order::InOrder))).await;
        let response = match begun {
            Ok(html) => {
                let key = pending_key(&ticket, &source);
                let (site, ticket, scope) = (self.clone(), ticket.clone(), scope.clone());
                let nonce = personal.nonce().clone();
                // What has gone out is also the text that the stream's first change is compared with.
                let state = (Box::pin(html.into_stream()), String::new(), false);
                let pieces = stream::unfold(state, move |(mut pieces, mut sent, cut)| {
                    let (site, ticket, key) = (site.clone(), ticket.clone(), key.clone());
                    let (scope, cx) = (scope.clone(), personal.clone());
                    async move {
                        match pieces.next().await {
                            Some(Ok(piece)) => {
                                sent.push_str(&piece);
                                let piece = piece.replace(placeholder(), &ticket);
                                Some((Ok(piece), (pieces, sent, cut)))
                            }
                            Some(Err(failure)) => Some((Err(failure.to_string()), (pieces, sent, true))),
                            None => {
                                let mark = mark_of(&scope, cx.is_personal());
                                if !cut {
                                    let sent = without_nonce(sent, cx.nonce());
                                    site.pending.put(&key, inner_body(&sent).into(), mark);
                                }
                                None
                            }
                        }
                    }
                });
                policy::of_render(Body::from_stream(pieces), nonce)
            }
            Err(error) => self.instead(page, request.uri.path(), error),
        };
        let mut response = streamed::for_one_visitor(response, &additions, detail);
        self.remember_writes(&scope, &source.visitor, &mut response).await;
        reply::without_body_for_head(&request.method, response)
    }

    /// The stream of changes: one event whenever the page has become another.
    pub(super) async fn stream_of_changes(self: &Arc<Self>, ticket: &str, request: &Parts) -> Response<Body> {
        if !super::guard::is_same_site(request, &self.config) {
            return reply::plain(StatusCode::FORBIDDEN, "a page of another site opened this stream");
        }
        let query = request.uri.query().unwrap_or_default();
        let is_ticket = ticket.len() == TICKET && ticket.bytes().all(|b| b.is_ascii_hexdigit());
        let followed = page_of_stream(request.uri.path(), query);
        let Some((path, uri)) = followed.filter(|_| is_ticket) else {
            return reply::plain(StatusCode::BAD_REQUEST, "this is no address of a stream");
        };
        let found = self.table.find(&path).filter(|(page, _)| page.route.mode() == Mode::Live);
        let Some((page, params)) = found.map(|(page, params)| (page.clone(), params)) else {
            return self.not_found();
        };
        let mut source = PageSource {
            site: self.clone(),
            page,
            params,
            query: uri.query().unwrap_or_default().to_owned(),
            target: target_of(&uri),
            visitor: self.visitor(request),
            shared: false,
            cause: None,
        };
        let last_event = request.headers.get("last-event-id").and_then(|id| id.to_str().ok());
        let (first, since) =
            match (self.pending.take(&pending_key(ticket, &source)), Since::read(last_event, Some(query))) {
                (Some((html, mark)), Since::Nothing) => {
                    let version = Version::of(&html);
                    (Some((html, mark)), Since::Shown(version))
                }
                (first, since) => (first, since),
            };
        // Whether the page is personal is known once it has been rendered: by its first answer, else by one render more.
        let first = match first {
            Some(first) => first,
            None => match self.first_render(&source).await {
                Ok(first) => first,
                Err(failure) => {
                    tracing::error!(path = path.as_str(), error = %failure, "a live page failed");
                    return reply::plain(StatusCode::SERVICE_UNAVAILABLE, "the page cannot be made now");
                }
            },
        };
        // What all share may be older than what this visitor has written.
        source.shared = !first.1.personal && source.visitor.seen.is_empty();
        let key = if source.shared { source.target.clone() } else { pending_key(ticket, &source) };
        let route = source.page.route.pattern();
        let session = self.begin_session(route);
        source.cause = session.context();
        match self.hub.watch(key, Arc::new(source), Some(first), since) {
            Ok(subscription) => {
                let mut response =
                    events(subscription, ticket.to_owned(), route, self.meter.clone(), session);
                response.extensions_mut().insert(Told { route, mode: "stream" });
                response
            }
            Err(error) => {
                session.refused();
                tracing::warn!(%error, "a stream was refused");
                let mut response = reply::plain(StatusCode::SERVICE_UNAVAILABLE, "too many open pages");
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("10"));
                response
            }
        }
    }

    /// A render for a stream whose page's first one is not at hand: so many at a time as the hub makes by itself.
    async fn first_render(&self, source: &PageSource) -> tropos_live::Rendered<Mark> {
        let render = async {
            let _turn = self.first_renders.acquire().await;
            source.render().await
        };
        let too_long = |_| Failure::new("the page took longer than 30 s");
        tokio::time::timeout(RENDER_TIMEOUT, render).await.map_err(too_long)?
    }
}

fn events(
    subscription: tropos_live::Subscription,
    ticket: String,
    route: &'static str,
    meter: Arc<Meter>,
    session: Session,
) -> Response<Body> {
    let hint = stream::iter([Ok::<_, Infallible>(Event::default().retry(RETRY))]);
    let changes = session.follow(Box::pin(subscription.into_stream())).map(move |event| {
        meter.frame(route, event.data.len());
        Ok(Event::default().id(event.id.to_string()).data(event.data.replace(placeholder(), &ticket)))
    });
    let mut response =
        Sse::new(hint.chain(changes)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response();
    response.extensions_mut().insert(EndsWithHead);
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, tropos_cache::http::lifetime::PRIVATE_NO_STORE);
    // nginx and its kin would hold events back otherwise.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// A page that can be rendered again, for one visitor's request.
struct PageSource {
    site: Arc<Site>,
    page: Arc<PageRoute>,
    params: Params,
    query: String,
    target: String,
    visitor: Arc<RequestHead>,
    /// Whether its renders go to others than this visitor.
    shared: bool,
    /// The session that began following it.
    cause: Option<SpanContext>,
}

impl PageSource {
    /// A scope that starts now, with the tags that the page carries whatever it reads: those that it declares, and those
    /// of its path.
    fn scope(&self) -> Scope {
        let scope = self.site.scope(Purpose::Live, &self.visitor);
        scope.set_route(self.page.route.pattern());
        let path = self.target.split('?').next().and_then(|path| CanonicalPath::parse(path).ok());
        let tags = path.map(|path| self.page.route.tags(path.as_str(), &self.params)).unwrap_or_default();
        tags.iter().for_each(|tag| scope.add_tag(tag.clone()));
        scope
    }

    fn cx(&self) -> (crate::page::PageCx, Arc<crate::request::ResponseHead>) {
        let encoded = percent_encoding::utf8_percent_encode(&self.target, percent_encoding::NON_ALPHANUMERIC);
        let url = format!("/_tropos/live/{}?page={encoded}", placeholder());
        self.site.page_cx(
            Mode::Live,
            self.params.clone(),
            Inputs::of_query(self.query.clone()),
            Some(self.visitor.clone()),
            Some(url),
        )
    }
}

impl Source for PageSource {
    type Mark = Mark;

    fn render(&self) -> BoxFuture<'static, Result<(Arc<str>, Mark), Failure>> {
        let (cx, _) = self.cx();
        let page = self.page.clone();
        let scope = self.scope();
        let shared = self.shared.then(|| (self.site.clone(), self.target.clone()));
        let site = self.site.clone();
        // Beneath no request: it is pushed to all who have the page open.
        let route = self.page.route.pattern();
        let push = current()
            .is_none()
            .then(|| self.site.tracer.background("live push", route, self.cause, spans::push));
        let span = push.as_ref().map_or_else(tracing::Span::current, |push| push.span());
        let render = async move {
            let span = spans::render(&page);
            let render = async {
                let html =
                    render::render_page(page.route.spec.handler, cx.clone(), &page.document, Order::InOrder)
                        .await;
                Ok::<_, PageError>(html?.collect().await?)
            };
            let rendered = scope.run(site.measured(&page, "live", render.instrument(span))).await;
            let rendered =
                rendered.inspect_err(|error| cx.errors().page_failed(Kind::Live, &page, &cx, error));
            let html = rendered.map_err(|error| match error {
                PageError::Failed(failure) => failure,
                other => Failure::new(format!("the page has no view any more: {other:?}")),
            })?;
            if let Some((site, target)) = shared.filter(|_| cx.is_personal()) {
                // It has become a page of this visitor's own: the others connect again, each to one of theirs.
                site.hub.close(&target);
                return Err(Failure::new(
                    "the page has begun to read its request, and is followed for each reader alone now",
                ));
            }
            // Each render has another, and a page that says the same is the same.
            let html = without_nonce(html, cx.nonce());
            Ok((Arc::from(inner_body(&html)), mark_of(&scope, cx.is_personal())))
        };
        Box::pin(async move {
            let rendered: tropos_live::Rendered<Mark> = render.instrument(span).await;
            if let (Some(push), Err(failure)) = (&push, &rendered) {
                push.failed(&failure.to_string());
            }
            rendered
        })
    }

    fn changed(&self, mark: Mark) -> BoxFuture<'static, ()> {
        Box::pin(changed(self.site.engine.clone(), mark))
    }
}

/// Resolves once a tag of `mark` has been invalidated since. A change between the look and the wait wakes it too: the
/// channel is subscribed before the first look.
async fn changed(engine: Engine, mark: Mark) {
    let mut changes = engine.tags().changes();
    let is_current = || match mark.all {
        true => engine.tags().current() == mark.stamp,
        false => engine.tags().validity(mark.tags.as_slice(), mark.stamp) == Validity::Valid,
    };
    while is_current() {
        if changes.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}

fn mark_of(scope: &Scope, personal: bool) -> Mark {
    let reads = scope.reads();
    if reads.too_many_tags {
        tracing::warn!(
            "a live page read more than 1,000 tags, and is rendered again at every invalidation: give the list that it reads one tag"
        );
    }
    Mark { stamp: scope.stamp(), tags: reads.tags, all: reads.too_many_tags, personal }
}

fn target_of(uri: &Uri) -> String {
    uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string)
}

/// Names a reader's page. The ticket cannot be guessed, but addresses end up in logs: so it opens nothing without the
/// cookies and credentials that it was given out for. What a visitor has written is none of them, and the answer that gave
/// the ticket out may have changed it.
fn pending_key(ticket: &str, source: &PageSource) -> String {
    let mut digest = blake3::Hasher::new();
    let headers = &source.visitor.headers;
    for pair in headers.get_all(header::COOKIE).iter().flat_map(seen::others) {
        digest.update(pair).update(b"\n");
    }
    digest.update(b"\0");
    for value in headers.get_all(header::AUTHORIZATION) {
        digest.update(value.as_bytes()).update(b"\n");
    }
    format!("{ticket} {} {}", digest.finalize().to_hex(), source.target)
}
