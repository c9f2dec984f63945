//! One cache for pages, one for data, the tags and the clock.

use crate::{
    Cache, Early, Error, LogSource, Seed, SharedStats, Stats, StoredPage, Strength, TagRegistry, Trust,
    Value,
    cache::{self, Backing},
    counts::Counts,
    flight::Flights,
    limit::Breaker,
    observe::Invalidated,
    store::{disk::Disk, guarded::Guarded, memory::Memory, shared::SharedStore},
    tags::memo,
};
use bytes::Bytes;
use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tracing::Instrument as _;
use tropos_core::{Clock, Tag};

/// The bytes of a fetched answer or of a function's result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Data(pub Bytes);

impl Value for Data {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        Some(Self(Bytes::copy_from_slice(bytes)))
    }

    fn weight(&self) -> usize {
        self.0.len()
    }
}

/// How large the caches may grow, and where they are.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Names the build: entries of another one are never read.
    pub build_id: String,
    /// Bound of the memory store in bytes: three quarters for pages, one for data. Default: 256 MiB, which a small
    /// machine can spare and which holds some ten thousand pages.
    pub memory_bytes: u64,
    /// Bound of the store of "there is no such page" in bytes, besides 10,000 entries. Default: 4 MiB; these answers
    /// are alike and cheap to make, and whoever asks for endless unknown paths shall gain nothing.
    pub negative_bytes: u64,
    /// Where entries and invalidations outlive the process; `None`: nowhere.
    pub disk: Option<DiskConfig>,
    /// The store that instances share; entries and invalidations go there instead of to the disk.
    pub shared: Option<SharedConfig>,
    /// A render that takes longer has failed. Default: 30 s, after which few readers still wait.
    pub render_timeout: Duration,
    /// When fresh entries are made anew before they are stale.
    pub early: Early,
}

/// The store that instances share.
#[derive(Debug, Clone)]
pub struct SharedConfig {
    /// The store.
    pub store: Arc<dyn SharedStore>,
    /// For how long entries are used, and marked, while it is out of reach. After that everything is rendered afresh.
    /// Default: a minute, about what the restart of a store takes.
    pub degraded: Duration,
    /// A folder of this machine in which to note how far the tag sequence was known, so that a store that is emptied
    /// while nothing runs is found out at the next start; `None`: nowhere.
    pub memo: Option<PathBuf>,
}

impl SharedConfig {
    /// A store, with the defaults for the rest.
    pub fn new(store: Arc<dyn SharedStore>) -> Self {
        Self { store, degraded: Duration::from_secs(60), memo: None }
    }
}

/// The folder that outlives the process.
#[derive(Debug, Clone)]
pub struct DiskConfig {
    /// The folder, for one process at a time.
    pub dir: PathBuf,
    /// Bound of the entries in it, in bytes.
    pub bytes: u64,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            build_id: "dev".to_owned(),
            memory_bytes: 256 << 20,
            negative_bytes: 4 << 20,
            disk: None,
            shared: None,
            render_timeout: Duration::from_secs(30),
            early: Early::default(),
        }
    }
}

/// The engine under pages, fetches, cached functions and live pages. Cloning gives another handle on the same.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

pub(crate) struct Inner {
    build_id: String,
    clock: Arc<dyn Clock>,
    tags: TagRegistry,
    pages: Cache<StoredPage>,
    data: Cache<Data>,
    backing: Option<Backing>,
    memo: Option<PathBuf>,
    counts: Arc<Counts>,
    breaker: Breaker,
    extensions: Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>,
}

/// So many answers of "there is no such page" are kept at most, however short they are.
const MOST_NEGATIVES: usize = 10_000;

impl Engine {
    /// Opens the caches: reads the invalidations that the folder remembers, and the list of its entries.
    ///
    /// `page_seed` holds the pages of the build.
    ///
    /// # Errors
    /// [`Error::Locked`] where another process uses the folder and goes on to do so for 5 s; [`Error::Io`] where it
    /// cannot be read or written.
    pub async fn open(
        config: EngineConfig,
        clock: Arc<dyn Clock>,
        page_seed: Option<Arc<dyn Seed<StoredPage>>>,
    ) -> Result<Self, Error> {
        let (tags, backing) = match (&config.shared, &config.disk) {
            (Some(shared), _) => {
                let store = Arc::new(Guarded::new(shared.store.clone()));
                let known = shared.memo.as_deref().map(memo::read).unwrap_or_default();
                let tags = TagRegistry::shared(store.clone(), clock.clone(), shared.degraded, known).await;
                (tags, Some(Backing::Shared { store, build: config.build_id.as_str().into() }))
            }
            (None, Some(at)) => {
                let tags = TagRegistry::open(&at.dir).await?;
                (tags, Some(Backing::Disk(Disk::open(&at.dir, &config.build_id, at.bytes).await?)))
            }
            (None, None) => (TagRegistry::in_memory(), None),
        };
        let engine = Self::build(config, clock, tags, backing, page_seed);
        engine.remember().await;
        Ok(engine)
    }

