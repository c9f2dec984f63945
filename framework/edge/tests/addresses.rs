//! Addresses: each page has one, and nobody is sent to another site.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Asked, outcome};
use http::Method;
use proptest::prelude::*;
use tropos_core::CanonicalPath;
use tropos_edge::{Hook, Hooks, ready::address::Addresses, run::Outcome};

fn to(addresses: Addresses, asked: &Asked) -> String {
    match outcome(&Hooks::new().hook(addresses), asked) {
        Outcome::Pass(passed) => {
            assert!(!passed.personal);
            "-".to_owned()
        }
        Outcome::Answer(answer) => {
            assert_eq!(answer.reply.status(), 308, "{answer:?}");
            let location = answer.reply.headers().iter().find(|(name, _)| name == "location").unwrap();
            location.1.to_str().unwrap().to_owned()
        }
    }
}

#[test]
fn slashes_and_capitals_are_mended_in_one_step() {
    let plain = Addresses::new;
    let small = || Addresses::new().small_letters().except("/files");
    let keep = || small().keep_slash();
    type Make<'m> = &'m dyn Fn() -> Addresses;
    let cases: [(Make<'_>, &str, &str); 24] = [
        (&plain, "/", "-"),
        (&plain, "/a", "-"),
        (&plain, "/a/", "/a"),
        (&plain, "/a/b/?c=d&e", "/a/b?c=d&e"),
        (&plain, "/A/", "/A"),
        (&plain, "/api/f/", "/api/f"),
        (&plain, "/a/?x=\u{e9}", "/a"),
        (&plain, "/evil.example/", "/evil.example"),
        (&plain, "/%20evil/", "/%20evil"),
        (&small, "/A", "/a"),
        (&small, "/A/B/?C=D", "/a/b?C=D"),
        (&small, "/caf%C3%89", "-"),
        (&small, "/%C3%89A", "/%C3%89a"),
        (&small, "/api/F", "-"),
        (&small, "/api/F/", "/api/F"),
        (&small, "/_tropos/assets/A", "-"),
        (&small, "/Logo.PNG", "-"),
        (&small, "/files/A", "-"),
        (&small, "/Files/A", "/files/a"),
        (&small, "/filesA", "/filesa"),
        (&keep, "/a/", "-"),
        (&keep, "/A/", "/a/"),
        (&keep, "/A", "/a"),
        (&small, "/a", "-"),
    ];
    for (make, target, expected) in cases {
        for method in [Method::GET, Method::HEAD, Method::POST] {
            assert_eq!(to(make(), &Asked::of(method, target)), expected, "{target}");
        }
    }
}

#[test]
fn one_host_and_https_by_the_word_of_a_trusted_proxy_alone() {
    let www = || {
        Addresses::new()
            .small_letters()
            .host("www.shop.example")
            .alias("shop.example")
            .alias("old.example:8080")
    };
    let secure = || www().https();
    type Make<'m> = &'m dyn Fn() -> Addresses;
    type Case<'m> = (Make<'m>, &'m str, &'m str, Option<(&'m str, &'m str)>, &'m str);
    let cases: [Case<'_>; 17] = [
        (&www, "www.shop.example", "/a", None, "-"),
        (&www, "shop.example", "/a?b=c", None, "https://www.shop.example/a?b=c"),
        (&www, "SHOP.example", "/A/", None, "https://www.shop.example/a"),
        (&www, "old.example:8080", "/", None, "https://www.shop.example/"),
        (&www, "old.example", "/", None, "-"),
        (&www, "evil.example", "/A", None, "/a"),
        (&www, "www.shop.example", "/a", Some(("x-forwarded-proto", "http")), "-"),
        (&secure, "www.shop.example", "/a", None, "-"),
        (&secure, "www.shop.example", "/a", Some(("x-forwarded-proto", "https")), "-"),
        (
            &secure,
            "www.shop.example",
            "/a",
            Some(("x-forwarded-proto", "http")),
            "https://www.shop.example/a",
        ),
        (
            &secure,
            "www.shop.example",
            "/a",
            Some(("x-forwarded-proto", "HTTP , https")),
            "https://www.shop.example/a",
        ),
        (&secure, "www.shop.example", "/a", Some(("x-forwarded-proto", "https, http")), "-"),
        (
            &secure,
            "shop.example",
            "/A/?b",
            Some(("x-forwarded-proto", "http")),
            "https://www.shop.example/a?b",
        ),
        (&secure, "evil.example", "/", Some(("x-forwarded-proto", "http")), "https://www.shop.example/"),
        (
            &secure,
            "www.shop.example",
            "/a",
            Some(("forwarded", "for=1.2.3.4;Proto=\"http\";by=x")),
            "https://www.shop.example/a",
        ),
        (&secure, "www.shop.example", "/a", Some(("forwarded", "for=1.2.3.4;proto=https, proto=http")), "-"),
        (&secure, "www.shop.example", "/a", Some(("forwarded", ";;=;proto")), "-"),
    ];
    for (make, host, target, header, expected) in cases {
        let mut asked =
            header.into_iter().fold(Asked::get(target), |asked, (name, value)| asked.header(name, value));
        asked.host = host.into();
        asked.client.trusted = true;
        assert_eq!(to(make(), &asked), expected, "{host}{target} {header:?}");
        asked.client.trusted = false;
        if header.is_some() && expected.starts_with("https") && host != "shop.example" {
            assert_eq!(to(make(), &asked), "-", "a client's own word counts for nothing");
        }
    }
}

proptest! {
    /// Whatever is asked for: to a path of one slash, or to the configured host, and then nowhere else.
    #[test]
    fn nobody_is_sent_to_another_site_or_twice(path in "/[a-zA-Z0-9%./\\\\:@é-]{0,30}", query in "[ -~]{0,10}", alias: bool) {
        let Ok(path) = CanonicalPath::parse(&path) else { return Ok(()) };
        let make = || Addresses::new().small_letters().host("www.shop.example").alias("shop.example").https();
        let mut asked = Asked::get("/");
        asked.path = path;
        asked.query = query;
        asked.host = if alias { "shop.example" } else { "www.shop.example" }.into();
        let location = to(make(), &asked);
        if location == "-" { return Ok(()) }
        let rest = location.strip_prefix("https://www.shop.example").unwrap_or(&location);
        prop_assert!(rest.starts_with('/') && !rest.starts_with("//") && !rest.contains('\\'), "{}", location);
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        asked.path = CanonicalPath::parse(path).unwrap();
        asked.query = query.into();
        asked.host = "www.shop.example".into();
        prop_assert_eq!(to(make(), &asked), "-");
    }
}

#[test]
fn what_is_configured_wrongly_is_said() {
    for (addresses, text) in [
        (Addresses::new().https(), "name the site's own host"),
        (Addresses::new().alias("a.example"), "name the site's own host"),
        (Addresses::new().host("https://a.example"), "is no host"),
        (Addresses::new().host("a.example/b"), "is no host"),
        (Addresses::new().host(""), "is no host"),
        (Addresses::new().host("a.example").alias("A.example"), "both the host and an alias"),
        (Addresses::new().except("files"), "`except"),
        (Addresses::new().except("/files/"), "`except"),
    ] {
        let error = addresses.check().unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
}
