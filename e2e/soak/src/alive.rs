//! Counts the values that anybody still holds: from outside, so that what the engine forgets to release counts too.

use bytes::Bytes;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// The values of one kind.
#[derive(Debug, Clone, Default)]
pub struct Alive(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    made: AtomicU64,
    made_bytes: AtomicU64,
    values: AtomicU64,
    bytes: AtomicU64,
}

struct Held {
    value: Vec<u8>,
    counts: Arc<Counts>,
}

impl Alive {
    /// The bytes of a value, which counts until the last handle on them is gone.
    pub fn hold(&self, value: Vec<u8>) -> Bytes {
        let bytes = value.len() as u64;
        self.0.made.fetch_add(1, Ordering::Relaxed);
        self.0.made_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.0.values.fetch_add(1, Ordering::Relaxed);
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
        Bytes::from_owner(Held { value, counts: self.0.clone() })
    }

    /// How many were ever made.
    pub fn made(&self) -> u64 {
        self.0.made.load(Ordering::Relaxed)
    }

    /// How many bytes were ever made.
    pub fn made_bytes(&self) -> u64 {
        self.0.made_bytes.load(Ordering::Relaxed)
    }

    /// How many are held.
    pub fn values(&self) -> u64 {
        self.0.values.load(Ordering::Relaxed)
    }

    /// How many bytes are held.
    pub fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.value
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.counts.values.fetch_sub(1, Ordering::Relaxed);
        self.counts.bytes.fetch_sub(self.value.len() as u64, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_counts_until_its_last_handle_is_gone() {
        let alive = Alive::default();
        let one = alive.hold(vec![0; 10]);
        let part = one.slice(2..4);
        let two = alive.hold(vec![0; 5]);
        assert_eq!((alive.values(), alive.bytes()), (2, 15));
        drop((one, two));
        assert_eq!((alive.values(), alive.bytes()), (1, 10));
        drop(part);
        assert_eq!((alive.values(), alive.bytes(), alive.made(), alive.made_bytes()), (0, 0, 2, 15));
    }
}
