//! What is stored of a body, and what is not.

use crate::origin::{Setup, read, reply, settle};
use axum::body::Body;
use bytes::Bytes;
use futures::{channel::mpsc, stream};
use http::HeaderValue;
use http_body_util::BodyExt as _;
use std::{
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};
use tropos_cache::{
    http::policy::Rules,
    layer::{CacheLayer, LayerConfig},
};

const MINUTE: &[(&str, &str)] = &[("cache-control", "max-age=60")];

type Part = Result<Bytes, std::io::Error>;

fn parts(parts: Vec<Part>) -> Body {
    Body::from_stream(stream::iter(parts))
}

/// An origin that answers once with a body that the test writes, and then with "whole".
fn fed() -> (Setup, mpsc::UnboundedSender<Part>) {
    let (sender, receiver) = mpsc::unbounded();
    let receiver = Mutex::new(Some(receiver));
    let setup = Setup::new(move |_| match receiver.lock().unwrap().take() {
        Some(body) => reply(200, MINUTE, Body::from_stream(body)),
        None => reply(200, MINUTE, "whole"),
    });
    (setup, sender)
}

#[tokio::test]
async fn a_body_streams_through_and_is_stored_once_it_is_complete() {
    let (setup, sender) = fed();
    let response = setup.send("GET", "/", &[]).await.unwrap();
    let mut body = response.into_body();
    sender.unbounded_send(Ok("one ".into())).unwrap();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(&first[..], b"one ", "the first part goes out before there is a second");
    sender.unbounded_send(Ok("two".into())).unwrap();
    drop(sender);
    assert_eq!(&body.collect().await.unwrap().to_bytes()[..], b"two");
    let got = setup.get("/").await;
    assert_eq!((got.cache_status(), &got.body[..]), ("tropos; hit; ttl=60", &b"one two"[..]));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_not_stored() {
    let (setup, sender) = fed();
    let response = setup.send("GET", "/", &[]).await.unwrap();
    sender.unbounded_send(Ok("half".into())).unwrap();
    sender.unbounded_send(Err(std::io::Error::other("cut"))).unwrap();
    assert!(response.into_body().collect().await.is_err());
    assert_eq!(&setup.get("/").await.body[..], b"whole");
}

#[tokio::test]
async fn a_body_that_is_shorter_than_its_length_is_not_stored() {
    let fields = [("cache-control", "max-age=60"), ("content-length", "9")];
    let setup = Setup::new(move |_| reply(200, &fields, parts(vec![Ok("short".into())])));
    setup.get("/").await;
    assert_eq!(setup.get("/").await.cache_status(), "tropos; fwd=uri-miss; stored");
}

#[tokio::test]
async fn a_client_who_leaves_does_not_end_the_storing() {
    let (setup, sender) = fed();
    let response = setup.send("GET", "/", &[]).await.unwrap();
    sender.unbounded_send(Ok("one ".into())).unwrap();
    let mut body = response.into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    sender.unbounded_send(Ok("two".into())).unwrap();
    drop(sender);
    settle().await;
    let got = setup.get("/").await;
    assert_eq!((got.cache_status(), &got.body[..]), ("tropos; hit; ttl=60", &b"one two"[..]));
}

#[tokio::test]
async fn what_is_too_large_is_passed_on_whole_and_not_stored() {
    let config = LayerConfig::default().most_body(8);
    let setup = Setup::with(config, |request| match request.uri().path() {
        "/said" => reply(200, &[("cache-control", "max-age=60"), ("content-length", "10")], "0123456789"),
        "/fits" => reply(200, MINUTE, parts(vec![Ok("0123".into()), Ok("4567".into())])),
        _ => reply(200, MINUTE, parts(vec![Ok("01234".into()), Ok("56789".into())])),
    });
    for (target, first, second) in [
        ("/said", "tropos; fwd=uri-miss; detail=too-large", "tropos; fwd=uri-miss; detail=too-large"),
        ("/unsaid", "tropos; fwd=uri-miss; stored", "tropos; fwd=uri-miss; stored"),
        ("/fits", "tropos; fwd=uri-miss; stored", "tropos; hit; ttl=60"),
    ] {
        let got = setup.get(target).await;
        assert_eq!(got.cache_status(), first, "{target}");
        assert_eq!(&got.body[..], if target == "/fits" { &b"01234567"[..] } else { b"0123456789" });
        assert_eq!(setup.get(target).await.cache_status(), second, "{target}");
    }
}

#[tokio::test]
async fn an_answer_that_was_under_way_at_a_removal_is_not_stored() {
    let (setup, sender) = fed();
    let response = setup.send("GET", "/", &[]).await.unwrap();
    sender.unbounded_send(Ok("of before".into())).unwrap();
    setup.layer.remove("example.test", "/");
    drop(sender);
    assert_eq!(&read(response).await.body[..], b"of before");
    let got = setup.get("/").await;
    assert_eq!((got.cache_status(), &got.body[..]), ("tropos; fwd=uri-miss; stored", &b"whole"[..]));
}

#[tokio::test]
async fn cookies_are_stored_only_where_the_rules_say_so() {
    let fields = [("cache-control", "max-age=60"), ("set-cookie", "session=1")];
    let setup = Setup::new(move |_| reply(200, &fields, "x"));
    for _ in 0..2 {
        assert_eq!(setup.get("/").await.cache_status(), "tropos; fwd=uri-miss; detail=set-cookie");
    }
    let rules = Rules { store_set_cookie: true, ..Rules::default() };
    let setup = Setup::with(LayerConfig::default().rules(rules), move |_| reply(200, &fields, "x"));
    setup.get("/").await;
    assert_eq!(setup.get("/").await.header("set-cookie"), "session=1");
}

#[tokio::test]
async fn a_part_is_passed_on_and_not_stored() {
    let fields = [("cache-control", "max-age=60"), ("content-range", "bytes 0-1/10")];
    let setup = Setup::new(move |_| reply(206, &fields, "01"));
    for _ in 0..2 {
        let got = setup.ask("GET", "/", &[("range", "bytes=0-1")]).await;
        assert_eq!((got.status, got.cache_status()), (206, "tropos; fwd=uri-miss; detail=status"));
    }
}

#[tokio::test]
async fn the_store_is_bounded_in_bytes_against_urls_without_end() {
    const MOST: usize = 1 << 20;
    let config = LayerConfig::default().most_bytes(MOST as u64);
    let setup = Arc::new(Setup::with(config, |_| reply(200, MINUTE, vec![b'x'; 10_000])));
    for number in 0..500 {
        setup.get(&format!("/{number}")).await;
    }
    assert!(setup.layer.bytes() <= MOST, "{}", setup.layer.bytes());
    assert!(setup.layer.bytes() > MOST / 2, "{}", setup.layer.bytes());
}

/// A buffer of a connection, which parts of it keep.
#[derive(Clone)]
struct Buffer(Arc<Vec<u8>>);

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

#[tokio::test]
async fn what_is_stored_keeps_no_buffer_that_it_came_in() {
    let buffer = Buffer(Arc::new(vec![b'x'; 400_000]));
    let read_into = buffer.clone();
    let setup = Setup::new(move |request| {
        let bytes = Bytes::from_owner(read_into.clone());
        let number = request.headers().contains_key("if-none-match");
        let (status, body) = if number { (304, Bytes::new()) } else { (200, bytes.slice(10..15)) };
        let value = HeaderValue::from_maybe_shared(bytes.slice(..9)).unwrap();
        let answer = reply(status, &[("cache-control", "max-age=60"), ("etag", "\"a\"")], body);
        Box::pin(async move {
            let mut answer = answer.await?;
            answer.headers_mut().insert("x-part", value);
            Ok(answer)
        })
    });
    // The test and the origin.
    const OWNERS: usize = 2;
    setup.get("/").await;
    assert_eq!(Arc::strong_count(&buffer.0), OWNERS, "a body of one part and the header");
    setup.clock.advance(Duration::from_secs(61));
    assert_eq!(setup.get("/").await.cache_status(), "tropos; fwd=stale; fwd-status=304; stored");
    assert_eq!(Arc::strong_count(&buffer.0), OWNERS, "a header that a 304 brought up to date");
    setup.clock.advance(Duration::from_secs(61));
    assert_eq!(setup.ask("HEAD", "/", &[]).await.cache_status(), "tropos; fwd=stale; stored");
    assert_eq!(Arc::strong_count(&buffer.0), OWNERS, "a header that a HEAD brought up to date");
    let got = setup.get("/").await;
    assert_eq!((got.header("x-part"), &got.body[..]), ("xxxxxxxxx", &b"xxxxx"[..]));
}

#[tokio::test]
async fn the_oldest_variants_go_where_all_are_more_than_an_entry_may_be() {
    let setup = Setup::with(LayerConfig::default().most_bytes(1 << 20), |request| {
        let size: usize = request.headers().get("x-size").unwrap().to_str().unwrap().parse().unwrap();
        reply(
            200,
            &[("cache-control", "max-age=60"), ("vary", "x-size")],
            parts(vec![Ok(vec![b'x'; size].into())]),
        )
    });
    for (size, expected) in [
        ("300001", "tropos; fwd=uri-miss; stored"),
        ("300002", "tropos; fwd=vary-miss; stored"),
        ("300003", "tropos; fwd=vary-miss; stored"),
        ("300004", "tropos; fwd=vary-miss; stored"),
        ("300004", "tropos; hit; ttl=60"),
        ("300003", "tropos; hit; ttl=60"),
        ("300002", "tropos; hit; ttl=60"),
        ("2000000", "tropos; fwd=vary-miss; stored"),
        ("2000000", "tropos; fwd=vary-miss; stored"),
        ("300004", "tropos; hit; ttl=60"),
        ("300001", "tropos; fwd=vary-miss; stored"),
        ("300002", "tropos; fwd=vary-miss; stored"),
    ] {
        assert_eq!(setup.ask("GET", "/", &[("x-size", size)]).await.cache_status(), expected, "{size}");
    }
    assert!(setup.layer.bytes() <= 1 << 20);
}

#[tokio::test]
async fn what_the_store_does_not_take_is_not_said_to_be_stored() {
    let large = "x".repeat(1 << 20);
    let setup = Setup::with(LayerConfig::default().most_bytes(1 << 20), move |request| {
        let fields = &[("cache-control", "max-age=60"), ("etag", "\"a\"")];
        match (request.uri().path(), request.headers().contains_key("if-none-match")) {
            ("/grows", true) => reply(304, &[("etag", "\"a\""), ("x-large", large.as_str())], ""),
            ("/grows", false) => reply(200, fields, "small"),
            _ => reply(200, fields, large.clone()),
        }
    });
    for _ in 0..2 {
        let got = setup.get("/large").await;
        assert_eq!((got.cache_status(), got.body.len()), ("tropos; fwd=uri-miss; detail=too-large", 1 << 20));
    }
    setup.get("/grows").await;
    setup.clock.advance(Duration::from_secs(61));
    let got = setup.get("/grows").await;
    assert_eq!(
        (got.cache_status(), &got.body[..]),
        ("tropos; fwd=stale; fwd-status=304; detail=too-large", &b"small"[..])
    );
    assert_eq!(setup.get("/grows").await.cache_status(), "tropos; fwd=uri-miss; stored");
}

#[tokio::test]
async fn a_validation_that_was_under_way_at_a_removal_is_not_said_to_be_stored() {
    let layer: Arc<OnceLock<CacheLayer>> = Arc::default();
    let removes = layer.clone();
    let setup = Setup::new(move |request| {
        let fields = &[("cache-control", "max-age=60"), ("etag", "\"a\"")];
        if !request.headers().contains_key("if-none-match") {
            return reply(200, fields, "hello");
        }
        removes.get().unwrap().remove("example.test", "/");
        reply(304, fields, "")
    });
    layer.set(setup.layer.clone()).unwrap();
    setup.get("/").await;
    setup.clock.advance(Duration::from_secs(61));
    assert_eq!(setup.get("/").await.cache_status(), "tropos; fwd=stale; fwd-status=304");
    assert_eq!(setup.get("/").await.cache_status(), "tropos; fwd=uri-miss; stored");
}
