//! The proxy before fake applications, on real sockets.

use super::{Application, Body, Face, Proxy, full, serve, stream::Channel};
use crate::dev::event::Event;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo},
};
use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

/// A fake application; answers for as long as the test runs.
async fn application<F, Fut>(answer: F) -> SocketAddr
where
    F: Fn(Request<Incoming>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Response<Body>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let answered = answer(request);
                    async move { Ok::<_, Infallible>(answered.await) }
                });
                let http = hyper::server::conn::http1::Builder::new();
                let _ = http.serve_connection(TokioIo::new(socket), service).await;
            });
        }
    });
    addr
}

async fn proxy() -> (Arc<Proxy>, SocketAddr) {
    proxy_that(|_| {}).await
}

async fn proxy_that(is: impl FnOnce(&mut Proxy)) -> (Arc<Proxy>, SocketAddr) {
    let mut proxy = Proxy::new(Vec::new(), Vec::new(), false);
    is(&mut proxy);
    let proxy = Arc::new(proxy);
    let addr = listen(&proxy, Face::Public).await;
    (proxy, addr)
}

async fn listen(proxy: &Arc<Proxy>, face: Face) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(serve(proxy.clone(), listener, face));
    addr
}

fn switch(proxy: &Proxy, version: u64, to: SocketAddr) {
    proxy.upstream.switch(Some(Application::new(version, to, to)));
}

async fn send(request: Request<Body>) -> (StatusCode, HeaderMap, Incoming) {
    let response = Client::builder(TokioExecutor::new()).build_http().request(request).await.unwrap();
    let (parts, body) = response.into_parts();
    (parts.status, parts.headers, body)
}

async fn ask(
    addr: SocketAddr,
    method: Method,
    path: &str,
    lines: &[(&str, &str)],
) -> (StatusCode, HeaderMap, String) {
    let mut request = Request::builder().method(method).uri(format!("http://{addr}{path}"));
    for (name, value) in lines {
        request = request.header(*name, *value);
    }
    let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
    let (status, headers, body) = send(request.body(body).unwrap()).await;
    let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    (status, headers, text)
}

async fn get(addr: SocketAddr, path: &str, lines: &[(&str, &str)]) -> (StatusCode, HeaderMap, String) {
    ask(addr, Method::GET, path, lines).await
}

const PAGE: &[(&str, &str)] = &[("accept", "text/html")];

/// Answers with the lines that arrived.
async fn mirror(request: Request<Incoming>) -> Response<Body> {
    let lines: Vec<String> = request
        .headers()
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    Response::new(full(format!("{} {}\n{}", request.method(), request.uri(), lines.join("\n"))))
}

#[tokio::test]
async fn a_request_waits_for_the_application_and_a_page_shows_that_it_is_built() {
    let (proxy, addr) = proxy().await;
    let (status, headers, text) = get(addr, "/", PAGE).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(text.contains("/_tropos/dev/client.js") && headers.contains_key("retry-after"));
    let waiting = tokio::spawn(async move { get(addr, "/api?a=b", &[]).await });
    while proxy.waiting.available_permits() == super::MOST_WAITING {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    switch(&proxy, 1, application(mirror).await);
    let (status, _, text) = waiting.await.unwrap();
    assert_eq!(status, StatusCode::OK);
    assert!(text.starts_with("GET /api?a=b\n"), "{text}");
}

#[tokio::test]
async fn a_page_that_waits_knows_which_process_left_it_behind() {
    let (proxy, addr) = proxy().await;
    proxy.hub.send(Event::Ready { version: 3, reload: true, renamed: Vec::new() });
    proxy.hub.lost();
    let (_, _, text) = get(addr, "/", PAGE).await;
    assert!(text.contains("data-version=\"3\""), "{text}");
}

#[tokio::test]
async fn what_a_form_sends_waits_for_the_application() {
    let (proxy, addr) = proxy().await;
    let echo = async |request: Request<Incoming>| {
        Response::new(request.into_body().map_err(Into::into).boxed_unsync())
    };
    let posted = tokio::spawn(async move {
        let request = Request::post(format!("http://{addr}/")).header("sec-fetch-dest", "document");
        let (status, _, body) = send(request.body(full("name=a")).unwrap()).await;
        (status, body.collect().await.unwrap().to_bytes())
    });
    while proxy.waiting.available_permits() == super::MOST_WAITING {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    switch(&proxy, 1, application(echo).await);
    assert_eq!(posted.await.unwrap(), (StatusCode::OK, Bytes::from_static(b"name=a")));
}

#[tokio::test]
async fn an_answer_that_is_broken_off_is_no_page_that_waits() {
    let (proxy, addr) = proxy_that(|proxy| proxy.noticed = Duration::from_millis(1)).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    switch(&proxy, 1, listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let _ = socket.read(&mut [0; 1_000]).await;
        }
    });
    let form = [("sec-fetch-dest", "document")];
    let (status, headers, _) = ask(addr, Method::POST, "/", &form).await;
    assert_eq!((status, &headers["content-type"]), (StatusCode::BAD_GATEWAY, &"text/plain".parse().unwrap()));
    let (status, _, text) = get(addr, "/", PAGE).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    assert!(text.contains("client.js?v=1"), "{text}");
}

