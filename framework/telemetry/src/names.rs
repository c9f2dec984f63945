//! Every name that telemetry gives out: spans and attributes, metrics, units and buckets.

pub mod metrics;
pub mod spans;

use http::Method;

/// A method by its name (RFC 9110 §9, RFC 5789). `None` for what HTTP does not know: anybody may send any word, and none may become a
/// series or the name of a span.
///
/// ```
/// use tropos_telemetry::names::method_name;
///
/// assert_eq!(method_name(&http::Method::PATCH), Some("PATCH"));
/// assert_eq!(method_name(&http::Method::from_bytes(b"BREW").unwrap()), None);
/// ```
pub fn method_name(method: &Method) -> Option<&'static str> {
    const KNOWN: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];
    KNOWN.iter().find(|known| **known == method.as_str()).copied()
}
