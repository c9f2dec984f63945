//! One request at a time for one URL, and others who wait for it.

use std::{
    collections::{HashMap, hash_map},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;
use tropos_core::Key;

/// The URLs that are being asked for.
#[derive(Default)]
pub(super) struct Flights(Mutex<HashMap<Key, watch::Receiver<End>>>);

/// How a flight ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It has not; dropped in this state it was given up, and who waits may take its place.
    Open,
    /// What came is stored.
    Stored,
    /// What came is of use to nobody else.
    NotShared,
}

/// What to do for a URL: ask, or wait.
pub(super) enum Boarding {
    Lead(Permit),
    Join(Waiter),
}

/// The right to ask for a URL.
pub(super) struct Permit {
    flights: Arc<Flights>,
    key: Key,
    end: watch::Sender<End>,
}

/// Waits for the one who asks.
pub(super) struct Waiter(watch::Receiver<End>);

impl Flights {
    pub(super) fn board(self: &Arc<Self>, key: &Key) -> Boarding {
        match self.lock().entry(key.clone()) {
            hash_map::Entry::Occupied(flight) => Boarding::Join(Waiter(flight.get().clone())),
            hash_map::Entry::Vacant(free) => {
                let (end, receiver) = watch::channel(End::Open);
                free.insert(receiver);
                Boarding::Lead(Permit { flights: self.clone(), key: key.clone(), end })
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, watch::Receiver<End>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// Ends the flight. The key is free before anybody is told, so that who competes again can lead.
    pub(super) fn end(self, end: End) {
        self.flights.lock().remove(&self.key);
        self.end.send_replace(end);
    }
}

/// Also where it was given up: a permit has no other end.
impl Drop for Permit {
    fn drop(&mut self) {
        if *self.end.borrow() == End::Open {
            self.flights.lock().remove(&self.key);
        }
    }
}

impl Waiter {
    pub(super) async fn wait(mut self) -> End {
        let ended = self.0.wait_for(|end| *end != End::Open).await;
        ended.map_or(End::Open, |end| *end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_flight_that_is_given_up_makes_room_for_another() {
        let flights = Arc::<Flights>::default();
        let key = Key::from_stored("a");
        let Boarding::Lead(permit) = flights.board(&key) else { panic!("nobody leads yet") };
        let Boarding::Join(waiter) = flights.board(&key) else { panic!("one leads already") };
        drop(permit);
        assert_eq!(waiter.wait().await, End::Open);
        let Boarding::Lead(permit) = flights.board(&key) else { panic!("the key is free") };
        let Boarding::Join(waiter) = flights.board(&key) else { panic!("one leads already") };
        permit.end(End::Stored);
        assert_eq!(waiter.wait().await, End::Stored);
        assert!(matches!(flights.board(&key), Boarding::Lead(_)));
    }
}
