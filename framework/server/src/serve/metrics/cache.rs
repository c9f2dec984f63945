//! What the cache counts.

use super::Text;
use tropos_cache::Stats;

pub(super) fn write(text: &mut Text, stats: &Stats) {
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let mut lines = vec![
        ("page_entries", "gauge", "Pages in memory.", count(stats.page_entries)),
        ("page_bytes", "gauge", "Bytes of pages in memory, about.", count(stats.page_bytes)),
        (
            "data_entries",
            "gauge",
            "Results of fetches and cached functions in memory.",
            count(stats.data_entries),
        ),
        ("data_bytes", "gauge", "Bytes of those results in memory, about.", count(stats.data_bytes)),
        ("negative_entries", "gauge", "Not-found answers in memory.", count(stats.negative_entries)),
        ("renders_total", "counter", "Renders that were begun to be stored.", stats.renders),
        ("render_failures_total", "counter", "Renders that failed.", stats.render_failures),
        ("invalidations_total", "counter", "Invalidations made on this instance.", stats.invalidations),
        (
            "invalidation_failures_total",
            "counter",
            "Invalidations that were not confirmed.",
            stats.invalidation_failures,
        ),
        (
            "disk_writes_dropped_total",
            "counter",
            "Entries not written to disk, since it was too slow or full.",
            stats.disk_writes_dropped,
        ),
    ];
    if let Some(shared) = stats.shared {
        lines.extend([
            (
                "shared_circuit_open",
                "gauge",
                "1 while the shared store is left alone until it answers again.",
                u64::from(shared.circuit_open),
            ),
            (
                "shared_degraded",
                "gauge",
                "1 while what is known of invalidations may be out of date.",
                u64::from(shared.degraded),
            ),
            (
                "shared_failures_total",
                "counter",
                "Questions to the shared store that failed.",
                shared.failures,
            ),
        ]);
    }
    for (name, kind, help, value) in lines {
        text.metric(&format!("tropos_cache_{name}"), kind, help, [(String::new(), value)]);
    }
}
