use super::{
    answer::{Answered, Desk},
    connection::{Ended, Patience, left, serve},
    head::{self, Head},
};
use crate::{App, Config, Site, edge::Peer, serve::Stop};
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use std::{
    future::{Future, poll_fn},
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::Handle,
    task::JoinHandle,
    time::timeout,
};
use tropos_cache::{Engine, Produced, StoredPage, Strength};
use tropos_core::{Ages, Key, ManualClock, Mode, Revalidate, Tag, Tags};

/// Longer than any of these tests takes, but the one that waits for it to end.
const LONG: Duration = Duration::from_secs(60);

const PEER: Peer = Peer(SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1)));

/// A site that knows `/page`: fresh for a minute, tagged `t`.
struct Bench {
    site: Arc<Site>,
    clock: ManualClock,
    stop: Arc<Stop>,
    patience: Patience,
}

impl Bench {
    async fn new(body: &str) -> Self {
        let clock = ManualClock::new();
        let engine = Engine::in_memory(Arc::new(clock.clone()));
        let mut config = Config { production: true, ..Config::default() };
        config.allowed_hosts = Some(vec!["shop.example".to_owned()]);
        let site = Site::over(App::new(), config, engine).await.unwrap();
        let bench = Self { site, clock, stop: Arc::default(), patience: Patience::with_head(LONG) };
        bench.store(body).await;
        let place = bench.site.engine.pages().place(&key()).unwrap();
        bench.site.index.learn_for_test("/page", Mode::Isr, place);
        bench
    }

    async fn store(&self, body: &str) {
        let html = HeaderValue::from_static("text/html; charset=utf-8");
        let body = Bytes::from(body.to_owned());
        let page = StoredPage::new(StatusCode::OK, vec![(header::CONTENT_TYPE, html)], body).compress();
        let key = key();
        let request = tropos_cache::Request {
            negative: Duration::ZERO,
            tags: Tags::from_iter([Tag::from("t")]),
            ..tropos_cache::Request::new(
                &key,
                Ages::new(Revalidate::After(Duration::from_secs(60)), None).unwrap(),
            )
        };
        let produced = Produced { value: page, negative: false, store: true };
        self.site.engine.pages().serve(request, async move || Ok(produced)).await.result.unwrap();
    }

    async fn connect(&self) -> (TcpStream, JoinHandle<Ended>) {
        let (client, server) = pair().await;
        let (site, stop, patience) = (self.site.clone(), self.stop.clone(), self.patience);
        (
            client,
            tokio::spawn(
                async move { serve(&site, server, PEER, &stop, patience, &Handle::current()).await },
            ),
        )
    }

    /// Sends this, and gives all that comes until the connection is closed or handed over, and what was handed over.
    async fn exchange(&self, sent: &str) -> (Vec<u8>, Option<Bytes>) {
        let (mut client, serving) = self.connect().await;
        client.write_all(sent.as_bytes()).await.unwrap();
        let left = match serving.await.unwrap() {
            Ended::Closed => None,
            // The stream is closed here, after what was answered.
            Ended::Other(_, bytes) => Some(bytes),
        };
        let mut received = Vec::new();
        // A stream that is closed before all of it was read ends with a reset.
        drop(client.read_to_end(&mut received).await);
        (received, left)
    }
}

/// A client, and the server's side of its connection.
async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    (client, server)
}

fn key() -> Key {
    Key::page("/page", "/page", "")
}

fn get(more: &str) -> String {
    format!("GET /page HTTP/1.1\r\nHost: shop.example\r\n{more}\r\n")
}

/// Status line and header lines in order, without the date; and the body.
fn parts(answer: &[u8]) -> (Vec<String>, Vec<u8>) {
    let end = memchr::memmem::find(answer, b"\r\n\r\n").unwrap();
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let mut lines: Vec<_> = head.lines().map(str::to_owned).collect();
    let before = lines.len();
    lines.retain(|line| !line.starts_with("date: ") && line != "connection: close");
    assert!(lines.len() < before, "no date: {head}");
    lines[1..].sort();
    (lines, answer[end + 4..].to_vec())
}

