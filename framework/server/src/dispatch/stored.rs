//! Pages that are stored: `ssg` and `isr`.

use super::{
    ready::{Lesson, facts_of_build},
    reply,
};
use crate::{
    dev,
    edge::{self, policy},
    page::{PageCx, inputs::Inputs},
    render::{self, Order},
    routing::PageRoute,
    site::Site,
    traces::spans,
};
use axum::body::Body;
use http::{Response, StatusCode, header, request::Parts};
use std::{sync::Arc, time::Duration};
use tracing::Instrument as _;
use tropos_cache::{
    Decision, Entry, Meta, Produced, Scope, StoredPage,
    http::{CACHE_STATUS, CacheStatus, Facts, Lifetime, respond},
};
use tropos_core::{Ages, CanonicalPath, Failure, Key, Mode, PageError, Params, Tick};

/// From this length on, a page is compressed on a thread that may block: it takes longer than a millisecond.
const COMPRESS_ASIDE: usize = 64 * 1024;

impl Site {
    /// An `ssg` page: from the build, whatever its age. Without a build, in development, it is made at the first request.
    pub(super) async fn made_at_build(
        self: &Arc<Self>,
        page: &Arc<PageRoute>,
        path: &CanonicalPath,
        request: &Parts,
    ) -> Response<Body> {
        let key = Key::page(page.route.pattern(), path.as_str(), "");
        let entry = match self.dist {
            Some(_) => {
                let entry = self.engine.pages().from_build(&key).await;
                let lesson = Lesson { path, query: "", variants: "", mode: Mode::Ssg };
                self.learn(request, lesson, || self.engine.pages().place(&key));
                if let Some(entry) = &entry {
                    self.meter.hits_of(&key).hit(entry.saves());
                }
                entry
            }
            None => {
                let Some(params) = page.pattern.matches(path) else { return self.not_found() };
                let served = self.serve(page, &key, params, Inputs::default(), path, false).await;
                self.meter.page_read(&page.route, served.reason, false);
                if let Some(recording) = dev::watched(request) {
                    let meta = served.result.as_ref().ok().map(|entry| &entry.meta);
                    recording.answered(&key, meta, served.reason, served.degraded, self.engine.clock().now());
                }
                match served.result {
                    Ok(entry) => Some(entry),
                    Err(failure) => return self.failed(page, path.as_str(), &failure),
                }
            }
        };
        let Some(entry) = entry else { return self.not_found() };
        let answer = respond(&request.method, &request.headers, &entry.value, facts_of_build());
        let mut response = reply::from_cache(answer, &entry.value);
        edge::tell(request, &key, &entry.meta, &mut response);
        response
    }

    /// An `isr` page: from the store, made anew when stale, missing or invalidated.
    pub(super) async fn stored(
        self: &Arc<Self>,
        page: &Arc<PageRoute>,
        path: &CanonicalPath,
        params: Params,
        request: &Parts,
    ) -> Response<Body> {
        let chosen = edge::variants(request);
        let Ok(inputs) = page.route.inputs(request.uri.query().unwrap_or_default(), chosen) else {
            return self.not_found();
        };
        let key = inputs.key(page.route.pattern(), path.as_str());
        if let Some((entry, Decision::Hit { ttl_seconds })) = self.engine.pages().peek(&key) {
            let Inputs { query, variants } = &inputs;
            let lesson = Lesson { path, query, variants, mode: Mode::Isr };
            self.learn(request, lesson, || self.engine.pages().place(&key));
            if let Some(recording) = dev::watched(request) {
                let reason = tropos_cache::Reason::Hit { ttl: ttl_seconds };
                recording.answered(&key, Some(&entry.meta), reason, false, self.engine.clock().now());
            }
            self.meter.hits_of(&key).hit(entry.saves());
            return self.reply_with(&key, &entry, CacheStatus::hit(ttl_seconds), request);
        }
        let served = self.serve(page, &key, params, inputs, path, false).await;
        self.meter.page_read(&page.route, served.reason, false);
        if let Some(recording) = dev::watched(request) {
            let (meta, now) =
                (served.result.as_ref().ok().map(|entry| &entry.meta), self.engine.clock().now());
            recording.answered(&key, meta, served.reason, served.degraded, now);
        }
        let status = CacheStatus::of(served.reason, Mode::Isr);
        let status = if served.degraded { status.degraded() } else { status };
        match served.result {
            Ok(entry) => self.reply_with(&key, &entry, status, request),
            Err(failure) => {
                let mut response = self.failed(page, path.as_str(), &failure);
                response.headers_mut().insert(CACHE_STATUS, status.as_header());
                response
            }
        }
    }

