//! The one HTTP client of an engine.

use crate::Error;
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};
use tropos_cache::Engine;

/// Who does not answer the handshake by then is down; three lost packets fit in.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// An idle connection is closed before most servers would, so that no request meets one that is closing.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// Cheap to clone: connections are pooled behind it.
#[derive(Debug, Clone)]
pub(crate) struct Client(Result<reqwest::Client, Arc<reqwest::Error>>);

impl Client {
    /// The engine's; without one, the process's.
    pub(crate) fn of(engine: Option<&Engine>) -> Result<reqwest::Client, Error> {
        static WITHOUT_ENGINE: OnceLock<Client> = OnceLock::new();
        let client = match engine {
            Some(engine) => (*engine.extension(Client::new)).clone(),
            None => WITHOUT_ENGINE.get_or_init(Client::new).clone(),
        };
        client.0.map_err(Error::Client)
    }

    fn new() -> Self {
        // Fails where the application has chosen a provider already; then that one is used.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = reqwest::Client::builder()
            .user_agent(concat!("tropos/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            // Followed by `Call`, whose limit differs from one fetch to the next.
            .redirect(reqwest::redirect::Policy::none())
            // It would be read from the environment, which is the server's to read.
            .no_proxy()
            .build();
        Self(client.map_err(Arc::new))
    }
}
