//! What is counted of hits of one route.

use http::StatusCode;
use std::time::Duration;
use tropos_cache::observe::Saved;
use tropos_telemetry::{
    metrics::{Counter, Histogram, Registry},
    names::metrics as names,
};

/// Handles on what a hit counts, taken once: each is one or two adds to memory of the thread's own.
#[derive(Debug)]
pub(crate) struct Hits {
    registry: Registry,
    scheme: &'static str,
    route: &'static str,
    mode: &'static str,
    /// Of `GET` by HTTP/1.1: all but a few.
    ok: Histogram,
    not_modified: Histogram,
    requests: Counter,
    queries: Counter,
    time: Counter,
}

/// A hit: where it is counted, and what it saved.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hit<'a> {
    pub(crate) hits: Option<&'a Hits>,
    pub(crate) saved: Saved,
}

impl Hits {
    pub(super) fn new(
        registry: &Registry,
        scheme: &'static str,
        route: &'static str,
        mode: &'static str,
    ) -> Self {
        let took = |status: &str| {
            let labels = ["GET", route, status, scheme, "1.1", "", mode];
            registry.histogram(&names::HTTP_SERVER_REQUEST_DURATION, &labels)
        };
        Self {
            scheme,
            route,
            mode,
            ok: took("200"),
            not_modified: took("304"),
            requests: registry.counter(&names::CACHE_REQUESTS, &["page", "hit", "fresh", route]),
            queries: registry.counter(&names::CACHE_SAVED_QUERIES, &["page", route]),
            time: registry.counter(&names::CACHE_SAVED_TIME, &["page", route]),
            registry: registry.clone(),
        }
    }

    /// The route and the mode, as they stand in labels.
    pub(crate) fn route(&self) -> (&'static str, &'static str) {
        (self.route, self.mode)
    }

    /// An entry answered, and saved its render.
    pub(crate) fn hit(&self, saved: Saved) {
        // A file is no page, and nobody would render it.
        if self.mode == "file" {
            return;
        }
        self.requests.add(1);
        self.queries.add(u64::from(saved.queries));
        self.time.add_duration(saved.time);
    }

    /// A request was answered on the quick path.
    pub(crate) fn answered(&self, head: bool, status: StatusCode, took: Duration) {
        match (head, status) {
            (false, StatusCode::OK) => self.ok.record(took),
            (false, StatusCode::NOT_MODIFIED) => self.not_modified.record(took),
            _ => {
                let method = if head { "HEAD" } else { "GET" };
                let labels = [method, self.route, status.as_str(), self.scheme, "1.1", "", self.mode];
                self.registry.histogram(&names::HTTP_SERVER_REQUEST_DURATION, &labels).record(took);
            }
        }
    }
}

impl Hit<'_> {
    /// Counts the hit, without the request.
    pub(crate) fn count(&self) {
        if let Some(hits) = self.hits {
            hits.hit(self.saved);
        }
    }

    /// Counts the hit and the request.
    pub(crate) fn answered(&self, head: bool, status: StatusCode, took: Duration) {
        if let Some(hits) = self.hits {
            hits.hit(self.saved);
            hits.answered(head, status, took);
        }
    }
}
