//! Hooks as an application writes them.

use super::Ab;
use serde::{Deserialize, Serialize};
use tropos::edge::{
    Decision, Error, Hooks, Match, Redirect, Reply, VariantName as _, cookie::Cookie, edits::ContextValue,
    hook, hook::hook_for_all,
};

/// A value that may be too long.
#[derive(Serialize, Deserialize)]
struct Long(String);

impl ContextValue for Long {
    const NAME: &'static str = "long";
}

/// Adds them.
pub(super) fn hooks(hooks: Hooks) -> Hooks {
    answers(rewrites(changes(guards(hooks))))
}

/// Pages of every mode behind one guard, and the function that they use.
fn guards(hooks: Hooks) -> Hooks {
    let guard = hook("guard", |request, _| match request.cookie("pass") {
        Some("good") => Decision::Next,
        _ => Reply::text(401, "sign in first").header("www-authenticate", "Pass").into(),
    });
    let pages = Match::any([
        Match::below("/guarded"),
        Match::path("/guarded-isr/:key"),
        Match::route("/guarded-ssg"),
        Match::below("/guarded-live"),
    ]);
    hooks.guard(pages, ["set_price"], guard)
}

fn changes(hooks: Hooks) -> Hooks {
    let edits = hook("edits", |request, edits| {
        if request.query_value("list").is_some() {
            edits.request_headers().append("x-echo", "from the hook");
            edits.response_headers().append("x-list", "1");
            edits.response_headers().append("x-list", "2");
        } else {
            edits.request_headers().set("x-echo", "from the hook");
            edits.request_headers().remove("x-gone");
            edits.response_headers().set("x-answer", "from the hook");
            edits.response_headers().remove("vary");
        }
        Decision::Next
    });
    let later = hook("later", |request, edits| {
        let echo = request.header("x-echo").unwrap_or("nothing").to_owned();
        edits.response_headers().set("x-later", &echo);
        Decision::Next
    });
    let cookies = hook("cookies", |request, edits| {
        edits.set_cookie(Cookie::new("who", "ann"));
        edits.set_cookie(Cookie::build(("list", "a b,c;d")).path("/cookies").http_only(true).build());
        edits.remove_cookie("old");
        let old = request.cookie("old").unwrap_or("nothing").to_owned();
        edits.response_headers().set("x-old", &old);
        Decision::Next
    });
    let read_back = hook("read back", |request, edits| {
        let seen = format!("{:?} {:?}", request.cookie("who"), request.cookie("old"));
        edits.response_headers().set("x-read-back", &seen);
        Decision::Next
    });
    let side = hook("ab", |request, edits| {
        let known = request.cookie(Ab::NAME).and_then(Ab::parse);
        if known.is_none() {
            edits.set_cookie(Cookie::new(Ab::NAME, Ab::A.as_str()));
        }
        edits.choose(known.unwrap_or(Ab::A));
        Decision::Next
    });
    let for_all = hook_for_all("for all", |_, edits| {
        edits.response_headers().set("x-shop", "1");
        Decision::Next
    });
    let said = hook("said", |_, edits| {
        edits.response_headers().set("cache-control", "public, max-age=600");
        edits.response_headers().set("cdn-cache-control", "max-age=600");
        Decision::Next
    });
    let marked = hook("marked", |request, edits| {
        let known = if request.is_marked("seen") { "again" } else { "first" };
        edits.mark("seen");
        edits.response_headers().append("x-marked", known);
        Decision::Next
    });
    hooks
        .at(Match::below("/edits"), edits)
        .at(Match::below("/edits"), later)
        .at(Match::below("/cookies"), cookies)
        .at(Match::below("/cookies"), read_back)
        .at(Match::below("/variant"), side)
        .at(Match::any([Match::below("/open"), Match::below("/open-ssg")]), for_all)
        .at(Match::below("/open/said"), said)
        .group(Match::below("/marked"), Hooks::new().hook(marked))
        .at("/marked/twice", hook("twice", |_, _| Decision::rewrite("/marked/once")))
}

fn rewrites(hooks: Hooks) -> Hooks {
    let to = |name, target: &'static str| hook(name, move |_, _| Decision::rewrite(target));
    hooks
        .at("/door", to("door", "/guarded/a"))
        .at("/door-isr", to("door", "/guarded-isr/a"))
        .at("/shown", to("shown", "/seen/a"))
        .at("/shown-query", to("shown", "/seen/a?from=hook"))
        .at("/shown-open", to("shown", "/open/a"))
        .at("/form", to("form", "/api/echo"))
        .at("/loop/a", to("loop", "/loop/b"))
        .at("/loop/b", to("loop", "/loop/a"))
        .at(
            "/steps/:n",
            hook("steps", |request, _| {
                let n: u8 = request.path().segments().last().and_then(|n| n.parse().ok()).unwrap_or(0);
                if n == 0 {
                    Decision::rewrite("/seen/a")
                } else {
                    Decision::rewrite(&format!("/steps/{}", n - 1))
                }
            }),
        )
}

fn answers(hooks: Hooks) -> Hooks {
    let self_cookie = hook("self", |request, edits| match request.cookie("been") {
        Some(_) => Ok(Decision::Next),
        None => {
            edits.set_cookie(Cookie::new("been", "1"));
            Decision::redirect("/been/a")
        }
    });
    let many = hook("many", |_, edits| {
        (0..129).for_each(|at| edits.response_headers().append("x-many", &at.to_string()));
        Decision::Next
    });
    let long = hook("long", |_, edits| {
        edits.context(&Long("a".repeat(5000)));
        Decision::Next
    });
    let header = hook("header", |_, edits| {
        edits.response_headers().set("x-bad", "a\r\nset-cookie: evil=1");
        Decision::Next
    });
    hooks
        .at("/answer/text", hook("text", |_, _| Decision::from(Reply::text(418, "a teapot"))))
        .at("/answer/html", hook("html", |_, _| Decision::from(Reply::html(200, "<h1>Hé</h1>"))))
        .at("/answer/empty", hook("empty", |_, _| Decision::from(Reply::empty(204))))
        .at(
            "/answer/kept",
            hook_for_all("kept", |_, _| {
                Decision::from(Reply::text(200, "kept").header("cache-control", "public, max-age=60"))
            }),
        )
        .at(
            "/answer/cookies",
            hook("cookies", |_, edits| {
                edits.set_cookie(Cookie::new("a", "1"));
                edits.set_cookie(Cookie::new("b", "2"));
                edits.response_headers().set("x-answer", "from the hook");
                Decision::from(Reply::text(200, "two cookies").header("cache-control", "public, max-age=60"))
            }),
        )
        .at("/go/for-now", hook("go", |_, _| Decision::redirect("/seen/a?x=1")))
        .at("/go/for-ever", hook("go", |_, _| Decision::redirect_permanently("https://other.example/a")))
        .at(
            "/go/see",
            hook("go", |_, _| {
                Redirect::new(303.try_into().unwrap_or_default(), "/seen/a").map(Decision::Redirect)
            }),
        )
        .at("/go/itself", hook("go", |_, _| Decision::redirect("/go/itself")))
        .at("/go/evil", hook("go", |_, _| Decision::redirect("//evil.example")))
        .at("/been/a", self_cookie)
        .at("/fails", hook("fails", |_, _| Err::<Decision, _>(Error::Hook("on purpose".to_owned()))))
        .at("/many", many)
        .at("/long", long)
        .at("/bad-header", header)
}
