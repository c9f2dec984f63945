//! What a case works with: the server under test, its data source, and keys that nobody else uses.

use crate::{
    check::{Problem, fail},
    client::{Client, Request},
    page::Page,
    server::{Server, Settings},
    upstream::Upstream,
};
use serde_json::{Value, json};
use std::{
    hash::{BuildHasher, RandomState},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// The token of the servers that the runner starts.
pub const TOKEN: &str = "token-of-the-cases";

/// What all cases share.
#[derive(Debug)]
pub struct World {
    /// The server under test.
    pub http: Client,
    /// Its data source.
    pub upstream: Upstream,
    /// The token of HTTP revalidation.
    pub token: String,
    /// The binary, where the runner may start further servers.
    pub binary: Option<PathBuf>,
    run: String,
    keys: AtomicUsize,
}

impl World {
    /// A world around a server that is running.
    pub fn new(http: Client, upstream: Upstream, token: String, binary: Option<PathBuf>) -> Self {
        // A server that outlives the runner still holds the keys of earlier runs.
        let run = format!("{:08x}", RandomState::new().hash_one(0) as u32);
        Self { http, upstream, token, binary, run, keys: AtomicUsize::new(0) }
    }
}

/// What one case works with.
#[derive(Debug, Clone)]
pub struct Context {
    world: Arc<World>,
    /// The server under test.
    pub http: Client,
    /// Its data source.
    pub upstream: Upstream,
}

impl Context {
    /// For one case.
    pub fn new(world: Arc<World>) -> Self {
        Self { http: world.http.clone(), upstream: world.upstream.clone(), world }
    }

    /// A key that no other case uses, and no earlier run.
    pub fn key(&self, name: &str) -> String {
        let number = self.world.keys.fetch_add(1, Ordering::Relaxed);
        format!("{name}-{number}-{}", self.world.run)
    }

    /// The token of HTTP revalidation.
    pub fn token(&self) -> &str {
        &self.world.token
    }

    /// The fixture's server, where the runner may start further ones.
    pub fn binary(&self) -> Option<&Path> {
        self.world.binary.as_deref()
    }

    /// Fetches a path.
    ///
    /// # Errors
    /// When there is no whole answer.
    pub async fn get(&self, path: &str) -> Result<Page, Problem> {
        self.http.get(path).await
    }

    /// Asks for a revalidation with the right token.
    ///
    /// # Errors
    /// When there is no whole answer.
    pub async fn revalidate(&self, body: &Value) -> Result<Page, Problem> {
        self.revalidate_at(&self.http, body).await
    }

    /// Asks another server for a revalidation.
    ///
    /// # Errors
    /// When there is no whole answer.
    pub async fn revalidate_at(&self, http: &Client, body: &Value) -> Result<Page, Problem> {
        http.send(&revalidation(&self.world.token, &body.to_string())).await
    }

    /// Invalidates, and expects it to work; gives the sequence number.
    ///
    /// # Errors
    /// When the answer is not 200 with a sequence number.
    pub async fn invalidate(&self, body: Value) -> Result<u64, Problem> {
        self.invalidate_at(&self.http, body).await
    }

    /// Invalidates on another server.
    ///
    /// # Errors
    /// As [`Context::invalidate`].
    pub async fn invalidate_at(&self, http: &Client, body: Value) -> Result<u64, Problem> {
        let page = self.revalidate_at(http, &body).await?;
        page.is(200)?;
        let answer: Option<Value> = serde_json::from_slice(&page.body).ok();
        match answer.and_then(|answer| answer.get("sequence")?.as_u64()) {
            Some(sequence) => Ok(sequence),
            None => fail(format!("revalidation answered {:?}, expected {{\"sequence\":N}}", page.text())),
        }
    }

    /// Invalidates one tag, hard.
    ///
    /// # Errors
    /// As [`Context::invalidate`].
    pub async fn invalidate_tag(&self, tag: &str) -> Result<u64, Problem> {
        self.invalidate(json!({ "tags": [tag] })).await
    }

    /// Fetches until the page shows `value`.
    ///
    /// # Errors
    /// When it does not within `patience`.
    pub async fn until_shows(&self, path: &str, value: &str, patience: Duration) -> Result<Page, Problem> {
        let deadline = Instant::now() + patience;
        loop {
            let page = self.get(path).await?;
            if page.status == 200 && page.value().as_deref() == Some(value) {
                return Ok(page);
            }
            if Instant::now() > deadline {
                page.shows(value).map_err(|problem| problem.during(&format!("even after {patience:?}")))?;
            }
            sleep(Duration::from_millis(40)).await;
        }
    }

    /// Sends `count` requests for a path at once, each over a connection of its own, and gives all answers.
    ///
    /// # Errors
    /// When one has no whole answer.
    pub fn many(&self, path: &str, count: usize) -> Many {
        Many::start(&self.http, path, count)
    }

    /// Starts a request and lets it run on.
    pub fn start(&self, path: &str) -> Many {
        self.many(path, 1)
    }

    /// The same with a data source of the case's own, so that it can set what the pages of the build read.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn with_own_upstream(mut self) -> Result<Self, Problem> {
        self.upstream = Upstream::start("127.0.0.1:0").await?;
        Ok(self)
    }

    /// The fixture's server, for a case that starts servers of its own.
    ///
    /// # Errors
    /// [`Problem::Skipped`] when the runner was given a running server instead of a binary.
    pub fn need_binary(&self) -> Result<&Path, Problem> {
        let skipped = || Problem::Skipped("starts servers of its own: run with --server".into());
        self.binary().ok_or_else(skipped)
    }

    /// Starts a server of the case's own, in a new folder, with the same data source.
    ///
    /// # Errors
    /// As [`Context::need_binary`]; and when it does not become ready.
    pub async fn own_server(&self, token: Option<&str>, extra: &[(&str, &str)]) -> Result<Server, Problem> {
        self.own_server_of(self.need_binary()?, token, extra).await
    }

    /// The same with another binary.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn own_server_of(
        &self,
        binary: &Path,
        token: Option<&str>,
        extra: &[(&str, &str)],
    ) -> Result<Server, Problem> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Server::start(Settings {
            binary: binary.to_owned(),
            upstream_url: self.upstream.url(),
            token: token.map(Into::into),
            extra: extra.iter().map(owned).collect(),
        })
        .await
    }
}

