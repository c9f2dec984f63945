//! Alert rules and dashboards: their files, and the objectives that rules are made of (pure).

use super::files::Template;
use minijinja::{Value, context};

/// Where the files go, beneath the package's folder.
const FOLDER: &str = "deploy/observability";

/// Requests that are judged alike.
#[derive(Debug, Clone, Copy)]
struct Class {
    name: &'static str,
    /// The values of `tropos.mode`, as a pattern.
    modes: &'static str,
    /// In seconds, a bound of the histogram's buckets: what is answered within it is quick enough.
    within: &'static str,
}

/// What is stored is there already: a tenth of a second is felt as at once. What is made for a request may take one second,
/// after which readers lose their thought. Streams of open pages last as long as these, and are judged by no time.
fn classes() -> [Class; 3] {
    [
        Class { name: "stored", modes: "ssg|isr|file", within: "0.1" },
        Class { name: "rendered", modes: "server|live", within: "1" },
        Class { name: "called", modes: "function|api", within: "1" },
    ]
}

/// What may go wrong, and how often.
#[derive(Debug, Clone, Copy)]
struct Budget {
    alert: &'static str,
    /// The name of the recorded ratio.
    what: &'static str,
    /// The share of requests that may.
    allowed: &'static str,
    words: &'static str,
}

/// 99.9 % of requests are answered, 99 % of them in time: what a shop on two instances can hold without anybody on call by
/// night.
fn budgets() -> [Budget; 2] {
    [
        Budget { alert: "TroposErrorBudgetBurns", what: "errors", allowed: "0.001", words: "fail" },
        Budget { alert: "TroposLatencyBudgetBurns", what: "slow", allowed: "0.01", words: "take too long" },
    ]
}

/// The objectives as templates read them: classes, and budgets.
pub(super) fn objectives() -> (Vec<Value>, Vec<Value>) {
    let class = |Class { name, modes, within }: Class| context! { name, modes, within };
    let budget = |Budget { alert, what, allowed, words }: Budget| context! { alert, what, allowed, words };
    (classes().into_iter().map(class).collect(), budgets().into_iter().map(budget).collect())
}

pub(super) fn templates() -> Vec<Template> {
    let file = |name: &str, text| (format!("{FOLDER}/{name}"), false, text);
    vec![
        file("rules.yaml", include_str!("templates/observability/rules.yaml")),
        file("rules.test.yaml", include_str!("templates/observability/rules.test.yaml")),
        file("rules.day.test.yaml", include_str!("templates/observability/rules.day.test.yaml")),
        file("prometheus.yaml", include_str!("templates/observability/prometheus.yaml")),
        file("dashboards/traffic.json", include_str!("templates/observability/dashboards/traffic.json")),
        file("dashboards/cache.json", include_str!("templates/observability/dashboards/cache.json")),
        file("dashboards/database.json", include_str!("templates/observability/dashboards/database.json")),
        file("dashboards/live.json", include_str!("templates/observability/dashboards/live.json")),
        file("dashboards/business.json", include_str!("templates/observability/dashboards/business.json")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value as Json;
    use std::collections::HashSet;

    /// What Grafana wants of a dashboard (schema 39): where it is, what is asked, and of whom.
    #[test]
    fn dashboards_are_what_grafana_imports() {
        let mut uids = HashSet::new();
        let all = templates();
        let dashboards = all.iter().filter(|(path, ..)| path.contains("/dashboards/"));
        for (path, _, text) in dashboards {
            let dashboard: Json = serde_json::from_str(text).unwrap();
            let uid = dashboard["uid"].as_str().unwrap();
            assert!(uid.len() <= 40 && uids.insert(uid.to_owned()), "{path}: {uid}");
            assert!(path.ends_with(&format!("/{}.json", uid.trim_start_matches("tropos-"))), "{path}");
            assert_eq!(dashboard["schemaVersion"], 39, "{path}");
            assert!(dashboard.get("id").is_none(), "{path}: Grafana gives the number");
            let variables: Vec<_> =
                dashboard["templating"]["list"].as_array().unwrap().iter().map(|it| &it["name"]).collect();
            assert_eq!(variables, ["datasource", "job"], "{path}");
            let mut taken: HashSet<(u64, u64)> = HashSet::new();
            let mut ids = HashSet::new();
            for panel in dashboard["panels"].as_array().unwrap() {
                let title = panel["title"].as_str().unwrap();
                assert!(ids.insert(panel["id"].as_u64().unwrap()), "{path}: {title}");
                assert!(
                    ["timeseries", "stat", "table"].contains(&panel["type"].as_str().unwrap()),
                    "{title}"
                );
                assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{path}: {title}");
                let at = |name: &str| panel["gridPos"][name].as_u64().unwrap();
                assert!(at("x") + at("w") <= 24, "{path}: {title}");
                for x in at("x")..at("x") + at("w") {
                    for y in at("y")..at("y") + at("h") {
                        assert!(taken.insert((x, y)), "{path}: {title} lies over another");
                    }
                }
                let targets = panel["targets"].as_array().unwrap();
                assert!(!targets.is_empty(), "{path}: {title}");
                for target in targets {
                    assert_eq!(target["datasource"]["uid"], "${datasource}", "{path}: {title}");
                    assert!(target["refId"].is_string() && target["expr"].is_string(), "{path}: {title}");
                }
            }
        }
        assert_eq!(uids.len(), 5);
    }

    #[test]
    fn objectives_are_bounds_of_the_buckets_that_requests_are_counted_in() {
        let buckets =
            ["0.005", "0.01", "0.025", "0.05", "0.075", "0.1", "0.25", "0.5", "0.75", "1", "2.5", "5"];
        for class in classes() {
            assert!(buckets.contains(&class.within), "{}", class.name);
        }
    }
}
