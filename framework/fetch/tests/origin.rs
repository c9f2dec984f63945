//! Answers that are stored as their origin says (RFC 9111).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod upstream;

use axum::response::{IntoResponse, Response};
use std::time::Duration;
use tropos_cache::{Engine, Purpose, Scope, Strength};
use tropos_core::{Clock, ManualClock, Tag};
use tropos_fetch::{self as fetch, Error, Fetch, StatusCode};
use upstream::{Seen, Upstream, engine, render};

const SECOND: Duration = Duration::from_secs(1);

async fn text(fetch: Fetch) -> String {
    fetch.text().await.unwrap()
}

/// Answers with its number, and this `Cache-Control`.
fn says(upstream: &Upstream, cache_control: &'static str) {
    let number = upstream.clone();
    upstream.answers(move |_| ([("cache-control", cache_control)], format!("call {}", number.calls())));
}

/// Answers with the ETag `"a"`, and with 304 where that is asked for.
fn tagged(seen: &Seen) -> Response {
    let headers = [("etag", "\"a\""), ("cache-control", "max-age=60"), ("x-seen", "yes")];
    match seen.headers.get("if-none-match").map(|tag| tag.to_str().unwrap()) {
        Some("\"a\"") => (StatusCode::NOT_MODIFIED, headers).into_response(),
        _ => (headers, "whole").into_response(),
    }
}

#[tokio::test]
async fn an_answer_is_stored_for_as_long_as_its_origin_says() {
    // What is said; the age that is declared; the second at which it is read anew, 0: at once.
    let cases = [
        ("max-age=60", None, 60),
        ("max-age=60, s-maxage=10", None, 10),
        ("max-age=60", Some("20s"), 20),
        ("max-age=60", Some("2m"), 60),
        ("no-store", Some("2m"), 0),
        ("private, max-age=60", Some("2m"), 0),
        ("no-cache", None, 0),
        ("", Some("2m"), 0),
    ];
    for (said, declared, seconds) in cases {
        let (engine, clock) = engine();
        let upstream = Upstream::start().await;
        says(&upstream, said);
        let read = || {
            let fetch = fetch::get(upstream.url("/")).honour_origin();
            let fetch = declared.into_iter().fold(fetch, Fetch::revalidate);
            render(&engine, text(fetch))
        };
        assert_eq!(read().await, "call 1");
        if seconds > 0 {
            clock.advance(seconds * SECOND - SECOND / 1000);
            assert_eq!(read().await, "call 1", "{said}, {declared:?}");
            clock.advance(SECOND / 1000);
        }
        assert_eq!(read().await, "call 2", "{said}, {declared:?}");
    }
}

#[tokio::test]
async fn without_being_asked_to_a_fetch_does_not_look_at_what_the_origin_says() {
    let (engine, _) = engine();
    let upstream = Upstream::start().await;
    says(&upstream, "no-store");
    for _ in 0..2 {
        assert_eq!(render(&engine, text(fetch::get(upstream.url("/")).revalidate("1h"))).await, "call 1");
    }
}

#[tokio::test]
async fn what_depends_on_who_asks_is_not_shared_whatever_the_origin_says() {
    let (engine, _) = engine();
    let upstream = Upstream::start().await;
    says(&upstream, "public, max-age=60");
    let asks = |name, who| fetch::get(upstream.url("/")).header(name, who).honour_origin();
    for name in ["authorization", "cookie"] {
        let before = upstream.calls();
        for who in ["ann", "ben", "ann"] {
            render(&engine, text(asks(name, who))).await;
        }
        assert_eq!(upstream.calls() - before, 3, "{name}");
        says(&upstream, "private, max-age=60");
        for who in ["ann", "ben", "ann", "ben"] {
            render(&engine, text(asks(name, who).store_private())).await;
        }
        assert_eq!(upstream.calls() - before, 5, "{name}: stored, for each by themselves");
    }
    upstream.answers(|_| ([("cache-control", "public, max-age=60"), ("set-cookie", "a=1")], "body"));
    let before = upstream.calls();
    for _ in 0..2 {
        render(&engine, text(fetch::get(upstream.url("/cookie")).honour_origin())).await;
    }
    assert_eq!(upstream.calls() - before, 2, "an answer that sets a cookie");
}

