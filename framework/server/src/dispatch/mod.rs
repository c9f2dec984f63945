//! One request: to which mode it goes, and what is answered.
//!
//! In order: host, path, hooks, Tropos's own endpoints, files, pages, server functions, the application's API. Everything
//! decides on the same parsed path.

mod api;
mod assets;
mod drafts;
mod ending;
mod functions;
pub(crate) mod guard;
pub(crate) mod live;
pub(crate) mod observe;
pub(crate) mod ready;
pub(crate) mod reply;
mod revalidate;
mod stored;
mod streamed;
mod warm;
mod write;

pub(crate) use api::named as named_api;
pub(crate) use assets::{root_files, scripts};
#[cfg(test)]
pub(crate) use ending::Ending;
pub(crate) use functions::paths as function_paths;
pub(crate) use reply::location;
pub(crate) use stored::render_to_store;

use crate::{
    dev,
    edge::{self, Gate},
    meter::{FILES, Hits, Told, protocol_version},
    request::RequestHead,
    routing::PageRoute,
    site::Site,
    traces::{self, AskedHit, By, spans},
};
use axum::body::Body;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header, request::Parts};
use std::sync::Arc;
use tracing::{Instrument as _, Span};
use tropos_cache::{
    Purpose, Scope,
    http::{Coding, respond},
};
use tropos_core::{CanonicalPath, Mode, Params, manifest::ASSETS_PATH};
use tropos_edge::{request::internal, run::Passed};
use tropos_telemetry::trace::Guard;

/// A path and query that are longer are refused with 414. Browsers and proxies stop at about as much.
pub(crate) const LONGEST_TARGET: usize = 8 * 1024;

impl Site {
    /// Answers one request.
    pub async fn handle(self: Arc<Self>, request: Request<Body>) -> Response<Body> {
        let method = request.method().clone();
        let mut underway = self.meter.begin(&request);
        let (mut response, trace) = self.clone().answer(request).await;
        // A browser must not take an answer for another type than it says.
        response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        underway.answered(&mut response);
        reply::without_body_for_head(&method, response)
            .map(|body| ending::Ending::body(body, underway, trace))
    }

    /// The answer, and its trace where that ends with the body.
    async fn answer(self: Arc<Self>, request: Request<Body>) -> (Response<Body>, Option<Guard>) {
        let (mut head, body) = request.into_parts();
        let stated = self.stated(&mut head);
        if stated.is_none() && edge::requires_statement(&head) {
            let refused = reply::plain(
                StatusCode::SERVICE_UNAVAILABLE,
                "what the edge has decided is not believed here, and the hooks cannot decide in its place",
            );
            return (refused, None);
        }
        internal::strip(&mut head.headers);
        let is_allowed = guard::host_is_allowed(&head, &self.config);
        let reads = matches!(head.method, Method::GET | Method::HEAD);
        if is_allowed
            && reads
            && stated.is_none()
            && let Some(answer) = self.ready_answer(&head)
        {
            return (answer, None);
        }
        let (traced, span) = self.begin_trace(&mut head);
        let mut answer = self.clone().answer_otherwise(is_allowed, stated, head, body).instrument(span).await;
        let trace = self.end_trace(traced, &mut answer);
        (answer, trace)
    }

    /// What is no hit.
    async fn answer_otherwise(
        self: Arc<Self>,
        is_allowed: bool,
        stated: Option<Passed>,
        mut head: Parts,
        body: Body,
    ) -> Response<Body> {
        if !is_allowed {
            return reply::plain(
                StatusCode::MISDIRECTED_REQUEST,
                "this server does not answer for that host",
            );
        }
        let uri = &head.uri;
        if uri.path().len() + uri.query().map_or(0, str::len) > LONGEST_TARGET {
            return reply::plain(StatusCode::URI_TOO_LONG, "the address is too long");
        }
        let path = match CanonicalPath::parse(uri.path()) {
            Ok(path) => path,
            Err(error) => return reply::plain(StatusCode::BAD_REQUEST, &format!("the path {error}")),
        };
        let is_stated = stated.is_some();
        let span = if self.hooks.is_empty() { Span::none() } else { spans::hooks() };
        let gate = self.through_hooks(&mut head, path, stated).instrument(span.clone()).await;
        span.record(
            "tropos.hooks.outcome",
            if matches!(gate, Gate::Open { .. }) { "passed" } else { "answered" },
        );
        drop(span);
        match gate {
            Gate::Open { path, passed } => {
                let mut response = self.answer_passed(path, head, body).await;
                if let Some(passed) = passed {
                    self.finish(&passed, &mut response);
                }
                if is_stated {
                    edge::acknowledge(&mut response);
                }
                response
            }
            Gate::Answered(answer) => answer,
        }
    }

