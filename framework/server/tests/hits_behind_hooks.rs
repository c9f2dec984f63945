//! Hits behind hooks: what is answered where it was read is what the longer way answers.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;
#[path = "common/varied.rs"]
mod varied;

use common::{Reads, app};
use leptos::{nonce::use_nonce, prelude::*};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};
use tropos::{
    PageResult, State,
    cookie::Cookie,
    edge::{
        Decision, Hooks, Match, Reply, hook,
        hook::hook_for_all,
        ready::{
            experiment::Experiment,
            redirects::{Redirects, Rule},
            security::{Csp, SecurityHeaders},
        },
    },
    page,
    prelude::*,
};
use tropos_server::Config;
use tropos_testing::TestApp;
use varied::{Ab, Open, Varied};

/// Of `own()`, as a policy names it.
const OWN_HASH: &str = "'sha256-1yruO3ZUqBddjC8oRrsLLZ/oiHYCAveB39McCaLvqnk='";

#[page("/kept/:key", isr(revalidate = "60s"))]
async fn Kept(Path(key): Path<String>, State(reads): State<Reads>) -> PageResult {
    // Long enough to be worth compressing.
    view! { <p id="key">{format!("{key} {}", reads.one())}</p><script nonce=use_nonce()>"own()"</script>{"text ".repeat(100)} }.into_page()
}

#[page("/gone/:key", isr(revalidate = "60s"))]
async fn Gone(Path(_): Path<String>) -> PageResult {
    Err(tropos::PageError::NotFound)
}

/// How often a hook ran where requests are read, and elsewhere.
#[derive(Clone, Default)]
struct Ran(Arc<[AtomicUsize; 2]>);

impl Ran {
    fn count(&self) {
        let here = std::thread::current().name().is_some_and(|name| name.starts_with("tropos-front"));
        self.0[usize::from(!here)].fetch_add(1, Ordering::SeqCst);
    }

    fn take(&self) -> [usize; 2] {
        [self.0[0].swap(0, Ordering::SeqCst), self.0[1].swap(0, Ordering::SeqCst)]
    }
}

/// Hooks of each kind; what they do, requests say by `x-do`.
fn hooks(ran: Ran) -> Hooks {
    let rules = (0..99).map(|number| Rule::new(&format!("/old-{number}"), "/open").permanent());
    Hooks::new()
        .hook(hook_for_all("counts", move |_, _| {
            ran.count();
            Decision::Next
        }))
        .hook(SecurityHeaders::new().csp(Csp::strict()))
        .hook(Redirects::new(rules.chain([Rule::new("/kept/moved", "/open?from=moved")])))
        .at(Match::below("/variant"), Experiment::<Ab>::new().by_visitor("visitor"))
        .at(
            Match::below("/kept"),
            hook("guard", |request, edits| match request.cookie("session") {
                Some("good") => Decision::Next,
                Some(_) => {
                    edits.remove_cookie("session");
                    Reply::html(403, "<p>no</p>").header("x-why", "session").into()
                }
                None => Reply::text(401, "sign in first").header("www-authenticate", "Bearer").into(),
            }),
        )
        .at(
            Match::header("x-do"),
            hook("does", |request, edits| {
                let (client, mark) = (request.client().address, request.header("x-tropos-edge").is_some());
                edits.response_headers().set("x-client", &format!("{client:?} {mark}"));
                let is_first = request.rewritten_from().is_none();
                match request.header("x-do") {
                    Some("set") => edits.response_headers().set("x-a", "1"),
                    Some("append") => edits.response_headers().append("vary", "x-do"),
                    Some("in head") => edits.response_headers().set("etag", "\"own\""),
                    Some("remove") => edits.response_headers().remove("etag"),
                    Some("nothing to remove") => edits.response_headers().remove("x-none"),
                    Some("twice") => {
                        edits.response_headers().set("x-a", "1");
                        edits.response_headers().append("x-a", "2");
                        edits.response_headers().set("x-frame-options", "DENY");
                    }
                    Some("nosniff") => edits.response_headers().set("x-content-type-options", "other"),
                    Some("public") => edits.response_headers().set("cache-control", "public, max-age=5"),
                    Some("policy") => edits.response_headers().set("content-security-policy", "own"),
                    Some("other policy") => edits.csp(Csp::least().into()),
                    Some("surrogate") => edits.response_headers().append("surrogate-control", "max-age=5"),
                    Some("date") => edits.response_headers().set("date", "Thu, 01 Jan 1970 00:00:00 GMT"),
                    Some("cookie") => edits.set_cookie(Cookie::new("seen", "a b")),
                    Some("draft") => edits.set_cookie(Cookie::new("tropos_draft", "1")),
                    Some("accept") => edits.request_headers().set("accept-encoding", "gzip"),
                    Some("request") => edits.request_headers().set("x-user", "7"),
                    Some("empty") => return Ok(Reply::text(204, "HTTP/1.1 200 OK\r\n\r\n").into()),
                    Some("not modified") => return Ok(Reply::html(304, "<p>not to be sent</p>").into()),
                    Some("fails") => return Err(tropos::edge::Error::Hook("it was told to".into())),
                    Some("rewrite") if is_first => return Decision::rewrite("/open"),
                    Some("rewrite elsewhere") if is_first => return Decision::rewrite("/kept/moved"),
                    Some("query") if is_first => return Decision::rewrite("/gone/a?x=1"),
                    Some("redirect") => return Decision::redirect("/open?a"),
                    _ => {}
                }
                Ok(Decision::Next)
            }),
        )
}

