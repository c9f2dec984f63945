//! The content security policy of pages: nonces on what is streamed, hashes on what is stored.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod common;

use common::{Reads, app};
use futures::StreamExt as _;
use leptos::{nonce::use_nonce, prelude::*};
use std::time::Duration;
use tropos::{
    PageError, PageResult, Path, State,
    edge::{
        Decision, Hooks, Match, hook,
        ready::security::{Csp, SecurityHeaders},
    },
    live_url, page,
    prelude::*,
};
use tropos_testing::{Answer, TestApp};

/// What somebody has smuggled into data that a page shows as it is.
const SMUGGLED: &str = "<script>alert(1)</script><script nonce=\"guessed\">alert(2)</script>";
const OWN: &str = "own()";
const OWN_HASH: &str = "'sha256-1yruO3ZUqBddjC8oRrsLLZ/oiHYCAveB39McCaLvqnk='";
const STYLE: &str = "p{color:red}";
const STYLE_HASH: &str = "'sha256-p0bF+un5yUb9MBO6xRb8kPHlY2BdpHVtLiFkDrZPF64='";

fn inline() -> impl IntoView {
    view! {
        <script nonce=use_nonce()>{OWN}</script>
        <style nonce=use_nonce()>{STYLE}</style>
        <div inner_html=SMUGGLED></div>
    }
}

#[page("/streamed", server)]
async fn Streamed() -> PageResult {
    let late = Suspend::new(async {
        tokio::time::sleep(Duration::from_millis(5)).await;
        view! { <p id="late">"late"</p> }
    });
    view! { {inline()}<Suspense fallback=|| "waiting">{late}</Suspense> }.into_page()
}

#[page("/stored/:key", isr(revalidate = "60s"))]
async fn Stored(Path(key): Path<String>) -> PageResult {
    match key.as_str() {
        "missing" => return Err(PageError::NotFound),
        "moved" => return Err(tropos::redirect("/plain")),
        _ => {}
    }
    view! { <p>{key}</p>{inline()} }.into_page()
}

#[page("/built", ssg)]
async fn Built() -> PageResult {
    inline().into_page()
}

#[page("/plain", isr(revalidate = "60s"))]
async fn Plain() -> PageResult {
    view! { <p>"plain"</p> }.into_page()
}

#[page("/watched", live(tags = ["watched"]))]
async fn Watched(State(reads): State<Reads>) -> PageResult {
    // The same text in two renders of three.
    let count = reads.one() / 3;
    view! { <main data-live=live_url()>{inline()}<p id="count">{count}</p></main> }.into_page()
}

async fn site(hooks: Hooks) -> TestApp {
    let pages = tropos::routes![Streamed, Stored, Built, Plain, Watched];
    TestApp::new(app().hooks(hooks).pages(pages).state(Reads::default())).await
}

fn strict() -> Hooks {
    Hooks::new().hook(SecurityHeaders::new().csp(Csp::strict()))
}

fn policy(answer: &Answer) -> &str {
    answer.header("content-security-policy")
}

/// The sources of a directive.
fn sources<'a>(policy: &'a str, directive: &str) -> &'a str {
    let mut lists = policy.split("; ").filter_map(|list| list.split_once(' '));
    lists.find(|(name, _)| *name == directive).map(|(_, sources)| sources).unwrap_or_default()
}

fn nonce(answer: &Answer) -> String {
    let (_, rest) = policy(answer).split_once("'nonce-").unwrap();
    rest.split_once('\'').unwrap().0.to_owned()
}

#[tokio::test]
async fn each_script_of_a_streamed_page_has_the_nonce_of_its_policy_and_each_render_another() {
    let site = site(strict()).await;
    let mut seen = Vec::new();
    for path in ["/streamed", "/streamed", "/watched", "/watched"] {
        let answer = site.get(path).await;
        let (nonce, text) = (nonce(&answer), answer.text());
        assert_eq!(nonce.len(), 24, "128 bits as base64");
        for directive in ["script-src", "style-src"] {
            assert!(sources(policy(&answer), directive).ends_with(&format!(" 'nonce-{nonce}'")), "{path}");
        }
        let scripts = text.match_indices("<script").count();
        let ours = text.matches(&format!("nonce=\"{nonce}\"")).count();
        // Those that were smuggled in have none; the style has it.
        assert_eq!(ours, scripts - 2 + 1, "{path}: {text}");
        assert!(ours >= 3, "{path}: what streams or follows is a script of its own: {text}");
        assert!(!policy(&answer).contains("sha256"), "{path}");
        seen.push(nonce);
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 4, "no two renders share one");
}

