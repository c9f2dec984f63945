//! Whatever the source does, a fetch ends, and the page still answers (cases, 41).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod upstream;

use axum::{body::Body, response::IntoResponse};
use std::{
    io::Write,
    sync::{Arc, Mutex},
    time::Duration,
};
use tropos_cache::{Purpose, Scope};
use tropos_fetch::{self as fetch, Called, Config, Error, Method, Observer, StatusCode};
use upstream::{Upstream, endless, engine, engine_with, render};

/// `size` zeros, a thousandth of that when packed.
fn bomb(size: usize) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..size / 65_536 {
        encoder.write_all(&[0; 65_536]).unwrap();
    }
    encoder.finish().unwrap()
}

#[tokio::test]
async fn an_answer_over_the_limit_is_refused_at_the_limit() {
    let (engine, _) = engine();
    let upstream = Upstream::start().await;
    let packed = bomb(64 << 20);
    assert!(packed.len() < 100_000);
    upstream.answers(move |seen| match seen.uri.as_str() {
        "/declared" => vec![0; 100_001].into_response(),
        "/chunked" => {
            Body::from_stream(futures::stream::iter((0..11).map(|_| Ok::<_, Error>(vec![0; 10_000]))))
                .into_response()
        }
        "/endless" => endless().into_response(),
        "/bomb" => ([("content-encoding", "gzip")], packed.clone()).into_response(),
        _ => "fine".into_response(),
    });
    for stored in [false, true] {
        for path in ["/declared", "/chunked", "/endless", "/bomb"] {
            let fetch = fetch::get(upstream.url(path)).max_bytes(100_000);
            let fetch = if stored { fetch.revalidate("1h") } else { fetch };
            let page =
                async { (fetch.send().await, fetch::get(upstream.url("/fine")).text().await.unwrap()) };
            let (answer, rest) = render(&engine, page).await;
            assert!(matches!(answer, Err(Error::TooLarge { limit: 100_000, .. })), "{path}: {answer:?}");
            assert_eq!(rest, "fine");
        }
    }
    let within = fetch::get(upstream.url("/declared")).max_bytes(100_001).send().await.unwrap();
    assert_eq!(within.body.len(), 100_001);
}

#[tokio::test]
async fn the_default_limit_stops_an_endless_answer() {
    let upstream = Upstream::start().await;
    upstream.answers(|_| endless());
    let answer = fetch::get(upstream.url("/")).timeout(Duration::from_secs(60)).send().await;
    assert!(matches!(answer, Err(Error::TooLarge { limit: fetch::DEFAULT_BYTES, .. })), "{answer:?}");
}

#[tokio::test]
async fn a_source_that_keeps_us_waiting_is_given_up() {
    let upstream = Upstream::start().await;
    upstream.answers_later(|seen| async move {
        let never = || futures::stream::pending::<Result<Vec<u8>, Error>>();
        match seen.uri.as_str() {
            "/no-answer" => std::future::pending().await,
            _ => Body::from_stream(never()).into_response(),
        }
    });
    for path in ["/no-answer", "/no-body"] {
        let after = Duration::from_millis(50);
        let answer = fetch::get(upstream.url(path)).timeout(after).send().await;
        assert!(matches!(answer, Err(Error::Timeout { .. })), "{path}: {answer:?}");
        let text = answer.unwrap_err().to_string();
        assert!(text.contains("within 50ms") && text.contains(".timeout("), "{text}");
    }
}

#[tokio::test]
async fn nobody_there_is_an_error_that_names_whom_but_no_secrets() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let secret = format!("http://ann:secret1@{address}/a?key=secret2");
    let error = fetch::get(secret).allow_private().send().await.unwrap_err();
    let text = tropos_core::Failure::from(error).to_string();
    assert!(text.starts_with(&format!("no answer from http://{address}/a: ")), "{text}");
    assert!(!text.contains("secret"), "{text}");
}

#[tokio::test]
async fn a_slow_source_keeps_its_own_readers_waiting_and_no_others() {
    let loopback = "127.0.0.0/8".parse().unwrap();
    let (engine, _) = engine_with(fetch::Config::default().allow(loopback).calls_per_host(2));
    let (slow, quick) = (Upstream::start().await, Upstream::start().await);
    let gate = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let held = gate.clone();
    slow.answers_later(move |_| {
        let held = held.clone();
        async move {
            let _permit = held.acquire().await.unwrap();
            "at last".into_response()
        }
    });
    let read = |path: &str, timeout| {
        let fetch = fetch::get(slow.url(path)).timeout(timeout);
        render(&engine, fetch.send())
    };
    let long = Duration::from_secs(60);
    let others = async {
        slow.until_calls(2).await;
        let third = read("/third", Duration::from_millis(50)).await;
        assert!(matches!(third, Err(Error::Busy { limit: 2, .. })), "{third:?}");
        let text = third.unwrap_err().to_string();
        assert!(text.contains("2 calls to its host") && text.contains("within 50ms"), "{text}");
        assert_eq!(slow.calls(), 2, "the third was never sent");
        render(&engine, fetch::get(quick.url("/")).text()).await.unwrap();
        gate.add_permits(1);
    };
    // The last is sent once one of the others has its answer.
    let late = async {
        slow.until_calls(2).await;
        read("/late", long).await
    };
    let (first, second, late, ()) = tokio::join!(read("/first", long), read("/second", long), late, others);
    for answer in [first, second, late] {
        assert_eq!(answer.unwrap().text().unwrap(), "at last");
    }
}

