//! Requests that come at once. Time is paused: where nothing else can run, it moves on to the next timer.

use crate::origin::{Got, Setup, Unreachable, read, reply, settle};
use axum::body::Body;
use futures::{FutureExt as _, StreamExt as _, future::join_all, stream};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{sync::Semaphore, time::Instant};
use tropos_cache::layer::LayerConfig;

/// An origin that answers each request once the test gives leave.
fn gated(fields: &'static [(&'static str, &'static str)]) -> (Setup, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let opened = gate.clone();
    let config = LayerConfig::default().most_wait(Duration::from_secs(5));
    let setup = Setup::with(config, move |_| {
        let gate = opened.clone();
        async move {
            gate.acquire().await.map_err(|_| Unreachable)?.forget();
            reply(200, fields, "hello").await
        }
        .boxed()
    });
    (setup, gate)
}

/// So many requests at once, polled until the origin has those that it gets.
async fn at_once(setup: &Setup, number: usize) -> Vec<tokio::task::JoinHandle<Got>> {
    let requests = (0..number).map(|_| {
        let sent = setup.send("GET", "/", &[]);
        tokio::spawn(async move { read(sent.await.unwrap()).await })
    });
    let requests = requests.collect();
    settle().await;
    requests
}

async fn statuses(requests: Vec<tokio::task::JoinHandle<Got>>) -> Vec<String> {
    let mut all: Vec<_> =
        join_all(requests).await.into_iter().map(|got| got.unwrap().cache_status().to_owned()).collect();
    all.sort_unstable();
    all
}

