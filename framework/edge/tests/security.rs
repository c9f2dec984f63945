//! Headers that hold browsers, and the policy that the server completes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Asked, answer, pass};
use http::HeaderMap;
use tropos_edge::{
    EdgeRequest, Hook, Hooks, Reply, hook,
    ready::security::{Csp, Directive, Hashes, Inline, MOST_HASHES, SecurityHeaders, Source, nonce, seal},
    run::{Outcome, run},
};

fn headers(hooks: &Hooks, secure: bool) -> (HeaderMap, String) {
    let asked = Asked::get("/");
    let request = asked.request();
    let request = EdgeRequest::new(
        request.method(),
        "h",
        secure,
        request.path(),
        "",
        request.headers().clone(),
        request.client().clone(),
    );
    let nowhere = |_: &tropos_core::CanonicalPath| None;
    let outcome = futures::executor::block_on(run(hooks, request, &nowhere, &common::Still::default()));
    let Outcome::Pass(passed) = outcome else { panic!() };
    assert!(!passed.personal, "the same for all");
    let mut headers = HeaderMap::new();
    passed.response.apply(&mut headers, secure);
    let csp = passed.csp.map(|csp| format!("{}: {}", csp.header(), csp.render(Inline::None)));
    (headers, csp.unwrap_or_default())
}

#[test]
fn the_defaults_go_out_and_hsts_by_https_alone() {
    let hooks = Hooks::new().hook(SecurityHeaders::new());
    let (secure, csp) = headers(&hooks, true);
    for (name, value) in [
        ("strict-transport-security", "max-age=31536000"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "SAMEORIGIN"),
        ("referrer-policy", "strict-origin-when-cross-origin"),
        ("cross-origin-opener-policy", "same-origin-allow-popups"),
        ("cross-origin-resource-policy", "same-site"),
    ] {
        assert_eq!(secure[name], value);
    }
    assert!(secure["permissions-policy"].to_str().unwrap().starts_with("camera=()"));
    assert_eq!(csp, "content-security-policy: object-src 'none'; base-uri 'self'; frame-ancestors 'self'");
    let (plain, _) = headers(&hooks, false);
    assert!(!plain.contains_key("strict-transport-security"));
    assert_eq!(plain.len() + 1, secure.len());
}

#[test]
fn headers_are_changed_and_left_out() {
    let hooks = Hooks::new().hook(
        SecurityHeaders::new()
            .set("Referrer-Policy", "no-referrer")
            .without("X-Frame-Options")
            .hsts(1, true)
            .csp(Csp::strict()),
    );
    let (secure, csp) = headers(&hooks, true);
    assert_eq!(secure["referrer-policy"], "no-referrer");
    assert_eq!(secure["strict-transport-security"], "max-age=86400; includeSubDomains");
    assert!(!secure.contains_key("x-frame-options"));
    assert!(csp.ends_with("; upgrade-insecure-requests"), "{csp}");
    assert!(!headers(&hooks, false).1.contains("upgrade"), "by http, there is nothing to upgrade to");
    let bare = SecurityHeaders::new().without("content-security-policy").without("strict-transport-security");
    let (secure, csp) = headers(&Hooks::new().hook(bare), true);
    assert!(csp.is_empty() && !secure.contains_key("strict-transport-security"));
}

#[test]
fn an_answer_of_a_hook_has_the_policy_too() {
    let hooks = Hooks::new()
        .hook(SecurityHeaders::new().csp(Csp::strict().report_only()))
        .hook(hook("answers", |_, _| tropos_edge::Decision::from(Reply::html(200, "<p>"))));
    let answer = answer(&hooks, &Asked::get("/"));
    let mut headers = HeaderMap::new();
    answer.response.apply(&mut headers, true);
    let value = headers["content-security-policy-report-only"].to_str().unwrap();
    assert!(value.contains("script-src 'self' 'wasm-unsafe-eval';") && !value.contains("upgrade"), "{value}");
    let later = Hooks::new().hook(SecurityHeaders::new()).hook(SecurityHeaders::new().csp(Csp::strict()));
    assert!(pass(&later, &Asked::get("/")).csp.unwrap().render(Inline::None).contains("default-src"));
}

