//! Alert rules and dashboards: their files, and the objectives that rules are made of (pure).

use super::files::Template;
use serde::Serialize;

/// Where the files go, beneath the package's folder.
const FOLDER: &str = "deploy/observability";

/// Requests that are judged alike.
#[derive(Debug, Serialize)]
pub(super) struct Class {
    name: &'static str,
    /// The values of `tropos.mode`, as a pattern.
    modes: &'static str,
    /// In seconds, a bound of the histogram's buckets: what is answered within it is quick enough.
    within: &'static str,
}

/// What is stored is there already: a tenth of a second is felt as at once. What is made for a request may take one second,
/// after which readers lose their thought. Streams of open pages last as long as these, and are judged by no time.
pub(super) fn classes() -> [Class; 3] {
    [
        Class { name: "stored", modes: "ssg|isr|file", within: "0.1" },
        Class { name: "rendered", modes: "server|live", within: "1" },
        Class { name: "called", modes: "function|api", within: "1" },
    ]
}

/// What may go wrong, and how often.
#[derive(Debug, Serialize)]
pub(super) struct Budget {
    alert: &'static str,
    /// The name of the recorded ratio.
    what: &'static str,
    /// The share of requests that may.
    allowed: &'static str,
    words: &'static str,
}

/// 99.9 % of requests are answered, 99 % of them in time: what a shop on two instances can hold without anybody on call by
/// night.
pub(super) fn budgets() -> [Budget; 2] {
    [
        Budget { alert: "TroposErrorBudgetBurns", what: "errors", allowed: "0.001", words: "fail" },
        Budget { alert: "TroposLatencyBudgetBurns", what: "slow", allowed: "0.01", words: "take too long" },
    ]
}

pub(super) fn templates() -> Vec<Template> {
    let file = |name: &str, text| (format!("{FOLDER}/{name}"), false, text);
    vec![
        file("rules.yaml", include_str!("templates/observability/rules.yaml")),
        file("rules.test.yaml", include_str!("templates/observability/rules.test.yaml")),
        file("prometheus.yaml", include_str!("templates/observability/prometheus.yaml")),
        file("dashboards/traffic.json", include_str!("templates/observability/dashboards/traffic.json")),
        file("dashboards/cache.json", include_str!("templates/observability/dashboards/cache.json")),
        file("dashboards/database.json", include_str!("templates/observability/dashboards/database.json")),
        file("dashboards/live.json", include_str!("templates/observability/dashboards/live.json")),
        file("dashboards/business.json", include_str!("templates/observability/dashboards/business.json")),
    ]
}
