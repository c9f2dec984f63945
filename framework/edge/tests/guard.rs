//! Guards: who is let in, who is sent where, and what caches outside may do.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Asked, Still, answer_on, answered, pass, pass_on, status_on};
use http::Method;
use serde::{Deserialize, Serialize};
use tropos_edge::{
    Decision, Hooks, Match,
    edits::ContextValue,
    hook,
    ready::{Guard, Roles, Secret, Sessions, next},
};

#[derive(Serialize, Deserialize)]
struct User {
    role: String,
}
impl ContextValue for User {
    const NAME: &'static str = "user";
}
impl Roles for User {
    fn has_role(&self, role: &str) -> bool {
        self.role == role
    }
}

const NOW: u64 = 1_700_000_000_000;

fn sessions() -> Sessions<User> {
    Sessions::new("session", [Secret::new([1; 32])])
}

fn guarded(guard: Guard<User>) -> Hooks {
    Hooks::new().hook(sessions()).guard(Match::below("/office"), ["set_price"], guard)
}

fn asked_as(role: Option<&str>, asked: Asked) -> Asked {
    match role {
        None => asked,
        Some(role) => {
            let cookie = sessions().issue(&User { role: role.into() }, NOW).unwrap();
            asked.header("cookie", &format!("session={}", cookie.value()))
        }
    }
}

#[test]
fn who_is_known_and_may_is_let_in_and_nobody_else() {
    let editors = || Guard::role("editor");
    let some = || Guard::some_role(["editor", "chief"]);
    for (name, hooks, role, status) in [
        ("nobody", guarded(editors()), None, 401),
        ("another role", guarded(editors()), Some("reader"), 403),
        ("the role", guarded(editors()), Some("editor"), 200),
        ("a part of the role", guarded(editors()), Some("edit"), 403),
        ("the second of some", guarded(some()), Some("chief"), 200),
        ("none of some", guarded(some()), Some("reader"), 403),
        ("nobody, known", guarded(Guard::known()), None, 401),
        ("anybody, known", guarded(Guard::known()), Some("x"), 200),
        ("a rule", guarded(Guard::when("long", |user: &User| user.role.len() > 3)), Some("abc"), 403),
        ("hidden, nobody", guarded(editors().hidden()), None, 404),
        ("hidden, another role", guarded(editors().hidden()), Some("reader"), 404),
        ("hidden, the role", guarded(editors().hidden()), Some("editor"), 200),
    ] {
        for path in ["/office", "/office/users", "/api/set_price123"] {
            let asked = asked_as(role, Asked::get(path));
            assert_eq!(status_on(&Still::at(NOW), &hooks, &asked), status, "{name} {path}");
        }
        assert_eq!(status_on(&Still::at(NOW), &hooks, &Asked::get("/offices")), 200, "{name}");
    }
}

#[test]
fn a_forged_session_or_a_guard_before_the_session_lets_nobody_in() {
    let forged = Asked::get("/office").header("cookie", "session=v1.e30.AAAA").header("user", "{}");
    assert_eq!(status_on(&Still::at(NOW), &guarded(Guard::known()), &forged), 401);
    let wrong = Hooks::new().hook(Guard::<User>::known()).hook(sessions());
    let asked = asked_as(Some("editor"), Asked::get("/office"));
    assert_eq!(status_on(&Still::at(NOW), &wrong, &asked), 401);
}

#[test]
fn browsers_are_sent_to_sign_in_and_all_others_are_told() {
    let hooks = guarded(Guard::role("editor").sign_in("/sign-in"));
    let html = |asked: Asked| asked.header("accept", "text/html,*/*;q=0.8");
    let mode = |asked: Asked, mode: &str| asked.header("sec-fetch-mode", mode);
    for (name, asked, status, location) in [
        ("a page", html(Asked::get("/office/a")), 303, "/sign-in?next=%2Foffice%2Fa"),
        (
            "with a query",
            html(Asked::get("/office/a?b=1&c=%2F%0a")),
            303,
            "/sign-in?next=%2Foffice%2Fa%3Fb%3D1%26c%3D%252F%250a",
        ),
        ("HEAD", html(Asked::of(Method::HEAD, "/office")), 303, "/sign-in?next=%2Foffice"),
        ("by word of the browser", mode(Asked::get("/office"), "navigate"), 303, "/sign-in?next=%2Foffice"),
        ("a script", mode(html(Asked::get("/office")), "cors"), 401, ""),
        ("no HTML", Asked::get("/office").header("accept", "application/json"), 401, ""),
        ("any", Asked::get("/office").header("accept", "*/*"), 401, ""),
        ("a form", html(Asked::of(Method::POST, "/office/a")), 401, ""),
        ("DELETE", html(Asked::of(Method::DELETE, "/office/a")), 401, ""),
        ("a function", mode(Asked::of(Method::POST, "/api/set_price1"), "cors"), 401, ""),
        ("who may not", asked_as(Some("reader"), html(Asked::get("/office"))), 403, ""),
    ] {
        let answer = answer_on(&Still::at(NOW), &hooks, &asked);
        assert_eq!(answer.reply.status(), status, "{name}");
        assert_eq!(answered(&answer, "location"), location, "{name}");
        assert_eq!(answered(&answer, "cache-control"), "no-store", "{name}");
        let challenge = if status == 401 { "Bearer realm=\"site\"" } else { "" };
        assert_eq!(answered(&answer, "www-authenticate"), challenge, "{name}");
    }
}

