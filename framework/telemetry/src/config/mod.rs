//! What was configured, by the standard variables of OpenTelemetry.
//!
//! Their specification has wrong values warned about and left out, so that telemetry never keeps an application from starting.
//! What was wrong is in [`Config::problems`], for the log.

mod otlp;
mod read;

pub use otlp::{Compression, Otlp, Protocol};

use crate::{Error, trace::sampling::Sampler};
use std::time::Duration;

/// A request that takes longer is slow: its trace is kept whatever the sampler says. Half a second: from there on readers call an
/// answer to what they did poor (Interaction to Next Paint), and few renders take so long.
pub const DEFAULT_SLOW: Duration = Duration::from_millis(500);

/// What telemetry does.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Who speaks: the attributes of the resource, by their names.
    pub resource: Vec<(String, String)>,
    /// Where spans are sent; `None`: nowhere.
    pub traces: Option<Otlp>,
    /// Where series are sent; `None`: nowhere.
    pub metrics: Option<Otlp>,
    /// Which traces are kept whatever becomes of them.
    pub sampler: Sampler,
    /// From which duration on a request is slow.
    pub slow: Duration,
    /// How spans wait and are sent.
    pub batch: Batch,
    /// Bounds of each span.
    pub limits: Limits,
    /// How often series are sent (`OTEL_METRIC_EXPORT_INTERVAL`).
    pub metric_interval: Duration,
    /// Which headers carry a trace from one service to the next (`OTEL_PROPAGATORS`).
    pub propagate: Propagate,
    /// Whether the last traces are kept in memory, for the dashboard and the dev toolbar.
    pub ring: bool,
    /// Whether traces are recorded although neither sent nor kept: for `Server-Timing`.
    pub timing: bool,
    /// Whether traces are recorded although neither sent nor kept: what led to an error is told with its report.
    pub reports: bool,
    /// What was wrong with a variable, each a line for the log.
    pub problems: Vec<Error>,
}

/// How spans wait to be sent (`OTEL_BSP_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// The longest that a span waits for others to be sent with.
    pub delay: Duration,
    /// The longest that sending a batch may take, with all its tries.
    pub timeout: Duration,
    /// Spans that wait; more are dropped, and counted.
    pub queue: usize,
    /// Spans that are sent at once.
    pub size: usize,
}

/// The defaults of the specification.
impl Default for Batch {
    fn default() -> Self {
        Self { delay: Duration::from_secs(5), timeout: Duration::from_secs(30), queue: 2048, size: 512 }
    }
}

/// Bounds of each span (`OTEL_SPAN_*_LIMIT`, `OTEL_ATTRIBUTE_*_LIMIT`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Attributes of a span.
    pub attributes: usize,
    /// Bytes of an attribute's text; the rest is cut.
    pub text: usize,
    /// Events of a span.
    pub events: usize,
    /// Links of a span.
    pub links: usize,
    /// Spans of a trace, as far as this process makes them.
    pub spans: usize,
}

/// The specification's, but for texts, which it does not bound: statements are as long as who writes them likes. And a page that makes
/// a query for each row of a list would else fill the queue by itself: 256 spans show it as well as 10,000.
impl Default for Limits {
    fn default() -> Self {
        Self { attributes: 128, text: 2_000, events: 128, links: 128, spans: 256 }
    }
}

/// Which headers carry a trace on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Propagate {
    /// `traceparent` and `tracestate`.
    pub trace: bool,
    /// `baggage`.
    pub baggage: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            resource: vec![("service.name".into(), "unknown_service".into())],
            traces: None,
            metrics: None,
            sampler: Sampler::default(),
            slow: DEFAULT_SLOW,
            batch: Batch::default(),
            limits: Limits::default(),
            metric_interval: Duration::from_secs(60),
            propagate: Propagate { trace: true, baggage: true },
            ring: false,
            timing: false,
            reports: false,
            problems: Vec::new(),
        }
    }
}

/// A name for an instance that no other has: a random UUID (RFC 9562 §5.4), as the conventions of resources ask for.
pub fn instance_id() -> String {
    let random = rand::random::<u128>();
    let number = random & !(0xf << 76 | 0b11 << 62) | 0x4 << 76 | 0b10 << 62;
    let digits = format!("{number:032x}");
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32];
    parts.map(|part| digits.get(part).unwrap_or_default()).join("-")
}

impl Config {
    /// The configuration by an environment. `program` names the service where no variable does.
    pub fn read(program: &str, variable: impl Fn(&str) -> Option<String>) -> Self {
        read::config(program, &variable)
    }

    /// Names this instance, and the version of what runs in it, in the resource: collectors tell the series of several instances apart
    /// by it. What the environment lists stays.
    ///
    /// `release` is as Sentry has it: `shop@1.4.0`, or a version alone.
    pub fn identify(&mut self, instance: &str, release: Option<&str>) {
        let version = release.map(|release| release.rsplit_once('@').map_or(release, |(_, version)| version));
        let version = version.filter(|version| !version.is_empty());
        for (name, value) in [("service.instance.id", Some(instance)), ("service.version", version)] {
            if let (Some(value), false) = (value, self.resource.iter().any(|(known, _)| known == name)) {
                self.resource.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    /// Whether anybody is shown what a request did, so that it must be recorded.
    pub fn records(&self) -> bool {
        self.ring || self.timing || self.reports || (self.traces.is_some() && self.sampler != Sampler::OFF)
    }
}
