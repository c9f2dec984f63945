//! All numbers, in the text form that Prometheus reads.

use crate::site::Site;
use axum::extract::State;
use std::sync::Arc;
use tropos_telemetry::metrics::{CONTENT_TYPE, text};

/// `GET /metrics` on the admin listener.
pub(super) async fn exposition(State(site): State<Arc<Site>>) -> ([(&'static str, &'static str); 1], String) {
    ([("content-type", CONTENT_TYPE)], site.metrics())
}

impl Site {
    /// What `/metrics` of the admin listener answers: for tests, and for listeners of one's own.
    pub fn metrics(&self) -> String {
        text(&self.meter.registry().snapshot(), &self.config.telemetry.resource)
    }
}
