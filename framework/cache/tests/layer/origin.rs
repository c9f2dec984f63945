//! An origin whose answers the test writes, and a client of the layer around it.

use axum::body::Body;
use bytes::Bytes;
use futures::{FutureExt as _, future::BoxFuture};
use http::{HeaderMap, Request, Response, StatusCode, Uri};
use http_body_util::BodyExt as _;
use std::sync::{Arc, Mutex};
use tower::{Layer as _, ServiceExt as _, service_fn, util::BoxCloneSyncService};
use tropos_cache::layer::{self, CacheLayer, LayerConfig};
use tropos_core::ManualClock;

/// What the service within fails with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreachable;

type Answer = Result<Response<Body>, Unreachable>;

/// The layer, the origin within it, and the clock of both.
pub struct Setup {
    pub clock: ManualClock,
    pub layer: CacheLayer,
    service: BoxCloneSyncService<Request<Body>, Response<layer::Body>, Unreachable>,
    seen: Arc<Mutex<Vec<(String, HeaderMap)>>>,
}

/// An answer as the client has it.
#[derive(Debug)]
pub struct Got {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Got {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn cache_status(&self) -> &str {
        self.header("cache-status")
    }
}

impl Setup {
    pub fn new(origin: impl Fn(Request<Body>) -> BoxFuture<'static, Answer> + Send + Sync + 'static) -> Self {
        Self::with(LayerConfig::default(), origin)
    }

    pub fn with(
        config: LayerConfig,
        origin: impl Fn(Request<Body>) -> BoxFuture<'static, Answer> + Send + Sync + 'static,
    ) -> Self {
        let clock = ManualClock::new();
        let layer = CacheLayer::new(config.clock(clock.clone()));
        let seen: Arc<Mutex<Vec<_>>> = Arc::default();
        let (noted, origin) = (seen.clone(), Arc::new(origin));
        let inner = service_fn(move |request: Request<Body>| {
            let line = format!("{} {}", request.method(), request.uri());
            noted.lock().unwrap().push((line, request.headers().clone()));
            origin(request)
        });
        let service = BoxCloneSyncService::new(layer.layer(inner));
        Self { clock, layer, service, seen }
    }

    /// How often the origin was asked.
    pub fn asked(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// The header of the last request that the origin saw.
    pub fn last_asked(&self) -> HeaderMap {
        self.seen.lock().unwrap().last().unwrap().1.clone()
    }

    /// Sends a request, and leaves its body to be read. Its `Host` is that of the target, unless the fields have one.
    pub fn send(
        &self,
        method: &str,
        target: &str,
        fields: &[(&str, &str)],
    ) -> BoxFuture<'static, Result<Response<layer::Body>, Unreachable>> {
        let uri: Uri = target.parse().unwrap();
        let mut request = Request::builder().method(method).uri(target);
        if fields.iter().all(|(name, _)| *name != "host") {
            let host = uri.authority().map_or("example.test", |authority| authority.as_str());
            request = request.header("host", host);
        }
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        self.service.clone().oneshot(request.body(Body::empty()).unwrap()).boxed()
    }

    pub async fn get(&self, target: &str) -> Got {
        self.ask("GET", target, &[]).await
    }

    pub async fn ask(&self, method: &str, target: &str, fields: &[(&str, &str)]) -> Got {
        read(self.send(method, target, fields).await.unwrap()).await
    }
}

/// Reads an answer to its end.
pub async fn read(response: Response<layer::Body>) -> Got {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Got { status: parts.status.as_u16(), headers: parts.headers, body }
}

/// An answer of the origin.
pub fn reply(status: u16, fields: &[(&str, &str)], body: impl Into<Body>) -> BoxFuture<'static, Answer> {
    let mut response = Response::builder().status(StatusCode::from_u16(status).unwrap());
    for (name, value) in fields {
        response = response.header(*name, *value);
    }
    let response = response.body(body.into()).unwrap();
    async move { Ok(response) }.boxed()
}

/// Lets what runs in the background run until it waits.
pub async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}