#[test]
fn a_policy_is_written_for_what_is_inline() {
    let hashes =
        Hashes { scripts: vec!["sha256-AA".into(), "sha256-BB".into()], styles: vec!["sha256-CC".into()] };
    let (nonce, hashed) = (Inline::Nonce("N"), Inline::Hashes(&hashes));
    use Directive::{DefaultSrc, ImgSrc, ScriptSrc, StyleSrc};
    let own = || Csp::new().set(DefaultSrc, [Source::Own]);
    for (policy, inline, expected) in [
        (Csp::new(), nonce, ""),
        (own(), Inline::None, "default-src 'self'"),
        (own(), nonce, "default-src 'self'; script-src 'self' 'nonce-N'; style-src 'self' 'nonce-N'"),
        (
            own(),
            hashed,
            "default-src 'self'; script-src 'self' 'sha256-AA' 'sha256-BB'; style-src 'self' 'sha256-CC'",
        ),
        (own(), Inline::Hashes(&Hashes::default()), "default-src 'self'"),
        (Csp::new().set(ScriptSrc, [Source::None]), nonce, "script-src 'nonce-N'"),
        (Csp::new().set(ScriptSrc, [Source::None]), Inline::None, "script-src 'none'"),
        (
            Csp::new().set(StyleSrc, [Source::Own, Source::UnsafeInline]),
            nonce,
            "style-src 'self' 'unsafe-inline'",
        ),
        (
            own().also(ImgSrc, Source::scheme("data")),
            Inline::None,
            "default-src 'self'; img-src 'self' data:",
        ),
        (
            own().set(ImgSrc, [Source::None]).also(ImgSrc, Source::host("a.example")),
            Inline::None,
            "default-src 'self'; img-src a.example",
        ),
        (
            own().report_uri("/csp").report_to("csp"),
            Inline::None,
            "default-src 'self'; report-uri /csp; report-to csp",
        ),
        (
            Csp::new().set(
                ScriptSrc,
                [Source::StrictDynamic, Source::UnsafeEval, Source::WasmEval, Source::UnsafeHashes],
            ),
            Inline::None,
            "script-src 'strict-dynamic' 'unsafe-eval' 'wasm-unsafe-eval' 'unsafe-hashes'",
        ),
    ] {
        assert_eq!(policy.render(inline), expected);
    }
}

/// The digest of `alert(1)` is that of any other tool: `printf 'alert(1)' | openssl dgst -sha256 -binary | base64`.
const ALERT: &str = "sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI=";

