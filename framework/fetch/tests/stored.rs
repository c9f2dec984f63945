//! Which answers are stored, for whom, and for how long.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod upstream;

use http::HeaderValue;
use std::time::Duration;
use tropos_cache::{Purpose, Scope, Strength};
use tropos_core::{ManualClock, Tag};
use tropos_fetch::{self as fetch, Config, Fetch, Method, StatusCode};
use upstream::{Upstream, engine, engine_with, render};

const SECOND: Duration = Duration::from_secs(1);

async fn text(fetch: Fetch) -> String {
    fetch.text().await.unwrap()
}

/// Cases, 36.
#[tokio::test]
async fn each_read_of_a_page_is_stored_as_it_declares() {
    let (engine, clock) = engine();
    let upstream = Upstream::start().await;
    let calls_of_a_render = async || {
        let before = upstream.calls();
        render(&engine, async {
            text(fetch::get(upstream.url("/plain"))).await;
            text(fetch::get(upstream.url("/no-store")).revalidate("1h").no_store()).await;
            text(fetch::get(upstream.url("/aged")).revalidate("2s")).await;
            text(fetch::get(upstream.url("/kept")).revalidate("never")).await;
        })
        .await;
        upstream.seen().split_off(before).into_iter().map(|seen| seen.uri).collect::<Vec<_>>()
    };
    assert_eq!(calls_of_a_render().await, ["/plain", "/no-store", "/aged", "/kept"]);
    assert_eq!(calls_of_a_render().await, ["/plain", "/no-store"]);
    clock.advance(2 * SECOND);
    assert_eq!(calls_of_a_render().await, ["/plain", "/no-store", "/aged"]);
}

