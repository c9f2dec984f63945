//! Every schedule of hits and invalidations over the real source of the generation that hits compare, with loom's locks in
//! place of the library's; and of renders that take their number and the floor from it.

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

/// How an instance may learn of an invalidation, and how a render may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// The floor is raised, then the number; a render takes both in one look.
    Real,
    NumberBeforeFloor,
    /// A render looks for the floor, then for its number.
    FloorBeforeStamp,
    /// A render looks for its number, then for the floor: in two looks, and right all the same.
    StampBeforeFloor,
}

/// The number that is known, and the position that renders must have seen: invalidation `n` carries position `n`.
#[derive(Debug, Clone, Copy, Default)]
struct Sequence {
    number: u64,
    floor: u64,
}

fn a_floor_covers_the_number_that_is_taken_with_it(order: Order) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(PREEMPTIONS);
    model.check(move || {
        let sequence = Arc::new(Versioned::new(Sequence::default()));
        let writing = {
            let sequence = sequence.clone();
            thread::spawn(move || {
                for n in 1..=2 {
                    let raise = || {
                        sequence.change(|sequence| {
                            sequence.floor = n;
                            false // no entry becomes invalid by it
                        })
                    };
                    let apply = || {
                        sequence.change(|sequence| {
                            sequence.number = n;
                            true
                        })
                    };
                    match order {
                        Order::NumberBeforeFloor => (apply(), raise()),
                        _ => (raise(), apply()),
                    };
                }
            })
        };
        for _render in 0..2 {
            let number = || sequence.look(|sequence| sequence.number).0;
            let floor = || sequence.look(|sequence| sequence.floor).0;
            let (stamp, floor) = match order {
                Order::Real | Order::NumberBeforeFloor => {
                    sequence.look(|sequence| (sequence.number, sequence.floor)).0
                }
                Order::FloorBeforeStamp => {
                    let floor = floor();
                    (number(), floor)
                }
                Order::StampBeforeFloor => (number(), floor()),
            };
            assert!(floor >= stamp, "a replica behind the write was read");
        }
        writing.join().unwrap();
    });
}

#[test]
fn g9_what_a_render_requires_covers_every_invalidation_that_its_stamp_covers() {
    a_floor_covers_the_number_that_is_taken_with_it(Order::Real);
    a_floor_covers_the_number_that_is_taken_with_it(Order::StampBeforeFloor);
}

#[test]
#[should_panic(expected = "a replica behind the write was read")]
fn g9_a_number_that_is_known_before_its_position_would_not_do() {
    a_floor_covers_the_number_that_is_taken_with_it(Order::NumberBeforeFloor);
}

#[test]
#[should_panic(expected = "a replica behind the write was read")]
fn g9_a_floor_that_is_taken_before_the_stamp_would_not_do() {
    a_floor_covers_the_number_that_is_taken_with_it(Order::FloorBeforeStamp);
}
