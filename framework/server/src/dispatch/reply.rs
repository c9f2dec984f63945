//! Answers that several parts give.

use crate::edge::policy;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use tropos_cache::{
    StoredPage,
    http::{Coding, lifetime::NO_STORE},
};
use tropos_core::Redirect;

/// A line of text that nobody keeps.
pub(crate) fn plain(status: StatusCode, text: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("{text}\n")));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, NO_STORE);
    response
}

/// JSON that nobody keeps.
pub(crate) fn json(value: &impl serde::Serialize) -> Response<Body> {
    let mut response = plain(StatusCode::OK, "");
    *response.body_mut() = Body::from(serde_json::to_vec(value).unwrap_or_default());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A page that was made at start, with its own status; nobody keeps it.
pub(crate) fn from_static_page(page: &StoredPage) -> Response<Body> {
    let mut response = Response::new(Body::from(page.body(Coding::Identity).bytes.clone()));
    *response.status_mut() = page.status();
    let headers = response.headers_mut();
    page.headers().iter().for_each(|(name, value)| drop(headers.insert(name, value.clone())));
    headers.insert(header::CACHE_CONTROL, NO_STORE);
    policy::note(&mut response, page);
    response
}

/// 405: a page is read, never written.
pub(crate) fn method_not_allowed() -> Response<Body> {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "a page is read by GET or HEAD");
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

/// 405 with the methods that there are (RFC 9110 §15.5.6).
pub(crate) fn wrong_method(allowed: &'static str) -> Response<Body> {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, &format!("ask by {allowed}"));
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}

/// 401 for who does not know the token (RFC 9110 §15.5.2, RFC 6750 §3).
pub(crate) fn unauthorized(text: &str) -> Response<Body> {
    let mut response = plain(StatusCode::UNAUTHORIZED, text);
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// Sends the reader elsewhere. A target that is no header value, or that a browser would read as another site
/// (`//evil`, `/\evil`), is refused, unless it is an absolute `http` address, which a page names on purpose.
pub(crate) fn redirect(redirect: &Redirect) -> Response<Body> {
    let Some(location) = location(&redirect.location) else {
        tracing::error!(
            location = redirect.location,
            "a redirect was refused: write a path that begins with one `/`, or an `http(s)://` address"
        );
        return plain(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the page sent its reader to an address that is none",
        );
    };
    let mut response =
        plain(StatusCode::from_u16(redirect.status()).unwrap_or(StatusCode::TEMPORARY_REDIRECT), "");
    *response.body_mut() = Body::empty();
    response.headers_mut().remove(header::CONTENT_TYPE);
    response.headers_mut().insert(header::LOCATION, location);
    response
}

/// The value of `Location`, where the target is one that a page may name.
pub(crate) fn location(target: &str) -> Option<HeaderValue> {
    let local = target.starts_with('/') && !target.starts_with("//") && !target.contains('\\');
    let absolute = ["http://", "https://"].iter().any(|scheme| target.starts_with(scheme));
    // Browsers leave tabs out before they read an address: `/\t/evil` would be `//evil`.
    let plain = target.bytes().all(|byte| byte > b' ');
    HeaderValue::from_str(target).ok().filter(|_| plain && (local || absolute))
}

/// Adds headers, keeping those of the same name.
pub(crate) fn add(response: &mut Response<Body>, headers: Vec<(HeaderName, HeaderValue)>) {
    for (name, value) in headers {
        response.headers_mut().append(name, value);
    }
}

/// From an answer of the cache, which was made of this page.
pub(crate) fn from_cache(mut response: Response<Bytes>, page: &StoredPage) -> Response<Body> {
    policy::note(&mut response, page);
    response.map(Body::from)
}

/// Leaves out the body where only the head was asked for.
pub(crate) fn without_body_for_head(method: &Method, response: Response<Body>) -> Response<Body> {
    if method == Method::HEAD { response.map(|_| Body::empty()) } else { response }
}

/// Whether a browser asks for a page, rather than a script for data.
pub(crate) fn wants_html(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_lead_to_paths_of_this_site_or_to_addresses_written_whole() {
        for good in ["/a", "/", "/a?b=//c", "https://example.org/x", "http://127.0.0.1/"] {
            assert!(location(good).is_some(), "{good}");
        }
        for bad in ["//evil", "/\\evil", "javascript:alert(1)", "a", "", "/a\r\nb: c", "/\t/evil", "\\\\evil"]
        {
            assert!(location(bad).is_none(), "{bad:?}");
        }
    }
}
