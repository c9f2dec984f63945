//! What the cache, the database and fetches tell.

use super::{CANCELLED, Meter, outcome, words};
use crate::errors::Errors;
use std::sync::Arc;
use tropos_cache::{
    Strength,
    observe::{Invalidated, Read, Rendered},
};
use tropos_core::Key;
use tropos_telemetry::names::metrics::{self as names, OTHER};

/// Counts what the crates beneath tell.
#[derive(Debug, Clone)]
pub(crate) struct Teller(pub(crate) Arc<Meter>, pub(crate) Errors);

fn kind(key: &Key) -> &'static str {
    match key.as_str().split(' ').next() {
        Some("page") => "page",
        Some("fetch") => "fetch",
        _ => "function",
    }
}

impl tropos_cache::observe::Observer for Teller {
    fn read(&self, read: &Read<'_>) {
        let kind = kind(read.key);
        // Pages are counted where they answer: what is made again without a visitor is read, too.
        if kind == "page" {
            return;
        }
        let (registry, route) = (&self.0.registry, read.route.unwrap_or_default());
        let (result, why) = words(read.reason, "draft");
        registry.counter(&names::CACHE_REQUESTS, &[kind, result, why, route]).add(1);
        if result == "hit" {
            let queries = u64::from(read.saved.queries);
            registry.counter(&names::CACHE_SAVED_QUERIES, &[kind, route]).add(queries);
            registry.counter(&names::CACHE_SAVED_TIME, &[kind, route]).add_duration(read.saved.time);
        }
    }

    fn rendered(&self, render: &Rendered<'_>) {
        self.1.render_failed(render);
        let kind = kind(render.key);
        let page = self.0.pattern(render.key);
        if let Some(route) = page {
            let cause = if render.background { "background" } else { "request" };
            let mode = self.0.hits.get(route).map_or("", |hits| hits.route().1);
            self.0.rendered(route, mode, cause, render.took, outcome(render.failed));
        }
        if render.background && render.failed {
            let route = page.or(render.route).unwrap_or_default();
            self.0.registry.counter(&names::CACHE_REGENERATION_FAILURES, &[kind, route]).add(1);
        }
    }

    fn waited(&self, key: &Key, took: std::time::Duration) {
        self.0.registry.histogram(&names::CACHE_FLIGHT_WAIT, &[kind(key)]).record(took);
    }

    fn invalidated(&self, told: &Invalidated) {
        if !told.well {
            return;
        }
        let strength = match told.strength {
            Strength::Hard => "hard",
            Strength::Soft => "soft",
        };
        self.0.registry.counter(&names::CACHE_INVALIDATIONS, &[strength]).add(1);
        self.0.registry.histogram(&names::CACHE_INVALIDATION_DURATION, &[told.store]).record(told.took);
    }
}

impl tropos_db::Observer for Teller {
    fn ran(&self, query: &tropos_db::Ran<'_>) {
        let registry = &self.0.registry;
        let (system, route) = (query.kind.system(), query.route.unwrap_or_default());
        let labels = [system, query.summary, route, query.error.unwrap_or_default()];
        registry.histogram(&names::DB_CLIENT_OPERATION_DURATION, &labels).record(query.took);
        if query.slow {
            registry.counter(&names::DB_SLOW_QUERIES, &[query.summary, route]).add(1);
        }
    }

    fn waited(&self, wait: &tropos_db::Waited<'_>) {
        let wait_time = &names::DB_CLIENT_CONNECTION_WAIT_TIME;
        self.0.registry.histogram(wait_time, &[&wait.pool()]).record(wait.took);
    }
}

impl tropos_fetch::Observer for Teller {
    fn called(&self, call: &tropos_fetch::Called<'_>) {
        let (port, status) = (call.port.to_string(), call.status.map(|status| status.to_string()));
        let error = match (&status, call.status) {
            (Some(text), Some(400..)) => text,
            (Some(_), _) => "",
            (None, _) if call.cancelled => CANCELLED,
            (None, _) => OTHER,
        };
        let status = status.as_deref().unwrap_or_default();
        // Methods are the application's own, and none that a visitor made up.
        let labels = [call.method, call.host, &port, status, error, call.scheme];
        self.0.registry.histogram(&names::HTTP_CLIENT_REQUEST_DURATION, &labels).record(call.took);
    }
}
