//! A stored page that is not a hit just now: stale, expired, invalidated, driven out.
//!
//! It is asked for as every other way asks for it, where renders run. The connection stays: a page that is stale every
//! other second would else drive all connections to hyper, for good.

use super::head::Asked;
use crate::{
    Site,
    edge::{Peer, Ran},
};
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use std::sync::Arc;
use tokio::runtime::Handle;
use tropos_cache::http::wire;

/// The request as the rest of the server takes it, with what hooks have made of it, where they ran. `None` where hyper
/// would refuse it.
pub(super) fn request(asked: &Asked<'_, '_>, peer: Peer, ran: Option<Ran>) -> Option<Request<Body>> {
    let mut request = Request::new(Body::empty());
    *request.method_mut() = if asked.without_body { Method::HEAD } else { Method::GET };
    *request.uri_mut() = asked.target.parse().ok()?;
    for line in asked.headers {
        let name = HeaderName::from_bytes(line.name.as_bytes()).ok()?;
        request.headers_mut().append(name, HeaderValue::from_bytes(line.value).ok()?);
    }
    request.extensions_mut().insert(peer);
    ran.map(|ran| request.extensions_mut().insert(ran));
    Some(request)
}

/// Does what hyper would do: adds the length, and leaves out a body where none may be, which would be read as the next answer.
pub(super) fn complete(answer: &mut Response<Bytes>, without_body: bool) {
    // RFC 9110 §8.6: not to an answer that has no body whatever it says.
    let bare = without_body || matches!(answer.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if bare {
        *answer.body_mut() = Bytes::new();
    } else if !answer.headers().contains_key(header::CONTENT_LENGTH) {
        let length = HeaderValue::from(answer.body().len());
        answer.headers_mut().insert(header::CONTENT_LENGTH, length);
    }
}

/// The answer: its status line and headers, and its body, which is in memory as that of every stored page is. `None` where
/// there is none, which ends the connection.
pub(super) async fn answer(
    site: Arc<Site>,
    main: &Handle,
    request: Request<Body>,
) -> Option<(Vec<u8>, Bytes)> {
    let without_body = request.method() == Method::HEAD;
    let answered = main.spawn(async move {
        let (head, body) = site.handle(request).await.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        let mut answer = Response::from_parts(head, body);
        complete(&mut answer, without_body);
        Some(answer)
    });
    let answer = answered.await.ok().flatten()?;
    let mut head = Vec::with_capacity(512);
    wire::head(&mut head, answer.status(), answer.headers());
    Some((head, answer.into_body()))
}