#[tokio::test]
async fn a_call_that_follows_a_redirect_waits_for_no_place_that_it_holds_itself() {
    let loopback = "127.0.0.0/8".parse().unwrap();
    let (engine, _) = engine_with(fetch::Config::default().allow(loopback).calls_per_host(1));
    let upstream = Upstream::start().await;
    redirects(&upstream, 302);
    let answer = render(&engine, fetch::get(upstream.url("/27")).text()).await;
    assert_eq!(answer.unwrap(), "the end");
}

#[tokio::test]
async fn a_time_beyond_what_the_clock_can_say_is_no_limit() {
    let upstream = Upstream::start().await;
    let answer = fetch::get(upstream.url("/")).timeout(Duration::MAX).text().await;
    assert_eq!(answer.unwrap(), "call 1");
}

/// Redirects `/N` to `/N+1` up to `/30`, and `/loop` to itself.
fn redirects(upstream: &Upstream, status: u16) {
    upstream.answers(move |seen| match seen.uri.trim_start_matches('/').parse::<u32>() {
        Ok(30) => "the end".into_response(),
        Ok(n) => {
            (StatusCode::from_u16(status).unwrap(), [("location", format!("{}", n + 1))]).into_response()
        }
        Err(_) => (StatusCode::FOUND, [("location", "/loop")]).into_response(),
    });
}

#[tokio::test]
async fn redirects_are_followed_up_to_the_limit() {
    let upstream = Upstream::start().await;
    redirects(&upstream, 302);
    let cases = [
        ("/0", None, 6, false),
        ("/25", None, 6, true),
        ("/24", None, 6, false),
        ("/0", Some(30), 31, true),
        ("/0", Some(29), 30, false),
        ("/loop", None, 6, false),
        ("/29", Some(1), 2, true),
    ];
    for (path, limit, calls, arrives) in cases {
        let before = upstream.calls();
        let fetch = fetch::get(upstream.url(path));
        let answer = match limit {
            Some(limit) => fetch.redirects(limit),
            None => fetch,
        };
        match answer.text().await {
            Ok(text) => assert!(arrives && text == "the end", "{path} {limit:?}"),
            Err(Error::Redirects { .. }) => assert!(!arrives, "{path} {limit:?}"),
            Err(error) => panic!("{path} {limit:?}: {error}"),
        }
        assert_eq!(upstream.calls() - before, calls, "{path} {limit:?}");
    }
}

#[tokio::test]
async fn with_no_redirects_allowed_the_answer_is_returned_as_it_is() {
    let upstream = Upstream::start().await;
    for status in [301, 302, 303, 307, 308] {
        redirects(&upstream, status);
        let answer = fetch::get(upstream.url("/0")).redirects(0).send().await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.headers["location"].to_str().unwrap()), (status, "1"));
        let posted = fetch::post(upstream.url("/0")).send().await.unwrap();
        assert_eq!(posted.status.as_u16(), status, "POST follows none by default");
    }
}

#[tokio::test]
async fn a_redirect_keeps_or_drops_method_and_body_by_its_status() {
    let upstream = Upstream::start().await;
    let cases = [
        (301, Method::POST, Method::GET),
        (302, Method::POST, Method::GET),
        (303, Method::POST, Method::GET),
        (307, Method::POST, Method::POST),
        (308, Method::POST, Method::POST),
        (302, Method::PUT, Method::PUT),
        (303, Method::PUT, Method::GET),
        (303, Method::HEAD, Method::HEAD),
    ];
    for (status, before, after) in cases {
        redirects(&upstream, status);
        let request = fetch::request(before.clone(), upstream.url("/29")).header("content-type", "text/x");
        request.body("body").redirects(1).send().await.unwrap();
        let last = upstream.seen().pop().unwrap();
        assert_eq!((&last.method, last.uri.as_str()), (&after, "/30"), "{status} {before}");
        let has_body = (last.body.as_ref(), last.headers.contains_key("content-type"));
        let keeps = before == after;
        assert_eq!(
            has_body,
            if keeps { (&b"body"[..], true) } else { (&b""[..], false) },
            "{status} {before}"
        );
    }
}

