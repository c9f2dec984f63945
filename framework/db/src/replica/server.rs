//! One server: its pools, and what is known of it.

use super::{health::Health, lag::Lag, look::Look};
use crate::{
    Error,
    config::Config,
    pool::postgres::{self, Use},
};
use arc_swap::ArcSwap;
use sqlx::{PgPool, Postgres, pool::PoolConnection, postgres::PgConnectOptions};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

const UNKNOWN: u8 = 0;
const PRIMARY: u8 = 1;
const REPLICA: u8 = 2;

/// One server. What a read must know of it is in atomics: it is looked up for every query.
#[derive(Debug)]
pub(crate) struct Server {
    /// Host, port and database.
    pub(crate) address: String,
    /// For looks.
    options: PgConnectOptions,
    pools: ArcSwap<Pools>,
    open: Open,
    facts: Arc<Facts>,
    wait: Duration,
}

/// Connections to one server.
#[derive(Debug)]
struct Pools {
    reads: PgPool,
    writes: PgPool,
}

/// What it takes to open pools.
#[derive(Debug)]
struct Open {
    options: PgConnectOptions,
    config: Config,
}

impl Open {
    fn pools(&self, facts: &Arc<Facts>) -> Pools {
        let Self { options, config } = self;
        Pools {
            reads: postgres::pool(options, Use::Read, config, facts),
            writes: postgres::pool(options, Use::Write, config, facts),
        }
    }
}

/// What is known of a server, shared with the hooks of its pools.
#[derive(Debug)]
pub(crate) struct Facts {
    role: AtomicU8,
    timeline: AtomicU32,
    started: AtomicI64,
    /// How far a replica has replayed, at least.
    position: AtomicU64,
    /// Counts the processes that have answered at this address.
    generation: AtomicU64,
    /// The one of them whose log forked off.
    barred: AtomicU64,
    /// Whether the last look was answered.
    up: AtomicBool,
    /// Whether it has gone down since its pools were opened.
    fell: AtomicBool,
    /// Whether reads may go to it as a replica.
    usable: AtomicBool,
    busy: AtomicU32,
    health: Mutex<Health>,
    lag: Mutex<Lag>,
    last_error: Mutex<String>,
    /// Connections that are older have lost their server since.
    incident: Mutex<Option<Instant>>,
    /// When the newest answer was asked for: an older one that comes later says nothing new.
    newest: Mutex<Option<Instant>>,
    /// The last look that was answered.
    last: Mutex<Option<Look>>,
    /// Looks that have begun.
    begun: AtomicU64,
    /// The last look that has ended: which it was, and its answer.
    ended: watch::Sender<(u64, Option<Look>)>,
    /// Somebody wants a look now.
    poke: Notify,
    /// The server went down: whoever waits for an answer of it need not.
    down: Notify,
}

/// A read that is under way.
#[derive(Debug)]
pub(crate) struct Busy(Arc<Server>);

impl Server {
    pub(crate) fn new(url: &str, config: &Config) -> Result<Arc<Self>, Error> {
        let options = postgres::options(url)?;
        let facts = Arc::new(Facts::new());
        let open = Open { options: options.clone(), config: config.clone() };
        Ok(Arc::new(Self {
            address: place(&options),
            options: postgres::for_looks(&options, config.pooler),
            pools: ArcSwap::from_pointee(open.pools(&facts)),
            open,
            facts,
            wait: config.pool.wait,
        }))
    }

    pub(crate) fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    pub(crate) fn pool(&self, purpose: Use) -> PgPool {
        let pools = self.pools.load();
        match purpose {
            Use::Read => pools.reads.clone(),
            Use::Write => pools.writes.clone(),
        }
    }

    /// A connection, or why there is none: at once where the server is known to be down.
    pub(crate) async fn acquire(&self, purpose: Use) -> Result<PoolConnection<Postgres>, Error> {
        if !self.is_up() {
            return Err(self.unavailable());
        }
        let pool = self.pool(purpose);
        let connected = tokio::select! {
            biased;
            connected = pool.acquire() => connected,
            () = self.went_down() => return Err(self.unavailable()),
        };
        connected.map_err(|error| {
            let connections = pool.options().get_max_connections();
            match error {
                sqlx::Error::PoolTimedOut if pool.size() >= connections => Error::Exhausted {
                    pool: format!("{} ({})", self.address, purpose.name()),
                    connections,
                    waited: self.wait,
                },
                error => {
                    self.failed(&error.to_string());
                    self.unavailable()
                }
            }
        })
    }

