//! What a client gets of a stored answer: all of it, a part, or the word that it has it already (RFC 9111 §4.3.2).

use super::{Stored, age};
use crate::http::{
    conditional::{self, Comparison},
    range,
};
use ::http::{HeaderMap, HeaderValue, Method, StatusCode, header};

pub use crate::http::range::Part;

/// What goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selected {
    /// The status and the whole body.
    Whole,
    /// 304: the client has it.
    NotModified,
    /// 206: the bytes from `first` to `last`, both included.
    Bytes {
        /// Of the first byte.
        first: usize,
        /// Of the last byte.
        last: usize,
    },
    /// 416: the range lies beyond the body.
    Unsatisfiable,
}

/// Weighs the conditions of a request against a stored answer of so many bytes.
///
/// `If-Match` and `If-Unmodified-Since` are for the origin (§4.3.2): requests with them do not come here.
pub fn select(method: &Method, request: &HeaderMap, stored: &Stored, length: usize) -> Selected {
    // RFC 9110 §13.2.1: conditions count where the answer would be 2xx.
    if stored.status.is_success() && is_not_modified(request, stored) {
        return Selected::NotModified;
    }
    // RFC 9110 §14.2: `Range` is for `GET`, and for what would be 200.
    if *method != Method::GET || stored.status != StatusCode::OK {
        return Selected::Whole;
    }
    // Without a tag nothing can match `If-Range`, and the whole goes out (§13.1.5).
    let no_tag = HeaderValue::from_static("");
    match range::requested(request, length, stored.headers.get(header::ETAG).unwrap_or(&no_tag)) {
        Part::Whole => Selected::Whole,
        Part::Bytes { first, last } => Selected::Bytes { first, last },
        Part::Unsatisfiable => Selected::Unsatisfiable,
    }
}

fn is_not_modified(request: &HeaderMap, stored: &Stored) -> bool {
    // RFC 9110 §13.2.2: `If-None-Match` goes before the date.
    if request.contains_key(header::IF_NONE_MATCH) {
        let lines = request.get_all(header::IF_NONE_MATCH);
        return match stored.headers.get(header::ETAG) {
            Some(tag) => conditional::any_matches(lines, tag, Comparison::Weak),
            None => lines.iter().any(|line| line.as_bytes().trim_ascii() == b"*"),
        };
    }
    // §4.3.2: without `Last-Modified`, `Date` takes its place.
    let known = stored.headers.get(header::LAST_MODIFIED).or_else(|| stored.headers.get(header::DATE));
    let since = request.get(header::IF_MODIFIED_SINCE).and_then(age::seconds);
    match (known.and_then(age::seconds), since) {
        (Some(known), Some(since)) => known <= since,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Selected::*, *};
    use crate::http::policy::testing::{Fields, map};
    use crate::http::policy::{Exchange, Rules};
    use tropos_core::Tick;

    fn selected(method: &Method, request: Fields<'_>, status: u16, response: Fields<'_>) -> Selected {
        let exchange = Exchange { requested: Tick(0), received: Tick(0), received_wall: 1_577_836_810_000 };
        let mut headers = map(response);
        headers.insert("cache-control", HeaderValue::from_static("max-age=60"));
        let status = StatusCode::from_u16(status).unwrap();
        let stored = Stored::new(&map(&[]), status, headers, &exchange, &Rules::default()).unwrap();
        select(method, &map(request), &stored, 10)
    }

    #[test]
    fn a_client_gets_what_it_lacks() {
        let tag = ("etag", "\"a\"");
        let weak = ("etag", "W/\"a\"");
        let modified = ("last-modified", "Wed, 01 Jan 2020 00:00:05 GMT");
        let before = ("if-modified-since", "Wed, 01 Jan 2020 00:00:04 GMT");
        let then = ("if-modified-since", "Wed, 01 Jan 2020 00:00:05 GMT");
        let after = ("if-modified-since", "Wed, 01 Jan 2020 00:00:10 GMT");
        let first = ("range", "bytes=0-1");
        let part = Bytes { first: 0, last: 1 };
        for (request, status, response, expected) in [
            (&[][..], 200, &[tag][..], Whole),
            (&[("if-none-match", "\"a\"")], 200, &[tag], NotModified),
            (&[("if-none-match", "\"x\", W/\"a\"")], 200, &[tag], NotModified),
            (&[("if-none-match", "W/\"a\"")], 200, &[weak], NotModified),
            (&[("if-none-match", "\"b\"")], 200, &[tag], Whole),
            (&[("if-none-match", "*")], 200, &[], NotModified),
            (&[("if-none-match", "\"a\"")], 200, &[], Whole),
            (&[("if-none-match", "\"a\"")], 404, &[tag], Whole),
            (&[("if-none-match", "\"b\""), after], 200, &[tag, modified], Whole),
            (&[before], 200, &[modified], Whole),
            (&[then], 200, &[modified], NotModified),
            (&[after], 200, &[modified], NotModified),
            (&[then], 200, &[], Whole),
            (&[after], 200, &[], NotModified),
            (&[first], 200, &[], part),
            (&[first], 404, &[], Whole),
            (&[("range", "bytes=20-")], 200, &[], Unsatisfiable),
            (&[first, ("if-range", "\"a\"")], 200, &[tag], part),
            (&[first, ("if-range", "\"a\"")], 200, &[weak], Whole),
            (&[first, ("if-range", "\"a\"")], 200, &[], Whole),
            (&[first, ("if-none-match", "\"a\"")], 200, &[tag], NotModified),
        ] {
            assert_eq!(
                selected(&Method::GET, request, status, response),
                expected,
                "{request:?} {response:?}"
            );
        }
        assert_eq!(selected(&Method::HEAD, &[first], 200, &[]), Whole);
        assert_eq!(selected(&Method::HEAD, &[then], 200, &[modified]), NotModified);
    }
}
