//! Where a signal is sent, and how.

use crate::export::Signal;
use http::HeaderMap;
use std::{fmt, time::Duration};

/// Where a signal is sent, and how (`OTEL_EXPORTER_OTLP_*`, and those of the signal).
#[derive(Clone)]
#[non_exhaustive]
pub struct Otlp {
    /// What is sent.
    pub signal: Signal,
    /// By which protocol.
    pub protocol: Protocol,
    /// The address: whole, with its path, over HTTP; scheme, host and port over gRPC.
    pub endpoint: String,
    /// Headers of each request: mostly a token.
    pub headers: HeaderMap,
    /// How messages are compressed.
    pub compression: Compression,
    /// The longest that a message may take, with all its tries.
    pub timeout: Duration,
}

impl Otlp {
    /// A collector over HTTP at this whole address, without headers or compression, and with the default time of ten seconds.
    pub fn new(signal: Signal, protocol: Protocol, endpoint: impl Into<String>) -> Self {
        Self {
            signal,
            protocol,
            endpoint: endpoint.into(),
            headers: HeaderMap::new(),
            compression: Compression::None,
            timeout: Duration::from_secs(10),
        }
    }
}

/// By hand, so that no log has a token from it.
impl fmt::Debug for Otlp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { signal, protocol, endpoint, headers, compression, timeout } = self;
        let names: Vec<&str> = headers.keys().map(http::HeaderName::as_str).collect();
        // What stands before an `@` is a name and a password.
        let endpoint = match endpoint.split_once("://") {
            Some((scheme, rest)) => {
                format!("{scheme}://{}", rest.rsplit_once('@').map_or(rest, |(_, at)| at))
            }
            None => endpoint.clone(),
        };
        f.debug_struct("Otlp")
            .field("signal", signal)
            .field("protocol", protocol)
            .field("endpoint", &endpoint)
            .field("headers", &names)
            .field("compression", compression)
            .field("timeout", timeout)
            .finish()
    }
}

/// By which protocol a signal is sent (`OTEL_EXPORTER_OTLP_PROTOCOL`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// `http/protobuf`: the default of the specification, since it passes every proxy.
    #[default]
    HttpProtobuf,
    /// `grpc`.
    Grpc,
}

/// How messages are compressed (`OTEL_EXPORTER_OTLP_COMPRESSION`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// Not at all: the default of the specification, since a collector is near.
    #[default]
    None,
    /// `gzip`.
    Gzip,
}
