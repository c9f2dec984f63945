//! The stream of a live page is a part of that page: who may not see the one may not see the other.

use super::query_pairs;
use http::Uri;
use tropos_core::CanonicalPath;

/// The page that a stream of changes belongs to, and its address, by the stream's own path and query; `None` where these are not
/// of a stream. Hooks and the stream itself go by this alone.
///
/// ```
/// let (page, address) =
///     tropos_edge::request::page_of_stream("/_tropos/live/ticket", "page=%2Flive%2Fa%3Fb%3Dc").unwrap();
/// assert_eq!((page.as_str(), address.query()), ("/live/a", Some("b=c")));
/// ```
pub fn page_of_stream(path: &str, query: &str) -> Option<(CanonicalPath, Uri)> {
    path.strip_prefix("/_tropos/live/")?;
    let (_, page) = query_pairs(query).find(|(name, _)| name == "page")?;
    let page: Uri = page.parse().ok()?;
    Some((CanonicalPath::parse(page.path()).ok()?, page))
}
