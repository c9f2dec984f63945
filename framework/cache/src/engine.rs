//! One cache for pages, one for data, the tags and the clock.

use crate::{
    Cache, Error, Seed, StoredPage, Strength, TagRegistry, Value, cache,
    flight::Flights,
    store::{disk::Disk, memory::Memory},
};
use bytes::Bytes;
use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};
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
    /// A render that takes longer has failed. Default: 30 s, after which few readers still wait.
    pub render_timeout: Duration,
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
            render_timeout: Duration::from_secs(30),
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
    disk: Option<Arc<Disk>>,
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
        let (tags, disk) = match &config.disk {
            None => (TagRegistry::in_memory(), None),
            Some(at) => {
                let tags = TagRegistry::open(&at.dir).await?;
                (tags, Some(Disk::open(&at.dir, &config.build_id, at.bytes).await?))
            }
        };
        Ok(Self::build(config, clock, tags, disk, page_seed))
    }

    /// Caches of the default size that end with the process: for tests and for builds.
    pub fn in_memory(clock: Arc<dyn Clock>) -> Self {
        Self::build(EngineConfig::default(), clock, TagRegistry::in_memory(), None, None)
    }

    fn build(
        config: EngineConfig,
        clock: Arc<dyn Clock>,
        tags: TagRegistry,
        disk: Option<Arc<Disk>>,
        page_seed: Option<Arc<dyn Seed<StoredPage>>>,
    ) -> Self {
        let for_data = config.memory_bytes / 4;
        let for_pages = config.memory_bytes - for_data;
        Self(Arc::new_cyclic(|engine| {
            let parts = Parts { engine, config: &config, clock: &clock, tags: &tags, disk: &disk };
            Inner {
                pages: parts.cache(for_pages, page_seed),
                data: parts.cache(for_data, None),
                build_id: config.build_id.clone(),
                clock: clock.clone(),
                tags: tags.clone(),
                disk: disk.clone(),
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

    /// The clock by which everything here goes.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    /// Names the build.
    pub fn build_id(&self) -> &str {
        &self.0.build_id
    }

    /// How many entries were not written to disk, since it was too slow or full.
    pub fn disk_writes_dropped(&self) -> u64 {
        self.0.disk.as_ref().map_or(0, |disk| disk.dropped())
    }

    /// Invalidates all that carries one of `tags`, and returns the number that the invalidation took. When this has
    /// returned, nothing older is served as valid, nor after a restart.
    ///
    /// # Errors
    /// As [`TagRegistry::invalidate`]; nothing has changed then.
    pub async fn invalidate(&self, tags: &[Tag], strength: Strength) -> Result<u64, Error> {
        self.0.tags.invalidate(tags, strength).await
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
        if let Some(disk) = &self.0.disk {
            disk.flush().await;
        }
        self.0.tags.close().await;
    }
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
    disk: &'a Option<Arc<Disk>>,
}

impl Parts<'_> {
    fn cache<V: Value>(&self, memory_bytes: u64, seed: Option<Arc<dyn Seed<V>>>) -> Cache<V> {
        Cache::over(cache::Inner {
            engine: self.engine.clone(),
            tags: self.tags.clone(),
            clock: self.clock.clone(),
            memory: Memory::new(memory_bytes, usize::MAX),
            negative: Memory::new(self.config.negative_bytes, MOST_NEGATIVES),
            disk: self.disk.clone(),
            seed,
            flights: Flights::new(),
            render_timeout: self.config.render_timeout,
        })
    }
}
