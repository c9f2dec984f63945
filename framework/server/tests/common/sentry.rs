//! What takes envelopes as Sentry does, and keeps them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "each test file uses its own part")]

use axum::{Router, body::Bytes, http::StatusCode, routing::post};
use serde_json::Value;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tropos_server::Config;

/// An endpoint that takes envelopes, on a port of its own.
#[derive(Clone)]
pub struct Sentry {
    port: u16,
    envelopes: Arc<Mutex<Vec<String>>>,
}

impl Sentry {
    pub async fn start() -> Self {
        let envelopes = Arc::<Mutex<Vec<String>>>::default();
        let kept = envelopes.clone();
        let take = async move |headers: axum::http::HeaderMap, body: Bytes| {
            let key = headers.get("x-sentry-auth").and_then(|auth| auth.to_str().ok()).unwrap_or_default();
            if !key.contains("sentry_key=key") {
                return StatusCode::UNAUTHORIZED;
            }
            kept.lock().unwrap().push(String::from_utf8(body.to_vec()).unwrap());
            StatusCode::OK
        };
        let router = Router::new().route("/api/7/envelope/", post(take));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { port, envelopes }
    }

    /// A configuration that reports here.
    pub fn config(&self) -> Config {
        let mut config = Config::default();
        config.database = tropos_db::Config::new("sqlite::memory:");
        config.sentry = config.sentry.dsn(&format!("http://key@127.0.0.1:{}/7", self.port)).unwrap();
        config
    }

    /// The whole text of all envelopes.
    pub fn text(&self) -> String {
        self.envelopes.lock().unwrap().join("\n")
    }

    /// The events, once there are so many: the test fails where there are not within 10 s.
    pub async fn events(&self, most: usize) -> Vec<Event> {
        for _ in 0..200 {
            let envelopes = self.envelopes.lock().unwrap().clone();
            if envelopes.len() >= most {
                return envelopes.iter().map(|envelope| Event::of(envelope)).collect();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("fewer than {most} envelopes: {}", self.text());
    }
}

/// One event.
#[derive(Debug, Clone)]
pub struct Event(pub Value);

impl Event {
    fn of(envelope: &str) -> Self {
        let lines: Vec<&str> = envelope.lines().collect();
        let [head, item, event] = lines.as_slice() else { panic!("no envelope of one event: {envelope}") };
        let head: Value = serde_json::from_str(head).unwrap();
        let item: Value = serde_json::from_str(item).unwrap();
        assert!(head["event_id"].is_string(), "{head}");
        assert_eq!(
            (item["type"].as_str(), item["length"].as_u64()),
            (Some("event"), Some(event.len() as u64))
        );
        Self(serde_json::from_str(event).unwrap())
    }

    /// A text within.
    pub fn text(&self, pointer: &str) -> &str {
        self.0.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    pub fn kind(&self) -> &str {
        self.text("/tags/tropos.kind")
    }

    /// The frames, the innermost last.
    pub fn frames(&self) -> &[Value] {
        self.0["exception"]["values"][0]["stacktrace"]["frames"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default()
    }
}