#[tokio::test]
async fn a_stored_page_names_the_hashes_of_its_own_scripts_and_no_nonce_in_every_answer_from_it() {
    let site = site(strict()).await;
    for path in ["/stored/a", "/built"] {
        let first = site.get(path).await;
        assert_eq!(sources(policy(&first), "script-src"), format!("'self' 'wasm-unsafe-eval' {OWN_HASH}"));
        assert_eq!(sources(policy(&first), "style-src"), format!("'self' {STYLE_HASH}"));
        assert!(first.text().contains(&format!("<script>{OWN}</script>")), "{}", first.text());
        assert_eq!(first.text().matches("nonce=").count(), 1, "the one that was guessed: {}", first.text());
        let etag = first.header("etag").to_owned();
        for (method, headers, status) in [
            ("GET", vec![], 200),
            ("HEAD", vec![], 200),
            ("GET", vec![("accept-encoding", "br")], 200),
            ("GET", vec![("if-none-match", etag.as_str())], 304),
            ("HEAD", vec![("if-none-match", etag.as_str())], 304),
            ("GET", vec![("range", "bytes=0-9")], 206),
        ] {
            let answer = site.send(TestApp::request(method, path, "", &headers)).await;
            assert_eq!(
                (answer.status.as_u16(), policy(&answer)),
                (status, policy(&first)),
                "{method} {path}"
            );
        }
    }
}

#[tokio::test]
async fn what_has_nothing_inline_is_sent_the_policy_as_it_is() {
    let site = site(strict()).await;
    for (path, status) in [
        ("/plain", 200),
        ("/plain", 200),
        ("/stored/missing", 404),
        ("/stored/moved", 307),
        ("/nowhere", 404),
        ("/_tropos/assets/none.js", 404),
        ("/_tropos/live/0123456789abcdef0123456789abcdef?page=%2Fplain", 404),
    ] {
        let answer = site.get(path).await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(sources(policy(&answer), "script-src"), "'self' 'wasm-unsafe-eval'", "{path}");
        assert_eq!(sources(policy(&answer), "style-src"), "'self'", "{path}");
    }
}

#[tokio::test]
async fn pages_of_the_application_itself_for_errors_name_their_scripts_too() {
    let app = app().hooks(strict()).not_found(|| view! { <h1>"Nowhere"</h1>{inline()} });
    let answer = TestApp::new(app).await.get("/nowhere").await;
    assert_eq!(answer.status, 404);
    assert!(sources(policy(&answer), "script-src").ends_with(OWN_HASH), "{}", policy(&answer));
    assert!(!answer.text().contains("nonce=\"\""), "{}", answer.text());
}

#[tokio::test]
async fn a_policy_that_only_reports_goes_out_under_its_own_name_and_without_one_there_is_none() {
    let report = SecurityHeaders::new().csp(Csp::strict().report_only().report_uri("/csp"));
    let site = site(Hooks::new().at(Match::below("/stored"), report)).await;
    let answer = site.get("/stored/a").await;
    assert_eq!(policy(&answer), "");
    let reported = answer.header("content-security-policy-report-only");
    assert!(sources(reported, "script-src").ends_with(OWN_HASH), "{reported}");
    let open = site.get("/streamed").await;
    assert!(open.headers.keys().all(|name| !name.as_str().starts_with("content-security")));
    assert!(open.text().contains(" nonce=\""), "written all the same: it costs nothing");
}

#[tokio::test]
async fn a_page_that_was_stored_before_anybody_asked_for_a_policy_names_its_scripts() {
    let later = hook("on demand", |request, edits| {
        if request.query() == "strict" {
            edits.csp(Csp::strict().into());
        }
        Decision::Next
    });
    let site = site(Hooks::new().hook(later)).await;
    assert_eq!(policy(&site.get("/stored/a").await), "");
    let answer = site.get("/stored/a?strict").await;
    assert!(answer.header("cache-status").contains("hit"), "{}", answer.header("cache-status"));
    assert!(sources(policy(&answer), "script-src").ends_with(OWN_HASH), "{}", policy(&answer));
}

#[tokio::test]
async fn what_a_live_page_sends_has_no_nonce_and_a_render_that_differs_by_it_alone_is_no_change() {
    let reads = Reads::default();
    let app = app().hooks(strict()).pages(tropos::routes![Watched]).state(reads.clone());
    let site = TestApp::new(app).await;
    let page = site.get("/watched").await;
    let nonce = nonce(&page);
    let text = page.text();
    let (_, url) = text.split_once("data-live=\"").unwrap();
    let url = url.split_once('"').unwrap().0.replace("&amp;", "&");
    let mut stream = site.start(TestApp::request("GET", &url, "", &[])).await;
    let mut pieces = std::mem::take(stream.body_mut()).into_data_stream();
    let mut seen = String::new();
    // Reads on until then, and for 5 s at most.
    let mut read = async |done: &dyn Fn(&str) -> bool| {
        let end = tokio::time::Instant::now() + Duration::from_secs(5);
        while !done(&seen) {
            assert!(tokio::time::Instant::now() < end, "{seen}");
            let piece = tokio::time::timeout(Duration::from_millis(10), pieces.next()).await;
            if let Ok(piece) = piece {
                seen.push_str(&String::from_utf8_lossy(&piece.unwrap().unwrap()));
            }
        }
        seen.clone()
    };
    // The second render says what the first did; the third is the first to say something else.
    site.invalidate("watched").await;
    read(&|_| reads.count() == 2).await;
    site.invalidate("watched").await;
    let sent = read(&|seen| seen.split_once("data:").is_some_and(|(_, event)| event.contains("\n\n"))).await;
    assert_eq!(reads.count(), 3);
    assert_eq!(sent.matches("data:").count(), 1, "of the third alone: {sent}");
    assert!(!sent.contains(&nonce), "{sent}");
    let smuggled = sent.matches("nonce=\\\"guessed").count();
    assert_eq!(sent.matches("nonce=\\\"").count(), smuggled, "no other nonce is sent: {sent}");
}

