//! All numbers, in the text form that Prometheus reads.

use crate::site::Site;
use axum::extract::State;
use std::sync::Arc;
use tropos_telemetry::metrics::{CONTENT_TYPE, text};

/// `GET /metrics` on the admin listener.
pub(super) async fn exposition(State(site): State<Arc<Site>>) -> ([(&'static str, &'static str); 1], String) {
    let text = text(&site.meter.registry().snapshot(), &site.config.telemetry.resource);
    ([("content-type", CONTENT_TYPE)], text)
}
