//! One request: looked up, answered from the store, or sent on and its answer stored.

use super::{
    Body, BoxError, answer as answers,
    flight::{Boarding, End, Permit},
    shared::Shared,
    status::{Detail, Kept as Became, Status, Why},
    store::{Found, Kept},
    trip::Trip,
};
use crate::http::policy::{
    Asked, Exchange, Failure, Part, Reuse, invalidation, request as requests,
    reuse::{self, Wishes},
    validation,
};
use ::http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use std::sync::Arc;
use tower_service::Service;
use tropos_core::Key;

/// How often a request takes another one's place before it asks for itself: each time, one that led has been given up.
const MOST_TURNS: usize = 8;

/// What a client wants for itself, and is no part of a request that the cache makes for all.
const OF_THE_CLIENT: [header::HeaderName; 6] = [
    header::CACHE_CONTROL,
    header::PRAGMA,
    header::RANGE,
    header::IF_RANGE,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
];

/// Answers one request.
pub(super) async fn answer<S, B, R>(
    shared: Arc<Shared>,
    inner: S,
    request: Request<B>,
) -> Result<Response<Body>, S::Error>
where
    S: Service<Request<B>, Response = Response<R>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    B: Send + 'static,
    R: http_body::Body + Send + 'static,
    R::Error: Into<BoxError>,
{
    match requests::part(request.method(), request.uri(), request.headers()) {
        Part::Answer => Call::new(shared, request).answer(inner).await,
        Part::Invalidate => invalidate(&shared, inner, request).await,
        Part::Forward(why) => {
            let why = match why {
                requests::Forwarded::Method => Why::Method,
                _ => Why::Bypass,
            };
            Ok(answers::passed_on(send(inner, request).await?, why, Became::Nothing))
        }
    }
}

async fn send<S, T>(mut inner: S, request: T) -> Result<S::Response, S::Error>
where
    S: Service<T>,
{
    inner.call(request).await
}

/// RFC 9111 §4.4.
async fn invalidate<S, B, R>(
    shared: &Shared,
    inner: S,
    request: Request<B>,
) -> Result<Response<Body>, S::Error>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: http_body::Body + Send + 'static,
    R::Error: Into<BoxError>,
{
    let asked = Asked::of(request.uri(), request.headers());
    let response = send(inner, request).await?;
    for target in invalidation::affected(&asked, response.status(), response.headers()) {
        tracing::debug!(authority = target.authority, target = target.target, "removed from the HTTP cache");
        shared.remove(&target);
    }
    Ok(answers::passed_on(response, Why::Method, Became::Nothing))
}

/// A `GET` or `HEAD` under way.
struct Call<B> {
    shared: Arc<Shared>,
    key: Key,
    wishes: Wishes,
    /// The client's own header, before validators are put into it.
    asked: HeaderMap,
    method: Method,
    request: Request<B>,
}

/// What the look-up left to do.
enum Next {
    Respond(Response<Body>),
    /// Respond, and have the answer validated in the background.
    RespondAndRefresh(Response<Body>, Arc<Kept>, Permit),
    Forward {
        why: Why,
        known: Option<Arc<Kept>>,
        permit: Option<Permit>,
    },
}