#[tokio::test]
async fn credentials_stay_with_the_origin_that_they_were_meant_for() {
    let (home, abroad) = (Upstream::start().await, Upstream::start().await);
    let away = abroad.url("/");
    home.answers(move |seen| match seen.uri.as_str() {
        "/away" => (StatusCode::FOUND, [("location", away.clone())]),
        _ => (StatusCode::FOUND, [("location", "/end".to_owned())]),
    });
    let names = ["authorization", "cookie", "x-other"];
    for path in ["/away", "/stay"] {
        let ask = names.into_iter().fold(fetch::get(home.url(path)), |ask, name| ask.header(name, "secret"));
        ask.redirects(1).send().await.ok();
    }
    let got = |upstream: &Upstream| {
        let last = upstream.seen().pop().unwrap();
        names.map(|name| last.headers.contains_key(name))
    };
    assert_eq!(got(&abroad), [false, false, true]);
    assert_eq!(got(&home), [true, true, true]);
    // A password in the URL is a credential too, and an absolute target of the same origin does not repeat it.
    let here = home.url("/end");
    let away = abroad.url("/");
    home.answers(move |seen| match seen.uri.as_str() {
        "/away" => (StatusCode::FOUND, [("location", away.clone())]),
        "/stay" => (StatusCode::FOUND, [("location", here.clone())]),
        _ => (StatusCode::OK, [("location", String::new())]),
    });
    for (path, last, keeps) in [("/stay", &home, true), ("/away", &abroad, false)] {
        let with_password = home.url(path).replace("://", "://ann:secret@");
        fetch::get(with_password).redirects(1).send().await.unwrap();
        let got = last.seen().pop().unwrap().headers.get("authorization").cloned();
        // `ann:secret` in Base64 (RFC 7617 §2).
        let expected = keeps.then_some("Basic YW5uOnNlY3JldA==");
        assert_eq!(got.as_ref().map(|value| value.to_str().unwrap()), expected, "{path}");
    }
}

#[tokio::test]
async fn a_redirect_to_another_scheme_is_refused() {
    let upstream = Upstream::start().await;
    for target in ["file:///etc/passwd", "javascript:alert(1)", "ftp://a/", "http://"] {
        upstream.answers(move |_| (StatusCode::FOUND, [("location", target)]));
        let answer = fetch::get(upstream.url("/")).send().await;
        assert!(matches!(answer, Err(Error::RedirectTarget { .. })), "{target}: {answer:?}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_description_is_said_when_it_is_sent() {
    let fine = "http://127.0.0.1:1/";
    let cases = [
        (fetch::get("/relative"), "absolute URL"),
        (fetch::get("ftp://a/"), "`ftp`"),
        (fetch::get(fine).header("a b", "c"), "`a b`"),
        (fetch::get(fine).header("a", "b\r\nc: d"), "`a`"),
        (fetch::get(fine).revalidate("5 minutes"), "`5 minutes` is not a duration"),
        (fetch::get(fine).revalidate(Duration::ZERO), "not a duration"),
        (fetch::get(fine).expire("5m"), ".revalidate("),
        (fetch::get(fine).store_statuses([200, 503]), "status 503"),
        (fetch::get(fine).store_statuses([0]), "status 0"),
        (fetch::get(fine).revalidate("5m").expire("1m"), "expire (1m) is shorter than revalidate (5m)"),
        (fetch::get(fine).revalidate("bad").timeout(Duration::ZERO), "`bad`"),
    ];
    for (fetch, expected) in cases {
        let error = fetch.send().await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn answers_are_read_as_text_or_json_or_say_why_not() {
    let upstream = Upstream::start().await;
    upstream.answers(|seen| match seen.uri.as_str() {
        "/json?a=1&b=c%26d" => "[1, 2]".into_response(),
        "/latin" => vec![0xe9].into_response(),
        _ => (StatusCode::NOT_FOUND, "[]").into_response(),
    });
    let json = || fetch::get(upstream.url("/json")).query(&[("a", "1"), ("b", "c&d")]);
    assert_eq!(json().json::<Vec<u8>>().await.unwrap(), [1, 2]);
    assert!(matches!(json().json::<String>().await, Err(Error::Json { .. })));
    assert!(matches!(fetch::get(upstream.url("/latin")).text().await, Err(Error::Text { .. })));
    let missing = || fetch::get(upstream.url("/missing"));
    assert!(matches!(
        missing().json::<Vec<u8>>().await,
        Err(Error::Status { status: StatusCode::NOT_FOUND, .. })
    ));
    assert!(missing().send().await.unwrap().found().is_none());
}

/// A call as it was told of: its status, and whether it was given up.
type Ended = (Option<u16>, bool);

/// What was told, in order.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<Ended>>>);

impl Observer for Told {
    fn called(&self, call: &Called<'_>) {
        self.0.lock().unwrap().push((call.status, call.cancelled));
    }
}

#[tokio::test]
async fn a_call_that_is_given_up_is_told_of_once_as_every_other() {
    let told = Told::default();
    let allow = "127.0.0.0/8".parse().unwrap();
    let (engine, _) = engine_with(Config::default().allow(allow).observer(told.clone()));
    let upstream = Upstream::start().await;
    let read = async || {
        let scope = Scope::new(&engine, Purpose::Once);
        scope.run(fetch::get(upstream.url("/")).send()).await
    };
    assert!(read().await.is_ok());
    upstream.answers_later(|_| std::future::pending());
    tokio::time::timeout(Duration::from_millis(50), read()).await.unwrap_err();
    assert_eq!(*told.0.lock().unwrap(), [(Some(200), false), (None, true)]);
}
