//! Connections over a socket, through all that serves them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Reads, app};
use leptos::prelude::*;
use std::{sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, oneshot},
    time::timeout,
};
use tropos::{PageResult, State, page, prelude::*};
use tropos_server::Config;
use tropos_testing::TestApp;

#[page("/stored", isr(revalidate = "60s"))]
async fn Stored(State(reads): State<Reads>) -> PageResult {
    let count = reads.one();
    view! { <p id="count">{count}</p> }.into_page()
}

/// What a render waits for, and how many have come so far.
#[derive(Clone)]
struct Gate(Arc<Semaphore>, Reads);

#[page("/gated", isr(revalidate = "60s", tags = ["gated"]))]
async fn Gated(State(gate): State<Gate>) -> PageResult {
    gate.1.one();
    let open = gate.0.acquire().await;
    view! { <p>{open.is_ok()}</p> }.into_page()
}

/// Sends one request and reads its answer by its length.
async fn ask(stream: &mut TcpStream, method: &str, target: &str) -> String {
    let request = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    let request = if method == "GET" { request.replace("Content-Length: 0\r\n", "") } else { request };
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&answer);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if length.is_some_and(|length| length.parse() == Ok(body.len())) {
                return text.into_owned();
            }
        }
        assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "closed after {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_connection_serves_hits_then_everything_else_and_ends_when_it_is_told_to() {
    for front_threads in [0, 1, 2] {
        let mut config = Config::default();
        config.production = true;
        config.database = tropos_db::Config::new("sqlite::memory:");
        config.allowed_hosts = Some(vec!["localhost".to_owned()]);
        config.front_threads = front_threads;
        let app = app().pages(tropos::routes![Stored]).state(Reads::default());
        let site = TestApp::with_config(app, config).await.site;
        // Made, and known by its target from the second time on.
        for status in ["fwd=uri-miss", "hit"] {
            let answer = site.clone().handle(TestApp::request("GET", "/stored", "", &[])).await;
            assert!(answer.headers()["cache-status"].to_str().unwrap().contains(status));
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (end, ended) = oneshot::channel::<()>();
        let serving = tokio::spawn(site.serve_on(listener, async { drop(ended.await) }));

        let mut streams = Vec::new();
        for _ in 0..3 {
            streams.push(TcpStream::connect(address).await.unwrap());
        }
        for stream in &mut streams {
            for (method, target, status) in [
                ("GET", "/stored", "200 OK"),
                ("GET", "/stored", "200 OK"),
                ("GET", "/nowhere", "404 Not Found"),
                ("POST", "/stored", "405 Method Not Allowed"),
                ("GET", "/stored", "200 OK"),
            ] {
                let answer = ask(stream, method, target).await;
                assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{method} {target}: {answer}");
                assert!(answer.contains("x-content-type-options: nosniff\r\n"), "{answer}");
                assert_eq!(answer.contains("tropos; hit; ttl=60"), status == "200 OK", "{answer}");
            }
        }
        // One more, which has not asked for anything but hits.
        streams.push(TcpStream::connect(address).await.unwrap());
        if let Some(last) = streams.last_mut() {
            ask(last, "GET", "/stored").await;
        }
        end.send(()).unwrap();
        let ended = timeout(Duration::from_secs(10), serving).await;
        ended.expect("idle connections keep the server from ending").unwrap().unwrap();
        for stream in &mut streams {
            assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0, "still open");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_leaves_while_a_known_page_is_made_is_let_go_and_who_stays_gets_all() {
    for front_threads in [0, 1] {
        let mut config = Config::default();
        config.production = true;
        config.database = tropos_db::Config::new("sqlite::memory:");
        config.allowed_hosts = Some(vec!["localhost".to_owned()]);
        config.front_threads = front_threads;
        let gate = Gate(Arc::new(Semaphore::new(1)), Reads::default());
        let app = app().pages(tropos::routes![Gated]).state(gate.clone());
        let app = TestApp::with_config(app, config).await;
        for _ in 0..2 {
            app.site.clone().handle(TestApp::request("GET", "/gated", "", &[])).await;
        }
        let shut = gate.0.acquire().await.unwrap();
        app.invalidate("gated").await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (end, ended) = oneshot::channel::<()>();
        let serving = tokio::spawn(app.site.clone().serve_on(listener, async { drop(ended.await) }));

        let request = "GET /gated HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let mut stays = TcpStream::connect(address).await.unwrap();
        stays.write_all(request.as_bytes()).await.unwrap();
        for meanwhile in ["", "G", request] {
            let mut leaves = TcpStream::connect(address).await.unwrap();
            leaves.write_all(request.as_bytes()).await.unwrap();
            while gate.1.count() < 2 {
                tokio::time::sleep(Duration::from_millis(2)).await; // until the render waits
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            leaves.write_all(meanwhile.as_bytes()).await.unwrap();
            leaves.shutdown().await.unwrap();
            // Bytes that nobody read make a reset of the end.
            let closed = timeout(Duration::from_secs(10), leaves.read(&mut [0; 1])).await;
            assert!(matches!(closed, Ok(Ok(0) | Err(_))), "{meanwhile:?}: {closed:?}");
        }

        let last = request.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
        stays.write_all(last.as_bytes()).await.unwrap();
        drop(shut);
        let mut answers = String::new();
        stays.read_to_string(&mut answers).await.unwrap();
        assert_eq!(answers.matches("HTTP/1.1 200 OK\r\n").count(), 2, "{answers}");
        assert_eq!(gate.1.count(), 2, "the render that nobody waited for was not the one that was answered");
        end.send(()).unwrap();
        timeout(Duration::from_secs(10), serving).await.unwrap().unwrap().unwrap();
    }
}