/// What is sent, without its end.
fn requests() -> Vec<String> {
    let targets = ["/kept/a", "/variant/a", "/open", "/gone/a", "/kept/a?x=1", "/kept/moved"];
    let mut headers: Vec<String> = [
        "",
        "Cookie: session=good\r\n",
        "Cookie: session=bad\r\nX-Tropos-Edge: 1\r\n",
        "Cookie: session=good; ab=b; visitor=v1\r\nUser-Agent: Mozilla/5.0\r\n",
        "Cookie: session=good\r\nCookie: visitor=v2\r\nUser-Agent: Mozilla/5.0\r\nSec-Purpose: prefetch\r\n",
        "Cookie: session=good; visitor=v1\r\nUser-Agent: Mozilla/5.0\r\n",
        "Cookie: session=good; ab=b\r\nUser-Agent: Googlebot\r\n",
        "Cookie: session=good\r\nAccept-Encoding: gzip, br\r\n",
        "Cookie: session=good\r\nIf-None-Match: *\r\n",
        "Cookie: session=good\r\nRange: bytes=1-3\r\n",
        "Cookie: session=good\r\nX-Forwarded-For: 198.51.100.9, 127.0.0.1\r\nx-do: set\r\n",
    ]
    .map(str::to_owned)
    .into();
    let does = [
        "append",
        "in head",
        "remove",
        "nothing to remove",
        "twice",
        "nosniff",
        "public",
        "policy",
        "other policy",
        "surrogate",
        "date",
        "cookie",
        "draft",
        "accept",
        "request",
        "empty",
        "not modified",
        "fails",
        "rewrite",
        "rewrite elsewhere",
        "query",
        "redirect",
    ];
    let more = "Accept-Encoding: br\r\n";
    headers.extend(does.map(|what| format!("Cookie: session=good\r\nX-Do: {what}\r\n{more}")));
    // More than are laid out without an allocation.
    headers.push(format!("Cookie: session=good\r\nX-Do: set\r\n{}", "X-Many: 1\r\n".repeat(40)));
    let mut requests = Vec::new();
    for method in ["GET", "HEAD"] {
        for target in targets {
            requests.extend(headers.iter().map(|more| {
                format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{more}Connection: close\r\n")
            }));
        }
    }
    requests
}

