//! What is told about a fetch: a span by OpenTelemetry's names, with what the cache did. Neither queries nor headers appear:
//! they carry values.

use crate::{Called, Error, Fetched, call::Call, client::Client};
use http::{Method, StatusCode};
use reqwest::Url;
use tokio::time::Instant;
use tracing::{Span, field::Empty};
use tropos_cache::{Reason, http::CacheStatus};
use tropos_core::Mode;

/// A fetch begins. The span costs nothing where nobody listens to it.
pub(crate) fn fetch(call: &Call) -> Span {
    let span = tracing::debug_span!(
        target: "tropos::fetch",
        "fetch",
        otel.name = Empty,
        otel.kind = "client",
        http.request.method = %call.method,
        url.full = Empty,
        server.address = Empty,
        server.port = Empty,
        http.response.status_code = Empty,
        tropos.cache.status = Empty,
        error.type = Empty,
        exception.message = Empty,
    );
    if !span.is_disabled() {
        span.record("otel.name", call.method.as_str());
        span.record("url.full", call.shown_url());
        span.record("server.address", call.url.host_str().unwrap_or_default());
        if let Some(port) = call.url.port_or_known_default() {
            span.record("server.port", port);
        }
    }
    span
}

/// What the cache did.
pub(crate) fn served(span: &Span, reason: Reason) {
    if !span.is_disabled() {
        span.record("tropos.cache.status", tracing::field::display(CacheStatus::of(reason, Mode::Isr)));
    }
}

/// The same render had made the same call.
pub(crate) fn repeated(span: &Span) {
    span.record("tropos.cache.status", "same render");
}

/// Says of a span what came of its fetch; where it is dropped before, that the fetch was given up.
pub(crate) struct Ending<'s> {
    span: &'s Span,
    said: bool,
}

impl<'s> Ending<'s> {
    pub(crate) fn of(span: &'s Span) -> Self {
        Self { span, said: false }
    }

    /// What came of it.
    pub(crate) fn ended(mut self, answer: &Result<Fetched, Error>) {
        self.said = true;
        if self.span.is_disabled() {
            return;
        }
        match answer {
            Ok(fetched) => self.span.record("http.response.status_code", fetched.status.as_u16()),
            // The convention's word where there is no class of errors to name.
            Err(error) => self
                .span
                .record("error.type", "_OTHER")
                .record("exception.message", tracing::field::display(error)),
        };
    }
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        if !self.said {
            self.span.record("error.type", "cancelled");
        }
    }
}

/// A call under way. It is told of once: when it ends, or when it is dropped before.
pub(crate) struct Underway<'c> {
    client: &'c Client,
    method: Method,
    url: Url,
    began: Instant,
    told: bool,
}

impl<'c> Underway<'c> {
    pub(crate) fn begin(client: &'c Client, method: &Method, url: &Url, began: Instant) -> Self {
        Self { client, method: method.clone(), url: url.clone(), began, told: false }
    }

    /// It has ended, with an answer of this status where there was one.
    pub(crate) fn end(&mut self, status: Option<StatusCode>) {
        self.tell(status, false);
    }

    fn tell(&mut self, status: Option<StatusCode>, cancelled: bool) {
        self.told = true;
        if let Some(observer) = self.client.observer() {
            observer.called(&Called {
                method: self.method.as_str(),
                scheme: self.url.scheme(),
                host: self.url.host_str().unwrap_or_default(),
                port: self.url.port_or_known_default().unwrap_or_default(),
                status: status.map(|status| status.as_u16()),
                cancelled,
                took: self.began.elapsed(),
            });
        }
    }
}

impl Drop for Underway<'_> {
    fn drop(&mut self) {
        if !self.told {
            self.tell(None, true);
        }
    }
}
