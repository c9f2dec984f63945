//! What the tests of the policy have in common.

use ::http::{HeaderMap, HeaderValue};

/// Fields of a header section, in their order.
pub(super) type Fields<'a> = &'a [(&'static str, &'static str)];

/// A header section of these fields.
pub(super) fn map(fields: Fields<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(*name, HeaderValue::from_static(value));
    }
    headers
}
