//! The data source of the fixture: an HTTP server that the tests own and command in process.

use crate::wire::{Head, percent_decode};
use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::{Notify, watch},
    task::AbortHandle,
    time::timeout,
};

/// What the lists hold unless a test says otherwise. A fixture that was built with these serves what the cases expect.
pub const LISTS: [(&str, &[&str]); 3] =
    [("ssg", &["one", "two", "three"]), ("isr", &["first", "second"]), ("closed", &["open", "ajar"])];

/// The value that a key has unless a test sets another.
///
/// ```
/// assert_eq!(tropos_cases::upstream::default_value("ssg-one"), "ssg-one=1");
/// ```
pub fn default_value(key: &str) -> String {
    format!("{key}=1")
}

/// How a key is answered.
#[derive(Debug, Clone)]
enum Answer {
    Value(String),
    Status(u16),
    Redirect(u16, String),
}

#[derive(Debug, Default)]
struct Key {
    answer: Option<Answer>,
    delay: Duration,
    held: Option<watch::Receiver<bool>>,
    calls: usize,
}

#[derive(Debug, Default)]
struct Shared {
    keys: Mutex<HashMap<String, Key>>,
    lists: Mutex<HashMap<String, (Vec<String>, usize)>>,
    called: Notify,
}

/// The server; it ends with its last clone.
#[derive(Debug, Clone)]
pub struct Upstream {
    shared: Arc<Shared>,
    address: SocketAddr,
    _accepting: Arc<StopOnDrop>,
}

#[derive(Debug)]
struct StopOnDrop(AbortHandle);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Keeps calls waiting until it is released or dropped. They answer what was set when they *arrived*.
#[derive(Debug)]
pub struct Gate(watch::Sender<bool>);

impl Gate {
    /// Lets the calls through that wait, and all later ones.
    pub fn release(self) {
        let _ = self.0.send(true);
    }
}

impl Upstream {
    /// Listens on `address`, with the default lists.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start(address: &str) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let accepting = tokio::spawn(accept(listener, shared.clone())).abort_handle();
        let upstream = Self { shared, address, _accepting: Arc::new(StopOnDrop(accepting)) };
        for (name, keys) in LISTS {
            upstream.set_list(name, keys.iter().map(ToString::to_string).collect());
        }
        Ok(upstream)
    }

    /// What `UPSTREAM_URL` is to be.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers `value` for `key` from now on.
    pub fn set(&self, key: &str, value: &str) {
        self.key(key, |state| state.answer = Some(Answer::Value(value.to_owned())));
    }

    /// Answers 404 for `key` from now on.
    pub fn not_found(&self, key: &str) {
        self.fail(key, 404);
    }

    /// Answers `status` for `key` from now on, with a body that no page may show.
    pub fn fail(&self, key: &str, status: u16) {
        self.key(key, |state| state.answer = Some(Answer::Status(status)));
    }

    /// Redirects `key` from now on.
    pub fn redirect(&self, key: &str, status: u16, location: &str) {
        self.key(key, |state| state.answer = Some(Answer::Redirect(status, location.to_owned())));
    }

    /// Answers `key` that much later from now on.
    pub fn delay(&self, key: &str, delay: Duration) {
        self.key(key, |state| state.delay = delay);
    }

    /// Keeps calls for `key` waiting from now on.
    pub fn hold(&self, key: &str) -> Gate {
        let (sender, receiver) = watch::channel(false);
        self.key(key, |state| state.held = Some(receiver));
        Gate(sender)
    }

    /// Lets calls for `key` that arrive from now on pass the gate, while those that wait go on waiting.
    pub fn let_pass(&self, key: &str) {
        self.key(key, |state| state.held = None);
    }

    /// Forgets all that was set for `key`, and its calls.
    pub fn reset(&self, key: &str) {
        lock(&self.shared.keys).remove(key);
    }

    /// How many calls for `key` have arrived.
    pub fn calls(&self, key: &str) -> usize {
        lock(&self.shared.keys).get(key).map_or(0, |state| state.calls)
    }

    /// How many calls have arrived for keys that contain `part`.
    pub fn calls_containing(&self, part: &str) -> usize {
        let keys = lock(&self.shared.keys);
        keys.iter().filter(|(key, _)| key.contains(part)).map(|(_, state)| state.calls).sum()
    }

    /// Waits until `count` calls for `key` have arrived; `false` after three seconds.
    pub async fn called(&self, key: &str, count: usize) -> bool {
        let enough = async {
            loop {
                let next = self.shared.called.notified();
                tokio::pin!(next);
                next.as_mut().enable();
                if self.calls(key) >= count {
                    return;
                }
                next.await;
            }
        };
        timeout(Duration::from_secs(3), enough).await.is_ok()
    }

    /// Answers `keys` for the list `name` from now on.
    pub fn set_list(&self, name: &str, keys: Vec<String>) {
        lock(&self.shared.lists).entry(name.to_owned()).or_default().0 = keys;
    }

    /// How many calls for the list `name` have arrived.
    pub fn list_calls(&self, name: &str) -> usize {
        lock(&self.shared.lists).get(name).map_or(0, |(_, calls)| *calls)
    }

    fn key(&self, key: &str, change: impl FnOnce(&mut Key)) {
        change(lock(&self.shared.keys).entry(key.to_owned()).or_default());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(converse(stream, shared.clone()))),
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

