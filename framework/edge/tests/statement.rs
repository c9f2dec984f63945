//! Statements: what comes back of what was signed, and what is not believed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use cookie::Cookie;
use http::{HeaderName, HeaderValue};
use std::sync::Arc;
use tropos_core::CanonicalPath;
use tropos_edge::{
    Variants,
    edits::{HeaderEdit, HeaderSet, is_removal},
    ready::security::{Csp, Inline},
    run::{Additions, Passed},
    statement::{Bound, Keys, LEEWAY, LIFE, LONGEST, Refused, Statement},
    variant,
};

variant! { enum Ab: "ab" { A = "a", B = "b" } }

const NOW: u64 = 1_800_000_000_000;
const KEY: &str = "a secret of the edge";

fn keys(text: &str) -> Keys {
    Keys::parse(text).unwrap()
}

fn path(text: &str) -> CanonicalPath {
    CanonicalPath::parse(text).unwrap()
}

fn passed() -> Passed {
    let mut variants = Variants::default();
    variants.choose(Ab::B);
    let mut gone = Cookie::new("old", "");
    gone.make_removal();
    Passed {
        path: Some(path("/caf%C3%A9/")),
        query: Some("a=b".into()),
        request: vec![
            HeaderEdit::Set(HeaderName::from_static("x-a"), HeaderValue::from_static("1")),
            HeaderEdit::Append(HeaderName::from_static("x-b"), HeaderValue::from_static("2")),
            HeaderEdit::Remove(HeaderName::from_static("x-c")),
        ],
        response: Additions {
            headers: vec![HeaderEdit::Set(HeaderName::from_static("x-d"), HeaderValue::from_static("3"))],
            cookies: vec![Cookie::build(("who", "an n")).path("/x").http_only(true).build(), gone],
        },
        variants,
        context: vec![("user".into(), r#"{"name":"ann"}"#.into())],
        personal: true,
        csp: Some(Arc::new(Csp::strict().report_to("errors"))),
        ..Passed::default()
    }
}

#[test]
fn what_the_page_sees_comes_back_and_what_the_visitor_is_sent_does_not() {
    let at = path("/a");
    let bound = Bound { build: "b1", method: "GET", host: "shop.example", path: &at, query: "q=1" };
    let text = Statement::of(&passed(), NOW).unwrap().sign(&keys(KEY), bound).unwrap();
    assert!(text.bytes().all(|byte| byte.is_ascii_graphic()), "{text}");
    let back = Statement::verify(text.as_bytes(), &keys(KEY), bound, NOW).unwrap().into_passed().unwrap();
    let sent = passed();
    assert_eq!((&back.path, &back.query, &back.request), (&sent.path, &sent.query, &sent.request));
    assert_eq!((&back.variants, &back.context), (&sent.variants, &sent.context));
    assert!(back.response.headers.is_empty() && !back.personal);
    let [who, old] = back.response.cookies.as_slice() else { panic!("{:?}", back.response) };
    assert_eq!((who.name_value(), is_removal(old)), (("who", "an n"), true));
    assert_eq!(back.csp.unwrap().render(Inline::None), sent.csp.unwrap().render(Inline::None));
}

#[test]
fn a_set_of_headers_is_told_header_by_header() {
    let set = HeaderSet::new([("x-a", "1"), ("x-b", "2")]).unwrap();
    let sent = Passed { request: vec![HeaderEdit::SetAll(Arc::new(set))], ..Passed::default() };
    let back = Statement::of(&sent, NOW).unwrap().into_passed().unwrap();
    let one = |name, value| HeaderEdit::Set(HeaderName::from_static(name), HeaderValue::from_static(value));
    assert_eq!(back.request, [one("x-a", "1"), one("x-b", "2")]);
}

#[test]
fn a_statement_is_believed_for_the_request_that_it_was_signed_for_alone() {
    let (a, b, slash) = (path("/a"), path("/b"), path("/a/"));
    let own = Bound { build: "b1", method: "GET", host: "Shop.example", path: &a, query: "q=1" };
    let text = Statement::of(&passed(), NOW).unwrap().sign(&keys(KEY), own).unwrap();
    let verify = |bound| Statement::verify(text.as_bytes(), &keys(KEY), bound, NOW);
    // A Worker is not told a port that the scheme has anyway.
    for host in ["shop.EXAMPLE", "shop.example:80", "shop.example:443"] {
        assert!(verify(Bound { host, ..own }).is_ok(), "{host}");
    }
    for other in [
        Bound { build: "b2", ..own },
        Bound { build: "", ..own },
        Bound { method: "POST", ..own },
        Bound { method: "HEAD", ..own },
        Bound { host: "shop.example:8080", ..own },
        Bound { host: "shop.example:80:443", ..own },
        Bound { path: &b, ..own },
        Bound { path: &slash, ..own },
        Bound { query: "q=2", ..own },
        Bound { query: "", ..own },
    ] {
        assert_eq!(verify(other), Err(Refused::Signature), "{other:?}");
    }
}

#[test]
fn a_statement_is_believed_for_a_minute_and_clocks_may_differ_by_another() {
    let at = path("/a");
    let bound = Bound { build: "b1", method: "GET", host: "h", path: &at, query: "" };
    let text = Statement::of(&passed(), NOW).unwrap().sign(&keys(KEY), bound).unwrap();
    for (now, believed) in [
        (NOW - LEEWAY - 1, false),
        (NOW - LEEWAY, true),
        (NOW + LIFE, true),
        (NOW + LIFE + LEEWAY, true),
        (NOW + LIFE + LEEWAY + 1, false),
    ] {
        let verdict = Statement::verify(text.as_bytes(), &keys(KEY), bound, now).map(drop);
        assert_eq!(verdict, if believed { Ok(()) } else { Err(Refused::Time) }, "{now}");
    }
}

#[test]
fn no_statement_is_believed_that_was_touched_or_made_without_the_key() {
    let at = path("/a");
    let bound = Bound { build: "b1", method: "GET", host: "h", path: &at, query: "" };
    let text = Statement::of(&passed(), NOW).unwrap().sign(&keys(KEY), bound).unwrap();
    let (head, tag) = text.rsplit_once('.').unwrap();
    let foreign = Statement::of(&passed(), NOW).unwrap().sign(&keys("another secret here"), bound).unwrap();
    let mut changed = head.to_owned().into_bytes();
    changed[10] ^= 1;
    let changed = format!("{}.{tag}", String::from_utf8(changed).unwrap());
    for (forged, why) in [
        (String::new(), Refused::Form),
        ("v1".into(), Refused::Form),
        ("v1..".into(), Refused::Signature),
        (format!("{head}."), Refused::Signature),
        (format!("{head}.{}", &tag[..20]), Refused::Signature),
        (format!("{head}.{tag}A"), Refused::Signature),
        (text.replacen("v1.", "v2.", 1), Refused::Form),
        (changed, Refused::Signature),
        (foreign, Refused::Signature),
        (format!("{text}{}", "A".repeat(LONGEST)), Refused::Form),
    ] {
        let verdict = Statement::verify(forged.as_bytes(), &keys(KEY), bound, NOW).map(drop);
        assert_eq!(verdict, Err(why), "{forged}");
    }
}

#[test]
fn keys_are_changed_without_a_moment_in_which_nothing_is_believed() {
    let at = path("/a");
    let bound = Bound { build: "b1", method: "GET", host: "h", path: &at, query: "" };
    let (old, new) = ("the old secret, ", "the new secret of it");
    let both = format!("{new},{old}");
    let sign = |with: &str| Statement::of(&passed(), NOW).unwrap().sign(&keys(with), bound).unwrap();
    let believed =
        |text: &str, with: &str| Statement::verify(text.as_bytes(), &keys(with), bound, NOW).is_ok();
    let old = "the old secret of it";
    let both = both.replace("the old secret, ", old);
    assert!(believed(&sign(old), &both) && believed(&sign(&both), &both) && believed(&sign(&both), new));
    assert!(!believed(&sign(&both), old), "the first one signs");
    for wrong in ["", "short", "a secret of the edge,", "a secret of the edge,short"] {
        assert!(Keys::parse(wrong).is_err(), "{wrong}");
    }
    assert!(Keys::parse(&[KEY; 5].join(",")).is_err());
    assert_eq!(format!("{:?}", keys(KEY)), "Keys(..)");
}

#[test]
fn what_would_be_too_long_is_not_said() {
    let at = path("/a");
    let bound = Bound { build: "b1", method: "GET", host: "h", path: &at, query: "" };
    let long = Passed { context: vec![("user".into(), "x".repeat(LONGEST))], ..Passed::default() };
    assert_eq!(Statement::of(&long, NOW).unwrap().sign(&keys(KEY), bound), None);
}

#[test]
fn a_purge_names_its_tags_and_is_signed_as_everything_else() {
    let at = path("/_tropos/purge");
    let bound = Bound { build: "b1", method: "POST", host: "h", path: &at, query: "" };
    let text = Statement::purge(["product-1", "product-2"], NOW).sign(&keys(KEY), bound).unwrap();
    let back = Statement::verify(text.as_bytes(), &keys(KEY), bound, NOW).unwrap();
    assert_eq!(back.purged(), ["product-1", "product-2"]);
}
