//! CORS: preflights, what scripts may read, and what caches are told.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Asked, answer, answered, lines, pass, passed_headers};
use http::Method;
use std::time::Duration;
use tropos_edge::{
    Hook, Hooks, Reply, hook,
    ready::{Cors, Guard},
};

const APP: &str = "https://app.example";

fn cors() -> Cors {
    Cors::new([APP, "http://localhost:8080"])
}

fn preflight(origin: &str) -> Asked {
    Asked::of(Method::OPTIONS, "/api").header("origin", origin).header("access-control-request-method", "PUT")
}

#[test]
fn a_preflight_is_answered_with_what_is_allowed() {
    let whole = cors()
        .methods(["GET", "PUT"])
        .headers(["authorization", "x-a"])
        .credentials()
        .private_network()
        .max_age(Duration::from_secs(60));
    for (name, cors, asked, expected) in [
        ("by default", cors(), preflight(APP), "204;https://app.example;GET, HEAD, POST;;;;600"),
        ("another of the list", cors(), preflight("http://localhost:8080"), {
            "204;http://localhost:8080;GET, HEAD, POST;;;;600"
        }),
        ("any", Cors::any_origin(), preflight("https://x.example"), "204;*;GET, HEAD, POST;;;;600"),
        ("any, null", Cors::any_origin(), preflight("null"), "204;*;GET, HEAD, POST;;;;600"),
        (
            "all said",
            whole.clone(),
            preflight(APP),
            "204;https://app.example;GET, PUT;authorization, x-a;true;;60",
        ),
        (
            "a private network",
            whole,
            preflight(APP).header("access-control-request-private-network", "true"),
            "204;https://app.example;GET, PUT;authorization, x-a;true;true;60",
        ),
        (
            "a private network, not allowed",
            cors(),
            preflight(APP).header("access-control-request-private-network", "true"),
            "204;https://app.example;GET, HEAD, POST;;;;600",
        ),
        ("another origin", cors(), preflight("https://evil.example"), "403;;;;;;"),
        ("another scheme", cors(), preflight("http://app.example"), "403;;;;;;"),
        ("another port", cors(), preflight("https://app.example:8443"), "403;;;;;;"),
        ("a host below", cors(), preflight("https://x.app.example"), "403;;;;;;"),
        ("a longer host", cors(), preflight("https://app.example.evil.example"), "403;;;;;;"),
        ("capitals", cors(), preflight("https://APP.example"), "403;;;;;;"),
        ("null", cors(), preflight("null"), "403;;;;;;"),
        ("two origins", cors(), preflight(APP).header("origin", "https://evil.example"), "403;;;;;;"),
        ("two in one", cors(), preflight("https://app.example, https://evil.example"), "403;;;;;;"),
        ("an empty one", cors(), preflight(""), "403;;;;;;"),
    ] {
        cors.check().unwrap();
        // Nothing behind sees it.
        let hooks = Hooks::new()
            .hook(cors)
            .hook(hook("behind", |_, _| tropos_edge::Decision::from(Reply::text(500, "seen"))));
        let answer = answer(&hooks, &asked);
        let of = |name: &str| answered(&answer, &format!("access-control-{name}"));
        let told = [
            answer.reply.status().as_str().to_owned(),
            of("allow-origin"),
            of("allow-methods"),
            of("allow-headers"),
            of("allow-credentials"),
            of("allow-private-network"),
            of("max-age"),
        ];
        assert_eq!(told.join(";"), expected, "{name}");
        assert_eq!(
            answered(&answer, "vary"),
            "Origin | Access-Control-Request-Method, Access-Control-Request-Headers",
            "{name}"
        );
    }
}

#[test]
fn other_requests_go_on_and_their_answers_say_who_may_read_them() {
    let from = |origin: &str| Asked::get("/api").header("origin", origin);
    for (name, cors, asked, expected) in [
        ("an origin of the list", cors(), from(APP), "https://app.example;;"),
        ("another", cors(), from("https://evil.example"), ";;"),
        ("null", cors(), from("null"), ";;"),
        ("none", cors(), Asked::get("/api"), ";;"),
        ("two", cors(), from(APP).header("origin", APP), ";;"),
        ("with cookies", cors().credentials(), from(APP), "https://app.example;true;"),
        ("another, with cookies", cors().credentials(), from("https://evil.example"), ";;"),
        ("headers to read", cors().expose(["x-a", "x-b"]), from(APP), "https://app.example;;x-a, x-b"),
        ("any", Cors::any_origin(), from("https://x.example"), "*;;"),
        ("any, without an origin", Cors::any_origin(), Asked::get("/api"), ";;"),
        ("POST", cors(), Asked::of(Method::POST, "/api").header("origin", APP), "https://app.example;;"),
        (
            "OPTIONS that is no preflight",
            cors(),
            Asked::of(Method::OPTIONS, "/api").header("origin", APP),
            "https://app.example;;",
        ),
        (
            "OPTIONS without an origin",
            cors(),
            Asked::of(Method::OPTIONS, "/api").header("access-control-request-method", "PUT"),
            ";;",
        ),
    ] {
        let passed = pass(&Hooks::new().hook(cors), &asked);
        let headers = passed_headers(&passed);
        let of = |name: &str| lines(&headers, &format!("access-control-{name}"));
        assert_eq!(
            [of("allow-origin"), of("allow-credentials"), of("expose-headers")].join(";"),
            expected,
            "{name}"
        );
        assert_eq!(lines(&headers, "vary"), "Origin", "{name}");
        assert!(!passed.personal, "{name}");
    }
}

#[test]
fn a_refusal_behind_can_be_read_by_scripts_too() {
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Nobody;
    impl tropos_edge::edits::ContextValue for Nobody {
        const NAME: &'static str = "nobody";
    }
    let hooks = Hooks::new().hook(cors()).hook(Guard::<Nobody>::known());
    let answer = answer(&hooks, &Asked::get("/api").header("origin", APP));
    assert_eq!(answer.reply.status(), 401);
    assert_eq!(answered(&answer, "access-control-allow-origin"), APP);
    assert_eq!(answered(&answer, "vary"), "Origin");
}

#[test]
fn what_is_configured_wrongly_is_said_at_start() {
    for (cors, says) in [
        (Cors::any_origin().credentials(), "list those"),
        (Cors::new(["*"]), "`*`"),
        (Cors::new(["null"]), "`null`"),
        (Cors::new(["app.example"]), "scheme"),
        (Cors::new(["https://app.example/"]), "as browsers write it"),
        (Cors::new(["https://app.example/a"]), "as browsers write it"),
        (Cors::new(["https://app.example:443"]), "scheme's own"),
        (Cors::new(["http://app.example:80"]), "scheme's own"),
        (Cors::new(["https://app.example:08080"]), "as browsers"),
        (Cors::new(["https://App.example"]), "lower case"),
        (Cors::new(["https://*.example"]), "as browsers"),
        (Cors::new(["https://"]), "as browsers"),
        (Cors::new(["ftp://app.example"]), "as browsers"),
        (cors().methods([]), "no method"),
        (cors().methods(["*"]), "`*`"),
        (cors().headers(["*"]), "by name"),
        (cors().headers(["x a"]), "`x a`"),
        (cors().expose(["a\nb"]), "no token"),
    ] {
        let error = cors.check().unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    for fine in [APP, "http://[::1]:3000", "http://[::1]", "https://xn--bcher-kva.example:8443"] {
        Cors::new([fine]).check().unwrap();
    }
}