#[tokio::test]
async fn the_application_sees_the_request_as_the_browser_sent_it() {
    let (proxy, addr) = proxy().await;
    switch(&proxy, 1, application(mirror).await);
    let lines =
        [("host", "shop.localhost:3000"), ("cookie", "a=b"), ("accept-encoding", "br"), ("te", "trailers")];
    let (_, _, text) = get(addr, "/", &lines).await;
    let mut seen: Vec<&str> = text.lines().skip(1).collect();
    seen.sort_unstable();
    assert_eq!(seen, ["cookie: a=b", "host: shop.localhost:3000"]);
}

#[tokio::test]
async fn pages_have_the_client_and_nothing_else_has() {
    let (proxy, addr) = proxy().await;
    let answer = async |request: Request<Incoming>| {
        let mut response = Response::new(full("<html><head></head><body>a</body></html>"));
        let kind = if request.uri().path() == "/text" { "text/plain" } else { "text/html; charset=utf-8" };
        response.headers_mut().insert("content-type", kind.parse().unwrap());
        response.headers_mut().insert("etag", "\"1\"".parse().unwrap());
        response
    };
    switch(&proxy, 7, application(answer).await);
    let (_, headers, text) = get(addr, "/", PAGE).await;
    let tag = crate::dev::scripts::tags(7, None);
    assert_eq!(text, format!("<html><head>{tag}</head><body>a</body></html>"));
    assert!(!headers.contains_key("etag") && !headers.contains_key("content-length"));
    for (path, lines) in [("/text", PAGE), ("/", &[("sec-fetch-dest", "empty"), ("accept", "text/html")][..])]
    {
        let (_, headers, text) = get(addr, path, lines).await;
        assert!(!text.contains("client.js") && headers.contains_key("etag"), "{path}");
    }
}

#[tokio::test]
async fn bodies_pass_piece_by_piece_in_both_directions() {
    let (proxy, addr) = proxy().await;
    let echo = async |request: Request<Incoming>| {
        Response::new(request.into_body().map_err(Into::into).boxed_unsync())
    };
    switch(&proxy, 1, application(echo).await);
    let (sender, receiver) = mpsc::channel(1);
    let request = Request::post(format!("http://{addr}/")).body(Channel(receiver).boxed_unsync()).unwrap();
    sender.send(Bytes::from_static(b"one")).await.unwrap();
    let (_, _, mut body) = send(request).await;
    for piece in ["one", "two", "three"] {
        let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(frame, piece);
        let next = if piece == "one" { "two" } else { "three" };
        let _ = sender.send(Bytes::from_static(next.as_bytes())).await;
    }
}

/// Streams what its sender is given; the line by which it was asked to go on stands first.
async fn stream_application() -> (SocketAddr, mpsc::Sender<Bytes>) {
    let (sender, receiver) = mpsc::channel(8);
    let both = Arc::new(std::sync::Mutex::new(Some((sender.clone(), receiver))));
    let addr = application(move |request: Request<Incoming>| {
        let (sender, receiver) = both.lock().unwrap().take().unwrap();
        let last =
            request.headers().get("last-event-id").map_or("none", |id| id.to_str().unwrap()).to_owned();
        async move {
            sender.send(format!("data: after {last}\n\n").into()).await.unwrap();
            drop(sender);
            let mut response = Response::new(Channel(receiver).boxed_unsync());
            response.headers_mut().insert("content-type", "text/event-stream".parse().unwrap());
            response
        }
    })
    .await;
    (addr, sender)
}

#[tokio::test]
async fn an_event_stream_goes_on_at_the_next_process_behind_the_last_whole_event() {
    let (proxy, addr) = proxy().await;
    let (first, to_first) = stream_application().await;
    switch(&proxy, 1, first);
    let request = Request::get(format!("http://{addr}/live"));
    let request = request.body(Empty::new().map_err(|never| match never {}).boxed_unsync()).unwrap();
    let (_, _, mut body) = send(request).await;
    let mut next = async || {
        let frame = tokio::time::timeout(Duration::from_secs(20), body.frame()).await.unwrap();
        String::from_utf8(frame.unwrap().unwrap().into_data().unwrap().to_vec()).unwrap()
    };
    assert_eq!(next().await, "data: after none\n\n");
    to_first.send(Bytes::from_static(b"id: 4\ndata: a\n\nid: 5\ndata: ha")).await.unwrap();
    assert_eq!(next().await, "id: 4\ndata: a\n\n");

    let (second, to_second) = stream_application().await;
    switch(&proxy, 2, second);
    // The process before ends its streams when it is told to end.
    drop(to_first);
    assert_eq!(next().await, "data: after 4\n\n");
    to_second.send(Bytes::from_static(b"id: 5\ndata: half\n\n")).await.unwrap();
    assert_eq!(next().await, "id: 5\ndata: half\n\n");
}

