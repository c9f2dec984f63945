//! A data source that a test owns, and short ways to ask the cache.

#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use futures::future::BoxFuture;
use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::watch;
use tropos_cache::{
    Data, DiskConfig, Engine, EngineConfig, LogSource, Produced, Purpose, RedisStore, Request, Required,
    Scope, Served, SharedConfig,
};
use tropos_core::{Ages, Clock, Failure, Key, ManualClock, Positions, Revalidate, SystemClock, Tags};

/// What pages and functions read. Counts its readers, fails on demand, and can be held.
#[derive(Clone)]
pub(crate) struct Source(Arc<State>);

struct State {
    value: Mutex<String>,
    reads: AtomicUsize,
    failing: AtomicBool,
    open: watch::Sender<bool>,
}

impl Source {
    pub(crate) fn new(value: &str) -> Self {
        Self(Arc::new(State {
            value: Mutex::new(value.to_owned()),
            reads: AtomicUsize::new(0),
            failing: AtomicBool::new(false),
            open: watch::Sender::new(true),
        }))
    }

    pub(crate) fn set(&self, value: &str) {
        *self.0.value.lock().unwrap() = value.to_owned();
    }

    pub(crate) fn fail(&self, failing: bool) {
        self.0.failing.store(failing, Ordering::SeqCst);
    }

    /// From now on a reader has its value at once, and then waits until [`release`](Self::release).
    pub(crate) fn hold(&self) {
        self.0.open.send_replace(false);
    }

    pub(crate) fn release(&self) {
        self.0.open.send_replace(true);
    }

    pub(crate) fn reads(&self) -> usize {
        self.0.reads.load(Ordering::SeqCst)
    }

    pub(crate) async fn read(&self) -> Result<String, Failure> {
        self.0.reads.fetch_add(1, Ordering::SeqCst);
        let value = self.0.value.lock().unwrap().clone();
        let failing = self.0.failing.load(Ordering::SeqCst);
        self.0.open.subscribe().wait_for(|open| *open).await.unwrap();
        if failing { Err(Failure::new("the source fails")) } else { Ok(value) }
    }
}

/// One entry of the data cache, read from a source.
#[derive(Clone)]
pub(crate) struct Page {
    pub(crate) key: Key,
    pub(crate) ages: Ages,
    pub(crate) tags: Tags,
    pub(crate) fresh: bool,
    pub(crate) source: Source,
}

impl Page {
    pub(crate) fn new(name: &str, ages: Ages, tags: &[&str], source: &Source) -> Self {
        let tags = tags.iter().copied().collect();
        Self { key: Key::page("/:name", name, ""), ages, tags, fresh: false, source: source.clone() }
    }

    /// Asks for it; an empty value counts as "there is no such thing".
    pub(crate) async fn get(&self, engine: &Engine) -> Served<Data> {
        let request =
            Request { tags: self.tags.clone(), fresh: self.fresh, ..Request::new(&self.key, self.ages) };
        let source = self.source.clone();
        engine.data().serve(request, move || async move { source.read().await.map(produced) }).await
    }

    /// Asks for it in a task of its own, and lets that come to its first wait.
    pub(crate) async fn ask(&self, engine: &Engine) -> tokio::task::JoinHandle<Served<Data>> {
        let (page, engine) = (self.clone(), engine.clone());
        let asked = tokio::spawn(async move { page.get(&engine).await });
        settle().await;
        asked
    }
}

pub(crate) fn produced(value: String) -> Produced<Data> {
    Produced { negative: value.is_empty(), value: Data(value.into()), store: true }
}

pub(crate) fn text(served: &Served<Data>) -> &str {
    std::str::from_utf8(&served.result.as_ref().unwrap().value.0).unwrap()
}

pub(crate) fn ages(revalidate: u64, expire: u64) -> Ages {
    Ages::new(Revalidate::After(seconds(revalidate)), Some(seconds(expire))).unwrap()
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn in_memory() -> (Engine, ManualClock) {
    let clock = ManualClock::new();
    (Engine::in_memory(Arc::new(clock.clone())), clock)
}

pub(crate) async fn on_disk(dir: &Path, build: &str, clock: &ManualClock) -> Engine {
    let disk = Some(DiskConfig { dir: dir.to_owned(), bytes: 1 << 30 });
    let config = EngineConfig { build_id: build.to_owned(), disk, ..EngineConfig::default() };
    Engine::open(config, Arc::new(clock.clone()), None).await.unwrap()
}

/// An instance of `build` that shares the store at `url`.
pub(crate) async fn sharing(url: &str, build: &str, clock: Arc<dyn Clock>) -> Engine {
    let shared = SharedConfig::new(Arc::new(RedisStore::open(url).unwrap()));
    let config = EngineConfig { build_id: build.to_owned(), shared: Some(shared), ..EngineConfig::default() };
    Engine::open(config, clock, None).await.unwrap()
}

/// The same, by the machine's own clock.
pub(crate) async fn instance(url: &str) -> Engine {
    sharing(url, "build", Arc::new(SystemClock::new())).await
}

/// A text of so many letters, at least, that packs to half of them and no less.
pub(crate) fn noise(length: usize) -> String {
    (0..length.div_ceil(64)).map(|n| blake3::hash(&n.to_le_bytes()).to_hex().to_string()).collect()
}

/// Waits for what another process or task does, at most 10 s.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..1_000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited for in vain: {what}");
}

/// Lets every task that can go on do so.
pub(crate) async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

/// A database's log that a test writes to. Says where it stands, fails or is silent on demand.
#[derive(Debug, Default)]
pub(crate) struct WriteLog {
    position: AtomicU64,
    questions: AtomicUsize,
    failing: AtomicBool,
    silent: AtomicBool,
}

impl WriteLog {
    pub(crate) fn at(position: u64) -> Arc<Self> {
        let log = Self::default();
        log.write(position);
        Arc::new(log)
    }

    pub(crate) fn write(&self, position: u64) {
        self.position.store(position, Ordering::SeqCst);
    }

    pub(crate) fn fail(&self, failing: bool) {
        self.failing.store(failing, Ordering::SeqCst);
    }

    pub(crate) fn fall_silent(&self, silent: bool) {
        self.silent.store(silent, Ordering::SeqCst);
    }

    pub(crate) fn questions(&self) -> usize {
        self.questions.load(Ordering::SeqCst)
    }
}

impl LogSource for WriteLog {
    fn current(&self) -> BoxFuture<'_, Result<Positions, Failure>> {
        self.questions.fetch_add(1, Ordering::SeqCst);
        let position = self.position.load(Ordering::SeqCst);
        let (failing, silent) = (self.failing.load(Ordering::SeqCst), self.silent.load(Ordering::SeqCst));
        Box::pin(async move {
            match (failing, silent) {
                (_, true) => std::future::pending().await,
                (true, false) => Err(Failure::new("the primary is gone")),
                (false, false) => Ok([(0, position)].into_iter().collect()),
            }
        })
    }
}

/// What a render that begins now must have seen of shard 0.
pub(crate) fn required(engine: &Engine) -> Required {
    Scope::new(engine, Purpose::Stored).requires(0)
}
