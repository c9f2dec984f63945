//! Redis as a cluster: the slots spread over several masters, each with a replica if asked for.

use crate::{
    Data, Error, PATIENCE, Redis, RedisOptions,
    poll::{self, blocking},
    redis::{self, Server},
};
use std::{collections::HashSet, net::SocketAddr, sync::Arc, time::Duration};

/// All that a cluster spreads over its masters.
const SLOTS: usize = 16384;

/// How a cluster is to be started.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    masters: usize,
    replicas: bool,
    redis: RedisOptions,
}

impl Default for ClusterOptions {
    /// The fewest masters of which most can agree when one is gone.
    fn default() -> Self {
        Self { masters: 3, replicas: false, redis: RedisOptions::new() }
    }
}

impl ClusterOptions {
    /// Three masters without replicas.
    pub fn new() -> Self {
        Self::default()
    }

    /// One replica for each master, which takes its place when it is gone.
    #[must_use]
    pub fn replicas(mut self) -> Self {
        self.replicas = true;
        self
    }

    /// Further settings of each server.
    #[must_use]
    pub fn redis(mut self, redis: RedisOptions) -> Self {
        self.redis = redis;
        self
    }

    /// Starts it, and waits until it serves all slots and each replica has caught up.
    ///
    /// # Errors
    /// When Redis is not installed, or the nodes do not come together within [`PATIENCE`].
    pub async fn start(self) -> Result<RedisCluster, Error> {
        blocking(move || start(self)).await
    }
}

/// A cluster of its own, killed when this is dropped.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<Redis>,
}

/// Which of the nodes: its place in [`RedisCluster::nodes`].
pub type Node = usize;

impl RedisCluster {
    /// Starts three masters without replicas.
    ///
    /// # Errors
    /// As [`ClusterOptions::start`].
    pub async fn start() -> Result<Self, Error> {
        ClusterOptions::new().start().await
    }

    /// `redis+cluster://HOST:PORT,…`, with all nodes.
    pub fn url(&self) -> String {
        let addresses: Vec<_> = self.nodes.iter().map(|node| node.address().to_string()).collect();
        format!("redis+cluster://{}", addresses.join(","))
    }

    /// All nodes: first those that began as masters, then those that began as replicas, in the same order.
    pub fn nodes(&self) -> &[Redis] {
        &self.nodes
    }

    /// The node that is master of the slot of `key` now, by what the nodes that run say.
    ///
    /// # Errors
    /// When none of them knows one.
    pub async fn master_of(&self, key: &str) -> Result<Node, Error> {
        let (servers, key) = (self.servers(), key.to_owned());
        blocking(move || master_of(&servers, &key)).await
    }

    /// Kills the node that is master of the slot of `key` now (SIGKILL), and gives which.
    ///
    /// # Errors
    /// When no node knows it.
    pub async fn kill_master_of(&self, key: &str) -> Result<Node, Error> {
        let node = self.master_of(key).await?;
        if let Some(redis) = self.nodes.get(node) {
            redis.kill().await?;
        }
        Ok(node)
    }

    /// Starts a node again that was killed; it comes back as a replica where another has taken its place.
    ///
    /// # Errors
    /// As [`Redis::restart`].
    pub async fn restart(&self, node: Node) -> Result<(), Error> {
        match self.nodes.get(node) {
            Some(redis) => redis.restart(Data::Kept).await,
            None => Ok(()),
        }
    }

    /// Waits until each node that runs sees every slot served by a node that runs.
    ///
    /// # Errors
    /// When that is not so within [`PATIENCE`].
    pub async fn wait_until_ok(&self) -> Result<(), Error> {
        let servers = self.servers();
        blocking(move || wait_until_ok(&servers)).await
    }

    fn servers(&self) -> Vec<Arc<Server>> {
        self.nodes.iter().map(|node| node.0.clone()).collect()
    }
}

fn start(options: ClusterOptions) -> Result<RedisCluster, Error> {
    let count = options.masters * if options.replicas { 2 } else { 1 };
    let redis = options
        .redis
        .argument("cluster-enabled", "yes")
        .argument("cluster-config-file", "nodes.conf")
        // Low, so that a failover takes two seconds and not twenty.
        .argument("cluster-node-timeout", "1000")
        // A replica that has just caught up is always good enough.
        .argument("cluster-replica-validity-factor", "0");
    let nodes: Result<Vec<_>, _> = (0..count).map(|_| redis::start(&redis)).collect();
    let nodes = nodes?;
    let Some(first) = nodes.first() else { return Ok(RedisCluster { nodes: Vec::new() }) };
    let (masters, replicas) = nodes.split_at(options.masters.min(count));
    // What `redis-cli --cluster create` does, but without its pauses, and with ports of the bus that are free.
    for (number, node) in masters.iter().enumerate() {
        let from = SLOTS * number / masters.len();
        let to = SLOTS * (number + 1) / masters.len() - 1;
        node.say(&format!("CLUSTER ADDSLOTSRANGE {from} {to}"))?;
        node.say(&format!("CLUSTER SET-CONFIG-EPOCH {}", number + 1))?;
    }
    for node in nodes.iter().skip(1) {
        let (ip, port) = (node.address.ip(), node.address.port());
        first.say(&format!("CLUSTER MEET {ip} {port} {}", node.bus()))?;
    }
    for node in &nodes {
        node.until("the nodes did not meet", || {
            let known = nodes_seen_by(node)?;
            let met = known.len() == count && known.iter().all(|seen| !seen.is_in_doubt);
            Ok(met.then_some(()))
        })?;
    }
    for (master, replica) in masters.iter().zip(replicas) {
        let id = master.say("CLUSTER MYID")?;
        replica.say(&format!("CLUSTER REPLICATE {id}"))?;
    }
    for replica in replicas {
        replica.until("a replica did not catch up", || {
            Ok(replica.info("replication")?.contains("master_link_status:up").then_some(()))
        })?;
    }
    wait_until_ok(&nodes)?;
    for node in &nodes {
        node.until("the nodes did not hear of all replicas", || {
            let replicas = nodes_seen_by(node)?.iter().filter(|seen| !seen.is_master).count();
            Ok((replicas == count - masters.len()).then_some(()))
        })?;
    }
    Ok(RedisCluster { nodes: nodes.into_iter().map(Redis).collect() })
}

