//! Counts of the data layer, and how its pools stand.

use super::Observer;
use crate::Lag;
use std::{
    fmt,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

/// What has happened since the start, and who is told of it.
#[derive(Default)]
pub(crate) struct Counts {
    exhausted: AtomicU64,
    retries: AtomicU64,
    position_waits: AtomicU64,
    primary_reads: AtomicU64,
    slow: AtomicU64,
    observer: OnceLock<Box<dyn Observer>>,
}

/// How the data layer stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Queries that found no connection in time (`db.client.connection.timeouts`).
    pub exhausted: u64,
    /// Reads that were tried again on another server, since the first failed.
    pub retries: u64,
    /// Reads that waited for a replica to have seen a write.
    pub position_waits: u64,
    /// Reads that the primary answered though there are replicas.
    pub primary_reads: u64,
    /// Queries over the threshold of slow ones.
    pub slow: u64,
    /// The pools.
    pub pools: Vec<PoolStats>,
    /// The servers; none for SQLite.
    pub servers: Vec<ServerStats>,
}

/// One pool.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStats {
    /// Shard, server and use (`db.client.connection.pool.name`).
    pub name: String,
    /// Connections in use (`db.client.connection.count`, state `used`).
    pub used: u32,
    /// Connections that wait for work (`db.client.connection.count`, state `idle`).
    pub idle: u32,
    /// The most that it may have (`db.client.connection.max`).
    pub most: u32,
}

/// One server of PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerStats {
    /// The shard that it belongs to.
    pub shard: String,
    /// Host, port and database.
    pub address: String,
    /// `primary`, `replica` or `unknown`, as it says itself.
    pub role: &'static str,
    /// Whether it answers.
    pub up: bool,
    /// Whether reads go to it as a replica.
    pub usable: bool,
    /// How far it is behind, where it is a replica.
    pub lag: Lag,
    /// Queries under way.
    pub busy: u32,
}

impl Counts {
    pub(crate) fn observer(&self) -> Option<&dyn Observer> {
        self.observer.get().map(|observer| &**observer)
    }

    /// The first one stays.
    pub(crate) fn observe(&self, observer: Box<dyn Observer>) {
        if self.observer.set(observer).is_err() {
            tracing::warn!("this database is observed already, by who goes on to be told");
        }
    }
}

impl fmt::Debug for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Counts").field(&self.read()).finish()
    }
}

macro_rules! counters {
    ($($name:ident),*) => {
        impl Counts {
            $(pub(crate) fn $name(&self) {
                self.$name.fetch_add(1, Ordering::Relaxed);
            })*

            pub(crate) fn read(&self) -> Stats {
                Stats { $($name: self.$name.load(Ordering::Relaxed),)* ..Stats::default() }
            }
        }
    };
}

counters!(exhausted, retries, position_waits, primary_reads, slow);