    /// The entry, or a render of it. Where it is `unasked` for, by a visitor, nothing stale is taken, and the render is waited for.
    pub(super) async fn serve(
        self: &Arc<Self>,
        page: &Arc<PageRoute>,
        key: &Key,
        params: Params,
        inputs: Inputs,
        path: &CanonicalPath,
        unasked: bool,
    ) -> tropos_cache::Served<StoredPage> {
        let asked = tropos_cache::Request {
            key,
            ages: if page.route.mode() == Mode::Isr { page.route.ages() } else { Ages::NEVER },
            negative: page.route.negative(),
            tags: page.route.tags(path.as_str(), &params),
            fresh: unasked,
            unasked,
        };
        let (site, page) = (self.clone(), page.clone());
        let span = spans::lookup();
        let served = self
            .engine
            .pages()
            .serve(asked, move || render_to_store(site, page, params, inputs))
            .instrument(span.clone());
        let served = served.await;
        if !span.is_disabled() {
            let status = CacheStatus::of(served.reason, Mode::Isr);
            let status = if served.degraded { status.degraded() } else { status };
            span.record("tropos.cache.status", tracing::field::display(status));
        }
        served
    }

    fn reply_with(
        &self,
        key: &Key,
        entry: &Entry<StoredPage>,
        status: CacheStatus,
        request: &Parts,
    ) -> Response<Body> {
        let facts = facts(&entry.meta, status, self.engine.clock().now());
        let mut response =
            reply::from_cache(respond(&request.method, &request.headers, &entry.value, facts), &entry.value);
        edge::tell(request, key, &entry.meta, &mut response);
        response
    }

    /// The page for what failed, where there is no earlier good entry. What went wrong stays in the log.
    pub(super) fn failed(&self, page: &PageRoute, path: &str, failure: &Failure) -> Response<Body> {
        tracing::error!(route = page.route.pattern(), mode = %page.route.mode(), path, error = %failure, "a page failed");
        match &self.watch {
            Some(watch) if watch.shows_causes() => dev::failed(page, path, failure),
            _ => self.error_page(),
        }
    }
}

/// What there is to say of an entry of an `isr` page.
pub(super) fn facts(meta: &Meta, cache_status: CacheStatus, now: Tick) -> Facts {
    let age = now.since(meta.started);
    Facts { mode: Mode::Isr, age_seconds: Some(age.as_secs()), lifetime: lifetime(meta), cache_status }
}

/// For how long other caches may keep an entry.
pub(crate) fn lifetime(meta: &Meta) -> Lifetime {
    let negative: Option<Duration> = meta.revalidate.filter(|_| meta.negative);
    Lifetime::of(Mode::Isr, meta.revalidate, meta.expire, negative)
}

/// Renders a page once for many requests: nothing of any request is there to be read.
pub(crate) async fn render_to_store(
    site: Arc<Site>,
    page: Arc<PageRoute>,
    params: Params,
    inputs: Inputs,
) -> Result<Produced<StoredPage>, Failure> {
    Scope::current().iter().for_each(|scope| scope.set_route(page.route.pattern()));
    let (cx, _) = site.page_cx(page.route.mode(), params, inputs, None, None);
    let nonce = cx.nonce().clone();
    let span = spans::render(&page);
    let rendered = render_whole(&page, cx).instrument(span.clone()).await;
    if let Err(PageError::Failed(failure)) = &rendered {
        spans::failed(&span, failure);
    }
    spans::done(&span);
    drop(span);
    if site.watch.is_some() {
        dev::rendered(&page, &rendered);
    }
    let (stored, negative) = match rendered {
        Ok(html) => (policy::sealed(StatusCode::OK, &html, &nonce), false),
        Err(PageError::NotFound) => (site.statics.not_found.clone(), true),
        Err(PageError::Redirect(redirect)) => {
            let location = reply::location(&redirect.location).ok_or_else(|| {
                Failure::new(format!("the page redirects to `{}`: write a path that begins with one `/`, or an `http(s)://` address", redirect.location))
            })?;
            let status = StatusCode::from_u16(redirect.status())?;
            (StoredPage::new(status, vec![(header::LOCATION, location)], Default::default()), false)
        }
        Err(PageError::Failed(failure)) => return Err(failure),
        Err(other) => return Err(Failure::new(format!("the page answered {other:?}"))),
    };
    let long = stored.body(tropos_cache::http::Coding::Identity).bytes.len() >= COMPRESS_ASIDE;
    let value = match (negative, long) {
        (true, _) => stored,
        (false, false) => stored.compress(),
        (false, true) => tokio::task::spawn_blocking(move || stored.compress()).await?,
    };
    Ok(Produced { value, negative, store: true })
}

pub(super) async fn render_whole(page: &PageRoute, cx: PageCx) -> Result<String, PageError> {
    let html = render::render_page(page.route.spec.handler, cx, &page.document, Order::InOrder).await?;
    Ok(html.collect().await?)
}
