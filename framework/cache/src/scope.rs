//! What one render has read, and which engine it reads through.
//!
//! A scope is local to a task. What a render spawns must be [wrapped](Scope::wrap), or it reads outside.

mod keep;

use crate::{
    Engine, Entry, Error, Stamp, Strength,
    positions::{FloorAt, Hold, Holds, Personal, Required},
};
use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
    future::Future,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};
use tokio::sync::OnceCell;
use tropos_core::{Key, Positions, Tag, Tags, Tick};

/// What the code in a scope is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Renders what is stored: a page, a cached function.
    Stored,
    /// Renders a page for one request.
    Once,
    /// Renders a page that is open and changes.
    Live,
    /// Is no render: a server function, an API handler, background work. May invalidate.
    Action,
}

/// A scope takes at most so many tags: each is looked up again on a first hit after an invalidation, and goes into
/// headers. A page that reads more had better carry a tag for the whole list.
pub const MOST_TAGS: usize = 1_000;

/// A scope remembers at most so many results of [`Scope::once`].
const MOST_MEMOS: usize = 10_000;

/// What a scope has read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reads {
    /// The tags of all that was read.
    pub tags: Tags,
    /// When the first of it becomes stale.
    pub stale_at: Option<Tick>,
    /// Whether there were more than [`MOST_TAGS`] tags, so that some are missing: the result must not be stored.
    pub too_many_tags: bool,
}

/// The engine, the start and the reads of one render or action. Cloning gives another handle on the same.
#[derive(Clone)]
pub struct Scope(Arc<Inner>);

struct Inner {
    engine: Engine,
    purpose: Purpose,
    stamp: Stamp,
    /// Whether it is for a draft, whose reads pass the cache by.
    draft: bool,
    /// The entry that the render is for, and what waits for it.
    flight: Option<(Key, Option<Scope>)>,
    reads: Mutex<Reads>,
    memos: Mutex<HashMap<(TypeId, String), Arc<dyn Any + Send + Sync>>>,
    /// What a render must have seen on account of the invalidations that its stamp covers.
    floor: FloorAt,
    personal: Personal,
    /// Whether something elsewhere was changed from within.
    acted: AtomicBool,
    holds: Holds,
    /// The route of the page that all this is for.
    route: OnceLock<&'static str>,
    /// Database queries that what runs in it would have run without any cache.
    queries: AtomicU32,
}

tokio::task_local! {
    static CURRENT: Scope;
}

impl Scope {
    /// A scope that starts now: it takes its place in the tag sequence, so make it before the first read.
    pub fn new(engine: &Engine, purpose: Purpose) -> Self {
        Self::build(engine, purpose, None, false)
    }

    /// A scope for somebody who sees drafts: what is read in it comes from no entry, and makes none.
    pub fn draft(engine: &Engine, purpose: Purpose) -> Self {
        Self::build(engine, purpose, None, true)
    }

    /// The scope of a read of `key` within a draft, whose result is not stored.
    pub(crate) fn of_draft(parent: &Scope, key: Key) -> Self {
        Self::build(parent.engine(), Purpose::Stored, Some((key, Some(parent.clone()))), true)
    }

    /// The scope of a render whose result is stored under `key`, and for which `parent` waits.
    pub(crate) fn of_flight(engine: &Engine, key: Key, parent: Option<Scope>) -> Self {
        Self::build(engine, Purpose::Stored, Some((key, parent)), false)
    }

    fn build(engine: &Engine, purpose: Purpose, flight: Option<(Key, Option<Scope>)>, draft: bool) -> Self {
        let (stamp, floor) = engine.tags().start();
        let parent = flight.as_ref().and_then(|(_, parent)| parent.as_ref());
        let route = parent.map(|parent| parent.0.route.clone()).unwrap_or_default();
        let floor = match purpose {
            Purpose::Stored | Purpose::Live => floor,
            Purpose::Once | Purpose::Action => FloorAt::Free,
        };
        Self(Arc::new(Inner {
            engine: engine.clone(),
            purpose,
            stamp,
            draft,
            flight,
            reads: Mutex::default(),
            memos: Mutex::default(),
            floor,
            personal: Personal::default(),
            acted: AtomicBool::default(),
            holds: Holds::default(),
            route,
            queries: AtomicU32::new(0),
        }))
    }

