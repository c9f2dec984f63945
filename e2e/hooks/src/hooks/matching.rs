//! Each condition by itself: the answer names those that cover the request.

use tropos::edge::{Decision, Hooks, Match, hook};

fn all() -> Vec<(&'static str, Match)> {
    let header = || Match::header("x-a");
    let cookie = || Match::cookie("a");
    let query = || Match::query("a");
    vec![
        ("path", Match::path("/match/:key")),
        ("path of more", Match::path("/match/:key/:more")),
        ("path of all", Match::path("/match/*rest")),
        ("route", Match::route("/match/:key")),
        ("another route", Match::route("/match/:other")),
        ("function", Match::function("look")),
        ("get", Match::method("get")),
        ("head", Match::method("HEAD")),
        ("post", Match::method("POST")),
        ("host", Match::host("shop.example")),
        ("host below", Match::host("*.shop.example")),
        ("header", header()),
        ("no header", Match::not(header())),
        ("header is 1", Match::header_is("X-A", "1")),
        ("header is not 1", Match::not(Match::header_is("x-a", "1"))),
        ("cookie", cookie()),
        ("no cookie", Match::not(cookie())),
        ("cookie is 1", Match::cookie_is("a", "1")),
        ("query", query()),
        ("no query", Match::not(query())),
        ("query is 1", Match::query_is("a", "1")),
        ("header and cookie", header().and(cookie())),
        ("header or cookie", Match::any([header(), cookie()])),
        ("none of them", Match::not(Match::any([header(), cookie(), query()]))),
    ]
}

/// Adds them.
pub(super) fn hooks(mut hooks: Hooks) -> Hooks {
    let here = || Match::any([Match::below("/match"), Match::function("look")]);
    for (name, when) in all() {
        let told = hook("match", move |_, edits| {
            edits.response_headers().append("x-match", name);
            Decision::Next
        });
        hooks = hooks.at(here().and(when), told);
    }
    hooks
}
