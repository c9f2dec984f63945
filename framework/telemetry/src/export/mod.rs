//! Both signals on their way to a collector.
//!
//! | module | holds |
//! |---|---|
//! | `retry` | whether a failed try is followed by another, and when |
//! | `http`, `grpc` | one try, by either protocol |
//! | `answer` | what the collector says |
//! | [`queue`] | traces that wait to be sent, and the task that sends them |
//!
//! [`Sender`] sends one message of either signal, with its tries. Nothing here is waited for by a request.

mod answer;
mod grpc;
mod http;
pub mod queue;
mod retry;

use crate::{
    Error,
    config::{Otlp, Protocol},
};
use bytes::Bytes;
use retry::Tried;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use tropos_core::Clock;

/// The messages of OTLP: what a receiver in a test reads, and what metrics are put into.
pub use opentelemetry_proto::tonic as proto;
/// By which these messages are encoded and decoded.
pub use prost::Message;

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Series.
    Metrics,
}

impl Signal {
    /// As a path of OTLP over HTTP ends, beneath the address that both signals share.
    pub fn path(self) -> &'static str {
        match self {
            Self::Traces => "v1/traces",
            Self::Metrics => "v1/metrics",
        }
    }

    /// The variable that names the address of this signal alone.
    pub fn endpoint_variable(self) -> &'static str {
        match self {
            Self::Traces => "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            Self::Metrics => "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
        }
    }
}

/// A message was taken.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sent {
    /// Spans or data points of it that the collector refused.
    pub rejected: u64,
    /// What it said of them, or beside.
    pub note: String,
}

/// A message was not taken, and is lost.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not delivered after {tries} tries: {reason}")]
pub struct Undelivered {
    /// Tries that were made.
    pub tries: u32,
    /// What became of the last.
    pub reason: String,
}

/// Sends messages of one signal to one collector.
///
/// Cheap to clone: connections are shared. One message is tried again as the OTLP specification says (429, 502, 503 and 504 and
/// their kin of gRPC, `Retry-After`, pauses that grow, by chance apart), within the time that the configuration gives for it.
#[derive(Clone)]
pub struct Sender(Arc<Inner>);

struct Inner {
    wire: Wire,
    timeout: Duration,
    signal: Signal,
}

enum Wire {
    Http(http::Http),
    Grpc(grpc::Grpc),
}

impl Sender {
    /// A sender. Nothing is connected yet. Within a Tokio runtime.
    ///
    /// # Errors
    /// [`Error::Setting`] where the address is none.
    pub fn new(otlp: &Otlp, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let wire = match otlp.protocol {
            Protocol::HttpProtobuf => Wire::Http(http::Http::new(otlp, clock)?),
            Protocol::Grpc => Wire::Grpc(grpc::Grpc::new(otlp)?),
        };
        Ok(Self(Arc::new(Inner { wire, timeout: otlp.timeout, signal: otlp.signal })))
    }

    /// What it sends.
    pub fn signal(&self) -> Signal {
        self.0.signal
    }

    /// Sends a message, with all its tries, within the time of the configuration.
    ///
    /// # Errors
    /// [`Undelivered`]: the message is lost.
    pub async fn send(&self, message: &impl prost::Message) -> Result<Sent, Undelivered> {
        self.send_within(message, self.0.timeout).await
    }

    /// As [`send`](Self::send), within `limit` where that is shorter: at the end of the process.
    ///
    /// # Errors
    /// [`Undelivered`]: the message is lost.
    pub async fn send_within(
        &self,
        message: &impl prost::Message,
        limit: Duration,
    ) -> Result<Sent, Undelivered> {
        let deadline = Instant::now() + limit.min(self.0.timeout);
        let message = Bytes::from(message.encode_to_vec());
        let body = match &self.0.wire {
            Wire::Http(http) => http.body(message),
            Wire::Grpc(_) => message,
        };
        for tries in 1.. {
            let left = deadline.saturating_duration_since(Instant::now());
            let tried = match &self.0.wire {
                Wire::Http(http) => http.send(body.clone(), left).await,
                Wire::Grpc(grpc) => grpc.send(body.clone(), left).await,
            };
            let (reason, named) = match tried {
                Tried::Taken(sent) => return Ok(sent),
                Tried::Never(reason) => return Err(Undelivered { tries, reason }),
                Tried::Later(reason, named) => (reason, named),
            };
            let left = deadline.saturating_duration_since(Instant::now());
            match retry::pause(tries, named, left, rand::random()) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(Undelivered { tries, reason }),
            }
        }
        Err(Undelivered { tries: u32::MAX, reason: String::new() })
    }
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender").field("signal", &self.0.signal).finish_non_exhaustive()
    }
}
