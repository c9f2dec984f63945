//! What hooks leave for later hooks of the same request: values, marks, and that a decision was for one visitor.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Asked, answer, pass};
use serde::{Deserialize, Serialize};
use tropos_edge::{Decision, Error, Hooks, edits::ContextValue, hook, hook::hook_for_all};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Who(String);
impl ContextValue for Who {
    const NAME: &'static str = "who";
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Number(u8);
impl ContextValue for Number {
    const NAME: &'static str = "number";
}

#[test]
fn a_later_hook_reads_the_last_value_of_a_type_and_the_page_gets_the_same() {
    let leave = |name: &'static str| {
        hook_for_all(name, move |_, edits| {
            edits.context(&Who(name.into()));
            Decision::Next
        })
    };
    let hooks = Hooks::new().hook(leave("first")).hook(leave("second")).hook(hook_for_all(
        "read",
        |request, edits| {
            assert_eq!(request.context::<Who>(), Some(Who("second".into())));
            assert_eq!(request.context::<Number>(), None);
            edits.mark("read");
            Decision::Next
        },
    ));
    let passed = pass(&hooks, &Asked::get("/"));
    assert_eq!(passed.context, [("who".into(), "\"second\"".to_owned())]);
    assert!(!passed.personal);
}

#[test]
fn no_header_cookie_or_query_of_a_client_becomes_a_value() {
    let hooks = Hooks::new().hook(hook("read", |request, _| {
        assert_eq!(request.context::<Who>(), None);
        assert!(!request.is_marked("who"));
        Decision::Next
    }));
    let asked = Asked::get("/?who=%22a%22").header("who", "\"a\"").header("cookie", "who=\"a\"");
    assert!(pass(&hooks, &asked).context.is_empty());
}

#[test]
fn a_mark_lasts_through_a_rewrite() {
    let hooks = Hooks::new()
        .hook(hook("once", |request, edits| {
            if !request.is_marked("once") {
                edits.mark("once");
                edits.response_headers().append("x-once", "1");
            }
            Decision::Next
        }))
        .at("/a", hook("rewrite", |_, _| Decision::rewrite("/b")));
    assert_eq!(pass(&hooks, &Asked::get("/a")).response.headers.len(), 1);
}

#[test]
fn lines_that_are_added_are_not_added_again_after_a_rewrite() {
    let adds = |name: &'static str| {
        hook(name, move |request, edits| {
            edits.response_headers().append("vary", "Origin");
            edits.response_headers().append("x-path", request.path().as_str());
            edits.request_headers().append("x-seen", name);
            Decision::Next
        })
    };
    let hooks = Hooks::new()
        .hook(adds("one"))
        .hook(hook("read", |request, _| {
            assert_eq!(request.headers().lines("x-seen").count(), 1);
            Decision::Next
        }))
        .at("/a", hook("rewrite", |_, _| Decision::rewrite("/b")));
    let passed = pass(&hooks, &Asked::get("/a"));
    let headers = common::passed_headers(&passed);
    assert_eq!(common::lines(&headers, "vary"), "Origin");
    assert_eq!(common::lines(&headers, "x-path"), "/a | /b");
    assert_eq!(passed.request.len(), 1);
    // Before any rewrite each line counts, also where two hooks add the same.
    let twice = pass(&Hooks::new().hook(adds("one")).hook(adds("one")), &Asked::get("/a"));
    assert_eq!(common::lines(&common::passed_headers(&twice), "vary"), "Origin | Origin");
}

#[test]
fn a_single_decision_or_a_cookie_makes_an_answer_private() {
    let said = Hooks::new().hook(hook_for_all("said", |request, edits| {
        if request.query() == "me" {
            edits.depends_on_visitor();
        }
        Decision::Next
    }));
    assert!(pass(&said, &Asked::get("/?me")).personal);
    assert!(!pass(&said, &Asked::get("/")).personal);
    let cookie = Hooks::new().hook(hook_for_all("cookie", |_, edits| {
        edits.set_cookie(cookie::Cookie::new("a", "1"));
        Decision::Next
    }));
    assert!(pass(&cookie, &Asked::get("/")).personal);
}

#[test]
fn the_bounds_are_those_of_a_request_and_not_of_each_hook() {
    let many = || {
        hook("many", |_, edits| {
            (0..100).for_each(|_| edits.response_headers().append("x", "1"));
            Decision::Next
        })
    };
    let long = |name: &'static str| {
        hook(name, move |_, edits| {
            match name {
                "who" => edits.context(&Who("w".repeat(3000))),
                _ => edits.request_headers().set("x", "1"),
            }
            Decision::Next
        })
    };
    assert!(pass(&Hooks::new().hook(many()), &Asked::get("/")).response.headers.len() == 100);
    let twice = answer(&Hooks::new().hook(many()).hook(many()), &Asked::get("/"));
    assert!(matches!(twice.error, Some(Error::Limit(_))));
    // In place of the one before, so that there is room still.
    assert_eq!(pass(&Hooks::new().hook(long("who")).hook(long("who")), &Asked::get("/")).context.len(), 1);
    #[derive(Serialize, Deserialize)]
    struct Other(String);
    impl ContextValue for Other {
        const NAME: &'static str = "other";
    }
    let other = hook("other", |_, edits| {
        edits.context(&Other("o".repeat(2000)));
        Decision::Next
    });
    let both = answer(&Hooks::new().hook(long("who")).hook(other), &Asked::get("/"));
    assert!(matches!(both.error, Some(Error::Limit(_))));
}
