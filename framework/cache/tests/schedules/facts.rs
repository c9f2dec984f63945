//! What must hold in every schedule. Each fact is a small program of two or three threads; one that waits for ever is
//! found by loom itself.

use super::{
    boarding::{Boarding, End, Flights, Permit},
    land,
};
use futures::FutureExt;
use loom::{
    future::block_on,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread::{self, JoinHandle},
};
use std::sync::Arc;
use tropos_core::{Failure, Key};

/// A fact by its name.
pub(crate) type Fact = (&'static str, fn());

pub(crate) const ALL: &[Fact] = &[
    ("one leads at a time, and the others are told", one_leads_at_a_time_and_the_others_are_told),
    ("a render given up frees the key and tells the others", a_render_given_up_frees_the_key),
    ("who is told finds the key free", who_is_told_finds_the_key_free),
    ("who leaves takes nobody's news along", who_leaves_takes_nobodys_news_along),
    ("readers who look again once they lead render once", readers_who_look_again_render_once),
];

fn key() -> Key {
    Key::fetch("a")
}

fn rain() -> End<()> {
    Err(Failure::new("it rained"))
}

fn says(end: End<()>) -> String {
    end.err().unwrap().to_string()
}

fn lead(flights: &Arc<Flights<()>>) -> Permit<()> {
    match super::board(flights, &key()) {
        Boarding::Lead(permit) => permit,
        Boarding::Join(_) => panic!("the key is not free"),
    }
}

fn join_all(threads: impl IntoIterator<Item = JoinHandle<()>>) {
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

fn one_leads_at_a_time_and_the_others_are_told() {
    compete(|permit| land(permit, rain()), "it rained");
}

fn a_render_given_up_frees_the_key() {
    compete(super::give_up, "the render was dropped before it had ended");
}

/// Three come at any moment: who leads ends the flight, who does not waits for the end.
fn compete(end: fn(Permit<()>), told: &'static str) {
    let (flights, leaders) = (Flights::new(), Arc::new(AtomicUsize::new(0)));
    let come = {
        let flights = flights.clone();
        move || match super::board(&flights, &key()) {
            Boarding::Lead(permit) => {
                assert_eq!(leaders.fetch_add(1, SeqCst), 0, "two lead at a time");
                leaders.fetch_sub(1, SeqCst);
                end(permit);
            }
            Boarding::Join(waiter) => assert_eq!(says(block_on(waiter.wait())), told),
        }
    };
    let others = [thread::spawn(come.clone()), thread::spawn(come.clone())];
    come();
    join_all(others);
    drop(lead(&flights));
}

fn who_is_told_finds_the_key_free() {
    let flights = Flights::new();
    let permit = lead(&flights);
    let waiter = permit.waiter();
    let told = thread::spawn(move || {
        assert_eq!(says(block_on(waiter.wait())), "it rained");
        drop(lead(&flights));
    });
    land(permit, rain());
    join_all([told]);
}

fn who_leaves_takes_nobodys_news_along() {
    let flights = Flights::new();
    let permit = lead(&flights);
    let (stays, leaves) = (permit.waiter(), permit.waiter());
    let stays = thread::spawn(move || assert_eq!(says(block_on(stays.wait())), "it rained"));
    // Asks once, leaves a waker if it is too early, and goes.
    let leaves = thread::spawn(move || drop(leaves.wait().now_or_never()));
    land(permit, rain());
    join_all([stays, leaves]);
}

/// As `Cache::serve` does: look up, board, look up again if it leads, render, store, land.
fn readers_who_look_again_render_once() {
    let (flights, stored) = (Flights::new(), Arc::new(Mutex::new(false)));
    let renders = Arc::new(AtomicUsize::new(0));
    let read = {
        let (flights, renders) = (flights.clone(), renders.clone());
        move || {
            while !*stored.lock().unwrap() {
                match super::board(&flights, &key()) {
                    Boarding::Join(waiter) => drop(block_on(waiter.wait())),
                    Boarding::Lead(_) if *stored.lock().unwrap() => {}
                    Boarding::Lead(permit) => {
                        renders.fetch_add(1, SeqCst);
                        *stored.lock().unwrap() = true;
                        land(permit, rain());
                    }
                }
            }
        }
    };
    let other = thread::spawn(read.clone());
    read();
    join_all([other]);
    assert_eq!(renders.load(SeqCst), 1);
    drop(lead(&flights));
}
