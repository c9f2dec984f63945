//! The adapter for Workers, from JSON to JSON, on a platform that tests turn.
#![cfg(feature = "worker")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::Still;
use cookie::Cookie;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use tropos_core::CanonicalPath;
use tropos_edge::{
    Decision, Hooks, Match, Reply, hook,
    hook::hook_for_all,
    ready::security::Csp,
    statement::{Bound, Keys, Statement},
    variant,
    worker::{Asked, Worker},
};

variant! { enum Ab: "ab" { A = "a", B = "b" } }

const SECRET: &str = "a secret of edge and origin";

fn hooks() -> Hooks {
    let guard = hook("guard", |request, _| match request.cookie("session") {
        Some("good") => Decision::Next,
        _ => Reply::text(401, "sign in first").into(),
    });
    Hooks::new()
        .at("/old", hook("old", |_, _| Decision::redirect_permanently("/new")))
        .at("/door", hook("door", |_, _| Decision::rewrite("/kept/a?x=1")))
        .at(
            "/kept/:key",
            hook("ab", |request, edits| {
                edits.choose(if request.cookie("ab") == Some("b") { Ab::B } else { Ab::A });
                Decision::Next
            }),
        )
        .at(
            "/policy/:key",
            hook_for_all("policy", |_, edits| {
                edits.csp(Csp::strict().into());
                edits.response_headers().set("x-shop", "1");
                Decision::Next
            }),
        )
        .at(
            Match::any([Match::path("/policy/own"), Match::path("/own-policy")]),
            hook_for_all("own policy", |request, edits| {
                edits.response_headers().set("content-security-policy", "own");
                if request.path().as_str() == "/policy/own" {
                    edits.response_headers().set("content-security-policy-report-only", "own");
                }
                Decision::Next
            }),
        )
        .at(
            "/cookie",
            hook("cookie", |_, edits| {
                edits.set_cookie(Cookie::new("seen", "1"));
                Decision::Next
            }),
        )
        .at(Match::any([Match::below("/guarded"), Match::below("/live")]), guard)
}

fn worker(vars: Value) -> Worker {
    let routes = json!([
        { "pattern": "/kept/:key", "mode": "isr" },
        { "pattern": "/policy/:key", "mode": "ssg" },
        { "pattern": "/guarded/:key", "mode": "server" },
        { "pattern": "/open/*rest", "mode": "isr" },
        { "pattern": "/live/:key", "mode": "live" },
    ]);
    let settings = json!({ "build": "b1", "routes": routes, "vars": vars });
    Worker::new(hooks(), serde_json::from_value(settings).unwrap()).unwrap()
}

fn asked(method: &str, target: &str, headers: &[(&str, &str)]) -> Asked {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let json = json!({ "method": method, "host": "shop.example", "secure": true, "path": path, "query": query, "headers": headers });
    serde_json::from_value(json).unwrap()
}

/// What the script is told.
fn decided(method: &str, target: &str, headers: &[(&str, &str)]) -> Value {
    let platform = Still::default();
    platform.now.store(1_800_000_000_000, Ordering::Relaxed);
    let worker = worker(json!({ "TROPOS_EDGE_SECRET": SECRET }));
    let asked = asked(method, target, headers);
    serde_json::to_value(futures::executor::block_on(worker.decide(&asked, &platform))).unwrap()
}

fn key(target: &str, headers: &[(&str, &str)]) -> String {
    decided("GET", target, headers)["key"].as_str().unwrap_or("none").to_owned()
}

#[test]
fn refusals_and_redirects_are_answered_with_the_headers_of_the_server() {
    let refused = decided("GET", "/guarded/a", &[]);
    assert_eq!((&refused["kind"], &refused["status"]), (&json!("answer"), &json!(401)));
    assert_eq!(refused["body"], "sign in first");
    let headers = refused["headers"].as_array().unwrap();
    for header in [
        ["cache-control", "no-store"],
        ["content-type", "text/plain; charset=utf-8"],
        ["x-content-type-options", "nosniff"],
    ] {
        assert!(headers.contains(&json!(header)), "{header:?} in {headers:?}");
    }
    let moved = decided("GET", "/old", &[]);
    assert_eq!(moved["status"], 308);
    assert!(moved["headers"].as_array().unwrap().contains(&json!(["location", "/new"])));
}

#[test]
fn a_path_without_one_meaning_is_refused_before_any_hook() {
    for path in ["/guarded%2fa", "/a/../guarded/a", "/%zz", "//guarded", "guarded"] {
        let refused = decided("GET", path, &[]);
        assert_eq!(refused["status"], 400, "{path}");
        assert!(refused["body"].as_str().unwrap().starts_with("the path "), "{refused}");
    }
}

