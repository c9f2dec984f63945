//! What can go wrong with a fetch.

use crate::NotPublic;
use http::StatusCode;
use std::{net::IpAddr, sync::Arc, time::Duration};
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
        "`.expire(…)` says nothing about a fetch that is not stored: add `.revalidate(…)` or `.honour_origin()`, or leave it out"
    )]
    ExpireAlone,
    /// A status whose answers are not stored.
    #[error("answers with status {status} cannot be stored: `.store_statuses(…)` takes 200 to 499")]
    StoreStatus {
        /// What was given.
        status: u16,
    },
    /// Something that is neither a host nor a network.
    #[error(
        "`{item}` is not a host, an address or a network; write such as `api.internal`, `*.svc.cluster.local`, `10.1.2.3` or `10.0.0.0/8`, without scheme and port"
    )]
    Allow {
        /// What was given.
        item: String,
    },
    /// The host is not one of the public internet.
    #[error(
        "`{host}` is not fetched: {address} is {why}; where no visitor chose the URL, add `.allow_private()`, or name the host in `fetch_allow` (TROPOS_FETCH_ALLOW)"
    )]
    NotPublic {
        /// Who was to be asked, or to whom a redirect led.
        host: String,
        /// Where it lies.
        address: IpAddr,
        /// What is known of that.
        why: NotPublic,
    },
    /// So many calls to the host were under way that this one had no turn.
    #[error(
        "{url} was not asked: {limit} calls to its host were under way, and this one had no turn within {}; have its answers stored by `.revalidate(…)`, or set another limit by `fetch::Config::calls_per_host`", Span(*.after)
    )]
    Busy {
        /// Who was to be asked.
        url: String,
        /// How many calls are made at a time.
        limit: usize,
        /// The limit of time.
        after: Duration,
    },
    /// The source fails, and by its own headers the older answer may not be given instead.
    #[error(
        "{url} gives no answer, and its last one may not stand in: its `Cache-Control` forbids that, or it is too old"
    )]
    Unconfirmed {
        /// Who was to be asked.
        url: String,
    },
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
