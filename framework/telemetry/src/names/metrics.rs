//! Every metric: its name, unit, kind and attributes. `docs/reference/telemetry.md` is generated from this table.
//!
//! Names without `tropos.` are those of OpenTelemetry's semantic conventions, in their units and with their buckets. A
//! backend of Prometheus sees them by OpenTelemetry's rules: see [`Metric::prometheus_name`].

use std::{borrow::Cow, fmt};

/// A metric as it is declared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    /// Its name by OpenTelemetry.
    pub name: &'static str,
    /// Its unit in UCUM: `s`, `By`, or what is counted, in braces.
    pub unit: &'static str,
    /// What its numbers mean.
    pub kind: Kind,
    /// The attributes by which its series differ.
    pub labels: &'static [&'static str],
    /// What it says, in a sentence.
    pub help: &'static str,
}

/// What the numbers of a metric mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Only grows. Series count steps, of which there are so many in one unit: a billion nanoseconds in a second.
    Counter {
        /// Steps in one unit.
        steps: u32,
    },
    /// How something stands now.
    Gauge,
    /// How many there are now, of what adds up over instances.
    UpDown,
    /// How long things took, by these bounds in seconds, each inclusive.
    Histogram(&'static [f64]),
}

impl Kind {
    /// As the reference has it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Counter { .. } => "counter",
            Self::Gauge => "gauge",
            Self::UpDown => "up-down counter",
            Self::Histogram(_) => "histogram",
        }
    }
}

impl Metric {
    /// Its name for Prometheus, by OpenTelemetry's rules: `.` becomes `_`, the unit follows where the name does not end
    /// with it already, and `_total` follows what only grows.
    ///
    /// ```
    /// use tropos_telemetry::names::metrics::{CACHE_REQUESTS, HTTP_SERVER_REQUEST_DURATION};
    /// assert_eq!(HTTP_SERVER_REQUEST_DURATION.prometheus_name(), "http_server_request_duration_seconds");
    /// assert_eq!(CACHE_REQUESTS.prometheus_name(), "tropos_cache_requests_total");
    /// ```
    pub fn prometheus_name(&self) -> String {
        let mut name = prometheus_label(self.name);
        let unit = match self.unit {
            "s" => "seconds",
            "By" => "bytes",
            _ => "",
        };
        if !unit.is_empty() && !name.ends_with(unit) {
            name = format!("{name}_{unit}");
        }
        if matches!(self.kind, Kind::Counter { .. }) && !name.ends_with("_total") {
            name.push_str("_total");
        }
        name
    }
}

/// An attribute's name for Prometheus: what it does not know there becomes `_`, and no name begins with a digit.
pub fn prometheus_label(name: &str) -> String {
    let before = name.starts_with(|c: char| c.is_ascii_digit()).then_some('_');
    before.into_iter().chain(name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })).collect()
}

/// The value of every attribute of the series that takes what no other series has room for.
pub const OTHER: &str = "_OTHER";

/// Buckets of requests, by the conventions for HTTP.
pub const HTTP_BUCKETS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// Buckets of queries, by the conventions for databases. Invalidations and waits go by them too.
pub const DB_BUCKETS: &[f64] = &[0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];

const COUNTER: Kind = Kind::Counter { steps: 1 };
const SECONDS: Kind = Kind::Counter { steps: 1_000_000_000 };
/// Amounts keep six places: more than any currency has.
const AMOUNT: Kind = Kind::Counter { steps: 1_000_000 };

macro_rules! metrics {
    ($($name:ident = $text:literal, $unit:literal, $kind:expr, [$($label:ident),*], $help:literal;)*) => {
        $(
            #[doc = $help]
            pub const $name: Metric = Metric {
                name: $text,
                unit: $unit,
                kind: $kind,
                labels: &[$(label::$label),*],
                help: $help,
            };
        )*

        /// All of them, in the order in which they are shown.
        pub const ALL: &[&Metric] = &[$(&$name),*];
    };
}

