//! Every schedule of threads over the single flight, with the real source: `src/flight/` takes its locks from the module
//! above it, and here they are loom's.
//!
//! Loom runs a small program once for each order in which its threads can come to their locks and wakers, up to
//! [`PREEMPTIONS`] forced switches, and reports threads that wait for ever. Mistakes that are easily made show that it
//! would have found them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::duplicate_mod, reason = "the same facts and the same boarding, over two landings")]
#![allow(dead_code, reason = "the sources hold more than each exploration needs")]

mod mistaken;
mod real;

use mistaken::Mistake;
use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tropos_cache::Entry;

/// Switches away from a thread that could go on. Two show every mistake below; four leave a margin and are explored in
/// seconds, while five take four times as long.
const PREEMPTIONS: usize = 4;
const PREEMPTIONS_FOR_MISTAKES: usize = 2;

/// Runs a fact in every schedule, and says how many there were.
fn explore(fact: fn(), preemptions: usize) -> usize {
    let schedules = Arc::new(AtomicUsize::new(0));
    let counted = schedules.clone();
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(preemptions);
    model.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        fact();
    });
    schedules.load(Ordering::Relaxed)
}

#[test]
fn every_fact_holds_in_every_schedule() {
    let mut all = 0;
    for (name, fact) in real::facts::ALL {
        let schedules = explore(*fact, PREEMPTIONS);
        println!("{name}: {schedules} schedules");
        all += schedules;
    }
    assert!(all > 20_000, "only {all} schedules: the exploration has lost them");
}

#[test]
fn the_stand_in_without_a_mistake_holds_too() {
    Mistake::None.plant();
    for (_, fact) in mistaken::facts::ALL {
        explore(*fact, PREEMPTIONS_FOR_MISTAKES);
    }
}

/// Names the mistake to a process that is started to make it.
const MISTAKE: &str = "SCHEDULES_MISTAKE";

/// Each is made by a process of its own: a thread that waits for ever, or a broken fact in the midst of others, leaves
/// loom in no state to go on.
#[test]
fn each_mistake_breaks_a_fact_in_some_schedule() {
    let name = "each_mistake_breaks_a_fact_in_some_schedule";
    if let Some(planted) = std::env::var_os(MISTAKE) {
        let mistake = Mistake::ALL.into_iter().find(|mistake| *planted == *format!("{mistake:?}"));
        mistake.unwrap().plant();
        mistaken::facts::ALL
            .iter()
            .for_each(|(_, fact)| assert_ne!(explore(*fact, PREEMPTIONS_FOR_MISTAKES), 0));
        return;
    }
    for mistake in Mistake::ALL {
        let mut process = Command::new(std::env::current_exe().unwrap());
        process.args(["--exact", name, "--nocapture"]).env("RUST_BACKTRACE", "0");
        let end = process.env(MISTAKE, format!("{mistake:?}")).output().unwrap();
        let (said, breaks) = (String::from_utf8_lossy(&end.stderr), mistake.breaks());
        assert!(!end.status.success(), "{mistake:?}: no schedule shows it");
        assert!(said.contains(breaks), "{mistake:?}: not `{breaks}` but {said}");
    }
}
