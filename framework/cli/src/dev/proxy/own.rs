//! `/_tropos/dev/…`: the client, its events, and what it asks for.

use super::{Body, Proxy, admin, guard, stream::Channel, text};
use crate::dev::{console, editor, scripts};
use bytes::Bytes;
use http::{Method, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::{Request, Response, body::Incoming};
use std::{sync::Arc, time::Duration};
use tokio::sync::{broadcast::error::RecvError, mpsc};

const PLAIN: &str = "text/plain; charset=utf-8";

/// Longer bodies are refused: a stack trace is some kilobytes.
const LONGEST_BODY: usize = 64 << 10;

/// A comment goes out so often, by which a browser that is gone is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Answers what is below `/_tropos/dev/`.
pub(super) async fn answer(proxy: &Arc<Proxy>, path: &str, request: Request<Incoming>) -> Response<Body> {
    if !guard::is_own(request.headers(), &proxy.allowed_hosts) {
        return text(StatusCode::FORBIDDEN, PLAIN, "Only pages of this dev server may ask for this.\n");
    }
    if !super::is_near(&request) && (path == "open" || path.starts_with("app/")) {
        return text(StatusCode::FORBIDDEN, PLAIN, "Only this machine may ask for this.\n");
    }
    match (request.method(), path) {
        (&Method::GET, "events") => events(proxy, away(request.uri().query())),
        (&Method::POST, "console") => match json(request).await {
            Some(line) => {
                if proxy.console {
                    console::print(&line);
                }
                text(StatusCode::NO_CONTENT, PLAIN, "")
            }
            None => bad(),
        },
        (&Method::POST, "open") => match json(request).await {
            Some(place) => open(proxy, &place),
            None => bad(),
        },
        // `app/renders` is `/dev/renders` there.
        (_, path) if path.starts_with("app/") => {
            let asked = request.uri().path_and_query().map_or("", |path| path.as_str());
            let path = format!("/dev{}", asked.strip_prefix("/_tropos/dev/app").unwrap_or_default());
            admin::hand_on(proxy, &path, request).await
        }
        (&Method::GET, path) if path == "dashboard" || path.starts_with("dashboard/") => {
            admin::to_dashboard(proxy, path)
        }
        (&Method::GET, name) => match scripts::file(name) {
            Some(script) => text(StatusCode::OK, scripts::kind(name), script),
            None => text(StatusCode::NOT_FOUND, PLAIN, "There is no such file.\n"),
        },
        _ => text(StatusCode::METHOD_NOT_ALLOWED, PLAIN, "GET reads, POST tells.\n"),
    }
}

fn bad() -> Response<Body> {
    text(StatusCode::BAD_REQUEST, PLAIN, "The body is not JSON, or too long.\n")
}

async fn json<T: serde::de::DeserializeOwned>(request: Request<Incoming>) -> Option<T> {
    let body = Limited::new(request.into_body(), LONGEST_BODY).collect().await.ok()?;
    serde_json::from_slice(&body.to_bytes()).ok()
}

/// For how long a page that listens again did not: `away`, in milliseconds.
fn away(query: Option<&str>) -> Option<Duration> {
    let pairs = query?.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.into_iter().find(|(name, _)| *name == "away")?;
    value.parse().ok().map(Duration::from_millis)
}

/// How things stand, what a page missed that was away, and then what happens.
fn events(proxy: &Proxy, away: Option<Duration>) -> Response<Body> {
    let (mut greeting, mut receiver) = proxy.hub.subscribe();
    greeting.extend(away.map(|away| proxy.hub.missed(away)).unwrap_or_default());
    let (sender, body) = mpsc::channel::<Bytes>(16);
    tokio::spawn(async move {
        let event = |text: &str| Bytes::from(format!("data: {text}\n\n"));
        let first = greeting.iter().map(|text| event(text));
        for part in std::iter::once(Bytes::from_static(b"retry: 300\n\n")).chain(first) {
            if sender.send(part).await.is_err() {
                return;
            }
        }
        loop {
            let part = tokio::select! {
                received = receiver.recv() => match received {
                    Ok(text) => event(&text),
                    // Too slow, or the end: the browser connects again, and is told how things stand.
                    Err(RecvError::Lagged(_) | RecvError::Closed) => return,
                },
                () = tokio::time::sleep(KEEP_ALIVE) => Bytes::from_static(b":\n\n"),
                () = sender.closed() => return,
            };
            if sender.send(part).await.is_err() {
                return;
            }
        }
    });
    let mut response = text(StatusCode::OK, "text/event-stream", "");
    *response.body_mut() = Channel(body).boxed_unsync();
    response
}

fn open(proxy: &Proxy, place: &editor::Place) -> Response<Body> {
    match editor::open(place, &proxy.opens) {
        Ok(()) => text(StatusCode::NO_CONTENT, PLAIN, ""),
        Err(why) => text(StatusCode::CONFLICT, PLAIN, format!("{why}\n")),
    }
}
