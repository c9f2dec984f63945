//! A source of data on a real socket, which a test commands.

#![allow(dead_code, reason = "each test file uses a part of it")]

use axum::{
    Router,
    body::{Body, Bytes},
    extract::Request,
    response::{IntoResponse, Response},
};
use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};
use tropos_cache::{Engine, Purpose, Scope};
use tropos_core::ManualClock;
use tropos_fetch::{Config, Method, StatusCode};

/// A request that the source got.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) uri: String,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Bytes,
}

type Answer = Arc<dyn Fn(Seen) -> Pin<Box<dyn Future<Output = Response> + Send>> + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Upstream {
    address: std::net::SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    answer: Arc<Mutex<Answer>>,
}

impl Upstream {
    /// Answers each request with its number: `call 1`, `call 2`…
    pub(crate) async fn start() -> Self {
        // For fetches outside of any engine, which go by what was installed last.
        drop(engine());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let answer: Answer = Arc::new(|_| Box::pin(async { Response::default() }));
        let upstream = Self {
            address: listener.local_addr().unwrap(),
            seen: Arc::default(),
            answer: Arc::new(Mutex::new(answer)),
        };
        let seen = upstream.seen.clone();
        upstream.answers(move |_| format!("call {}", seen.lock().unwrap().len()));
        let state = upstream.clone();
        let router = Router::new().fallback(move |request: Request| async move { state.take(request).await });
        tokio::spawn(async move { axum::serve(listener, router).await });
        upstream
    }

    async fn take(self, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        let seen = Seen { method: head.method, uri: head.uri.to_string(), headers: head.headers, body };
        self.seen.lock().unwrap().push(seen.clone());
        let answer = self.answer.lock().unwrap().clone();
        answer(seen).await
    }

    pub(crate) fn answers<R: IntoResponse>(&self, answer: impl Fn(&Seen) -> R + Send + Sync + 'static) {
        self.answers_later(move |seen| std::future::ready(answer(&seen).into_response()));
    }

    pub(crate) fn answers_later<F>(&self, answer: impl Fn(Seen) -> F + Send + Sync + 'static)
    where
        F: Future<Output = Response> + Send + 'static,
    {
        *self.answer.lock().unwrap() = Arc::new(move |seen| Box::pin(answer(seen)));
    }

    /// Fails from now on.
    pub(crate) fn fails(&self) {
        self.answers(|_| (StatusCode::SERVICE_UNAVAILABLE, "down"));
    }

    pub(crate) fn calls(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Waits for a call that somebody makes in the background.
    pub(crate) async fn until_calls(&self, calls: usize) {
        let arrived = async {
            while self.calls() < calls {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), arrived).await.expect("the call was never made");
    }
}

/// An engine whose clock the test turns, and whose fetches reach the sources of tests.
pub(crate) fn engine() -> (Engine, ManualClock) {
    engine_with(Config::default().allow("127.0.0.0/8".parse().unwrap()))
}

/// The same, with another configuration.
pub(crate) fn engine_with(config: Config) -> (Engine, ManualClock) {
    let clock = ManualClock::new();
    let engine = Engine::in_memory(Arc::new(clock.clone()));
    tropos_fetch::install(&engine, config);
    (engine, clock)
}

/// One render whose result is stored: it waits for fresh data.
pub(crate) async fn render<F: Future>(engine: &Engine, page: F) -> F::Output {
    Scope::new(engine, Purpose::Stored).run(page).await
}

/// A body that never ends.
pub(crate) fn endless() -> Body {
    let chunk = Bytes::from_static(&[b'x'; 4096]);
    Body::from_stream(futures::stream::repeat_with(move || Ok::<_, std::convert::Infallible>(chunk.clone())))
}
