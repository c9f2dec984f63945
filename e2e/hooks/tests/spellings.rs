//! Ten thousand spellings of guarded addresses: the guard runs, or there is no such path. Never the page.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tropos::{
    App, PageResult, Path, State,
    edge::{Decision, Hooks, Match, Reply, hook},
    prelude::*,
};
use tropos_testing::TestApp;

/// Each is sent by both ways.
const SPELLINGS: usize = 10_000;

/// What no answer may have.
const MARKER: &str = "behind the guard";

/// Counts renders of guarded pages.
#[derive(Clone, Default)]
struct Renders(Arc<AtomicUsize>);

macro_rules! guarded {
    ($($name:ident $path:tt $mode:tt)+) => {$(
        guarded! { page $name $path $mode }
    )+};
    (page $name:ident $path:tt stored) => {
        #[page($path, isr(revalidate = "60s"))]
        async fn $name(State(renders): State<Renders>) -> PageResult { shown(&renders) }
    };
    (page $name:ident $path:tt made) => {
        #[page($path, server)]
        async fn $name(State(renders): State<Renders>) -> PageResult { shown(&renders) }
    };
}
guarded! {
    Below "/below/a" stored
    BelowMore "/below/b/c" made
    OfPath "/path/a" stored
    OfPathMade "/path/b" made
    OfRoute "/route/a" stored
    OfRouteMade "/routed/:key" made
    AnyBelow "/below/:key" stored
}

fn shown(renders: &Renders) -> PageResult {
    renders.0.fetch_add(1, Ordering::SeqCst);
    view! { <p>{MARKER}</p> }.into_page()
}

#[page("/open/:key", isr(revalidate = "60s"))]
async fn Open(Path(key): Path<String>) -> PageResult {
    view! { <p>{key}</p> }.into_page()
}

/// Addresses that are guarded, each by another condition.
const GUARDED: [&str; 7] =
    ["/below/a", "/below/b/c", "/path/a", "/path/b", "/route/a", "/routed/a", "/below/%C3%A9"];

fn hooks() -> Hooks {
    let guard = |name| {
        hook(name, |request, _| match request.cookie("pass") {
            Some("good") => Decision::Next,
            _ => Reply::text(401, "sign in first").into(),
        })
    };
    Hooks::new()
        .guard(Match::below("/below"), [], guard("below"))
        .guard(Match::path("/path/:key"), [], guard("path"))
        .guard(Match::any([Match::route("/route/a"), Match::route("/routed/:key")]), [], guard("route"))
}

/// A generator of its own, so that a failure is the same every time: SplitMix64.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

/// What is put somewhere into an address.
const PIECES: [&[u8]; 58] = [
    b"/",
    b"//",
    b"./",
    b"../",
    b"x/../",
    b"/.",
    b"/..",
    b"/./",
    b".",
    b"..",
    b"%2e",
    b"%2e%2e",
    b"%2E/",
    b"%2e%2e/",
    b"..%2f",
    b"%2f",
    b"%2F",
    b"%252f",
    b"%252e",
    b"%25",
    b"\\",
    b"%5c",
    b"%5C",
    b"..\\",
    b";",
    b";x=1",
    b"%3b",
    b"%3B",
    b"?",
    b"%3f",
    b"#",
    b"%23",
    b"?a=1",
    b"&",
    b"%00",
    b"\0",
    b"%0a",
    b"%0d%0a",
    b"%09",
    b"\t",
    b" ",
    b"%20",
    b"+",
    b"%c0%af",
    b"%c0%ae",
    b"%e0%80%af",
    b"%u002f",
    b"%ef%bc%8f",
    b"%e2%88%95",
    b"\xc3\xa9",
    b"e%cc%81",
    b"%ef%bb%bf",
    b"\xff",
    b"%ff",
    b"%",
    b"%zz",
    b"~",
    b"%7e",
];

/// What is put before an address.
const BEFORE: [&[u8]; 13] = [
    b"http://localhost",
    b"https://localhost",
    b"HTTP://LOCALHOST",
    b"http://localhost:80",
    b"http://evil.example",
    b"http://a@localhost",
    b"http:/",
    b"http:",
    b"//localhost",
    b"///",
    b"/open/a/..",
    b"/open/a/%2e%2e",
    b"\\\\localhost",
];

