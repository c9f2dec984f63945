//! OTLP over gRPC.
//!
//! Messages are bytes already when they come here, so the codec hands them through.

use super::{Signal, answer, http::CONNECT_TIMEOUT, retry::Tried};
use crate::{
    Error,
    config::{Compression, Otlp},
};
use bytes::{Buf as _, BufMut as _, Bytes};
use http::uri::PathAndQuery;
use std::time::Duration;
use tonic::{
    Code, Request, Status,
    client::Grpc as Client,
    codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder},
    metadata::MetadataMap,
    transport::{Channel, ClientTlsConfig, Endpoint},
};

/// A client for one address.
pub(super) struct Grpc {
    channel: Channel,
    metadata: MetadataMap,
    compression: Compression,
    path: PathAndQuery,
}

impl Grpc {
    /// Connects when something is sent, not here.
    pub(super) fn new(otlp: &Otlp) -> Result<Self, Error> {
        let wrong = |reason: String| Error::Setting { name: otlp.signal.endpoint_variable(), reason };
        drop(rustls::crypto::ring::default_provider().install_default());
        let mut endpoint = Endpoint::from_shared(otlp.endpoint.clone())
            .map_err(|error| wrong(format!("`{}`: {error}", otlp.endpoint)))?
            .connect_timeout(CONNECT_TIMEOUT);
        if otlp.endpoint.starts_with("https:") {
            let tls = ClientTlsConfig::new().with_native_roots();
            endpoint = endpoint.tls_config(tls).map_err(|error| wrong(error.to_string()))?;
        }
        Ok(Self {
            channel: endpoint.connect_lazy(),
            metadata: MetadataMap::from_headers(otlp.headers.clone()),
            compression: otlp.compression,
            path: PathAndQuery::from_static(match otlp.signal {
                Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
                Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            }),
        })
    }

    /// One try.
    pub(super) async fn send(&self, message: Bytes, within: Duration) -> Tried {
        match tokio::time::timeout(within, self.export(message)).await {
            Ok(Ok(body)) => Tried::Taken(answer::partial(&body)),
            Ok(Err(status)) => judge(&status),
            Err(_) => Tried::Later("no answer in time".to_owned(), None),
        }
    }

    async fn export(&self, message: Bytes) -> Result<Bytes, Status> {
        let mut client = Client::new(self.channel.clone());
        if self.compression == Compression::Gzip {
            client = client.send_compressed(CompressionEncoding::Gzip);
        }
        client.ready().await.map_err(|error| Status::unavailable(root(&error)))?;
        let mut request = Request::new(message);
        *request.metadata_mut() = self.metadata.clone();
        Ok(client.unary(request, self.path.clone(), Plain).await?.into_inner())
    }
}

/// Which statuses may be followed by another try (OTLP/gRPC, "Failures"). `RESOURCE_EXHAUSTED` only where the collector says
/// when.
fn judge(status: &Status) -> Tried {
    let after = answer::retry_info(status.details());
    let said = match std::error::Error::source(status) {
        Some(cause) => answer::short(&format!("{:?}: {}", status.code(), root(cause))),
        None => answer::short(&format!("{:?}: {}", status.code(), status.message())),
    };
    let passes = match status.code() {
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => true,
        Code::ResourceExhausted => after.is_some(),
        _ => false,
    };
    if passes { Tried::Later(said, after) } else { Tried::Never(said) }
}

/// The last cause, which says most.
fn root(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(cause) = error.source() {
        error = cause;
    }
    error.to_string()
}

/// Bytes in, bytes out.
struct Plain;

impl Codec for Plain {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(item);
        Ok(())
    }
}

impl Decoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_judged_by_the_table_of_the_specification() {
        for (code, passes) in [
            (Code::Cancelled, true),
            (Code::Unknown, false),
            (Code::InvalidArgument, false),
            (Code::DeadlineExceeded, true),
            (Code::NotFound, false),
            (Code::PermissionDenied, false),
            (Code::ResourceExhausted, false),
            (Code::Aborted, true),
            (Code::OutOfRange, true),
            (Code::Unimplemented, false),
            (Code::Internal, false),
            (Code::Unavailable, true),
            (Code::DataLoss, true),
            (Code::Unauthenticated, false),
        ] {
            let tried = judge(&Status::new(code, "x"));
            assert_eq!(matches!(tried, Tried::Later(..)), passes, "{code:?}: {tried:?}");
        }
    }
}
