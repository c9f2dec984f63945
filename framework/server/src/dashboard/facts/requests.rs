//! What the ring of traces tells of requests.

use super::super::asked::{Only, TracesOf};
use crate::Site;
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tropos_cache::decide::TTL_OF_NEVER;
use tropos_telemetry::trace::{Span, Trace, TraceId, Value};

/// One trace in a line.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Line {
    pub(in super::super) id: TraceId,
    /// Nanoseconds since 1970.
    pub(in super::super) at: u64,
    pub(in super::super) took: Duration,
    /// Whether it is an answer to somebody; else it went on by itself.
    pub(in super::super) is_request: bool,
    /// The name of its first span.
    pub(in super::super) name: String,
    pub(in super::super) method: Option<String>,
    pub(in super::super) route: Option<String>,
    pub(in super::super) path: Option<String>,
    pub(in super::super) mode: Option<String>,
    pub(in super::super) status: Option<i64>,
    pub(in super::super) cached: Option<Cached>,
    pub(in super::super) failed: bool,
    /// Whether its reader left before the end.
    pub(in super::super) left: bool,
    pub(in super::super) spans: usize,
    /// Queries of the database in it.
    pub(in super::super) queries: usize,
}

/// What the cache did, and why, in a few words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Cached {
    pub(in super::super) result: &'static str,
    pub(in super::super) reason: String,
}

/// The results that [`cached`] knows, in the order in which they are shown.
pub(in super::super) const RESULTS: [&str; 4] = ["hit", "stale", "miss", "bypass"];

/// What `Cache-Status` says (RFC 9211), as this server writes it.
pub(in super::super) fn cached(status: &str) -> Option<Cached> {
    let mut parts = status.split(';').map(str::trim);
    parts.next()?;
    let parts: Vec<&str> = parts.collect();
    let value = |name: &str| parts.iter().find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
    let has = |name: &str| parts.contains(&name);
    let detail = value("detail");
    let (result, reason) = match (has("hit"), value("fwd")) {
        (true, _) => {
            // RFC 9211 §2.3: a negative one is the age beyond freshness.
            let left: i64 = value("ttl").and_then(|ttl| ttl.parse().ok()).unwrap_or_default();
            match detail {
                Some("stale") => ("stale", format!("{} s too old", -left)),
                Some("stale-error") => ("stale", "its render fails".to_owned()),
                _ if left >= TTL_OF_NEVER => ("hit", "until invalidated".to_owned()),
                _ => ("hit", format!("{left} s left")),
            }
        }
        (false, Some("bypass")) => ("bypass", detail.unwrap_or("not asked").to_owned()),
        (false, Some(forwarded)) => {
            let because = match forwarded {
                "uri-miss" | "miss" => "nothing was there",
                "stale" => "expired or invalidated",
                other => other,
            };
            let became = match (has("collapsed"), has("stored")) {
                (true, _) => ", waited for another's render",
                (false, true) => ", stored",
                (false, false) => "",
            };
            ("miss", format!("{because}{became}"))
        }
        (false, None) => return None,
    };
    let degraded = if detail == Some("degraded") { ", store out of reach" } else { "" };
    Some(Cached { result, reason: format!("{reason}{degraded}") })
}

fn text(span: &Span, name: &str) -> Option<String> {
    span.attribute(name).map(shown)
}

/// A value as it is read.
pub(in super::super) fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) => text.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Bool(yes) => yes.to_string(),
        _ => String::new(),
    }
}

impl Line {
    pub(in super::super) fn of(trace: &Trace) -> Option<Self> {
        let root = trace.root()?;
        let status = match root.attribute("http.response.status_code") {
            Some(Value::Int(status)) => Some(*status),
            _ => None,
        };
        Some(Self {
            id: trace.id,
            at: root.start,
            took: Duration::from_nanos(root.took()),
            is_request: root.sort == "request",
            name: root.name.to_string(),
            method: text(root, "http.request.method"),
            route: text(root, "http.route"),
            path: text(root, "url.path"),
            mode: text(root, "tropos.mode"),
            status,
            cached: text(root, "tropos.cache.status").as_deref().and_then(cached),
            failed: failed(trace),
            left: text(root, "tropos.response.ended").as_deref() == Some("client_left"),
            spans: trace.spans.len(),
            queries: trace.spans.iter().filter(|span| span.sort == "query").count(),
        })
    }

