//! A value that changes seldom and is looked at by every hit.
//!
//! Its generation, a number that each change raises, is read without the lock. Who has looked at the value notes at
//! which generation, and need not look again while that stands. `tests/tag_schedules.rs` runs every schedule of it.

use super::sync::{AtomicU64, Ordering, PoisonError, RwLock};

/// The value and its generation.
#[derive(Debug)]
pub(crate) struct Versioned<T> {
    value: RwLock<T>,
    /// Raised while the value is locked for a change, after the change: a look under the lock sees both or neither.
    generation: AtomicU64,
}

impl<T> Versioned<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { value: RwLock::new(value), generation: AtomicU64::new(1) }
    }

    /// Another number after each change; never 0.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Looks at the value, and says at which generation.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&T) -> R) -> (R, u64) {
        let value = self.value.read().unwrap_or_else(PoisonError::into_inner);
        (look(&value), self.generation())
    }

    /// Changes the value, where `change` says that it did; returns the new generation. When this has returned, no note
    /// of an earlier look stands.
    pub(crate) fn change(&self, change: impl FnOnce(&mut T) -> bool) -> Option<u64> {
        let mut value = self.value.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut value).then(|| self.generation.fetch_add(1, Ordering::AcqRel) + 1)
    }
}

/// At which generation a look had a good result.
#[derive(Debug)]
pub(crate) struct Noted(AtomicU64);

impl Noted {
    /// At none.
    pub(crate) fn never() -> Self {
        Self(AtomicU64::new(0))
    }

    pub(crate) fn at(&self) -> u64 {
        // Relaxed: a note that is seen late costs one more look, and one that is seen at all was true at its generation.
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn note(&self, generation: u64) {
        self.0.store(generation, Ordering::Relaxed);
    }
}
