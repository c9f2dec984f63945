//! The flight as it is, with locks that loom sees.

#[path = "../../src/flight/boarding.rs"]
mod boarding;
#[path = "facts.rs"]
pub(crate) mod facts;
#[path = "../../src/flight/landing.rs"]
mod landing;

mod sync {
    pub(super) use loom::sync::{Mutex, MutexGuard};
}

use boarding::{Boarding, End, Flights, Permit};
use std::sync::Arc;
use tropos_core::Key;

fn board(flights: &Arc<Flights<()>>, key: &Key) -> Boarding<()> {
    flights.board(key)
}

fn land(permit: Permit<()>, end: End<()>) {
    permit.land(end);
}

fn give_up(permit: Permit<()>) {
    drop(permit);
}