    /// What the hooks have let through, which nothing of Tropos refuses any more.
    async fn answer_passed(self: &Arc<Self>, path: CanonicalPath, head: Parts, body: Body) -> Response<Body> {
        let reads = matches!(head.method, Method::GET | Method::HEAD);
        if let Some(own) = path.as_str().strip_prefix("/_tropos/") {
            return self.own(own, &path, head, body).await;
        }
        if reads && let Some(answer) = self.root_file(path.as_str(), &head).await {
            return told(answer, "", "file");
        }
        let found = self.table.find(&path).map(|(page, params)| (page.clone(), params));
        match found {
            Some((page, params)) if reads => self.page(&page, &path, params, head).await,
            found => match self.write(&path, head, body).await {
                Some(answer) => answer,
                None if found.is_some() => reply::method_not_allowed(),
                None => self.not_found(),
            },
        }
    }

    /// The answer, where the target is known and its page a hit.
    fn ready_answer(&self, head: &Parts) -> Option<Response<Body>> {
        let target = head.uri.path_and_query().filter(|_| ready::for_everybody(&head.headers))?;
        self.ready(target.as_str(), |page, facts, hit| {
            hit.count();
            let (route, mode) = hit.hits.map(Hits::route).unwrap_or_default();
            let lines = |name| head.headers.get_all(name).iter().map(HeaderValue::as_bytes);
            let traced = self.hit_begins(lines);
            let answer = reply::from_cache(respond(&head.method, &head.headers, page, facts), page);
            let of = AskedHit {
                method: &head.method,
                target: target.as_str(),
                host: guard::host_of(head),
                version: protocol_version(head.version),
            };
            self.hit_ends(traced, of, answer.status(), By::Page(facts.cache_status));
            Some(told(answer, route, mode))
        })
    }

    /// Tropos's own endpoints.
    async fn own(
        self: &Arc<Self>,
        own: &str,
        path: &CanonicalPath,
        head: Parts,
        body: Body,
    ) -> Response<Body> {
        let reads = matches!(head.method, Method::GET | Method::HEAD);
        if own == "revalidate" {
            return told(self.revalidate(&head, body).await, "/_tropos/revalidate", "api");
        }
        if own == "error" {
            return self.error_of_browser(&head, body).await;
        }
        if let Some("" | "/off") = own.strip_prefix("draft") {
            return self.draft_mode(own, &head, body).await;
        }
        if let Some(ticket) = own.strip_prefix("live/").filter(|_| head.method == Method::GET) {
            traces::of(&head).iter().for_each(|trace| trace.set_route(traces::LIVE_ROUTE));
            return self.stream_of_changes(ticket, &head).await;
        }
        let file = path.as_str().strip_prefix(ASSETS_PATH).and_then(|file| file.strip_prefix('/'));
        match file {
            Some(file) if reads => told(self.asset(file, path, &head).await, FILES, "file"),
            _ => self.not_found(),
        }
    }

    async fn page(
        self: &Arc<Self>,
        page: &Arc<PageRoute>,
        path: &CanonicalPath,
        params: Params,
        head: Parts,
    ) -> Response<Body> {
        let answer = self.page_as_listed(page, path, params, head).await;
        told(answer, page.route.pattern(), page.route.mode().as_str())
    }