fn wait_until_ok(servers: &[Arc<Server>]) -> Result<(), Error> {
    let ports: HashSet<u16> = running(servers).map(|server| server.address.port()).collect();
    let mut last = String::new();
    let ok = poll::until(PATIENCE, || {
        for server in running(servers) {
            let state = server.say("CLUSTER INFO")?;
            let served: usize = nodes_seen_by(server)?
                .iter()
                .filter(|seen| seen.is_master && !seen.is_in_doubt && ports.contains(&seen.port))
                .map(|seen| seen.slots().sum::<usize>())
                .sum();
            if !state.contains("cluster_state:ok") || served != SLOTS {
                last = format!("; {} sees {served} of {SLOTS} slots served:\n{state}", server.address);
                return Ok(None);
            }
        }
        Ok(Some(()))
    })?;
    let late =
        |log| Error::Late { what: "the cluster did not serve all slots".into(), patience: PATIENCE, log };
    ok.ok_or_else(|| late(last))
}

fn master_of(servers: &[Arc<Server>], key: &str) -> Result<Node, Error> {
    let slot = match running(servers).next() {
        Some(server) => server.say(&format!("CLUSTER KEYSLOT {key}"))?.parse().unwrap_or(0),
        None => return Err(Error::NotRunning { program: "the cluster" }),
    };
    let place = |port: u16| servers.iter().position(|server| server.address.port() == port);
    let found = poll::until(Duration::from_secs(2), || {
        for server in running(servers) {
            let nodes = nodes_seen_by(server)?;
            let master = nodes.iter().find(|seen| seen.is_master && !seen.is_in_doubt && seen.has(slot));
            if let Some(node) = master.and_then(|seen| place(seen.port)) {
                return Ok(Some(node));
            }
        }
        Ok(None)
    })?;
    found.ok_or_else(|| Error::Late {
        what: format!("no node knew the master of slot {slot}"),
        patience: Duration::from_secs(2),
        log: String::new(),
    })
}

fn running(servers: &[Arc<Server>]) -> impl Iterator<Item = &Arc<Server>> {
    servers.iter().filter(|server| server.program.id().is_some())
}

/// A line of `CLUSTER NODES`.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    port: u16,
    is_master: bool,
    /// Not met yet, failing, or suspected of that.
    is_in_doubt: bool,
    ranges: Vec<(usize, usize)>,
}

impl Seen {
    /// `id ip:port@bus,host flags master sent received epoch state slots…`
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let address = words.nth(1)?.split(['@', ',']).next()?;
        let port = address.parse::<SocketAddr>().ok()?.port();
        let flags: Vec<_> = words.next()?.split(',').collect();
        let state = words.nth(4)?;
        let ranges = words.filter(|word| !word.starts_with('[')).filter_map(|range| {
            let (from, to) = range.split_once('-').unwrap_or((range, range));
            Some((from.parse().ok()?, to.parse().ok()?))
        });
        Some(Self {
            port,
            is_master: flags.contains(&"master"),
            is_in_doubt: flags.iter().any(|flag| matches!(*flag, "fail" | "fail?" | "handshake" | "noaddr"))
                || (state != "connected" && !flags.contains(&"myself")),
            ranges: ranges.collect(),
        })
    }

    fn slots(&self) -> impl Iterator<Item = usize> {
        self.ranges.iter().map(|(from, to)| to + 1 - from)
    }

    fn has(&self, slot: usize) -> bool {
        self.ranges.iter().any(|(from, to)| (*from..=*to).contains(&slot))
    }
}

fn nodes_seen_by(server: &Server) -> Result<Vec<Seen>, Error> {
    Ok(server.say("CLUSTER NODES")?.lines().filter_map(Seen::parse).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_node_table_is_read() {
        for (name, line, expected) in [
            (
                "master",
                "07c3 127.0.0.1:30004@31004,host myself,master - 0 0 4 connected 0-5460 5462 [93->-292f]",
                Seen {
                    port: 30004,
                    is_master: true,
                    is_in_doubt: false,
                    ranges: vec![(0, 5460), (5462, 5462)],
                },
            ),
            (
                "suspected replica",
                "e7d1 127.0.0.1:30003@31003 slave,fail? 07c3 1 2 4 disconnected",
                Seen { port: 30003, is_master: false, is_in_doubt: true, ranges: vec![] },
            ),
        ] {
            assert_eq!(Seen::parse(line), Some(expected), "{name}");
        }
        assert_eq!(Seen::parse(""), None);
        let seen = Seen { port: 1, is_master: true, is_in_doubt: false, ranges: vec![(0, 9), (20, 20)] };
        assert_eq!(seen.slots().sum::<usize>(), 11);
        assert!(seen.has(20) && !seen.has(10));
    }
}
