//! Where a bridge takes changes from, and how.

use crate::Error;
use sqlx::postgres::PgConnectOptions;
use std::time::Duration;

/// Where a [`Bridge`](super::Bridge) takes changes from, and how.
#[derive(Debug, Clone)]
pub struct BridgeOptions {
    pub(super) servers: Vec<PgConnectOptions>,
    pub(super) look_every: Duration,
    pub(super) rows: u16,
    pub(super) limit: Duration,
}

impl BridgeOptions {
    /// Takes changes from a database, by an address that leads to the server itself: a pooler in transaction mode hands
    /// no notifications on.
    pub fn new(server: PgConnectOptions) -> Self {
        Self {
            servers: vec![server],
            // What a writer without hints, or a bridge that died, keeps readers waiting for at most.
            look_every: Duration::from_secs(5),
            // A tenth of a second's work for a shared store, and half of what it takes in one call.
            rows: 500,
            // A shared store confirms within some seconds, or not at all.
            limit: Duration::from_secs(10),
        }
    }

    /// Another server of the same database, which is used when it is the primary.
    #[must_use]
    pub fn or(mut self, server: PgConnectOptions) -> Self {
        self.servers.push(server);
        self
    }

    /// How often it looks for changes that nobody has hinted at. Default: 5 s; at least 10 ms.
    #[must_use]
    pub fn look_every(mut self, interval: Duration) -> Self {
        self.look_every = interval.max(Duration::from_millis(10));
        self
    }

    /// How many changes it takes at a time, and so how many tags it has invalidated at once. Default: 500; at least 1.
    #[must_use]
    pub fn rows(mut self, rows: u16) -> Self {
        self.rows = rows.max(1);
        self
    }

    /// How long an invalidation may take, and each question to the database. Default: 10 s. The server gives up a
    /// bridge that is silent for three times as long amid a transaction, and others have its changes.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit.max(Duration::from_millis(100));
        self
    }
}

/// What an address says.
///
/// # Errors
/// [`Error::Open`] where it is none of PostgreSQL.
pub fn address(url: &str) -> Result<PgConnectOptions, Error> {
    crate::pool::postgres::options(url)
}

impl From<PgConnectOptions> for BridgeOptions {
    fn from(server: PgConnectOptions) -> Self {
        Self::new(server)
    }
}
