//! What the cache counts, in the text form that Prometheus reads.

use axum::extract::State;
use std::fmt::Write as _;
use tropos_cache::{Engine, Stats};

/// `GET /metrics` on the admin listener.
pub(super) async fn exposition(State(engine): State<Engine>) -> ([(&'static str, &'static str); 1], String) {
    ([("content-type", "text/plain; version=0.0.4; charset=utf-8")], write(&engine.stats()))
}

fn write(stats: &Stats) -> String {
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
    let mut out = String::new();
    for (name, kind, help, value) in lines {
        // Writing into a String cannot fail.
        let _ = writeln!(
            out,
            "# HELP tropos_cache_{name} {help}\n# TYPE tropos_cache_{name} {kind}\ntropos_cache_{name} {value}"
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tropos_core::ManualClock;

    #[tokio::test]
    async fn each_metric_has_its_help_its_type_and_one_value() {
        let engine = Engine::in_memory(Arc::new(ManualClock::new()));
        engine.invalidate(&["a".into()], tropos_cache::Strength::Hard).await.unwrap();
        let text = write(&engine.stats());
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.len() >= 30 && lines.len().is_multiple_of(3), "{text}");
        for metric in lines.chunks(3) {
            let name = metric[2].split(' ').next().unwrap();
            assert!(metric[0].starts_with(&format!("# HELP {name} ")), "{metric:?}");
            assert!(metric[1].starts_with(&format!("# TYPE {name} ")), "{metric:?}");
            assert_eq!(name.ends_with("_total"), metric[1].ends_with("counter"), "{metric:?}");
        }
        assert!(text.contains("tropos_cache_invalidations_total 1\n"), "{text}");
    }
}