#[tokio::test]
async fn a_policy_that_the_edge_has_decided_on_is_completed_here_and_nothing_else_of_it_is_sent() {
    use tropos::edge::{
        edits::HeaderEdit,
        run::{Additions, Passed},
        statement::{self, Bound, Keys, Statement},
    };
    let keys = Keys::parse("a secret of the edge").unwrap();
    let mut config = tropos::Config::default();
    config.database = tropos_db::Config::new("sqlite::memory:");
    config.edge_keys = Some(keys.clone());
    let pages = tropos::routes![Streamed, Stored, Plain];
    let site = TestApp::with_config(app().pages(pages).state(Reads::default()), config).await;
    for path in ["/stored/a", "/stored/a", "/streamed", "/plain"] {
        let added = HeaderEdit::Set("x-added".parse().unwrap(), "1".parse().unwrap());
        let passed = Passed {
            csp: Some(Csp::strict().into()),
            response: Additions { headers: vec![added], cookies: Vec::new() },
            ..Passed::default()
        };
        let at = tropos_core::CanonicalPath::parse(path).unwrap();
        let bound = Bound {
            build: site.site.engine().build_id(),
            method: "GET",
            host: "localhost",
            path: &at,
            query: "",
        };
        let now = site.site.engine().clock().wall();
        let signed = Statement::of(&passed, now).unwrap().sign(&keys, bound).unwrap();
        let answer = site.get_with(path, &[(statement::HEADER, &signed)]).await;
        assert_eq!(answer.header(statement::HEADER), "taken", "{path}");
        assert_eq!(answer.header("x-added"), "", "{path}: the edge adds it");
        // It depends on the statement, so no cache between may keep it; what it would be kept by, the edge is told apart.
        assert_eq!(
            (answer.header("cache-control"), answer.header("cdn-cache-control")),
            ("private, no-store", ""),
            "{path}"
        );
        let unstated = site.get(path).await;
        for (told, own) in
            [(statement::CACHE_CONTROL, "cache-control"), (statement::CDN_CACHE_CONTROL, "cdn-cache-control")]
        {
            assert_eq!(answer.header(told), unstated.header(own), "{path}: {own}");
            assert_eq!(unstated.header(told), "", "{path}: {told}");
        }
        let scripts = sources(policy(&answer), "script-src");
        match path {
            "/stored/a" => assert!(scripts.ends_with(OWN_HASH), "{scripts}"),
            "/streamed" => assert!(scripts.contains("'nonce-"), "{scripts}"),
            _ => assert_eq!(scripts, "'self' 'wasm-unsafe-eval'"),
        }
    }
}

#[tokio::test]
async fn a_statement_of_another_build_counts_for_nothing_and_one_that_is_required_is_not_done_without() {
    use tropos_edge::{
        run::Passed,
        statement::{self, Bound, Keys, Statement},
    };
    let keys = Keys::parse("a secret of the edge").unwrap();
    let mut config = tropos::Config::default();
    config.database = tropos_db::Config::new("sqlite::memory:");
    config.edge_keys = Some(keys.clone());
    let guard = hook("guard", |_, _| Decision::from(tropos::edge::Reply::text(401, "sign in first")));
    let hooks = Hooks::new().at(Match::below("/plain"), guard);
    let app = app().hooks(hooks).pages(tropos::routes![Plain]).state(Reads::default());
    let site = TestApp::with_config(app, config).await;
    let own = site.site.engine().build_id().to_owned();
    let at = tropos_core::CanonicalPath::parse("/plain").unwrap();
    for (build, required, status) in [
        (own.as_str(), false, 200),
        (own.as_str(), true, 200),
        ("another", false, 401),
        ("another", true, 503),
    ] {
        let bound = Bound { build, method: "GET", host: "localhost", path: &at, query: "" };
        let now = site.site.engine().clock().wall();
        let signed = Statement::of(&Passed::default(), now).unwrap().sign(&keys, bound).unwrap();
        let mut headers = vec![(statement::HEADER, signed.as_str())];
        headers.extend(required.then_some((statement::REQUIRED, "1")));
        let answer = site.get_with("/plain", &headers).await;
        assert_eq!(answer.status.as_u16(), status, "{build}, {required}");
        let taken = if status == 200 { "taken" } else { "" };
        assert_eq!(answer.header(statement::HEADER), taken, "{build}, {required}");
    }
}
