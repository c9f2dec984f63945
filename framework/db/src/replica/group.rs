//! All servers of a shard: reads and writes find theirs here.

use super::{
    choose::{Candidate, choose},
    lag::{History, Lag},
    look::{self, Look},
    server::{Busy, Server},
};
use crate::{
    Error,
    backend::Conn,
    config::{Config, Pooler, ReplicaConfig, ShardConfig, WithoutReplicas},
    observe::Counts,
    pool::postgres::Use,
};
use rand::RngExt;
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::watch,
    task::AbortHandle,
    time::{Instant, timeout, timeout_at},
};
use tropos_cache::Required;

/// The servers of one shard.
#[derive(Debug)]
pub(crate) struct Group {
    name: String,
    servers: Vec<Arc<Server>>,
    history: Mutex<History>,
    /// The highest timeline that a primary was seen on: each promotion begins a higher one.
    timeline: AtomicU32,
    /// What every read must have seen: where the log stood when this program had brought the database up to date.
    floor: AtomicU64,
    /// Changes with each look.
    looks: watch::Sender<()>,
    config: ReplicaConfig,
    pooler: Pooler,
    counts: Arc<Counts>,
}

/// The tasks that look at servers; they end with this.
#[derive(Debug)]
pub(crate) struct Looks(Vec<AbortHandle>);

/// A connection for a read, and what it costs its server.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) conn: Conn,
    pub(crate) server: Arc<Server>,
    pub(crate) place: usize,
    /// Whether it is the primary, where only a session's setting keeps reads from writing.
    pub(crate) is_primary: bool,
    pub(crate) busy: Busy,
}

/// Servers that were tried for one read.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tried(u64);

impl Tried {
    pub(crate) fn add(&mut self, place: usize) {
        self.0 |= 1 << place.min(63);
    }

    fn has(self, place: usize) -> bool {
        self.0 & (1 << place.min(63)) != 0
    }
}

impl Group {
    /// The servers that configuration names. Which is the primary, they say themselves.
    pub(crate) fn new(shard: &ShardConfig, config: &Config, counts: Arc<Counts>) -> Result<Arc<Self>, Error> {
        let urls = std::iter::once(&shard.url).chain(&shard.replicas);
        Ok(Arc::new(Self {
            name: shard.name.clone(),
            servers: urls.map(|url| Server::new(url, config)).collect::<Result<_, _>>()?,
            history: Mutex::default(),
            timeline: AtomicU32::new(0),
            floor: AtomicU64::new(0),
            looks: watch::Sender::new(()),
            config: config.replicas,
            pooler: config.pooler,
            counts,
        }))
    }

    /// Begins to look at the servers, and waits until one of them says that it is the primary.
    pub(crate) async fn look(self: &Arc<Self>, patience: Duration) -> Result<Looks, Error> {
        let mut looked = self.looks.subscribe();
        let tasks = self.servers.iter().map(|server| {
            let (group, server) = (self.clone(), server.clone());
            let looking = look::keep_looking(group, server, self.config.look_every, self.config.look_within);
            tokio::spawn(looking).abort_handle()
        });
        let looks = Looks(tasks.collect());
        let until = Instant::now() + patience;
        while self.primary().is_none() {
            if timeout_at(until, looked.changed()).await.is_err() {
                return Err(self.no_primary());
            }
        }
        // The others have answered or failed once by then: a former primary that came back unaware is known as one.
        let all = async {
            while !self.servers.iter().all(|server| server.was_looked_at()) && looked.changed().await.is_ok()
            {
            }
        };
        drop(tokio::time::timeout(self.config.look_within + self.config.look_every, all).await);
        Ok(looks)
    }

    pub(crate) fn pooler(&self) -> Pooler {
        self.pooler
    }

    pub(crate) fn servers(&self) -> &[Arc<Server>] {
        &self.servers
    }

    pub(crate) fn has_replicas(&self) -> bool {
        self.servers.len() > 1
    }

