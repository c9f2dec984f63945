//! From which shard and server a handle takes its connection.

use super::{
    Lease,
    fault::{Fault, fault},
};
use crate::{
    Error,
    backend::Kind,
    consistency,
    db::{Cluster, Shard, Store},
    observe::Waited,
    replica::{Found, Tried},
    shard::Slot,
};
use std::time::Duration;
use tokio::time::Instant;
use tropos_cache::Required;

/// The database has been told its limit on statements; a server that says nothing for so long after it is dead.
const AFTER_THE_LIMIT: Duration = Duration::from_millis(500);

/// One shard, for reading or for writing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Route<'c> {
    pub(crate) cluster: &'c Cluster,
    pub(crate) shard: &'c Shard,
    /// The slot of the key that it is for, where it is for one.
    pub(crate) slot: Option<Slot>,
    pub(crate) writes: bool,
}

impl Route<'_> {
    pub(crate) fn kind(&self) -> Kind {
        self.shard.kind()
    }

    /// The slot that a transaction holds on to, so that it is not moved meanwhile: where there are several shards, and each
    /// knows its slots.
    pub(crate) fn fenced(&self) -> Option<Slot> {
        let several = self.cluster.shards().len() > 1 && self.kind() == Kind::Postgres;
        self.slot.filter(|_| several && self.writes)
    }

    /// Whether statements may be kept prepared: not where each transaction may meet another connection.
    pub(crate) fn prepares(&self) -> bool {
        self.cluster.config.pooler == crate::Pooler::None
    }

    /// A connection, from a server that was not tried yet.
    pub(crate) async fn lease(&self, tried: Tried) -> Result<Lease, sqlx::Error> {
        let (limit, began) = (self.cluster.config.pool.statement + AFTER_THE_LIMIT, Instant::now());
        let lease = match &self.shard.store {
            Store::Sqlite(store) => {
                if self.writes {
                    consistency::acts();
                }
                store.acquire(self.writes).await.map(|conn| Lease::new(conn, limit))
            }
            Store::Postgres(group) => {
                let required = match self.writes {
                    true => {
                        consistency::writes(self.shard.number);
                        Required::Primary
                    }
                    false => consistency::required(self.shard.number),
                };
                let found = match self.writes {
                    true => group.writer().await,
                    false => group.reader(required, tried).await,
                };
                found.map(|Found { conn, server, place, is_primary, busy }| {
                    Lease::new(conn, limit).on((server, place, is_primary, busy), required)
                })
            }
        };
        if let Err(Error::Exhausted { .. }) = &lease {
            self.cluster.counts.exhausted();
        }
        let lease = lease?;
        if let Some(observer) = self.cluster.counts.observer() {
            let server = lease.server.as_ref().map(|server| server.address.as_str());
            let (shard, writes, took) = (self.shard.name.as_str(), self.writes, began.elapsed());
            observer.waited(&Waited { shard, server, writes, took });
        }
        Ok(lease)
    }

    /// A lease on which `begin` has begun what a statement needs around it. A connection that was lost while it was idle is
    /// found out by that, before anything is done: then another is taken, once.
    pub(crate) async fn ready<F: Future<Output = Result<Lease, sqlx::Error>>>(
        &self,
        tried: Tried,
        begin: impl Fn(Lease) -> F,
    ) -> Result<Lease, sqlx::Error> {
        let (mut tried, mut lost) = (tried, false);
        loop {
            let first = self.lease(tried).await?;
            let (server, place) = (first.server.clone(), first.place);
            let begun = async {
                let mut lease = begin(first).await?;
                Ok(if lease.is_behind(self).await? { None } else { Some(lease) })
            };
            match begun.await {
                Ok(Some(lease)) => return Ok(lease),
                Ok(None) => tried.add(place),
                Err(error) if fault(&error) == Fault::Server && !lost => {
                    if let Some(server) = server {
                        server.failed(&error.to_string());
                    }
                    self.cluster.counts.retries();
                    lost = true;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// How many servers a read may be tried on: where one fails, one other is asked.
    pub(crate) fn may_retry(&self, tries: u32) -> bool {
        !self.writes && tries == 0 && matches!(self.shard.store, Store::Postgres(_))
    }
}
