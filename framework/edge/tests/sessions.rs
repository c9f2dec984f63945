//! Signed sessions: what counts, what is renewed, and what cookies look like.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use common::{Asked, Still, lines, pass_on, passed_headers};
use cookie::SameSite;
use http::Method;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tropos_edge::{
    Hook, Hooks,
    edits::ContextValue,
    ready::{Secret, Sessions},
};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct User {
    id: u64,
    name: String,
}
impl ContextValue for User {
    const NAME: &'static str = "user";
}

const NOW: u64 = 1_700_000_000_000;
const DAY: u64 = 24 * 3600 * 1000;

fn key(byte: u8) -> Secret {
    Secret::new([byte; 32])
}

fn user() -> User {
    User { id: 7, name: "Ada".into() }
}

fn sessions() -> Sessions<User> {
    Sessions::new("session", [key(1)])
}

fn token() -> String {
    sessions().issue(&user(), NOW).unwrap().value().to_owned()
}

#[test]
fn a_token_reads_back_until_it_expires() {
    let sessions = sessions();
    let token = token();
    for (name, now, counts) in [
        ("at once", NOW, true),
        ("by a clock that is a minute behind", NOW - 60_000, true),
        ("by one that is further behind", NOW - 62_000, false),
        ("just before its end", NOW + 7 * DAY - 1000, true),
        ("within the leeway", NOW + 7 * DAY + 59_000, true),
        ("after it", NOW + 7 * DAY + 60_000, false),
        ("much later", NOW + 1000 * DAY, false),
    ] {
        let value = sessions.read(&token, now).map(|opened| opened.value);
        assert_eq!(value, counts.then(user), "{name}");
    }
}

