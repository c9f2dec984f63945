//! A small HTTP/1.1 client that sends what it is told, also what no other client would.

use crate::{
    check::{Problem, fail},
    page::Page,
    wire::{Body, Head},
};
use std::{io, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

/// An answer that takes longer is a failure; a case that expects slowness says so by its own means.
const PATIENCE: Duration = Duration::from_secs(12);

/// What to send.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method, as it is to be spelled.
    pub method: String,
    /// The request target: a path, or whatever is to be tried.
    pub target: String,
    /// The headers. `Host` is added where it is missing.
    pub headers: Vec<(String, String)>,
    /// The body, sent with its length unless it is empty.
    pub body: Vec<u8>,
}

impl Request {
    /// Any method.
    pub fn new(method: &str, target: &str) -> Self {
        Self { method: method.into(), target: target.into(), headers: Vec::new(), body: Vec::new() }
    }

    /// A `GET`.
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// A `HEAD`.
    pub fn head(target: &str) -> Self {
        Self::new("HEAD", target)
    }

    /// With one more header.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// With a body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    fn bytes(&self, authority: &str) -> Vec<u8> {
        let mut text = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            text.push_str(&format!("Host: {authority}\r\n"));
        }
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if !self.body.is_empty() || self.method == "POST" {
            text.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }

    fn line(&self) -> String {
        let target: String = self.target.chars().take(120).collect();
        format!("{} {target}", self.method)
    }
}

/// Speaks to one address.
#[derive(Debug, Clone)]
pub struct Client {
    authority: String,
}

impl Client {
    /// For `http://HOST:PORT`.
    ///
    /// # Errors
    /// For any other address.
    pub fn new(base: &str) -> Result<Self, Problem> {
        let authority = base.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
        match authority.filter(|authority| authority.contains(':') && !authority.contains('/')) {
            Some(authority) => Ok(Self { authority: authority.into() }),
            None => fail(format!("{base:?} is not of the form http://HOST:PORT")),
        }
    }

    /// Host and port.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Fetches a path over a connection of its own.
    ///
    /// # Errors
    /// When there is no whole answer.
    pub async fn get(&self, path: &str) -> Result<Page, Problem> {
        self.send(&Request::get(path)).await
    }

    /// Sends one request over a connection of its own.
    ///
    /// # Errors
    /// When there is no whole answer.
    pub async fn send(&self, request: &Request) -> Result<Page, Problem> {
        let line = request.line();
        self.connect().await.map_err(|problem| problem.during(&line))?.send(request).await
    }

    /// Sends one request and gives its answer as soon as the head is there.
    ///
    /// # Errors
    /// When there is no head.
    pub async fn open(&self, request: &Request) -> Result<Streaming, Problem> {
        self.connect().await?.open(request).await
    }

    /// A connection that carries several requests.
    ///
    /// # Errors
    /// When nobody listens.
    pub async fn connect(&self) -> Result<Connection, Problem> {
        let stream = match timeout(PATIENCE, TcpStream::connect(&self.authority)).await {
            Ok(stream) => stream?,
            Err(_) => return fail(format!("no connection to {} in {PATIENCE:?}", self.authority)),
        };
        stream.set_nodelay(true)?;
        Ok(Connection { authority: self.authority.clone(), stream: BufReader::new(stream) })
    }

    /// Sends bytes as they are and reads until the server closes, or until two seconds have passed in silence.
    ///
    /// # Errors
    /// When nobody listens.
    pub async fn raw(&self, bytes: &[u8]) -> Result<String, Problem> {
        let mut connection = self.connect().await?;
        // The server may refuse before it has read everything.
        let _ = connection.stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let mut piece = [0; 4096];
        while let Ok(Ok(read)) = timeout(Duration::from_secs(2), connection.stream.read(&mut piece)).await {
            answer.extend_from_slice(piece.get(..read).unwrap_or_default());
            if read == 0 {
                break;
            }
        }
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }
}

/// One connection.
#[derive(Debug)]
pub struct Connection {
    authority: String,
    stream: BufReader<TcpStream>,
}

impl Connection {
    /// Sends a request and reads its whole answer.
    ///
    /// # Errors
    /// When there is no whole answer.
    pub async fn send(&mut self, request: &Request) -> Result<Page, Problem> {
        let exchange = async {
            let (head, status, mut body) = self.exchange(request).await?;
            let body = body.rest(&mut self.stream).await?;
            Ok::<_, io::Error>(Page { request: request.line(), status, headers: head.headers, body })
        };
        match timeout(PATIENCE, exchange).await {
            Ok(Ok(page)) => Ok(page),
            Ok(Err(error)) => Err(Problem::from(error).during(&request.line())),
            Err(_) => fail(format!("{}: no whole answer in {PATIENCE:?}", request.line())),
        }
    }

    /// Sends a request and gives its answer as soon as the head is there.
    ///
    /// # Errors
    /// When there is no head.
    pub async fn open(mut self, request: &Request) -> Result<Streaming, Problem> {
        match timeout(PATIENCE, self.exchange(request)).await {
            Ok(Ok((head, status, body))) => {
                let head = Page { request: request.line(), status, headers: head.headers, body: Vec::new() };
                Ok(Streaming { head, body, stream: self.stream })
            }
            Ok(Err(error)) => Err(Problem::from(error).during(&request.line())),
            Err(_) => fail(format!("{}: no head in {PATIENCE:?}", request.line())),
        }
    }

