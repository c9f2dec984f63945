//! Series in the form of OTLP: cumulative, from the start of the process. Pure.

use super::snapshot::{Family, Point, Snapshot, Value};
use crate::{
    names::metrics::{Kind, label},
    trace::otlp::scope,
};
use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value},
    metrics::v1::{
        AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
        ResourceMetrics, ScopeMetrics, Sum, metric::Data, number_data_point,
    },
    resource::v1::Resource,
};

/// When the numbers began and when they were read, in nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Between {
    /// When the process began to count.
    pub start: u64,
    /// When the snapshot was taken.
    pub now: u64,
}

/// One message with all series. Metrics without one are left out.
pub fn request(resource: &Resource, snapshot: &Snapshot, between: Between) -> ExportMetricsServiceRequest {
    let families = snapshot.families.iter().filter(|family| !family.points.is_empty());
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(resource.clone()),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(scope()),
                metrics: families.map(|family| metric(family, between)).collect(),
                ..ScopeMetrics::default()
            }],
            ..ResourceMetrics::default()
        }],
    }
}

fn metric(family: &Family, between: Between) -> Metric {
    let numbers = || family.points.iter().filter_map(|point| number(family, point, between)).collect();
    let aggregation_temporality = AggregationTemporality::Cumulative.into();
    let data = match family.metric.kind {
        Kind::Counter { .. } => {
            Data::Sum(Sum { data_points: numbers(), aggregation_temporality, is_monotonic: true })
        }
        Kind::UpDown => {
            Data::Sum(Sum { data_points: numbers(), aggregation_temporality, is_monotonic: false })
        }
        Kind::Gauge => Data::Gauge(Gauge { data_points: numbers() }),
        Kind::Histogram(bounds) => {
            let points = family.points.iter();
            let data_points =
                points.filter_map(|point| distribution(family, point, bounds, between)).collect();
            Data::Histogram(Histogram { data_points, aggregation_temporality })
        }
    };
    Metric {
        name: family.metric.name.into(),
        description: family.metric.help.into(),
        unit: family.metric.unit.into(),
        data: Some(data),
        ..Metric::default()
    }
}

fn number(family: &Family, point: &Point, between: Between) -> Option<NumberDataPoint> {
    let Value::Number(value) = point.value else { return None };
    Some(NumberDataPoint {
        attributes: attributes(family, point),
        start_time_unix_nano: between.start,
        time_unix_nano: between.now,
        value: Some(number_data_point::Value::AsDouble(value)),
        ..NumberDataPoint::default()
    })
}

fn distribution(
    family: &Family,
    point: &Point,
    bounds: &[f64],
    between: Between,
) -> Option<HistogramDataPoint> {
    let Value::Distribution { buckets, sum } = &point.value else { return None };
    Some(HistogramDataPoint {
        attributes: attributes(family, point),
        start_time_unix_nano: between.start,
        time_unix_nano: between.now,
        count: buckets.iter().sum(),
        sum: Some(*sum),
        bucket_counts: buckets.clone(),
        explicit_bounds: bounds.to_vec(),
        ..HistogramDataPoint::default()
    })
}

fn attributes(family: &Family, point: &Point) -> Vec<KeyValue> {
    let attribute = |(name, value): (&str, &str)| KeyValue {
        key: name.to_owned(),
        value: Some(AnyValue { value: Some(typed(name, value)) }),
        ..KeyValue::default()
    };
    family.labels(point).map(attribute).collect()
}

/// Attributes that are whole numbers by the conventions, where spans have them too: a query over both compares them.
const NUMBERS: [&str; 2] = [label::STATUS, label::PORT];

