//! What makes the traces of one application: its sampler, and where they go.

use super::{
    building::Building,
    context::TraceId,
    otlp,
    ring::Ring,
    sampling::{Bucket, DEFAULT_PER_SECOND, Sampler, TAILS_PER_SECOND, Verdict},
    span::{Trace, UnixNanos},
};
use crate::{
    Error,
    config::{Config, Limits, Propagate},
    export::{
        Sender,
        queue::{Counts, Queue},
    },
};
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};
use tokio::task::AbortHandle;
use tropos_core::Clock;

/// How often buckets are filled: so coarse that a quiet server is hardly woken, so fine that a burst is spread.
const FILL_EVERY: Duration = Duration::from_millis(100);

/// Spans that go on after their request has been answered are waited for so long. A write whose client has left takes longer seldom.
const LINGER: Duration = Duration::from_secs(5);

/// Traces that are waited for; more are sent as they are.
const MOST_LINGERING: usize = 1_000;

/// Makes the traces of one application. Cheap to clone.
#[derive(Clone)]
pub struct Tracer(Arc<Inner>);

pub(super) struct Inner {
    clock: Arc<dyn Clock>,
    sampler: Sampler,
    slow: Duration,
    limits: Limits,
    pub(super) propagate: Propagate,
    pub(super) records: bool,
    own: Bucket,
    called: Bucket,
    tails: Bucket,
    ring: Option<Ring>,
    queue: Option<Queue>,
    /// Traces whose request was answered, and in which something goes on.
    lingering: Mutex<Lingering>,
    filling: Option<AbortHandle>,
}

#[derive(Default)]
struct Lingering {
    traces: Vec<Arc<Building>>,
    /// Nearly all of them were found to go on since the last sweep: to look again for each trace that comes would cost each a thousand.
    is_full: bool,
    /// Nothing sweeps any more.
    is_closed: bool,
}

impl Lingering {
    /// Whether there is room for one more.
    fn has_room(&mut self) -> bool {
        if self.traces.len() >= MOST_LINGERING && !self.is_full {
            self.traces.retain(|building| !building.is_gone());
            self.is_full = self.traces.len() > MOST_LINGERING / 2;
        }
        self.traces.len() < MOST_LINGERING && !self.is_closed
    }
}

impl Tracer {
    /// A tracer for this configuration. Within a Tokio runtime, on which it sends.
    ///
    /// # Errors
    /// [`Error::Setting`] where the address to send to is none.
    pub fn new(config: &Config, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let queue = match config.traces.as_ref().filter(|_| config.sampler != Sampler::OFF) {
            Some(otlp) => {
                let sender = Sender::new(otlp, clock.clone())?;
                Some(Queue::start(sender, config.batch, otlp::resource(&config.resource)))
            }
            None => None,
        };
        let records = config.records();
        Ok(Self(Arc::new_cyclic(|inner: &Weak<Inner>| Inner {
            clock,
            sampler: config.sampler,
            slow: config.slow,
            limits: config.limits,
            propagate: config.propagate,
            records,
            own: Bucket::new(DEFAULT_PER_SECOND),
            called: Bucket::new(DEFAULT_PER_SECOND),
            tails: Bucket::new(TAILS_PER_SECOND),
            ring: config.ring.then(Ring::default),
            queue,
            lingering: Mutex::default(),
            filling: records.then(|| tokio::spawn(fill(inner.clone())).abort_handle()),
        })))
    }

    /// A tracer that gives out ids and records nothing.
    pub fn off(clock: Arc<dyn Clock>) -> Self {
        let config = Config::default();
        Self(Arc::new(Inner {
            clock,
            sampler: Sampler::OFF,
            slow: config.slow,
            limits: config.limits,
            propagate: config.propagate,
            records: false,
            own: Bucket::new(0),
            called: Bucket::new(0),
            tails: Bucket::new(0),
            ring: None,
            queue: None,
            lingering: Mutex::default(),
            filling: None,
        }))
    }

    /// Whether anything is recorded.
    pub fn records(&self) -> bool {
        self.0.records
    }

    /// The last traces, where they are kept in memory.
    pub fn ring(&self) -> Option<&Ring> {
        self.0.ring.as_ref()
    }

    /// What became of spans that were to be sent, and how many wait; `None` where nothing is sent.
    pub fn counts(&self) -> Option<(&Counts, usize)> {
        self.0.queue.as_ref().map(|queue| (queue.counts(), queue.waiting()))
    }

    /// Sends what waits, within `limit`.
    pub async fn close(&self, limit: Duration) {
        if let Some(filling) = &self.0.filling {
            filling.abort();
        }
        self.0.lingering().is_closed = true;
        self.0.sweep(Duration::ZERO);
        if let Some(queue) = &self.0.queue {
            queue.close(limit).await;
        }
    }

    pub(super) fn inner(&self) -> &Inner {
        &self.0
    }

    pub(super) fn limits(&self) -> Limits {
        self.0.limits
    }

    pub(super) fn thresholds(&self) -> (Sampler, Option<Duration>) {
        (self.0.sampler, Some(self.0.slow))
    }

    pub(super) fn tails(&self) -> &Bucket {
        &self.0.tails
    }

    /// Now, by the wall clock.
    pub(super) fn wall(&self) -> UnixNanos {
        self.0.clock.wall().saturating_mul(1_000_000)
    }

    /// Whether a trace is kept whatever becomes of it.
    pub(super) fn samples(&self, caller: Option<bool>, trace: TraceId) -> bool {
        match self.0.sampler.decide(caller, trace) {
            Verdict::Keep => true,
            Verdict::Leave => false,
            Verdict::AskOwn => self.0.own.take(),
            Verdict::AskCalled => self.0.called.take(),
        }
    }

    /// Takes a trace that is over and to be kept.
    pub(super) fn keep(&self, trace: Trace) {
        let trace = Arc::new(trace);
        if let Some(ring) = &self.0.ring {
            ring.add(trace.clone());
        }
        if let Some(queue) = &self.0.queue {
            queue.offer(trace);
        }
    }

    /// Waits a while for what goes on in a trace.
    pub(super) fn linger(&self, building: &Arc<Building>) {
        let mut lingering = self.0.lingering();
        match lingering.has_room() {
            true => lingering.traces.push(building.clone()),
            false => {
                drop(lingering);
                building.give_up(Duration::ZERO);
            }
        }
    }
}

impl Inner {
    /// Sends the traces that were waited for long enough.
    fn sweep(&self, after: Duration) {
        let lingering = std::mem::take(&mut self.lingering().traces);
        let left: Vec<_> = lingering.into_iter().filter(|building| !building.give_up(after)).collect();
        let mut lingering = self.lingering();
        lingering.is_full = false;
        match lingering.is_closed {
            false => lingering.traces.extend(left),
            // Closed while this looked: no other sweep comes.
            true => {
                drop(lingering);
                for building in left {
                    building.give_up(Duration::ZERO);
                }
            }
        }
    }

    fn lingering(&self) -> MutexGuard<'_, Lingering> {
        self.lingering.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn fill(inner: Weak<Inner>) {
    let mut every = tokio::time::interval(FILL_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for turn in 0_u64.. {
        every.tick().await;
        let Some(inner) = inner.upgrade() else { return };
        for bucket in [&inner.own, &inner.called, &inner.tails] {
            bucket.fill(FILL_EVERY);
        }
        if turn.is_multiple_of(10) {
            inner.sweep(LINGER);
        }
    }
}

impl fmt::Debug for Tracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracer").field("records", &self.0.records).finish_non_exhaustive()
    }
}