    /// Caches of the default size that end with the process: for tests and for builds.
    pub fn in_memory(clock: Arc<dyn Clock>) -> Self {
        Self::build(EngineConfig::default(), clock, TagRegistry::in_memory(), None, None)
    }

    fn build(
        config: EngineConfig,
        clock: Arc<dyn Clock>,
        tags: TagRegistry,
        backing: Option<Backing>,
        page_seed: Option<Arc<dyn Seed<StoredPage>>>,
    ) -> Self {
        let for_data = config.memory_bytes / 4;
        let for_pages = config.memory_bytes - for_data;
        let counts = Arc::new(Counts::default());
        Self(Arc::new_cyclic(|engine| {
            let parts = Parts {
                engine,
                config: &config,
                clock: &clock,
                tags: &tags,
                backing: &backing,
                counts: &counts,
            };
            Inner {
                pages: parts.cache(for_pages, page_seed),
                data: parts.cache(for_data, None),
                build_id: config.build_id.clone(),
                clock: clock.clone(),
                tags: tags.clone(),
                backing: backing.clone(),
                memo: config.shared.as_ref().and_then(|shared| shared.memo.clone()),
                counts: counts.clone(),
                breaker: Breaker::default(),
                extensions: Mutex::default(),
            }
        }))
    }

    pub(crate) fn from_inner(inner: Arc<Inner>) -> Self {
        Self(inner)
    }

    /// Pages.
    pub fn pages(&self) -> &Cache<StoredPage> {
        &self.0.pages
    }

    /// Fetched answers, and results of cached functions.
    pub fn data(&self) -> &Cache<Data> {
        &self.0.data
    }

    /// The tag sequence.
    pub fn tags(&self) -> &TagRegistry {
        &self.0.tags
    }

    pub(crate) fn counts(&self) -> &Counts {
        &self.0.counts
    }