    /// Sends a request and does not wait for the answer.
    ///
    /// # Errors
    /// When it cannot be sent.
    pub async fn start(&mut self, request: &Request) -> Result<(), Problem> {
        self.stream.write_all(&request.bytes(&self.authority)).await?;
        Ok(self.stream.flush().await?)
    }

    async fn exchange(&mut self, request: &Request) -> io::Result<(Head, u16, Body)> {
        self.stream.write_all(&request.bytes(&self.authority)).await?;
        let closed = || io::Error::new(io::ErrorKind::UnexpectedEof, "closed without an answer");
        loop {
            let head = Head::read(&mut self.stream).await?.ok_or_else(closed)?;
            let status = head.first.split(' ').nth(1).and_then(|status| status.parse().ok());
            let status: u16 =
                status.ok_or_else(|| io::Error::other(format!("no status line: {}", head.first)))?;
            if !(100..200).contains(&status) {
                let body = Body::of_answer(&head, status, request.method == "HEAD")?;
                return Ok((head, status, body));
            }
        }
    }
}

/// An answer whose body is still coming.
#[derive(Debug)]
pub struct Streaming {
    /// The answer with what has come of its body.
    pub head: Page,
    body: Body,
    stream: BufReader<TcpStream>,
}

impl Streaming {
    /// Waits for the next piece of the body and adds it; `false` at the end.
    ///
    /// # Errors
    /// When the stream breaks off.
    pub async fn more(&mut self) -> Result<bool, Problem> {
        match self
            .body
            .piece(&mut self.stream)
            .await
            .map_err(|e| Problem::from(e).during(&self.head.request))?
        {
            Some(piece) => self.head.body.extend_from_slice(&piece),
            None => return Ok(false),
        }
        Ok(true)
    }

    /// Reads until `enough` says so; `false` when the body ended or `patience` ran out before.
    ///
    /// # Errors
    /// When the stream breaks off.
    pub async fn until(
        &mut self,
        patience: Duration,
        enough: impl Fn(&Page) -> bool,
    ) -> Result<bool, Problem> {
        let reading = async {
            while !enough(&self.head) {
                if !self.more().await? {
                    return Ok(enough(&self.head));
                }
            }
            Ok(true)
        };
        timeout(patience, reading).await.unwrap_or(Ok(false))
    }

    /// Reads to the end.
    ///
    /// # Errors
    /// When the stream breaks off, or does not end.
    pub async fn finish(mut self) -> Result<Page, Problem> {
        match self.until(PATIENCE, |_| false).await {
            Ok(_) if self.body.ended() => Ok(self.head),
            Ok(_) => fail(format!("{}: the body did not end in {PATIENCE:?}", self.head.request)),
            Err(problem) => Err(problem),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// Answers each piece in turn to one client, after it has sent its request.
    async fn serve(pieces: &'static [&'static str]) -> Client {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = Client::new(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            Head::read(&mut stream).await.unwrap();
            for piece in pieces {
                stream.write_all(piece.as_bytes()).await.unwrap();
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        client
    }

    #[tokio::test]
    async fn pieces_are_there_before_the_body_has_ended() {
        let client = serve(&[
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            "3\r\nabc\r\n",
            "1\r\nd\r\n",
            "0\r\n\r\n",
        ])
        .await;
        let mut answer = client.open(&Request::get("/")).await.unwrap();
        assert!(answer.head.body.is_empty());
        assert!(answer.until(PATIENCE, |page| page.text().contains('c')).await.unwrap());
        assert_eq!(answer.head.text(), "abc");
        assert_eq!(answer.finish().await.unwrap().text(), "abcd");
    }

    #[tokio::test]
    async fn an_interim_answer_is_passed_over_and_a_head_has_no_body() {
        let client =
            serve(&["HTTP/1.1 103 Early\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"]).await;
        let page = client.send(&Request::head("/")).await.unwrap();
        assert_eq!((page.status, page.body.len()), (200, 0));
    }

    #[tokio::test]
    async fn a_connection_that_breaks_off_is_told_with_the_request() {
        let client = serve(&["HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab"]).await;
        let problem = client.get("/page").await.unwrap_err();
        assert!(
            problem.to_string().contains("GET /page") && problem.to_string().contains("within the body"),
            "{problem}"
        );
    }

    #[test]
    fn a_request_is_sent_as_it_was_told() {
        let request = Request::new("GET", "/a?b").with("A", "1").with("a", "2");
        assert_eq!(request.bytes("h:1"), b"GET /a?b HTTP/1.1\r\nHost: h:1\r\nA: 1\r\na: 2\r\n\r\n");
        let request = Request::new("PUT", "/").with("host", "x").body("hi");
        assert_eq!(request.bytes("h:1"), b"PUT / HTTP/1.1\r\nhost: x\r\nContent-Length: 2\r\n\r\nhi");
        assert!(Client::new("https://a:1").is_err() && Client::new("http://a:1/x").is_err());
    }
}