macro_rules! labels {
    ($($name:ident = $text:literal, $values:literal;)*) => {
        /// Attributes of series.
        pub mod label {
            $(
                #[doc = $values]
                pub const $name: &str = $text;
            )*

            /// All of them with what they may be.
            pub const ALL: &[(&str, &str)] = &[$(($name, $values)),*];
        }
    };
}

labels! {
    METHOD = "http.request.method", "The method; `_OTHER` where it is none that HTTP knows.";
    ROUTE = "http.route", "The route's pattern, never the path; absent where no route answered.";
    STATUS = "http.response.status_code", "The status; absent where the client left before there was one.";
    SCHEME = "url.scheme", "`http` or `https`, by the public origin; of fetches by their URL.";
    VERSION = "network.protocol.version", "`1.0`, `1.1` or `2`.";
    ERROR = "error.type", "The status of a failure, `cancelled` where the client left, the database's own code, or `_OTHER`; absent where all went well.";
    MODE = "tropos.mode", "`ssg`, `isr`, `server`, `live`; `function` for server functions, `api`, `file`, `stream` for open pages; `none` where nothing answered.";
    HOST = "server.address", "The host that is called; of databases the server with its port and database.";
    PORT = "server.port", "Its port.";
    SYSTEM = "db.system.name", "`postgresql` or `sqlite`.";
    SUMMARY = "db.query.summary", "Operation and table, such as `SELECT product`.";
    POOL = "db.client.connection.pool.name", "Shard, server and use, such as `main db-1:5432/shop reads`.";
    STATE = "db.client.connection.state", "`used` or `idle`.";
    SHARD = "tropos.db.shard", "The shard's name.";
    ROLE = "tropos.db.role", "`primary`, `replica` or `unknown`, as the server says itself.";
    CACHE = "tropos.cache.kind", "`page`, or `data` for fetched answers and results of cached functions; `negative` for answers of \"there is no such thing\".";
    READ = "tropos.cache.read", "`page`, `fetch` or `function`.";
    RESULT = "tropos.cache.result", "`hit`, `stale`, `miss` or `bypass`, as in `Cache-Status`.";
    REASON = "tropos.cache.reason", "Why: `fresh`; `age`, `soft` or `error` of what is stale; `absent`, `expired`, `invalidated`, `stale` or `unconfirmed` of a miss; `server`, `live` or `draft` of a bypass.";
    CAUSE = "tropos.render.cause", "`request`: somebody waits; `background`: an entry is made anew; `live`: an open page has changed.";
    OUTCOME = "tropos.render.outcome", "`ok` or `failed`; `cancelled` where it was given up: the client left, or a live page took longer than 30 s.";
    STRENGTH = "tropos.cache.strength", "`hard` or `soft`.";
    STORE = "tropos.cache.store", "`process`, `disk` or `shared`: what an invalidation must reach.";
    EVENT = "tropos.business.name", "The name that the application gave.";
    CURRENCY = "tropos.business.currency", "The currency of an amount.";
    EXPERIMENT = "tropos.experiment", "The experiments that the visitor is in, joined by commas; absent where there is none.";
    VARIANT = "tropos.variant", "The variants of them, in the same order.";
    ORIGIN = "tropos.error.kind", "`panic`, `page`, `regeneration`, `live`, `function`, `handled`, `hook` or `browser`.";
    DROPPED = "tropos.error.dropped", "`repeated`: ten of its kind on its route were reported in the minute; `queue_full`; `not_sampled`; `refused` by Sentry; `unreachable`.";
    SIGNAL = "tropos.telemetry.signal", "`traces` or `metrics`.";
}

