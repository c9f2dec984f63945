//! Invalidations that wait for the end of a transaction.

use crate::{Engine, Error, Scope, Strength};
use std::{
    collections::BTreeSet,
    fmt, mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;
use tracing::Instrument;
use tropos_core::Tag;

/// Names that one transaction may have wait: as many as the memory of a small machine bears, ten megabytes. Who changes
/// more than that at once had better name a list, or a prefix.
pub(crate) const MOST_HELD: usize = 100_000;

/// Calls that one transaction may have wait for its end: a figure for each line of the largest order.
const MOST_CALLS: usize = 10_000;

/// An invalidation that fails after the commit is tried again for so long. A fail-over of the shared store takes longer;
/// but somebody waits for the answer.
const EFFORT: Duration = Duration::from_secs(3);

/// The same where nobody waits: as long as the restart of a database or of a store takes.
const EFFORT_IN_DOUBT: Duration = Duration::from_secs(60);

/// Between two tries: short at first, and never so long that a store which is back is left waiting.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The open holds of a scope.
#[derive(Debug, Default)]
pub(crate) struct Holds(Mutex<Vec<Arc<Mutex<Held>>>>);

/// What waits for one of them. What is both hard and soft is done both ways.
#[derive(Debug, Default)]
struct Held {
    hard: BTreeSet<Tag>,
    soft: BTreeSet<Tag>,
    warm: BTreeSet<Tag>,
    calls: Vec<Arc<Call>>,
}

/// What is called after the first commit of those that it waits for.
struct Call(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Call {
    fn make(&self) {
        // Taken out first, so that it may itself open a transaction.
        let call = lock(&self.0).take();
        if let Some(call) = call {
            call();
        }
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Call")
    }
}

/// Holds the invalidations of a scope back while a transaction is open: those by
/// [`revalidate`](crate::revalidate). Those through the engine are not held.
///
/// Open it before the first statement of the transaction. Dropping it is [`forget`](Self::forget), as a transaction that
/// is dropped is rolled back; unless [`commit_sent`](Self::commit_sent) was called.
///
/// Where several are open in a scope at once, nobody can know to which of them an invalidation belongs: it takes effect
/// after each commit of one that was open when it was made, and not at all where all of them were rolled back. One too
/// many makes a page anew in vain, one too few would leave it wrong.
#[derive(Debug)]
#[must_use = "what is held is forgotten when this is dropped"]
pub struct Hold {
    scope: Scope,
    held: Arc<Mutex<Held>>,
    in_doubt: bool,
}

impl Hold {
    pub(crate) fn open(scope: Scope) -> Self {
        let held = Arc::<Mutex<Held>>::default();
        scope.holds().list().push(held.clone());
        Self { scope, held, in_doubt: false }
    }

    /// The commit is on its way. Until it has answered nobody knows whether the transaction takes place, so from now on
    /// dropping this has what is held take effect in the background, for as long as a minute of tries. Where the database
    /// says that it has rolled back, call [`forget`](Self::forget).
    pub fn commit_sent(&mut self) {
        self.in_doubt = true;
    }

    /// The transaction is committed: what was held takes effect, in one step for each strength. When this has returned,
    /// it has. Failures are tried again for three seconds. Who drops this midway stops nothing.
    ///
    /// # Errors
    /// [`Error::AfterCommit`] with what is left to be invalidated: the transaction stands nevertheless.
    pub async fn take_effect(mut self) -> Result<(), Error> {
        let mut held = self.end();
        self.in_doubt = false;
        held.call();
        if held.is_empty() {
            return Ok(());
        }
        let (engine, names) = (self.scope.engine().clone(), held.names());
        // In a task of its own: a client who leaves now must not take along what the commit has made due.
        let task = tokio::spawn(held.take_effect(engine, EFFORT).in_current_span());
        let gone = |_| Err(Error::AfterCommit { tags: names, cause: Box::new(Error::Closed) });
        task.await.unwrap_or_else(gone)
    }

    /// The transaction is rolled back: what was held is forgotten.
    pub fn forget(mut self) {
        self.in_doubt = false;
    }

    /// Holds nothing back any more, and gives what was.
    fn end(&mut self) -> Held {
        // First out of the scope's list, so that nothing is added afterwards.
        self.scope.holds().list().retain(|open| !Arc::ptr_eq(open, &self.held));
        mem::take(&mut *lock(&self.held))
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut held = self.end();
        if !self.in_doubt {
            return;
        }
        held.call();
        if held.is_empty() {
            return;
        }
        let engine = self.scope.engine().clone();
        let background = async move {
            if let Err(error) = held.take_effect(engine, EFFORT_IN_DOUBT).await {
                tracing::error!(%error, "a transaction may have been committed whose invalidation failed");
            }
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(background.in_current_span())),
            Err(_) => tracing::error!("a transaction may have been committed, and the runtime is gone"),
        }
    }
}

impl Holds {
    /// Whether one is open.
    pub(crate) fn any(&self) -> bool {
        !self.list().is_empty()
    }

    /// Leaves an invalidation to all that are open; false where none is.
    pub(crate) fn defer(&self, tags: &[Tag], strength: Strength, warm: bool) -> Result<bool, Error> {
        let open = self.list();
        if open.iter().any(|held| lock(held).len().saturating_add(tags.len()) > MOST_HELD) {
            return Err(Error::TooManyHeld { most: MOST_HELD });
        }
        for held in open.iter() {
            lock(held).add(tags, strength, warm);
        }
        Ok(!open.is_empty())
    }

    /// Calls `call` after the first commit of those that are open, and never where all are rolled back; now where none is open.
    pub(crate) fn after_commit(&self, call: Box<dyn FnOnce() + Send>) -> Result<(), Error> {
        let open = self.list();
        if open.is_empty() {
            drop(open);
            call();
            return Ok(());
        }
        if open.iter().any(|held| lock(held).calls.len() >= MOST_CALLS) {
            return Err(Error::TooManyHeld { most: MOST_CALLS });
        }
        let call = Arc::new(Call(Mutex::new(Some(call))));
        for held in open.iter() {
            lock(held).calls.push(call.clone());
        }
        Ok(())
    }

    fn list(&self) -> MutexGuard<'_, Vec<Arc<Mutex<Held>>>> {
        lock(&self.0)
    }
}