#[tokio::test]
async fn a_page_of_another_site_may_not_use_what_is_the_dev_servers_own() {
    let (proxy, addr) = proxy().await;
    switch(&proxy, 1, application(mirror).await);
    let foreign = ("origin", "http://elsewhere.example");
    for (method, path) in [
        (Method::GET, "/_tropos/dev/events"),
        (Method::POST, "/_tropos/dev/open"),
        (Method::POST, "/_tropos/dev/app/invalidate"),
        (Method::GET, "/_tropos/dev/client.js"),
    ] {
        assert_eq!(ask(addr, method, path, &[foreign]).await.0, StatusCode::FORBIDDEN, "{path}");
    }
    let rebound = [("host", "rebound.example:3000")];
    for path in ["/_tropos/dev/app/renders", "/"] {
        assert_eq!(get(addr, path, &rebound).await.0, StatusCode::MISDIRECTED_REQUEST, "{path}");
    }
    let handed_on = [("x-forwarded-for", "203.0.113.7")];
    for (path, expected) in [("/_tropos/dev/app/renders", StatusCode::FORBIDDEN), ("/", StatusCode::OK)] {
        assert_eq!(get(addr, path, &handed_on).await.0, expected, "{path}");
    }
    let own = [("origin", &*format!("http://{addr}"))];
    let (status, _, text) = ask(addr, Method::POST, "/_tropos/dev/app/invalidate?x=1", &own).await;
    assert_eq!((status, text.lines().next()), (StatusCode::OK, Some("POST /dev/invalidate?x=1")));
    // What the application itself does with foreign origins is its own business.
    assert_eq!(ask(addr, Method::POST, "/", &[foreign]).await.0, StatusCode::OK);
}

