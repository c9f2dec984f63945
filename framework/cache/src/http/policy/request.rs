//! Whether a cache has any part in a request (RFC 9111 §4, RFC 9110 §9.2), and under what name.

use ::http::{HeaderMap, Method, Uri, header, uri::Authority};

/// What a cache has to do with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// It may answer, and store what the origin answers: `GET`; or may answer alone: `HEAD`.
    Answer,
    /// It forwards, and removes what a success makes unusable (RFC 9111 §4.4).
    Invalidate,
    /// It only forwards.
    Forward(Forwarded),
}

/// Why a cache only forwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forwarded {
    /// A safe method whose answers are not stored here.
    Method,
    /// `If-Match` or `If-Unmodified-Since`, which are for the origin (RFC 9111 §4.3.2).
    ForTheOrigin,
    /// The request has a body, which an origin may read although it means nothing (RFC 9110 §9.3.1).
    Body,
    /// The connection is to become another one (RFC 9110 §7.8).
    Upgrade,
    /// There is no telling for which host it is: more than one `Host`, one that is no text, or one that differs from the
    /// host of the target (RFC 9112 §3.2).
    Host,
}

/// The part of a cache in a request.
pub fn part(method: &Method, uri: &Uri, headers: &HeaderMap) -> Part {
    // RFC 9110 §9.2.1; what is unknown is not known to be safe.
    if !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE) {
        return Part::Invalidate;
    }
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Part::Forward(Forwarded::Method);
    }
    if headers.contains_key(header::UPGRADE) {
        return Part::Forward(Forwarded::Upgrade);
    }
    if headers.contains_key(header::IF_MATCH) || headers.contains_key(header::IF_UNMODIFIED_SINCE) {
        return Part::Forward(Forwarded::ForTheOrigin);
    }
    let has_length = headers.get(header::CONTENT_LENGTH).is_some_and(|length| length.as_bytes() != b"0");
    if has_length || headers.contains_key(header::TRANSFER_ENCODING) {
        return Part::Forward(Forwarded::Body);
    }
    if !is_of_one_host(uri, headers) {
        return Part::Forward(Forwarded::Host);
    }
    Part::Answer
}

/// Whether all that names a host names the same one, in letters that a key can hold. RFC 9112 §3.2.2 lets an absolute
/// form go before `Host`, but what is behind the cache may go by either: stored under the one, an answer for the other
/// would be served to all.
fn is_of_one_host(uri: &Uri, headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(header::HOST).iter();
    match (uri.authority(), lines.next()) {
        (_, Some(_)) if lines.next().is_some() => false,
        (Some(authority), Some(host)) => {
            host.as_bytes().eq_ignore_ascii_case(without_user(authority).as_bytes())
        }
        (None, Some(host)) => std::str::from_utf8(host.as_bytes()).is_ok(),
        (_, None) => true,
    }
}

/// RFC 9110 §4.2.4: a user's name is no part of where a URL leads.
fn without_user(authority: &Authority) -> &str {
    authority.as_str().rsplit('@').next().unwrap_or_default()
}

/// The parts of a request that name what is asked for (RFC 9111 §2: the cache key).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Host and port in lower case; empty where the request names none.
    pub authority: String,
    /// Path and query as they came.
    pub target: String,
}

impl Asked {
    /// What this request asks for. Where `Host` and the target differ it goes by the target (RFC 9112 §3.2.2); nothing is
    /// stored or answered under that name, as [`part`] says.
    pub fn of(uri: &Uri, headers: &HeaderMap) -> Self {
        let authority = match uri.authority() {
            Some(authority) => without_user(authority).to_ascii_lowercase(),
            None => {
                let host = headers.get(header::HOST).map(|host| host.as_bytes().to_ascii_lowercase());
                String::from_utf8(host.unwrap_or_default()).unwrap_or_default()
            }
        };
        let target = uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
        Self { authority, target }
    }

    /// Another target of the same origin.
    pub fn with_target(&self, target: String) -> Self {
        Self { authority: self.authority.clone(), target }
    }
}

#[cfg(test)]
mod tests {
    use super::{Forwarded::*, *};
    use crate::http::policy::testing::map;
    use ::http::HeaderValue;

    #[test]
    fn the_part_of_a_cache() {
        for (method, fields, expected) in [
            ("GET", &[][..], Part::Answer),
            ("HEAD", &[("if-none-match", "\"a\"")], Part::Answer),
            ("GET", &[("content-length", "0")], Part::Answer),
            ("GET", &[("content-length", "1")], Part::Forward(Body)),
            ("GET", &[("transfer-encoding", "chunked")], Part::Forward(Body)),
            ("GET", &[("upgrade", "websocket")], Part::Forward(Upgrade)),
            ("GET", &[("if-match", "*")], Part::Forward(ForTheOrigin)),
            ("GET", &[("if-unmodified-since", "x")], Part::Forward(ForTheOrigin)),
            ("GET", &[("host", "a"), ("host", "b")], Part::Forward(Host)),
            ("OPTIONS", &[], Part::Forward(Method)),
            ("POST", &[], Part::Invalidate),
            ("DELETE", &[("if-match", "*")], Part::Invalidate),
            ("M-SEARCH", &[], Part::Invalidate),
        ] {
            let name = ::http::Method::from_bytes(method.as_bytes()).unwrap();
            assert_eq!(part(&name, &Uri::from_static("/"), &map(fields)), expected, "{method} {fields:?}");
        }
    }

    #[test]
    fn a_request_that_names_two_hosts_is_only_forwarded() {
        for (uri, hosts, expected) in [
            ("/", &[][..], Part::Answer),
            ("/", &["a.test"], Part::Answer),
            ("/", &["a.test", "a.test"], Part::Forward(Host)),
            ("http://a.test/", &[], Part::Answer),
            ("http://a.test/", &["A.Test"], Part::Answer),
            ("http://user@a.test/", &["a.test"], Part::Answer),
            ("http://a.test/", &["b.test"], Part::Forward(Host)),
            ("http://a.test/", &[""], Part::Forward(Host)),
            ("http://a.test/", &["a.test:80"], Part::Forward(Host)),
            ("http://a.test:80/", &["a.test"], Part::Forward(Host)),
            ("http://a.test:80/", &["a.test:80"], Part::Answer),
            ("http://a.test/", &["a.test", "b.test"], Part::Forward(Host)),
            ("http://a.test/", &["a.test", "a.test"], Part::Forward(Host)),
        ] {
            let fields: Vec<_> = hosts.iter().map(|host| ("host", *host)).collect();
            let found = part(&::http::Method::GET, &Uri::from_static(uri), &map(&fields));
            assert_eq!(found, expected, "{uri} {hosts:?}");
        }
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_bytes(b"\xff").unwrap());
        let found = part(&::http::Method::GET, &Uri::from_static("/"), &headers);
        assert_eq!(found, Part::Forward(Host), "what is no text would share a key with no host at all");
    }

    #[test]
    fn what_is_asked_for() {
        for (uri, fields, authority, target) in [
            ("/a?b=c", &[("host", "Example.test:80")][..], "example.test:80", "/a?b=c"),
            ("http://Other.test/a", &[("host", "example.test")], "other.test", "/a"),
            ("http://other.test", &[], "other.test", "/"),
            ("/a", &[], "", "/a"),
        ] {
            let asked = Asked::of(&Uri::from_static(uri), &map(fields));
            assert_eq!((asked.authority.as_str(), asked.target.as_str()), (authority, target), "{uri}");
        }
    }
}