#[test]
fn what_is_forged_counts_as_none() {
    let sessions = sessions();
    let good = token();
    let [version, payload, tag] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
    let body = String::from_utf8(URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    let other = URL_SAFE_NO_PAD.encode(body.replace("\"id\":7", "\"id\":8"));
    let of = |purpose: &str, byte| {
        let sessions = Sessions::<User>::new("session", [key(byte)]).purpose(purpose);
        sessions.issue(&user(), NOW).unwrap().value().to_owned()
    };
    let cut = &tag[..tag.len() - 1];
    for (name, token) in [
        ("nothing", String::new()),
        ("dots alone", "..".into()),
        ("another payload", format!("{version}.{other}.{tag}")),
        ("no tag", format!("{version}.{payload}")),
        ("an empty tag", format!("{version}.{payload}.")),
        ("a shorter tag", format!("{version}.{payload}.{cut}")),
        ("a longer tag", format!("{good}A")),
        ("padding", format!("{good}=")),
        ("another version", format!("v2.{payload}.{tag}")),
        ("no version", format!("{payload}.{tag}")),
        ("a part more", format!("v1.{good}")),
        ("another key", of("session", 2)),
        ("another purpose", of("reset", 1)),
        ("too long", format!("v1.{}.{tag}", "a".repeat(5000))),
        ("not ASCII", format!("v1.é{payload}.{tag}")),
    ] {
        assert!(sessions.read(&token, NOW).is_none(), "{name}");
        let asked = Asked::get("/").header("cookie", &format!("session={}", token.replace('é', "%")));
        let passed = pass_on(&Still::at(NOW), &Hooks::new().hook(sessions.clone()), &asked);
        assert!(passed.context.is_empty() && passed.response.is_empty() && !passed.personal, "{name}");
    }
    assert!(sessions.read(&good, NOW).is_some());
}

#[test]
fn a_value_of_another_form_counts_as_none() {
    #[derive(Serialize, Deserialize)]
    struct Other {
        email: String,
    }
    impl ContextValue for Other {
        const NAME: &'static str = "other";
    }
    assert!(Sessions::<Other>::new("session", [key(1)]).read(&token(), NOW).is_none());
}

#[test]
fn keys_rotate_without_signing_anybody_out() {
    let old = token();
    let both = Sessions::<User>::new("session", [key(2), key(1)]);
    let opened = both.read(&old, NOW + DAY).unwrap();
    assert!(opened.is_due, "what an old key has signed is signed anew at once");
    let new = both.issue(&user(), NOW).unwrap().value().to_owned();
    let after = Sessions::<User>::new("session", [key(2)]);
    assert!(after.read(&old, NOW).is_none());
    assert!(!after.read(&new, NOW).unwrap().is_due);
}

#[test]
fn a_session_is_renewed_when_half_used_by_reads_alone_and_keeps_its_beginning() {
    let hooks = Hooks::new().hook(sessions());
    for (name, method, age, renewed) in [
        ("young", Method::GET, DAY, false),
        ("just before half", Method::GET, 7 * DAY / 2 - 1000, false),
        ("half used", Method::GET, 7 * DAY / 2, true),
        ("half used, HEAD", Method::HEAD, 7 * DAY / 2, true),
        // It may be the server function that signs out.
        ("half used, POST", Method::POST, 7 * DAY / 2, false),
        ("within the leeway at its end", Method::GET, 7 * DAY + 30_000, true),
        // It is the same for all, and stays so for caches outside.
        ("half used, a file", Method::GET, 7 * DAY / 2, false),
    ] {
        let path = if name.ends_with("a file") { "/assets/a.css" } else { "/" };
        let asked = Asked::of(method, path).header("cookie", &format!("session={}", token()));
        let passed = pass_on(&Still::at(NOW + age), &hooks, &asked);
        assert_eq!(passed.context.len(), 1, "{name}");
        assert_eq!(!passed.response.cookies.is_empty(), renewed, "{name}");
        assert_eq!(passed.personal, renewed, "{name}");
        if let Some(cookie) = passed.response.cookies.first() {
            let opened = sessions().read(cookie.value(), NOW + age).unwrap();
            assert_eq!((opened.born, opened.expires), (NOW, NOW + age + 7 * DAY), "{name}");
        }
    }
}

#[test]
fn renewals_end_with_the_longest_age() {
    let sessions = sessions().at_most(Duration::from_secs(10 * 24 * 3600));
    let hooks = Hooks::new().hook(sessions.clone());
    let asked = |token: &str| Asked::get("/").header("cookie", &format!("session={token}"));
    let first = sessions.issue(&user(), NOW).unwrap().value().to_owned();
    let passed = pass_on(&Still::at(NOW + 5 * DAY), &hooks, &asked(&first));
    let second = passed.response.cookies[0].value().to_owned();
    let opened = sessions.read(&second, NOW + 5 * DAY).unwrap();
    assert_eq!(opened.expires, NOW + 10 * DAY);
    // Half of what is left is used, but nothing can be won.
    let passed = pass_on(&Still::at(NOW + 9 * DAY), &hooks, &asked(&second));
    assert!(passed.response.is_empty() && passed.context.len() == 1);
    assert!(sessions.read(&second, NOW + 11 * DAY).is_none());
    // A shorter age counts for sessions that were begun before it was set.
    let shorter = sessions.at_most(Duration::from_secs(7 * 24 * 3600));
    assert!(shorter.read(&second, NOW + 8 * DAY).is_none());
}

#[test]
fn cookies_carry_what_keeps_them_where_they_belong() {
    let plain = sessions().over_https(false).host_prefix();
    let host = sessions().host_prefix().same_site(SameSite::Strict);
    let tail = |sessions: &Sessions<User>| {
        let line = sessions.issue(&user(), NOW).unwrap().to_string();
        let (name, rest) = line.split_once('=').unwrap();
        format!("{name}{}", rest.split_once(';').unwrap().1)
    };
    assert_eq!(tail(&sessions()), "session HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=604800");
    assert_eq!(tail(&host), "__Host-session HttpOnly; SameSite=Strict; Secure; Path=/; Max-Age=604800");
    assert_eq!(tail(&plain), "session HttpOnly; SameSite=Lax; Path=/; Max-Age=604800");
    assert_eq!(
        host.end().to_string(),
        "__Host-session=; HttpOnly; SameSite=Strict; Secure; Path=/; Max-Age=0"
    );
    let passed = pass_on(
        &Still::at(NOW + 5 * DAY),
        &Hooks::new().hook(host.clone()),
        &Asked::get("/").header("cookie", &format!("__Host-session={}", token())),
    );
    let line = lines(&passed_headers(&passed), "set-cookie");
    assert!(line.starts_with("__Host-session=v1.") && line.contains("Path=/") && !line.contains("Domain"));
}

#[test]
fn a_session_that_no_cookie_holds_is_an_error_and_not_a_cookie() {
    let long = User { id: 1, name: "n".repeat(4000) };
    let error = sessions().issue(&long, NOW).unwrap_err().to_string();
    assert!(error.contains("too long for a cookie"), "{error}");
    let short = Sessions::<User>::new("session", [Secret::new("short")]);
    assert!(short.issue(&user(), NOW).unwrap_err().to_string().contains("shorter than 32 bytes"));
    assert!(Sessions::<User>::new("session", []).issue(&user(), NOW).is_err());
}

#[test]
fn what_is_configured_wrongly_is_said_at_start() {
    let day = Duration::from_secs(24 * 3600);
    for (name, sessions, says) in [
        ("no key", Sessions::<User>::new("session", []), "no key"),
        ("a short key", Sessions::new("session", [key(1), Secret::new("x")]), "no. 2"),
        ("a name", Sessions::new("ses sion", [key(1)]), "letters"),
        ("a moment", sessions().lifetime(Duration::from_secs(5)), "a minute"),
        ("shorter than a life", sessions().at_most(day), "`at_most`"),
        ("a leeway", sessions().leeway(day), "300 s"),
        ("none", sessions().over_https(false).same_site(SameSite::None), "`Lax`"),
        ("a zero", sessions().purpose("a\0b"), "zero byte"),
    ] {
        let error = Hooks::new().hook(sessions).check().unwrap_err().to_string();
        assert!(error.contains(says), "{name}: {error}");
    }
    sessions().check().unwrap();
    assert!(!format!("{:?}", sessions()).contains("[1"));
}

proptest! {
    #[test]
    fn no_change_of_one_letter_leaves_a_token_good(at in 0_usize..200, byte in 0x21_u8..0x7f) {
        let mut token = token().into_bytes();
        let at = at % token.len();
        prop_assume!(token[at] != byte);
        token[at] = byte;
        prop_assert!(sessions().read(&String::from_utf8(token).unwrap(), NOW).is_none());
    }

    #[test]
    fn what_is_issued_reads_back(id: u64, name in ".{0,60}", later in 0..7 * DAY) {
        let user = User { id, name };
        let cookie = sessions().issue(&user, NOW).unwrap();
        // No character that a cookie would have to encode.
        prop_assert!(cookie.value().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)));
        prop_assert_eq!(sessions().read(cookie.value(), NOW + later).map(|opened| opened.value), Some(user));
    }
}
