//! Open pages, as they stand. The cache and the database tell of themselves.

use crate::Site;
use std::collections::BTreeMap;
use tropos_telemetry::{
    metrics::Snapshot,
    names::metrics::{self as names, label},
};

/// Pages that are looked at: far more than are shown, so that those with many readers are found.
const MOST_READ: usize = 10_000;

/// Pages that are shown.
pub(in super::super) const MOST_SHOWN: usize = 100;

/// The pages that readers have open.
#[derive(Debug, Default)]
pub(in super::super) struct Open {
    pub(in super::super) sessions: usize,
    /// Pages that differ: each is rendered once for all who have it open.
    pub(in super::super) pages: usize,
    /// By path, with how many have it open and whether it is each reader's own. The most read first.
    pub(in super::super) by_path: Vec<(String, usize, bool)>,
    /// By route, what was sent to them since the start: changes, and bytes.
    pub(in super::super) sent: Vec<(String, f64, f64)>,
}

impl Open {
    pub(in super::super) fn of(site: &Site, snapshot: &Snapshot) -> Self {
        let mut by_path = by_path(site.hub.watched(MOST_READ));
        by_path.truncate(MOST_SHOWN);
        let frames = super::slowest::numbers(snapshot, &names::LIVE_FRAMES, label::ROUTE);
        let mut bytes = super::slowest::numbers(snapshot, &names::LIVE_SENT, label::ROUTE);
        let sent = frames.into_iter().map(|(route, frames)| {
            let bytes = bytes.remove(&route).unwrap_or_default();
            (route, frames, bytes)
        });
        Self { sessions: site.hub.watchers(), pages: site.hub.keys(), by_path, sent: sent.collect() }
    }
}

/// A shared page is known by its target, a personal one by its ticket and its target behind that. Tickets and queries are
/// nobody else's.
fn by_path(watched: Vec<(String, usize)>) -> Vec<(String, usize, bool)> {
    let mut paths: BTreeMap<(String, bool), usize> = BTreeMap::new();
    for (key, watchers) in watched {
        let target = key.rsplit(' ').next().unwrap_or_default();
        let path = target.split('?').next().unwrap_or_default().to_owned();
        *paths.entry((path, key.contains(' '))).or_default() += watchers;
    }
    let mut paths: Vec<_> = paths.into_iter().map(|((path, own), watchers)| (path, watchers, own)).collect();
    paths.sort_by_key(|(_, watchers, _)| std::cmp::Reverse(*watchers));
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_pages_are_told_without_tickets_and_queries() {
        let watched = vec![
            ("/live/a".to_owned(), 3),
            ("0123 abcd /live/b?token=secret".to_owned(), 1),
            ("4567 abcd /live/b".to_owned(), 4),
        ];
        assert_eq!(by_path(watched), [("/live/b".to_owned(), 5, true), ("/live/a".to_owned(), 3, false)]);
    }
}
