//! The admin listener: for operators and orchestrators, never for the public.

use super::metrics;
use crate::{App, Error, Site, dashboard, dev, page::Route};
use axum::{
    Router,
    extract::{RawQuery, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Serialize;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tropos_core::{Mode, age::Span};

/// A route, as `/routes` and `cargo tropos routes --json` show it.
#[derive(Debug, Serialize)]
struct RouteLine {
    name: &'static str,
    pattern: &'static str,
    mode: &'static str,
    /// The age after which an entry is stale; `never`; none but for `isr`.
    revalidate: Option<String>,
    expire: Option<String>,
    tags: &'static [&'static str],
    closed: bool,
    /// Where the page is written.
    source: String,
}

impl RouteLine {
    fn of(route: &Route) -> Self {
        let stored = route.mode() == Mode::Isr;
        Self {
            name: route.name(),
            pattern: route.pattern(),
            mode: route.mode().as_str(),
            revalidate: stored.then(|| route.ages().revalidate().to_string()),
            expire: route.ages().expire().filter(|_| stored).map(|expire| Span(expire).to_string()),
            tags: route.tag_templates(),
            closed: route.is_closed(),
            source: format!("{}:{}", route.spec.file, route.spec.line),
        }
    }
}

/// The routes of an application, in the order of their declaration.
pub(super) fn routes_json(app: &App) -> Result<String, Error> {
    let lines: Vec<RouteLine> = app.routes()?.iter().map(|(route, _)| RouteLine::of(route)).collect();
    serde_json::to_string_pretty(&lines).map_err(|error| Error::Io(error.into()))
}

/// Whether requests should still be sent here.
pub(super) type Ready = Arc<AtomicBool>;

pub(super) fn router(site: &Arc<Site>, ready: Ready) -> Router {
    let lines: Vec<RouteLine> = site.table.all().iter().map(|page| RouteLine::of(&page.route)).collect();
    let routes = serde_json::to_string_pretty(&lines).unwrap_or_default();
    let json = [("content-type", "application/json")];
    let explained = site.clone();
    let router = match &site.watch {
        Some(_) => dev::router(site),
        None => Router::new(),
    };
    router
        .merge(dashboard::router(site))
        // Alive as long as this answers; a restart mends nothing that a database's absence breaks.
        .route("/livez", get(async || "alive\n"))
        .route("/readyz", get(readiness))
        .route("/metrics", get(metrics::exposition).with_state(site.clone()))
        .route("/routes", get(async move || (json, routes)))
        .route("/explain", get(async move |query| explain(&explained, query).await))
        .with_state(ready)
}

/// `?path=` with the path, and the query, that are asked about, percent-encoded.
async fn explain(site: &Site, RawQuery(query): RawQuery) -> Response {
    let pairs: Vec<(String, String)> =
        serde_urlencoded::from_str(query.as_deref().unwrap_or_default()).unwrap_or_default();
    match pairs.into_iter().find(|(name, _)| name == "path") {
        Some((_, path)) => axum::Json(site.explain(&path).await).into_response(),
        None => (StatusCode::BAD_REQUEST, "write ?path=/the/path\n").into_response(),
    }
}

async fn readiness(State(ready): State<Ready>) -> (StatusCode, &'static str) {
    match ready.load(Ordering::Acquire) {
        true => (StatusCode::OK, "ready\n"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
    }
}
