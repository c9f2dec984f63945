//! All numbers at one moment.

use crate::names::metrics::Metric;

/// All metrics with their series.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// In the order of the table; also those without a series.
    pub families: Vec<Family>,
}

/// One metric with its series.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// The metric.
    pub metric: &'static Metric,
    /// Its series, in the order of their attributes.
    pub points: Vec<Point>,
}

/// One series.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// The values of the metric's attributes, in their order; an empty one is absent.
    pub labels: Box<[Box<str>]>,
    /// How it stands.
    pub value: Value,
}

/// How a series stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Of counters and gauges, in the metric's unit.
    Number(f64),
    /// Of histograms.
    Distribution {
        /// How many there are in each bucket; the last has no bound.
        buckets: Vec<u64>,
        /// All of them together, in the metric's unit.
        sum: f64,
    },
}

impl Family {
    /// The attributes of a point that are there, by name.
    pub fn labels<'a>(&self, point: &'a Point) -> impl Iterator<Item = (&'static str, &'a str)> {
        let named = self.metric.labels.iter().copied().zip(point.labels.iter().map(|value| &**value));
        named.filter(|(_, value)| !value.is_empty())
    }
}
