//! The answer to one request from one stored page.

use super::{
    CACHE_STATUS, CDN_CACHE_CONTROL, CacheStatus, Coding, Lifetime, coding,
    conditional::{self, Precondition, Validators},
    lifetime,
    range::{self, Part},
};
use crate::page::{Body, StoredPage};
use ::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use bytes::Bytes;
use std::fmt::Write;
use tropos_core::Mode;

/// The body depends on `Accept-Encoding` alone (RFC 9110 §12.5.5). Said also where only a plain body exists: the next
/// render of the same address may be longer, and compressed.
pub const VARY: HeaderValue = HeaderValue::from_static("accept-encoding");

/// What about an answer differs from one to the next.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// The route's mode.
    pub mode: Mode,
    /// Seconds since the render began; `None` where it began for this request.
    pub age_seconds: Option<u64>,
    /// For how long other caches may keep it.
    pub lifetime: Lifetime,
    /// How the cache came to it.
    pub cache_status: CacheStatus,
}

/// Answers a `GET` or `HEAD` from a stored page: 200 (or the page's own status), 206, 304, 412 or 416.
///
/// Any other method is answered as `GET`; refusing those is the server's business.
pub fn respond(method: &Method, headers: &HeaderMap, page: &StoredPage, facts: Facts) -> Response<Bytes> {
    let coding = coding::negotiate_lines(headers.get_all(header::ACCEPT_ENCODING), page.codings());
    let body = page.body(coding);
    // RFC 9110 §13.2.1 and §14.2: conditions and ranges count only where the answer would have been 200.
    if page.status() == StatusCode::OK {
        let last_modified = page.last_modified();
        match conditional::evaluate(headers, Validators { etag: &body.etag, last_modified }) {
            Precondition::Send => {}
            Precondition::NotModified => return not_modified(page, body, facts),
            Precondition::Failed => return refused(StatusCode::PRECONDITION_FAILED, facts),
        }
        // §14.2: a range is defined for `GET` alone.
        if method == Method::GET {
            match range::requested(headers, body.bytes.len(), &body.etag) {
                Part::Whole => {}
                Part::Bytes { first, last } => return partial(page, coding, body, first, last, facts),
                Part::Unsatisfiable => {
                    let mut response = refused(StatusCode::RANGE_NOT_SATISFIABLE, facts);
                    // §14.4: the length, so that the client can ask again.
                    let length = lifetime::line(|out| write!(out, "bytes */{}", body.bytes.len()));
                    response.headers_mut().insert(header::CONTENT_RANGE, length);
                    return response;
                }
            }
        }
    }
    whole(method, page, coding, body, facts)
}

fn whole(method: &Method, page: &StoredPage, coding: Coding, body: &Body, facts: Facts) -> Response<Bytes> {
    // RFC 9110 §9.3.2: as `GET`, without the body; the length that `GET` would have had is allowed (§8.6).
    let bytes = if method == Method::HEAD { Bytes::new() } else { body.bytes.clone() };
    let mut response = Response::new(bytes);
    *response.status_mut() = page.status();
    let out = response.headers_mut();
    out.reserve(page.headers().len() + 10);
    describe(out, page, coding);
    common(out, page, body, facts);
    // §8.6: not in 204.
    if page.status() != StatusCode::NO_CONTENT {
        out.insert(header::CONTENT_LENGTH, body.length.clone());
    }
    if page.status() == StatusCode::OK {
        out.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    }
    response
}

/// RFC 9110 §15.3.7: what 200 would have had, and which part it is.
fn partial(
    page: &StoredPage,
    coding: Coding,
    body: &Body,
    first: usize,
    last: usize,
    facts: Facts,
) -> Response<Bytes> {
    let length = body.bytes.len();
    let mut response = Response::new(body.bytes.slice(first..=last));
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    let out = response.headers_mut();
    out.reserve(page.headers().len() + 10);
    describe(out, page, coding);
    common(out, page, body, facts);
    out.insert(header::CONTENT_LENGTH, HeaderValue::from(last - first + 1));
    out.insert(header::CONTENT_RANGE, lifetime::line(|out| write!(out, "bytes {first}-{last}/{length}")));
    response
}

/// RFC 9110 §15.4.5: what 200 would have had of validators and lifetimes, and nothing that describes a body.
fn not_modified(page: &StoredPage, body: &Body, facts: Facts) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    let out = response.headers_mut();
    out.reserve(8);
    let named =
        [header::CONTENT_LOCATION, header::EXPIRES, header::VARY, header::CACHE_CONTROL, CDN_CACHE_CONTROL];
    for (name, value) in page.headers().iter().filter(|(name, _)| named.contains(name)) {
        out.append(name, value.clone());
    }
    common(out, page, body, facts);
    response
}

/// An answer about the request and not about the page, so that nobody may keep it.
fn refused(status: StatusCode, facts: Facts) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    let out = response.headers_mut();
    out.insert(header::CACHE_CONTROL, lifetime::NO_STORE);
    out.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    out.insert(CACHE_STATUS, facts.cache_status.as_header());
    response
}

/// The page's own headers, and its coding.
fn describe(out: &mut HeaderMap, page: &StoredPage, coding: Coding) {
    for (name, value) in page.headers() {
        out.append(name, value.clone());
    }
    if let Some(coding) = coding.content_encoding() {
        out.insert(header::CONTENT_ENCODING, coding);
    }
}

/// What 200, 206 and 304 have in common.
fn common(out: &mut HeaderMap, page: &StoredPage, body: &Body, facts: Facts) {
    // RFC 9110 §8.8.3: the tag of a redirect or an error would say nothing; conditions do not apply to those.
    if page.status() == StatusCode::OK {
        out.insert(header::ETAG, body.etag.clone());
    }
    // Added to what the page itself varies by.
    out.append(header::VARY, VARY);
    // A page's own words on its lifetime stand; ours to the CDN would contradict them.
    if !out.contains_key(header::CACHE_CONTROL) {
        let (cache_control, cdn) = page.lifetime_headers(facts.lifetime);
        out.insert(header::CACHE_CONTROL, cache_control);
        if let Some(cdn) = cdn.filter(|_| !out.contains_key(CDN_CACHE_CONTROL)) {
            out.insert(CDN_CACHE_CONTROL, cdn);
        }
    }
    // RFC 9111 §5.1: from it a CDN knows how much of the lifetime is left. An `ssg` page has no age: it is as new as its
    // build, and one of a year ago must not count as used up.
    if let (Mode::Isr, Some(age)) = (facts.mode, facts.age_seconds) {
        out.insert(header::AGE, HeaderValue::from(age));
    }
    out.insert(CACHE_STATUS, facts.cache_status.as_header());
}

#[cfg(test)]
mod tests;
