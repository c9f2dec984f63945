//! A hit allocates nothing.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{sync::Arc, time::Duration};
use tropos_cache::{Data, Decision, Engine, Produced};
use tropos_core::{Ages, Key, ManualClock, Revalidate};

async fn store(engine: &Engine, key: &Key, value: &str) {
    let request = tropos_cache::Request {
        negative: Duration::ZERO,
        fresh: true,
        ..tropos_cache::Request::new(
            key,
            Ages::new(Revalidate::After(Duration::from_secs(60)), None).unwrap(),
        )
    };
    let value = Data(value.to_owned().into());
    let produced = Produced { value, negative: false, store: true };
    engine.data().serve(request, async move || Ok(produced)).await.result.unwrap();
}

fn read(engine: &Engine, place: &tropos_cache::Place<Data>) -> Option<bytes::Bytes> {
    let found = engine.data().peek_at(place, |entry, decision, _| {
        matches!(decision, Decision::Hit { .. }).then(|| entry.value.0.clone())
    });
    found.flatten()
}

#[tokio::test]
async fn a_look_at_an_entry_allocates_nothing() {
    let engine = Engine::in_memory(Arc::new(ManualClock::new()));
    let key = Key::fetch("a");
    store(&engine, &key, "one").await;
    let place = engine.data().place(&key).unwrap();
    // The first look of a thread makes its list of what it reads.
    read(&engine, &place).unwrap();
    let counted = allocation_counter::measure(|| drop(engine.data().peek(&key).unwrap()));
    assert_eq!(counted.count_total, 0, "by key");
    let counted = allocation_counter::measure(|| drop(read(&engine, &place).unwrap()));
    assert_eq!(counted.count_total, 0, "by place");
}

#[tokio::test]
async fn a_place_shows_what_is_stored_there_and_nothing_once_it_is_driven_out() {
    let clock = ManualClock::new();
    let engine = Engine::in_memory(Arc::new(clock.clone()));
    let key = Key::fetch("a");
    store(&engine, &key, "one").await;
    let place = engine.data().place(&key).unwrap();
    clock.advance(Duration::from_secs(61));
    assert_eq!(read(&engine, &place), None, "stale");
    store(&engine, &key, "two").await;
    assert_eq!(read(&engine, &place).as_deref(), Some(&b"two"[..]));
    assert_eq!(engine.data().place(&Key::fetch("b")).map(drop), None);

    // One that nobody looks at is driven out by what comes after it.
    let unread = Key::fetch("c");
    store(&engine, &unread, "three").await;
    let place = engine.data().place(&unread).unwrap();
    let large = "x".repeat(1 << 20);
    for number in 0..200 {
        store(&engine, &Key::fetch(&number.to_string()), &large).await;
    }
    assert!(engine.data().peek(&unread).is_none());
    assert_eq!(read(&engine, &place), None, "driven out");
}
