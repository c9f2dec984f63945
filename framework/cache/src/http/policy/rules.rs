//! What the RFCs leave to whoever runs the cache.

use crate::http::CDN_CACHE_CONTROL;
use ::http::HeaderName;
use std::time::Duration;

/// What the RFCs leave to whoever runs the cache.
///
/// ```
/// use tropos_cache::http::policy::Rules;
/// let rules = Rules { store_set_cookie: true, ..Rules::default() };
/// assert!(rules.honour_requests);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The fields that are for this cache, the first of them that is there and valid before `Cache-Control`
    /// (RFC 9213 §2.2). Default: `CDN-Cache-Control` alone, which is for all shared caches before an origin.
    pub targeted: Vec<HeaderName>,
    /// Whether an answer with `Set-Cookie` may be stored. RFC 9111 §7.3 allows it. Default: no, since a cookie that
    /// was made for one visitor and is handed to the next is a session handed over.
    pub store_set_cookie: bool,
    /// Whether the directives of requests count (RFC 9111 §5.2.1). Default: yes, by the RFC. Where visitors are not
    /// trusted with the load that `no-cache` makes, say no.
    pub honour_requests: bool,
    /// The part of the time since `Last-Modified` for which an answer without a lifetime of its own is fresh, in
    /// percent; 0: never. Default: 10, as RFC 9111 §4.2.2 names it.
    pub heuristic_percent: u32,
    /// The longest lifetime that is only guessed. Default: a day, after which RFC 7234 asked for a warning.
    pub heuristic_most: Duration,
    /// For how long past its lifetime an answer may be served while its origin cannot be reached, where the answer
    /// itself says nothing of it (RFC 9111 §4.2.4). Default: an hour, which is also the least time for which Tropos
    /// keeps a page past its age.
    pub stale_if_unreachable: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            targeted: vec![CDN_CACHE_CONTROL],
            store_set_cookie: false,
            honour_requests: true,
            heuristic_percent: 10,
            heuristic_most: Duration::from_secs(24 * 3600),
            stale_if_unreachable: Duration::from_secs(3600),
        }
    }
}
