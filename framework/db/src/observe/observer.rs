//! What is told of queries, to who counts them: nothing here knows metrics.

use crate::backend::Kind;
use std::time::Duration;

/// Counts queries. Called in the midst of things: it must neither wait nor take long.
pub trait Observer: Send + Sync + 'static {
    /// A query has ended, well or not.
    fn ran(&self, query: &Ran<'_>);
    /// A query has waited for a connection, and has one.
    fn waited(&self, wait: &Waited<'_>);
}

/// One query, the wait for its connection included.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Ran<'a> {
    /// Which database.
    pub kind: Kind,
    /// Operation and table, such as `SELECT product`.
    pub summary: &'a str,
    /// The route of the page or handler that asked, where that is known.
    pub route: Option<&'static str>,
    /// How long it took.
    pub took: Duration,
    /// Whether that is over the threshold of slow ones.
    pub slow: bool,
    /// The database's own code of an error, or what failed instead of it.
    pub error: Option<&'a str>,
}

/// One wait.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Waited<'a> {
    /// The shard.
    pub shard: &'a str,
    /// The server; none for SQLite.
    pub server: Option<&'a str>,
    /// Whether the connection is for writing.
    pub writes: bool,
    /// How long.
    pub took: Duration,
}

impl Waited<'_> {
    /// What the pool is called in [`PoolStats`](crate::PoolStats).
    pub fn pool(&self) -> String {
        pool(self.shard, self.server, if self.writes { "writes" } else { "reads" })
    }
}

/// What a pool is called.
pub(crate) fn pool(shard: &str, server: Option<&str>, purpose: &str) -> String {
    format!("{shard} {} {purpose}", server.unwrap_or("sqlite"))
}
