//! The HTTP client of an engine.

use crate::{
    Config, Error, Observer,
    guard::{Guard, Lookup, Refused, address},
    hosts::Hosts,
};
use http::HeaderMap;
use reqwest::Url;
use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};
use tropos_cache::Engine;

/// Who does not answer the handshake by then is down; three lost packets fit in.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// An idle connection is closed before most servers would, so that no request meets one that is closing.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// Cheap to clone: connections are pooled behind it.
#[derive(Clone)]
pub(crate) struct Client(Arc<Inner>);

struct Inner {
    config: Config,
    guard: Arc<Guard>,
    hosts: Hosts,
    /// Reaches what the guard lets through.
    guarded: Pool,
    /// Reaches everything. Apart, so that a guarded call never finds a connection in its pool that it could not have
    /// made.
    open: Pool,
}

type Pool = OnceLock<Result<reqwest::Client, Arc<reqwest::Error>>>;

/// Where the client of an engine is kept.
#[derive(Default)]
struct Installed(Mutex<Option<Client>>);

/// The client of fetches outside of any scope.
static OUTSIDE: Installed = Installed(Mutex::new(None));

impl Installed {
    fn set(&self, client: Client) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(client);
    }

    fn client(&self) -> Client {
        let mut client = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        client.get_or_insert_with(|| Client::new(Config::default())).clone()
    }
}

impl Client {
    /// The engine's; without one, the process's.
    pub(crate) fn of(engine: Option<&Engine>) -> Self {
        match engine {
            Some(engine) => engine.extension(Installed::default).client(),
            None => OUTSIDE.client(),
        }
    }

    pub(crate) fn install(engine: &Engine, config: Config) {
        let client = Self::new(config);
        OUTSIDE.set(client.clone());
        engine.extension(Installed::default).set(client);
    }

    fn new(config: Config) -> Self {
        let guard = Arc::new(Guard::new(config.allow.clone(), config.development));
        let hosts = Hosts::new(config.calls_per_host);
        Self(Arc::new(Inner { config, guard, hosts, guarded: Pool::new(), open: Pool::new() }))
    }

    pub(crate) fn observer(&self) -> Option<&dyn Observer> {
        self.0.config.observer.as_deref()
    }

    /// The calls under way.
    pub(crate) fn hosts(&self) -> &Hosts {
        &self.0.hosts
    }

    /// Adds what goes out with every request.
    pub(crate) fn add_headers(&self, headers: &mut HeaderMap) {
        if let Some(add) = self.0.config.headers {
            add(headers);
        }
    }

    /// What sends to `url`; with `open`, wherever that leads.
    pub(crate) fn for_url(&self, url: &Url, open: bool) -> Result<reqwest::Client, Error> {
        let inner = &*self.0;
        let (pool, guard) = match open {
            true => (&inner.open, None),
            false => (&inner.guarded, Some(&inner.guard)),
        };
        // The connector asks no resolver for an address, so it is looked at here.
        let host = url.host_str().unwrap_or_default();
        if let (Some(guard), Some(address)) = (guard, address(host)) {
            guard.check(host, address).map_err(|refused| not_public(url, refused))?;
        }
        let make = || build(Lookup::new(inner.config.resolver.clone(), guard.cloned())).map_err(Arc::new);
        pool.get_or_init(make).clone().map_err(Error::Client)
    }
}

/// The error of a call to `url` that was refused.
pub(crate) fn not_public(url: &Url, refused: Refused) -> Error {
    let host = url.host_str().unwrap_or_default().to_owned();
    Error::NotPublic { host, address: refused.address, why: refused.why }
}

fn build(lookup: Lookup) -> reqwest::Result<reqwest::Client> {
    // Fails where the application has chosen a provider already; then that one is used.
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder()
        .user_agent(concat!("tropos/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        // Followed by `Call`, whose limit differs from one fetch to the next, and which looks at each target.
        .redirect(reqwest::redirect::Policy::none())
        // It would be read from the environment, which is the server's to read; and a proxy would connect past the guard.
        .no_proxy()
        .dns_resolver(Arc::new(lookup))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    #[test]
    fn a_literal_in_any_spelling_is_looked_at_as_the_address_that_it_is() {
        let client = Client::new(Config::default());
        let spellings = [
            ("http://127.0.0.1/", "127.0.0.1"),
            ("http://127.0.0.1./", "127.0.0.1"),
            ("http://127.1/", "127.0.0.1"),
            ("http://127.0.1/", "127.0.0.1"),
            ("http://2130706433/", "127.0.0.1"),
            ("http://0x7f000001/", "127.0.0.1"),
            ("http://0x7f.0.0.1/", "127.0.0.1"),
            ("http://0177.0.0.1/", "127.0.0.1"),
            ("http://017700000001/", "127.0.0.1"),
            ("http://%31%32%37.0.0.1/", "127.0.0.1"),
            ("http://１２７.0.0.1/", "127.0.0.1"),
            ("http://127。0。0。1/", "127.0.0.1"),
            ("http://user:pass@127.0.0.1:8080/", "127.0.0.1"),
            ("http://8.8.8.8@127.0.0.1/", "127.0.0.1"),
            ("http://0/", "0.0.0.0"),
            ("http://169.254.169.254/latest/meta-data/", "169.254.169.254"),
            ("http://0xa9fea9fe/", "169.254.169.254"),
            ("https://10.0.0.1/", "10.0.0.1"),
            ("http://[::1]/", "::1"),
            ("http://[0:0:0:0:0:0:0:1]/", "::1"),
            ("http://[::ffff:127.0.0.1]/", "::ffff:127.0.0.1"),
            ("http://[::ffff:7f00:1]/", "::ffff:127.0.0.1"),
            ("http://[::127.0.0.1]/", "::127.0.0.1"),
            ("http://[64:ff9b::7f00:1]/", "64:ff9b::7f00:1"),
            ("http://[fd00:ec2::254]/", "fd00:ec2::254"),
        ];
        for (url, expected) in spellings {
            let expected: IpAddr = expected.parse().unwrap();
            let parsed = Url::parse(url).unwrap();
            match client.for_url(&parsed, false) {
                Err(Error::NotPublic { address, .. }) => assert_eq!(address, expected, "{url}"),
                other => panic!("{url}: {other:?}"),
            }
            assert!(client.for_url(&parsed, true).is_ok(), "{url}");
        }
        // Five parts, or a part too large: neither an address nor a name, so no such URL.
        for url in ["http://127.0.0.0.1/", "http://256.0.0.1/", "http://[::1%25lo]/"] {
            assert!(Url::parse(url).is_err(), "{url}");
        }
        assert!(client.for_url(&Url::parse("http://8.8.8.8/").unwrap(), false).is_ok());
    }
}
