//! What one visitor has seen, and one scope has written.

use super::Required;
use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};
use tropos_core::{MOST_SHARDS, Positions};

/// Of one scope. A bit for each shard: there are 64 at most.
#[derive(Debug, Default)]
pub(crate) struct Personal {
    seen: Mutex<Positions>,
    /// Shards that were written to.
    wrote: AtomicU64,
    /// Those of them whose positions nobody has asked for since.
    to_ask: AtomicU64,
}

impl Personal {
    pub(crate) fn has_seen(&self, positions: &Positions) {
        self.lock().merge(positions);
    }

    pub(crate) fn seen(&self) -> Positions {
        self.lock().clone()
    }

    pub(crate) fn write(&self, shard: u16) {
        self.to_ask.fetch_or(bit(shard), Ordering::SeqCst);
        self.wrote.fetch_or(bit(shard), Ordering::SeqCst);
    }

    pub(crate) fn take_written(&self) -> Vec<u16> {
        let written = self.to_ask.swap(0, Ordering::SeqCst);
        (0u16..).take(MOST_SHARDS).filter(|shard| written & bit(*shard) != 0).collect()
    }

    pub(crate) fn has_written(&self, shard: u16) -> bool {
        self.wrote.load(Ordering::SeqCst) & bit(shard) != 0
    }

    pub(crate) fn has_written_at_all(&self) -> bool {
        self.wrote.load(Ordering::SeqCst) != 0
    }

    pub(crate) fn requires(&self, shard: u16) -> Required {
        match self.has_written(shard) {
            true => Required::Primary,
            false => Required::at(self.lock().of(shard)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Positions> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bit(shard: u16) -> u64 {
    1u64.checked_shl(u32::from(shard)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_written_to_a_shard_reads_its_primary_and_is_asked_for_its_position_once() {
        let personal = Personal::default();
        personal.has_seen(&[(0, 9), (63, 4)].into_iter().collect());
        personal.write(3);
        personal.write(63);
        let required = [0, 1, 3, 63].map(|shard| personal.requires(shard));
        assert_eq!(required, {
            [Required::Position(9), Required::Nothing, Required::Primary, Required::Primary]
        });
        assert_eq!(personal.take_written(), [3, 63]);
        assert!(personal.take_written().is_empty());
        personal.has_seen(&[(3, 1)].into_iter().collect());
        assert_eq!(personal.requires(3), Required::Primary, "for good");
        personal.write(0);
        assert_eq!(personal.take_written(), [0]);
        assert_eq!(personal.seen().to_string(), "0-9_3-1_3f-4");
    }
}
