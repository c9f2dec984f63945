//! What clients get.

use crate::origin::{Setup, Unreachable, read, reply, settle};
use futures::FutureExt as _;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

const MINUTE: &[(&str, &str)] = &[("cache-control", "max-age=60"), ("etag", "\"a\"")];

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test]
async fn a_fresh_answer_comes_from_the_store_with_its_age() {
    let setup = Setup::new(|_| reply(200, MINUTE, "hello"));
    let first = setup.get("/a?b=1").await;
    assert_eq!((first.status, &first.body[..]), (200, &b"hello"[..]));
    assert_eq!(first.cache_status(), "tropos; fwd=uri-miss; stored");
    setup.clock.advance(seconds(59));
    let second = setup.get("/a?b=1").await;
    assert_eq!((second.status, &second.body[..]), (200, &b"hello"[..]));
    assert_eq!(second.cache_status(), "tropos; hit; ttl=1");
    assert_eq!((second.header("age"), second.header("content-length")), ("59", "5"));
    assert_eq!(setup.asked(), 1);
    setup.get("/a?b=2").await;
    setup.ask("GET", "http://other.test/a?b=1", &[]).await;
    assert_eq!(setup.asked(), 3, "another query and another host are other keys");
}

#[tokio::test]
async fn who_names_two_hosts_neither_stores_for_one_of_them_nor_is_answered_from_the_store() {
    let setup = Setup::new(|request| {
        let host = request.headers().get("host").unwrap().to_str().unwrap().to_owned();
        reply(200, MINUTE, host)
    });
    let poison = [("host", "evil.test")];
    let got = setup.ask("GET", "http://example.test/", &poison).await;
    assert_eq!((got.cache_status(), &got.body[..]), ("tropos; fwd=bypass", &b"evil.test"[..]));
    let got = setup.get("/").await;
    assert_eq!((got.cache_status(), &got.body[..]), ("tropos; fwd=uri-miss; stored", &b"example.test"[..]));
    let got = setup.ask("GET", "http://example.test/", &poison).await;
    assert_eq!((got.cache_status(), &got.body[..]), ("tropos; fwd=bypass", &b"evil.test"[..]));
    let twice = [("host", "example.test"), ("host", "evil.test")];
    for target in ["/", "http://example.test/"] {
        assert_eq!(setup.ask("GET", target, &twice).await.cache_status(), "tropos; fwd=bypass", "{target}");
    }
    let same = setup.ask("GET", "http://Example.test/", &[("host", "EXAMPLE.test")]).await;
    assert_eq!((same.cache_status(), &same.body[..]), ("tropos; hit; ttl=60", &b"example.test"[..]));
}

#[tokio::test]
async fn head_ranges_and_conditions_are_answered_from_the_store() {
    let setup = Setup::new(|_| reply(200, MINUTE, "0123456789"));
    setup.get("/").await;
    for (method, fields, status, body, range) in [
        ("HEAD", &[][..], 200, "", ""),
        ("GET", &[("range", "bytes=2-4")], 206, "234", "bytes 2-4/10"),
        ("GET", &[("range", "bytes=2-4"), ("if-range", "\"b\"")], 200, "0123456789", ""),
        ("GET", &[("range", "bytes=10-")], 416, "", "bytes */10"),
        ("GET", &[("if-none-match", "W/\"a\"")], 304, "", ""),
        ("GET", &[("if-none-match", "\"b\"")], 200, "0123456789", ""),
    ] {
        let got = setup.ask(method, "/", fields).await;
        assert_eq!((got.status, &got.body[..]), (status, body.as_bytes()), "{method} {fields:?}");
        assert_eq!(
            (got.header("content-range"), got.header("etag")),
            (range, "\"a\""),
            "{method} {fields:?}"
        );
        assert_eq!(got.cache_status(), "tropos; hit; ttl=60", "{method} {fields:?}");
        if method == "HEAD" {
            assert_eq!(got.header("content-length"), "10");
        }
    }
    assert_eq!(setup.asked(), 1);
}

#[tokio::test]
async fn a_stale_answer_is_validated_and_what_the_origin_says_is_taken_over() {
    let setup = Setup::new(|request| match request.headers().get("if-none-match") {
        None => reply(200, MINUTE, "hello"),
        Some(_) => reply(304, &[("etag", "\"a\""), ("x-new", "1")], ""),
    });
    setup.get("/").await;
    setup.clock.advance(seconds(60));
    let validated = setup.ask("GET", "/", &[("if-none-match", "\"of the client\"")]).await;
    assert_eq!((validated.status, &validated.body[..], validated.header("age")), (200, &b"hello"[..], "0"));
    assert_eq!(validated.cache_status(), "tropos; fwd=stale; fwd-status=304; stored");
    assert_eq!(setup.last_asked().get("if-none-match").unwrap(), "\"a\"");
    let after = setup.get("/").await;
    assert_eq!((after.cache_status(), after.header("x-new")), ("tropos; hit; ttl=60", "1"));
    assert_eq!(setup.asked(), 2);
}

