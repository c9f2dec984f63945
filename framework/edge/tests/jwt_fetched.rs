//! Keys that are fetched: when, how often, and what counts while they cannot be.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;
mod tokens;

use bytes::Bytes;
use common::{Asked, Still, answer_on, status_on};
use futures::{FutureExt, channel::oneshot};
use std::sync::atomic::Ordering;
use std::{future::Future, pin::Pin, sync::Mutex};
use tokens::{Claims, SECRET, b64, by_es256, by_secret, ed25519, es256, signed};
use tropos_core::{CanonicalPath, clock::UnixMillis};
use tropos_edge::{
    Error, Hooks, Platform,
    platform::{BoxFuture, Count},
    ready::{Jwt, jwt::Algorithm},
    request::Route,
    run::{Outcome, run},
};

const NOW: u64 = 1_700_000_000_000;
const URL: &str = "https://id.example/keys.json";
const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

fn hooks() -> Hooks {
    let jwt = Jwt::<Claims>::fetched(URL, [Algorithm::Es256]).issuer("id").audience("shop");
    Hooks::new().hook(jwt)
}

fn es256_jwk(kid: &str) -> String {
    let point = es256().verifying_key().to_sec1_point(false);
    let (x, y) = (b64(point.x().unwrap()), b64(point.y().unwrap()));
    format!(r#"{{"kty":"EC","crv":"P-256","kid":"{kid}","use":"sig","x":"{x}","y":"{y}"}}"#)
}

fn publish(still: &Still, status: u16, body: &str) {
    still.answers.lock().unwrap().insert(URL.into(), (status, body.to_owned().into()));
}

fn set(keys: &[String]) -> String {
    format!(r#"{{"keys":[{}]}}"#, keys.join(","))
}

fn asked(kid: &str) -> Asked {
    let payload = r#"{"sub":"7","iss":"id","aud":["shop"],"exp":2000000000}"#;
    let header = format!(r#"{{"alg":"ES256","kid":"{kid}"}}"#);
    Asked::get("/").header("authorization", &format!("Bearer {}", signed(&header, payload, by_es256)))
}

fn fetches(still: &Still) -> u64 {
    still.fetches.load(Ordering::Relaxed)
}

#[test]
fn keys_are_fetched_once_an_hour() {
    let (still, hooks) = (Still::at(NOW), hooks());
    publish(&still, 200, &set(&[es256_jwk("a")]));
    // Rubbish is not worth a fetch.
    for rubbish in ["a", "a.b.c", "..", &"a".repeat(9000)] {
        let asked = Asked::get("/").header("authorization", &format!("Bearer {rubbish}"));
        assert_eq!(status_on(&still, &hooks, &asked), 401);
    }
    assert_eq!(status_on(&still, &hooks, &Asked::get("/")), 401);
    assert_eq!(fetches(&still), 0);
    for (after, expected) in [(0, 1), (MINUTE, 1), (59 * MINUTE - 1, 1), (1, 2), (HOUR, 3)] {
        still.later(after);
        for _ in 0..3 {
            assert_eq!(status_on(&still, &hooks, &asked("a")), 200);
        }
        assert_eq!(fetches(&still), expected);
    }
}

#[test]
fn an_unknown_name_has_keys_fetched_once_a_minute_at_most() {
    let (still, hooks) = (Still::at(NOW), hooks());
    publish(&still, 200, &set(&[es256_jwk("a")]));
    for name in 0..50 {
        assert_eq!(status_on(&still, &hooks, &asked(&name.to_string())), 401);
    }
    assert_eq!(fetches(&still), 1);
    // The issuer adds a key. Until the minute is over, tokens by it are refused, and those by the old one are not.
    publish(&still, 200, &set(&[es256_jwk("a"), es256_jwk("b")]));
    still.later(MINUTE - 1);
    assert_eq!(status_on(&still, &hooks, &asked("b")), 401);
    still.later(1);
    assert_eq!(status_on(&still, &hooks, &asked("b")), 200);
    assert_eq!(status_on(&still, &hooks, &asked("a")), 200);
    for name in 0..50 {
        assert_eq!(status_on(&still, &hooks, &asked(&name.to_string())), 401);
    }
    assert_eq!(fetches(&still), 2);
    // It withdraws one: within an hour that counts no more.
    publish(&still, 200, &set(&[es256_jwk("b")]));
    still.later(HOUR);
    assert_eq!(status_on(&still, &hooks, &asked("a")), 401);
    assert_eq!(status_on(&still, &hooks, &asked("b")), 200);
}

#[test]
fn old_keys_count_for_a_day_while_the_issuer_is_away() {
    let (still, hooks) = (Still::at(NOW), hooks());
    publish(&still, 200, &set(&[es256_jwk("a")]));
    assert_eq!(status_on(&still, &hooks, &asked("a")), 200);
    for (status, body) in [(500, ""), (200, "<html>"), (200, r#"{"keys":[]}"#), (404, "")] {
        publish(&still, status, body);
        still.later(4 * HOUR);
        assert_eq!(status_on(&still, &hooks, &asked("a")), 200);
        let before = fetches(&still);
        assert_eq!(status_on(&still, &hooks, &asked("a")), 200);
        assert_eq!(fetches(&still), before, "not asked again within a minute");
    }
    still.later(8 * HOUR);
    let answer = answer_on(&still, &hooks, &asked("a"));
    assert_eq!(answer.reply.status(), 500);
    assert!(answer.error.unwrap().to_string().contains("answers with 404"));
}

#[test]
fn without_keys_nobody_gets_in_and_the_issuer_is_not_pestered() {
    let (still, hooks) = (Still::at(NOW), hooks());
    for _ in 0..10 {
        assert_eq!(status_on(&still, &hooks, &asked("a")), 500);
    }
    assert_eq!(fetches(&still), 1);
    publish(&still, 200, &set(&[es256_jwk("a")]));
    still.later(5000);
    assert_eq!(status_on(&still, &hooks, &asked("a")), 200);
    assert_eq!(fetches(&still), 2);
}

#[test]
fn of_a_set_only_keys_of_the_algorithms_that_are_asked_for_count() {
    let okp =
        format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"d","x":"{}"}}"#, b64(ed25519().verifying_key()));
    let oct = format!(r#"{{"kty":"oct","kid":"h","k":"{}"}}"#, b64(SECRET));
    let payload = r#"{"sub":"7","iss":"id","aud":"shop","exp":2000000000}"#;
    let of = |header: &str, sign: &dyn Fn(&[u8]) -> Vec<u8>| {
        Asked::get("/").header("authorization", &format!("Bearer {}", signed(header, payload, sign)))
    };
    let others = r#"{"kty":"EC","crv":"P-521","x":"a","y":"b"}, {"kty":7}, 7, {}"#.to_owned();
    let keys = set(&[others, okp, oct, es256_jwk("e"), es256_jwk("n").replace("sig", "enc")]);
    let (still, hooks) = (Still::at(NOW), hooks());
    publish(&still, 200, &keys);
    for (name, asked, status) in [
        ("ES256", of(r#"{"alg":"ES256","kid":"e"}"#, &by_es256), 200),
        ("a key for encryption", of(r#"{"alg":"ES256","kid":"n"}"#, &by_es256), 401),
        ("a published secret", of(r#"{"alg":"HS256","kid":"h"}"#, &by_secret(&SECRET)), 401),
        ("another algorithm", of(r#"{"alg":"EdDSA","kid":"d"}"#, &tokens::by_ed25519), 401),
    ] {
        assert_eq!(status_on(&still, &hooks, &asked), status, "{name}");
    }
    // Beyond the bound keys are not read.
    let many: Vec<_> = (0..64).map(|at| es256_jwk(&at.to_string())).chain([es256_jwk("last")]).collect();
    publish(&still, 200, &set(&many));
    still.later(HOUR);
    assert_eq!(status_on(&still, &hooks, &asked("63")), 200);
    assert_eq!(status_on(&still, &hooks, &asked("last")), 401);
}

/// An issuer that answers when the test says so.
#[derive(Default)]
struct Slow {
    waiting: Mutex<Vec<oneshot::Sender<Bytes>>>,
    now: std::sync::atomic::AtomicU64,
}

impl Platform for Slow {
    fn now(&self) -> UnixMillis {
        NOW + self.now.load(Ordering::Relaxed)
    }

    fn random(&self) -> u64 {
        0
    }

    fn lookup<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, Error>> {
        Box::pin(async { Ok(None) })
    }

    fn count<'a>(&'a self, _: &'a str, _: u32, _: u32) -> BoxFuture<'a, Result<Count, Error>> {
        Box::pin(async { Err(Error::Hook("no counts".into())) })
    }

    fn fetch<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<(u16, Bytes), Error>> {
        let (answer, answered) = oneshot::channel();
        self.waiting.lock().unwrap().push(answer);
        Box::pin(async { answered.await.map(|body| (200, body)).map_err(|_| Error::Hook("gone".into())) })
    }

    fn wait_until(&self, _: BoxFuture<'static, ()>) {}
}

fn nowhere(_: &CanonicalPath) -> Option<Route<'static>> {
    None
}

fn status(outcome: Outcome) -> u16 {
    match outcome {
        Outcome::Pass(_) => 200,
        Outcome::Answer(answer) => answer.reply.status().as_u16(),
    }
}

#[test]
fn at_a_cold_start_eight_fetch_at_once_and_later_one_alone() {
    let (slow, hooks, asked) = (Slow::default(), hooks(), asked("a"));
    let waiting = || slow.waiting.lock().unwrap().len();
    let answer = |body: &str| {
        slow.waiting.lock().unwrap().drain(..).for_each(|sender| drop(sender.send(body.to_owned().into())))
    };
    type Running<'a> = Pin<Box<dyn Future<Output = Outcome> + 'a>>;
    let start = || -> Running<'_> { Box::pin(run(&hooks, asked.request(), &nowhere, &slow)) };
    let mut running: Vec<_> = (0..8).map(|_| start()).collect();
    assert!(running.iter_mut().all(|one| one.now_or_never().is_none()));
    assert_eq!(waiting(), 8);
    // One more is told at once; when one of the eight is given up, there is room again.
    assert_eq!(start().now_or_never().map(status), Some(500));
    running.pop();
    let mut ninth = start();
    assert!((&mut ninth).now_or_never().is_none());
    running.push(ninth);
    answer(&set(&[es256_jwk("a")]));
    for one in running {
        assert_eq!(one.now_or_never().map(status), Some(200));
    }
    // When they are old, one fetches, and the others go on with what there is.
    slow.now.store(HOUR, Ordering::Relaxed);
    let mut fetching = start();
    assert!((&mut fetching).now_or_never().is_none());
    for _ in 0..5 {
        assert_eq!(start().now_or_never().map(status), Some(200));
    }
    assert_eq!(waiting(), 1);
    answer("rubbish");
    assert_eq!(fetching.now_or_never().map(status), Some(200), "by the old ones");
}
