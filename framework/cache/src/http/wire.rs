//! Answers as the bytes of HTTP/1.1 (RFC 9112 §4 and §5), for a connection that writes them itself.

use super::{CACHE_STATUS, CacheStatus};
use ::http::{HeaderMap, HeaderName, StatusCode, header};
use std::io::Write;

/// Headers that differ from one answer to the next, so that they are no part of what is made ready.
const OF_ONE_ANSWER: [HeaderName; 2] = [header::AGE, CACHE_STATUS];

/// Appends status line and headers, without the empty line that ends a head.
pub fn head(out: &mut Vec<u8>, status: StatusCode, headers: &HeaderMap) {
    lines(out, status, headers, &[]);
}

/// The same, without what differs from one answer to the next: that is for [`facts`] to add.
pub(crate) fn lasting_head(out: &mut Vec<u8>, status: StatusCode, headers: &HeaderMap) {
    lines(out, status, headers, &OF_ONE_ANSWER);
}

/// Appends `Age` and `Cache-Status`.
pub fn facts(out: &mut Vec<u8>, age_seconds: Option<u64>, status: CacheStatus) {
    // Writing to a vector cannot fail.
    if let Some(age) = age_seconds {
        let _ = write!(out, "age: {age}\r\n");
    }
    let _ = write!(out, "cache-status: {status}\r\n");
}

fn lines(out: &mut Vec<u8>, status: StatusCode, headers: &HeaderMap, without: &[HeaderName]) {
    // §4: the reason may be empty, the blank before it not.
    let _ = write!(out, "HTTP/1.1 {} {}\r\n", status.as_str(), status.canonical_reason().unwrap_or_default());
    for (name, value) in headers.iter().filter(|(name, _)| !without.contains(name)) {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::http::HeaderValue;

    #[test]
    fn a_head_is_a_status_line_and_a_line_for_each_value() {
        let mut headers = HeaderMap::new();
        headers.append(header::VARY, HeaderValue::from_static("a"));
        headers.append(header::VARY, HeaderValue::from_static("b"));
        headers.insert(header::AGE, HeaderValue::from_static("9"));
        let mut out = Vec::new();
        head(&mut out, StatusCode::NOT_MODIFIED, &headers);
        assert_eq!(out, b"HTTP/1.1 304 Not Modified\r\nvary: a\r\nvary: b\r\nage: 9\r\n");
        out.clear();
        lasting_head(&mut out, StatusCode::OK, &headers);
        facts(&mut out, Some(7), CacheStatus::hit(3));
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "HTTP/1.1 200 OK\r\nvary: a\r\nvary: b\r\nage: 7\r\ncache-status: tropos; hit; ttl=3\r\n"
        );
    }
}