    /// What a look at a server gave.
    pub(crate) fn looked(&self, server: &Server, looked: Result<Look, String>) {
        match looked {
            Ok(look) => {
                let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
                let before = server.replace_last(look);
                let lag = match look.is_replica {
                    true => {
                        if before.is_some_and(|look| is_ahead(&look, &history)) {
                            server.bar();
                        }
                        history.lag(look.position)
                    }
                    false => {
                        history.saw(look.asked, look.position);
                        self.timeline.fetch_max(look.timeline, Ordering::AcqRel);
                        if let Some(before) = before.filter(|look| look.is_replica) {
                            self.promoted(server, before.position);
                        }
                        Lag::default()
                    }
                };
                drop(history);
                let ReplicaConfig { most_lag, most_lag_bytes, .. } = self.config;
                server.answered(lag, lag.time <= most_lag && lag.bytes <= most_lag_bytes);
            }
            Err(reason) => server.is_down(&reason),
        }
        self.looks.send_replace(());
    }

    /// A replica was promoted that had replayed up to `position`. One that has replayed more has writes that are lost now.
    fn promoted(&self, promoted: &Server, position: u64) {
        let others = self.servers.iter().filter(|server| !std::ptr::eq(&raw const ***server, promoted));
        others
            .filter(|server| !server.is_primary() && server.position() > position)
            .for_each(|server| server.bar());
    }

    /// The primary: of several that say so, the one that was promoted last. A former primary that comes back unaware is
    /// never written to or read from once the other has been seen, also while that is away.
    pub(crate) fn primary(&self) -> Option<(usize, &Arc<Server>)> {
        let newest = self.timeline.load(Ordering::Acquire);
        let primaries = self.servers.iter().enumerate();
        primaries.filter(|(_, server)| server.is_primary()).find(|(_, server)| server.timeline() >= newest)
    }

    /// Every read has seen all up to `position` from now on.
    pub(crate) fn raise_floor(&self, position: u64) {
        self.floor.fetch_max(position, Ordering::AcqRel);
    }

    /// The same, or why there is none.
    pub(crate) fn writable(&self) -> Result<(usize, &Arc<Server>), Error> {
        self.primary().ok_or_else(|| self.no_primary())
    }

    fn no_primary(&self) -> Error {
        Error::Unavailable {
            what: format!("the primary of the database `{}`", self.name),
            reason: self.reasons(),
        }
    }

    fn reasons(&self) -> String {
        let of = |server: &Arc<Server>| match (server.is_up(), server.unavailable()) {
            (true, _) if server.is_primary() => format!(
                "{} is a primary of timeline {}, which another was promoted over",
                server.address,
                server.timeline()
            ),
            (true, _) => format!("{} is a {}", server.address, server.role()),
            (false, Error::Unavailable { reason, .. }) => format!("{}: {reason}", server.address),
            (false, other) => other.to_string(),
        };
        self.servers.iter().map(of).collect::<Vec<_>>().join("; ")
    }

    /// A connection to the primary that may write.
    pub(crate) async fn writer(&self) -> Result<Found, Error> {
        let (place, server) = self.writable()?;
        let conn = server.acquire(Use::Write).await?;
        // The connection may be to another process than the last look.
        if !server.is_primary() {
            server.poke();
            return Err(self.no_primary());
        }
        Ok(Found {
            conn: Conn::Postgres(conn),
            server: server.clone(),
            place,
            is_primary: true,
            busy: server.busy(),
        })
    }

    /// A connection that reads from a server that has seen what is required.
    pub(crate) async fn reader(&self, required: Required, tried: Tried) -> Result<Found, Error> {
        let mut tried = tried;
        loop {
            let (place, server, generation, replica) = match self.replica(required, tried).await {
                Some((place, server, generation)) => (place, server, generation, true),
                None => {
                    let (place, server) = self.primary_for_reads(required)?;
                    (place, server, server.generation(), false)
                }
            };
            let busy = server.busy();
            match server.acquire(Use::Read).await {
                Ok(mut conn) => {
                    if server.generation() != generation {
                        // Another process answers there now. What this connection has seen, it says itself.
                        match timeout(self.config.look_within, look::ask(&mut conn)).await {
                            Ok(Ok(look)) if self.suits(&look, required, replica) => {}
                            _ => {
                                drop(conn.detach());
                                tried.add(place);
                                continue;
                            }
                        }
                    }
                    let is_primary = !replica;
                    return Ok(Found {
                        conn: Conn::Postgres(conn),
                        server: server.clone(),
                        place,
                        is_primary,
                        busy,
                    });
                }
                // A busy replica is no reason to storm the primary.
                Err(error @ Error::Exhausted { .. }) => return Err(error),
                Err(error) if !replica || tried.has(place) => return Err(error),
                Err(_) => tried.add(place),
            }
        }
    }

