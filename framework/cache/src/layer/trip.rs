//! An answer of the origin, and what becomes of it.

use super::{
    Body, BoxError, answer as answers,
    flight::{End, Permit},
    shared::{Landing, Shared},
    status::{Detail, Kept as Became, Status, Why},
    store::{Kept, Put},
};
use crate::http::policy::{
    Exchange, Failure, NotStored, Reuse, Stored,
    reuse::{self, Wishes},
    validation,
};
use ::http::{HeaderMap, Method, Response, StatusCode, header};
use std::sync::Arc;
use tropos_core::Key;

/// A request that has come back.
pub(super) struct Trip {
    pub(super) shared: Arc<Shared>,
    pub(super) key: Key,
    pub(super) wishes: Wishes,
    pub(super) asked: HeaderMap,
    pub(super) method: Method,
    pub(super) why: Why,
    pub(super) removals: u64,
    pub(super) exchange: Exchange,
}

impl Trip {
    /// What is stored, where it may go out because the origin failed.
    pub(super) fn stand_in(&self, known: Option<&Kept>, failure: Failure) -> Option<Response<Body>> {
        let kept = known?;
        let now = self.exchange.received;
        if !reuse::stands_in(&kept.stored, &self.wishes, failure, now, &self.shared.config.rules) {
            return None;
        }
        tracing::debug!(key = %self.key, ?failure, "a stale answer stands in for its origin");
        let status = Status::Hit { ttl: kept.stored.ttl(now), detail: Some(Detail::StaleError) };
        Some(answers::from_store(kept, &self.method, &self.asked, now, status))
    }

    /// RFC 9111 §4.3.4.
    pub(super) fn freshened(
        self,
        kept: &Kept,
        not_modified: &HeaderMap,
        permit: Option<Permit>,
    ) -> Response<Body> {
        let rules = &self.shared.config.rules;
        let done = validation::freshen(&kept.stored, &self.asked, not_modified, &self.exchange, rules);
        let fresh = Arc::new(Kept::new(done.stored, kept.body.clone()));
        let became = match done.keep {
            Ok(()) => {
                let permit = self.shared_by(&fresh.stored, permit);
                self.put(fresh.clone(), permit)
            }
            Err(why) => {
                self.not_kept(why, true, permit);
                Became::Not(why)
            }
        };
        let status =
            Status::Forwarded { why: self.why, fwd_status: Some(StatusCode::NOT_MODIFIED), kept: became };
        let now = self.exchange.received;
        answers::from_store(&fresh, &self.method, &self.asked, now, status)
    }

    fn put(&self, fresh: Arc<Kept>, permit: Option<Permit>) -> Became {
        match self.shared.put(&self.key, &self.asked, fresh, self.removals, permit) {
            Put::Kept => Became::Stored,
            Put::Outdated => Became::Nothing,
            Put::Refused => Became::Not(NotStored::TooLarge),
        }
    }

    /// An answer to `GET`.
    pub(super) fn received<R>(
        self,
        response: Response<R>,
        replaces: bool,
        permit: Option<Permit>,
    ) -> Response<Body>
    where
        R: http_body::Body + Send + 'static,
        R::Error: Into<BoxError>,
    {
        let (parts, body) = response.into_parts();
        let config = &self.shared.config;
        let declared = content_length(&parts.headers);
        // Many bodies know their length before anybody has written the field.
        let length = declared.or_else(|| body.size_hint().exact().and_then(|length| length.try_into().ok()));
        let stored = match length {
            Some(length) if length > config.most_body => Err(NotStored::TooLarge),
            _ => {
                let headers = parts.headers.clone();
                Stored::new(&self.asked, parts.status, headers, &self.exchange, &config.rules)
            }
        };
        let stored = stored.and_then(|stored| {
            let most = config.most_body.min(self.shared.store.most_body(&self.key, &stored));
            if length.is_some_and(|length| length > most) {
                return Err(NotStored::TooLarge);
            }
            Ok((stored, most))
        });
        let status = |kept| Status::Forwarded { why: self.why, fwd_status: None, kept };
        match stored {
            Ok((stored, most)) => {
                let permit = self.shared_by(&stored, permit);
                let marked = status(Became::Stored);
                let most_background = config.most_background;
                let Self { shared, key, asked: request, removals, .. } = self;
                let landing = Landing { shared, key, request, stored, removals, permit };
                let body = Body::keeping(body, declared, most, most_background, landing);
                answers::marked(Response::from_parts(parts, body), marked)
            }
            Err(why) => {
                let marked = status(Became::Not(why));
                // What is stored is outdated by a whole answer; a part says nothing of it.
                let outdated = replaces && why != NotStored::Status;
                if !parts.status.is_server_error() {
                    self.not_kept(why, outdated, permit);
                } else if let Some(permit) = permit {
                    // A failure passes, and says nothing of the answers to come.
                    permit.end(End::NotShared);
                }
                answers::marked(Response::from_parts(parts, Body::through(body)), marked)
            }
        }
    }

    /// An answer to `HEAD` (RFC 9111 §4.3.5).
    pub(super) fn head<R>(self, response: Response<R>, known: Option<&Kept>) -> Response<Body>
    where
        R: http_body::Body + Send + 'static,
        R::Error: Into<BoxError>,
    {
        let mut became = Became::Nothing;
        if let Some(kept) = known.filter(|_| response.status() == StatusCode::OK) {
            let rules = &self.shared.config.rules;
            let (stored, headers) = (&kept.stored, response.headers());
            let done = validation::update_by_head(stored, &self.asked, headers, &self.exchange, rules);
            match done {
                Some(done) if done.keep.is_ok() => {
                    became = self.put(Arc::new(Kept::new(done.stored, kept.body.clone())), None);
                }
                Some(_) => {}
                None => self.shared.store.remove_variant(&self.key, &self.asked),
            }
        }
        answers::passed_on(response, self.why, became)
    }

    /// The permit, to be held until the answer is stored; or none, where those who wait would have to validate it.
    fn shared_by(&self, stored: &Stored, permit: Option<Permit>) -> Option<Permit> {
        let anybody = Wishes::of(&HeaderMap::new(), &self.shared.config.rules);
        let now = self.exchange.received;
        if !matches!(reuse::decide(stored, &anybody, now), Reuse::Validate(_)) {
            self.shared.marks.note_shared(&self.key);
            return permit;
        }
        self.shared.marks.note_not_shared(&self.key, now);
        if let Some(permit) = permit {
            permit.end(End::NotShared);
        }
        None
    }

    /// Nobody else is served by this answer.
    fn not_kept(&self, why: NotStored, outdated: bool, permit: Option<Permit>) {
        tracing::debug!(key = %self.key, %why, "an answer is not stored");
        let is_of_this_request = matches!(why, NotStored::RequestNoStore | NotStored::Authorization);
        if outdated && !is_of_this_request {
            self.shared.store.remove_variant(&self.key, &self.asked);
        }
        if let Some(permit) = permit {
            self.shared.marks.note_not_shared(&self.key, self.shared.config.clock.now());
            permit.end(End::NotShared);
        }
    }
}

fn content_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
