//! From variables to a configuration. Pure.

use super::{Batch, Compression, Config, Limits, Otlp, Propagate, Protocol};
use crate::{Error, export::Signal, trace::sampling::Sampler};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use percent_encoding::percent_decode_str;
use std::{str::FromStr, time::Duration};

/// Attributes of the resource; more are left out.
const MOST_ATTRIBUTES: usize = 64;

/// Variables that other exporters know and this one does not: who sets one must learn that it does nothing.
const UNKNOWN_HERE: [(&str, &str); 10] = [
    ("OTEL_EXPORTER_OTLP_CERTIFICATE", TRUSTED),
    ("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", TRUSTED),
    ("OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE", TRUSTED),
    ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", NO_CLIENTS),
    ("OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE", NO_CLIENTS),
    ("OTEL_EXPORTER_OTLP_METRICS_CLIENT_CERTIFICATE", NO_CLIENTS),
    ("OTEL_EXPORTER_OTLP_CLIENT_KEY", NO_CLIENTS),
    ("OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", NO_CLIENTS),
    ("OTEL_EXPORTER_OTLP_METRICS_CLIENT_KEY", NO_CLIENTS),
    ("OTEL_CONFIG_FILE", "configuration files are not supported: write the variables"),
];

const TRUSTED: &str = "certificates are those that the machine trusts: add it there";
const NO_CLIENTS: &str = "certificates of clients are not supported: use a collector on this machine";

/// Variables of which one value alone is what is done anyway: who sets another must learn that it does nothing.
const ONE_VALUE: [(&str, &str, &str); 2] = [
    (
        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
        "cumulative",
        "series are sent as `cumulative`: have the collector make deltas of them",
    ),
    (
        "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
        "explicit_bucket_histogram",
        "histograms are sent as `explicit_bucket_histogram`, with the buckets of the conventions",
    ),
];

struct Read<'a> {
    variable: &'a dyn Fn(&str) -> Option<String>,
    problems: Vec<Error>,
}

pub(super) fn config(program: &str, variable: &dyn Fn(&str) -> Option<String>) -> Config {
    let mut read = Read { variable, problems: Vec::new() };
    let mut config = Config { resource: read.resource(program), ..Config::default() };
    for (name, instead) in UNKNOWN_HERE {
        if read.text(name).is_some() {
            read.wrong(name, instead);
        }
    }
    for (name, is_done, instead) in ONE_VALUE {
        if read.text(name).is_some_and(|value| !value.eq_ignore_ascii_case(is_done)) {
            read.wrong(name, instead);
        }
    }
    if !read.flag("OTEL_SDK_DISABLED") {
        config.traces = read.otlp(Signal::Traces);
        config.metrics = read.otlp(Signal::Metrics);
    }
    config.sampler = read.sampler();
    config.propagate = read.propagate();
    let default = Batch::default();
    config.batch = Batch {
        delay: read.millis("OTEL_BSP_SCHEDULE_DELAY", default.delay),
        timeout: read.millis("OTEL_BSP_EXPORT_TIMEOUT", default.timeout),
        queue: read.count("OTEL_BSP_MAX_QUEUE_SIZE", default.queue).clamp(1, 1 << 16),
        size: read.count("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", default.size).clamp(1, 1 << 13),
    };
    config.batch.size = config.batch.size.min(config.batch.queue);
    let default = Limits::default();
    let attributes = read.count("OTEL_ATTRIBUTE_COUNT_LIMIT", default.attributes);
    let text = read.count("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", default.text);
    config.limits = Limits {
        attributes: read.count("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", attributes).min(1_000),
        text: read.count("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", text).min(64 << 10),
        events: read.count("OTEL_SPAN_EVENT_COUNT_LIMIT", default.events).min(1_000),
        links: read.count("OTEL_SPAN_LINK_COUNT_LIMIT", default.links).min(1_000),
        ..default
    };
    config.metric_interval =
        read.millis("OTEL_METRIC_EXPORT_INTERVAL", config.metric_interval).max(Duration::from_millis(10));
    // What a message may take in all; the default is the specification's.
    let longest = read.millis("OTEL_METRIC_EXPORT_TIMEOUT", Duration::from_secs(30));
    if let Some(otlp) = &mut config.metrics {
        otlp.timeout = otlp.timeout.min(longest);
    }
    config.problems = read.problems;
    config
}