    pub(crate) fn unavailable(&self) -> Error {
        let reason = self.facts.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Error::Unavailable { what: format!("the database server {}", self.address), reason }
    }

    /// Counts a read that begins.
    pub(crate) fn busy(self: &Arc<Self>) -> Busy {
        self.facts.busy.fetch_add(1, Ordering::Relaxed);
        Busy(self.clone())
    }

    pub(crate) fn load(&self) -> u32 {
        self.facts.busy.load(Ordering::Relaxed)
    }

    pub(crate) fn is_up(&self) -> bool {
        self.facts.up.load(Ordering::Acquire)
    }

    pub(crate) fn is_primary(&self) -> bool {
        self.is_up() && self.facts.role.load(Ordering::Acquire) == PRIMARY
    }

    /// The history that it continues as a primary.
    pub(crate) fn timeline(&self) -> u32 {
        self.facts.timeline.load(Ordering::Acquire)
    }

    /// Whether reads may go to it as a replica.
    pub(crate) fn is_usable_replica(&self) -> bool {
        self.is_up()
            && self.facts.role.load(Ordering::Acquire) == REPLICA
            && self.facts.usable.load(Ordering::Acquire)
            && !self.is_barred()
    }

    /// How far it has replayed, at least.
    pub(crate) fn position(&self) -> u64 {
        self.facts.position.load(Ordering::Acquire)
    }

    /// Counts the processes that have answered at this address.
    pub(crate) fn generation(&self) -> u64 {
        self.facts.generation.load(Ordering::Acquire)
    }

    pub(crate) fn lag(&self) -> Lag {
        *self.facts.lag.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its role in words.
    pub(crate) fn role(&self) -> &'static str {
        match self.facts.role.load(Ordering::Acquire) {
            PRIMARY => "primary",
            REPLICA => "replica",
            _ => "unknown",
        }
    }

    pub(crate) fn is_known_as(&self, look: &Look) -> bool {
        self.facts.started.load(Ordering::Acquire) == look.started
    }

    pub(crate) fn met(&self, look: &Look) {
        self.facts.met(look);
    }

    /// A look was answered: whether the server is well enough to read from is for the group to say.
    pub(crate) fn answered(&self, lag: Lag, well: bool) {
        let now = Instant::now();
        *self.facts.lag.lock().unwrap_or_else(PoisonError::into_inner) = lag;
        if self.facts.fell.swap(false, Ordering::AcqRel) {
            // A connection that was being given back when the server fell silent keeps its place in the pool for as long as
            // TCP is patient, which may be a quarter of an hour.
            self.pools.store(Arc::new(self.open.pools(&self.facts)));
        }
        self.facts.up.store(true, Ordering::Release);
        let mut health = self.facts.health.lock().unwrap_or_else(PoisonError::into_inner);
        let was = health.is_usable();
        if well {
            health.well(now)
        } else {
            health.failed(now)
        };
        self.facts.usable.store(health.is_usable(), Ordering::Release);
        if was && !health.is_usable() {
            tracing::warn!(
                server = self.address,
                lag_bytes = lag.bytes,
                lag_ms = lag.time.as_millis(),
                "a replica lags too far and is left out until it has caught up"
            );
        }
    }

    /// A look was not answered.
    pub(crate) fn is_down(&self, reason: &str) {
        self.failed(reason);
        if self.facts.up.swap(false, Ordering::AcqRel) {
            self.facts.fell.store(true, Ordering::Release);
            tracing::warn!(server = self.address, reason, "a database server is down");
        }
        self.facts.down.notify_waiters();
    }

    /// A query failed for the server's sake.
    pub(crate) fn failed(&self, reason: &str) {
        let now = Instant::now();
        reason.clone_into(&mut self.facts.last_error.lock().unwrap_or_else(PoisonError::into_inner));
        *self.facts.incident.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        let mut health = self.facts.health.lock().unwrap_or_else(PoisonError::into_inner);
        health.failed(now);
        self.facts.usable.store(false, Ordering::Release);
        drop(health);
        self.poke();
    }

    /// Whether a look at it has ended, answered or not.
    pub(crate) fn was_looked_at(&self) -> bool {
        self.facts.ended.borrow().0 > 0
    }