async fn converse(stream: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    while let Some(head) = Head::read(&mut stream).await? {
        let path = head.first.split(' ').nth(1).unwrap_or_default().to_owned();
        let answer = respond(&shared, &path).await;
        stream.write_all(answer.as_bytes()).await?;
        if head.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            break;
        }
    }
    Ok(())
}

async fn respond(shared: &Shared, path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    if let Some(name) = path.strip_prefix("/list/") {
        let mut lists = lock(&shared.lists);
        let (keys, calls) = lists.entry(percent_decode(name)).or_default();
        *calls += 1;
        return answer(200, "content-type: application/json\r\n", &serde_json::json!(keys).to_string());
    }
    let Some(key) = path.strip_prefix("/v/").map(percent_decode) else {
        return answer(404, "", "no such path");
    };
    let (reply, delay, held) = {
        let mut keys = lock(&shared.keys);
        let state = keys.entry(key.clone()).or_default();
        state.calls += 1;
        (state.answer.clone(), state.delay, state.held.clone())
    };
    shared.called.notify_waiters();
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    if let Some(mut gate) = held {
        // An error means that the gate was dropped, which opens it too.
        let _ = gate.wait_for(|open| *open).await;
    }
    match reply.unwrap_or_else(|| Answer::Value(default_value(&key))) {
        Answer::Value(value) => answer(200, "content-type: text/plain; charset=utf-8\r\n", &value),
        Answer::Status(status) => answer(status, "", "upstream-internal-detail"),
        Answer::Redirect(status, location) => answer(status, &format!("location: {location}\r\n"), ""),
    }
}

fn answer(status: u16, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status} -\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{Client, Request};

    async fn pair() -> (Upstream, Client) {
        let upstream = Upstream::start("127.0.0.1:0").await.unwrap();
        let client = Client::new(&upstream.url()).unwrap();
        (upstream, client)
    }

    #[tokio::test]
    async fn a_key_answers_what_was_set_last_and_counts_its_calls() {
        let (upstream, client) = pair().await;
        assert_eq!(client.get("/v/a%20b").await.unwrap().text(), "a b=1");
        upstream.set("a b", "two");
        assert_eq!(client.get("/v/a%20b").await.unwrap().text(), "two");
        upstream.not_found("a b");
        assert_eq!(client.get("/v/a%20b").await.unwrap().status, 404);
        upstream.redirect("a b", 308, "/x");
        let page = client.get("/v/a%20b").await.unwrap();
        assert_eq!((page.status, page.header("location")), (308, Some("/x")));
        assert_eq!(upstream.calls("a b"), 4);
        assert_eq!(upstream.calls_containing(" "), 4);
        upstream.reset("a b");
        assert_eq!(upstream.calls("a b"), 0);
    }

    #[tokio::test]
    async fn a_held_call_answers_what_was_set_when_it_arrived() {
        let (upstream, client) = pair().await;
        let gate = upstream.hold("k");
        let waiting = tokio::spawn({
            let client = client.clone();
            async move { client.get("/v/k").await.unwrap().text().into_owned() }
        });
        assert!(upstream.called("k", 1).await);
        upstream.set("k", "new");
        upstream.let_pass("k");
        assert_eq!(client.get("/v/k").await.unwrap().text(), "new");
        assert!(!waiting.is_finished());
        gate.release();
        assert_eq!(waiting.await.unwrap(), "k=1");
    }

    #[tokio::test]
    async fn lists_are_json_and_one_connection_carries_many_calls() {
        let (upstream, client) = pair().await;
        upstream.set_list("isr", vec!["a\"b".into()]);
        let mut connection = client.connect().await.unwrap();
        for _ in 0..3 {
            let page = connection.send(&Request::get("/list/isr")).await.unwrap();
            assert_eq!(page.text(), r#"["a\"b"]"#);
        }
        assert_eq!(upstream.list_calls("isr"), 3);
        assert_eq!(connection.send(&Request::get("/list/none")).await.unwrap().text(), "[]");
    }
}