impl Read<'_> {
    /// The value, where one is set that is not empty: the specification takes an empty one for none.
    fn text(&self, name: &str) -> Option<String> {
        (self.variable)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    fn wrong(&mut self, name: &'static str, reason: impl Into<String>) {
        self.problems.push(Error::Setting { name, reason: reason.into() });
    }

    fn flag(&mut self, name: &'static str) -> bool {
        let text = self.text(name).unwrap_or_default().to_ascii_lowercase();
        if !matches!(text.as_str(), "" | "true" | "false") {
            self.wrong(name, format!("`{text}` is neither `true` nor `false`, and is taken for `false`"));
        }
        text == "true"
    }

    fn number<T: FromStr>(&mut self, name: &'static str) -> Option<T> {
        let text = self.text(name)?;
        let number = text.parse().ok();
        if number.is_none() {
            self.wrong(name, format!("`{text}` is no such number; the default holds"));
        }
        number
    }

    fn count(&mut self, name: &'static str, default: usize) -> usize {
        self.number(name).unwrap_or(default)
    }

    fn millis(&mut self, name: &'static str, default: Duration) -> Duration {
        self.number(name).map_or(default, Duration::from_millis)
    }

    /// One of a few words, in small letters.
    fn word<T: Copy>(&mut self, name: &'static str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(name)?.to_ascii_lowercase();
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning);
        if found.is_none() {
            let words: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
            self.wrong(name, format!("`{text}` is none of {}; the default holds", words.join(", ")));
        }
        found
    }

    fn resource(&mut self, program: &str) -> Vec<(String, String)> {
        let mut attributes: Vec<(String, String)> = Vec::new();
        let own = |attributes: &mut Vec<(String, String)>, name: &str, value: String| {
            attributes.retain(|(known, _)| known != name);
            attributes.push((name.to_owned(), value));
        };
        let listed = self.text("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
        match pairs(&listed) {
            // Of one that is listed twice, the last counts: no resource has two values of one name.
            Some(pairs) => {
                let pairs = pairs.into_iter().take(MOST_ATTRIBUTES);
                pairs.for_each(|(name, value)| own(&mut attributes, &name, value));
            }
            // The specification has the whole value left out.
            None => self.wrong("OTEL_RESOURCE_ATTRIBUTES", "it is not of the form `name=value,name=value`"),
        }
        if let Some(name) = self.text("OTEL_SERVICE_NAME") {
            own(&mut attributes, "service.name", name);
        } else if !attributes.iter().any(|(name, _)| name == "service.name") {
            let name = match program {
                "" => "unknown_service".to_owned(),
                program => program.to_owned(),
            };
            own(&mut attributes, "service.name", name);
        }
        own(&mut attributes, "telemetry.sdk.language", "rust".into());
        own(&mut attributes, "telemetry.sdk.name", "tropos".into());
        own(&mut attributes, "telemetry.sdk.version", env!("CARGO_PKG_VERSION").into());
        attributes
    }

    /// Where a signal goes; `None` where no address is named, since a collector that nobody has would be asked for ever.
    fn otlp(&mut self, signal: Signal) -> Option<Otlp> {
        let of = Names::of(signal);
        let exporters = self.text(of.exporter).unwrap_or_else(|| "otlp".into());
        let known = ["otlp", "none", "prometheus"];
        let names: Vec<&str> = exporters.split(',').map(str::trim).collect();
        for name in names.iter().filter(|name| !known.contains(name)) {
            self.wrong(of.exporter, format!("`{name}` is not known here: write `otlp` or `none`"));
        }
        if !names.contains(&"otlp") {
            return None;
        }
        let own = self.text(of.endpoint);
        let shared = self.text("OTEL_EXPORTER_OTLP_ENDPOINT");
        let (is_own, endpoint) = match (own, shared) {
            (Some(own), _) => (true, own),
            (None, Some(shared)) => (false, shared),
            (None, None) => return None,
        };
        let endpoint_name = if is_own { of.endpoint } else { "OTEL_EXPORTER_OTLP_ENDPOINT" };
        let protocols = [("http/protobuf", Protocol::HttpProtobuf), ("grpc", Protocol::Grpc)];
        let protocol = self
            .word(of.protocol, &protocols)
            .or_else(|| self.word("OTEL_EXPORTER_OTLP_PROTOCOL", &protocols))
            .unwrap_or_default();
        let endpoint = match protocol {
            Protocol::HttpProtobuf if is_own => endpoint,
            Protocol::HttpProtobuf => format!("{}/{}", endpoint.trim_end_matches('/'), signal.path()),
            Protocol::Grpc if endpoint.contains("://") => endpoint,
            // Without a scheme, `insecure` decides.
            Protocol::Grpc => {
                let insecure = if self.text(of.insecure).is_some() {
                    of.insecure
                } else {
                    "OTEL_EXPORTER_OTLP_INSECURE"
                };
                let scheme = if self.flag(insecure) { "http" } else { "https" };
                format!("{scheme}://{endpoint}")
            }
        };
        let uri: Option<Uri> = endpoint.parse().ok();
        if !uri.is_some_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some())
        {
            self.wrong(endpoint_name, "it is no address such as `http://localhost:4318`, so nothing is sent");
            return None;
        }
        let compressions = [("none", Compression::None), ("gzip", Compression::Gzip)];
        let compression = self
            .word(of.compression, &compressions)
            .or_else(|| self.word("OTEL_EXPORTER_OTLP_COMPRESSION", &compressions));
        let mut headers = self.headers("OTEL_EXPORTER_OTLP_HEADERS");
        for (name, value) in &self.headers(of.headers) {
            headers.insert(name, value.clone());
        }
        let timeout = match self.text(of.timeout) {
            Some(_) => self.millis(of.timeout, Duration::from_secs(10)),
            None => self.millis("OTEL_EXPORTER_OTLP_TIMEOUT", Duration::from_secs(10)),
        };
        let compression = compression.unwrap_or_default();
        Some(Otlp { signal, protocol, endpoint, headers, compression, timeout })
    }

    fn headers(&mut self, name: &'static str) -> HeaderMap {
        let text = self.text(name).unwrap_or_default();
        let headers = pairs(&text).and_then(|pairs| {
            let pair = |(name, value): (String, String)| {
                let mut value = HeaderValue::from_str(&value).ok()?;
                value.set_sensitive(true);
                Some((HeaderName::try_from(name).ok()?, value))
            };
            pairs.into_iter().map(pair).collect::<Option<HeaderMap>>()
        });
        headers.unwrap_or_else(|| {
            // The value is left out: it holds tokens.
            self.wrong(name, "it is not of the form `name=value,name=value`");
            HeaderMap::new()
        })
    }

    fn sampler(&mut self) -> Sampler {
        let Some(name) = self.text("OTEL_TRACES_SAMPLER") else { return Sampler::default() };
        let argument = self.text("OTEL_TRACES_SAMPLER_ARG");
        match Sampler::named(&name.to_ascii_lowercase(), argument.as_deref()) {
            Ok(sampler) => sampler,
            Err(reason) => {
                let is_ratio = name.to_ascii_lowercase().ends_with("traceidratio");
                self.wrong(if is_ratio { "OTEL_TRACES_SAMPLER_ARG" } else { "OTEL_TRACES_SAMPLER" }, reason);
                Sampler::named(&name.to_ascii_lowercase(), None).unwrap_or_default()
            }
        }
    }

    fn propagate(&mut self) -> Propagate {
        let Some(text) = self.text("OTEL_PROPAGATORS") else {
            return Propagate { trace: true, baggage: true };
        };
        let mut propagate = Propagate { trace: false, baggage: false };
        for name in text.split(',').map(str::trim) {
            match name {
                "tracecontext" => propagate.trace = true,
                "baggage" => propagate.baggage = true,
                "none" => {}
                other => {
                    self.wrong(
                        "OTEL_PROPAGATORS",
                        format!("`{other}` is neither `tracecontext`, `baggage` nor `none`"),
                    );
                }
            }
        }
        propagate
    }
}

