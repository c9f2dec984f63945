//! The query taken apart, as forms write it (WHATWG URL §5.1).

use percent_encoding::percent_decode_str;
use std::borrow::Cow;

/// Keys and values of a query, decoded.
///
/// ```
/// let pairs: Vec<_> = tropos_edge::request::query_pairs("a=1+2&b=%C3%A9&&c").collect();
/// assert_eq!(pairs, [("a".into(), "1 2".into()), ("b".into(), "é".into()), ("c".into(), "".into())]);
/// ```
pub fn pairs(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(key), decoded(value))
    })
}

fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains(['+', '%']) {
        return Cow::Borrowed(text);
    }
    let spaced = text.replace('+', " ");
    Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned())
}