#[tokio::test]
async fn a_plain_answer_is_the_one_that_every_other_way_gives() {
    let bench = Bench::new(&"<p>text</p>".repeat(100)).await;
    bench.clock.advance(Duration::from_secs(7));
    let etag = {
        let answer = bench.site.clone().handle(request("GET", &[])).await;
        answer.headers()[header::ETAG].to_str().unwrap().to_owned()
    };
    let cases: &[(&str, &[(&str, &str)])] = &[
        ("GET", &[]),
        ("HEAD", &[]),
        ("GET", &[("accept-encoding", "gzip, br")]),
        ("GET", &[("accept-encoding", "gzip"), ("accept-encoding", "zstd;q=0.1")]),
        ("HEAD", &[("accept-encoding", "zstd")]),
        ("GET", &[("if-none-match", &etag)]),
        ("GET", &[("if-none-match", "\"other\"")]),
        ("GET", &[("if-match", "\"other\"")]),
        ("GET", &[("range", "bytes=3-9")]),
        ("GET", &[("range", "bytes=99999-")]),
        ("HEAD", &[("range", "bytes=3-9"), ("accept-encoding", "br")]),
    ];
    for (method, headers) in cases {
        let answer = bench.site.clone().handle(request(method, headers)).await;
        let (head, body) = answer.into_parts();
        let status = head.status;
        let mut expected =
            vec![format!("HTTP/1.1 {} {}", status.as_str(), status.canonical_reason().unwrap())];
        let mut lines: Vec<_> =
            head.headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        lines.sort();
        expected.extend(lines);
        let body = body.collect().await.unwrap().to_bytes();

        let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let sent =
            format!("{method} /page HTTP/1.1\r\nHost: shop.example\r\n{lines}Connection: close\r\n\r\n");
        let (received, left) = bench.exchange(&sent).await;
        assert!(left.is_none(), "{method} {headers:?}");
        assert_eq!(parts(&received), (expected, body.to_vec()), "{method} {headers:?}");
    }
}

fn request(method: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let request = Request::builder().method(method).uri("/page").header("host", "shop.example");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(Body::empty()).unwrap()
}

#[tokio::test]
async fn requests_in_one_packet_are_answered_in_turn_and_what_is_not_plain_leaves_with_its_bytes() {
    let bench = Bench::new("<p>a</p>").await;
    let post = "POST /page HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 1\r\n\r\nx";
    let (received, left) = bench.exchange(&format!("{}{}{post}", get(""), get(""))).await;
    assert_eq!(String::from_utf8(received).unwrap().matches("HTTP/1.1 200 OK\r\n").count(), 2);
    assert_eq!(left.as_deref(), Some(post.as_bytes()));
}

#[tokio::test]
async fn what_is_no_hit_leaves_unanswered() {
    for (what, sent) in [
        ("an unknown target", get("").replace("/page", "/other")),
        ("another spelling", get("").replace("/page", "/p%61ge")),
        ("a draft", get("Cookie: a=b; __Host-tropos-draft=x\r\n")),
        ("a head without end", format!("GET /{} HTTP/1.1\r\n", "a".repeat(20_000))),
    ] {
        let bench = Bench::new("<p>a</p>").await;
        let (received, left) = bench.exchange(&sent).await;
        assert!(received.is_empty(), "{what}");
        assert!(left.is_some_and(|left| sent.as_bytes().starts_with(&left)), "{what}");
    }
}

