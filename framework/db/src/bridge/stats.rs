//! How a bridge stands.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

/// How a [`Bridge`](super::Bridge) stands. Counted since its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct BridgeStats {
    /// Whether it has a connection to the primary.
    pub connected: bool,
    /// Changes that it has taken, and whose tags were invalidated.
    pub taken: u64,
    /// Tags that it has had invalidated. Several changes of one row, taken together, are one.
    pub invalidated: u64,
    /// Changes of which no tag can be made, since somebody else wrote them into the table. They are dropped.
    pub malformed: u64,
    /// What has failed and was tried again: connections, questions, invalidations.
    pub failures: u64,
    /// How long the oldest change of those taken last had waited, by the clock of the database.
    pub delay: Duration,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    connected: AtomicBool,
    taken: AtomicU64,
    invalidated: AtomicU64,
    malformed: AtomicU64,
    failures: AtomicU64,
    delay_millis: AtomicU64,
    trouble: Mutex<Option<String>>,
}

impl Counters {
    pub(super) fn connected(&self, connected: bool) {
        self.connected.store(connected, Ordering::Relaxed);
    }

    /// Whether it is the first trouble since all was well.
    pub(super) fn failed(&self, trouble: String) -> bool {
        self.failures.fetch_add(1, Ordering::Relaxed);
        self.lock().replace(trouble).is_none()
    }

    /// All is well; whether it was not before.
    pub(super) fn mended(&self) -> bool {
        self.lock().take().is_some()
    }

    pub(super) fn trouble(&self) -> Option<String> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn took(&self, changes: usize, tags: usize, malformed: usize, delay: Duration) {
        self.taken.fetch_add(changes as u64, Ordering::Relaxed);
        self.invalidated.fetch_add(tags as u64, Ordering::Relaxed);
        self.malformed.fetch_add(malformed as u64, Ordering::Relaxed);
        self.delay_millis.store(delay.as_millis().try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(super) fn stats(&self) -> BridgeStats {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        BridgeStats {
            connected: self.connected.load(Ordering::Relaxed),
            taken: of(&self.taken),
            invalidated: of(&self.invalidated),
            malformed: of(&self.malformed),
            failures: of(&self.failures),
            delay: Duration::from_millis(of(&self.delay_millis)),
        }
    }
}