impl<B: Send + 'static> Call<B> {
    fn new(shared: Arc<Shared>, request: Request<B>) -> Self {
        Self {
            key: Shared::key(&Asked::of(request.uri(), request.headers())),
            wishes: Wishes::of(request.headers(), &shared.config.rules),
            asked: request.headers().clone(),
            method: request.method().clone(),
            shared,
            request,
        }
    }

    async fn answer<S, R>(mut self, inner: S) -> Result<Response<Body>, S::Error>
    where
        S: Service<Request<B>, Response = Response<R>> + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Send + 'static,
        R: http_body::Body + Send + 'static,
        R::Error: Into<BoxError>,
    {
        match self.look_up().await {
            Next::Respond(response) => Ok(response),
            Next::RespondAndRefresh(response, known, permit) => {
                self.refresh(inner, known, permit);
                Ok(response)
            }
            Next::Forward { why, known, permit } => self.forward(inner, why, known, permit).await,
        }
    }

    /// Looks until something can answer, or this request is to ask for itself.
    async fn look_up(&mut self) -> Next {
        let deadline = tokio::time::Instant::now() + self.shared.config.most_wait;
        let mut permit = None;
        let mut waited_for = None;
        let mut was_stored = false;
        for turn in 0.. {
            let (why, known) = match self.shared.store.find(&self.key, &self.asked) {
                Found::Nothing => (Why::UriMiss, None),
                Found::OtherVariants => (Why::VaryMiss, None),
                Found::Answer(kept) => {
                    let now = self.shared.config.clock.now();
                    let hit = |detail| match waited_for {
                        None => Status::Hit { ttl: kept.stored.ttl(now), detail },
                        Some(why) => Status::Forwarded { why, fwd_status: None, kept: Became::Collapsed },
                    };
                    let respond =
                        |detail| answers::from_store(&kept, &self.method, &self.asked, now, hit(detail));
                    match reuse::decide(&kept.stored, &self.wishes, now) {
                        Reuse::Fresh => return Next::Respond(respond(None)),
                        Reuse::Tolerated => return Next::Respond(respond(Some(Detail::Stale))),
                        Reuse::WhileRevalidated => {
                            let response = respond(Some(Detail::Stale));
                            if let Some(permit) = permit {
                                return Next::RespondAndRefresh(response, kept, permit);
                            }
                            return match self.shared.flights.board(&self.key) {
                                Boarding::Lead(permit) => Next::RespondAndRefresh(response, kept, permit),
                                Boarding::Join(_) => Next::Respond(response),
                            };
                        }
                        Reuse::Validate(reuse::Why::Stale | reuse::Why::NoCache) => (Why::Stale, Some(kept)),
                        Reuse::Validate(reuse::Why::Request | reuse::Why::Authorization) => {
                            (Why::Request, Some(kept))
                        }
                    }
                }
            };
            // RFC 9111 §5.2.1.7.
            if self.wishes.control.directives.only_if_cached {
                return Next::Respond(answers::not_cached(why));
            }
            // What was stored meanwhile is for this request, and must be validated again: the next one would be too.
            let in_vain = was_stored && known.is_some();
            if permit.is_some() || in_vain || turn >= MOST_TURNS || !self.may_share(why, known.as_deref()) {
                return Next::Forward { why, known, permit };
            }
            match self.shared.flights.board(&self.key) {
                // Looked up once more: another may have landed in between.
                Boarding::Lead(lead) => permit = Some(lead),
                Boarding::Join(waiter) => {
                    waited_for.get_or_insert(why);
                    match tokio::time::timeout_at(deadline, waiter.wait()).await {
                        Ok(end @ (End::Stored | End::Open)) => was_stored = end == End::Stored,
                        Ok(End::NotShared) | Err(_) => return Next::Forward { why, known, permit },
                    }
                }
            }
        }
        Next::Forward { why: Why::Bypass, known: None, permit }
    }

    /// Whether the answer to this request may serve others who ask meanwhile.
    fn may_share(&self, why: Why, known: Option<&Kept>) -> bool {
        // A part serves nobody else; so does what this client alone wants anew, or is asked for as itself.
        if self.method != Method::GET
            || self.asked.contains_key(header::RANGE)
            || why == Why::Request
            || self.wishes.authorized
            || self.wishes.control.directives.no_store
        {
            return false;
        }
        // A 304 to the client's own validators says nothing to others; stored ones take their place where there are any.
        let is_conditional = self.asked.contains_key(header::IF_NONE_MATCH)
            || self.asked.contains_key(header::IF_MODIFIED_SINCE);
        let has_validators = known.is_some_and(|kept| {
            let headers = &kept.stored.headers;
            headers.contains_key(header::ETAG) || headers.contains_key(header::LAST_MODIFIED)
        });
        if is_conditional && !has_validators {
            return false;
        }
        !self.shared.marks.is_not_shared(&self.key, self.shared.config.clock.now())
    }

    /// RFC 5861 §3: the request goes on as one for the whole answer, whose body nobody but the store reads.
    fn refresh<S, R>(mut self, inner: S, known: Arc<Kept>, permit: Permit)
    where
        S: Service<Request<B>, Response = Response<R>> + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Send + 'static,
        R: http_body::Body + Send + 'static,
        R::Error: Into<BoxError>,
    {
        self.method = Method::GET;
        *self.request.method_mut() = Method::GET;
        for headers in [&mut self.asked, self.request.headers_mut()] {
            OF_THE_CLIENT.iter().for_each(|name| {
                headers.remove(name);
            });
        }
        let most = self.shared.config.most_background;
        let work = async move {
            if let Ok(response) = self.forward(inner, Why::Stale, Some(known), Some(permit)).await {
                let mut body = response.into_body();
                while let Some(Ok(_)) = body.frame().await {}
            }
        };
        // A future of this layer runs on Tokio, as its timers do.
        tokio::spawn(tokio::time::timeout(most, work));
    }

    /// Asks the origin.
    async fn forward<S, R>(
        self,
        inner: S,
        why: Why,
        known: Option<Arc<Kept>>,
        permit: Option<Permit>,
    ) -> Result<Response<Body>, S::Error>
    where
        S: Service<Request<B>, Response = Response<R>> + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Send + 'static,
        R: http_body::Body + Send + 'static,
        R::Error: Into<BoxError>,
    {
        let Self { shared, key, wishes, asked, method, mut request } = self;
        let clock = shared.config.clock.clone();
        let is_get = method == Method::GET;
        let validates = match &known {
            // RFC 9111 §4.3.5: `HEAD` goes out as it came, so that its 200 can update what is stored.
            Some(kept) if is_get => validation::ask(&kept.stored, request.headers_mut()),
            _ => false,
        };
        let removals = shared.marks.removals(&key);
        let requested = clock.now();
        let sent = send(inner, request).await;
        let exchange = Exchange { requested, received: clock.now(), received_wall: clock.wall() };
        let trip = Trip { shared, key, wishes, asked, method, why, removals, exchange };
        let response = match sent {
            Ok(response) => response,
            Err(error) => return trip.stand_in(known.as_deref(), Failure::Unreachable).ok_or(error),
        };
        if let Some(failure) = Failure::of(response.status())
            && let Some(stale) = trip.stand_in(known.as_deref(), failure)
        {
            return Ok(stale);
        }
        match known {
            Some(kept) if validates && response.status() == StatusCode::NOT_MODIFIED => {
                Ok(trip.freshened(&kept, response.headers(), permit))
            }
            known if is_get => Ok(trip.received(response, known.is_some(), permit)),
            known => Ok(trip.head(response, known.as_deref())),
        }
    }
}