/// The site of these tests has no route: what is no hit is asked for, and not found.
#[tokio::test]
async fn what_is_no_hit_any_more_is_asked_for_and_the_connection_stays() {
    let bench = Bench::new("<p>old</p>").await;
    let asked = async |what| {
        let (received, left) = bench.exchange(&format!("{}{}", get(""), get("Connection: close\r\n"))).await;
        assert!(left.is_none(), "{what}");
        let text = String::from_utf8(received).unwrap();
        assert_eq!(text.matches("HTTP/1.1 404 Not Found\r\n").count(), 2, "{what}: {text}");
        assert_eq!(text.matches("connection: close\r\n").count(), 1, "{what}: {text}");
        let length = text.split_once("content-length: ").and_then(|(_, rest)| rest.lines().next());
        let body = text.rsplit("\r\n\r\n").next();
        assert_eq!(length, body.map(|body| body.len().to_string()).as_deref(), "{what}");
    };
    bench.clock.advance(Duration::from_secs(60));
    asked("stale").await;
    bench.site.engine.invalidate(&[Tag::from("t")], Strength::Hard).await.unwrap();
    asked("invalidated").await;
    bench.store("<p>new</p>").await;
    let (received, _) = bench.exchange(&get("Connection: close\r\n")).await;
    assert!(received.ends_with(b"<p>new</p>"));
    let foreign = get("Connection: close\r\n").replace("shop.example", "evil.example");
    let (received, _) = bench.exchange(&foreign).await;
    assert!(received.starts_with(b"HTTP/1.1 421 "));
}

