//! Answers as the bytes of HTTP/1.1 (RFC 9112 §4 and §5), for a connection that writes them itself.

use super::{CACHE_STATUS, CacheStatus, lifetime::CACHING};
use ::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use std::io::Write;

/// Headers that differ from one answer to the next, so that they are no part of what is made ready.
const OF_ONE_ANSWER: [HeaderName; 2] = [header::AGE, CACHE_STATUS];

/// Appends status line and headers, without the empty line that ends a head.
pub fn head(out: &mut Vec<u8>, status: StatusCode, headers: &HeaderMap) {
    status_line(out, status);
    headers.iter().for_each(|(name, value)| line(out, name, value));
}

/// The same, without what differs from one answer to the next, which is for [`facts`] to add, and without
/// [`CACHING`], which is for [`caching`] to add.
pub(crate) fn lasting_head(out: &mut Vec<u8>, status: StatusCode, headers: &HeaderMap) {
    status_line(out, status);
    let lasts = |name: &HeaderName| !OF_ONE_ANSWER.contains(name) && !CACHING.contains(name);
    headers.iter().filter(|(name, _)| lasts(name)).for_each(|(name, value)| line(out, name, value));
}

/// Appends the headers that say for how long others may keep an answer.
pub(crate) fn caching(out: &mut Vec<u8>, headers: &HeaderMap) {
    let caching = headers.iter().filter(|(name, _)| CACHING.contains(name));
    caching.for_each(|(name, value)| line(out, name, value));
}

/// Appends `Age` and `Cache-Status`.
pub fn facts(out: &mut Vec<u8>, age_seconds: Option<u64>, status: CacheStatus) {
    // Writing to a vector cannot fail.
    if let Some(age) = age_seconds {
        let _ = write!(out, "age: {age}\r\n");
    }
    let _ = write!(out, "cache-status: {status}\r\n");
}

/// Appends one header.
pub fn line(out: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    out.extend_from_slice(name.as_str().as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn status_line(out: &mut Vec<u8>, status: StatusCode) {
    // §4: the reason may be empty, the blank before it not. Writing to a vector cannot fail.
    let _ = write!(out, "HTTP/1.1 {} {}\r\n", status.as_str(), status.canonical_reason().unwrap_or_default());
}

/// Names of headers, asked again and again for others: mostly without comparing any.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// A bit for each name, by its length and ends.
    marks: u64,
    names: Vec<HeaderName>,
}

impl Names {
    /// Whether this is one of them.
    pub fn has(&self, name: &HeaderName) -> bool {
        self.marks & mark(name) != 0 && self.names.contains(name)
    }
}

impl FromIterator<HeaderName> for Names {
    fn from_iter<I: IntoIterator<Item = HeaderName>>(names: I) -> Self {
        let names: Vec<_> = names.into_iter().collect();
        Self { marks: names.iter().fold(0, |marks, name| marks | mark(name)), names }
    }
}

fn mark(name: &HeaderName) -> u64 {
    let bytes = name.as_str().as_bytes();
    let (first, last) = (bytes.first().copied().unwrap_or(0), bytes.last().copied().unwrap_or(0));
    let mixed = bytes.len().wrapping_mul(7) ^ usize::from(first).wrapping_mul(5) ^ usize::from(last);
    1 << (mixed % 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_among_others() {
        let names = Names::from_iter([header::ETAG, header::VARY, HeaderName::from_static("x-a")]);
        for (name, known) in [("etag", true), ("vary", true), ("x-a", true), ("x-b", false), ("age", false)] {
            assert_eq!(names.has(&HeaderName::from_static(name)), known, "{name}");
        }
        assert!(!Names::default().has(&header::ETAG));
    }

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