#[tokio::test]
async fn a_304_that_ends_the_storing_is_served_once() {
    let setup = Setup::new(|request| match request.headers().get("if-none-match") {
        None => reply(200, MINUTE, "hello"),
        Some(_) => reply(304, &[("cache-control", "no-store")], ""),
    });
    setup.get("/").await;
    setup.clock.advance(seconds(60));
    let last = setup.get("/").await;
    assert_eq!((last.status, &last.body[..]), (200, &b"hello"[..]));
    assert_eq!(last.cache_status(), "tropos; fwd=stale; fwd-status=304; detail=no-store");
    assert_eq!(setup.get("/").await.cache_status(), "tropos; fwd=uri-miss; stored");
}

#[tokio::test]
async fn a_stale_answer_goes_out_while_one_request_validates_it_in_the_background() {
    let setup = Setup::new(|request| match request.headers().get("if-none-match") {
        None => reply(
            200,
            &[("cache-control", "max-age=60, stale-while-revalidate=60"), ("etag", "\"a\"")],
            "0123",
        ),
        Some(_) => reply(304, &[("etag", "\"a\"")], ""),
    });
    setup.get("/").await;
    setup.clock.advance(seconds(70));
    let mine = [("range", "bytes=0-0"), ("cache-control", "no-store")];
    let part = setup.send("GET", "/", &mine).await.unwrap();
    let whole = setup.send("HEAD", "/", &[("cache-control", "no-store")]).await.unwrap();
    let (part, whole) = (read(part).await, read(whole).await);
    assert_eq!((part.status, part.cache_status()), (206, "tropos; hit; ttl=-10; detail=stale"));
    assert_eq!(whole.cache_status(), "tropos; hit; ttl=-10; detail=stale");
    settle().await;
    assert_eq!(setup.asked(), 2, "one validation for both");
    for name in ["range", "cache-control"] {
        assert!(!setup.last_asked().contains_key(name), "the background asks for all: {name}");
    }
    assert_eq!(setup.get("/").await.cache_status(), "tropos; hit; ttl=60");
    setup.clock.advance(seconds(120));
    assert_eq!(setup.get("/").await.cache_status(), "tropos; fwd=stale; fwd-status=304; stored");
}

#[tokio::test]
async fn what_is_stored_stands_in_for_an_origin_that_fails_where_it_may() {
    for (control, by_cut, by_503) in [
        ("max-age=60", true, false),
        ("max-age=60, stale-if-error=600", true, true),
        ("max-age=60, must-revalidate, stale-if-error=600", false, false),
        ("s-maxage=60", false, false),
    ] {
        let failing = Arc::new(AtomicUsize::new(0));
        let now = failing.clone();
        let setup = Setup::new(move |_| match now.load(Ordering::SeqCst) {
            0 => reply(200, &[("cache-control", control)], "good"),
            1 => async { Err(Unreachable) }.boxed(),
            _ => reply(503, &[], "bad"),
        });
        setup.get("/").await;
        setup.clock.advance(seconds(69));
        failing.store(1, Ordering::SeqCst);
        match setup.send("GET", "/", &[]).await {
            Ok(response) => {
                let got = read(response).await;
                assert!(by_cut, "{control}");
                assert_eq!(
                    (got.status, got.cache_status()),
                    (200, "tropos; hit; ttl=-9; detail=stale-error")
                );
            }
            Err(Unreachable) => assert!(!by_cut, "{control}"),
        }
        failing.store(2, Ordering::SeqCst);
        let got = setup.get("/").await;
        assert_eq!((got.status == 200, &got.body[..] == b"good"), (by_503, by_503), "{control}");
        failing.store(0, Ordering::SeqCst);
        assert_eq!(
            setup.get("/").await.cache_status(),
            "tropos; fwd=stale; stored",
            "{control}: it recovers"
        );
    }
}

#[tokio::test]
async fn requests_are_heard() {
    let setup = Setup::new(|_| reply(200, MINUTE, "hello"));
    let only = setup.ask("GET", "/", &[("cache-control", "only-if-cached")]).await;
    assert_eq!((only.status, only.cache_status()), (504, "tropos; fwd=uri-miss"));
    assert_eq!(setup.asked(), 0);
    setup.get("/").await;
    setup.clock.advance(seconds(10));
    for (fields, expected) in [
        (&[("cache-control", "only-if-cached")][..], "tropos; hit; ttl=50"),
        (&[("cache-control", "max-age=10")], "tropos; hit; ttl=50"),
        (&[("cache-control", "min-fresh=51")], "tropos; fwd=request; stored"),
        (&[("cache-control", "no-cache")], "tropos; fwd=request; stored"),
        (&[("authorization", "x")], "tropos; fwd=request; detail=authorization"),
        (&[("if-match", "\"a\"")], "tropos; fwd=bypass"),
        (&[("content-length", "1")], "tropos; fwd=bypass"),
        (&[("cookie", "a=b")], "tropos; hit; ttl=60"),
    ] {
        assert_eq!(setup.ask("GET", "/", fields).await.cache_status(), expected, "{fields:?}");
    }
}