impl Held {
    fn add(&mut self, tags: &[Tag], strength: Strength, warm: bool) {
        let names = match strength {
            Strength::Hard => &mut self.hard,
            Strength::Soft => &mut self.soft,
        };
        names.extend(tags.iter().cloned());
        if warm {
            self.warm.extend(tags.iter().cloned());
        }
    }

    /// Makes the calls that wait.
    fn call(&mut self) {
        mem::take(&mut self.calls).iter().for_each(|call| call.make());
    }

    fn len(&self) -> usize {
        self.hard.len() + self.soft.len()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn names(&self) -> Vec<Tag> {
        self.hard.union(&self.soft).cloned().collect()
    }

    async fn take_effect(mut self, engine: Engine, effort: Duration) -> Result<(), Error> {
        let (began, mut pause) = (Instant::now(), FIRST_PAUSE);
        while let Err(cause) = self.once(&engine).await {
            // After a shutdown it will not become better.
            if matches!(cause, Error::Closed) || began.elapsed() + pause > effort {
                return Err(Error::AfterCommit { tags: self.names(), cause: Box::new(cause) });
            }
            tracing::warn!(%cause, "an invalidation after a commit failed, and is tried again");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Ok(())
    }

    /// One try; what has succeeded is not left for the next.
    async fn once(&mut self, engine: &Engine) -> Result<(), Error> {
        for (names, strength) in [(&mut self.hard, Strength::Hard), (&mut self.soft, Strength::Soft)] {
            if !names.is_empty() {
                let tags: Vec<Tag> = names.iter().cloned().collect();
                engine.invalidate(&tags, strength).await?;
                names.clear();
            }
        }
        if !self.warm.is_empty() {
            engine.warm(&mem::take(&mut self.warm).into_iter().collect::<Vec<_>>());
        }
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
