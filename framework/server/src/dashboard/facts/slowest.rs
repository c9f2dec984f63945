//! Routes and queries by their histograms: those of the metrics, which count everything since the start.

use super::estimate::Histogram;
use std::collections::{BTreeMap, BTreeSet};
use tropos_telemetry::{
    metrics::{Family, Snapshot, Value},
    names::metrics::{self as names, Kind, Metric},
};

/// Routes that are named with a query.
const MOST_ROUTES: usize = 3;

/// A route, or a query.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Timed {
    pub(in super::super) name: String,
    /// The mode of a route; the routes that make a query.
    pub(in super::super) about: Vec<String>,
    pub(in super::super) times: Histogram,
    pub(in super::super) failures: u64,
}

/// Routes by the 95th percentile of their requests, the slowest first.
pub(in super::super) fn routes(snapshot: &Snapshot) -> Vec<Timed> {
    by(snapshot, &names::HTTP_SERVER_REQUEST_DURATION, names::label::ROUTE, names::label::MODE)
}

/// Queries by the same.
pub(in super::super) fn queries(snapshot: &Snapshot) -> Vec<Timed> {
    by(snapshot, &names::DB_CLIENT_OPERATION_DURATION, names::label::SUMMARY, names::label::ROUTE)
}

/// The number of a metric: all of its series that `of` wants, together.
pub(in super::super) fn sum(snapshot: &Snapshot, metric: &Metric, of: impl Fn(&Labels<'_>) -> bool) -> f64 {
    let Some(family) = family(snapshot, metric) else { return 0.0 };
    let wanted = family.points.iter().filter(|point| of(&Labels(family.labels(point).collect())));
    wanted
        .map(|point| match &point.value {
            Value::Number(number) => *number,
            Value::Distribution { buckets, .. } => buckets.iter().sum::<u64>() as f64,
        })
        .sum()
}

/// The attributes of a series.
pub(in super::super) struct Labels<'s>(Vec<(&'static str, &'s str)>);

impl Labels<'_> {
    /// The value of one; empty where it is absent.
    pub(in super::super) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| *value).unwrap_or_default()
    }
}

fn family<'s>(snapshot: &'s Snapshot, metric: &Metric) -> Option<&'s Family> {
    snapshot.families.iter().find(|family| family.metric.name == metric.name)
}

/// The numbers of a metric by one attribute, without what is empty.
pub(in super::super) fn numbers(snapshot: &Snapshot, metric: &Metric, label: &str) -> BTreeMap<String, f64> {
    let mut numbers = BTreeMap::new();
    let Some(family) = family(snapshot, metric) else { return numbers };
    for point in &family.points {
        if let Value::Number(number) = point.value {
            let of = Labels(family.labels(point).collect());
            *numbers.entry(of.get(label).to_owned()).or_default() += number;
        }
    }
    numbers
}

/// The series of a metric together by one attribute, with what another one says of each.
fn by(snapshot: &Snapshot, metric: &'static Metric, name: &str, about: &str) -> Vec<Timed> {
    let Kind::Histogram(bounds) = metric.kind else { return Vec::new() };
    let Some(family) = family(snapshot, metric) else { return Vec::new() };
    let mut timed: BTreeMap<String, (BTreeSet<String>, Histogram, u64)> = BTreeMap::new();
    for point in &family.points {
        let Value::Distribution { buckets, sum } = &point.value else { continue };
        let count: u64 = buckets.iter().sum();
        if count == 0 {
            continue;
        }
        let labels = Labels(family.labels(point).collect());
        let (name, about) = (labels.get(name), labels.get(about));
        let empty = || (BTreeSet::new(), Histogram::new(bounds), 0);
        let (abouts, times, failures) = timed.entry(name.to_owned()).or_insert_with(empty);
        if !about.is_empty() {
            abouts.insert(about.to_owned());
        }
        times.add(buckets, *sum);
        // Who left before the end has not seen a failure.
        if !matches!(labels.get(names::label::ERROR), "" | "cancelled") {
            *failures += count;
        }
    }
    let mut timed: Vec<Timed> = timed
        .into_iter()
        .map(|(name, (abouts, times, failures))| {
            let left = abouts.len().saturating_sub(MOST_ROUTES);
            let mut about: Vec<String> = abouts.into_iter().take(MOST_ROUTES).collect();
            if left > 0 {
                about.push(format!("{left} more"));
            }
            Timed { name, about, times, failures }
        })
        .collect();
    let slowness =
        |timed: &Timed| timed.times.percentile(0.95).map_or(0.0, super::estimate::Estimate::seconds);
    timed.sort_by(|a, b| slowness(b).total_cmp(&slowness(a)).then_with(|| a.name.cmp(&b.name)));
    timed
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tropos_telemetry::metrics::Registry;

    #[test]
    fn routes_are_counted_over_all_of_their_series_the_slowest_first() {
        let registry = Registry::new();
        let took = |route: &str, status: &str, error: &str, millis: u64| {
            let labels = ["GET", route, status, "http", "1.1", error, "isr"];
            let series = registry.histogram(&names::HTTP_SERVER_REQUEST_DURATION, &labels);
            series.record(Duration::from_millis(millis));
        };
        for _ in 0..10 {
            took("/fast", "200", "", 1);
            took("/slow", "200", "", 400);
        }
        took("/slow", "500", "500", 400);
        took("/slow", "200", "cancelled", 400);
        let routes = routes(&registry.snapshot());
        let seen: Vec<_> =
            routes.iter().map(|route| (&*route.name, route.times.count(), route.failures)).collect();
        assert_eq!(seen, [("/slow", 12, 1), ("/fast", 10, 0)]);
        assert_eq!(routes[0].about, ["isr"]);
        let snapshot = registry.snapshot();
        let failed = |labels: &Labels<'_>| labels.get(names::label::STATUS) == "500";
        assert_eq!(sum(&snapshot, &names::HTTP_SERVER_REQUEST_DURATION, failed), 1.0);
    }

    #[test]
    fn queries_name_the_routes_that_make_them() {
        let registry = Registry::new();
        for route in ["/a", "/b", "/c", "/d", "/e"] {
            let labels = ["sqlite", "SELECT colour", route, ""];
            registry
                .histogram(&names::DB_CLIENT_OPERATION_DURATION, &labels)
                .record(Duration::from_millis(3));
        }
        let queries = queries(&registry.snapshot());
        assert_eq!(queries.len(), 1);
        assert_eq!(queries[0].about, ["/a", "/b", "/c", "2 more"]);
    }

    #[test]
    fn numbers_are_added_up_by_one_attribute() {
        let registry = Registry::new();
        registry.counter(&names::CACHE_REQUESTS, &["page", "hit", "fresh", "/a"]).add(3);
        registry.counter(&names::CACHE_REQUESTS, &["fetch", "hit", "fresh", "/b"]).add(4);
        registry.counter(&names::CACHE_REQUESTS, &["page", "miss", "absent", "/a"]).add(1);
        let by_result = numbers(&registry.snapshot(), &names::CACHE_REQUESTS, names::label::RESULT);
        assert_eq!(
            by_result.into_iter().collect::<Vec<_>>(),
            [("hit".to_owned(), 7.0), ("miss".to_owned(), 1.0)]
        );
    }
}
