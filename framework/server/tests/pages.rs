//! Pages, layouts and addresses.

mod common;

use common::{Reads, app};
use leptos::prelude::*;
use leptos_meta::Title;
use tropos::{Cookies, Group, PageError, PageResult, Path, Session, State, page, prelude::*, redirect};
use tropos_testing::TestApp;

#[page("/", ssg)]
async fn Home(State(reads): State<Reads>) -> PageResult {
    let count = reads.one();
    view! { <Title text="Home & </title>garden"/><h1 id="count">{count}</h1> }.into_page()
}

#[page("/docs/*page", isr(revalidate = "60s"))]
async fn Docs(Path(page): Path<String>) -> PageResult {
    view! { <p id="page">{page}</p> }.into_page()
}

#[page("/archive/:year/:slug", isr(revalidate = "60s"))]
async fn Archive(Path((year, slug)): Path<(u16, String)>) -> PageResult {
    view! { <p id="at">{format!("{year} {slug}")}</p> }.into_page()
}

#[page("/account", server)]
async fn Account(session: Session, cookies: Cookies) -> PageResult {
    let id = session.start();
    assert_eq!(session.start(), id, "one session a request");
    cookies.set("seen", "yes");
    cookies.set("note", "ä; Domain=evil.example");
    view! { <p id="session">{id}</p> }.into_page()
}

#[page("/answer/:kind", server)]
#[expect(clippy::panic, reason = "this page is there to panic")]
async fn Answer(Path(kind): Path<String>) -> PageResult {
    match kind.as_str() {
        "missing" => Err(PageError::NotFound),
        "elsewhere" => Err(redirect("/docs/a")),
        "evil" => Err(redirect("//evil.example")),
        "panic" => panic!("secret of the database"),
        _ => Err(tropos::Failure::new("secret of the database").into()),
    }
}

fn frame(name: &'static str) -> impl Fn(AnyView) -> AnyView + Send + Sync {
    move |inner| view! { <div class=name>{inner}</div> }.into_any()
}

async fn site() -> TestApp {
    let inner = Group::new().layout(frame("inner")).pages(tropos::routes![Archive]);
    let outer =
        Group::new().layout(frame("outer")).layout(frame("middle")).pages(tropos::routes![Docs]).group(inner);
    let app = app().pages(tropos::routes![Home, Account, Answer]).group(outer).state(Reads::default());
    TestApp::new(
        app.not_found(|| view! { <h1>"Nothing here"</h1> }).error_page(|| view! { <h1>"Sorry"</h1> }),
    )
    .await
}

#[tokio::test]
async fn titles_reach_the_head_escaped() {
    let answer = site().await.get("/").await;
    let (head, _) = answer.text().split_once("</head>").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    assert!(head.contains("<title>Home &amp; &lt;/title>garden</title>"), "{head}");
}

#[tokio::test]
async fn layouts_stand_around_their_pages_the_outer_first() {
    let site = site().await;
    let body = |text: String| text.split_once("<body>").unwrap().1.to_owned();
    let docs = body(site.get("/docs/a/b").await.text());
    assert!(docs.starts_with(r#"<div class="outer"><div class="middle"><p id="page">a/b"#), "{docs}");
    let archive = body(site.get("/archive/2026/x").await.text());
    assert!(
        archive.starts_with(r#"<div class="outer"><div class="middle"><div class="inner"><p id="at">2026 x"#),
        "{archive}"
    );
    assert!(body(site.get("/").await.text()).starts_with("<h1"));
}

#[tokio::test]
async fn links_are_typed_and_encoded() {
    assert_eq!(Archive::href(2026_u16, "a b").as_str(), "/archive/2026/a%20b");
    assert_eq!(Docs::href("guides/a b").as_str(), "/docs/guides/a%20b");
    assert_eq!(Home::href().as_str(), "/");
}

#[tokio::test]
async fn a_parameter_of_another_type_or_spelling_is_no_page() {
    let site = site().await;
    for path in ["/archive/x/a", "/archive/02026/a", "/archive/99999/a", "/docs", "/docs/", "/archive/2026"] {
        assert_eq!(site.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn an_ssg_page_is_made_once_whatever_its_age() {
    let site = site().await;
    assert_eq!(site.get("/").await.by_id("count").as_deref(), Some("1"));
    site.advance(std::time::Duration::from_secs(400 * 86_400));
    assert_eq!(site.get("/").await.by_id("count").as_deref(), Some("1"));
}

#[tokio::test]
async fn what_a_page_answers_without_a_view_is_answered_so() {
    let site = site().await;
    let missing = site.get("/answer/missing").await;
    assert_eq!((missing.status.as_u16(), missing.header("cache-control")), (404, "private, no-store"));
    assert!(missing.text().contains("Nothing here"));
    let elsewhere = site.get("/answer/elsewhere").await;
    assert_eq!((elsewhere.status.as_u16(), elsewhere.header("location")), (307, "/docs/a"));
    assert_eq!(site.get("/answer/evil").await.status, 500, "another site, spelled as a path");
    for failing in ["/answer/failed", "/answer/panic"] {
        let answer = site.get(failing).await;
        assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (500, "no-store"), "{failing}");
        assert!(answer.text().contains("Sorry") && !answer.text().contains("secret"), "{failing}");
    }
}

#[tokio::test]
async fn a_session_begins_when_it_is_asked_to_and_stays() {
    let site = site().await;
    let first = site.get("/account").await;
    let line = first
        .headers
        .get_all("set-cookie")
        .iter()
        .find(|l| l.to_str().unwrap().starts_with("tropos_session"));
    let line = line.unwrap().to_str().unwrap();
    assert!(line.contains("HttpOnly") && line.contains("SameSite=Lax") && line.contains("Path=/"), "{line}");
    assert!(first.cookies().contains("seen=yes"));
    let cookies = first.cookies();
    let second = site.get_with("/account", &[("cookie", &cookies)]).await;
    assert_eq!(second.by_id("session"), first.by_id("session"));
    assert!(!second.cookies().contains("tropos_session"));
    assert!(!first.cookies().contains("Domain") || first.cookies().contains("%3B"), "{}", first.cookies());
    let note = first.headers.get_all("set-cookie").iter().find(|l| l.to_str().unwrap().starts_with("note="));
    assert!(!note.unwrap().to_str().unwrap().contains("; Domain"), "{note:?}");
    let forged = site.get_with("/account", &[("cookie", "tropos_session=<script>")]).await;
    assert_ne!(forged.by_id("session").as_deref(), Some("&lt;script&gt;"));
}
