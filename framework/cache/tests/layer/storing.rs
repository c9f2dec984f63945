//! What is stored of a body, and what is not.

use crate::origin::{Setup, read, reply, settle};
use axum::body::Body;
use bytes::Bytes;
use futures::{channel::mpsc, stream};
use http_body_util::BodyExt as _;
use std::sync::{Arc, Mutex};
use tropos_cache::{http::policy::Rules, layer::LayerConfig};

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
