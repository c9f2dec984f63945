//! Answers from the store (RFC 9111 §4).

use super::{
    Body, BoxError,
    status::{Kept as Became, Status, Why},
    store::Kept,
};
use crate::http::{
    CACHE_STATUS,
    lifetime::line,
    policy::conditions::{Selected, select},
};
use ::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use bytes::Bytes;
use std::fmt::Write as _;
use tropos_core::Tick;

/// What describes a body, and is left out of a 304 (RFC 9110 §15.4.5).
const OF_A_BODY: [header::HeaderName; 4] =
    [header::CONTENT_LENGTH, header::CONTENT_TYPE, header::CONTENT_ENCODING, header::CONTENT_RANGE];

/// The answer to a request from what is stored for it.
pub(super) fn from_store(
    kept: &Kept,
    method: &Method,
    request: &HeaderMap,
    now: Tick,
    status: Status,
) -> Response<Body> {
    let length = kept.body.len();
    let mut headers = kept.stored.headers.clone();
    let (code, body) = match select(method, request, &kept.stored, length) {
        Selected::Whole => {
            // RFC 9110 §8.6: not in 204.
            if kept.stored.status != StatusCode::NO_CONTENT {
                headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
            }
            (kept.stored.status, kept.body.clone())
        }
        Selected::NotModified => {
            OF_A_BODY.iter().for_each(|name| {
                headers.remove(name);
            });
            (StatusCode::NOT_MODIFIED, Bytes::new())
        }
        // RFC 9110 §15.3.7.
        Selected::Bytes { first, last } => {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from((last + 1).saturating_sub(first)));
            headers.insert(header::CONTENT_RANGE, line(|out| write!(out, "bytes {first}-{last}/{length}")));
            (StatusCode::PARTIAL_CONTENT, kept.body.slice(first..=last))
        }
        // RFC 9110 §15.5.17.
        Selected::Unsatisfiable => {
            OF_A_BODY.iter().for_each(|name| {
                headers.remove(name);
            });
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(0));
            headers.insert(header::CONTENT_RANGE, line(|out| write!(out, "bytes */{length}")));
            (StatusCode::RANGE_NOT_SATISFIABLE, Bytes::new())
        }
    };
    // RFC 9111 §5.1.
    headers.insert(header::AGE, HeaderValue::from(kept.stored.age(now).as_secs()));
    let body = if *method == Method::HEAD { Bytes::new() } else { body };
    let mut response = Response::new(Body::bytes(body));
    *response.status_mut() = code;
    *response.headers_mut() = headers;
    marked(response, status)
}

/// An answer that is passed on as it came.
pub(super) fn passed_on<R>(response: Response<R>, why: Why, kept: Became) -> Response<Body>
where
    R: http_body::Body + Send + 'static,
    R::Error: Into<BoxError>,
{
    let status = Status::Forwarded { why, fwd_status: None, kept };
    marked(response.map(Body::through), status)
}

/// RFC 9111 §5.2.1.7: 504 for `only-if-cached`.
pub(super) fn not_cached(why: Why) -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::GATEWAY_TIMEOUT;
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(0));
    marked(response, Status::Forwarded { why, fwd_status: None, kept: Became::Nothing })
}

/// The answer with its `Cache-Status`, after those of caches nearer to the origin (RFC 9211 §2).
pub(super) fn marked(mut response: Response<Body>, status: Status) -> Response<Body> {
    response.headers_mut().append(CACHE_STATUS, status.as_header());
    response
}
