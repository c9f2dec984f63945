//! A reverse proxy of the least size: the cache layer around a client.

use crate::Error;
use axum::{Router, body::Body, error_handling::HandleError};
use http::{HeaderValue, Request, Response, StatusCode, Uri, header, uri::Authority};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{self, Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use std::{
    future::Future,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::net::TcpListener;
use tower_layer::Layer as _;
use tower_service::Service;
use tropos_cache::{
    http::policy::{Rules, fields},
    layer::{CacheLayer, LayerConfig},
};

/// Serves until the process ends.
pub(crate) async fn serve(addr: SocketAddr, origin: Uri) -> Result<(), Error> {
    let listener = TcpListener::bind(addr).await?;
    println!("http://{} for {origin}", listener.local_addr()?);
    run(listener, &origin).await
}

/// Serves on this listener.
pub(crate) async fn run(listener: TcpListener, origin: &Uri) -> Result<(), Error> {
    let authority = origin.authority().ok_or("the origin is to be a URL such as http://127.0.0.1:8000")?;
    // All that RFC 9111 allows. `Set-Cookie` is stored here alone: by default the layer leaves it.
    let rules = Rules { store_set_cookie: true, ..Rules::default() };
    let cache = CacheLayer::new(LayerConfig::default().rules(rules));
    let cached = cache.layer(Forward::to(authority.clone()));
    // RFC 9111 §5.2.2.2: 504 where the origin cannot be reached and nothing may stand in for it.
    let answered = HandleError::new(cached, |error: legacy::Error| async move {
        (StatusCode::GATEWAY_TIMEOUT, format!("the origin gave no answer: {error}\n"))
    });
    Ok(axum::serve(listener, Router::new().fallback_service(answered)).await?)
}

/// Sends requests on.
#[derive(Clone)]
struct Forward {
    origin: Authority,
    client: Client<HttpConnector, Body>,
}

impl Forward {
    fn to(origin: Authority) -> Self {
        // Some cases have the origin send more than it promised, which spoils a connection for what comes next.
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http();
        Self { origin, client }
    }
}

impl Service<Request<Body>> for Forward {
    type Response = Response<Incoming>;
    type Error = legacy::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        let uri = Uri::builder().scheme("http").authority(self.origin.clone()).path_and_query(target).build();
        // Made of the parts of two valid ones.
        *request.uri_mut() = uri.unwrap_or_default();
        // RFC 9110 §7.6.1: a proxy passes on nothing that is for one hop.
        fields::strip_one_hop(request.headers_mut());
        request.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        let answer = self.client.request(request);
        Box::pin(async move {
            let mut response = answer.await?;
            fields::strip_one_hop(response.headers_mut());
            Ok(response)
        })
    }
}
