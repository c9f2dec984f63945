//! What holds for all fetches of an engine.

use crate::{Allow, Resolver, client::Client};
use http::HeaderMap;
use std::{fmt, sync::Arc, time::Duration};
use tropos_cache::Engine;

/// How many calls to one host are under way at a time, unless set. A source that answers in 50 ms answers 1,280 a second
/// by them, which is more than pages with a cache before them ask for; one that does not answer holds no more than so
/// many connections.
pub const DEFAULT_CALLS_PER_HOST: usize = 64;

/// What holds for all fetches of an engine, installed by [`install`].
#[derive(Clone)]
pub struct Config {
    pub(crate) allow: Allow,
    pub(crate) development: bool,
    pub(crate) calls_per_host: usize,
    pub(crate) resolver: Option<Arc<dyn Resolver>>,
    pub(crate) observer: Option<Arc<dyn Observer>>,
    pub(crate) headers: Option<fn(&mut HeaderMap)>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            allow: Allow::default(),
            development: false,
            calls_per_host: DEFAULT_CALLS_PER_HOST,
            resolver: None,
            observer: None,
            headers: None,
        }
    }
}

impl Config {
    /// Hosts and networks that every fetch may reach although they are not public. Default: none.
    #[must_use]
    pub fn allow(mut self, allow: Allow) -> Self {
        self.allow = allow;
        self
    }

    /// Whether this machine itself may be reached without being named, as is right where the source runs beside the
    /// application on a developer's machine. The first such fetch is warned about. Default: false.
    #[must_use]
    pub fn in_development(mut self, development: bool) -> Self {
        self.development = development;
        self
    }

    /// How many calls to one host (and port) are under way at a time; further ones wait, as a part of their own time.
    /// At least 1. Default: [`DEFAULT_CALLS_PER_HOST`].
    #[must_use]
    pub fn calls_per_host(mut self, calls: usize) -> Self {
        self.calls_per_host = calls;
        self
    }

    /// Has `observer` told of each call. Default: nobody.
    #[must_use]
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Adds headers to each request as it goes out, in the task that sends it: for those of tracing. They are no part of what makes two
    /// fetches the same. A `baggage` among them, which is a visitor's, is left out where the answer is stored, by itself or
    /// as a part of a page. Default: none.
    #[must_use]
    pub fn headers(mut self, add: fn(&mut HeaderMap)) -> Self {
        self.headers = Some(add);
        self
    }

    /// Looks names up by something else than the system. Default: the system.
    #[must_use]
    pub fn resolver(mut self, resolver: impl Resolver) -> Self {
        self.resolver = Some(Arc::new(resolver));
        self
    }
}

/// Counts calls. Called in the midst of things: it must neither wait nor take long.
pub trait Observer: Send + Sync + 'static {
    /// A call has ended, or was given up. What the cache answers is none.
    fn called(&self, call: &Called<'_>);
}

/// One call over the network, redirects and the body included.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Called<'a> {
    /// Its method.
    pub method: &'a str,
    /// `http` or `https`.
    pub scheme: &'a str,
    /// The host that was asked first.
    pub host: &'a str,
    /// Its port.
    pub port: u16,
    /// The status of the answer; none where there was none within the limits.
    pub status: Option<u16>,
    /// Whether it was given up before there was one: whoever asked has left.
    pub cancelled: bool,
    /// How long it took.
    pub took: Duration,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("allow", &self.allow)
            .field("development", &self.development)
            .field("calls_per_host", &self.calls_per_host)
            .finish_non_exhaustive()
    }
}

/// Makes `config` hold for all later fetches in scopes of `engine`, and for those of this process that are in none.
///
/// Without it, the default holds.
pub fn install(engine: &Engine, config: Config) {
    Client::install(engine, config);
}
