//! Which header lines go on, and which are between two neighbours alone.

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

/// Lines about one connection (RFC 9110 §7.6.1), but for those of an upgrade.
const OF_THE_CONNECTION: [HeaderName; 5] = [
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
];

/// Removes what concerns one connection. `upgrade` keeps what makes a WebSocket of it.
pub(super) fn end_to_end(headers: &mut HeaderMap, upgrade: bool) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .filter(|name| *name != header::UPGRADE)
        .collect();
    for name in named.iter().chain(&OF_THE_CONNECTION) {
        headers.remove(name);
    }
    headers.remove(HeaderName::from_static("keep-alive"));
    headers.remove(header::CONNECTION);
    if upgrade {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    } else {
        headers.remove(header::UPGRADE);
    }
}

/// Whether the request is to become something else than HTTP.
pub(super) fn upgrades(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    headers.contains_key(header::UPGRADE)
        && lines.any(|line| line.split(',').any(|word| word.trim().eq_ignore_ascii_case("upgrade")))
}

/// Whether the answer is to be shown as a page of its own. Browsers say so; a program that says nothing is taken at what
/// it accepts.
pub(super) fn navigates(method: &Method, headers: &HeaderMap) -> bool {
    if !matches!(*method, Method::GET | Method::HEAD | Method::POST) {
        return false;
    }
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    match text(HeaderName::from_static("sec-fetch-dest")) {
        Some(destination) => matches!(destination, "document" | "iframe" | "frame"),
        None => text(header::ACCEPT).is_some_and(|accepted| accepted.contains("text/html")),
    }
}

/// Whether an event stream is asked for, as browsers do it (HTML §9.2.3).
pub(super) fn asks_for_events(method: &Method, headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    *method == Method::GET && accepted.is_some_and(|accepted| accepted.contains("text/event-stream"))
}

/// Whether an answer is of this type.
pub(super) fn is(headers: &HeaderMap, kind: &str) -> bool {
    let text = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    text.and_then(|text| text.split(';').next()).is_some_and(|text| text.trim().eq_ignore_ascii_case(kind))
}

/// The nonce by which a page's policy lets scripts run (CSP 3 §2.3.1).
pub(super) fn nonce(headers: &HeaderMap) -> Option<String> {
    let policy = headers.get(header::CONTENT_SECURITY_POLICY)?.to_str().ok()?;
    let (_, rest) = policy.split_once("'nonce-")?;
    let (nonce, _) = rest.split_once('\'')?;
    let plain = nonce.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/-_=".contains(&byte));
    plain.then(|| nonce.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn what_concerns_the_connection_stays_on_it_and_all_else_goes_on() {
        let sent = [
            ("host", "localhost:3000"),
            ("connection", "keep-alive, X-Hop"),
            ("keep-alive", "timeout=5"),
            ("x-hop", "1"),
            ("te", "trailers"),
            ("upgrade", "h2c"),
            ("cookie", "a=b"),
            ("x-forwarded-for", "10.0.0.1"),
        ];
        let mut headers = lines(&sent);
        end_to_end(&mut headers, false);
        assert_eq!(
            headers,
            lines(&[("host", "localhost:3000"), ("cookie", "a=b"), ("x-forwarded-for", "10.0.0.1")])
        );
    }

    #[test]
    fn a_websocket_keeps_what_it_is_asked_for_by() {
        let mut headers = lines(&[("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")]);
        assert!(upgrades(&headers));
        end_to_end(&mut headers, true);
        assert_eq!(headers, lines(&[("upgrade", "websocket"), ("connection", "upgrade")]));
        assert!(!upgrades(&lines(&[("upgrade", "websocket")])));
    }

    #[test]
    fn a_page_is_told_from_what_scripts_fetch() {
        for (method, sent, expected) in [
            (Method::GET, lines(&[("accept", "text/html,*/*")]), true),
            (Method::GET, lines(&[("accept", "*/*")]), false),
            (Method::GET, lines(&[("accept", "text/html"), ("sec-fetch-dest", "empty")]), false),
            (Method::GET, lines(&[("sec-fetch-dest", "document")]), true),
            (Method::POST, lines(&[("sec-fetch-dest", "document")]), true),
            (Method::PUT, lines(&[("accept", "text/html")]), false),
        ] {
            assert_eq!(navigates(&method, &sent), expected, "{method} {sent:?}");
        }
    }

    #[test]
    fn the_client_runs_under_the_nonce_of_the_page() {
        let policy = "script-src 'self' 'nonce-a1+/=' 'strict-dynamic'";
        assert_eq!(nonce(&lines(&[("content-security-policy", policy)])).as_deref(), Some("a1+/="));
        assert_eq!(nonce(&lines(&[("content-security-policy", "script-src 'nonce-\"><x>'")])), None);
        assert_eq!(nonce(&lines(&[])), None);
    }
}