metrics! {
    HTTP_SERVER_REQUEST_DURATION = "http.server.request.duration", "s", Kind::Histogram(HTTP_BUCKETS),
        [METHOD, ROUTE, STATUS, SCHEME, VERSION, ERROR, MODE],
        "How long requests took, until the last of the answer was handed to the network.";
    HTTP_SERVER_ACTIVE_REQUESTS = "http.server.active_requests", "{request}", Kind::UpDown,
        [METHOD, SCHEME],
        "Requests that are being answered. Hits on the quick path, which are over within microseconds, are not among them.";
    HTTP_CLIENT_REQUEST_DURATION = "http.client.request.duration", "s", Kind::Histogram(HTTP_BUCKETS),
        [METHOD, HOST, PORT, STATUS, ERROR, SCHEME],
        "How long calls of fetches took, redirects and the body included. What the cache answered is not among them.";

    DB_CLIENT_OPERATION_DURATION = "db.client.operation.duration", "s", Kind::Histogram(DB_BUCKETS),
        [SYSTEM, SUMMARY, ROUTE, ERROR],
        "How long queries took, the wait for a connection included, by the route that asked.";
    DB_CLIENT_CONNECTION_COUNT = "db.client.connection.count", "{connection}", Kind::UpDown,
        [POOL, STATE], "Connections, by what they do.";
    DB_CLIENT_CONNECTION_MAX = "db.client.connection.max", "{connection}", Kind::UpDown,
        [POOL], "The most connections that a pool may have.";
    DB_CLIENT_CONNECTION_TIMEOUTS = "db.client.connection.timeouts", "{timeout}", COUNTER,
        [], "Queries that found no connection in time.";
    DB_CLIENT_CONNECTION_WAIT_TIME = "db.client.connection.wait_time", "s", Kind::Histogram(DB_BUCKETS),
        [POOL], "How long queries waited for a connection.";
    DB_SLOW_QUERIES = "tropos.db.slow_queries", "{query}", COUNTER,
        [SUMMARY, ROUTE], "Queries over `DATABASE_SLOW_MS`, by the route that asked.";
    DB_RETRIES = "tropos.db.retries", "{retry}", COUNTER,
        [], "Queries that were tried again, since a server or connection failed.";
    DB_POSITION_WAITS = "tropos.db.position_waits", "{read}", COUNTER,
        [], "Reads that waited for a replica to have seen a write.";
    DB_PRIMARY_READS = "tropos.db.primary_reads", "{read}", COUNTER,
        [], "Reads that the primary answered though there are replicas.";
    DB_SERVER_UP = "tropos.db.server.up", "{server}", Kind::Gauge,
        [SHARD, HOST, ROLE], "1 where a server answers.";
    DB_REPLICA_USABLE = "tropos.db.replica.usable", "{server}", Kind::Gauge,
        [SHARD, HOST, ROLE], "1 where reads go to a replica.";
    DB_REPLICA_LAG = "tropos.db.replica.lag", "s", Kind::Gauge,
        [SHARD, HOST, ROLE], "How long ago the primary stood where a replica stands.";
    DB_REPLICA_LAG_BYTES = "tropos.db.replica.lag_bytes", "By", Kind::Gauge,
        [SHARD, HOST, ROLE], "Bytes of the log that a replica has not replayed.";

    CACHE_REQUESTS = "tropos.cache.requests", "{request}", COUNTER,
        [READ, RESULT, REASON, ROUTE],
        "Reads of the cache by what came of them: of pages by route, and of data by the route that read.";
    CACHE_ENTRIES = "tropos.cache.entries", "{entry}", Kind::UpDown, [CACHE], "Entries in memory.";
    CACHE_SIZE = "tropos.cache.size", "By", Kind::UpDown, [CACHE], "Bytes of them, about.";
    CACHE_EVICTIONS = "tropos.cache.evictions", "{entry}", COUNTER,
        [CACHE], "Entries that were driven out of memory to keep its bound.";
    CACHE_RENDERS = "tropos.cache.renders", "{render}", COUNTER,
        [], "Renders that were begun to be stored: of pages, fetches and cached functions.";
    CACHE_RENDER_FAILURES = "tropos.cache.render_failures", "{render}", COUNTER,
        [], "How many of them failed.";
    CACHE_REGENERATION_FAILURES = "tropos.cache.regeneration.failures", "{render}", COUNTER,
        [READ, ROUTE], "Renders in the background that failed, so that something old is served on.";
    CACHE_FLIGHT_WAIT = "tropos.cache.flight.wait", "s", Kind::Histogram(HTTP_BUCKETS),
        [READ], "How long readers waited for a render that another had begun: its count is that of flights joined.";
    CACHE_INVALIDATIONS = "tropos.cache.invalidations", "{invalidation}", COUNTER,
        [STRENGTH], "Invalidations made on this instance.";
    CACHE_INVALIDATION_FAILURES = "tropos.cache.invalidation_failures", "{invalidation}", COUNTER,
        [], "Invalidations that were not confirmed.";
    CACHE_INVALIDATION_DURATION = "tropos.cache.invalidation.duration", "s", Kind::Histogram(DB_BUCKETS),
        [STORE],
        "How long invalidations took to hold: with a shared store until the last of the other instances had it, or had lost its lease.";
    CACHE_SAVED_QUERIES = "tropos.cache.saved.queries", "{query}", COUNTER,
        [READ, ROUTE], "Database queries that hits saved: those that the render of the very entry had run.";
    CACHE_SAVED_TIME = "tropos.cache.saved.time", "s", SECONDS,
        [READ, ROUTE], "Rendering that hits saved: as long as the render of the very entry had taken.";
    CACHE_DISK_WRITES_DROPPED = "tropos.cache.disk_writes_dropped", "{entry}", COUNTER,
        [], "Entries not written to disk, since it was too slow or full.";
    CACHE_SHARED_CIRCUIT_OPEN = "tropos.cache.shared.circuit_open", "{store}", Kind::Gauge,
        [], "1 while the shared store is left alone until it answers again.";
    CACHE_SHARED_DEGRADED = "tropos.cache.shared.degraded", "{store}", Kind::Gauge,
        [], "1 while what is known of invalidations may be out of date.";
    CACHE_SHARED_FAILURES = "tropos.cache.shared.failures", "{question}", COUNTER,
        [], "Questions to the shared store that failed.";

    RENDER_DURATION = "tropos.render.duration", "s", Kind::Histogram(HTTP_BUCKETS),
        [ROUTE, MODE, CAUSE, OUTCOME],
        "How long pages took to render: stored and live ones whole, `server` ones until their head was settled.";
    LIVE_SESSIONS = "tropos.live.sessions", "{session}", Kind::UpDown, [], "Open pages that are followed.";
    LIVE_PAGES = "tropos.live.pages", "{page}", Kind::UpDown,
        [], "Pages that differ among them: each is rendered once for all who have it open.";
    LIVE_QUEUE_DEPTH = "tropos.live.queue.depth", "{page}", Kind::UpDown,
        [], "Changed pages that wait for their turn to render.";
    LIVE_FRAMES = "tropos.live.frames", "{frame}", COUNTER, [ROUTE], "Changes that were sent to open pages.";
    LIVE_SENT = "tropos.live.sent", "By", COUNTER, [ROUTE], "Bytes of them.";

    BUSINESS_EVENTS = "tropos.business.events", "{event}", COUNTER,
        [EVENT, EXPERIMENT, VARIANT, ROUTE], "What `business::count` was told.";
    BUSINESS_VALUE = "tropos.business.value", "{amount}", AMOUNT,
        [EVENT, CURRENCY, EXPERIMENT, VARIANT, ROUTE], "What `business::value` was told, added up.";

    BUSINESS_REFUNDED = "tropos.business.value.refunded", "{amount}", AMOUNT,
        [EVENT, CURRENCY, EXPERIMENT, VARIANT, ROUTE],
        "The negative amounts that `business::value` was told, added up without their sign. What remains is the value less this.";
    ERRORS = "tropos.errors", "{error}", COUNTER, [ORIGIN], "Errors that were handed in to be reported, repetitions included.";
    ERRORS_SENT = "tropos.errors.sent", "{error}", COUNTER, [], "Errors that Sentry has taken.";
    ERRORS_DROPPED = "tropos.errors.dropped", "{error}", COUNTER, [DROPPED], "Errors that nobody was told of, or Sentry was not.";

    TELEMETRY_DROPPED = "tropos.telemetry.dropped", "{item}", COUNTER,
        [SIGNAL], "Spans and exports that no collector took: the queue was full, it did not answer, or a trace had more spans than one may.";
    TELEMETRY_SERIES_OVERFLOWED = "tropos.telemetry.series_overflowed", "{record}", COUNTER,
        [], "Records that went to a series of `_OTHER`, since their metric has as many series as it may.";
}

