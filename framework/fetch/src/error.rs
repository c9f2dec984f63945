//! What can go wrong with a fetch.

use http::StatusCode;
use std::{sync::Arc, time::Duration};
use tropos_core::{Failure, age::Span};

/// A fetch that cannot be sent, or that got no good answer.
///
/// Cloned to everybody who waited for the same call. URLs in messages have neither credentials nor query, since those
/// may hold secrets and messages are logged.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The URL cannot be asked.
    #[error(
        "`{url}` cannot be fetched: {problem}; write an absolute URL that begins with `http://` or `https://`"
    )]
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A header that HTTP does not allow.
    #[error(
        "the request header `{name}` is not one that HTTP allows: a name is a token, a value has no line break"
    )]
    Header {
        /// Its name, where that could be read.
        name: String,
    },
    /// An age that is not one.
    #[error(transparent)]
    Age(#[from] tropos_core::Error),
    /// `expire` without `revalidate`.
    #[error(
        "`.expire(…)` says nothing about a fetch that is not stored: add `.revalidate(…)`, or leave it out"
    )]
    ExpireAlone,
    /// The body does not serialize.
    #[error("the request body does not serialize")]
    Serialize(#[source] Arc<serde_json::Error>),
    /// There is no HTTP client.
    #[error(
        "the HTTP client could not be made; it needs the machine's root certificates (`ca-certificates`)"
    )]
    Client(#[source] Arc<reqwest::Error>),
    /// No answer, or one that broke off.
    #[error("no answer from {url}")]
    Transport {
        /// Who was asked.
        url: String,
        /// What happened.
        #[source]
        source: Arc<reqwest::Error>,
    },
    /// No answer in time.
    #[error("no whole answer from {url} within {}; `.timeout(…)` sets another limit", Span(*.after))]
    Timeout {
        /// Who was asked.
        url: String,
        /// The limit.
        after: Duration,
    },
    /// The answer is too large.
    #[error(
        "the answer of {url} has more than {limit} bytes, decompressed; `.max_bytes(…)` sets another limit"
    )]
    TooLarge {
        /// Who was asked.
        url: String,
        /// The limit.
        limit: usize,
    },
    /// Redirected too often.
    #[error("{url} was redirected more than {limit} times; `.redirects(…)` sets another limit")]
    Redirects {
        /// Who was asked first.
        url: String,
        /// The limit.
        limit: usize,
    },
    /// Redirected to something that cannot be fetched.
    #[error("{url} redirects to `{target}`, which cannot be fetched")]
    RedirectTarget {
        /// Who redirected.
        url: String,
        /// Where to.
        target: String,
    },
    /// The answer is not 2xx.
    #[error("{url} answered {status}")]
    Status {
        /// Who was asked.
        url: String,
        /// The status.
        status: StatusCode,
    },
    /// The answer is not text.
    #[error("the answer of {url} is not UTF-8; read its bytes from `body`")]
    Text {
        /// Who was asked.
        url: String,
    },
    /// The answer is not the JSON that was expected.
    #[error("the answer of {url} does not read as the expected JSON")]
    Json {
        /// Who was asked.
        url: String,
        /// Where it differs.
        #[source]
        source: Arc<serde_json::Error>,
    },
    /// The cache gave up on the read, for instance at the render timeout.
    #[error("the cache could not read {url}: {failure}")]
    Cache {
        /// Who was to be asked.
        url: String,
        /// What it said.
        failure: Failure,
    },
}
