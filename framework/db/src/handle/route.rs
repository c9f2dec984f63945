//! From which shard and server a handle takes its connection.

use crate::{
    Error,
    backend::{Conn, Kind},
    consistency,
    db::{Cluster, Shard, Store},
    replica::{Busy, Found, Server, Tried},
    shard::Slot,
};
use sqlx::{AssertSqlSafe, Transaction};
use std::sync::Arc;

/// One shard, for reading or for writing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Route<'c> {
    pub(crate) cluster: &'c Cluster,
    pub(crate) shard: &'c Shard,
    /// The slot of the key that it is for, where it is for one.
    pub(crate) slot: Option<Slot>,
    pub(crate) writes: bool,
}

/// A connection, and where it leads.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) conn: Conn,
    pub(crate) server: Option<Arc<Server>>,
    pub(crate) place: usize,
    /// Whether it leads to the primary, where only its session keeps a read from writing.
    is_primary: bool,
    _busy: Option<Busy>,
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
        let lease = match &self.shard.store {
            Store::Sqlite(store) => store.acquire(self.writes).await.map(|conn| Lease {
                conn,
                server: None,
                place: 0,
                is_primary: true,
                _busy: None,
            }),
            Store::Postgres(group) => {
                let found = match self.writes {
                    true => {
                        consistency::writes(self.shard.number);
                        group.writer().await
                    }
                    false => group.reader(consistency::required(self.shard.number), tried).await,
                };
                found.map(|found| self.of(found))
            }
        };
        if let Err(Error::Exhausted { .. }) = &lease {
            self.cluster.counts.exhausted();
        }
        Ok(lease?)
    }

    fn of(&self, Found { conn, server, place, is_primary, busy }: Found) -> Lease {
        Lease { conn, server: Some(server), place, is_primary, _busy: Some(busy) }
    }

    /// How many servers a read may be tried on: where one fails, one other is asked.
    pub(crate) fn may_retry(&self, tries: u32) -> bool {
        !self.writes && tries == 0 && matches!(self.shard.store, Store::Postgres(_))
    }
}

impl Lease {
    /// With a transaction around one statement, where a pooler would otherwise part its messages, and where a session
    /// cannot be told to only read.
    pub(crate) async fn for_one(self, route: &Route<'_>, is_one_message: bool) -> Result<Self, sqlx::Error> {
        match (route.prepares(), route.writes) {
            (true, _) => Ok(self),
            (false, true) if is_one_message => Ok(self),
            (false, true) => self.begin("BEGIN").await,
            (false, false) if is_one_message && !self.is_primary => Ok(self),
            (false, false) => self.begin("BEGIN READ ONLY").await,
        }
    }

    /// With a transaction on it.
    pub(crate) async fn begin(self, sql: &'static str) -> Result<Self, sqlx::Error> {
        let conn = match self.conn {
            Conn::Postgres(conn) => Conn::PostgresTx(
                Transaction::begin(conn, Some(sqlx::SqlSafeStr::into_sql_str(AssertSqlSafe(sql)))).await?,
            ),
            Conn::Sqlite(conn) => Conn::SqliteTx(
                Transaction::begin(conn, Some(sqlx::SqlSafeStr::into_sql_str(AssertSqlSafe(sql)))).await?,
            ),
            other => other,
        };
        Ok(Self { conn, ..self })
    }

    /// Ends the transaction, where there is one.
    pub(crate) async fn end(self) -> Result<(), sqlx::Error> {
        match self.conn {
            Conn::PostgresTx(tx) => tx.commit().await,
            Conn::SqliteTx(tx) => tx.commit().await,
            Conn::Postgres(_) | Conn::Sqlite(_) => Ok(()),
        }
    }

    /// The server failed: it is looked at again, and this connection never used.
    pub(crate) fn failed(self, error: &sqlx::Error) {
        if let Some(server) = &self.server {
            server.failed(&error.to_string());
        }
        self.conn.discard();
    }
}