#[tokio::test(start_paused = true)]
async fn one_request_asks_for_all_that_come_meanwhile() {
    let (setup, gate) = gated(&[("cache-control", "max-age=60")]);
    let requests = at_once(&setup, 20).await;
    assert_eq!(setup.asked(), 1);
    gate.add_permits(1);
    let statuses = statuses(requests).await;
    assert_eq!(statuses.iter().filter(|status| status.ends_with("fwd=uri-miss; collapsed")).count(), 19);
    assert_eq!(statuses.last().unwrap(), "tropos; fwd=uri-miss; stored");
    assert_eq!(setup.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_shared_sends_all_to_the_origin_and_nobody_waits_again() {
    let (setup, gate) = gated(&[("cache-control", "private")]);
    let requests = at_once(&setup, 5).await;
    assert_eq!(setup.asked(), 1);
    gate.add_permits(1);
    settle().await;
    assert_eq!(setup.asked(), 5, "at once, not one after another");
    gate.add_permits(4);
    assert_eq!(statuses(requests).await, vec!["tropos; fwd=uri-miss; detail=private"; 5]);
    let again = at_once(&setup, 5).await;
    assert_eq!(setup.asked(), 10, "known by now");
    gate.add_permits(5);
    statuses(again).await;
    setup.clock.advance(Duration::from_secs(121));
    let later = at_once(&setup, 5).await;
    assert_eq!(setup.asked(), 11, "and forgotten again");
    gate.add_permits(5);
    statuses(later).await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_the_store_does_not_take_sends_all_to_the_origin_at_once() {
    let gate = Arc::new(Semaphore::new(0));
    let opened = gate.clone();
    let config = LayerConfig::default().most_bytes(1 << 20);
    let setup = Setup::with(config, move |_| {
        let gate = opened.clone();
        async move {
            gate.acquire().await.map_err(|_| Unreachable)?.forget();
            // Of no length that is known before its end.
            let part = || Ok::<_, std::io::Error>(bytes::Bytes::from_static(&[b'x'; 1000]));
            let body = Body::from_stream(stream::repeat_with(part).take(1500));
            reply(200, &[("cache-control", "max-age=60")], body).await
        }
        .boxed()
    });
    let requests = at_once(&setup, 5).await;
    assert_eq!(setup.asked(), 1);
    gate.add_permits(1);
    for _ in 0..100 {
        settle().await;
    }
    assert_eq!(setup.asked(), 5, "not one after another");
    gate.add_permits(4);
    statuses(requests).await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_finds_no_room_beside_what_is_in_use_sends_all_to_the_origin_at_once() {
    let gate = Arc::new(Semaphore::new(0));
    let opened = gate.clone();
    let config = LayerConfig::default().most_bytes(1 << 20);
    let setup = Setup::with(config, move |request| {
        let gate = opened.clone();
        let (is_large, size) = if request.uri().path() == "/" { (true, 500_000) } else { (false, 100_000) };
        async move {
            if is_large {
                gate.acquire().await.map_err(|_| Unreachable)?.forget();
            }
            reply(200, &[("cache-control", "max-age=60")], vec![b'x'; size]).await
        }
        .boxed()
    });
    for _ in 0..2 {
        for number in 0..10 {
            setup.get(&format!("/{number}")).await;
        }
    }
    assert_eq!(setup.asked(), 10, "all are in use, and fill the store");
    let requests = at_once(&setup, 4).await;
    assert_eq!(setup.asked(), 11);
    gate.add_permits(1);
    settle().await;
    assert_eq!(setup.asked(), 14, "not one after another");
    gate.add_permits(3);
    statuses(requests).await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_must_be_validated_each_time_is_not_waited_for_again() {
    let cases: [&'static [(&str, &str)]; 2] = [
        &[("cache-control", "no-cache"), ("etag", "\"a\"")],
        &[("cache-control", "max-age=0"), ("etag", "\"a\"")],
    ];
    for fields in cases {
        let (setup, gate) = gated(fields);
        let requests = at_once(&setup, 5).await;
        assert_eq!(setup.asked(), 1, "{fields:?}");
        gate.add_permits(1);
        settle().await;
        assert_eq!(setup.asked(), 5, "{fields:?}");
        gate.add_permits(4);
        statuses(requests).await;
        let again = at_once(&setup, 5).await;
        assert_eq!(setup.asked(), 10, "{fields:?}");
        gate.add_permits(5);
        statuses(again).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_does_not_end_the_sharing_of_what_comes_after_it() {
    let number = AtomicUsize::new(0);
    let gate = Arc::new(Semaphore::new(0));
    let opened = gate.clone();
    let setup = Setup::new(move |_| {
        let status = if number.fetch_add(1, Ordering::SeqCst) == 0 { 503 } else { 200 };
        let gate = opened.clone();
        async move {
            gate.acquire().await.map_err(|_| Unreachable)?.forget();
            reply(status, &[("cache-control", "max-age=60"), ("vary", "*")], "x").await
        }
        .boxed()
    });
    gate.add_permits(1);
    assert_eq!(setup.get("/").await.status, 503);
    let requests = at_once(&setup, 3).await;
    assert_eq!(setup.asked(), 2, "one asks, two wait");
    gate.add_permits(3);
    statuses(requests).await;
}

#[tokio::test(start_paused = true)]
async fn one_who_leaves_before_the_answer_hands_the_flight_on() {
    let (setup, gate) = gated(&[("cache-control", "max-age=60")]);
    let mut requests = at_once(&setup, 4).await;
    let leader = requests.remove(0);
    leader.abort();
    settle().await;
    assert_eq!(setup.asked(), 2, "one of those who waited, not all");
    gate.add_permits(2);
    let statuses = statuses(requests).await;
    assert_eq!(statuses.iter().filter(|status| status.ends_with("collapsed")).count(), 2, "{statuses:?}");
    assert_eq!(setup.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_longer_than_the_bound() {
    let (setup, gate) = gated(&[("cache-control", "max-age=60")]);
    let start = Instant::now();
    let requests = at_once(&setup, 2).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(setup.asked(), 1);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(setup.asked(), 2);
    gate.add_permits(2);
    statuses(requests).await;
    assert!(start.elapsed() < Duration::from_secs(6));
}

#[tokio::test(start_paused = true)]
async fn what_one_client_wants_for_itself_is_not_waited_for() {
    let (setup, gate) = gated(&[("cache-control", "max-age=60")]);
    let _leader = at_once(&setup, 1).await;
    for (number, fields) in [
        &[("range", "bytes=0-1")][..],
        &[("authorization", "x")],
        &[("if-none-match", "\"a\"")],
        &[("cache-control", "no-store")],
    ]
    .into_iter()
    .enumerate()
    {
        tokio::spawn(setup.send("GET", "/", fields));
        settle().await;
        assert_eq!(setup.asked(), number + 2, "{fields:?}");
    }
    gate.close();
}

#[tokio::test(start_paused = true)]
async fn a_validation_in_the_background_that_hangs_ends_and_another_takes_its_place() {
    let number = Arc::new(AtomicUsize::new(0));
    let config = LayerConfig::default().most_background(Duration::from_secs(10));
    let counted = number.clone();
    let setup = Setup::with(config, move |_| {
        let fields = &[("cache-control", "max-age=1, stale-while-revalidate=600")];
        match counted.fetch_add(1, Ordering::SeqCst) {
            0 => reply(200, fields, "old"),
            1 => futures::future::pending().boxed(),
            _ => reply(200, fields, "new"),
        }
    });
    setup.get("/").await;
    setup.clock.advance(Duration::from_secs(2));
    for _ in 0..3 {
        assert_eq!(&setup.get("/").await.body[..], b"old");
        settle().await;
    }
    assert_eq!(setup.asked(), 2, "one at a time");
    tokio::time::sleep(Duration::from_secs(11)).await;
    setup.get("/").await;
    settle().await;
    assert_eq!(setup.asked(), 3);
    assert_eq!(&setup.get("/").await.body[..], b"new");
}
