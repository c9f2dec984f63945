//! The endpoints of the admin listener: `/advice` where routes are counted, `/dev/*` in development.
//!
//! Nobody logs in here, so what a page of another site could make a browser ask of `/dev/*` is refused: by the host that
//! the request names, which must be an address or `localhost` (a name could be rebound to this machine), and by the content
//! type of what changes something, which such a page may not send. `/advice` is for production, where the listener has
//! names in a network of its own, and goes as `/metrics` beside it does.

use super::{
    advice,
    events::{self},
    record::{Record, WorkKind, total},
    ring::Ring,
};
use crate::{Site, dispatch::guard};
use axum::{
    Json, Router,
    extract::{Path, Request},
    http::{StatusCode, header},
    middleware::{Next, from_fn},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
    routing::{get, post},
};
use futures::stream;
use serde::{Deserialize, Serialize};
use std::{convert::Infallible, net::IpAddr, sync::Arc};
use tokio::sync::broadcast::error::RecvError;
use tropos_cache::Strength;
use tropos_core::Tag;

/// Tags that one call may invalidate, as over the public endpoint.
const MOST_TAGS: usize = 1_000;

/// What `POST /dev/invalidate` is told.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    tags: Vec<String>,
}

/// A record in a line.
#[derive(Debug, Serialize)]
struct Brief {
    id: u64,
    kind: super::record::Kind,
    at: u64,
    method: String,
    path: String,
    route: String,
    mode: String,
    status: u16,
    cache_status: Option<String>,
    total_ms: Option<f64>,
    queries: usize,
    db_ms: f64,
    fetch_ms: f64,
    done: bool,
    failed: bool,
}

impl Brief {
    fn of(record: &Record) -> Self {
        Self {
            id: record.id,
            kind: record.kind,
            at: record.at,
            method: record.method.clone(),
            path: record.path.clone(),
            route: record.route.clone(),
            mode: record.mode.clone(),
            status: record.status,
            cache_status: record.cache_status.clone(),
            total_ms: record.total_ms,
            queries: record.work.iter().filter(|work| work.kind == WorkKind::Query).count(),
            db_ms: total(record, WorkKind::Query),
            fetch_ms: total(record, WorkKind::Fetch),
            done: record.done,
            failed: record.failure.is_some(),
        }
    }
}

/// The endpoints that the configuration turns on: a part of the admin listener, for programs that serve one of their own.
/// Never for the public.
pub fn router<S: Clone + Send + Sync + 'static>(site: &Arc<Site>) -> Router<S> {
    let advised = site.clone();
    let advice = get(async move || Json(advice::of(&advised)));
    let router = Router::new().route("/advice", advice.clone());
    let Some(ring) = site.watch.as_ref().and_then(|watch| watch.ring.clone()) else { return router };
    let (one, site) = (ring.clone(), site.clone());
    let dev = Router::new()
        .route("/dev/advice", advice)
        .route("/dev/renders", get(async move || Json(briefs(&ring))))
        .route("/dev/renders/{id}", get(async move |Path(id): Path<u64>| record(&one, id)))
        .route("/dev/invalidate", post(async move |Json(call): Json<Call>| invalidate(&site, call).await))
        .route("/dev/events", get(async || stream_of_events()));
    router.merge(dev.layer(from_fn(only_for_this_machine)))
}

fn briefs(ring: &Ring) -> Vec<Brief> {
    ring.latest().iter().map(|recording| recording.look(Brief::of)).collect()
}

fn record(ring: &Ring, id: u64) -> Response {
    match ring.find(id) {
        Some(recording) => Json(recording.look(Clone::clone)).into_response(),
        None => (StatusCode::NOT_FOUND, "no such record: the last 500 are kept\n").into_response(),
    }
}

async fn invalidate(site: &Site, call: Call) -> Response {
    if call.tags.len() > MOST_TAGS {
        return (StatusCode::PAYLOAD_TOO_LARGE, "more than 1,000 tags\n").into_response();
    }
    let tags: Result<Vec<Tag>, _> = call.tags.iter().map(|name| Tag::named(name)).collect();
    let tags = match tags {
        Ok(tags) => tags,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    };
    match site.engine.invalidate(&tags, Strength::Hard).await {
        Ok(sequence) => Json(serde_json::json!({ "sequence": sequence })).into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}

fn stream_of_events() -> impl IntoResponse {
    let events = stream::unfold(events::listen(), async |mut events| {
        loop {
            match events.recv().await {
                Ok(json) => return Some((Ok::<_, Infallible>(Event::default().data(json)), events)),
                // What was missed is on record.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    });
    Sse::new(events).keep_alive(KeepAlive::new())
}

/// Refuses what names the admin listener by a name, which may lead anywhere tomorrow.
pub(crate) async fn only_for_this_machine(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    match host.is_none_or(is_no_name) {
        true => next.run(request).await,
        false => (StatusCode::FORBIDDEN, "name the admin listener by its address\n").into_response(),
    }
}

/// Whether a host is an address or `localhost`: a name may lead anywhere tomorrow.
fn is_no_name(host: &str) -> bool {
    let name = guard::name_of(host);
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::is_no_name;

    #[test]
    fn a_name_that_could_be_rebound_is_none_of_this_machine() {
        for good in ["localhost", "localhost:3001", "127.0.0.1:3001", "[::1]:3001", "[::1]", "10.0.0.1"] {
            assert!(is_no_name(good), "{good}");
        }
        for bad in
            ["evil.example", "evil.example:3001", "localhost.evil.example", "127.0.0.1.evil.example", ""]
        {
            assert!(!is_no_name(bad), "{bad}");
        }
    }
}