    /// The scope that this task runs in.
    pub fn current() -> Option<Scope> {
        CURRENT.try_with(Clone::clone).ok()
    }

    /// Runs `future` in this scope.
    pub async fn run<F: Future>(&self, future: F) -> F::Output {
        CURRENT.scope(self.clone(), future).await
    }

    /// `future`, to run in this scope wherever it is spawned.
    pub fn wrap<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        CURRENT.scope(self.clone(), future)
    }

    /// What the code in it is there for.
    pub fn purpose(&self) -> Purpose {
        self.0.purpose
    }

    /// Whether what is read in it passes the cache by.
    pub fn is_draft(&self) -> bool {
        self.0.draft
    }

    /// Where the tag sequence stood when the scope was made.
    pub fn stamp(&self) -> Stamp {
        self.0.stamp
    }

    /// The route of the page or handler that this is for, for who counts by it. What nested reads render takes it over. The
    /// first one stays.
    pub fn set_route(&self, route: &'static str) {
        // Whoever comes second is within what the first one named.
        let _ = self.0.route.set(route);
    }

    /// The route that this is for, where it was named.
    pub fn route(&self) -> Option<&'static str> {
        self.0.route.get().copied()
    }

    /// A database query has run.
    pub fn queried(&self) {
        self.add_queries(1);
    }

    /// So many queries would have run, had nothing been cached.
    pub(crate) fn add_queries(&self, queries: u32) {
        if queries > 0 {
            self.0.queries.fetch_add(queries, Ordering::Relaxed);
        }
    }

    /// The database queries that have run, and those that cached reads have saved.
    pub fn queries(&self) -> u32 {
        self.0.queries.load(Ordering::Relaxed)
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// Adds what a nested read depends on: its tags, and when it becomes stale.
    pub fn note(&self, tags: &Tags, stale_at: Option<Tick>) {
        let mut reads = lock(&self.0.reads);
        tags.iter().for_each(|tag| reads.add(tag));
        reads.stale_at = match (reads.stale_at, stale_at) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }

    /// Adds what an entry depends on that was read.
    pub fn note_entry<V>(&self, entry: &Entry<V>) {
        self.note(&entry.meta.tags, entry.stale_at());
    }

    /// Adds a tag.
    pub fn add_tag(&self, tag: Tag) {
        lock(&self.0.reads).add(&tag);
    }

    /// All that was read until now.
    pub fn reads(&self) -> Reads {
        lock(&self.0.reads).clone()
    }

    /// Whether nested reads wait for fresh data: where the result is kept, or shown because something changed.
    pub fn wants_fresh(&self) -> bool {
        matches!(self.0.purpose, Purpose::Stored | Purpose::Live)
    }

    /// What a read of `shard` in this scope must have seen; see [`positions`](crate::positions). Without waiting and
    /// without allocating: every query asks. Shards beyond [`MOST_SHARDS`](tropos_core::MOST_SHARDS) do not exist.
    pub fn requires(&self, shard: u16) -> Required {
        let own = self.0.floor.requires(shard).max(self.0.personal.requires(shard));
        let within = match &self.0.flight {
            // A draft is for its reader alone, and so is all that is read for it.
            Some((_, Some(reader))) if self.0.draft => reader.requires(shard),
            Some((_, Some(parent))) if parent.has_written(shard) => Required::Primary,
            Some(_) | None => Required::Nothing,
        };
        own.max(within)
    }

    /// Raises what reads in this scope must have seen: to what the visitor's cookie says.
    pub fn has_seen(&self, positions: &Positions) {
        self.0.personal.has_seen(positions);
    }

    /// What [`has_seen`](Self::has_seen) has raised it to.
    pub fn seen(&self) -> Positions {
        self.0.personal.seen()
    }

    /// A write has gone out to `shard`: reads of it in this scope, and in renders that this scope has begun and waits for,
    /// go to the primary from now on.
    pub fn wrote(&self, shard: u16) {
        self.0.personal.write(shard);
    }

    /// The shards that were written to since this was called last, in order: to ask them for their positions.
    pub fn take_written(&self) -> Vec<u16> {
        self.0.personal.take_written()
    }

    /// A call has gone out that may change something elsewhere.
    pub fn acted(&self) {
        self.0.acted.store(true, Ordering::Relaxed);
    }

    /// Whether anything may have been changed from within: a database that was written to, or what was called by other
    /// means than a read. Done once for many readers, it would be another program.
    pub fn has_effects(&self) -> bool {
        self.0.acted.load(Ordering::Relaxed) || self.0.personal.has_written_at_all()
    }

    fn has_written(&self, shard: u16) -> bool {
        self.0.personal.has_written(shard)
            || matches!(&self.0.flight, Some((_, Some(parent))) if parent.has_written(shard))
    }

    /// Holds invalidations of this scope back while a transaction is open.
    pub fn hold(&self) -> Hold {
        Hold::open(self.clone())
    }

    /// Calls `call` once a transaction that is open in this scope has been committed, and never where it is rolled back; at
    /// once where none is open. Of several that are open at once, the first commit counts; a commit whose answer was lost
    /// counts as one. It is called in the midst of things, so it must not wait.
    ///
    /// # Errors
    /// [`Error::TooManyHeld`] where ten thousand wait already.
    pub fn after_commit(&self, call: impl FnOnce() + Send + 'static) -> Result<(), Error> {
        self.0.holds.after_commit(Box::new(call))
    }

    /// Whether invalidations are held back.
    pub(crate) fn is_holding(&self) -> bool {
        self.0.holds.any()
    }

    /// Leaves an invalidation to the transactions that are open; false where none is.
    pub(crate) fn defer(&self, tags: &[Tag], strength: Strength, warm: bool) -> Result<bool, Error> {
        self.0.holds.defer(tags, strength, warm)
    }

    pub(crate) fn holds(&self) -> &Holds {
        &self.0.holds
    }

    /// Runs `produce` once for each `key` in this scope; who calls meanwhile waits for the first, and who calls later
    /// gets the same, also when it failed. So the same read twice in one render is one call.
    ///
    /// In an [action](Purpose::Action) it runs every time: what an action reads again may be what it has just written.
    /// So it does beyond 10,000 keys.
    pub async fn once<T, F, Fut>(&self, key: &str, produce: F) -> T
    where
        T: Clone + Send + Sync + 'static,
        F: FnOnce() -> Fut,
        Fut: Future<Output = T>,
    {
        match self.memo::<T>(key) {
            Some(cell) => cell.get_or_init(produce).await.clone(),
            None => produce().await,
        }
    }

    fn memo<T: Send + Sync + 'static>(&self, key: &str) -> Option<Arc<OnceCell<T>>> {
        if self.0.purpose == Purpose::Action {
            return None;
        }
        let mut memos = lock(&self.0.memos);
        let full = memos.len() >= MOST_MEMOS;
        let name = (TypeId::of::<T>(), key.to_owned());
        let cell = match memos.get(&name) {
            Some(cell) => cell.clone(),
            None if full => return None,
            None => memos.entry(name).or_insert_with(|| Arc::new(OnceCell::<T>::new())).clone(),
        };
        cell.downcast().ok()
    }

    /// Whether a render in this scope is, in the end, awaited by the render of `key` itself.
    pub(crate) fn is_within(&self, key: &Key) -> bool {
        let mut scope = Some(self);
        while let Some(Inner { flight: Some((flight, parent)), .. }) = scope.map(|scope| &*scope.0) {
            if flight == key {
                return true;
            }
            scope = parent.as_ref();
        }
        false
    }
}

impl Reads {
    fn add(&mut self, tag: &Tag) {
        match self.tags.as_slice().binary_search(tag) {
            Ok(_) => {}
            Err(_) if self.tags.as_slice().len() >= MOST_TAGS => self.too_many_tags = true,
            Err(_) => self.tags.add(tag.clone()),
        }
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { purpose, stamp, reads, .. } = &*self.0;
        f.debug_struct("Scope")
            .field("purpose", purpose)
            .field("stamp", stamp)
            .field("reads", &lock(reads))
            .finish()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