#[tokio::test]
async fn a_head_may_come_byte_by_byte() {
    let bench = Bench::new("<p>a</p>").await;
    let (mut client, serving) = bench.connect().await;
    for byte in get("Connection: close\r\n").bytes() {
        client.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut received = Vec::new();
    client.read_to_end(&mut received).await.unwrap();
    assert!(received.ends_with(b"<p>a</p>"));
    assert!(matches!(serving.await.unwrap(), Ended::Closed));
}

#[tokio::test]
async fn a_reader_that_takes_its_time_gets_all_and_then_what_it_asked_for_meanwhile() {
    // More than the kernel holds for a connection.
    let body = "0123456789abcdef".repeat(128 * 1024);
    let bench = Bench::new(&body).await;
    let (mut client, serving) = bench.connect().await;
    let sent = format!("{}{}", get("").repeat(7), get("Connection: close\r\n"));
    client.write_all(sent.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut received = Vec::new();
    client.read_to_end(&mut received).await.unwrap();
    let heads = memchr::memmem::find_iter(&received, b"HTTP/1.1 200 OK\r\n").count();
    let bodies = memchr::memmem::find_iter(&received, body.as_bytes()).count();
    assert_eq!((heads, bodies), (8, 8));
    assert!(matches!(serving.await.unwrap(), Ended::Closed));
}

#[tokio::test]
async fn who_sends_nothing_or_too_slowly_is_cut_off() {
    let bench =
        Bench { patience: Patience::with_head(Duration::from_millis(100)), ..Bench::new("<p>a</p>").await };
    for sent in [String::new(), "GET /pa".to_owned(), get(""), format!("{}GET", get(""))] {
        let (mut client, serving) = bench.connect().await;
        client.write_all(sent.as_bytes()).await.unwrap();
        let ended = timeout(LONG / 2, serving).await;
        assert!(matches!(ended, Ok(Ok(Ended::Closed))), "{sent:?}");
    }
}

#[tokio::test]
async fn at_the_end_an_idle_connection_closes_at_once() {
    let bench = Bench::new("<p>a</p>").await;
    let (mut client, serving) = bench.connect().await;
    client.write_all(get("").as_bytes()).await.unwrap();
    let mut some = [0; 16];
    client.read_exact(&mut some).await.unwrap();
    bench.stop.say();
    let ended = timeout(LONG / 2, serving).await;
    assert!(matches!(ended, Ok(Ok(Ended::Closed))));
}

async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

/// What has come.
async fn received(client: &TcpStream) -> String {
    client.readable().await.unwrap();
    let mut all = Vec::with_capacity(1 << 20);
    while let Ok(1..) = client.try_read_buf(&mut all) {}
    String::from_utf8(all).unwrap()
}

#[tokio::test]
async fn who_asks_much_at_once_is_answered_in_turn_with_others_and_is_not_left_waiting() {
    let bench = Bench::new("<p>a</p>").await;
    let main = Handle::current();
    for stopped in [false, true] {
        let (mut client, server) = pair().await;
        let sent = format!("{}{}", get("").repeat(99), get("Connection: close\r\n"));
        client.write_all(sent.as_bytes()).await.unwrap();
        server.readable().await.unwrap();
        let mut serving = pin!(serve(&bench.site, server, PEER, &bench.stop, bench.patience, &main));
        assert!(poll_once(serving.as_mut()).await.is_pending());
        assert_eq!(received(&client).await.matches("HTTP/1.1 200 OK\r\n").count(), 32);
        if stopped {
            bench.stop.say();
        }
        let ended = timeout(LONG / 2, serving).await;
        assert!(matches!(ended, Ok(Ended::Closed)));
        let rest = received(&client).await;
        // At the end one more, so that the client hears that it is the last.
        assert_eq!(rest.matches("HTTP/1.1 200 OK\r\n").count(), if stopped { 1 } else { 68 });
        assert_eq!(rest.matches("connection: close\r\n").count(), 1);
    }
}

#[tokio::test]
async fn a_reader_that_takes_a_little_again_and_again_is_cut_off_all_the_same() {
    // More than the kernel holds for a connection, in answers that have a quarter of a second each.
    let body = "0123456789abcdef".repeat(128 * 1024);
    let patience = Patience { answer: |_| Duration::from_millis(250), ..Patience::with_head(LONG) };
    let bench = Bench { patience, ..Bench::new(&body).await };
    let (mut client, serving) = bench.connect().await;
    client.write_all(get("").repeat(8).as_bytes()).await.unwrap();
    let reading = async {
        let mut some = vec![0; 16 * 1024];
        while let Ok(1..) = client.read(&mut some).await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        ended = serving => assert!(matches!(ended.unwrap(), Ended::Closed)),
        () = reading => {}
        () = tokio::time::sleep(Duration::from_secs(5)) => panic!("still served"),
    }
}

#[tokio::test]
async fn an_end_is_seen_behind_bytes_that_stay_where_they_are() {
    let (mut client, mut server) = pair().await;
    client.write_all(b"abc").await.unwrap();
    server.readable().await.unwrap();
    let mut polls = 0;
    let leaving = {
        let mut left = Box::pin(left(&server));
        let mut counted = pin!(poll_fn(|cx| {
            polls += 1;
            left.as_mut().poll(cx)
        }));
        assert!(timeout(Duration::from_millis(50), counted.as_mut()).await.is_err(), "nobody has left");
        client.shutdown().await.unwrap();
        timeout(LONG / 2, counted).await
    };
    assert!(leaving.is_ok(), "it was not seen");
    assert!(polls < 10, "{polls}");
    let mut bytes = Vec::new();
    server.read_to_end(&mut bytes).await.unwrap();
    assert_eq!(bytes, b"abc");
}

#[tokio::test]
async fn from_the_bytes_of_a_request_to_those_of_its_answer_nothing_is_allocated() {
    let bench = Bench::new(&"<p>text</p>".repeat(100)).await;
    let sent =
        get("Accept-Encoding: gzip, deflate, br, zstd\r\nUser-Agent: x\r\nCookie: a=b\r\nAccept: */*\r\n");
    let mut desk = Desk::default();
    let mut answer = || {
        let mut room = head::room();
        let Head::Plain(asked) = head::read(sent.as_bytes(), &mut room) else { return None };
        let length = |head: &[u8], body: &Bytes| head.len() + body.len();
        match bench.site.answer_plainly(&asked, PEER, false, &mut desk, length) {
            Answered::Sent(length) => Some(length),
            Answered::Ask(_) | Answered::Leave => None,
        }
    };
    // The first makes the head ready, and the desk large enough.
    let length = answer();
    assert!(length.is_some_and(|length| length > 200));
    let mut again = None;
    let allocations = allocation_counter::measure(|| again = answer());
    assert_eq!(again, length);
    assert_eq!(allocations.count_total, 0, "{allocations:?}");
}