#[test]
fn a_key_is_made_of_build_path_query_variants_and_policy_and_of_nothing_else() {
    assert_eq!(key("/kept/a", &[]), "b1 /kept/a?#ab=a,");
    assert_eq!(key("/kept/%61", &[("x-other", "1"), ("cookie", "who=ann")]), "b1 /kept/a?#ab=a,");
    assert_eq!(key("/kept/a", &[("cookie", "ab=b")]), "b1 /kept/a?#ab=b,");
    assert_eq!(key("/kept/a?q=1", &[]), "b1 /kept/a?q=1#ab=a,");
    assert_eq!(key("/door", &[]), "b1 /kept/a?x=1#ab=a,", "of what it was rewritten to");
    assert_eq!(key("/open/a/b", &[]), "b1 /open/a/b?#");
    assert!(key("/policy/a", &[]).starts_with("b1 /policy/a?#!"));
}

#[test]
fn what_the_policy_adds_to_a_key_is_not_read_out_of_what_a_client_wrote() {
    let policy = |target| decided("GET", target, &[])["policy"].as_str().unwrap().to_owned();
    let of_strict = policy("/policy/a");
    assert_eq!(of_strict.len(), 43, "SHA-256 in base64url: {of_strict}");
    for target in ["/policy/a!b", "/policy/a?x!y", "/policy/a!b?x!y!z", "/policy/!"] {
        assert_eq!(policy(target), of_strict, "{target}");
    }
    for target in ["/kept/a!b", "/kept/a?!", &format!("/kept/a?!{of_strict}")] {
        assert_eq!(policy(target), "", "{target}");
    }
}

#[test]
fn what_a_hook_writes_into_the_header_of_the_policy_gives_way_to_it_as_in_the_server() {
    let edits = decided("GET", "/policy/own", &[])["edits"].clone();
    assert_eq!(edits, json!([["=", "x-shop", "1"], ["=", "content-security-policy-report-only", "own"]]));
    let without = decided("GET", "/own-policy", &[])["edits"].clone();
    assert_eq!(without, json!([["=", "content-security-policy", "own"]]), "where there is none");
}

#[test]
fn a_worker_tells_whether_a_hook_goes_by_the_host() {
    let by_host = |when: Match| {
        let hooks = Hooks::new()
            .group(Match::below("/a"), Hooks::new().at(when, hook("guard", |_, _| Decision::Next)));
        Worker::new(hooks, serde_json::from_value(json!({ "routes": [] })).unwrap())
            .unwrap()
            .matches_by_host()
    };
    for when in [
        Match::host("a.example"),
        Match::not(Match::host("a.example")),
        Match::any([Match::below("/b"), Match::method("POST").and(Match::host("*.example"))]),
    ] {
        assert!(by_host(when.clone()), "{when:?}");
    }
    assert!(!by_host(Match::header("host")) && !by_host(Match::all()));
}

#[test]
fn what_is_no_stored_page_has_no_key() {
    let good = [("cookie", "session=good")];
    assert_eq!(key("/guarded/a", &good), "none");
    assert_eq!(key("/nowhere", &[]), "none");
    assert_eq!(key("/kept/a/", &[]), "none", "no page has a slash at its end");
    assert_eq!(key("/_tropos/live/t?page=%2Fkept%2Fa", &[]), "none", "a stream of changes");
    assert_eq!(key("/kept/a", &[("cookie", "a=1; __Host-tropos_draft=1")]), "none", "a draft");
    assert_eq!(key(&format!("/kept/a?{}", "x".repeat(3000)), &[]), "none", "too long");
    assert_eq!(decided("POST", "/kept/a", &[])["key"], Value::Null);
    assert!(decided("HEAD", "/kept/a", &[])["key"].is_string());
}

#[test]
fn the_stream_of_a_live_page_is_guarded_as_its_page() {
    let stream = "/_tropos/live/t?page=%2Flive%2Fa";
    assert_eq!(decided("GET", stream, &[])["status"], 401);
    let passed = decided("GET", stream, &[("cookie", "session=good")]);
    assert!(passed["statement"].is_string(), "{passed}");
}

