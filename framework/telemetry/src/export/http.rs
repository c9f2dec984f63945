//! OTLP over HTTP, as binary protobuf.

use super::{
    answer,
    retry::{self, Tried},
};
use crate::{
    Error,
    config::{Compression, Otlp},
};
use bytes::{Bytes, BytesMut};
use flate2::{Compression as Level, write::GzEncoder};
use http::{HeaderValue, header};
use reqwest::{Client, Url};
use std::{io::Write as _, sync::Arc, time::Duration};
use tropos_core::Clock;

/// A collector is near. Who does not answer the handshake by then is down.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// An answer is some bytes. More are not read: something else than a collector answers.
const LONGEST_ANSWER: usize = 64 << 10;

/// A client for one address. Connections are kept between messages.
pub(super) struct Http {
    client: Client,
    url: Url,
    headers: http::HeaderMap,
    compression: Compression,
    clock: Arc<dyn Clock>,
}

impl Http {
    pub(super) fn new(otlp: &Otlp, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let wrong = |reason: String| Error::Setting { name: otlp.signal.endpoint_variable(), reason };
        // Fails where the application has chosen a provider already; then that one is used.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = Client::builder()
            .user_agent(concat!("tropos-telemetry/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            // Headers hold tokens, which belong to the address that was written down.
            .redirect(reqwest::redirect::Policy::none())
            // It would be read from the environment, which is the server's to read.
            .no_proxy()
            .build()
            .map_err(|error| wrong(error.to_string()))?;
        let url = otlp.endpoint.parse().map_err(|error| wrong(format!("`{}`: {error}", otlp.endpoint)))?;
        let mut headers = otlp.headers.clone();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        if otlp.compression == Compression::Gzip {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        Ok(Self { client, url, headers, compression: otlp.compression, clock })
    }

    /// The bytes of a message as they are sent: made once for all tries.
    pub(super) fn body(&self, message: Bytes) -> Bytes {
        match self.compression {
            Compression::None => message,
            Compression::Gzip => gzip(&message).into(),
        }
    }

    /// One try.
    pub(super) async fn send(&self, body: Bytes, within: Duration) -> Tried {
        let request =
            self.client.post(self.url.clone()).headers(self.headers.clone()).timeout(within).body(body);
        let mut response = match request.send().await {
            Ok(response) => response,
            // Not sent, or not answered: nobody knows whether it was taken. A span that comes twice does less harm.
            Err(error) => return Tried::Later(told(&error), None),
        };
        let (status, after) = (response.status(), retry::retry_after(response.headers(), self.clock.wall()));
        let mut body = BytesMut::new();
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() > LONGEST_ANSWER {
                break;
            }
        }
        if status.is_success() {
            return Tried::Taken(answer::partial(&body));
        }
        let said = match answer::message(&body) {
            text if text.is_empty() => status.to_string(),
            text => format!("{status}: {text}"),
        };
        if retry::is_passing(status) { Tried::Later(said, after) } else { Tried::Never(said) }
    }
}

/// Fast rather than small: batches are some kilobytes.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Level::fast());
    // A vector takes everything.
    drop(encoder.write_all(bytes));
    encoder.finish().unwrap_or_default()
}

/// The error with its causes, without the address, which may hold a password.
fn told(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut text = if error.is_connect() { "no connection" } else { "the request failed" }.to_owned();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        cause = error.source();
        if cause.is_none() {
            text = format!("{text}: {error}");
        }
    }
    answer::short(&text)
}