/// A revalidation request.
pub fn revalidation(token: &str, body: &str) -> Request {
    Request::new("POST", "/_tropos/revalidate")
        .with("Authorization", &format!("Bearer {token}"))
        .with("Content-Type", "application/json")
        .body(body)
}

/// Requests on their way.
#[derive(Debug)]
pub struct Many(Vec<tokio::task::JoinHandle<Result<Page, Problem>>>);

impl Many {
    /// Sends `count` requests to a server at once, each over a connection of its own.
    pub fn start(http: &Client, path: &str, count: usize) -> Self {
        let send = |_| {
            let (http, path) = (http.clone(), path.to_owned());
            tokio::spawn(async move { http.get(&path).await })
        };
        Self((0..count).map(send).collect())
    }

    /// Whether all are answered.
    pub fn finished(&self) -> bool {
        self.0.iter().all(tokio::task::JoinHandle::is_finished)
    }

    /// Waits for all answers.
    ///
    /// # Errors
    /// When one has no whole answer.
    pub async fn answers(self) -> Result<Vec<Page>, Problem> {
        let mut pages = Vec::with_capacity(self.0.len());
        for task in self.0 {
            pages.push(task.await.map_err(|error| Problem::Failed(error.to_string()))??);
        }
        Ok(pages)
    }

    /// Waits for the only answer.
    ///
    /// # Errors
    /// When it does not come.
    pub async fn answer(self) -> Result<Page, Problem> {
        match self.answers().await?.pop() {
            Some(page) => Ok(page),
            None => fail("no request was started"),
        }
    }
}
