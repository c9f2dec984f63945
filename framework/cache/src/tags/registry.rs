//! The handle on the sequence that everybody shares.

use super::{
    Stamp, Strength, TagNumbers, Validity,
    journal::{self, Journal},
};
use crate::Error;
use std::{
    fs::{self, File, TryLockError},
    io,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::{oneshot, watch};
use tropos_core::Tag;

/// So long the previous process may take to end: as long as a restart that waits for running answers.
const WAIT_FOR_LOCK: Duration = Duration::from_secs(5);

/// Between two tries to lock.
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// The sequence and the numbers on the tags, shared. Cloning gives another handle on the same.
#[derive(Debug, Clone)]
pub struct TagRegistry(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    incarnation: u64,
    /// A copy of the sequence in `numbers`, written after it: what a hit compares.
    sequence: AtomicU64,
    numbers: RwLock<TagNumbers>,
    changes: watch::Sender<u64>,
    durable: Option<Durable>,
}

/// What an invalidation must pass before it takes effect.
#[derive(Debug)]
struct Durable {
    /// `None` after a shutdown.
    journal: Mutex<Option<Journal>>,
    /// Invalidations that wait for the journal: whoever has it next writes all of them with one sync.
    waiting: Mutex<Vec<Waiting>>,
}

#[derive(Debug)]
struct Waiting {
    tags: Vec<Tag>,
    strength: Strength,
    reply: oneshot::Sender<Result<u64, Error>>,
}

impl TagRegistry {
    /// A sequence of its own that ends with the process.
    pub fn in_memory() -> Self {
        Self::over(TagNumbers::new(rand::random_range(1..=u64::MAX)), None)
    }

    /// The sequence that the folder remembers. The folder is this process's until [`close`](Self::close).
    ///
    /// # Errors
    /// [`Error::Locked`] where another process uses the folder and goes on to do so for 5 s; [`Error::Io`].
    pub async fn open(dir: &Path) -> Result<Self, Error> {
        let lock = lock_folder(dir).await?;
        let dir = dir.to_owned();
        let opened = tokio::task::spawn_blocking(move || Journal::open(&dir, lock)).await;
        let (journal, numbers) = opened.unwrap_or(Err(Error::Closed))?;
        let durable = Durable { journal: Mutex::new(Some(journal)), waiting: Mutex::default() };
        Ok(Self::over(numbers, Some(durable)))
    }

    fn over(numbers: TagNumbers, durable: Option<Durable>) -> Self {
        let Stamp { incarnation, sequence } = numbers.current();
        Self(Arc::new(Shared {
            incarnation,
            sequence: AtomicU64::new(sequence),
            numbers: RwLock::new(numbers),
            changes: watch::Sender::new(sequence),
            durable,
        }))
    }

    /// Where the sequence stands. A render takes it before its first read.
    pub fn current(&self) -> Stamp {
        Stamp { incarnation: self.0.incarnation, sequence: self.0.sequence.load(Ordering::Acquire) }
    }

    /// Invalidates all that carries one of `tags`, and returns the number it took. When this has returned, no entry
    /// made of older data passes for valid, nor after a restart. Who drops it midway does not know whether it took
    /// place.
    ///
    /// # Errors
    /// [`Error::Io`] where the journal could not be written, [`Error::Closed`] after a shutdown; nothing has changed
    /// then.
    pub async fn invalidate(&self, tags: &[Tag], strength: Strength) -> Result<u64, Error> {
        let Some(durable) = &self.0.durable else {
            return Ok(self.0.apply_next(tags, strength));
        };
        let (reply, replied) = oneshot::channel();
        lock(&durable.waiting).push(Waiting { tags: tags.to_vec(), strength, reply });
        let shared = self.0.clone();
        // Syncing blocks, so it has a thread of its own; and it goes on should the caller be dropped.
        tokio::task::spawn_blocking(move || shared.invalidate_waiting());
        replied.await.unwrap_or(Err(Error::Closed))
    }

    /// What has happened since `stamp` to anything with one of `tags`.
    pub fn validity(&self, tags: &[Tag], stamp: Stamp) -> Validity {
        self.validity_at(tags, stamp).0
    }

    /// The same, and the sequence at which it holds.
    pub(crate) fn validity_at(&self, tags: &[Tag], stamp: Stamp) -> (Validity, u64) {
        let numbers = self.0.numbers.read().unwrap_or_else(PoisonError::into_inner);
        (numbers.validity(tags, stamp), numbers.current().sequence)
    }

    /// Wakes at every invalidation; holds the number of the latest.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// Leaves the folder to the next process. Invalidations fail from now on.
    pub async fn close(&self) {
        let shared = self.0.clone();
        let closed = tokio::task::spawn_blocking(move || {
            shared.durable.as_ref().map(|durable| lock(&durable.journal).take())
        });
        drop(closed.await);
    }
}

impl Shared {
    /// Writes all invalidations that wait to the journal, and only then on the tags.
    fn invalidate_waiting(&self) {
        let Some(durable) = &self.durable else { return };
        let mut journal = lock(&durable.journal);
        let waiting = std::mem::take(&mut *lock(&durable.waiting));
        if waiting.is_empty() {
            return; // whoever had the journal before has written this one too
        }
        let numbers = self.numbers.read().unwrap_or_else(PoisonError::into_inner);
        let first = numbers.current().sequence + 1;
        let records: String =
            (first..).zip(&waiting).map(|(n, w)| journal::invalidation(n, w.strength, &w.tags)).collect();
        let written = match journal.as_mut() {
            Some(journal) => journal.append(&records, &numbers),
            None => Err(Error::Closed),
        };
        drop(numbers);
        for Waiting { tags, strength, reply } in waiting {
            let result = match &written {
                Ok(()) => Ok(self.apply_next(&tags, strength)),
                Err(error) => Err(error.again()),
            };
            // Who asked may be gone; the invalidation holds nevertheless.
            drop(reply.send(result));
        }
    }

    fn apply_next(&self, tags: &[Tag], strength: Strength) -> u64 {
        let mut numbers = self.numbers.write().unwrap_or_else(PoisonError::into_inner);
        let number = numbers.invalidate(tags, strength);
        self.sequence.store(number, Ordering::Release);
        drop(numbers);
        // Two at once may come here in either order: the later number stays.
        self.changes.send_modify(|latest| *latest = number.max(*latest));
        number
    }
}

/// Makes the folder and locks it, waiting a while for the process that had it before.
async fn lock_folder(dir: &Path) -> Result<File, Error> {
    let io = |what, path: &Path, source: io::Error| Error::Io { what, path: path.to_owned(), source };
    fs::create_dir_all(dir).map_err(|source| io("create", dir, source))?;
    let path = dir.join("lock");
    let file = File::create(&path).map_err(|source| io("create", &path, source))?;
    let mut tries = WAIT_FOR_LOCK.as_millis() / LOCK_PAUSE.as_millis();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(source)) => return Err(io("lock", &path, source)),
            Err(TryLockError::WouldBlock) if tries == 0 => return Err(Error::Locked { dir: dir.to_owned() }),
            Err(TryLockError::WouldBlock) => tokio::time::sleep(LOCK_PAUSE).await,
        }
        tries -= 1;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
