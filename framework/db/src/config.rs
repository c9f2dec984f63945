//! How the database is reached, each default with its reason.

use crate::error::without_password;
use std::{fmt, time::Duration};

/// How the database is reached.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// The shards; the first is where everything goes that names no shard. Never empty.
    pub shards: Vec<ShardConfig>,
    /// How many connections each pool has, and how long is waited for one.
    pub pool: PoolConfig,
    /// What stands between this and the server.
    pub pooler: Pooler,
    /// When a replica answers reads.
    pub replicas: ReplicaConfig,
    /// A query that takes longer is logged, with a summary and without values. Default: 200 ms, which a reader feels.
    pub slow: Duration,
}

/// One shard: a primary, and replicas of it. `Debug` shows addresses without passwords.
#[derive(Clone)]
#[non_exhaustive]
pub struct ShardConfig {
    /// Its name in messages, metrics and the slot map.
    pub name: String,
    /// `postgres://user:password@host:port/database`, `sqlite://path/to/file.db`, or `sqlite::memory:` for a database that
    /// ends with the process.
    pub url: String,
    /// Replicas. Each address leads to one server; which of all servers is the primary is asked of them.
    pub replicas: Vec<String>,
    /// The slots that it holds, such as `0-8191`; all of them where there is one shard.
    pub slots: Option<String>,
}

/// How many connections each pool has, and how long is waited for one.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct PoolConfig {
    /// Connections to each server that read, and as many to the primary that write. Default: 10, of which two instances
    /// fit into what PostgreSQL allows by default (100) with three servers; `cargo tropos doctor` plans it. SQLite has one
    /// connection that writes.
    pub connections: u32,
    /// How long a query waits for a connection before it fails. Default: 5 s, longer than any healthy query and shorter
    /// than the patience of a reader.
    pub wait: Duration,
    /// How long a statement may run. Default: 10 s: a page that waits longer has lost its reader. PostgreSQL is told so
    /// itself; half a second later the connection counts as dead.
    pub statement: Duration,
    /// A connection that has been idle for longer is asked whether it still stands before it is used. Default: 10 s, so that
    /// busy pools never ask.
    pub check_after: Duration,
    /// How long SQLite waits for another process's write to end, also while the file is opened. Default: 5 s.
    pub busy: Duration,
}

/// What stands between this and the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Pooler {
    /// Nothing, or something that keeps a session together.
    #[default]
    None,
    /// A pooler such as PgBouncer in transaction mode: each transaction may meet another connection, so nothing is set
    /// for a session, and nothing prepared outlives a transaction.
    Transaction,
}

/// When a replica answers reads.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ReplicaConfig {
    /// Between two looks at a server. Default: 250 ms: what is known of lag and role is never much older.
    pub look_every: Duration,
    /// A server that does not answer a look in this time is down. Default: 1 s.
    pub look_within: Duration,
    /// How long a read waits for a replica to have seen what it must see; then the primary answers. Default: 50 ms, in
    /// which a healthy replica replays most writes, and which is less than many queries take.
    pub wait: Duration,
    /// A replica that is further behind is left out until it has caught up. Default: 10 s.
    pub most_lag: Duration,
    /// The same in bytes of log. Default: 256 MiB.
    pub most_lag_bytes: u64,
    /// What happens to reads when no replica is left.
    pub without: WithoutReplicas,
}

/// What happens to reads when no replica is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum WithoutReplicas {
    /// The primary answers. It may be more than it can bear: its pool's bound is what protects it.
    #[default]
    Primary,
    /// They fail, so that the primary is kept for writes.
    Fail,
}

impl Config {
    /// The defaults, for one database at `url`.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            shards: vec![ShardConfig::new("main", url)],
            pool: PoolConfig {
                connections: 10,
                wait: Duration::from_secs(5),
                statement: Duration::from_secs(10),
                check_after: Duration::from_secs(10),
                busy: Duration::from_secs(5),
            },
            pooler: Pooler::None,
            replicas: ReplicaConfig {
                look_every: Duration::from_millis(250),
                look_within: Duration::from_secs(1),
                wait: Duration::from_millis(50),
                most_lag: Duration::from_secs(10),
                most_lag_bytes: 256 << 20,
                without: WithoutReplicas::Primary,
            },
            slow: Duration::from_millis(200),
        }
    }

    /// With replicas of the first shard.
    #[must_use]
    pub fn replicas(mut self, urls: impl IntoIterator<Item = impl Into<String>>) -> Self {
        if let Some(first) = self.shards.first_mut() {
            first.replicas = urls.into_iter().map(Into::into).collect();
        }
        self
    }

    /// With these shards in place of the one database.
    #[must_use]
    pub fn shards(mut self, shards: Vec<ShardConfig>) -> Self {
        self.shards = shards;
        self
    }
}

impl ShardConfig {
    /// A shard without replicas.
    pub fn new(name: impl Into<String>, url: impl Into<String>) -> Self {
        Self { name: name.into(), url: url.into(), replicas: Vec::new(), slots: None }
    }

    /// Its address without the password, for messages.
    pub fn shown(&self) -> String {
        without_password(&self.url)
    }

    /// With replicas.
    #[must_use]
    pub fn replicas(mut self, urls: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.replicas = urls.into_iter().map(Into::into).collect();
        self
    }

    /// Holding these slots, such as `0-8191`.
    #[must_use]
    pub fn slots(mut self, slots: impl Into<String>) -> Self {
        self.slots = Some(slots.into());
        self
    }
}

/// By hand, so that no log has a password from it.
impl fmt::Debug for ShardConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, url, replicas, slots } = self;
        let replicas: Vec<_> = replicas.iter().map(|url| without_password(url)).collect();
        f.debug_struct("ShardConfig")
            .field("name", name)
            .field("url", &without_password(url))
            .field("replicas", &replicas)
            .field("slots", slots)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown_by_debug() {
        let shard = ShardConfig::new("west", "postgres://a:secret@w/d")
            .replicas(["postgres://a:secret@w2/d", "postgres://w3/d?password=secret"])
            .slots("0-8191");
        let shown = format!("{:?}", Config::new("").shards(vec![shard]));
        assert!(!shown.contains("secret"), "{shown}");
        for kept in
            ["west", "postgres://…@w/d", "postgres://…@w2/d", "postgres://w3/d", "0-8191", "connections"]
        {
            assert!(shown.contains(kept), "{kept}: {shown}");
        }
    }
}
