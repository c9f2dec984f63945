//! Server functions: what islands and plain forms call.

use super::{guard, reply};
use crate::{config::Config, page::PageCx, request::ResponseHead};
use axum::body::Body;
use futures::FutureExt;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use hydration_context::SsrSharedContext;
use leptos::{prelude::Owner, reactive::computed::ScopedFuture};
use server_fn::axum::get_server_fn_service;
use std::{panic::AssertUnwindSafe, sync::Arc};
use tropos_cache::http::lifetime::PRIVATE_NO_STORE;

/// By which the client of server functions learns where to go on.
const REDIRECT_HEADER: HeaderName = HeaderName::from_static(server_fn::redirect::REDIRECT_HEADER);

/// By which server_fn marks the answer of a function that failed.
const ERROR_HEADER: HeaderName = HeaderName::from_static(server_fn::error::SERVER_FN_ERROR_HEADER);

/// The answer of a function that failed is an error's text; a longer one is left out.
const LONGEST_ANSWER: usize = 1024 * 1024;

/// So much of an error goes into the log.
const LONGEST_ERROR: usize = 4 * 1024;

pub(super) fn exists(path: &str, method: &Method) -> bool {
    get_server_fn_service(path, method.clone()).is_some()
}

/// The addresses of all server functions.
pub(crate) fn paths() -> impl Iterator<Item = &'static str> {
    server_fn::axum::server_fn_paths().map(|(path, _)| path)
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
    let (head, body) = request.into_parts();
    let is_form = reply::wants_html(&head.headers);
    let back = guard::referring_path(&head, config);
    let request = Request::from_parts(head, body);
    let owner = Owner::new_root(Some(Arc::new(SsrSharedContext::new_islands())));
    let run = owner.with(|| ScopedFuture::new(async move { service.run(request).await }));
    let told = cx.clone();
    let answer = cx.scope(AssertUnwindSafe(run).catch_unwind()).await;
    owner.unset_with_forced_cleanup();
    let panicked = answer.is_err();
    let mut response = answer.unwrap_or_else(|_| {
        tracing::error!(path, "a server function panicked");
        reply::plain(StatusCode::INTERNAL_SERVER_ERROR, "something went wrong")
    });
    let additions = additions.take();
    let target = additions.redirect.map(|redirect| redirect.location);
    let failed = response.headers().contains_key(ERROR_HEADER) || response.status().is_server_error();
    if failed {
        // A panic is reported where it happens, and what the function has reported itself is known better than its answer tells.
        let known = panicked || additions.reported;
        response = logged(&path, Some(&told).filter(|_| !known), response).await;
    }
    if is_form {
        // server_fn adds the error to the address of the form's page, where that page can read and show it.
        let with_error =
            response.headers().get(header::LOCATION).and_then(|to| to.to_str().ok()?.parse().ok());
        let with_error = with_error.and_then(|to: Uri| Some(to.path_and_query()?.to_string()));
        let target = match failed {
            true => back.and(with_error),
            false => target.or(back),
        };
        response = see_other(&target.unwrap_or_else(|| "/".to_owned()));
    } else if let Some(target) = target.as_deref().and_then(reply::location) {
        response.headers_mut().insert(REDIRECT_HEADER, HeaderValue::from_static(""));
        response.headers_mut().insert(header::LOCATION, target);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, PRIVATE_NO_STORE);
    reply::add(&mut response, additions.headers);
    response
}

/// Logs what a server function said when it failed.
async fn logged(path: &str, report: Option<&PageCx>, response: Response<Body>) -> Response<Body> {
    let (head, body) = response.into_parts();
    let body = axum::body::to_bytes(body, LONGEST_ANSWER).await.unwrap_or_default();
    let error = String::from_utf8_lossy(body.get(..LONGEST_ERROR).unwrap_or(&body)).into_owned();
    tracing::error!(path, status = head.status.as_u16(), error, "a server function failed");
    if let Some(cx) = report {
        cx.errors().function_failed(path, Some(cx), &error);
    }
    Response::from_parts(head, Body::from(body))
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
