//! Hooks in front of pages, streams and server functions.

mod common;
#[path = "common/varied.rs"]
mod varied;

use common::{Reads, app};
use leptos::{prelude::*, server_fn::ServerFn};
use serde::{Deserialize, Serialize};
use tropos::{
    Context, Cookies, Headers, PageResult, State,
    cookie::Cookie,
    edge::{Decision, Hooks, Match, Reply, VariantName as _, edits::ContextValue, hook, hook::hook_for_all},
    page,
    prelude::*,
};
use tropos_testing::TestApp;
use varied::{Ab, Open, Varied};

/// Who a hook found.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct User {
    name: String,
}

impl ContextValue for User {
    const NAME: &'static str = "user";
}

#[page("/guarded/:key", server)]
async fn Guarded(
    Path(key): Path<String>,
    headers: Headers,
    cookies: Cookies,
    user: Context<User>,
) -> PageResult {
    let name = user.0.map(|user| user.name).unwrap_or_default();
    let echo = headers.get("x-echo").and_then(|echo| echo.to_str().ok()).unwrap_or_default().to_owned();
    let who = cookies.get("who").unwrap_or_default();
    view! { <p id="key">{key}</p><p id="user">{name}</p><p id="echo">{echo}</p><p id="who">{who}</p> }
        .into_page()
}

#[page("/kept/:key", isr(revalidate = "60s"))]
async fn Kept(Path(key): Path<String>, State(reads): State<Reads>) -> PageResult {
    view! { <p id="key">{format!("{key} {}", reads.one())}</p> }.into_page()
}

#[page("/live/:key", live)]
async fn Followed(Path(key): Path<String>) -> PageResult {
    view! { <p id="key">{key}</p> }.into_page()
}

#[server]
async fn set_price() -> Result<(), ServerFnError> {
    Ok(())
}

#[server]
async fn look() -> Result<(), ServerFnError> {
    Ok(())
}

fn guard() -> impl tropos::edge::Hook {
    hook("guard", |request, edits| match request.cookie("session") {
        Some("good") => {
            edits.context(&User { name: "ann".into() });
            edits.request_headers().set("x-echo", "from the hook");
            edits.set_cookie(Cookie::new("who", "ann"));
            Decision::Next
        }
        _ => Reply::text(401, "sign in first").into(),
    })
}

fn hooks() -> Hooks {
    let guarded = ["/guarded", "/kept", "/live"].map(Match::below);
    Hooks::new()
        .hook(hook_for_all("on all", |_, edits| {
            edits.response_headers().set("x-shop", "1");
            Decision::Next
        }))
        .at("/door", hook("door", |_, _| Decision::rewrite("/guarded/a")))
        .guard(Match::any(guarded), ["set_price"], guard())
        .open(["look"])
        .at(
            Match::below("/variant"),
            hook("ab", |request, edits| {
                edits.choose(request.cookie("ab").and_then(Ab::parse).unwrap_or(Ab::A));
                Decision::Next
            }),
        )
}

async fn site() -> TestApp {
    let pages = tropos::routes![Guarded, Kept, Varied, Open, Followed];
    TestApp::new(app().hooks(hooks()).pages(pages).state(Reads::default())).await
}

const GOOD: [(&str, &str); 1] = [("cookie", "session=good")];

#[tokio::test]
async fn no_spelling_of_a_guarded_path_leads_around_the_guard() {
    let site = site().await;
    let spellings = [
        "/guarded/a",
        "/guarded/%61",
        "/%67uarded/a",
        "//guarded/a",
        "/./guarded/a",
        "/x/../guarded/a",
        "/Guarded/a",
        "/guarded/a/",
        "/guarded%2fa",
        "/guarded/a?x=1",
        "/guarded/a%00",
        "/guarded/a;x",
        "/door",
        "/guarded",
        "/kept/a",
    ];
    for path in spellings {
        for method in ["GET", "HEAD", "POST", "OPTIONS"] {
            let answer = site.send(TestApp::request(method, path, "", &[])).await;
            let status = answer.status.as_u16();
            assert!(matches!(status, 400 | 401 | 403 | 404 | 405), "{method} {path}: {status}");
            assert!(!answer.text().contains("id=\"key\""), "{method} {path}");
        }
    }
    assert_eq!(site.get_with("/guarded/a", &GOOD).await.by_id("key").as_deref(), Some("a"));
    assert_eq!(site.get_with("/door", &GOOD).await.by_id("key").as_deref(), Some("a"));
}