/// The variables of one signal.
struct Names {
    exporter: &'static str,
    endpoint: &'static str,
    protocol: &'static str,
    headers: &'static str,
    timeout: &'static str,
    compression: &'static str,
    insecure: &'static str,
}

impl Names {
    fn of(signal: Signal) -> Self {
        match signal {
            Signal::Traces => Self {
                exporter: "OTEL_TRACES_EXPORTER",
                endpoint: "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
                protocol: "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
                headers: "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
                timeout: "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
                compression: "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION",
                insecure: "OTEL_EXPORTER_OTLP_TRACES_INSECURE",
            },
            Signal::Metrics => Self {
                exporter: "OTEL_METRICS_EXPORTER",
                endpoint: "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
                protocol: "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL",
                headers: "OTEL_EXPORTER_OTLP_METRICS_HEADERS",
                timeout: "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT",
                compression: "OTEL_EXPORTER_OTLP_METRICS_COMPRESSION",
                insecure: "OTEL_EXPORTER_OTLP_METRICS_INSECURE",
            },
        }
    }
}

/// `name=value,name=value`, percent-encoded; `None` where it is something else. Empty parts are passed over.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let pair = |part: &str| {
        let (name, value) = part.split_once('=')?;
        let decoded = |text: &str| Some(percent_decode_str(text.trim()).decode_utf8().ok()?.into_owned());
        let name = decoded(name).filter(|name| !name.is_empty())?;
        Some((name, decoded(value)?))
    };
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(pair).collect()
}

#[cfg(test)]
mod tests;
