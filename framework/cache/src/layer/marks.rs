//! What is remembered of URLs that are not stored: a fixed number of small marks, shared by all URLs.
//!
//! URLs whose hashes meet share a mark, which costs them a store or a wait, and never makes an answer wrong.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::atomic::{AtomicI64, AtomicU64, Ordering},
    time::Duration,
};
use tropos_core::{Key, Tick};

/// 128 KiB of marks: with as many URLs under way at once as servers have, two seldom share one.
const MARKS: usize = 8192;

/// For how long nobody waits for a URL whose answer could not be shared; as long as Varnish does by default.
const NOT_SHARED: Duration = Duration::from_secs(120);

pub(super) struct Marks {
    hasher: RandomState,
    removals: Box<[AtomicU64]>,
    not_shared_until: Box<[AtomicI64]>,
}

impl Marks {
    pub(super) fn new() -> Self {
        Self {
            hasher: RandomState::new(),
            removals: (0..MARKS).map(|_| AtomicU64::new(0)).collect(),
            not_shared_until: (0..MARKS).map(|_| AtomicI64::new(i64::MIN)).collect(),
        }
    }

    /// How often something was removed under this key. An answer that was asked for at another number is older than the
    /// removal, and must not be stored.
    pub(super) fn removals(&self, key: &Key) -> u64 {
        self.removals.get(self.place(key)).map_or(0, |mark| mark.load(Ordering::SeqCst))
    }

    pub(super) fn note_removal(&self, key: &Key) {
        if let Some(mark) = self.removals.get(self.place(key)) {
            mark.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Whether an answer for this key was of no use to others of late.
    pub(super) fn is_not_shared(&self, key: &Key, now: Tick) -> bool {
        self.not_shared_until.get(self.place(key)).is_some_and(|mark| mark.load(Ordering::Relaxed) > now.0)
    }

    pub(super) fn note_not_shared(&self, key: &Key, now: Tick) {
        if let Some(mark) = self.not_shared_until.get(self.place(key)) {
            mark.store(now.plus(NOT_SHARED).0, Ordering::Relaxed);
        }
    }

    pub(super) fn note_shared(&self, key: &Key) {
        if let Some(mark) = self.not_shared_until.get(self.place(key)) {
            mark.store(i64::MIN, Ordering::Relaxed);
        }
    }

    fn place(&self, key: &Key) -> usize {
        // The remainder fits whatever `usize` is.
        usize::try_from(self.hasher.hash_one(key) % MARKS as u64).unwrap_or(0)
    }
}
