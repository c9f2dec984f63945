//! Who renders, and who waits.

use super::{
    landing::{Landing, Waiter},
    sync::{Mutex, MutexGuard},
};
use crate::Entry;
use std::{
    collections::{HashMap, hash_map},
    hash::{BuildHasher, RandomState},
    sync::{Arc, PoisonError},
};
use tropos_core::{Failure, Key};

/// As many as a busy server renders at once, so that two renders seldom meet at one lock.
const SHARDS: usize = 32;

/// The renders that are under way.
pub(crate) struct Flights<V> {
    hasher: RandomState,
    shards: [Mutex<Shard<V>>; SHARDS],
}

type Shard<V> = HashMap<Key, Arc<Landing<End<V>>>>;

/// How a render ends.
pub(super) type End<V> = Result<Landed<V>, Failure>;

/// A render that has ended well.
pub(crate) struct Landed<V> {
    pub(crate) entry: Arc<Entry<V>>,
    pub(crate) stored: bool,
    /// Whether the entry carries the tags of all that it read.
    pub(crate) all_tags: bool,
}

impl<V> Clone for Landed<V> {
    fn clone(&self) -> Self {
        Self { entry: self.entry.clone(), ..*self }
    }
}

/// What to do for a key: render, or wait.
pub(crate) enum Boarding<V> {
    Lead(Permit<V>),
    Join(Waiter<End<V>>),
}

/// The right, and the duty, to render. Its drop ends the flight. What it is made of is open to the module above, so
/// that the exploration of schedules can make mistakes with it.
pub(crate) struct Permit<V> {
    pub(super) flights: Arc<Flights<V>>,
    pub(super) key: Key,
    pub(super) landing: Arc<Landing<End<V>>>,
    pub(super) end: Option<End<V>>,
}

impl<V> Flights<V> {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { hasher: RandomState::new(), shards: std::array::from_fn(|_| Mutex::default()) })
    }

    /// Leads the flight of `key`, or joins it where it is under way.
    pub(crate) fn board(self: &Arc<Self>, key: &Key) -> Boarding<V> {
        match self.shard(key).entry(key.clone()) {
            hash_map::Entry::Occupied(flight) => Boarding::Join(Waiter::of(flight.get())),
            hash_map::Entry::Vacant(free) => {
                let landing = free.insert(Landing::new()).clone();
                Boarding::Lead(Permit { flights: self.clone(), key: key.clone(), landing, end: None })
            }
        }
    }

    pub(super) fn shard(&self, key: &Key) -> MutexGuard<'_, Shard<V>> {
        let at = self.hasher.hash_one(key) as usize % SHARDS;
        // The modulus is the length, so the first shard is never taken for want of another.
        let shard = self.shards.get(at).unwrap_or(&self.shards[0]);
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V> Permit<V> {
    /// Someone to wait for this render.
    pub(crate) fn waiter(&self) -> Waiter<End<V>> {
        Waiter::of(&self.landing)
    }

    /// Ends the flight with a result.
    pub(crate) fn land(mut self, end: Result<Landed<V>, Failure>) {
        self.end = Some(end);
    }
}

impl<V> Drop for Permit<V> {
    /// The key is free before anybody is told, so that who competes again can lead.
    fn drop(&mut self) {
        self.flights.shard(&self.key).remove(&self.key);
        let dropped = || Err(Failure::new("the render was dropped before it had ended"));
        self.landing.tell(self.end.take().unwrap_or_else(dropped));
    }
}