#[tokio::test]
async fn a_page_for_one_request_takes_what_is_stale_while_it_is_read_anew() {
    let (engine, clock) = engine();
    let upstream = Upstream::start().await;
    let read = async || {
        let scope = Scope::new(&engine, Purpose::Once);
        scope.run(text(fetch::get(upstream.url("/")).revalidate("2s"))).await
    };
    assert_eq!(read().await, "call 1");
    clock.advance(2 * SECOND);
    assert_eq!(read().await, "call 1");
    upstream.until_calls(2).await;
    let replaced = async {
        while read().await != "call 2" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(10 * SECOND, replaced).await.expect("the new answer was never stored");
    assert_eq!(upstream.calls(), 2);
}

/// Cases, 37.
#[tokio::test]
async fn only_200_is_stored() {
    let (engine, _) = engine();
    let upstream = Upstream::start().await;
    for status in [201, 203, 206, 301, 304, 307, 400, 401, 404, 410, 429, 500, 503] {
        let status = StatusCode::from_u16(status).unwrap();
        let before = upstream.calls();
        upstream.answers(move |_| (status, "?"));
        let url = upstream.url(&format!("/{status}"));
        for _ in 0..2 {
            let answer =
                render(&engine, fetch::get(&url).redirects(0).revalidate("1h").send()).await.unwrap();
            assert_eq!(answer.status, status);
        }
        assert_eq!(upstream.calls() - before, 2, "{status}");
    }
}

#[tokio::test]
async fn other_statuses_are_stored_where_they_are_named_and_then_200_is_too_or_is_not() {
    let (engine, clock) = engine();
    let upstream = Upstream::start().await;
    // What is stored; what is answered; whether that is stored.
    let cases: [(&[u16], u16, bool); 6] = [
        (&[200, 404], 404, true),
        (&[404, 200], 200, true),
        (&[404], 200, false),
        (&[404], 404, true),
        (&[200, 404], 410, false),
        (&[], 200, false),
    ];
    for (at, (statuses, status, stored)) in cases.into_iter().enumerate() {
        upstream.answers(move |_| (StatusCode::from_u16(status).unwrap(), "text"));
        let before = upstream.calls();
        let url = upstream.url(&format!("/{at}"));
        let read = || fetch::get(&url).revalidate("60s").store_statuses(statuses.iter().copied()).tags(["a"]);
        for _ in 0..2 {
            let answer = render(&engine, read().send()).await.unwrap();
            assert_eq!((answer.status.as_u16(), &*answer.body), (status, &b"text"[..]));
        }
        let calls = if stored { 1 } else { 2 };
        assert_eq!(upstream.calls() - before, calls, "{statuses:?} {status}");
        let fresh_for = if stored || status == 200 { 60 } else { 10 };
        assert_eq!(noted(&engine, &clock, read()).await.1, Some(fresh_for), "{statuses:?} {status}");
        render(&engine, fetch::get(&url).revalidate("60s").tags(["a"]).send()).await.unwrap();
        let calls = if stored { 2 } else { 4 };
        assert_eq!(upstream.calls() - before, calls, "who names none gets an answer of their own");
    }
}

/// Cases, 37.
#[tokio::test]
async fn while_the_source_fails_the_older_answer_is_given_until_it_expires() {
    for (what, answer) in [("5xx", "/"), ("no answer", "/never")] {
        let (engine, clock) = engine();
        let upstream = Upstream::start().await;
        let read = async || {
            let read = fetch::get(upstream.url(answer)).revalidate("2s").expire("20s");
            render(&engine, read.timeout(SECOND / 10).send()).await
        };
        assert_eq!(read().await.unwrap().text().unwrap(), "call 1");
        upstream.answers_later(|seen| async move {
            if seen.uri == "/never" {
                std::future::pending::<()>().await;
            }
            axum::response::IntoResponse::into_response(StatusCode::SERVICE_UNAVAILABLE)
        });
        clock.advance(2 * SECOND);
        assert_eq!(read().await.unwrap().text().unwrap(), "call 1", "{what}");
        assert_eq!(upstream.calls(), 2);
        assert_eq!(read().await.unwrap().text().unwrap(), "call 1");
        assert_eq!(upstream.calls(), 2, "{what}: the next try waits");
        clock.advance(18 * SECOND);
        let expired = read().await;
        match what {
            "5xx" => assert_eq!(expired.unwrap().status, 503),
            _ => assert!(matches!(expired, Err(fetch::Error::Timeout { .. }))),
        }
    }
}

#[tokio::test]
async fn an_answer_that_says_there_is_nothing_now_ends_the_older_one() {
    let (engine, clock) = engine();
    let upstream = Upstream::start().await;
    let read =
        async || render(&engine, fetch::get(upstream.url("/")).revalidate("2s").send()).await.unwrap().status;
    assert_eq!(read().await, 200);
    upstream.answers(|_| StatusCode::NOT_FOUND);
    clock.advance(2 * SECOND);
    assert_eq!(read().await, 404);
    upstream.fails();
    assert_eq!(read().await, 503, "what was gone does not come back");
}

/// Cases, 38.
#[tokio::test]
async fn another_request_or_another_declaration_is_another_entry() {
    let (engine, _) = engine();
    let upstream = Upstream::start().await;
    let url = |path| upstream.url(path);
    let read = |fetch: Fetch| render(&engine, text(fetch.revalidate("1h")));
    let base = || fetch::get(url("/a")).header("accept", "text/plain");
    assert_eq!(read(base()).await, "call 1");

    let same: Vec<(&str, Fetch)> = vec![
        ("the same", base()),
        ("traceparent", base().header("traceparent", "00-1-1-01")),
        ("tracestate", base().header("tracestate", "a=1")),
        ("fragment", fetch::get(url("/a#b")).header("accept", "text/plain")),
        ("timeout", base().timeout(SECOND)),
        ("name in capitals", fetch::get(url("/a")).header("Accept", "text/plain")),
    ];
    for (name, fetch) in same {
        assert_eq!(read(fetch).await, "call 1", "{name}");
    }

    let other: Vec<(&str, Fetch)> = vec![
        ("path", fetch::get(url("/A")).header("accept", "text/plain")),
        ("query", base().query(&[("q", 1)])),
        ("query's value", base().query(&[("q", 2)])),
        ("header's value", fetch::get(url("/a")).header("accept", "text/html")),
        ("no header", fetch::get(url("/a"))),
        ("baggage of its own", base().header("baggage", "user=1")),
        ("a header more", base().header("accept", "text/plain")),
        ("a header's name", fetch::get(url("/a")).header("accep", "ttext/plain")),
        ("body", base().body("b")),
        ("body as JSON", base().json_body("b")),
        ("method", fetch::post(url("/a")).header("accept", "text/plain")),
        ("method and body", fetch::post(url("/a")).header("accept", "text/plain").body("b")),
        ("redirects", base().redirects(1)),
        ("tags", base().tags(["a"])),
        ("tags run together", base().tags(["a", "b"])),
        ("expire", base().expire("2h")),
    ];
    for (at, (name, fetch)) in other.into_iter().enumerate() {
        let expected = format!("call {}", at + 2);
        assert_eq!(read(fetch.clone()).await, expected, "{name}");
        assert_eq!(read(fetch).await, expected, "{name}, again");
    }
}

#[tokio::test]
async fn a_visitors_baggage_goes_out_with_no_call_whose_answer_others_are_given() {
    let config = Config::default().allow("127.0.0.0/8".parse().unwrap());
    // As tracing adds it: what the application wrote stays.
    let (engine, _) = engine_with(config.headers(|headers| {
        headers.entry("baggage").or_insert(HeaderValue::from_static("tenant=visitor"));
        headers.entry("traceparent").or_insert(HeaderValue::from_static("00-1-1-01"));
    }));
    let upstream = Upstream::start().await;
    let (once, stored) = (Scope::new(&engine, Purpose::Once), Scope::new(&engine, Purpose::Stored));
    let draft = Scope::draft(&engine, Purpose::Stored);
    let live = Scope::new(&engine, Purpose::Live);
    let plain = |path: &str| fetch::get(upstream.url(path));
    let own = |fetch: Fetch| fetch.header("baggage", "tenant=own");
    for (name, scope, fetch, expected) in [
        ("of one request", &once, plain("/a"), "tenant=visitor"),
        ("that is stored", &once, plain("/b").revalidate("1h"), ""),
        ("of a page that is stored", &stored, plain("/c"), ""),
        ("of a live page", &live, plain("/g"), ""),
        ("of a draft", &draft, plain("/d"), "tenant=visitor"),
        ("with baggage of its own", &once, own(plain("/e")), "tenant=own"),
        ("that is stored, with baggage of its own", &once, own(plain("/f")).revalidate("1h"), "tenant=own"),
    ] {
        scope.run(text(fetch)).await;
        let sent = upstream.seen().pop().unwrap().headers;
        let baggage = sent.get("baggage").map_or("", |value| value.to_str().unwrap());
        assert_eq!(baggage, expected, "a call {name}");
        assert!(sent.contains_key("traceparent"), "a call {name}");
    }
}

#[tokio::test]
async fn the_order_of_headers_does_not_matter_but_that_of_one_headers_lines_does() {
    let (engine, _) = engine();
    let upstream = Upstream::start().await;
    let read = async |headers: [(&'static str, &'static str); 2]| {
        let fetch =
            headers.into_iter().fold(fetch::get(upstream.url("/")), |fetch, (n, v)| fetch.header(n, v));
        render(&engine, text(fetch.revalidate("1h"))).await
    };
    assert_eq!(read([("a", "1"), ("b", "2")]).await, read([("b", "2"), ("a", "1")]).await);
    assert_ne!(read([("a", "1"), ("a", "2")]).await, read([("a", "2"), ("a", "1")]).await);
}

/// Cases, 39.
#[tokio::test]
async fn what_depends_on_who_asks_is_not_stored_unless_asked_and_never_shared() {
    let (engine, _) = engine();
    let upstream = Upstream::start().await;
    upstream.answers(|seen| {
        let who = seen.headers.get("authorization").or(seen.headers.get("cookie"));
        format!("for {}", who.map_or("nobody", |who| who.to_str().unwrap()))
    });
    let with_password = |who: &str| upstream.url("/").replace("://", &format!("://{who}:secret@"));
    type Asks<'a> = Box<dyn Fn(&'static str) -> Fetch + 'a>;
    let ways: Vec<(&str, Asks<'_>)> = vec![
        ("authorization", Box::new(|who| fetch::get(upstream.url("/")).header("authorization", who))),
        ("cookie", Box::new(|who| fetch::get(upstream.url("/")).header("cookie", who))),
        ("password in the URL", Box::new(|who| fetch::get(with_password(who)))),
    ];
    for (way, asks) in ways {
        let before = upstream.calls();
        let mut answers = Vec::new();
        for who in ["ann", "ben", "ann", "ben"] {
            answers.push(render(&engine, text(asks(who).revalidate("1h"))).await);
        }
        assert_eq!(upstream.calls() - before, 4, "{way}: not stored");
        assert_ne!(answers[0], answers[1], "{way}");
        let before = upstream.calls();
        for (at, who) in ["ann", "ben", "ann", "ben"].into_iter().enumerate() {
            assert_eq!(
                render(&engine, text(asks(who).revalidate("1h").store_private())).await,
                answers[at],
                "{way}"
            );
        }
        assert_eq!(upstream.calls() - before, 2, "{way}: stored, for each by themselves");
    }
}