#[tokio::test]
async fn what_a_hook_leaves_for_the_page_reaches_the_page_and_only_the_page() {
    let site = site().await;
    let answer =
        site.get_with("/guarded/a", &[("cookie", "who=old; session=good"), ("x-echo", "sent")]).await;
    for (id, text) in [("user", "ann"), ("echo", "from the hook"), ("who", "ann")] {
        assert_eq!(answer.by_id(id).as_deref(), Some(text), "{id}");
    }
    assert_eq!(answer.header("x-echo"), "");
    assert_eq!(answer.header("x-shop"), "1");
    assert!(answer.header("set-cookie").starts_with("who=ann; "), "{}", answer.header("set-cookie"));
}

#[tokio::test]
async fn a_stored_page_behind_a_guard_is_a_hit_for_those_who_may_and_private_to_caches_outside() {
    let site = site().await;
    for reason in ["fwd=uri-miss", "hit"] {
        let answer = site.get_with("/kept/a", &GOOD).await;
        assert_eq!(answer.by_id("key").as_deref(), Some("a 1"));
        assert_eq!(answer.header("cache-control"), "private, no-cache");
        assert_eq!(answer.header("cdn-cache-control"), "");
        assert!(answer.header("cache-status").contains(reason), "{}", answer.header("cache-status"));
    }
    assert_eq!(site.get("/kept/a").await.status, 401);
    let open = site.get("/open").await;
    assert!(open.header("cache-control").starts_with("public"), "a hook for all leaves pages public");
    assert_eq!(open.header("x-shop"), "1");
}

#[tokio::test]
async fn an_explanation_names_the_variants_and_that_hooks_come_first() {
    let site = site().await;
    let varied = site.site.explain("/variant/k").await;
    assert_eq!((varied.variants.as_str(), varied.hooked), ("ab=a", true));
    assert!(varied.key.unwrap().ends_with("#ab=a"));
    let kept = site.site.explain("/kept/a").await;
    assert_eq!((kept.variants.as_str(), kept.hooked), ("", true));
    assert!(site.site.explain("/nowhere").await.hooked, "a hook may answer what no page does");
}

#[tokio::test]
async fn a_page_is_stored_once_for_each_value_of_its_variants() {
    let site = site().await;
    let side = async |cookie: &str| site.get_with("/variant/k", &[("cookie", cookie)]).await.by_id("side");
    for _ in 0..2 {
        assert_eq!(side("ab=a").await.as_deref(), Some("k a 1"));
        assert_eq!(side("ab=b").await.as_deref(), Some("k b 2"));
        assert_eq!(side("ab=c").await.as_deref(), Some("k a 1"), "an unknown value counts as none");
    }
    site.invalidate(tropos_core::Tag::path("/variant/k")).await;
    assert_eq!(side("ab=b").await.as_deref(), Some("k b 3"), "a path covers all its variants");
    assert_eq!(side("ab=a").await.as_deref(), Some("k a 4"));
}

#[tokio::test]
async fn the_guard_of_pages_covers_their_server_functions_and_the_streams_of_live_pages() {
    let site = site().await;
    assert_eq!(site.post_form(SetPrice::PATH, "", &[]).await.status, 401);
    assert_eq!(site.post_form(SetPrice::PATH, "", &GOOD).await.status, 303);
    assert_eq!(site.post_form(Look::PATH, "", &[]).await.status, 303);
    assert_eq!(site.get("/live/a").await.status, 401);
    let stream = "/_tropos/live/0123456789abcdef0123456789abcdef?page=%2Flive%2Fa";
    assert_eq!(site.get(stream).await.status, 401);
}

#[tokio::test]
async fn headers_by_which_frameworks_speak_to_themselves_are_taken_out() {
    let site = site().await;
    for name in
        ["x-tropos-edge", "x-middleware-subrequest", "x-original-url", "X-Rewrite-Url", "x-nextjs-data"]
    {
        let answer = site.get_with("/guarded/a", &[(name, "/open")]).await;
        assert_eq!(answer.status, 401, "{name}");
    }
}

