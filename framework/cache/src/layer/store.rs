//! What is stored: answers under their URL, bounded in bytes, several of them by `Vary`.

use crate::{Entry, Meta, Value, http::policy::Stored, store::memory::Memory};
use ::http::{HeaderMap, HeaderValue};
use bytes::Bytes;
use std::{
    hash::{BuildHasher as _, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tropos_core::Key;

/// As many as change entries at once on a busy server.
const LOCKS: u64 = 32;

/// A whole answer.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) stored: Stored,
    pub(super) body: Bytes,
}

impl Kept {
    /// Copies the values of the header: a connection's answer has them as parts of its buffer, and each would keep all of
    /// it, which no bound counts. `body` must hold nothing but itself.
    pub(super) fn new(mut stored: Stored, body: Bytes) -> Self {
        stored.headers.values_mut().for_each(|value| *value = copied(value));
        Self { stored, body }
    }

    fn weight(&self) -> usize {
        self.stored.weight() + self.body.len()
    }
}

fn copied(value: &HeaderValue) -> HeaderValue {
    // What is a value already is one again.
    let mut copy = HeaderValue::from_bytes(value.as_bytes()).unwrap_or_else(|_| value.clone());
    copy.set_sensitive(value.is_sensitive());
    copy
}

/// What became of an answer that was to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Put {
    /// It is stored.
    Kept,
    /// Its URL was removed while it was under way.
    Outdated,
    /// It is larger than what the store takes, or than the room that is left beside what is in use.
    Refused,
}

/// The answers under one URL, the newest first.
pub(super) struct Variants(Vec<Arc<Kept>>);

/// What a look-up came to.
pub(super) enum Found {
    /// Nothing is stored under this URL.
    Nothing,
    /// Something is, for other requests.
    OtherVariants,
    /// This is for the request.
    Answer(Arc<Kept>),
}

pub(super) struct Store {
    memory: Memory<Variants>,
    most_variants: usize,
    hasher: RandomState,
    /// One for all keys with the same remainder, held while the variants of a key are changed.
    locks: Box<[Mutex<()>]>,
}

impl Store {
    pub(super) fn new(most_bytes: u64, most_entries: usize, most_variants: usize) -> Self {
        Self {
            memory: Memory::new(most_bytes, most_entries),
            most_variants,
            hasher: RandomState::new(),
            locks: (0..LOCKS).map(|_| Mutex::default()).collect(),
        }
    }

    /// The answer that is for this request; the newest where there are several (RFC 9111 §4.1).
    pub(super) fn find(&self, key: &Key, request: &HeaderMap) -> Found {
        let Some(entry) = self.memory.get(key) else { return Found::Nothing };
        let found = entry.value.0.iter().find(|kept| kept.stored.selecting.matches(request));
        found.map_or(Found::OtherVariants, |kept| Found::Answer(kept.clone()))
    }

    /// The bytes that a body may have, to be stored under this key with this header.
    pub(super) fn most_body(&self, key: &Key, stored: &Stored) -> usize {
        self.memory.most_weight(key).saturating_sub(stored.weight())
    }

    /// Stores an answer in the place of those that are for the same request, unless `may` says no by then. The variants
    /// of a URL are one entry of the memory: the oldest go until the others fit.
    pub(super) fn put(
        &self,
        key: &Key,
        request: &HeaderMap,
        kept: Arc<Kept>,
        may: impl FnOnce() -> bool,
    ) -> Put {
        let _guard = self.lock(key);
        if !may() {
            return Put::Outdated;
        }
        let Some(mut left) = self.memory.most_weight(key).checked_sub(kept.weight()) else {
            // The other variants stay.
            self.remove_locked(key, request);
            return Put::Refused;
        };
        let mut variants = vec![kept];
        if let Some(entry) = self.memory.get(key) {
            let others = entry.value.0.iter().filter(|other| !other.stored.selecting.matches(request));
            let fitting = others.take(self.most_variants.saturating_sub(1)).map_while(|other| {
                left = left.checked_sub(other.weight())?;
                Some(other.clone())
            });
            variants.extend(fitting);
        }
        self.memory.insert(key, made_of(variants));
        // What is new may go at once, where all the others are in use.
        if self.memory.place(key).is_some() { Put::Kept } else { Put::Refused }
    }

    /// Removes the answers that are for this request.
    pub(super) fn remove_variant(&self, key: &Key, request: &HeaderMap) {
        let _guard = self.lock(key);
        self.remove_locked(key, request);
    }

    /// While the lock of the key is held.
    fn remove_locked(&self, key: &Key, request: &HeaderMap) {
        let Some(entry) = self.memory.get(key) else { return };
        let others = entry.value.0.iter().filter(|other| !other.stored.selecting.matches(request));
        let others: Vec<_> = others.cloned().collect();
        match others.len() {
            0 => self.memory.remove(key),
            length if length < entry.value.0.len() => {
                self.memory.insert(key, made_of(others));
            }
            _ => {}
        }
    }

    /// Removes all under this URL, and does `meanwhile` before anything can be stored there again.
    pub(super) fn remove(&self, key: &Key, meanwhile: impl FnOnce()) {
        let _guard = self.lock(key);
        meanwhile();
        self.memory.remove(key);
    }

    pub(super) fn bytes(&self) -> usize {
        self.memory.bytes()
    }

    fn lock(&self, key: &Key) -> Option<MutexGuard<'_, ()>> {
        let place = usize::try_from(self.hasher.hash_one(key) % LOCKS).unwrap_or(0);
        self.locks.get(place).map(|lock| lock.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The memory store asks for what entries of pages have. Of an HTTP answer its own header decides, so nothing is said;
/// all have one start, so that the last one stored stays.
fn made_of(variants: Vec<Arc<Kept>>) -> Arc<Entry<Variants>> {
    Arc::new(Entry::new(Meta::bare(), Variants(variants)))
}

/// Kept in memory alone: there is no form on disk, and what claims to be one is not believed.
impl Value for Variants {
    fn encode(&self, _out: &mut Vec<u8>) {}

    fn decode(_bytes: &[u8]) -> Option<Self> {
        None
    }

    fn weight(&self) -> usize {
        self.0.iter().map(|kept| kept.weight()).sum()
    }
}