    /// A replica that has seen what is required, after a short wait where none has.
    async fn replica(&self, required: Required, tried: Tried) -> Option<(usize, &Arc<Server>, u64)> {
        let position = self.needed(required)?;
        let mut looked = None;
        let until = Instant::now() + self.config.wait;
        loop {
            let usable = || {
                let all = self.servers.iter().enumerate();
                all.filter(|(place, server)| !tried.has(*place) && server.is_usable_replica())
            };
            // The generation first: who comes to the address after that is noticed by it.
            let known = usable().map(|(place, server)| (place, server, server.generation()));
            let fit = known.filter(|(_, server, _)| server.position() >= position);
            let candidate = |(place, server, generation): (usize, &Arc<Server>, u64)| Candidate {
                server: place,
                load: server.load(),
                generation,
            };
            let candidates: Vec<_> = fit.map(candidate).collect();
            if let Some(chosen) = choose(&candidates, |below| rand::rng().random_range(0..below)) {
                let server = self.servers.get(chosen.server);
                return server.map(|server| (chosen.server, server, chosen.generation));
            }
            usable().next()?;
            let looked = looked.get_or_insert_with(|| {
                self.counts.position_waits();
                self.looks.subscribe()
            });
            usable().for_each(|(_, server)| server.poke());
            if !matches!(timeout_at(until, looked.changed()).await, Ok(Ok(()))) {
                return None;
            }
        }
    }

    /// What a replica must have replayed; `None` where none will do.
    fn needed(&self, required: Required) -> Option<u64> {
        let floor = self.floor.load(Ordering::Acquire);
        match required {
            Required::Nothing => Some(floor),
            // The highest there is stands for a write after which nobody said where the log stood.
            Required::Primary | Required::Position(u64::MAX) => None,
            Required::Position(position) => Some(position.max(floor)),
        }
    }

    /// Whether what a connection says of its server is what a read needs that was sent to a replica, or to the primary.
    fn suits(&self, look: &Look, required: Required, replica: bool) -> bool {
        look.is_replica == replica
            && (!replica || self.needed(required).is_some_and(|position| look.position >= position))
    }

    fn primary_for_reads(&self, required: Required) -> Result<(usize, &Arc<Server>), Error> {
        let wanted = self.has_replicas() && required == Required::Nothing;
        if wanted && self.config.without == WithoutReplicas::Fail {
            return Err(Error::Unavailable {
                what: format!("a replica of the database `{}`", self.name),
                reason: self.reasons(),
            });
        }
        if self.has_replicas() {
            self.counts.primary_reads();
        }
        self.writable()
    }

    /// Where the primary's log stands, by a look that begins after this was called.
    pub(crate) async fn position(&self) -> Result<u64, Error> {
        let (_, server) = self.writable()?;
        match server.next_look().await {
            Some(look) if !look.is_replica => Ok(look.position),
            Some(_) => Err(self.no_primary()),
            None => Err(server.unavailable()),
        }
    }

    pub(crate) async fn close(&self) {
        futures::future::join_all(self.servers.iter().map(|server| server.close())).await;
    }
}

/// Whether a replica had replayed what the primary did not have later on: its log forked off before a promotion, and it shows
/// writes that are lost.
fn is_ahead(replica: &Look, history: &History) -> bool {
    history.last().is_some_and(|(asked, position)| replica.asked < asked && replica.position > position)
}

impl Drop for Looks {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
}
