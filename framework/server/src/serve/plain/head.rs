//! What of a request is plain, as a pure function of its bytes.

use httparse::{Header, Status};
use std::mem::MaybeUninit;

/// More headers than this are not plain: hyper refuses them, or reads them.
const MOST_HEADERS: usize = 64;

/// Room for the headers of one head.
pub(super) type Room<'b> = [MaybeUninit<Header<'b>>; MOST_HEADERS];

/// A new room. It is not written to before there are headers.
pub(super) fn room<'b>() -> Room<'b> {
    [const { MaybeUninit::uninit() }; MOST_HEADERS]
}

/// What the bytes at the beginning are.
#[derive(Debug, PartialEq)]
pub(super) enum Head<'h, 'b> {
    /// The beginning of something: more must come before it can be told.
    Partial,
    /// A `GET` or `HEAD` of HTTP/1.1 without a body, in exactly the form of RFC 9112.
    Plain(Asked<'h, 'b>),
    /// Anything else, well-formed or not.
    Other,
}

/// A plain request.
#[derive(Debug, PartialEq)]
pub(super) struct Asked<'h, 'b> {
    /// The bytes of its head; the next request begins behind them.
    pub(super) length: usize,
    /// `HEAD`: without the body.
    pub(super) without_body: bool,
    /// The request target, in origin form.
    pub(super) target: &'b str,
    /// The one `Host`.
    pub(super) host: &'b str,
    /// The client sends nothing more on this connection (RFC 9112 §9.6).
    pub(super) closes: bool,
    /// It has conditions or asks for a range (RFC 9110 §13 and §14).
    pub(super) has_conditions: bool,
    /// All headers.
    pub(super) headers: &'h [Header<'b>],
}

impl<'h, 'b> Asked<'h, 'b> {
    /// The values of a header, in their order.
    pub(super) fn all(&self, name: &'static str) -> impl Iterator<Item = &'b [u8]> + use<'h, 'b> {
        let found = self.headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name));
        found.map(|header| header.value)
    }
}

/// The connection preface of HTTP/2 (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Reads the head at the beginning of `bytes`.
pub(super) fn read<'h, 'b>(bytes: &'b [u8], room: &'h mut Room<'b>) -> Head<'h, 'b> {
    // Before it is whole, hyper would wait for the rest of it without a limit.
    if PREFACE.starts_with(bytes) && bytes.len() < PREFACE.len() {
        return Head::Partial;
    }
    let mut request = httparse::Request::new(&mut []);
    let length = match request.parse_with_uninit_headers(bytes, room) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) => return Head::Partial,
        Err(_) => return Head::Other,
    };
    let httparse::Request { method, path, version, headers } = request;
    plain(bytes.get(..length).unwrap_or_default(), method, path, version, headers)
        .map_or(Head::Other, Head::Plain)
}

fn plain<'h, 'b>(
    head: &'b [u8],
    method: Option<&'b str>,
    target: Option<&'b str>,
    version: Option<u8>,
    headers: &'h [Header<'b>],
) -> Option<Asked<'h, 'b>> {
    let without_body = match method? {
        "GET" => false,
        "HEAD" => true,
        _ => return None,
    };
    let target = target.filter(|target| target.starts_with('/'))?;
    // httparse takes a bare line feed for the end of a line, as RFC 9112 §2.2 allows; others might not.
    let whole_lines = memchr::memchr_iter(b'\n', head)
        .all(|at| at.checked_sub(1).and_then(|before| head.get(before)) == Some(&b'\r'));
    if version != Some(1) || head.first() != method?.as_bytes().first() || !whole_lines {
        return None;
    }
    let (mut host, mut closes, mut has_conditions) = (None, false, false);
    for Header { name, value } in headers {
        match Matter::of(name) {
            Matter::None => {}
            Matter::Conditions => has_conditions = true,
            // §3.2: exactly one, and visible ASCII.
            Matter::Host if host.is_none() && value.iter().all(u8::is_ascii_graphic) => {
                host = Some(std::str::from_utf8(value).ok()?);
            }
            Matter::Connection if value.eq_ignore_ascii_case(b"keep-alive") => {}
            Matter::Connection if value.eq_ignore_ascii_case(b"close") => closes = true,
            Matter::Cookie if crate::dispatch::ready::is_of_everybody(value) => {}
            Matter::Host | Matter::Connection | Matter::Cookie | Matter::Unusual => return None,
        }
    }
    let host = host.filter(|host| !host.is_empty())?;
    Some(Asked { length: head.len(), without_body, target, host, closes, has_conditions, headers })
}

