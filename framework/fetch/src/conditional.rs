//! Asking whether a stored answer is still right, instead of for the whole of it (RFC 9111 §4.3), as pure functions.

use crate::{Fetched, call::Call};
use http::{HeaderMap, StatusCode, header};

/// Headers by which a request asks for an answer on a condition, or for a part of one (RFC 9110 §13.1, §14.2).
const CONDITIONS: [header::HeaderName; 6] = [
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
    header::IF_RANGE,
    header::RANGE,
];

/// `call`, answered by 304 where `stored` is still right; `None` where that cannot be asked.
pub(crate) fn conditional(call: &Call, stored: &Fetched) -> Option<Call> {
    // Only a 200 has all that a 304 leaves out; and who asks by a condition of their own wants its answer.
    let own = CONDITIONS.iter().any(|name| call.headers.contains_key(name));
    if own || !call.only_reads() || stored.status != StatusCode::OK {
        return None;
    }
    let validators = [
        (header::ETAG, header::IF_NONE_MATCH),
        // RFC 9110 §13.1.3: only read where there is no `If-None-Match`.
        (header::LAST_MODIFIED, header::IF_MODIFIED_SINCE),
    ];
    let (name, value) = validators
        .into_iter()
        .find_map(|(validator, condition)| Some((condition, stored.headers.get(validator)?)))?;
    let mut call = call.clone();
    call.headers.insert(name, value.clone());
    // Whoever a redirect leads to knows nothing of this validator: the answer comes back, and is read as a whole.
    call.redirects = 0;
    Some(call)
}

/// `stored`, with what `answer`, a 304, says anew (RFC 9111 §4.3.4); `None` where that is about another representation.
pub(crate) fn renewed(stored: Fetched, answer: HeaderMap) -> Option<Fetched> {
    let opaque = |headers: &HeaderMap| {
        headers.get(header::ETAG).map(|tag| {
            let bytes = tag.as_bytes();
            bytes.strip_prefix(b"W/").unwrap_or(bytes).to_vec()
        })
    };
    if opaque(&answer).is_some_and(|tag| opaque(&stored.headers) != Some(tag)) {
        return None;
    }
    let mut renewed = stored;
    // Counted from the answer that it came with, which was another.
    renewed.headers.remove(header::AGE);
    for name in answer.keys() {
        let of_body = [header::CONTENT_LENGTH, header::CONTENT_ENCODING, header::CONTENT_RANGE];
        if !of_body.contains(name) {
            renewed.headers.remove(name);
            answer.get_all(name).iter().for_each(|value| _ = renewed.headers.append(name, value.clone()));
        }
    }
    Some(renewed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue, Method};
    use std::time::Duration;

    type Lines<'a> = &'a [(&'static str, &'static str)];

    fn headers(lines: Lines<'_>) -> HeaderMap {
        let line = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        lines.iter().map(line).collect()
    }

    fn call(method: Method, lines: Lines<'_>) -> Call {
        Call {
            method,
            url: reqwest::Url::parse("http://a.example/").unwrap(),
            headers: headers(lines),
            body: bytes::Bytes::new(),
            timeout: Duration::from_secs(1),
            max_bytes: 1,
            redirects: 5,
            allow_private: false,
        }
    }

    fn stored(status: u16, lines: Lines<'_>) -> Fetched {
        Fetched::new(String::new(), StatusCode::from_u16(status).unwrap(), headers(lines), "body".into())
    }

    #[test]
    fn the_best_validator_is_sent_where_nothing_stands_against_it() {
        let both: Lines<'_> = &[("etag", "W/\"a\""), ("last-modified", "then")];
        type Case<'a> = (&'a str, Call, Fetched, Option<(&'a str, &'a str)>);
        let cases: &[Case<'_>] = &[
            ("both", call(Method::GET, &[]), stored(200, both), Some(("if-none-match", "W/\"a\""))),
            ("HEAD", call(Method::HEAD, &[]), stored(200, both), Some(("if-none-match", "W/\"a\""))),
            (
                "a date",
                call(Method::GET, &[]),
                stored(200, &[("last-modified", "then")]),
                Some(("if-modified-since", "then")),
            ),
            ("neither", call(Method::GET, &[]), stored(200, &[]), None),
            ("POST", call(Method::POST, &[]), stored(200, both), None),
            ("404", call(Method::GET, &[]), stored(404, both), None),
            ("its own condition", call(Method::GET, &[("if-none-match", "\"b\"")]), stored(200, both), None),
            ("a part", call(Method::GET, &[("range", "bytes=0-1")]), stored(200, both), None),
        ];
        for (name, call, stored, expected) in cases {
            let asked = conditional(call, stored);
            let sent = asked.as_ref().map(|call| {
                assert_eq!((call.headers.len(), call.redirects), (1, 0), "{name}");
                let (name, value) = call.headers.iter().next().unwrap();
                (name.as_str(), value.to_str().unwrap())
            });
            assert_eq!(sent, *expected, "{name}");
        }
    }

    #[test]
    fn what_is_still_right_takes_the_headers_of_the_304_and_keeps_its_body() {
        let old = stored(
            200,
            &[("etag", "\"a\""), ("age", "50"), ("cache-control", "max-age=60"), ("content-type", "text/x")],
        );
        let answer = headers(&[
            ("etag", "W/\"a\""),
            ("cache-control", "max-age=90"),
            ("cache-control", "public"),
            ("content-length", "0"),
        ]);
        let new = renewed(old, answer).unwrap();
        assert_eq!((new.status, &*new.body), (StatusCode::OK, &b"body"[..]));
        let lines = |name: &str| {
            let lines = new.headers.get_all(name).iter();
            lines.map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(lines("cache-control"), ["max-age=90", "public"]);
        assert_eq!(lines("content-type"), ["text/x"]);
        assert_eq!((lines("age").len(), lines("content-length").len()), (0, 0));
    }

    #[test]
    fn a_304_about_something_else_renews_nothing() {
        for (old, new, renews) in
            [("\"a\"", "\"a\"", true), ("W/\"a\"", "\"a\"", true), ("\"a\"", "\"b\"", false)]
        {
            let old_headers = HeaderMap::from_iter([(header::ETAG, HeaderValue::from_static(old))]);
            let old_answer = Fetched::new(String::new(), StatusCode::OK, old_headers, bytes::Bytes::new());
            let answer = HeaderMap::from_iter([(header::ETAG, HeaderValue::from_static(new))]);
            assert_eq!(renewed(old_answer, answer).is_some(), renews, "{old} {new}");
        }
        assert!(renewed(stored(200, &[("etag", "\"a\"")]), HeaderMap::new()).is_some());
    }
}