/// The tables of the reference, as Markdown.
pub fn reference() -> String {
    Reference.to_string()
}

struct Reference;

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| metric | for Prometheus | kind | unit | attributes | says |\n|---|---|---|---|---|---|"
        )?;
        for metric in ALL {
            let Metric { name, unit, kind, labels, help } = metric;
            let prometheus = metric.prometheus_name();
            let labels: Vec<_> = labels.iter().map(|label| format!("`{label}`")).collect();
            let labels = if labels.is_empty() { Cow::Borrowed("none") } else { labels.join(", ").into() };
            writeln!(f, "| `{name}` | `{prometheus}` | {} | `{unit}` | {labels} | {help} |", kind.word())?;
        }
        writeln!(f, "\n| attribute | for Prometheus | is |\n|---|---|---|")?;
        for (name, values) in label::ALL {
            writeln!(f, "| `{name}` | `{}` | {values} |", prometheus_label(name))?;
        }
        for (of, buckets) in
            [("HTTP, renders and flights", HTTP_BUCKETS), ("databases and invalidations", DB_BUCKETS)]
        {
            let bounds: Vec<_> = buckets.iter().map(ToString::to_string).collect();
            writeln!(f, "\nBuckets of {of}, in seconds: {}.", bounds.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_in_both_spellings_and_each_label_is_documented() {
        let names: HashSet<_> = ALL.iter().map(|metric| metric.prometheus_name()).collect();
        assert_eq!(names.len(), ALL.len());
        let labels: HashSet<_> = label::ALL.iter().map(|(name, _)| prometheus_label(name)).collect();
        assert_eq!(labels.len(), label::ALL.len());
        for (name, _) in label::ALL {
            assert!(ALL.iter().any(|metric| metric.labels.contains(name)), "{name} is used by no metric");
        }
    }

    #[test]
    fn names_for_prometheus_follow_the_rules_of_opentelemetry() {
        for (metric, expected) in [
            (HTTP_SERVER_REQUEST_DURATION, "http_server_request_duration_seconds"),
            (HTTP_SERVER_ACTIVE_REQUESTS, "http_server_active_requests"),
            (DB_CLIENT_CONNECTION_TIMEOUTS, "db_client_connection_timeouts_total"),
            (DB_REPLICA_LAG, "tropos_db_replica_lag_seconds"),
            (DB_REPLICA_LAG_BYTES, "tropos_db_replica_lag_bytes"),
            (CACHE_SIZE, "tropos_cache_size_bytes"),
            (CACHE_SAVED_TIME, "tropos_cache_saved_time_seconds_total"),
            (CACHE_SHARED_CIRCUIT_OPEN, "tropos_cache_shared_circuit_open"),
            (BUSINESS_VALUE, "tropos_business_value_total"),
        ] {
            assert_eq!(metric.prometheus_name(), expected);
        }
    }

    #[test]
    fn a_histogram_fits_into_a_stripe() {
        for metric in ALL {
            if let Kind::Histogram(bounds) = metric.kind {
                assert!(bounds.len() + 2 <= crate::metrics::SLOTS, "{}", metric.name);
                assert!(bounds.is_sorted());
                assert_eq!(metric.unit, "s", "{} records durations", metric.name);
            }
        }
    }
}