/// A value in the type of its attribute; a text where it is no number, as `_OTHER`.
fn typed(name: &str, value: &str) -> any_value::Value {
    let number = NUMBERS.contains(&name).then(|| value.parse().ok()).flatten();
    number.map_or_else(|| any_value::Value::StringValue(value.to_owned()), any_value::Value::IntValue)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        metrics::{Registry, text},
        names::metrics::{self as names, prometheus_label},
    };
    use std::{collections::BTreeMap, time::Duration};

    fn named(attributes: &[KeyValue]) -> String {
        let text = |value: &Option<AnyValue>| match value.clone().and_then(|value| value.value) {
            Some(any_value::Value::StringValue(text)) => text,
            Some(any_value::Value::IntValue(number)) => number.to_string(),
            _ => String::new(),
        };
        let pairs =
            attributes.iter().map(|it| format!("{}=\"{}\"", prometheus_label(&it.key), text(&it.value)));
        pairs.collect::<Vec<_>>().join(",")
    }

    /// All numbers of a message, as the other form names them.
    fn flat(request: ExportMetricsServiceRequest) -> BTreeMap<String, f64> {
        let mut all = BTreeMap::new();
        let metrics = request.resource_metrics.into_iter().flat_map(|it| it.scope_metrics);
        for metric in metrics.flat_map(|it| it.metrics) {
            let known = names::ALL.iter().find(|known| known.name == metric.name).unwrap();
            assert_eq!(metric.unit, known.unit);
            let name = known.prometheus_name();
            let braced = |labels: String| if labels.is_empty() { labels } else { format!("{{{labels}}}") };
            let mut numbers = |points: Vec<NumberDataPoint>| {
                for point in points {
                    let Some(number_data_point::Value::AsDouble(value)) = point.value else {
                        panic!("no number")
                    };
                    all.insert(format!("{name}{}", braced(named(&point.attributes))), value);
                }
            };
            match metric.data.unwrap() {
                Data::Sum(sum) => {
                    assert_eq!(sum.is_monotonic, name.ends_with("_total"), "{name}");
                    assert_eq!(sum.aggregation_temporality(), AggregationTemporality::Cumulative);
                    numbers(sum.data_points);
                }
                Data::Gauge(gauge) => numbers(gauge.data_points),
                Data::Histogram(histogram) => {
                    for point in histogram.data_points {
                        let labels = named(&point.attributes);
                        let mut below = 0;
                        let bounds = point.explicit_bounds.iter().map(ToString::to_string);
                        for (count, bound) in point.bucket_counts.iter().zip(bounds.chain(["+Inf".into()])) {
                            below += count;
                            all.insert(format!("{name}_bucket{{{labels},le=\"{bound}\"}}"), below as f64);
                        }
                        all.insert(format!("{name}_count{{{labels}}}"), point.count as f64);
                        all.insert(format!("{name}_sum{{{labels}}}"), point.sum.unwrap());
                    }
                }
                other => panic!("{other:?}"),
            }
        }
        all
    }

    #[test]
    fn attributes_have_the_types_of_the_conventions() {
        let (number, text) =
            (any_value::Value::IntValue, |text: &str| any_value::Value::StringValue(text.to_owned()));
        for (name, value, expected) in [
            (label::STATUS, "200", number(200)),
            (label::PORT, "5432", number(5432)),
            (label::STATUS, "_OTHER", text("_OTHER")),
            (label::ROUTE, "200", text("200")),
            (label::VERSION, "2", text("2")),
            (label::ERROR, "500", text("500")),
        ] {
            assert_eq!(typed(name, value), expected, "{name}={value}");
        }
    }

    #[test]
    fn both_forms_have_the_same_series_with_the_same_numbers() {
        let registry = Registry::new();
        registry.counter(&names::CACHE_REQUESTS, &["page", "hit", "fresh", "/a/:b"]).add(3);
        registry.counter(&names::CACHE_SAVED_TIME, &["page", "/"]).add_duration(Duration::from_millis(1_500));
        registry.counter(&names::BUSINESS_VALUE, &["revenue", "EUR", "", "", "/"]).add_amount(19.99);
        registry.up_down(&names::HTTP_SERVER_ACTIVE_REQUESTS, &["GET", "http"]).down();
        let took = registry
            .histogram(&names::HTTP_SERVER_REQUEST_DURATION, &["GET", "/", "200", "http", "1.1", "", "isr"]);
        [1, 80, 20_000].iter().for_each(|ms| took.record(Duration::from_millis(*ms)));
        registry.observe(|observed| {
            observed.put(&names::DB_SERVER_UP, &["main", "db-1:5432/shop", "primary"], 1.0);
            observed.put(&names::CACHE_EVICTIONS, &["page"], 12.0);
        });
        let snapshot = registry.snapshot();
        let between = Between { start: 1, now: 2 };
        let sent = flat(request(&Resource::default(), &snapshot, between));
        let scraped: BTreeMap<String, f64> = text(&snapshot, &[])
            .lines()
            .filter(|line| !line.starts_with('#') && !line.starts_with("target_info"))
            .map(|line| line.rsplit_once(' ').unwrap())
            .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
            .collect();
        assert!(scraped.len() > 20);
        assert_eq!(sent, scraped);
    }
}
