//! Where one entry lies in memory, for readers who come back.

use crate::Entry;
use arc_swap::ArcSwapOption;
use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};
use tropos_core::Key;

/// A use beyond this changes nothing.
const MOST_USES: u8 = 3;

/// Where the entry under one key lies.
///
/// A reader who keeps it finds the newest entry without a look-up, and without writing to memory that other cores read:
/// no lock is taken and no reference counted. It is empty for good once the entry was driven out or removed, so what
/// keeps it keeps no body alive, and asks the store again.
#[derive(Debug)]
pub struct Place<V> {
    key: Key,
    entry: ArcSwapOption<Entry<V>>,
    /// How often it was used of late, for the choice of what is driven out.
    uses: AtomicU8,
}

impl<V> Place<V> {
    pub(super) fn of(key: Key, entry: Arc<Entry<V>>) -> Self {
        Self { key, entry: ArcSwapOption::new(Some(entry)), uses: AtomicU8::new(0) }
    }

    /// The key under which the entry is stored.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Looks at the entry that is there now.
    pub fn look<R>(&self, at: impl FnOnce(&Entry<V>) -> R) -> Option<R> {
        let entry = self.entry.load();
        let entry = entry.as_deref()?;
        self.count();
        Some(at(entry))
    }

    pub(super) fn fill(&self, entry: Arc<Entry<V>>) {
        self.entry.store(Some(entry));
    }

    pub(super) fn empty(&self) {
        self.entry.store(None);
    }

    /// Counts a use. Two at once may count as one: it is a hint. Once it is used enough, nothing is written any more.
    pub(super) fn count(&self) {
        let uses = self.uses.load(Ordering::Relaxed);
        if uses < MOST_USES {
            self.uses.store(uses + 1, Ordering::Relaxed);
        }
    }

    pub(super) fn uses(&self) -> u8 {
        self.uses.load(Ordering::Relaxed)
    }

    pub(super) fn set_uses(&self, uses: u8) {
        self.uses.store(uses, Ordering::Relaxed);
    }
}
