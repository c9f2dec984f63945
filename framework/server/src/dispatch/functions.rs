//! Server functions: what islands and plain forms call.

use super::{guard, reply};
use crate::{config::Config, page::PageCx, request::ResponseHead};
use axum::body::Body;
use futures::FutureExt;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use hydration_context::SsrSharedContext;
use leptos::{prelude::Owner, reactive::computed::ScopedFuture};
use server_fn::axum::get_server_fn_service;
use std::{panic::AssertUnwindSafe, sync::Arc};
use tropos_cache::http::lifetime::PRIVATE_NO_STORE;

/// By which the client of server functions learns where to go on.
const REDIRECT_HEADER: HeaderName = HeaderName::from_static(server_fn::redirect::REDIRECT_HEADER);

pub(super) fn exists(path: &str, method: &Method) -> bool {
    get_server_fn_service(path, method.clone()).is_some()
}

/// Calls one. A form without script is sent on by 303: to where the function said, else back to its page.
pub(super) async fn call(
    cx: PageCx,
    additions: Arc<ResponseHead>,
    request: Request<Body>,
    config: &Config,
) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let Some(mut service) = get_server_fn_service(&path, request.method().clone()) else {
        return reply::plain(StatusCode::NOT_FOUND, "there is no such server function");
    };
    let is_form = reply::wants_html(request.headers());
    let back = guard::referring_path(request.headers(), config);
    let owner = Owner::new_root(Some(Arc::new(SsrSharedContext::new_islands())));
    let run = owner.with(|| ScopedFuture::new(async move { service.run(request).await }));
    let answer = cx.scope(AssertUnwindSafe(run).catch_unwind()).await;
    owner.unset_with_forced_cleanup();
    let mut response = answer.unwrap_or_else(|_| {
        tracing::error!(path, "a server function panicked");
        reply::plain(StatusCode::INTERNAL_SERVER_ERROR, "something went wrong")
    });
    let additions = additions.take();
    let target = additions.redirect.map(|redirect| redirect.location);
    if response.status().is_server_error() {
        tracing::error!(path, status = %response.status(), "a server function failed");
    }
    if is_form && !response.status().is_client_error() && !response.status().is_server_error() {
        let target = target.or(back).unwrap_or_else(|| "/".to_owned());
        response = see_other(&target);
    } else if let Some(target) = target.as_deref().and_then(reply::location) {
        response.headers_mut().insert(REDIRECT_HEADER, HeaderValue::from_static(""));
        response.headers_mut().insert(header::LOCATION, target);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, PRIVATE_NO_STORE);
    reply::add(&mut response, additions.headers);
    response
}

/// RFC 9110 §15.4.4: the answer to the write is elsewhere, to be read by GET.
fn see_other(target: &str) -> Response<Body> {
    let mut response =
        reply::redirect(&tropos_core::Redirect { location: target.to_owned(), permanent: false });
    if response.status() == StatusCode::TEMPORARY_REDIRECT {
        *response.status_mut() = StatusCode::SEE_OTHER;
    }
    response
}
