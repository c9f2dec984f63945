//! The handle on the sequence that everybody shares.

mod following;

use super::{
    Stamp, Strength, TagNumbers, Trust, Validity,
    journal::{self, Journal, new_incarnation},
    shared::{NumbersCopy, SharedSequence},
    versioned::Versioned,
};
use crate::{
    Error,
    positions::{Floor, Log},
    store::{
        guarded::Guarded,
        shared::{Changes, Known},
    },
};
use std::{
    fs::{self, File, TryLockError},
    io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::{oneshot, watch};
use tropos_core::{Clock, Positions, Tag, Tick, UnixMillis};

/// So long the previous process may take to end: as long as a restart that waits for running answers.
const WAIT_FOR_LOCK: Duration = Duration::from_secs(5);

/// Between two tries to lock.
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// The sequence and the numbers on the tags, shared. Cloning gives another handle on the same.
#[derive(Debug, Clone)]
pub struct TagRegistry(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Hits compare its generation. Not the sequence, which another incarnation may share.
    numbers: Versioned<Sequence>,
    changes: watch::Sender<u64>,
    /// Wakes at every change of the floor.
    floor_changes: watch::Sender<()>,
    log: Log,
    backing: Backing,
}

/// The numbers, and beside them what a render that begins now must have seen.
#[derive(Debug)]
struct Sequence {
    numbers: TagNumbers,
    floor: Floor,
}

/// What an invalidation must pass before it takes effect.
#[derive(Debug)]
enum Backing {
    /// Nothing: it ends with the process.
    Process,
    /// A folder of this process alone.
    Folder(Durable),
    /// A store that instances share.
    Shared(SharedSequence),
}

/// The journal, and who waits for it.
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
        Self::over(TagNumbers::new(new_incarnation()), Backing::Process)
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
        Ok(Self::over(numbers, Backing::Folder(durable)))
    }

    /// The sequence of a store that instances share. Where that cannot be reached yet, nothing is trusted until it
    /// can. `remembered` is what an earlier process on this machine knew of it.
    pub(crate) async fn shared(
        store: Arc<Guarded>,
        clock: Arc<dyn Clock>,
        degraded: Duration,
        remembered: Known,
    ) -> Self {
        let sequence = SharedSequence::new(store, clock, degraded, remembered);
        // A sequence that no other shares, until the store says which: nothing made before it answers is kept.
        let registry = Self::over(TagNumbers::new(new_incarnation()), Backing::Shared(sequence));
        registry.confirm().await;
        let keeper = Arc::downgrade(&registry.0);
        tokio::spawn(async move {
            while let Some(shared) = keeper.upgrade() {
                let Backing::Shared(sequence) = &shared.backing else { return };
                sequence.keep_once(&*shared).await;
            }
        });
        registry
    }

    fn over(numbers: TagNumbers, backing: Backing) -> Self {
        let sequence = Sequence { numbers, floor: Floor::default() };
        Self(Arc::new(Shared {
            numbers: Versioned::new(sequence),
            changes: watch::Sender::new(1),
            floor_changes: watch::Sender::default(),
            log: Log::new(),
            backing,
        }))
    }

    /// Where the sequence stands. A render takes it before its first read.
    pub fn current(&self) -> Stamp {
        self.0.numbers.look(|sequence| sequence.numbers.current()).0
    }

    /// How far what is known here may be trusted; always fully where no store is shared.
    pub fn trust(&self, now: Tick) -> Trust {
        match &self.0.backing {
            Backing::Process | Backing::Folder(_) => Trust::Full,
            Backing::Shared(sequence) => sequence.trust(now),
        }
    }

    /// The same, after a try to catch up with the shared store where that is due. Waits half a second at most.
    pub async fn confirm(&self) -> Trust {
        match &self.0.backing {
            Backing::Process | Backing::Folder(_) => Trust::Full,
            Backing::Shared(sequence) => sequence.confirm(&*self.0).await,
        }
    }

    /// The wall clock of the shared store, where there is one and it has answered.
    pub(crate) fn shared_wall(&self, now: Tick) -> Option<UnixMillis> {
        match &self.0.backing {
            Backing::Process | Backing::Folder(_) => None,
            Backing::Shared(sequence) => sequence.wall(now),
        }
    }

    /// Invalidates all that carries one of `tags`, and returns the number it took. When this has returned, no entry
    /// made of older data passes for valid, on any instance, nor after a restart. Who drops it midway does not know
    /// whether it took place.
    ///
    /// # Errors
    /// [`Error::Io`] where the journal could not be written, [`Error::Closed`] after a shutdown; nothing has changed
    /// then, nor with [`Error::Positions`] where the database cannot say how far its log has come. [`Error::Shared`]
    /// where the shared store did not confirm it: it may have taken effect.
    pub async fn invalidate(&self, tags: &[Tag], strength: Strength) -> Result<u64, Error> {
        // Before it takes its number: whoever takes that or a later one finds the floor raised.
        let positions = self.0.ask_log().await?;
        let durable = match &self.0.backing {
            Backing::Process => return Ok(self.0.apply_next(tags, strength)),
            Backing::Shared(sequence) => {
                return Ok(sequence.invalidate(&*self.0, tags, strength, &positions).await?);
            }
            Backing::Folder(durable) => durable,
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

    /// The same, and the generation at which it holds.
    pub(crate) fn validity_at(&self, tags: &[Tag], stamp: Stamp) -> (Validity, u64) {
        self.0.numbers.look(|sequence| sequence.numbers.validity(tags, stamp))
    }

    /// Another number after each change of what is invalidated.
    pub(crate) fn generation(&self) -> u64 {
        self.0.numbers.generation()
    }

    /// Which of `tags` were invalidated since `stamp`, how, and at which number.
    pub fn invalidated_since(&self, tags: &[Tag], stamp: Stamp) -> Vec<(Tag, Strength, u64)> {
        self.0.numbers.look(|sequence| sequence.numbers.invalidated_since(tags, stamp)).0
    }

    /// Wakes at every invalidation.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// What is known of the shared store's sequence, for a process that comes after this one.
    pub(crate) async fn known(&self) -> Option<Known> {
        match &self.0.backing {
            Backing::Process | Backing::Folder(_) => None,
            Backing::Shared(sequence) => Some(sequence.known().await),
        }
    }

    /// Leaves the folder to the next process, or gives back the lease on what is shared. Invalidations fail from now
    /// on where the folder was this process's.
    pub async fn close(&self) {
        if let Backing::Shared(sequence) = &self.0.backing {
            return sequence.leave().await;
        }
        let shared = self.0.clone();
        let closed = tokio::task::spawn_blocking(move || match &shared.backing {
            Backing::Folder(durable) => lock(&durable.journal).take(),
            Backing::Process | Backing::Shared(_) => None,
        });
        drop(closed.await);
    }
}

impl NumbersCopy for Shared {
    fn raise(&self, positions: &Positions) {
        self.raise_floor(positions);
    }

    fn take_over(&self, changes: &Changes) {
        self.change(|Sequence { numbers, .. }| {
            match numbers.current().sequence == changes.reached && changes.marks.is_empty() {
                true => false,
                false => {
                    numbers.take_over(changes);
                    true
                }
            }
        });
    }

    fn replace(&self, another: TagNumbers) {
        self.change(|sequence| {
            // With the sequence the positions of its invalidations may have been lost.
            sequence.floor.doubt();
            sequence.numbers = another;
            true
        });
        self.floor_changes.send_replace(());
    }
}

impl Shared {
    /// Writes all invalidations that wait to the journal, and only then on the tags.
    fn invalidate_waiting(&self) {
        let Backing::Folder(durable) = &self.backing else { return };
        let mut journal = lock(&durable.journal);
        let waiting = std::mem::take(&mut *lock(&durable.waiting));
        if waiting.is_empty() {
            return; // whoever had the journal before has written this one too
        }
        let (written, _) = self.numbers.look(|Sequence { numbers, .. }| {
            let first = numbers.current().sequence + 1;
            let records: String =
                (first..).zip(&waiting).map(|(n, w)| journal::invalidation(n, w.strength, &w.tags)).collect();
            match journal.as_mut() {
                Some(journal) => journal.append(&records, numbers),
                None => Err(Error::Closed),
            }
        });
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
        let mut number = 0;
        self.change(|sequence| {
            number = sequence.numbers.invalidate(tags, strength);
            true
        });
        number
    }

    /// Changes the numbers; `change` says whether it did.
    fn change(&self, change: impl FnOnce(&mut Sequence) -> bool) {
        if let Some(generation) = self.numbers.change(change) {
            // Two at once may come here in either order: the later one stays.
            self.changes.send_modify(|latest| *latest = generation.max(*latest));
        }
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
