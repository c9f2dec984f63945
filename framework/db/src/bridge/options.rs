//! Where a bridge takes changes from, and how.

use crate::Error;
use sqlx::postgres::PgConnectOptions;
use std::{fmt, time::Duration};

/// Where a [`Bridge`](super::Bridge) takes changes from, and how.
#[derive(Clone)]
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

/// By hand: sqlx shows passwords.
impl fmt::Debug for BridgeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { servers, look_every, rows, limit } = self;
        let servers: Vec<_> =
            servers.iter().map(|server| format!("{}:{}", server.get_host(), server.get_port())).collect();
        f.debug_struct("BridgeOptions")
            .field("servers", &servers)
            .field("look_every", look_every)
            .field("rows", rows)
            .field("limit", limit)
            .finish()
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn no_password_is_shown_by_debug() {
        let options = BridgeOptions::new(address("postgres://a:secret@h:1/d").unwrap());
        let options = options.or(address("postgres://h2:2/d?password=secret").unwrap());
        let shown = format!("{options:?}");
        assert!(!shown.contains("secret"), "{shown}");
        assert!(shown.contains("h:1") && shown.contains("h2:2"), "{shown}");
    }
}