#[tokio::test]
async fn by_its_status_an_answer_is_stored_or_not() {
    let (engine, _) = engine();
    let upstream = Upstream::start().await;
    for (status, statuses, stored) in [
        (200, None, true),
        (404, None, true),
        (418, None, false),
        (404, Some([200]), false),
        (404, Some([404]), true),
        (418, Some([418]), false),
    ] {
        let before = upstream.calls();
        let code = StatusCode::from_u16(status).unwrap();
        upstream.answers(move |_| (code, [("cache-control", "max-age=60")], "body"));
        let url = upstream.url(&format!("/{status}/{statuses:?}"));
        for _ in 0..2 {
            let fetch = fetch::get(&url).honour_origin();
            let fetch = statuses.into_iter().fold(fetch, Fetch::store_statuses);
            assert_eq!(render(&engine, fetch.send()).await.unwrap().status, code);
        }
        assert_eq!(upstream.calls() - before, if stored { 1 } else { 2 }, "{status} {statuses:?}");
    }
}

#[tokio::test]
async fn an_answer_that_came_by_a_redirect_is_not_stored() {
    let (engine, _) = engine();
    let upstream = Upstream::start().await;
    upstream.answers(|seen| match seen.uri.as_str() {
        "/" => (StatusCode::FOUND, [("location", "/there")]).into_response(),
        _ => ([("cache-control", "max-age=60")], "there").into_response(),
    });
    for calls in [2, 4] {
        assert_eq!(render(&engine, text(fetch::get(upstream.url("/")).honour_origin())).await, "there");
        assert_eq!(upstream.calls(), calls);
    }
}

#[tokio::test]
async fn a_post_is_made_each_time() {
    let (engine, _) = engine();
    let upstream = Upstream::start().await;
    says(&upstream, "max-age=60");
    render(&engine, async {
        for calls in 1..=2 {
            text(fetch::post(upstream.url("/")).honour_origin()).await;
            assert_eq!(upstream.calls(), calls);
        }
    })
    .await;
}

#[tokio::test]
async fn a_stale_answer_is_asked_for_by_its_validator_and_not_sent_again() {
    let (engine, clock) = engine();
    let upstream = Upstream::start().await;
    upstream.answers(tagged);
    let read = || render(&engine, fetch::get(upstream.url("/")).honour_origin().send());
    for calls in 1..=3 {
        for _ in 0..2 {
            let answer = read().await.unwrap();
            assert_eq!((answer.status, answer.text().unwrap().as_str()), (StatusCode::OK, "whole"));
            assert_eq!(upstream.calls(), calls);
        }
        clock.advance(60 * SECOND);
    }
    let asked =
        upstream.seen().iter().map(|seen| seen.headers.contains_key("if-none-match")).collect::<Vec<_>>();
    assert_eq!(asked, [false, true, true]);
    upstream.answers(|_| ([("etag", "\"b\""), ("cache-control", "max-age=60")], "other"));
    assert_eq!(read().await.unwrap().text().unwrap(), "other", "it has changed");
}

#[tokio::test]
async fn a_304_about_another_answer_has_the_whole_one_read() {
    let (engine, clock) = engine();
    let upstream = Upstream::start().await;
    upstream.answers(|seen| match seen.headers.contains_key("if-none-match") {
        true => (StatusCode::NOT_MODIFIED, [("etag", "\"other\"")]).into_response(),
        false => ([("etag", "\"a\""), ("cache-control", "max-age=60")], "whole").into_response(),
    });
    for calls in [1, 3] {
        let answer = render(&engine, fetch::get(upstream.url("/")).honour_origin().send()).await.unwrap();
        assert_eq!((answer.status, &*answer.body), (StatusCode::OK, &b"whole"[..]));
        assert_eq!(upstream.calls(), calls);
        clock.advance(60 * SECOND);
    }
}

#[tokio::test]
async fn what_was_invalidated_is_read_as_a_whole() {
    let (engine, _) = engine();
    let upstream = Upstream::start().await;
    upstream.answers(tagged);
    let read = || render(&engine, text(fetch::get(upstream.url("/")).honour_origin().tags(["a"])));
    read().await;
    engine.invalidate(&[Tag::from("a")], Strength::Hard).await.unwrap();
    assert_eq!(read().await, "whole");
    assert!(upstream.seen().iter().all(|seen| !seen.headers.contains_key("if-none-match")));
}