#[tokio::test]
async fn the_dashboard_is_reached_from_the_public_address_and_stays_at_the_admin_listeners() {
    let (proxy, addr) = proxy().await;
    let path = "/_tropos/dev/dashboard/trace/0af7651916cd43dd8448eb211c80319c";
    assert_eq!(get(addr, path, &[]).await.0, StatusCode::NOT_FOUND, "there is no admin listener yet");
    proxy.admin.set("0.0.0.0:3001".parse().unwrap()).unwrap();
    let (status, headers, _) = get(addr, path, &[]).await;
    assert_eq!(status, StatusCode::TEMPORARY_REDIRECT);
    assert_eq!(headers["location"], "http://127.0.0.1:3001/dashboard/trace/0af7651916cd43dd8448eb211c80319c");
    for wrong in ["/_tropos/dev/dashboardx", "/_tropos/dev/dashboard/@elsewhere.example"] {
        assert_eq!(get(addr, wrong, &[]).await.0, StatusCode::NOT_FOUND, "{wrong}");
    }
    let foreign = ("origin", "http://elsewhere.example");
    assert_eq!(get(addr, path, &[foreign]).await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_admin_listener_keeps_its_address_whichever_process_answers() {
    let (proxy, _) = proxy().await;
    let addr = listen(&proxy, Face::Admin).await;
    assert_eq!(get(addr, "/advice", &[]).await.0, StatusCode::SERVICE_UNAVAILABLE);
    for version in [1, 2] {
        let process = application(mirror).await;
        switch(&proxy, version, process);
        let (status, _, text) = get(addr, "/explain?path=%2Fa%3Fb", &[("cookie", "a=b")]).await;
        assert_eq!(status, StatusCode::OK);
        let mut lines = text.lines();
        assert!(lines.next().unwrap().ends_with("/explain?path=%2Fa%3Fb"), "{text}");
        assert_eq!(lines.collect::<Vec<_>>(), [format!("host: {process}")], "the page's lines do not go on");
    }
    for foreign in [("origin", "http://elsewhere.example"), ("host", "rebound.example")] {
        assert_eq!(get(addr, "/metrics", &[foreign]).await.0, StatusCode::FORBIDDEN, "{foreign:?}");
    }
    // As from another machine, for which a proxy on this one asks.
    let far = ("x-forwarded-for", "192.0.2.7");
    for (path, status) in [
        ("/dev/renders", StatusCode::FORBIDDEN),
        ("/dashboard/cache", StatusCode::FORBIDDEN),
        ("/metrics", StatusCode::OK),
    ] {
        assert_eq!(get(addr, path, &[far]).await.0, status, "{path}");
    }
    assert_eq!(get(addr, "/dev/renders", &[]).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_page_of_the_application_leads_to_the_dashboard_and_reads_nothing_of_the_admin_listener() {
    let (proxy, _) = proxy().await;
    let addr = listen(&proxy, Face::Admin).await;
    switch(&proxy, 1, application(mirror).await);
    let (get, post) = (Method::GET, Method::POST);
    for site in ["same-site", "cross-site"] {
        for (method, path, dest, expected) in [
            (&get, "/dashboard", "document", StatusCode::OK),
            (&get, "/dashboard/trace/x", "document", StatusCode::OK),
            (&get, "/dashboard/trace/x", "", StatusCode::OK),
            (&get, "/dashboard/trace/x", "iframe", StatusCode::FORBIDDEN),
            (&get, "/dashboard/trace/x", "empty", StatusCode::FORBIDDEN),
            (&get, "/dashboard/stream", "document", StatusCode::FORBIDDEN),
            (&get, "/dashboardx", "document", StatusCode::FORBIDDEN),
            (&get, "/metrics", "document", StatusCode::FORBIDDEN),
            (&get, "/dev/renders", "document", StatusCode::FORBIDDEN),
            (&post, "/dashboard/invalidate", "document", StatusCode::FORBIDDEN),
        ] {
            let mut lines = vec![("sec-fetch-site", site)];
            lines.extend((!dest.is_empty()).then_some(("sec-fetch-dest", dest)));
            let (status, ..) = ask(addr, method.clone(), path, &lines).await;
            assert_eq!(status, expected, "{method} {path} for {dest:?} of {site}");
        }
    }
    for line in [("host", "rebound.example"), ("x-forwarded-for", "192.0.2.7")] {
        let (status, ..) = ask(addr, Method::GET, "/dashboard/trace/x", &[line]).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{line:?}");
    }
}

#[tokio::test]
async fn a_websocket_passes() {
    let (proxy, addr) = proxy().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    switch(&proxy, 1, listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(socket.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        assert!(head.contains("upgrade: websocket") && head.contains("connection: upgrade"), "{head}");
        let answer = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
        socket.write_all(answer).await.unwrap();
        let mut word = [0; 4];
        socket.read_exact(&mut word).await.unwrap();
        word.reverse();
        socket.write_all(&word).await.unwrap();
    });
    let mut browser = TcpStream::connect(addr).await.unwrap();
    let asked =
        "GET /socket HTTP/1.1\r\nhost: localhost\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n";
    browser.write_all(asked.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(browser.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    browser.write_all(b"ping").await.unwrap();
    let mut word = [0; 4];
    browser.read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"gnip");
}

#[tokio::test]
async fn a_request_that_a_process_broke_off_is_asked_again_of_the_next_where_that_is_harmless() {
    let (proxy, addr) = proxy().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    switch(&proxy, 1, listener.local_addr().unwrap());
    let (seen, mut sees) = mpsc::channel(8);
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let _ = socket.read(&mut [0; 1_000]).await;
            seen.send(()).await.unwrap();
        }
    });
    let asked = tokio::spawn(async move { get(addr, "/", &[]).await });
    sees.recv().await.unwrap();
    switch(&proxy, 2, application(mirror).await);
    assert_eq!(asked.await.unwrap().0, StatusCode::OK);
}

#[tokio::test]
async fn who_connects_is_told_how_things_stand_and_then_what_happens() {
    let (proxy, addr) = proxy().await;
    proxy.hub.send(Event::Ready { version: 3, reload: true, renamed: Vec::new() });
    let request = Request::get(format!("http://{addr}/_tropos/dev/events"));
    let request = request.body(Empty::new().map_err(|never| match never {}).boxed_unsync()).unwrap();
    let (_, headers, mut body) = send(request).await;
    assert_eq!(headers["content-type"], "text/event-stream");
    let mut text = String::new();
    while !text.contains("ready") {
        text.push_str(&String::from_utf8_lossy(&body.frame().await.unwrap().unwrap().into_data().unwrap()));
    }
    proxy.hub.send(Event::Styles { files: vec!["/a.css".into()] });
    while !text.contains("styles") {
        text.push_str(&String::from_utf8_lossy(&body.frame().await.unwrap().unwrap().into_data().unwrap()));
    }
    assert_eq!(
        text,
        "retry: 300\n\ndata: {\"kind\":\"ready\",\"version\":3,\"reload\":true}\n\ndata: {\"kind\":\"styles\",\"files\":[\"/a.css\"]}\n\n"
    );
}