#[test]
fn the_statement_is_for_the_request_that_goes_to_the_origin() {
    let platform = Still::default();
    let worker = worker(json!({ "TROPOS_EDGE_SECRET": SECRET }));
    let asked = Asked { origin_host: Some("origin.example".into()), ..asked("GET", "/kept/%61?q=1", &[]) };
    let decided = futures::executor::block_on(worker.decide(&asked, &platform));
    let json = serde_json::to_value(decided).unwrap();
    let text = json["statement"].as_str().unwrap();
    let path = CanonicalPath::parse("/kept/a").unwrap();
    let keys = Keys::parse(SECRET).unwrap();
    let verify = |build, host| {
        let bound = Bound { build, method: "GET", host, path: &path, query: "q=1" };
        Statement::verify(text.as_bytes(), &keys, bound, 0)
    };
    assert!(verify("b1", "origin.example").is_ok() && verify("b1", "shop.example").is_err());
    assert!(verify("b2", "origin.example").is_err(), "its hooks may guard what these let through");
}

#[test]
fn what_visitors_are_sent_is_added_at_the_edge() {
    let cookie = decided("GET", "/cookie", &[]);
    assert_eq!(cookie["cookies"], json!(["seen=1; SameSite=Lax; Secure; Path=/"]));
    assert_eq!(cookie["personal"], true);
    let policy = decided("GET", "/policy/a", &[]);
    assert_eq!((&policy["edits"], &policy["personal"]), (&json!([["=", "x-shop", "1"]]), &json!(false)));
    assert_eq!(decided("GET", "/kept/a", &[])["personal"], true, "by a cookie");
}

#[test]
fn internal_headers_of_clients_are_not_handed_on() {
    let sent = [("x-tropos-edge", "v1.a.b"), ("x-middleware-subrequest", "1"), ("x-echo", "1")];
    let mut strip: Vec<Value> = decided("GET", "/open/a", &sent)["strip"].as_array().unwrap().clone();
    strip.sort_by_key(Value::to_string);
    assert_eq!(strip, [json!("x-middleware-subrequest"), json!("x-tropos-edge")]);
}

#[test]
fn without_a_secret_nothing_is_stated_and_nothing_is_added() {
    let platform = Still::default();
    for vars in [json!({}), json!({ "TROPOS_EDGE_SECRET": "" })] {
        let worker = worker(vars);
        let pass = |target| {
            let asked = asked("GET", target, &[]);
            serde_json::to_value(futures::executor::block_on(worker.decide(&asked, &platform))).unwrap()
        };
        let passed = pass("/cookie");
        assert_eq!(
            (&passed["statement"], &passed["key"], &passed["cookies"]),
            (&Value::Null, &Value::Null, &json!([]))
        );
        assert_eq!(pass("/guarded/a")["status"], 401, "it still answers");
    }
}

#[test]
fn invalidation_has_a_token_of_its_own() {
    let passed = decided("POST", "/_tropos/revalidate", &[("x-tropos-edge", "x")]);
    assert_eq!((&passed["statement"], &passed["strip"]), (&Value::Null, &json!(["x-tropos-edge"])));
}

#[test]
fn a_worker_that_could_not_sign_or_route_does_not_begin() {
    let start = |settings: Value| Worker::new(hooks(), serde_json::from_value(settings).unwrap());
    assert!(start(json!({ "routes": [], "vars": { "TROPOS_EDGE_SECRET": "short" } })).is_err());
    assert!(start(json!({ "routes": [{ "pattern": "/a", "mode": "new" }] })).is_err());
    assert!(start(json!({ "routes": [{ "pattern": "a", "mode": "isr" }] })).is_err());
    assert!(start(json!({ "routes": [] })).is_ok());
}

#[test]
fn a_purge_is_believed_where_it_is_signed() {
    let worker = worker(json!({ "TROPOS_EDGE_SECRET": SECRET }));
    let asked = asked("POST", "/_tropos/purge", &[]);
    let path = CanonicalPath::parse("/_tropos/purge").unwrap();
    let bound = Bound { build: "b1", method: "POST", host: "shop.example", path: &path, query: "" };
    let text = Statement::purge(["a"], 5).sign(&Keys::parse(SECRET).unwrap(), bound).unwrap();
    assert_eq!(worker.purged(&asked, &text, 5).unwrap(), ["a"]);
    let of_another =
        Statement::purge(["a"], 5).sign(&Keys::parse(SECRET).unwrap(), Bound { build: "b2", ..bound });
    assert!(worker.purged(&asked, &of_another.unwrap(), 5).is_err());
    assert!(worker.purged(&asked, "", 5).is_err());
    assert!(worker.purged(&asked, &text, 500_000).is_err());
}
