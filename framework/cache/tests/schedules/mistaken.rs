//! The flight with one mistake at a time. The landing is written anew here, the boarding is the real one but for what
//! is done with it wrongly.

#[path = "../../src/flight/boarding.rs"]
mod boarding;
#[path = "facts.rs"]
pub(crate) mod facts;
mod landing;

mod sync {
    pub(super) use loom::sync::{Mutex, MutexGuard};
}

use boarding::{Boarding, End, Flights, Permit};
use landing::Landing;
use std::{cell::Cell, mem, sync::Arc};
use tropos_core::Key;

/// What is easily got wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mistake {
    None,
    /// The key is looked up under one lock and taken under another.
    BoardsInTwoSteps,
    /// Who is told may find the flight that has landed.
    TellsBeforeItFrees,
    /// A render given up leaves its key taken.
    NeverFrees,
    /// A render given up tells nobody.
    TellsNobody,
    /// A waiter looks under one lock and leaves its waker under another.
    LooksThenLeavesItsWaker,
    /// The leader wakes before there is something to see.
    WakesThenTells,
    /// One waker is kept, the latest.
    KeepsOneWaker,
    /// A waiter that leaves takes the first waker along, not its own.
    TakesTheFirstWaker,
}

impl Mistake {
    pub(crate) const ALL: [Mistake; 8] = [
        Mistake::BoardsInTwoSteps,
        Mistake::TellsBeforeItFrees,
        Mistake::NeverFrees,
        Mistake::TellsNobody,
        Mistake::LooksThenLeavesItsWaker,
        Mistake::WakesThenTells,
        Mistake::KeepsOneWaker,
        Mistake::TakesTheFirstWaker,
    ];

    /// What the exploration says of it.
    pub(crate) fn breaks(self) -> &'static str {
        match self {
            Mistake::None => "nothing",
            Mistake::BoardsInTwoSteps => "two lead at a time",
            Mistake::TellsBeforeItFrees | Mistake::NeverFrees => "the key is not free",
            Mistake::TellsNobody
            | Mistake::LooksThenLeavesItsWaker
            | Mistake::WakesThenTells
            | Mistake::KeepsOneWaker
            | Mistake::TakesTheFirstWaker => "deadlock",
        }
    }

    /// Makes it from now on. All threads of a model run on the one that explores it.
    pub(crate) fn plant(self) {
        PLANTED.set(self);
    }

    fn is_planted(self) -> bool {
        PLANTED.get() == self
    }
}

thread_local! {
    static PLANTED: Cell<Mistake> = const { Cell::new(Mistake::None) };
}

fn board(flights: &Arc<Flights<()>>, key: &Key) -> Boarding<()> {
    if !Mistake::BoardsInTwoSteps.is_planted() || flights.shard(key).contains_key(key) {
        return flights.board(key);
    }
    let landing = Landing::new();
    flights.shard(key).insert(key.clone(), landing.clone());
    Boarding::Lead(Permit { flights: flights.clone(), key: key.clone(), landing, end: None })
}

fn land(permit: Permit<()>, end: End<()>) {
    if Mistake::TellsBeforeItFrees.is_planted() {
        permit.landing.tell(end.clone());
    }
    permit.land(end);
}

fn give_up(mut permit: Permit<()>) {
    if Mistake::NeverFrees.is_planted() {
        // Frees another key, then ends as it should.
        permit.key = Key::fetch("another");
    }
    if Mistake::TellsNobody.is_planted() {
        permit.flights.shard(&permit.key).remove(&permit.key);
        mem::forget(permit);
    }
}