#[test]
fn a_stored_page_loses_its_nonce_and_keeps_hashes_of_what_carried_it() {
    let n = nonce(1, 2);
    assert_eq!((n.as_str(), nonce(u64::MAX, 0).len()), ("AAAAAAAAAAEAAAAAAAAAAg==", 24));
    let same = |html: &str| (html.to_owned(), vec![], vec![], 0);
    let found = |html: &str, scripts: &[&str], styles: usize, left_out| {
        (
            html.to_owned(),
            scripts.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>(),
            vec![(); styles],
            left_out,
        )
    };
    for (html, expected) in [
        ("<p>a</p>".to_owned(), same("<p>a</p>")),
        (
            format!("<script nonce=\"{n}\">alert(1)</script>"),
            found("<script>alert(1)</script>", &[ALERT], 0, 0),
        ),
        (
            format!("<SCRIPT type=a nonce='{n}' async>alert(1)</ScRiPt >"),
            found("<SCRIPT type=a async>alert(1)</ScRiPt >", &[ALERT], 0, 0),
        ),
        (
            format!("<script nonce={n}>alert(1)</script>é"),
            found("<script>alert(1)</script>é", &[ALERT], 0, 0),
        ),
        (
            format!("<script\n nonce = \"{n}\"/>alert(1)</script>"),
            found("<script/>alert(1)</script>", &[ALERT], 0, 0),
        ),
        (format!("<style nonce=\"{n}\">a{{}}</style>"), found("<style>a{}</style>", &[], 1, 0)),
        (
            format!("<script src=\"/a.js\" nonce=\"{n}\"></script>"),
            found("<script src=\"/a.js\"></script>", &[], 0, 0),
        ),
        (format!("<link rel=a nonce=\"{n}\"><b>x</b>"), found("<link rel=a><b>x</b>", &[], 0, 0)),
        // Twice the same is one hash.
        (
            format!("<script nonce=\"{n}\">alert(1)</script><script nonce=\"{n}\">alert(1)</script>"),
            found("<script>alert(1)</script><script>alert(1)</script>", &[ALERT], 0, 0),
        ),
        // What has no nonce, another, or only seems to have it, stays refused.
        (
            format!("<i id=\"{n}\"></i><script>alert(1)</script><script nonce=\"x\">alert(1)</script>"),
            same(&format!(
                "<i id=\"{n}\"></i><script>alert(1)</script><script nonce=\"x\">alert(1)</script>"
            )),
        ),
        (
            format!("<i title='<script nonce=\"{n}\">alert(1)</script>'></i>"),
            same(&format!("<i title='<script nonce=\"{n}\">alert(1)</script>'></i>")),
        ),
        (
            format!("<!-- <script nonce=\"{n}\">alert(1)</script> -->"),
            same(&format!("<!-- <script nonce=\"{n}\">alert(1)</script> -->")),
        ),
        (
            format!("<textarea><script nonce=\"{n}\">alert(1)</script></textarea>"),
            same(&format!("<textarea><script nonce=\"{n}\">alert(1)</script></textarea>")),
        ),
        (
            format!("<script>\"<script nonce='{n}'>alert(1)\"</script>"),
            same(&format!("<script>\"<script nonce='{n}'>alert(1)\"</script>")),
        ),
        (format!("<script nonce=\"{n}\">a<!--b</script>"), found("<script>a<!--b</script>", &[], 0, 1)),
        // Cut off, or no tag at all.
        (format!("<script nonce=\"{n}"), same(&format!("<script nonce=\"{n}"))),
        (format!("{n}<"), same(&format!("{n}<"))),
        (format!("a < b <3 </p> <{n}"), same(&format!("a < b <3 </p> <{n}"))),
    ] {
        let sealed = seal(&html, &n);
        let got = (sealed.html, sealed.hashes.scripts, vec![(); sealed.hashes.styles.len()], sealed.left_out);
        assert_eq!(got, expected, "{html}");
    }
    let lines = |end: &str| seal(&format!("<script nonce=\"{n}\">a{end}b</script>"), &n).hashes;
    assert_eq!(lines("\n"), lines("\r\n"));
    assert_eq!(lines("\n"), lines("\r"));
    let many: String = (0..=MOST_HASHES).map(|at| format!("<script nonce=\"{n}\">{at}</script>")).collect();
    let sealed = seal(&many, &n);
    assert_eq!((sealed.hashes.scripts.len(), sealed.left_out), (MOST_HASHES, 1));
    assert!(Csp::strict().render(Inline::Hashes(&sealed.hashes)).len() < 4_096 + 256);
    assert_eq!(seal("<p nonce=\"\">", "").html, "<p nonce=\"\">");
}

proptest::proptest! {
    #[test]
    fn no_page_breaks_the_seal(html in "(<script|<style|<!--|-->|</script>|<b|>|\"|'|=| nonce=|NONCE|/|é|a|\\n){0,30}") {
        let sealed = seal(&html, "NONCE");
        proptest::prop_assert!(sealed.html.len() <= html.len());
        let again = seal(&sealed.html, "other");
        proptest::prop_assert_eq!(again.html, sealed.html);
    }
}

#[test]
fn what_is_configured_wrongly_is_said() {
    let with = |csp| SecurityHeaders::new().csp(csp);
    for (headers, text) in [
        (SecurityHeaders::new().set("a b", "c"), "no header"),
        (SecurityHeaders::new().set("a", "c\n"), "no header"),
        (SecurityHeaders::new().set("Content-Security-Policy", "x"), "set by `.csp(…)`"),
        (SecurityHeaders::new().set("Strict-Transport-Security", "x"), "set by `.hsts(…)`"),
        (with(Csp::new().set(Directive::ImgSrc, [])), "`img-src` is empty"),
        (with(Csp::new().set(Directive::ImgSrc, [Source::None, Source::Own])), "'none'"),
        (with(Csp::new().set(Directive::ImgSrc, [Source::host("a; script-src *")])), "is no source"),
        (with(Csp::new().set(Directive::ImgSrc, [Source::host("'self'")])), "keywords by their names"),
        (with(Csp::new().set(Directive::ImgSrc, [Source::scheme("data:")])), "is no source"),
        (with(Csp::new().report_to("a b")), "reports cannot go"),
    ] {
        let error = headers.check().unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
    assert_eq!(with(Csp::strict()).check(), Ok(()));
}