/// Cases, 39.
#[tokio::test]
async fn an_answer_that_sets_a_cookie_is_not_stored_unless_asked_and_then_without_the_cookie() {
    let (engine, _) = engine();
    let upstream = Upstream::start().await;
    upstream.answers(|_| ([("set-cookie", "a=1"), ("x-kept", "yes")], "body"));
    let read = || fetch::get(upstream.url("/")).revalidate("1h");
    for calls in 1..=2 {
        render(&engine, read().send()).await.unwrap();
        assert_eq!(upstream.calls(), calls);
    }
    for _ in 0..2 {
        let stored = render(&engine, read().store_private().query(&[("private", "")]).send()).await.unwrap();
        assert_eq!(upstream.calls(), 3);
        assert!(stored.headers.contains_key("x-kept") && !stored.headers.contains_key("set-cookie"));
    }
    let plain = render(&engine, fetch::get(upstream.url("/")).send()).await.unwrap();
    assert!(plain.headers.contains_key("set-cookie"), "what is not stored is whole");
}

#[tokio::test]
async fn an_invalidated_answer_is_read_anew() {
    let (engine, _) = engine();
    let upstream = Upstream::start().await;
    let read =
        || render(&engine, text(fetch::get(upstream.url("/")).revalidate("never").tags([("product", 42)])));
    assert_eq!((read().await, read().await), ("call 1".into(), "call 1".into()));
    engine.invalidate(&[Tag::from("product-7")], Strength::Hard).await.unwrap();
    assert_eq!(read().await, "call 1", "another tag");
    engine.invalidate(&[Tag::from("product-42")], Strength::Hard).await.unwrap();
    assert_eq!(read().await, "call 2");
}

