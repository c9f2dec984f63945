//! `next`: where a sign-in page goes on to. Clients choose it, so it is checked by whoever reads it.

use crate::{EdgeRequest, decision::is_location};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tropos_core::CanonicalPath;

/// Longer addresses are not kept: a visitor then goes on at the start.
pub const LONGEST_NEXT: usize = 1024;

/// A path of this site with or without a query, as it is; `None` for all else, such as `//elsewhere`.
///
/// ```
/// use tropos_edge::ready::next::safe;
/// assert_eq!(safe("/office?tab=1"), Some("/office?tab=1"));
/// for evil in ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:1", "/a//b", "/a\n"] {
///     assert_eq!(safe(evil), None);
/// }
/// ```
pub fn safe(target: &str) -> Option<&str> {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let fine = target.len() <= LONGEST_NEXT
        && target.starts_with('/')
        && is_location(target)
        && CanonicalPath::parse(path).is_ok();
    fine.then_some(target)
}

/// Where to go on after signing in, by the request for the sign-in page; `/` where it says nothing that is safe. A server
/// function that is handed the value itself asks [`safe`].
pub fn read(request: &EdgeRequest<'_>) -> String {
    let value = request.query_value("next");
    value.as_deref().and_then(safe).unwrap_or("/").to_owned()
}

/// `next=…` for what the visitor asked for, before any rewrite.
pub(crate) fn query(request: &EdgeRequest<'_>) -> String {
    let path = request.rewritten_from().unwrap_or_else(|| request.path()).as_str();
    let whole = match request.query() {
        "" => path.to_owned(),
        query => format!("{path}?{query}"),
    };
    let next = safe(&whole).or_else(|| safe(path)).unwrap_or("/");
    format!("next={}", utf8_percent_encode(next, NON_ALPHANUMERIC))
}
