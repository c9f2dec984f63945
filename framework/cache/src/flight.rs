//! Single flight: one render a key at a time, and others who wait for it.
//!
//! A permit that is dropped in any way frees the key and tells those who wait.

use crate::Entry;
use std::{
    collections::{HashMap, hash_map},
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;
use tropos_core::{Failure, Key};

/// As many as a busy server renders at once, so that two renders seldom meet at one lock.
const SHARDS: usize = 32;

/// The renders that are under way.
pub(crate) struct Flights<V> {
    hasher: RandomState,
    shards: [Mutex<Shard<V>>; SHARDS],
}

type Shard<V> = HashMap<Key, watch::Receiver<Landing<V>>>;

/// `None` while the render is under way.
type Landing<V> = Option<Result<Landed<V>, Failure>>;

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
    Join(Waiter<V>),
}

/// The right, and the duty, to render.
pub(crate) struct Permit<V> {
    flights: Arc<Flights<V>>,
    key: Key,
    sender: watch::Sender<Landing<V>>,
}

/// Waits for a render.
pub(crate) struct Waiter<V>(watch::Receiver<Landing<V>>);

impl<V> Flights<V> {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { hasher: RandomState::new(), shards: std::array::from_fn(|_| Mutex::default()) })
    }

    /// Leads the flight of `key`, or joins it where it is under way.
    pub(crate) fn board(self: &Arc<Self>, key: &Key) -> Boarding<V> {
        match self.shard(key).entry(key.clone()) {
            hash_map::Entry::Occupied(flight) => Boarding::Join(Waiter(flight.get().clone())),
            hash_map::Entry::Vacant(free) => {
                let (sender, receiver) = watch::channel(None);
                free.insert(receiver);
                Boarding::Lead(Permit { flights: self.clone(), key: key.clone(), sender })
            }
        }
    }

    fn shard(&self, key: &Key) -> MutexGuard<'_, Shard<V>> {
        let at = self.hasher.hash_one(key) as usize % SHARDS;
        // The modulus is the length, so the first shard is never taken for want of another.
        let shard = self.shards.get(at).unwrap_or(&self.shards[0]);
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V> Permit<V> {
    /// Someone to wait for this render.
    pub(crate) fn waiter(&self) -> Waiter<V> {
        Waiter(self.sender.subscribe())
    }

    /// Ends the flight. The key is free before anybody is told, so that who competes again can lead.
    pub(crate) fn land(self, result: Result<Landed<V>, Failure>) {
        self.flights.shard(&self.key).remove(&self.key);
        self.sender.send_replace(Some(result));
    }
}

impl<V> Drop for Permit<V> {
    fn drop(&mut self) {
        if self.sender.borrow().is_none() {
            self.flights.shard(&self.key).remove(&self.key);
        }
    }
}

impl<V> Waiter<V> {
    /// The end of the render.
    pub(crate) async fn wait(mut self) -> Result<Landed<V>, Failure> {
        let dropped = || Failure::new("the render was dropped before it had ended");
        match self.0.wait_for(Option::is_some).await {
            Ok(landing) => landing.clone().unwrap_or_else(|| Err(dropped())),
            Err(_) => Err(dropped()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_permit_that_is_dropped_frees_the_key_and_tells_those_who_wait() {
        let flights = Flights::<()>::new();
        let key = Key::fetch("a");
        let Boarding::Lead(permit) = flights.board(&key) else { panic!("nobody leads yet") };
        let Boarding::Join(waiter) = flights.board(&key) else { panic!("one leads already") };
        assert!(matches!(flights.board(&Key::fetch("b")), Boarding::Lead(_)));
        drop(permit);
        assert!(waiter.wait().await.is_err());
        assert!(matches!(flights.board(&key), Boarding::Lead(_)));
    }

    #[tokio::test]
    async fn a_flight_that_has_landed_is_forgotten_but_for_those_who_waited() {
        let flights = Flights::<()>::new();
        let key = Key::fetch("a");
        let Boarding::Lead(permit) = flights.board(&key) else { panic!("nobody leads yet") };
        let waiter = permit.waiter();
        permit.land(Err(Failure::new("it rained")));
        let Boarding::Lead(next) = flights.board(&key) else { panic!("the key is free") };
        assert_eq!(
            waiter.wait().await.err().map(|failure| failure.to_string()),
            Some("it rained".to_owned())
        );
        assert!(
            matches!(flights.board(&key), Boarding::Join(_)),
            "the end of the first does not end the next"
        );
        drop(next);
    }
}