/// Cases, 25.
#[tokio::test]
async fn an_invalidation_while_the_answer_is_under_way_is_not_lost() {
    let (engine, _) = engine();
    let upstream = Upstream::start().await;
    let (arrived, go_on) = (
        std::sync::Arc::new(tokio::sync::Semaphore::new(0)),
        std::sync::Arc::new(tokio::sync::Semaphore::new(0)),
    );
    let gates = (arrived.clone(), go_on.clone());
    upstream.answers_later(move |_| {
        let (arrived, go_on) = gates.clone();
        async move {
            arrived.add_permits(1);
            let _permit = go_on.acquire().await.unwrap();
            axum::response::IntoResponse::into_response("old")
        }
    });
    let read = || render(&engine, text(fetch::get(upstream.url("/")).revalidate("never").tags(["a"])));
    let invalidate = async {
        let _permit = arrived.acquire().await.unwrap();
        engine.invalidate(&[Tag::from("a")], Strength::Hard).await.unwrap();
        go_on.add_permits(1);
    };
    let (first, ()) = tokio::join!(read(), invalidate);
    assert_eq!(first, "old", "who came before may have it");
    upstream.answers(|_| "new");
    assert_eq!(read().await, "new");
}

#[tokio::test]
async fn fifty_pages_that_miss_at_once_make_one_call() {
    let (engine, _) = engine();
    let upstream = Upstream::start().await;
    let reads = (0..50).map(|_| render(&engine, text(fetch::get(upstream.url("/")).revalidate("1h"))));
    let answers = futures::future::join_all(reads).await;
    assert!(answers.iter().all(|answer| answer == "call 1"));
    assert_eq!(upstream.calls(), 1);
}

