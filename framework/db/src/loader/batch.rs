//! What one loader has gathered and read in one scope: who joins which batch, and what is known of a key.

use super::LoaderKey;
use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};
use tokio::{sync::watch, task::AbortHandle};
use tropos_core::Failure;

/// So many keys are remembered in one scope; those beyond are read each time.
const MOST_REMEMBERED: usize = 10_000;

/// What a query found.
pub(super) type Found<K, V> = Arc<HashMap<K, V>>;

/// How a query ended.
type End<K, V> = Result<Found<K, V>, Failure>;

/// One loader in one scope.
pub(super) struct State<K: LoaderKey, V> {
    remembers: bool,
    inner: Mutex<Inner<K, V>>,
}

struct Inner<K: LoaderKey, V> {
    slots: HashMap<K, Slot<K, V>>,
    remembered: usize,
    /// The batch that keys are added to. Only those who wait for it hold it.
    open: Weak<Batch<K, V>>,
}

/// What is known of a key.
enum Slot<K: LoaderKey, V> {
    /// A batch will say.
    Asked(Weak<Batch<K, V>>),
    /// It is in here, or it is not anywhere.
    Known(Found<K, V>),
}

/// What to do for a key.
pub(super) enum Boarding<K: LoaderKey, V> {
    /// Nothing: the query that asked for it has ended.
    Known(Found<K, V>),
    /// Wait for its batch.
    Asked(Arc<Batch<K, V>>),
}

/// Keys that are read together. Dropped when nobody waits for it any more, and its query with it.
pub(super) struct Batch<K: LoaderKey, V> {
    state: Weak<State<K, V>>,
    most: usize,
    gathering: Mutex<Gathering<K, V>>,
    end: watch::Receiver<Option<End<K, V>>>,
}

struct Gathering<K, V> {
    keys: Vec<K>,
    /// Taken by the query. Where it is gone the batch takes no more keys.
    told: Option<watch::Sender<Option<End<K, V>>>>,
    task: Option<AbortHandle>,
}

/// A batch that takes no more keys, to be read.
pub(super) struct Gathered<K: LoaderKey, V> {
    pub(super) batch: Arc<Batch<K, V>>,
    pub(super) keys: Vec<K>,
    pub(super) told: watch::Sender<Option<End<K, V>>>,
}

impl<K: LoaderKey, V> State<K, V> {
    pub(super) fn new(remembers: bool) -> Self {
        let inner = Inner { slots: HashMap::new(), remembered: 0, open: Weak::new() };
        Self { remembers, inner: Mutex::new(inner) }
    }

    /// What is known of a key; or the batch that will tell, with the key among its own.
    pub(super) fn board(self: &Arc<Self>, key: &K, most: usize) -> Boarding<K, V> {
        let mut inner = lock(&self.inner);
        let asked = match inner.slots.get(key) {
            Some(Slot::Known(found)) => return Boarding::Known(found.clone()),
            Some(Slot::Asked(batch)) => batch.upgrade(),
            None => None,
        };
        let gone_out = match asked {
            // Where nothing is remembered, its query may be older than a write that this read must see.
            Some(batch) if self.remembers || batch.is_open() => return Boarding::Asked(batch),
            gone_out => gone_out,
        };
        let open = inner.open.upgrade();
        let (batch, full) = match open {
            Some(open) if open.add(key) => (open, None),
            full => (Batch::of(self, key, most), full),
        };
        inner.open = Arc::downgrade(&batch);
        inner.slots.insert(key.clone(), Slot::Asked(Arc::downgrade(&batch)));
        drop(inner);
        // After the lock, which the end of a batch takes too.
        drop((full, gone_out));
        Boarding::Asked(batch)
    }

    /// Remembers what a batch found for its `keys`, and that nothing was; forgets them where the query failed. A key that
    /// a later batch asks for again is that one's.
    pub(super) fn land(&self, batch: &Weak<Batch<K, V>>, keys: &[K], found: Option<&Found<K, V>>) {
        let mut inner = lock(&self.inner);
        for key in keys {
            if !matches!(inner.slots.get(key), Some(Slot::Asked(asked)) if asked.ptr_eq(batch)) {
                continue;
            }
            match found {
                Some(found) if self.remembers && inner.remembered < MOST_REMEMBERED => {
                    inner.remembered += 1;
                    inner.slots.insert(key.clone(), Slot::Known(found.clone()));
                }
                _ => drop(inner.slots.remove(key)),
            }
        }
    }
}

impl<K: LoaderKey, V> Batch<K, V> {
    fn of(state: &Arc<State<K, V>>, key: &K, most: usize) -> Arc<Self> {
        let (told, end) = watch::channel(None);
        let gathering = Gathering { keys: vec![key.clone()], told: Some(told), task: None };
        Arc::new(Self { state: Arc::downgrade(state), most, gathering: Mutex::new(gathering), end })
    }

    /// Adds a key that is not in it, if it still takes keys.
    fn add(&self, key: &K) -> bool {
        let mut gathering = lock(&self.gathering);
        let takes = gathering.told.is_some() && gathering.keys.len() < self.most;
        if takes {
            gathering.keys.push(key.clone());
        }
        takes
    }

    /// Whether its query has not gone out: what is written now, it will see.
    fn is_open(&self) -> bool {
        lock(&self.gathering).told.is_some()
    }

    /// Lets it take no more keys, and gives what is to be read to whoever comes first.
    pub(super) fn close(self: &Arc<Self>) -> Option<Gathered<K, V>> {
        let mut gathering = lock(&self.gathering);
        let told = gathering.told.take()?;
        Some(Gathered { batch: self.clone(), keys: gathering.keys.clone(), told })
    }

    /// Notes the task of its query.
    pub(super) fn runs(&self, task: AbortHandle) {
        lock(&self.gathering).task = Some(task);
    }

    /// What its query found; `None` where that ended without a word.
    pub(super) async fn end(&self) -> Option<Result<Found<K, V>, Failure>> {
        let mut end = self.end.clone();
        end.wait_for(Option::is_some).await.ok()?.clone()
    }
}

impl<K: LoaderKey, V> Drop for Batch<K, V> {
    /// Nobody waits for it: its query is of no use, and its keys are not asked for any more.
    fn drop(&mut self) {
        let gathering = self.gathering.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = &gathering.task {
            task.abort();
        }
        let Some(state) = self.state.upgrade() else { return };
        let mut inner = lock(&state.inner);
        for key in mem::take(&mut gathering.keys) {
            if matches!(inner.slots.get(&key), Some(Slot::Asked(batch)) if batch.strong_count() == 0) {
                inner.slots.remove(&key);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
