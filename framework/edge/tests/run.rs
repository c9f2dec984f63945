//! One request through hooks: order, edits, rewrites, failures.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Asked, answer, pass};
use tropos_edge::{Decision, Error, Hooks, Match, Reply, hook};

#[test]
fn a_later_hook_sees_what_an_earlier_one_changed_and_the_client_does_not() {
    let hooks = Hooks::new()
        .hook(hook("first", |_, edits| {
            edits.request_headers().set("x-user", "7");
            edits.request_headers().remove("x-old");
            edits.set_cookie(cookie::Cookie::new("who", "new"));
            Decision::Next
        }))
        .hook(hook("second", |request, edits| {
            let seen = format!(
                "{:?} {:?} {:?}",
                request.header("x-user"),
                request.header("x-old"),
                request.cookie("who")
            );
            edits.response_headers().set("x-seen", &seen);
            Decision::Next
        }));
    let passed = pass(&hooks, &Asked::get("/").header("x-old", "1").header("cookie", "who=old"));
    let mut headers = http::HeaderMap::new();
    passed.response.apply(&mut headers, true);
    assert_eq!(headers["x-seen"], r#"Some("7") None Some("new")"#);
    assert_eq!(headers["set-cookie"], "who=new; SameSite=Lax; Secure; Path=/");
    assert!(!headers.contains_key("x-user"));
    assert_eq!(passed.request.len(), 2);
}

#[test]
fn after_a_rewrite_the_guard_of_the_new_path_guards() {
    let hooks = Hooks::new()
        .at(Match::below("/office"), hook("guard", |_, _| Decision::from(Reply::text(401, "no"))))
        .at("/door", hook("door", |_, _| Decision::rewrite("/office/a?b=1")));
    assert_eq!(answer(&hooks, &Asked::get("/door")).reply.status(), 401);
}

#[test]
fn rewrites_in_circles_and_redirects_to_oneself_are_found() {
    let circle = Hooks::new()
        .at("/a", hook("ab", |_, _| Decision::rewrite("/b")))
        .at("/b", hook("ba", |_, _| Decision::rewrite("/a")));
    assert_eq!(answer(&circle, &Asked::get("/a")).reply.status(), 508);
    let own = Hooks::new().hook(hook("own", |_, _| Decision::redirect("/a?b=c#d")));
    assert_eq!(answer(&own, &Asked::get("/a?b=c")).reply.status(), 508);
    assert_eq!(answer(&own, &Asked::get("/a?b=d")).reply.status(), 307);
    let gate = Hooks::new().hook(hook("gate", |_, edits| {
        edits.set_cookie(cookie::Cookie::new("seen", "1"));
        Decision::redirect("/a")
    }));
    assert_eq!(answer(&gate, &Asked::get("/a")).reply.status(), 307);
}

#[test]
fn a_hook_that_fails_lets_nobody_in() {
    let fails = Hooks::new().hook(hook("fails", |_, _| Err::<Decision, _>(Error::Hook("no key".into()))));
    let malformed = Hooks::new().hook(hook("malformed", |_, edits| {
        edits.response_headers().set("x", "a\r\nb");
        Decision::Next
    }));
    for hooks in [fails, malformed] {
        let answer = answer(&hooks, &Asked::get("/"));
        assert_eq!(answer.reply.status(), 500);
        assert!(answer.error.is_some());
    }
}

#[test]
fn a_rewrite_keeps_the_query_unless_it_gives_one() {
    let keeps = Hooks::new().at("/a", hook("keeps", |_, _| Decision::rewrite("/b")));
    let passed = pass(&keeps, &Asked::get("/a?x=1"));
    assert_eq!((passed.path.unwrap().as_str(), passed.query), ("/b", None));
    let gives = Hooks::new().at("/a", hook("gives", |_, _| Decision::rewrite("/b?y=2")));
    assert_eq!(pass(&gives, &Asked::get("/a?x=1")).query.as_deref(), Some("y=2"));
}

#[test]
fn only_hooks_that_ran_and_depend_on_the_visitor_make_an_answer_private() {
    let hooks = Hooks::new()
        .hook(tropos_edge::hook::hook_for_all("all", |_, _| Decision::Next))
        .at(Match::below("/own"), hook("own", |_, _| Decision::Next));
    assert!(!pass(&hooks, &Asked::get("/")).personal);
    assert!(pass(&hooks, &Asked::get("/own/a")).personal);
}

#[test]
fn a_cookie_that_decides_whether_a_hook_runs_makes_an_answer_private_either_way() {
    let at = |when| Hooks::new().at(when, tropos_edge::hook::hook_for_all("all", |_, _| Decision::Next));
    let cookie = || Match::cookie("seen");
    for (when, personal) in [
        (cookie(), true),
        (Match::not(cookie()), true),
        (Match::header("x-a"), true),
        (Match::below("/a").and(cookie()), true),
        (Match::below("/b").and(cookie()), false),
        (Match::method("POST").and(cookie()), false),
        (Match::any([Match::below("/a"), cookie()]), false),
        (Match::query("q"), false),
        (Match::host("shop.example"), false),
    ] {
        for cookie in ["seen=1", "x=1"] {
            let passed = pass(&at(when.clone()), &Asked::get("/a").header("cookie", cookie));
            assert_eq!(passed.personal, personal, "{when:?} {cookie}");
        }
    }
}