/// What is put behind an address.
const BEHIND: [&[u8]; 17] = [
    b"/",
    b"//",
    b"/.",
    b"/..",
    b"/%2e",
    b".",
    b"%2e",
    b"?",
    b"?x",
    b"?/open/a",
    b"#",
    b"#/open/a",
    b".css",
    b"/x.css",
    b"%00.css",
    b";.css",
    b"%20",
];

/// Another spelling of a guarded address, or something near to one.
fn spelling(chance: &mut Chance) -> Vec<u8> {
    let mut target = chance.of(&GUARDED).as_bytes().to_vec();
    for _ in 0..=chance.below(3) {
        let at = chance.below(target.len());
        match chance.below(10) {
            // As any byte may be.
            0 | 1 => encode(&mut target, at, chance),
            2 => target
                .iter_mut()
                .skip(at)
                .take(1)
                .for_each(|byte| *byte ^= if byte.is_ascii_alphabetic() { 0x20 } else { 0 }),
            3 => drop(target.splice(0..0, chance.of(&BEFORE).iter().copied())),
            4 => target.extend(chance.of(&BEHIND)),
            // Each byte encoded, and perhaps the encoding once more.
            5 => {
                let all: Vec<u8> =
                    target.iter().flat_map(|byte| format!("%{byte:02x}").into_bytes()).collect();
                target = [b"/", all.get(3..).unwrap_or_default()].concat();
            }
            _ => drop(target.splice(at..at, chance.of(&PIECES).iter().copied())),
        }
    }
    // A line end would begin another header, which is no spelling of an address.
    target.retain(|byte| !matches!(byte, b'\r' | b'\n'));
    target
}

fn encode(target: &mut Vec<u8>, at: usize, chance: &mut Chance) {
    let byte = target[at];
    let spelled = match chance.below(4) {
        0 => format!("%{byte:02X}"),
        1 => format!("%25{byte:02x}"),
        2 => format!("%u00{byte:02x}"),
        _ => format!("%{byte:02x}"),
    };
    target.splice(at..=at, spelled.into_bytes());
}

/// Sends bytes over a connection of its own, and gives the status and all of the answer.
async fn ask(address: std::net::SocketAddr, method: &str, target: &[u8], headers: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let tail = format!(" HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n");
    let head = [method.as_bytes(), b" ", target, tail.as_bytes()].concat();
    stream.write_all(&head).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    (status, answer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_spelling_of_a_guarded_address_shows_the_page_by_either_way() {
    let renders = Renders::default();
    let pages = tropos::routes![Below, BelowMore, OfPath, OfPathMade, OfRoute, OfRouteMade, AnyBelow, Open];
    let shell = |body| view! { <!DOCTYPE html><html><head></head><body>{body}</body></html> };
    let app = App::new().shell(shell).hooks(hooks()).pages(pages).state(renders.clone());
    let site = TestApp::new(app).await.site;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(site.serve_on(listener, async { drop(stopped.await) }));

    // Whoever may is shown each page, and the stored ones are hits from then on: what is to be kept back lies ready.
    for target in GUARDED {
        for _ in 0..2 {
            let (status, answer) = ask(address, "GET", target.as_bytes(), "cookie: pass=good\r\n").await;
            assert!(status == 200 && answer.contains(MARKER), "{target}: {answer}");
        }
    }
    let rendered = renders.0.load(Ordering::SeqCst);

    // Read where it comes in, and by hyper, to which the server hands over what names a trailer.
    for (way, header) in [("quick", ""), ("hyper", "trailer: none\r\n")] {
        let mut chance = Chance(2026);
        let mut statuses = BTreeMap::<u16, usize>::new();
        for _ in 0..SPELLINGS {
            let target = spelling(&mut chance);
            let method = chance.of(&["GET", "GET", "GET", "GET", "HEAD", "POST", "OPTIONS"]);
            let (status, answer) = ask(address, method, &target, header).await;
            let shown = String::from_utf8_lossy(&target).into_owned();
            assert!(matches!(status, 400 | 401 | 404), "{way}: {method} {shown:?} got {status}\n{answer}");
            assert!(!answer.contains(MARKER), "{way}: {method} {shown:?} shows the page");
            *statuses.entry(status).or_default() += 1;
        }
        println!("{way}: {statuses:?}");
        // The spellings are near enough to be worth something: each of the three answers is given often.
        assert!(statuses.len() == 3 && statuses.values().all(|count| *count > 500), "{way}: {statuses:?}");
        assert_eq!(
            renders.0.load(Ordering::SeqCst),
            rendered,
            "{way}: a page was rendered for somebody without a pass"
        );
    }
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
}
