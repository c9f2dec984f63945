//! The page for times of maintenance: when it is on, and who is let through.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Asked, Still, answer_on, answered, pass_on, status_on};
use http::Method;
use std::{sync::atomic::Ordering, time::Duration};
use tropos_edge::{
    Hook, Hooks, Match,
    ready::{Maintenance, Secret},
};

const NOW: u64 = 1_700_000_000_000;
const SECRET: &str = "a secret of 32 bytes, or even more";

fn on() -> Maintenance {
    Maintenance::new().on(true)
}

fn from(address: &str) -> Asked {
    let mut asked = Asked::get("/a");
    asked.client.address = Some(address.parse().unwrap());
    asked
}

fn throw(still: &Still, value: &'static str) {
    still.store.lock().unwrap().insert(("switches".into(), "down".into()), value.into());
}

fn lookups(still: &Still) -> u64 {
    still.lookups.load(Ordering::Relaxed)
}

#[test]
fn while_it_is_on_all_get_503_and_are_told_when_to_come_again() {
    let still = Still::at(NOW);
    let page = on().page("<h1>Back soon</h1>").retry_after(Duration::from_secs(60));
    for (maintenance, kind, wait) in
        [(on(), "text/plain; charset=utf-8", "300"), (page, "text/html; charset=utf-8", "60")]
    {
        maintenance.check().unwrap();
        let hooks = Hooks::new().at(Match::not(Match::path("/status")), maintenance);
        for method in [Method::GET, Method::HEAD, Method::POST] {
            let answer = answer_on(&still, &hooks, &Asked::of(method, "/a"));
            assert_eq!(answer.reply.status(), 503);
            assert_eq!(answered(&answer, "content-type"), kind);
            assert_eq!(answered(&answer, "retry-after"), wait);
            assert_eq!(answered(&answer, "cache-control"), "no-store");
        }
        assert_eq!(status_on(&still, &hooks, &Asked::get("/status")), 200);
    }
}

#[test]
fn while_it_is_off_pages_stay_public() {
    let off = Hooks::new().hook(Maintenance::new().allow("192.0.2.0/24".parse().unwrap()));
    assert!(!pass_on(&Still::at(NOW), &off, &Asked::get("/")).personal);
}

#[test]
fn addresses_of_a_range_are_let_through_and_what_they_see_is_theirs() {
    let still = Still::at(NOW);
    let hooks = Hooks::new()
        .hook(on().allow("192.0.2.0/24".parse().unwrap()).allow("2001:db8::/32".parse().unwrap()));
    for (address, status) in [
        ("192.0.2.9", 200),
        ("::ffff:192.0.2.9", 200),
        ("192.0.3.9", 503),
        ("2001:db8::1", 200),
        ("2001:db9::1", 503),
    ] {
        assert_eq!(status_on(&still, &hooks, &from(address)), status, "{address}");
    }
    assert_eq!(status_on(&still, &hooks, &Asked::get("/a")), 503, "an address that is not known");
    let spoofed = Asked::get("/a").header("x-forwarded-for", "192.0.2.9");
    assert_eq!(status_on(&still, &hooks, &spoofed), 503);
    assert!(pass_on(&still, &hooks, &from("192.0.2.9")).personal);
}

#[test]
fn who_knows_the_secret_is_let_in_for_a_day_and_it_does_not_stay_in_the_address() {
    let still = Still::at(NOW);
    let hooks = Hooks::new().hook(on().secret(Secret::new(SECRET)));
    let spelled = SECRET.replace(' ', "+").replace(',', "%2C");
    for (target, location) in [
        (format!("/a?maintenance={spelled}"), "/a"),
        (format!("/a?b=1&maintenance={spelled}&c=%20"), "/a?b=1&c=%20"),
        (format!("/?maintenance={spelled}&b"), "/?b"),
    ] {
        let answer = answer_on(&still, &hooks, &Asked::get(&target));
        assert_eq!(answer.reply.status(), 303, "{target}");
        assert_eq!(answered(&answer, "location"), location, "{target}");
        let line = answered(&answer, "set-cookie");
        assert!(line.ends_with("; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=86400"), "{line}");
        assert!(!line.contains("secret"), "{line}");
        let cookie = line.split(';').next().unwrap().to_owned();
        let passed = pass_on(&still, &hooks, &Asked::get("/a").header("cookie", &cookie));
        assert!(passed.personal && passed.response.is_empty());
        let other = Hooks::new().hook(on().secret(Secret::new([9; 32])));
        assert_eq!(status_on(&still, &other, &Asked::get("/a").header("cookie", &cookie)), 503);
    }
    for (name, asked) in [
        ("a wrong one", Asked::get("/a?maintenance=a+secret")),
        ("an empty one", Asked::get("/a?maintenance=")),
        ("a longer one", Asked::get(&format!("/a?maintenance={spelled}x"))),
        ("by a form", Asked::of(Method::POST, &format!("/a?maintenance={spelled}"))),
        (
            "the secret as the cookie",
            Asked::get("/a").header("cookie", &format!("tropos_maintenance={SECRET}")),
        ),
        ("an empty cookie", Asked::get("/a").header("cookie", "tropos_maintenance=")),
    ] {
        assert_eq!(status_on(&still, &hooks, &asked), 503, "{name}");
    }
    // Without a secret there is none to guess, and a short one counts for nothing.
    for hooks in [Hooks::new().hook(on()), Hooks::new().hook(on().secret(Secret::new("")))] {
        assert_eq!(status_on(&still, &hooks, &Asked::get("/a?maintenance=")), 503);
    }
}

#[test]
fn a_switch_is_looked_up_once_in_five_seconds() {
    let still = Still::at(NOW);
    let hooks = Hooks::new().hook(Maintenance::new().switch("switches", "down"));
    let at = |after, value, expected, asked| {
        throw(&still, value);
        still.later(after);
        for _ in 0..5 {
            assert_eq!(status_on(&still, &hooks, &Asked::get("/")), expected, "{after} {value}");
        }
        assert_eq!(lookups(&still), asked, "{after} {value}");
    };
    at(0, "off", 200, 1);
    at(4999, "on", 200, 1);
    at(1, "on", 503, 2);
    at(5000, "", 200, 3);
    at(5000, " true\n", 503, 4);
    at(5000, "1", 503, 5);
    at(5000, "no", 200, 6);
}

#[test]
fn where_the_store_fails_what_was_last_known_counts() {
    let still = Still::at(NOW);
    let of = |on| Hooks::new().hook(Maintenance::new().on(on).switch("switches", "down"));
    let known = of(false);
    throw(&still, "on");
    assert_eq!(status_on(&still, &known, &Asked::get("/")), 503);
    still.broken.store(true, Ordering::Relaxed);
    still.later(60_000);
    assert_eq!(status_on(&still, &known, &Asked::get("/")), 503);
    for (on, status) in [(false, 200), (true, 503)] {
        let (never, before) = (of(on), lookups(&still));
        for _ in 0..5 {
            assert_eq!(status_on(&still, &never, &Asked::get("/")), status);
        }
        assert_eq!(lookups(&still), before + 1);
    }
}

#[test]
fn what_is_configured_wrongly_is_said_at_start() {
    for (maintenance, says) in [
        (on().secret(Secret::new("short")), "32 bytes"),
        (on().retry_after(Duration::ZERO), "a second to a day"),
        (on().switch("", "a"), "name of a store"),
    ] {
        let error = maintenance.check().unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}