#[tokio::test]
async fn an_application_that_guards_must_say_of_each_function_who_may_call_it() {
    let half = Hooks::new().guard(Match::below("/guarded"), ["set_price"], guard());
    let engine = tropos_cache::Engine::in_memory(std::sync::Arc::new(tropos_core::ManualClock::new()));
    let opened = tropos::Site::over(app().hooks(half), tropos::Config::default(), engine).await;
    let message = opened.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(message.contains("/api/look") && !message.contains("set_price"), "{message}");
}

#[tokio::test]
async fn a_limit_is_counted_here_and_a_switch_is_looked_up_where_the_application_says() {
    use std::time::Duration;
    use tropos::edge::ready::{
        Maintenance,
        rate_limit::{By, RateLimit},
    };
    let limit = RateLimit::new("open", 2, Duration::from_secs(60)).by([By::header("x-client")]);
    let hooks = Hooks::new()
        .at("/open", limit)
        .at(Match::below("/kept"), Maintenance::new().switch("switches", "closed"));
    let app = app().hooks(hooks).hook_lookups(async |store, name| {
        let closed = store == "switches" && name == "closed";
        Ok(closed.then(|| bytes::Bytes::from_static(b"on")))
    });
    let site = TestApp::new(app.pages(tropos::routes![Kept, Open]).state(Reads::default())).await;
    let asked = async |client: &str| site.get_with("/open", &[("x-client", client)]).await;
    for (client, status) in [("a", 200), ("a", 200), ("a", 429), ("b", 200), ("a", 429)] {
        assert_eq!(asked(client).await.status, status, "{client}");
    }
    assert_ne!(asked("a").await.header("retry-after"), "");
    site.advance(Duration::from_secs(121));
    assert_eq!(asked("a").await.status, 200);
    assert_eq!(site.get("/kept/a").await.status, 503);
}

#[tokio::test]
async fn a_table_of_redirects_is_read_at_start_and_one_that_is_wrong_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let good = write(
        "redirects.toml",
        "[[redirect]]\nfrom = \"/old/:key\"\nto = \"/kept/:key\"\npermanent = true\n",
    );
    let pages = tropos::routes![Kept, Open];
    let site = TestApp::new(app().pages(pages).state(Reads::default()).redirects(good)).await;
    let answer = site.get("/old/a?b=c").await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (308, "/kept/a?b=c"));
    assert!(
        site.get("/open").await.header("cache-control").starts_with("public"),
        "it looks at the address alone"
    );

    // A Worker has no such file, and what it lets through would not be held against the table.
    let table = write("behind.csv", "/a,/b\n");
    let mut config = tropos::Config::default();
    config.edge_keys = Some(tropos_edge::statement::Keys::parse("a secret of the edge").unwrap());
    let engine = tropos_cache::Engine::in_memory(std::sync::Arc::new(tropos_core::ManualClock::new()));
    let opened = tropos::Site::over(app().redirects(table), config, engine).await;
    let message = opened.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(message.contains("Redirects::from_csv(include_str!(…))"), "{message}");

    for (name, text, problem) in [
        ("bad.csv", "from,to\n/a\n", "bad.csv: line 2: write `from,to`"),
        ("circle.csv", "/a,/b\n/b,/a\n", "circle.csv: "),
        ("bad.toml", "[[redirect]]\nfrom = \"/a\"\n", "bad.toml: "),
    ] {
        let table = write(name, text);
        let engine = tropos_cache::Engine::in_memory(std::sync::Arc::new(tropos_core::ManualClock::new()));
        let opened = tropos::Site::over(app().redirects(table), tropos::Config::default(), engine).await;
        let message = opened.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(
            message.contains("`redirects` is configured wrongly") && message.contains(problem),
            "{message}"
        );
    }
}

#[test]
fn what_is_no_file_of_maxmind_is_refused_by_the_feature_of_the_facade() {
    let refused = tropos::edge::ready::geo::MaxMind::new(b"no file".to_vec()).unwrap_err();
    assert!(refused.to_string().contains("no file of MaxMind's format"), "{refused}");
}
