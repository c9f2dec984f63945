//! What the proxy does to the traffic.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{io::ErrorKind, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::{Instant, timeout},
};
use tropos_parts::FaultProxy;

/// Long beside what 127.0.0.1 takes.
const SILENCE: Duration = Duration::from_millis(100);

/// A server that sends everything back, behind a proxy.
async fn echo() -> FaultProxy {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = FaultProxy::start(listener.local_addr().unwrap()).await.unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                tokio::io::copy(&mut read, &mut write).await
            });
        }
    });
    proxy
}

async fn connect(proxy: &FaultProxy) -> TcpStream {
    TcpStream::connect(proxy.address()).await.unwrap()
}

async fn round_trip(stream: &mut TcpStream, text: &[u8]) {
    stream.write_all(text).await.unwrap();
    expect(stream, text).await;
}

async fn expect(stream: &mut TcpStream, text: &[u8]) {
    let mut answer = vec![0; text.len()];
    timeout(Duration::from_secs(10), stream.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(answer, text);
}

async fn is_silent(stream: &mut TcpStream) -> bool {
    timeout(SILENCE, stream.read(&mut [0; 8])).await.is_err()
}

#[tokio::test]
async fn everything_passes_and_is_counted() {
    let proxy = echo().await;
    let mut stream = connect(&proxy).await;
    let text = vec![b'x'; 300_000];
    let (mut read, mut write) = stream.split();
    let mut answer = vec![0; text.len()];
    let (sent, received) = tokio::join!(write.write_all(&text), read.read_exact(&mut answer));
    sent.unwrap();
    received.unwrap();
    assert_eq!(answer, text);
    assert_eq!((proxy.request_bytes(), proxy.answer_bytes()), (300_000, 300_000));
    assert_eq!((proxy.connections(), proxy.open()), (1, 1));
    stream.shutdown().await.unwrap();
    assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0, "the end of one side reaches the other");
}

// In real time: a paused clock runs ahead while bytes are on their way through the system.
#[tokio::test]
async fn an_answer_is_late_by_the_delay_and_pieces_do_not_add_theirs_up() {
    let proxy = echo().await;
    let mut stream = connect(&proxy).await;
    round_trip(&mut stream, b"quick").await;
    proxy.delay(Duration::from_millis(600));
    let started = Instant::now();
    stream.write_all(b"one").await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    stream.write_all(b"two").await.unwrap();
    expect(&mut stream, b"onetwo").await;
    let took = started.elapsed();
    assert!((790..1150).contains(&took.as_millis()), "{took:?}");
    proxy.heal();
    let started = Instant::now();
    round_trip(&mut stream, b"quick").await;
    assert!(started.elapsed() < Duration::from_millis(500));
}

#[tokio::test]
async fn a_cut_resets_connections_and_new_ones_until_it_is_healed() {
    let proxy = echo().await;
    let mut stream = connect(&proxy).await;
    round_trip(&mut stream, b"before").await;
    proxy.cut();
    assert_eq!(stream.read(&mut [0; 8]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    let mut late = connect(&proxy).await;
    let ended = timeout(Duration::from_secs(5), late.read(&mut [0; 8])).await.unwrap();
    assert!(ended.is_err() || ended.is_ok_and(|read| read == 0));
    proxy.heal();
    round_trip(&mut connect(&proxy).await, b"after").await;
    assert_eq!(proxy.connections(), 3);
}

#[tokio::test]
async fn a_black_hole_is_silent_and_passes_on_later_what_it_was_sent() {
    let proxy = echo().await;
    let mut old = connect(&proxy).await;
    round_trip(&mut old, b"before").await;
    proxy.blackhole();
    let mut new = connect(&proxy).await;
    old.write_all(b"held").await.unwrap();
    new.write_all(b"held too").await.unwrap();
    assert!(is_silent(&mut old).await && is_silent(&mut new).await);
    assert_eq!(proxy.request_bytes(), 6);
    proxy.heal();
    expect(&mut old, b"held").await;
    expect(&mut new, b"held too").await;
}

#[tokio::test]
async fn a_mute_proxy_lets_requests_arrive_and_keeps_their_answers() {
    let proxy = echo().await;
    let mut stream = connect(&proxy).await;
    round_trip(&mut stream, b"1").await;
    proxy.mute();
    stream.write_all(b"done").await.unwrap();
    assert!(is_silent(&mut stream).await);
    assert_eq!((proxy.request_bytes(), proxy.answer_bytes()), (5, 1));
    proxy.heal();
    expect(&mut stream, b"done").await;
}

#[tokio::test]
async fn a_server_that_does_not_listen_and_a_proxy_that_is_dropped_end_connections() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let proxy = FaultProxy::start(nobody).await.unwrap();
    let ended = connect(&proxy).await.read(&mut [0; 8]).await;
    assert!(ended.is_err() || ended.is_ok_and(|read| read == 0));
    let proxy = echo().await;
    let mut stream = connect(&proxy).await;
    round_trip(&mut stream, b"x").await;
    drop(proxy);
    let ended = timeout(Duration::from_secs(5), stream.read(&mut [0; 8])).await.unwrap();
    assert!(ended.is_err() || ended.is_ok_and(|read| read == 0));
}