    /// A look begins; which it is.
    pub(crate) fn begin_look(&self) -> u64 {
        self.facts.begun.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// A look has ended.
    pub(crate) fn end_look(&self, which: u64, answer: Option<Look>) {
        self.facts.ended.send_replace((which, answer));
    }

    /// What a look says that begins after this was called; `None` where it was not answered. Looks have a time limit, so
    /// this does not wait for longer than two of them.
    pub(crate) async fn next_look(&self) -> Option<Look> {
        let mut ended = self.facts.ended.subscribe();
        let before = self.facts.begun.load(Ordering::SeqCst);
        self.poke();
        let (_, look) = *ended.wait_for(|(which, _)| *which > before).await.ok()?;
        look
    }

    /// Its log forked off: it is no replica to read from until another process answers at its address.
    pub(crate) fn bar(&self) {
        let generation = self.generation();
        if self.facts.barred.swap(generation, Ordering::AcqRel) != generation {
            tracing::warn!(
                server = self.address,
                "a replica has replayed what the primary never had; it is left out until it is made anew"
            );
        }
    }

    fn is_barred(&self) -> bool {
        self.facts.barred.load(Ordering::Acquire) == self.generation()
    }

    /// Takes the place of the last look that was answered, which it gives.
    pub(crate) fn replace_last(&self, look: Look) -> Option<Look> {
        self.facts.last.lock().unwrap_or_else(PoisonError::into_inner).replace(look)
    }

    /// Wants a look now.
    pub(crate) fn poke(&self) {
        self.facts.poke.notify_one();
    }

    pub(crate) async fn poked(&self) {
        self.facts.poke.notified().await;
    }

    /// Returns when the server goes down.
    pub(crate) async fn went_down(&self) {
        let down = self.facts.down.notified();
        tokio::pin!(down);
        down.as_mut().enable();
        // It may have gone before this listened.
        if self.is_up() {
            down.await;
        }
    }

    pub(crate) async fn close(&self) {
        let pools = self.pools.load_full();
        futures::join!(pools.reads.close(), pools.writes.close());
    }
}

/// With the database, since behind a pooler servers differ by that alone.
fn place(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or_else(|| options.get_username());
    format!("{}:{}/{database}", options.get_host(), options.get_port())
}

impl Facts {
    fn new() -> Self {
        Self {
            role: AtomicU8::new(UNKNOWN),
            timeline: AtomicU32::new(0),
            started: AtomicI64::new(0),
            position: AtomicU64::new(0),
            generation: AtomicU64::new(0),
            barred: AtomicU64::new(u64::MAX),
            up: AtomicBool::new(false),
            fell: AtomicBool::new(false),
            usable: AtomicBool::new(false),
            busy: AtomicU32::new(0),
            health: Mutex::default(),
            lag: Mutex::default(),
            last_error: Mutex::new("it has not answered yet".to_owned()),
            incident: Mutex::default(),
            newest: Mutex::default(),
            last: Mutex::default(),
            begun: AtomicU64::new(0),
            ended: watch::Sender::new((0, None)),
            poke: Notify::new(),
            down: Notify::new(),
        }
    }

    /// What a server said of itself: by this its role is known, whatever configuration says.
    ///
    /// A server's position does not fall, but what answers at its address may know less than before: another process, or
    /// one that recovered from a crash and now replays anew what it had replayed. Then what was known is forgotten, before
    /// anybody can use the connection that tells, and those who have chosen the server by it notice.
    pub(crate) fn met(&self, look: &Look) {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let is_late = newest.is_some_and(|newest| look.asked < newest);
        let is_another = self.started.load(Ordering::Acquire) != look.started;
        if is_another || (!is_late && look.position < self.position.load(Ordering::Acquire)) {
            self.generation.fetch_add(1, Ordering::AcqRel);
        }
        if is_another {
            // Also where the answer is late: who is at the address now is for the next connection to say.
            *self.incident.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
        if is_late {
            return;
        }
        *newest = Some(look.asked);
        self.started.store(look.started, Ordering::Release);
        self.position.store(look.position, Ordering::Release);
        self.timeline.store(look.timeline, Ordering::Release);
        self.role.store(if look.is_replica { REPLICA } else { PRIMARY }, Ordering::Release);
    }

    /// Whether a connection of that age was opened before the server last failed or began anew.
    pub(crate) fn outlived(&self, age: Duration) -> bool {
        let incident = *self.incident.lock().unwrap_or_else(PoisonError::into_inner);
        incident.is_some_and(|incident| incident.elapsed() <= age)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.facts.busy.fetch_sub(1, Ordering::Relaxed);
    }
}