    fn is(&self, of: &TracesOf, slow: Duration) -> bool {
        let by_end = match of.only {
            Only::All => true,
            Only::Slow => self.took >= slow,
            Only::Failed => self.failed,
        };
        by_end && of.route.as_ref().is_none_or(|route| self.route.as_ref() == Some(route))
    }
}

/// Whether something in it failed. A fetch that was answered 404 is an error by the conventions, and often all is well; so is
/// work that was given up because its reader left.
fn failed(trace: &Trace) -> bool {
    let counts = |span: &Span| {
        let refused = matches!(span.attribute("http.response.status_code"), Some(Value::Int(400..=499)));
        let cancelled =
            matches!(span.attribute("error.type"), Some(Value::Text(word)) if word == "cancelled");
        span.failure.is_some() && !refused && !cancelled
    };
    trace.spans.iter().any(counts)
}

/// All traces that are kept, the latest first.
pub(in super::super) fn traces(site: &Site) -> Vec<Arc<Trace>> {
    site.tracer.ring().map(|ring| ring.latest()).unwrap_or_default()
}

/// The last requests.
pub(in super::super) fn last(site: &Site, most: usize) -> Vec<Line> {
    let lines = traces(site);
    lines.iter().filter_map(|trace| Line::of(trace)).filter(|line| line.is_request).take(most).collect()
}

/// Traces as they are listed.
#[derive(Debug, Default)]
pub(in super::super) struct Traces {
    /// Those that are as wanted, the latest first.
    pub(in super::super) lines: Vec<Line>,
    /// How many are as wanted.
    pub(in super::super) matching: usize,
    /// How many are kept.
    pub(in super::super) kept: usize,
    /// The routes that occur.
    pub(in super::super) routes: BTreeSet<String>,
    /// From when on a request is slow.
    pub(in super::super) slow: Duration,
}

/// The traces that are as wanted, at most so many of them.
pub(in super::super) fn listed(site: &Site, of: &TracesOf, most: usize) -> Traces {
    let slow = site.config.telemetry.slow;
    let kept = traces(site);
    let lines: Vec<Line> = kept.iter().filter_map(|trace| Line::of(trace)).collect();
    let routes = lines.iter().filter_map(|line| line.route.clone()).collect();
    let mut wanted: Vec<Line> = lines.into_iter().filter(|line| line.is(of, slow)).collect();
    let matching = wanted.len();
    wanted.truncate(most);
    Traces { lines: wanted, matching, kept: kept.len(), routes, slow }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_read_in_its_own_words() {
        for (status, result, reason) in [
            ("tropos; hit; ttl=57", "hit", "57 s left"),
            ("tropos; hit; ttl=31536000", "hit", "until invalidated"),
            ("tropos; hit; ttl=-3; detail=stale", "stale", "3 s too old"),
            ("tropos; hit; ttl=-9; detail=stale-error", "stale", "its render fails"),
            ("tropos; hit; ttl=5; detail=degraded", "hit", "5 s left, store out of reach"),
            ("tropos; fwd=uri-miss; stored", "miss", "nothing was there, stored"),
            ("tropos; fwd=uri-miss; collapsed", "miss", "nothing was there, waited for another's render"),
            ("tropos; fwd=stale; stored", "miss", "expired or invalidated, stored"),
            ("tropos; fwd=bypass; detail=server", "bypass", "server"),
        ] {
            let expected = Cached { result, reason: reason.to_owned() };
            assert_eq!(cached(status), Some(expected), "{status}");
            assert!(RESULTS.contains(&result));
        }
        for wrong in ["", "tropos", "other; x"] {
            assert_eq!(cached(wrong), None, "{wrong}");
        }
    }
}
