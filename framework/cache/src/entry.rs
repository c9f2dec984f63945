//! What is stored.

mod format;

use crate::{Decision, Stamp, TagRegistry, Validity, decide, observe::Saved, tags::versioned::Noted};
use std::{
    sync::atomic::{AtomicI64, AtomicU32, Ordering},
    time::Duration,
};
use tropos_core::{Tags, Tick, UnixMillis};

/// Something that can be stored.
pub trait Value: Sized + Send + Sync + 'static {
    /// Appends its bytes to `out`.
    fn encode(&self, out: &mut Vec<u8>);
    /// Reads what [`Value::encode`] wrote; `None` for anything else.
    fn decode(bytes: &[u8]) -> Option<Self>;
    /// The bytes of memory that it holds, about.
    fn weight(&self) -> usize;
}

/// What is known of an entry apart from its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// The tags of the entry and of all that it read.
    pub tags: Tags,
    /// Where the tag sequence stood before the first read.
    pub stamp: Stamp,
    /// When the render started, by the monotonic clock. Ages count from here.
    pub started: Tick,
    /// When the render started, by the wall clock: for headers, and for entries that outlive the process.
    pub started_wall: UnixMillis,
    /// The age after which it is stale, by what was declared and by what it read; `None`: never.
    pub revalidate: Option<Duration>,
    /// The age after which it may not be served; `None`: no such age.
    pub expire: Option<Duration>,
    /// Whether it says that there is no such thing; kept apart, so that such entries cannot crowd out others.
    pub negative: bool,
    /// How long the render took: what an early refresh weighs.
    pub cost: Duration,
}

impl Meta {
    /// Of something that no time and no tag makes stale, as if it were of the build: for what other rules decide of.
    pub(crate) fn bare() -> Self {
        Self {
            tags: Tags::new(),
            stamp: Stamp::BUILD,
            started: Tick(0),
            started_wall: 0,
            revalidate: None,
            expire: None,
            negative: false,
            cost: Duration::ZERO,
        }
    }
}

/// How often a render of this entry's successor failed in a row, and when to try next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Failures since the entry was stored.
    pub failures: u32,
    /// No try before.
    pub next_try: Tick,
}

impl Backoff {
    /// No failure.
    pub const NONE: Backoff = Backoff { failures: 0, next_try: Tick(i64::MIN) };
}

/// A stored result.
#[derive(Debug)]
pub struct Entry<V> {
    /// What is known of it.
    pub meta: Meta,
    /// The result.
    pub value: V,
    /// The database queries that its render would have run without any cache.
    queries: u32,
    failures: AtomicU32,
    next_try: AtomicI64,
    /// The generation of the registry at which the tags were last found valid, so that a hit compares one number while
    /// nothing is invalidated; 0: never.
    valid_at: Noted,
}

impl<V> Entry<V> {
    /// An entry that has not failed.
    pub fn new(meta: Meta, value: V) -> Self {
        Self {
            meta,
            value,
            queries: 0,
            failures: AtomicU32::new(Backoff::NONE.failures),
            next_try: AtomicI64::new(Backoff::NONE.next_try.0),
            valid_at: Noted::never(),
        }
    }

    /// The same, whose render would have run so many database queries without any cache: what a hit saves.
    #[must_use]
    pub fn with_queries(self, queries: u32) -> Self {
        Self { queries, ..self }
    }

    /// What a hit saves.
    pub fn saves(&self) -> Saved {
        Saved { queries: self.queries, time: self.meta.cost }
    }

    /// How often its successor failed, and when to try next.
    pub fn backoff(&self) -> Backoff {
        Backoff {
            failures: self.failures.load(Ordering::Acquire),
            next_try: Tick(self.next_try.load(Ordering::Acquire)),
        }
    }

    /// What to do with it now.
    pub fn decide(&self, tags: &TagRegistry, now: Tick) -> Decision {
        decide::decide(&self.meta, self.validity(tags), now, self.backoff())
    }

    /// What the tags say about it.
    pub fn validity(&self, tags: &TagRegistry) -> Validity {
        if self.valid_at.at() == tags.generation() {
            return Validity::Valid;
        }
        let (validity, at) = tags.validity_at(self.meta.tags.as_slice(), self.meta.stamp);
        if validity == Validity::Valid {
            self.valid_at.note(at);
        }
        validity
    }

    /// The generation of the registry at which the tags were last found valid.
    pub(crate) fn last_valid(&self) -> u64 {
        self.valid_at.at()
    }

    /// When what reads this entry becomes stale with it; `None`: never by age. An entry that is served although it is
    /// stale, since its source fails, holds until the next try: what read it gains nothing by a render before.
    pub fn stale_at(&self) -> Option<Tick> {
        match self.backoff() {
            Backoff { failures: 0, .. } => self.meta.revalidate.map(|age| self.meta.started.plus(age)),
            backoff => Some(backoff.next_try),
        }
    }

    /// Notes that a render of its successor failed.
    pub(crate) fn record_failure(&self, now: Tick) -> Backoff {
        let backoff = decide::after_failure(self.backoff(), now);
        self.next_try.store(backoff.next_try.0, Ordering::Release);
        self.failures.store(backoff.failures, Ordering::Release);
        backoff
    }
}