#[test]
fn a_long_query_is_left_out_of_next_and_a_rewrite_keeps_what_was_asked_for() {
    let html = |target: &str| Asked::get(target).header("accept", "text/html");
    let hooks = guarded(Guard::role("editor").sign_in("/sign-in"))
        .at("/door", hook("door", |_, _| Decision::rewrite("/office/a?b=1")));
    let long = format!("/office?q={}", "x".repeat(2000));
    let at = |target: &str| answered(&answer_on(&Still::at(NOW), &hooks, &html(target)), "location");
    assert_eq!(at(&long), "/sign-in?next=%2Foffice");
    assert_eq!(at(&format!("/office/{}", "x".repeat(2000))), "/sign-in?next=%2F");
    assert!(at("/door").starts_with("/sign-in?next=%2Fdoor"));
}

#[test]
fn the_sign_in_page_may_lie_where_the_guard_guards() {
    let hooks = guarded(Guard::role("editor").sign_in("/office/sign-in"));
    let html = |path: &str| Asked::get(path).header("accept", "text/html");
    assert_eq!(status_on(&Still::at(NOW), &hooks, &html("/office/sign-in?next=%2Foffice")), 200);
    assert_eq!(status_on(&Still::at(NOW), &hooks, &html("/office/sign-in/a")), 303);
}

#[test]
fn sign_in_goes_on_to_paths_of_this_site_alone() {
    for (query, expected) in [
        ("next=%2Foffice%3Ftab%3D1", "/office?tab=1"),
        ("next=/office", "/office"),
        ("next=/caf%25C3%25A9", "/caf%C3%A9"),
        ("", "/"),
        ("next=", "/"),
        ("next=%2F%2Fevil.example", "/"),
        ("next=%2F%5Cevil.example", "/"),
        ("next=%2F%09%2Fevil.example", "/"),
        ("next=https%3A%2F%2Fevil.example", "/"),
        ("next=javascript%3Aalert(1)", "/"),
        ("next=%2Fa%2F..%2F%2Fevil.example", "/"),
        ("next=%2Fa%0d%0aset-cookie%3Ax", "/"),
        ("next=office", "/"),
        ("next=%2Foffice&next=%2F%2Fevil", "/office"),
    ] {
        let asked = Asked::get(&format!("/sign-in?{query}"));
        assert_eq!(next::read(&asked.request()), expected, "{query}");
    }
}

#[test]
fn what_is_let_through_is_private_and_pages_beside_it_are_not() {
    let hooks = guarded(Guard::known());
    let inside = pass_on(&Still::at(NOW), &hooks, &asked_as(Some("x"), Asked::get("/office")));
    assert!(inside.personal);
    assert!(!pass(&hooks, &Asked::get("/")).personal);
    assert!(!pass_on(&Still::at(NOW), &hooks, &asked_as(Some("x"), Asked::get("/"))).personal);
}

#[test]
fn what_is_configured_wrongly_is_said_at_start() {
    let role = || Guard::<User>::role("editor");
    for (guard, says) in [
        (role().sign_in("sign-in"), "`sign-in`"),
        (role().sign_in("//evil"), "`//evil`"),
        (role().sign_in("https://id.example/"), "path of this site"),
        (role().sign_in("/sign-in?a=1"), "no query"),
        (role().sign_in("/sign-in").hidden(), "hidden"),
        (role().challenge("a\nb"), "WWW-Authenticate"),
    ] {
        let error = Hooks::new().hook(guard).check().unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    Hooks::new().hook(role().sign_in("/sign-in")).check().unwrap();
}