#[tokio::test]
async fn answers_by_vary_are_kept_apart_and_bounded_in_number() {
    use tropos_cache::layer::LayerConfig;
    let config = LayerConfig::default().most_variants(2);
    let setup = Setup::with(config, |request| {
        let language = request.headers().get("accept-language").unwrap().to_str().unwrap().to_owned();
        reply(200, &[("cache-control", "max-age=60"), ("vary", "accept-language")], language)
    });
    let ask = async |language| setup.ask("GET", "/", &[("accept-language", language)]).await;
    for (language, expected) in [
        ("de", "tropos; fwd=uri-miss; stored"),
        ("fr", "tropos; fwd=vary-miss; stored"),
        ("de", "tropos; hit; ttl=60"),
        ("fr", "tropos; hit; ttl=60"),
        ("it", "tropos; fwd=vary-miss; stored"),
        ("fr", "tropos; hit; ttl=60"),
        ("de", "tropos; fwd=vary-miss; stored"),
    ] {
        let got = ask(language).await;
        assert_eq!((got.cache_status(), &got.body[..]), (expected, language.as_bytes()), "{language}");
    }
}

#[tokio::test]
async fn a_success_of_an_unsafe_method_removes_what_it_changes() {
    let fails = Arc::new(AtomicBool::new(true));
    let now = fails.clone();
    let setup = Setup::new(move |request| {
        if request.method() == "GET" {
            return reply(200, MINUTE, "hello");
        }
        let status = if now.load(Ordering::SeqCst) { 500 } else { 201 };
        reply(status, &[("location", "/b"), ("content-location", "http://other.test/c")], "")
    });
    let state = async || {
        let mut hits = Vec::new();
        for target in ["/a", "/b", "/c"] {
            hits.push(setup.get(target).await.cache_status().contains("hit"));
        }
        hits
    };
    state().await;
    setup.ask("POST", "/a", &[]).await;
    assert_eq!(state().await, [true, true, true], "a failure changes nothing");
    fails.store(false, Ordering::SeqCst);
    let done = setup.ask("POST", "/a", &[]).await;
    assert_eq!((done.status, done.cache_status()), (201, "tropos; fwd=method"));
    assert_eq!(state().await, [false, false, true], "another host's answers are not for this one to remove");
    setup.layer.remove("Example.test", "/c");
    assert_eq!(state().await, [true, true, false]);
}

#[tokio::test]
async fn a_head_updates_what_is_stored_or_removes_it() {
    let other = Arc::new(AtomicBool::new(false));
    let now = other.clone();
    let setup = Setup::new(move |request| {
        let tag = if now.load(Ordering::SeqCst) { "\"b\"" } else { "\"a\"" };
        match request.method().as_str() {
            "HEAD" => reply(200, &[("cache-control", "max-age=100"), ("etag", tag), ("x-new", "1")], ""),
            _ => reply(200, MINUTE, "hello"),
        }
    });
    setup.get("/").await;
    setup.clock.advance(seconds(60));
    assert_eq!(setup.ask("HEAD", "/", &[]).await.cache_status(), "tropos; fwd=stale; stored");
    let got = setup.get("/").await;
    assert_eq!(
        (got.cache_status(), got.header("x-new"), &got.body[..]),
        ("tropos; hit; ttl=100", "1", &b"hello"[..])
    );
    setup.clock.advance(seconds(100));
    other.store(true, Ordering::SeqCst);
    setup.ask("HEAD", "/", &[]).await;
    assert_eq!(setup.get("/").await.cache_status(), "tropos; fwd=uri-miss; stored");
}

#[tokio::test]
async fn the_layer_fits_around_a_router() {
    use axum::{Router, body::Body, routing::get};
    use tower::ServiceExt as _;
    use tropos_cache::layer::CacheLayer;
    let made = Arc::new(AtomicUsize::new(0));
    let count = made.clone();
    let page = move || async move {
        let number = count.fetch_add(1, Ordering::SeqCst);
        ([("cache-control", "max-age=60")], number.to_string())
    };
    let app: Router = Router::new().route("/", get(page)).layer(CacheLayer::default());
    for _ in 0..3 {
        let request = http::Request::get("/").header("host", "example.test").body(Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        assert_eq!(&axum::body::to_bytes(response.into_body(), 100).await.unwrap()[..], b"0");
    }
    assert_eq!(made.load(Ordering::SeqCst), 1);
}
