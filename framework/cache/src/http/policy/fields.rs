//! Which header fields are stored (RFC 9111 §3.1), and which are for one hop only (RFC 9110 §7.6.1).

use super::directives::{Control, members};
use ::http::{HeaderMap, HeaderName, header};

/// For the next hop alone, whether `Connection` names them or not (RFC 9110 §7.6.1), and what a proxy and its client
/// settle between them (RFC 9111 §3.1).
const ONE_HOP: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Removes what is for one hop only, and what `Connection` names.
///
/// ```
/// use http::{HeaderMap, HeaderValue};
/// use tropos_cache::http::policy::fields;
/// let mut headers = HeaderMap::new();
/// headers.insert("connection", HeaderValue::from_static("x-hop, close"));
/// headers.insert("x-hop", HeaderValue::from_static("1"));
/// headers.insert("x-end", HeaderValue::from_static("1"));
/// fields::strip_one_hop(&mut headers);
/// assert_eq!(headers.keys().map(|name| name.as_str()).collect::<Vec<_>>(), ["x-end"]);
/// ```
pub fn strip_one_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .flat_map(|line| members(line.as_bytes()))
        .filter_map(|name| HeaderName::from_bytes(name).ok())
        .collect();
    named.iter().for_each(|name| {
        headers.remove(name);
    });
    ONE_HOP.iter().for_each(|name| {
        headers.remove(*name);
    });
}

/// Removes what is not stored: fields of one hop, those that `no-cache` or `private` name (RFC 9111 §5.2.2.4, §5.2.2.7),
/// `Age`, which is made anew each time, and `Warning`, which is obsolete (§5.5).
pub(super) fn strip_not_stored(headers: &mut HeaderMap, control: &Control) {
    strip_one_hop(headers);
    let directives = &control.directives;
    let named = directives.no_cache.fields().iter().chain(directives.private.fields());
    named.for_each(|name| {
        headers.remove(name);
    });
    headers.remove(header::AGE);
    headers.remove(header::WARNING);
}

/// The bytes of memory that the fields hold, about.
pub fn weight(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 64).sum()
}