/// Status line, header lines in order of their names, without the date and the end of the connection; and the body.
async fn ask(address: SocketAddr, request: &str) -> (Vec<String>, Vec<u8>) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&answer);
    let (head, _) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{request}: {text}"));
    let mut lines: Vec<_> = head.lines().map(str::to_owned).collect();
    lines.retain(|line| line != "connection: close");
    let date = lines.iter_mut().find(|line| line.starts_with("date: ")).unwrap();
    if !date.contains("1970 00:00:00") {
        date.truncate(5);
    }
    lines[1..].sort();
    (lines, answer[head.len() + 4..].to_vec())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hits_behind_hooks_are_answered_where_they_are_read_as_the_longer_way_answers_them() {
    let mut config = Config::default();
    config.production = true;
    config.database = tropos_db::Config::new("sqlite::memory:");
    config.allowed_hosts = Some(vec!["localhost".to_owned()]);
    config.origin = Some("https://localhost".to_owned());
    config.trusted_proxies = "127.0.0.1".parse().unwrap();
    config.front_threads = 1;
    let ran = Ran::default();
    let pages = tropos::routes![Kept, Varied, Open, Gone];
    let app = app().hooks(hooks(ran.clone())).pages(pages).state(Reads::default());
    let site = TestApp::with_config(app, config).await.site;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (end, ended) = oneshot::channel::<()>();
    let serving = tokio::spawn(site.serve_on(listener, async { drop(ended.await) }));

    // A request that declares a body, though an empty one, goes to hyper.
    let longer = |request: &str| format!("{request}Content-Length: 0\r\n\r\n");
    let requests = requests();
    assert!(requests.len() >= 200);
    for _ in 0..2 {
        for request in &requests {
            ask(address, &longer(request)).await;
        }
    }
    assert_eq!(ran.take()[0], 0);
    let (mut here, mut hashed) = (0, 0);
    for request in &requests {
        let expected = ask(address, &longer(request)).await;
        assert_eq!(ran.take()[0], 0, "{request}");
        let answer = ask(address, &format!("{request}\r\n")).await;
        assert_eq!(answer, expected, "{request}");
        let [front, elsewhere] = ran.take();
        let is_here = front > 0 && elsewhere == 0;
        here += usize::from(is_here);
        let names_hash =
            |line: &String| line.starts_with("content-security-policy: ") && line.contains(OWN_HASH);
        hashed += usize::from(is_here && expected.0.iter().any(names_hash));
        let known = ["/kept/a ", "/variant/a ", "/open ", "/kept/moved "];
        // What hyper must write, and what leads to a page that is in no index: one that is not found.
        let leaves = request.contains("X-Do: date") || request.contains("X-Do: query");
        // What may be the word of an edge is looked at where that is known.
        let is_stated = request.contains("X-Tropos-Edge");
        if known.iter().any(|target| request.contains(target)) {
            let expected = !is_stated && (!leaves || request.contains("/moved"));
            assert_eq!(is_here, expected, "{request}: {front}, {elsewhere}");
        }
    }
    assert!(here >= 200, "{here} of {}", requests.len());
    assert!(hashed >= 40, "{hashed} named the hash of the page's script");
    end.send(()).unwrap();
    serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn what_hooks_chose_for_who_came_from_elsewhere_is_not_shown_to_who_asks_for_the_page() {
    let mut config = Config::default();
    config.production = true;
    config.database = tropos_db::Config::new("sqlite::memory:");
    config.allowed_hosts = Some(vec!["localhost".to_owned()]);
    let hooks = Hooks::new().at(
        "/door",
        hook("door", |_, edits| {
            edits.choose(Ab::B);
            Decision::rewrite("/variant/a")
        }),
    );
    let app = app().hooks(hooks).pages(tropos::routes![Varied]).state(Reads::default());
    let site = TestApp::with_config(app, config).await;
    for _ in 0..3 {
        for (path, side) in [("/door", "a b "), ("/variant/a", "a a ")] {
            let answer = site.get(path).await;
            assert!(answer.by_id("side").is_some_and(|text| text.starts_with(side)), "{path}");
        }
    }
}