/// A page for one request, which takes what is stale where it may.
async fn once(engine: &Engine, fetch: Fetch) -> String {
    Scope::new(engine, Purpose::Once).run(text(fetch)).await
}

#[tokio::test]
async fn a_stale_answer_is_given_at_once_only_while_its_origin_lets_it() {
    let (engine, clock) = engine();
    let upstream = Upstream::start().await;
    says(&upstream, "max-age=60, stale-while-revalidate=30");
    let read = || once(&engine, fetch::get(upstream.url("/swr")).honour_origin());
    assert_eq!(read().await, "call 1");
    clock.advance(89 * SECOND);
    assert_eq!(read().await, "call 1", "at once");
    upstream.until_calls(2).await;
    let replaced = async {
        while read().await != "call 2" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(10 * SECOND, replaced).await.expect("the new answer was never stored");
    clock.advance(90 * SECOND);
    assert_eq!(read().await, "call 3", "no longer");
    says(&upstream, "max-age=60");
    let read = || once(&engine, fetch::get(upstream.url("/plain")).honour_origin());
    assert_eq!(read().await, "call 4");
    clock.advance(60 * SECOND);
    assert_eq!(read().await, "call 5", "it says nothing of that");
}

#[tokio::test]
async fn while_the_source_fails_the_older_answer_is_given_as_far_as_it_says() {
    // What is said; for how long the answer is stale; what is given.
    let cases = [
        ("max-age=60", 0, Some("call 1")),
        ("max-age=60", 3539, Some("call 1")),
        ("max-age=60", 3541, None),
        ("max-age=60, stale-if-error=20", 19, Some("call 1")),
        ("max-age=60, stale-if-error=20", 20, None),
        ("max-age=60, must-revalidate", 0, None),
        ("s-maxage=60", 0, None),
    ];
    for breaks_off in [false, true] {
        for (said, stale, given) in cases {
            let (engine, clock) = engine();
            let upstream = Upstream::start().await;
            says(&upstream, said);
            let read = |timeout| {
                let fetch = fetch::get(upstream.url("/")).honour_origin().timeout(timeout);
                render(&engine, fetch.send())
            };
            assert_eq!(read(10 * SECOND).await.unwrap().text().unwrap(), "call 1");
            match breaks_off {
                true => upstream.answers_later(|_| std::future::pending()),
                false => upstream.fails(),
            }
            clock.advance((60 + stale) * SECOND);
            for _ in 0..2 {
                match (read(SECOND / 10).await, given, breaks_off) {
                    (Ok(answer), Some(text), _) => {
                        assert_eq!(&*answer.body, text.as_bytes(), "{said}, {stale}")
                    }
                    (Ok(answer), None, false) => assert_eq!(answer.status, 503, "{said}, {stale}"),
                    (Err(Error::Unconfirmed { .. }), None, true) => {}
                    (answer, ..) => panic!("{said}, {stale}: {answer:?}"),
                }
            }
        }
    }
}

#[tokio::test]
async fn the_age_that_the_origin_says_flows_to_the_page() {
    let (engine, clock) = engine();
    let noted = async |clock: &ManualClock, fetch: Fetch| {
        let scope = Scope::new(&engine, Purpose::Stored);
        let _ = scope.run(fetch.send()).await;
        scope.reads().stale_at.map(|at| at.since(clock.now()).as_secs())
    };
    let upstream = Upstream::start().await;
    let read = || fetch::get(upstream.url("/")).honour_origin();
    says(&upstream, "max-age=60");
    assert_eq!(noted(&clock, read()).await, Some(60), "miss");
    clock.advance(5 * SECOND);
    assert_eq!(noted(&clock, read()).await, Some(55), "hit");
    says(&upstream, "no-store");
    assert_eq!(noted(&clock, read().query(&[("q", 1)])).await, None, "as a fetch that is not stored");
    assert_eq!(noted(&clock, read().query(&[("q", 1)]).revalidate("20s")).await, Some(20), "but declared");
    upstream.fails();
    assert_eq!(noted(&clock, read().query(&[("q", 2)])).await, Some(10), "makes do without its data");
}