/// What a page notes of a read: its tags, and in how many seconds it is stale.
async fn noted(
    engine: &tropos_cache::Engine,
    clock: &ManualClock,
    fetch: Fetch,
) -> (Vec<String>, Option<u64>) {
    use tropos_core::Clock;
    let scope = Scope::new(engine, Purpose::Stored);
    let _ = scope.run(fetch.send()).await;
    let reads = scope.reads();
    let tags = reads.tags.iter().map(|tag| tag.as_str().to_owned()).collect();
    (tags, reads.stale_at.map(|at| at.since(clock.now()).as_secs()))
}

#[tokio::test]
async fn tags_and_the_rest_of_the_age_flow_to_the_page_on_miss_and_hit() {
    let (engine, clock) = engine();
    let upstream = Upstream::start().await;
    let tags = vec!["a".to_owned(), "b".to_owned()];
    let read = || fetch::get(upstream.url("/")).tags(["b", "a"]);
    assert_eq!(noted(&engine, &clock, read()).await, (tags.clone(), None), "not stored");
    assert_eq!(noted(&engine, &clock, read().revalidate("60s")).await, (tags.clone(), Some(60)), "miss");
    clock.advance(5 * SECOND);
    assert_eq!(noted(&engine, &clock, read().revalidate("60s")).await, (tags.clone(), Some(55)), "hit");
    assert_eq!(noted(&engine, &clock, read().revalidate("never")).await, (tags.clone(), None), "never");
    let private = read().header("cookie", "a").revalidate("60s");
    assert_eq!(noted(&engine, &clock, private).await, (tags, Some(60)), "not stored, but declared");
}

#[tokio::test]
async fn a_page_that_makes_do_without_its_data_is_soon_made_anew() {
    let (engine, clock) = engine();
    let upstream = Upstream::start().await;
    for status in [404, 503] {
        upstream.answers(move |_| StatusCode::from_u16(status).unwrap());
        for (age, expected) in [("2s", 2), ("60s", 10), ("never", 10)] {
            let read = fetch::get(upstream.url(&format!("/{status}"))).tags(["a"]).revalidate(age);
            assert_eq!(
                noted(&engine, &clock, read).await,
                (vec!["a".into()], Some(expected)),
                "{status} {age}"
            );
        }
    }
}

#[tokio::test]
async fn outside_a_render_each_fetch_is_a_plain_request() {
    let upstream = Upstream::start().await;
    for expected in ["call 1", "call 2"] {
        assert_eq!(text(fetch::get(upstream.url("/")).revalidate("1h")).await, expected);
    }
    assert_eq!(text(fetch::request(Method::DELETE, upstream.url("/"))).await, "call 3");
}