/// What a header has to do with how the request is answered.
enum Matter {
    None,
    Host,
    Connection,
    Cookie,
    Conditions,
    /// There is a body, another protocol, or something between client and server that must be heard first.
    Unusual,
}

impl Matter {
    fn of(name: &str) -> Self {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        // Most headers of most requests end at their length.
        match name.len() {
            4 if is("host") => Matter::Host,
            5 if is("range") => Matter::Conditions,
            6 if is("cookie") => Matter::Cookie,
            6 if is("expect") => Matter::Unusual,
            7 if is("upgrade") || is("trailer") => Matter::Unusual,
            8 if is("if-match") || is("if-range") => Matter::Conditions,
            10 if is("connection") => Matter::Connection,
            13 if is("if-none-match") => Matter::Conditions,
            // The edge asks to be told more than a visitor.
            13 if is("x-tropos-edge") => Matter::Unusual,
            14 if is("content-length") || is("http2-settings") => Matter::Unusual,
            16 if is("proxy-connection") => Matter::Unusual,
            17 if is("if-modified-since") => Matter::Conditions,
            17 if is("transfer-encoding") => Matter::Unusual,
            19 if is("if-unmodified-since") => Matter::Conditions,
            _ => Matter::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(bytes: &[u8]) -> &'static str {
        match read(bytes, &mut room()) {
            Head::Partial => "partial",
            Head::Plain(_) => "plain",
            Head::Other => "other",
        }
    }

    #[test]
    fn a_plain_read_is_told_from_everything_else() {
        let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "x: y\r\n".repeat(MOST_HEADERS));
        let cases: &[(&str, &str)] = &[
            ("GET /a?b=c HTTP/1.1\r\nHost: a\r\n\r\n", "plain"),
            ("HEAD /a HTTP/1.1\r\nhOST:a\r\n\r\n", "plain"),
            ("GET / HTTP/1.1\r\nHost: a\r\nConnection: Keep-Alive\r\nAccept: */*\r\n\r\n", "plain"),
            ("GET / HTTP/1.1\r\nHost: a\r\nCookie: ab=a\r\nIf-None-Match: \"x\"\r\n\r\n", "plain"),
            ("", "partial"),
            ("GET / HTTP/1.1\r\nHost: a\r\n", "partial"),
            ("PRI * HTTP/2.0\r\n\r\n", "partial"),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "other"),
            ("POST / HTTP/1.1\r\nHost: a\r\n\r\n", "other"),
            ("get / HTTP/1.1\r\nHost: a\r\n\r\n", "other"),
            ("GET / HTTP/1.0\r\nHost: a\r\n\r\n", "other"),
            ("GET / HTTP/1.1\r\n\r\n", "other"),
            ("GET / HTTP/1.1\r\nHost:\r\n\r\n", "other"),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "other"),
            ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "other"),
            ("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "other"),
            ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", "other"),
            ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "other"),
            ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "other"),
            ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n", "other"),
            ("GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", "other"),
            ("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n", "other"),
            ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close, x-a\r\n\r\n", "other"),
            ("GET / HTTP/1.1\r\nHost: a\r\nCookie: tropos_draft=x\r\n\r\n", "other"),
            ("GET / HTTP/1.1\nHost: a\n\n", "other"),
            ("GET / HTTP/1.1\r\nHost: a\nx: y\r\n\r\n", "other"),
            ("GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", "other"),
            ("GET / HTTP/1.1\r\nHost: a\r\nx: \0\r\n\r\n", "other"),
            ("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "other"),
            ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "other"),
            (&many, "other"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(kind(bytes.as_bytes()), *expected, "{bytes:?}");
        }
    }

    #[test]
    fn every_beginning_of_a_plain_head_is_partial() {
        let whole = b"GET /a HTTP/1.1\r\nHost: a.example:80\r\nAccept-Encoding: br\r\n\r\n";
        for end in 0..whole.len() {
            assert_eq!(kind(&whole[..end]), "partial", "{end}");
        }
    }

    #[test]
    fn what_was_asked_ends_where_the_next_request_begins() {
        let two = b"HEAD /a HTTP/1.1\r\nHost: b:1\r\nAccept-Encoding: br\r\nConnection: close\r\naccept-encoding: gzip\r\n\r\nGET /";
        let mut room = room();
        let Head::Plain(asked) = read(two, &mut room) else { panic!("not plain") };
        assert_eq!((asked.target, asked.host, asked.without_body, asked.closes), ("/a", "b:1", true, true));
        assert_eq!(&two[asked.length..], b"GET /");
        assert_eq!(asked.all("accept-encoding").collect::<Vec<_>>(), [&b"br"[..], b"gzip"]);
    }
}
