//! Every schedule of hits and invalidations over the real source of the generation that hits compare, with loom's locks in
//! place of the library's.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "the source holds more than the exploration needs")]

mod sync {
    pub(crate) use loom::sync::{
        RwLock,
        atomic::{AtomicU64, Ordering},
    };
    pub(crate) use std::sync::PoisonError;
}

#[path = "../src/tags/versioned.rs"]
mod versioned;

use loom::{
    sync::{Arc, atomic::AtomicBool, atomic::Ordering},
    thread,
};
use versioned::{Noted, Versioned};

/// Switches away from a thread that could go on; two show each mistake.
const PREEMPTIONS: usize = 3;

/// What is easily got wrong around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    Real,
    /// Notes the generation that stands after the look instead of the one that stood at it.
    NotesTooLate,
    /// Takes the note for true whatever the generation.
    DoesNotCompare,
}

/// One number, as on one tag, and an entry that began at 0.
struct World {
    number: Versioned<u64>,
    noted: Noted,
    returned: AtomicBool,
}

impl World {
    /// Whether a hit would be served.
    fn is_valid(&self, reader: Reader) -> bool {
        let noted = self.noted.at();
        if noted != 0 && (noted == self.number.generation() || reader == Reader::DoesNotCompare) {
            return true;
        }
        let (valid, generation) = self.number.look(|number| *number == 0);
        if valid {
            let generation =
                if reader == Reader::NotesTooLate { self.number.generation() } else { generation };
            self.noted.note(generation);
        }
        valid
    }

    /// An invalidation that returns; then a reader comes.
    fn invalidate(&self) {
        self.number.change(|number| {
            *number += 1;
            true
        });
        self.returned.store(true, Ordering::SeqCst);
    }
}

fn no_hit_after_an_invalidation_has_returned(reader: Reader) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(PREEMPTIONS);
    model.check(move || {
        let world = Arc::new(World {
            number: Versioned::new(0),
            noted: Noted::never(),
            returned: AtomicBool::new(false),
        });
        let reads = |world: Arc<World>| {
            move || {
                let returned = world.returned.load(Ordering::SeqCst);
                assert!(!(world.is_valid(reader) && returned), "old data was served");
            }
        };
        let reading = thread::spawn(reads(world.clone()));
        let writing = {
            let world = world.clone();
            thread::spawn(move || world.invalidate())
        };
        reads(world.clone())();
        reads(world.clone())();
        reading.join().unwrap();
        writing.join().unwrap();
        assert!(!world.is_valid(reader), "old data was served at the end");
    });
}

#[test]
fn a_hit_that_compares_generations_serves_nothing_that_was_invalidated() {
    no_hit_after_an_invalidation_has_returned(Reader::Real);
}

#[test]
#[should_panic(expected = "old data was served")]
fn a_note_of_the_generation_after_the_look_would_serve_old_data() {
    no_hit_after_an_invalidation_has_returned(Reader::NotesTooLate);
}

#[test]
#[should_panic(expected = "old data was served")]
fn a_note_without_its_generation_would_serve_old_data() {
    no_hit_after_an_invalidation_has_returned(Reader::DoesNotCompare);
}
