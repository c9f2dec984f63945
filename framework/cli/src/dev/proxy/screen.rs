//! What is shown in place of a page while no process answers.

use super::{Body, text};
use http::StatusCode;
use hyper::Response;

/// Loads itself again as soon as there is something to load; the client shows what is wrong.
const PAGE: &str = include_str!("screen.html");

/// The page that waits.
pub(super) fn waiting() -> Response<Body> {
    let mut response = text(StatusCode::SERVICE_UNAVAILABLE, "text/html; charset=utf-8", PAGE);
    response.headers_mut().insert(http::header::RETRY_AFTER, http::HeaderValue::from_static("1"));
    response
}

/// For what is no page.
pub(super) fn nothing(why: &'static str) -> Response<Body> {
    let mut response = text(StatusCode::SERVICE_UNAVAILABLE, "text/plain; charset=utf-8", why);
    response.headers_mut().insert(http::header::RETRY_AFTER, http::HeaderValue::from_static("1"));
    response
}
