//! What is shown in place of a page while no process answers.

use super::{Body, text};
use crate::dev::scripts;
use http::StatusCode;
use hyper::Response;

/// Loads itself again as soon as there is something to load; the client shows what is wrong.
const PAGE: &str = include_str!("screen.html");

/// The page that waits for a process that is newer than the one of this number.
pub(super) fn waiting(version: u64) -> Response<Body> {
    let page = PAGE.replace("{version}", &version.to_string());
    let mut response = text(StatusCode::SERVICE_UNAVAILABLE, "text/html; charset=utf-8", page);
    response.headers_mut().insert(http::header::RETRY_AFTER, http::HeaderValue::from_static("1"));
    response
}

/// In place of a page whose answer the process of this number broke off. It waits for nothing: the same request may end in
/// the same way. The client shows what is wrong, and loads the page again once there is a newer process.
pub(super) fn broken_off(version: u64, why: &str) -> Response<Body> {
    let client = scripts::tags(version, None);
    let page = format!(
        "<!DOCTYPE html><html lang=\"en\" data-tropos-screen><head><meta charset=\"utf-8\"><title>No answer</title>{client}</head>\
         <body><p>{why}</p></body></html>\n"
    );
    text(StatusCode::BAD_GATEWAY, "text/html; charset=utf-8", page)
}

/// For what is no page.
pub(super) fn nothing(why: &'static str) -> Response<Body> {
    let mut response = text(StatusCode::SERVICE_UNAVAILABLE, "text/plain; charset=utf-8", why);
    response.headers_mut().insert(http::header::RETRY_AFTER, http::HeaderValue::from_static("1"));
    response
}