    async fn page_as_listed(
        self: &Arc<Self>,
        page: &Arc<PageRoute>,
        path: &CanonicalPath,
        params: Params,
        head: Parts,
    ) -> Response<Body> {
        if let Some(trace) = traces::of(&head) {
            trace.set_route(page.route.pattern());
            trace.set("tropos.mode", page.route.mode().as_str());
        }
        let draft = page.route.mode().is_stored() && self.sees_drafts(&head);
        // What is not published yet is not listed either, so a draft is rendered all the same.
        if !draft && !self.listed.has(page, path.as_str()) {
            return self.not_found();
        }
        match &self.watch {
            Some(watch) => dev::page(self, watch, page, path, params, head, draft).await,
            None => {
                let span = observe::page(&head, page);
                self.page_in_mode(page, path, params, head, draft).instrument(span).await
            }
        }
    }

    /// The answer of a page, by its mode; or a draft of it.
    pub(crate) async fn page_in_mode(
        self: &Arc<Self>,
        page: &Arc<PageRoute>,
        path: &CanonicalPath,
        params: Params,
        head: Parts,
        draft: bool,
    ) -> Response<Body> {
        match page.route.mode() {
            Mode::Ssg | Mode::Isr if draft => self.drafted(page, params, &head).await,
            Mode::Ssg => self.made_at_build(page, path, &head).await,
            Mode::Isr => self.stored(page, path, params, &head).await,
            Mode::Server => self.streamed(page, params, &head).await,
            Mode::Live => self.live(page, params, &head).await,
        }
    }

    /// Whether the public origin is `https`.
    pub(crate) fn is_secure(&self) -> bool {
        self.config.is_https()
    }

    /// What a page may read of a request.
    fn visitor(&self, head: &Parts) -> Arc<RequestHead> {
        let secure = self.is_secure();
        let draft = self.sees_drafts(head);
        let seen = self.seen.as_ref().map(|seen| seen.read(&head.headers, secure)).unwrap_or_default();
        let (decided, watched) = (edge::decided(head).cloned(), dev::watched(head).cloned());
        let method = head.method.clone();
        Arc::new(RequestHead { method, headers: head.headers.clone(), secure, draft, seen, decided, watched })
    }

    /// A scope for a visitor: what a draft shows passes the cache by in it, and reads have seen what they wrote.
    fn scope(&self, purpose: Purpose, visitor: &RequestHead) -> Scope {
        let scope = match visitor.draft {
            true => Scope::draft(&self.engine, purpose),
            false => Scope::new(&self.engine, purpose),
        };
        if !visitor.seen.is_empty() {
            scope.has_seen(&visitor.seen);
        }
        scope
    }

    /// Gives a visitor who has written the cookies by which their next reads see it: of the shards that were written to alone,
    /// so that another answer, which is under way at the same time, keeps its own.
    async fn remember_writes(&self, scope: &Scope, visitor: &RequestHead, response: &mut Response<Body>) {
        let (Some(seen), Some(db)) = (&self.seen, self.db()) else { return };
        let written = scope.take_written();
        if written.is_empty() {
            return;
        }
        let after = db.positions_after(&written).await;
        for cookie in seen.cookies(&after, &visitor.seen, visitor.secure) {
            if let Ok(cookie) = HeaderValue::from_str(&cookie) {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
        }
    }

    /// The page for what does not exist. The same bytes for everybody: endless unknown paths cost no render.
    fn not_found(&self) -> Response<Body> {
        reply::from_static_page(&self.statics.not_found)
    }

    /// The page for what failed, with the trace by which it is found.
    fn error_page(&self) -> Response<Body> {
        let mut response = reply::from_static_page(&self.statics.error);
        if let Some(trace) = traces::id() {
            let html = &self.statics.error.body(Coding::Identity).bytes;
            traces::replace_body(&mut response, traces::with_trace_id(html, &trace));
        }
        response
    }
}

/// Says of an answer who gave it.
fn told(mut answer: Response<Body>, route: &'static str, mode: &'static str) -> Response<Body> {
    answer.extensions_mut().insert(Told { route, mode });
    answer
}

/// The same address with this path in its one spelling, and with another query where one is given.
pub(crate) fn with_path(uri: &Uri, path: &CanonicalPath, query: Option<&str>) -> Option<Uri> {
    let query = query.or(uri.query()).map(|query| format!("?{query}")).unwrap_or_default();
    let slash = if path.has_trailing_slash() { "/" } else { "" };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = format!("{}{slash}{query}", path.as_str()).parse().ok();
    Uri::from_parts(parts).ok()
}