    /// The clock by which everything here goes.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    pub(crate) fn backing(&self) -> Option<&Backing> {
        self.0.backing.as_ref()
    }

    /// Whether the shared store is asked for counts of requests.
    pub(crate) fn breaker(&self) -> &Breaker {
        &self.0.breaker
    }

    /// Names the build.
    pub fn build_id(&self) -> &str {
        &self.0.build_id
    }

    /// How it stands now.
    pub fn stats(&self) -> Stats {
        let Inner { pages, data, backing, counts, .. } = &*self.0;
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let now = self.0.clock.now();
        Stats {
            page_entries: pages.entries(),
            page_bytes: pages.bytes(),
            data_entries: data.entries(),
            data_bytes: data.bytes(),
            negative_entries: pages.negative_entries() + data.negative_entries(),
            negative_bytes: pages.inner().negative.bytes() + data.inner().negative.bytes(),
            page_evictions: pages.inner().memory.evictions(),
            data_evictions: data.inner().memory.evictions(),
            negative_evictions: pages.inner().negative.evictions() + data.inner().negative.evictions(),
            renders: of(&counts.renders),
            render_failures: of(&counts.failures),
            invalidations: of(&counts.invalidations),
            invalidation_failures: of(&counts.invalidation_failures),
            disk_writes_dropped: match backing {
                Some(Backing::Disk(disk)) => disk.dropped(),
                Some(Backing::Shared { .. }) | None => 0,
            },
            shared: match backing {
                Some(Backing::Shared { store, .. }) => Some(SharedStats {
                    circuit_open: store.is_open(),
                    degraded: self.0.tags.trust(now) != Trust::Full,
                    failures: store.failures(),
                }),
                Some(Backing::Disk(_)) | None => None,
            },
        }
    }

    /// Invalidates all that carries one of `tags`, and returns the number that the invalidation took. When this has
    /// returned, nothing older is served as valid, nor after a restart.
    ///
    /// # Errors
    /// As [`TagRegistry::invalidate`]; nothing has changed then.
    pub async fn invalidate(&self, tags: &[Tag], strength: Strength) -> Result<u64, Error> {
        let began = tokio::time::Instant::now();
        let span = invalidation(tags, strength);
        let result = self.0.tags.invalidate(tags, strength).instrument(span.clone()).await;
        if result.is_err() {
            span.record("error.type", "_OTHER");
        }
        let counts = &self.0.counts;
        if let Some(observer) = counts.observed.by() {
            let store = match &self.0.backing {
                Some(Backing::Shared { .. }) => "shared",
                Some(Backing::Disk(_)) => "disk",
                None => "process",
            };
            let (took, well) = (began.elapsed(), result.is_ok());
            observer.invalidated(&Invalidated { strength, store, took, well });
        }
        let counter = if result.is_ok() { &counts.invalidations } else { &counts.invalidation_failures };
        counter.fetch_add(1, Ordering::Relaxed);
        result
    }

    /// Has invalidations carry the positions of a database's log, so that no render reads from a replica behind them; see
    /// [`positions`](crate::positions). Call it once, after opening and before serving.
    ///
    /// Asks the floor at once and waits 2 s for it at most. Where that fails it is asked for again in the background, and
    /// until it is known renders read from the primaries.
    pub async fn follow_log(&self, source: Arc<dyn LogSource>) {
        self.0.tags.follow_log(source).await;
    }

    /// What another crate keeps beside the caches, such as its HTTP client: one of each type, made at first use.
    pub fn extension<T: Send + Sync + 'static>(&self, init: impl FnOnce() -> T) -> Arc<T> {
        let mut extensions = self.0.extensions.lock().unwrap_or_else(PoisonError::into_inner);
        match extensions.get(&TypeId::of::<T>()).cloned().and_then(|known| known.downcast().ok()) {
            Some(known) => known,
            None => {
                let new = Arc::new(init());
                extensions.insert(TypeId::of::<T>(), new.clone());
                new
            }
        }
    }

    /// Writes to disk what is not there yet, and leaves the folder to the next process. Invalidations fail from now
    /// on.
    pub async fn shutdown(&self) {
        if let Some(Backing::Disk(disk)) = &self.0.backing {
            disk.flush().await;
        }
        self.remember().await;
        self.0.tags.close().await;
    }

    /// Notes how far the shared sequence is known, for the next process on this machine.
    async fn remember(&self) {
        if let (Some(folder), Some(known)) = (&self.0.memo, self.0.tags.known().await) {
            memo::write(folder, known);
        }
    }
}

/// An invalidation begins. The span costs nothing where nobody listens to it.
fn invalidation(tags: &[Tag], strength: Strength) -> tracing::Span {
    /// More tags are counted, and not named.
    const NAMED: usize = 10;
    let span = tracing::debug_span!(
        target: "tropos::cache",
        "invalidate",
        otel.kind = "internal",
        tropos.invalidation.strength = match strength {
            Strength::Hard => "hard",
            Strength::Soft => "soft",
        },
        tropos.invalidation.count = tags.len(),
        tropos.invalidation.tags = tracing::field::Empty,
        error.type = tracing::field::Empty,
    );
    if !span.is_disabled() {
        let names: Vec<&str> = tags.iter().take(NAMED).map(Tag::as_str).collect();
        span.record("tropos.invalidation.tags", names.join(","));
    }
    span
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("build_id", &self.0.build_id).finish_non_exhaustive()
    }
}

/// What the two caches have in common.
struct Parts<'a> {
    engine: &'a Weak<Inner>,
    config: &'a EngineConfig,
    clock: &'a Arc<dyn Clock>,
    tags: &'a TagRegistry,
    backing: &'a Option<Backing>,
    counts: &'a Arc<Counts>,
}

impl Parts<'_> {
    fn cache<V: Value>(&self, memory_bytes: u64, seed: Option<Arc<dyn Seed<V>>>) -> Cache<V> {
        Cache::over(cache::Inner {
            engine: self.engine.clone(),
            tags: self.tags.clone(),
            clock: self.clock.clone(),
            memory: Memory::new(memory_bytes, usize::MAX),
            negative: Memory::new(self.config.negative_bytes, MOST_NEGATIVES),
            backing: self.backing.clone(),
            seed,
            flights: Flights::new(),
            render_timeout: self.config.render_timeout,
            early: self.config.early,
            counts: self.counts.clone(),
        })
    }
}
