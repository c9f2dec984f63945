//! The same read twice in one render is one call (cases, 40).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod upstream;

use std::time::Duration;
use tropos_cache::{Purpose, Scope};
use tropos_fetch::{self as fetch, Error, Fetch, Method, StatusCode};
use upstream::{Upstream, engine, render};

type Read = Box<dyn Fn() -> Fetch>;

#[tokio::test]
async fn the_same_read_twice_in_one_render_is_one_call_whatever_becomes_of_it() {
    let (engine, _) = engine();
    let upstream = Upstream::start().await;
    upstream.answers(|seen| match seen.uri.as_str() {
        "/200" => (StatusCode::OK, vec![b'x'; 100]),
        "/404" => (StatusCode::NOT_FOUND, vec![]),
        _ => (StatusCode::SERVICE_UNAVAILABLE, vec![]),
    });
    for path in ["/200", "/404", "/503"] {
        for limit in [8, 1000] {
            let url = upstream.url(path);
            let plain = move || fetch::get(&url).max_bytes(limit);
            let (aged, posted) = (plain.clone(), plain.clone());
            let head = upstream.url(path);
            let ways: Vec<(&str, Read)> = vec![
                ("plain", Box::new(plain)),
                ("HEAD", Box::new(move || fetch::request(Method::HEAD, &head))),
                ("stored", Box::new(move || aged().revalidate("1ms"))),
                ("private", Box::new(move || posted().header("cookie", "a").revalidate("1ms"))),
            ];
            for (way, read) in ways {
                let before = upstream.calls();
                render(&engine, async {
                    let (a, b) = tokio::join!(read().send(), read().send());
                    let c = read().send().await;
                    let shown = |answer: Result<fetch::Fetched, Error>| {
                        format!("{:?}", answer.map_err(|e| e.to_string()))
                    };
                    let [a, b, c] = [a, b, c].map(shown);
                    assert_eq!((&a, &a), (&b, &c), "{path} {way}");
                })
                .await;
                assert_eq!(upstream.calls() - before, 1, "{path} {way}, limit {limit}");
            }
        }
    }
}

#[tokio::test]
async fn another_render_calls_again() {
    let (engine, _) = engine();
    let upstream = Upstream::start().await;
    for calls in 1..=3 {
        render(&engine, fetch::get(upstream.url("/")).send()).await.unwrap();
        assert_eq!(upstream.calls(), calls);
    }
}

#[tokio::test]
async fn what_may_change_something_is_called_each_time() {
    let (engine, _) = engine();
    let upstream = Upstream::start().await;
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        let before = upstream.calls();
        render(&engine, async {
            for _ in 0..2 {
                fetch::request(method.clone(), upstream.url("/")).body("a").send().await.unwrap();
            }
        })
        .await;
        assert_eq!(upstream.calls() - before, 2, "{method}");
    }
    let before = upstream.calls();
    render(&engine, async {
        for _ in 0..2 {
            fetch::post(upstream.url("/graphql")).body("{ a }").revalidate("1h").send().await.unwrap();
        }
    })
    .await;
    assert_eq!(upstream.calls() - before, 1, "a POST that only reads, by its own word");
}

#[tokio::test]
async fn an_action_reads_again_what_it_may_have_written() {
    let (engine, _) = engine();
    let upstream = Upstream::start().await;
    let action = Scope::new(&engine, Purpose::Action);
    let read = || fetch::get(upstream.url("/")).text();
    let twice = async { (read().await.unwrap(), read().await.unwrap()) };
    assert_eq!(action.run(twice).await, ("call 1".into(), "call 2".into()));
}

#[tokio::test]
async fn a_reader_who_leaves_does_not_take_the_call_from_the_other() {
    let (engine, _) = engine();
    let upstream = Upstream::start().await;
    render(&engine, async {
        let url = upstream.url("/");
        {
            let leaving = fetch::get(&url).send();
            tokio::pin!(leaving);
            assert!(tokio::time::timeout(Duration::ZERO, &mut leaving).await.is_err());
        }
        assert_eq!(fetch::get(&url).send().await.unwrap().status, 200);
    })
    .await;
}

#[test]
fn a_fetch_can_be_sent_from_any_thread() {
    fn is_send(_: impl Send) {}
    is_send(fetch::get("http://a/").revalidate("1h").send());
    is_send(fetch::get("http://a/").json::<Vec<u8>>());
}
