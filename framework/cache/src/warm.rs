//! Making again, without a visitor, what an invalidation hit.
//!
//! The invalidation returns first. Then a look at memory finds the pages that carry one of its tags and are not valid;
//! their keys wait in a bounded queue, each once, and one task hands them at a bounded rate to whoever can render: the
//! server [registers](Engine::set_warmer) that. It renders through the same flight as a visitor's request, so that a
//! visitor meanwhile joins it, and a page that a visitor has had made already is not made again.
//!
//! Only pages in the memory of this instance are made again, "not found" left out: those are what visitors ask for.

use crate::{Engine, Validity, report::Walks};
use futures::future::BoxFuture;
use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};
use tokio::{
    sync::Semaphore,
    time::{MissedTickBehavior, interval},
};
use tropos_core::{Key, Tag};

/// Tags whose pages are still to be found. A call has 1,000 at most, so ten calls wait while memory is looked through.
const MOST_TAGS: usize = 10_000;

/// How fast pages are made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WarmLimits {
    /// Renders at a time. Default: 2, so that they take no more than a part of the smallest machine, and of the pool of
    /// its database, from visitors.
    pub at_once: usize,
    /// Renders that begin in a second. Default: 20; a thousand pages are warm in less than a minute, and a source that
    /// bears visitors bears as much.
    pub per_second: u32,
    /// Keys that wait. Default: 10,000, about as many pages as memory holds by default; what is beyond is made at its
    /// next request.
    pub waiting: usize,
}

impl Default for WarmLimits {
    fn default() -> Self {
        Self { at_once: 2, per_second: 20, waiting: 10_000 }
    }
}

/// What an invalidation happened within, in words of who told it, so that what is made again can name it.
pub type Cause = Arc<str>;

type Regenerate = Box<dyn Fn(Key, Option<Cause>) -> BoxFuture<'static, ()> + Send + Sync>;
type NameCause = Box<dyn Fn() -> Option<Cause> + Send + Sync>;

/// What makes pages again, and what waits for it.
#[derive(Default)]
struct Warmer {
    by: OnceLock<By>,
    found: Mutex<Found>,
    queue: Mutex<Queue>,
}

struct By {
    limits: WarmLimits,
    cause: NameCause,
    regenerate: Regenerate,
    /// Of all drivers together.
    turns: Arc<Semaphore>,
}

/// Tags whose pages are to be found, each with what invalidated it last, and whether somebody does so.
#[derive(Default)]
struct Found {
    tags: HashMap<Tag, Option<Cause>>,
    busy: bool,
}

/// Keys in the order in which they came, each once.
#[derive(Default)]
struct Queue {
    waiting: VecDeque<(Key, Option<Cause>)>,
    known: HashSet<Key>,
    /// Whether a task takes keys out of it.
    driven: bool,
}

impl Queue {
    /// Adds a key that does not wait already; gives whether there was room.
    fn push(&mut self, key: Key, cause: Option<Cause>, most: usize) -> bool {
        if self.known.contains(&key) {
            return true;
        }
        if self.waiting.len() >= most {
            return false;
        }
        self.known.insert(key.clone());
        self.waiting.push_back((key, cause));
        true
    }

    /// The next key; from now on it may come again.
    fn pop(&mut self) -> Option<(Key, Option<Cause>)> {
        let (key, cause) = self.waiting.pop_front()?;
        self.known.remove(&key);
        Some((key, cause))
    }
}

impl Engine {
    /// Says how a page is made again by its key. The first who says so stands; without anybody, nothing is warmed.
    ///
    /// `regenerate` should wait for the render, since the number of renders at a time is counted by it. It is given what
    /// `cause` said within the invalidation that asked for it.
    pub fn set_warmer(
        &self,
        limits: WarmLimits,
        cause: impl Fn() -> Option<Cause> + Send + Sync + 'static,
        regenerate: impl Fn(Key, Option<Cause>) -> BoxFuture<'static, ()> + Send + Sync + 'static,
    ) {
        let turns = Arc::new(Semaphore::new(limits.at_once.max(1)));
        let by = By { limits, cause: Box::new(cause), regenerate: Box::new(regenerate), turns };
        if self.extension(Warmer::default).by.set(by).is_err() {
            tracing::warn!("this engine has a warmer already, which stays");
        }
    }

    /// Has the pages made again, in the background, that are in memory, carry one of `tags` and are not valid. Call it
    /// after the invalidation. Returns at once.
    pub fn warm(&self, tags: &[Tag]) {
        let warmer = self.extension(Warmer::default);
        let Some(by) = warmer.by.get() else {
            tracing::debug!("nothing is warmed: no server has said how a page is rendered");
            return;
        };
        let cause = (by.cause)();
        let mut found = lock(&warmer.found);
        let room = MOST_TAGS.saturating_sub(found.tags.len());
        found.tags.extend(tags.iter().take(room).map(|tag| (tag.clone(), cause.clone())));
        if tags.len() > room {
            tracing::warn!(left_out = tags.len() - room, "too many tags wait to be warmed");
        }
        if !std::mem::replace(&mut found.busy, true) {
            drop(found);
            tokio::spawn(find(self.clone(), warmer));
        }
    }
}

/// Looks memory through, once for all tags that have come by then, until no more have come.
async fn find(engine: Engine, warmer: Arc<Warmer>) {
    loop {
        let walks = Walks::of(&engine);
        let turn = walks.turn().await;
        let tags = {
            let mut found = lock(&warmer.found);
            let tags = std::mem::take(&mut found.tags);
            found.busy = !tags.is_empty();
            tags
        };
        if tags.is_empty() {
            return;
        }
        let of = engine.clone();
        let looked = tokio::task::spawn_blocking(move || {
            let mut keys = Vec::new();
            walks.walk(&of.pages().inner().memory, |key, entry| {
                let cause = entry.meta.tags.iter().find_map(|tag| tags.get(tag));
                if let Some(cause) = cause.filter(|_| entry.validity(of.tags()) != Validity::Valid) {
                    keys.push((key.clone(), cause.clone()));
                }
            });
            drop(turn);
            keys
        });
        enqueue(&warmer, looked.await.unwrap_or_default());
    }
}

fn enqueue(warmer: &Arc<Warmer>, keys: Vec<(Key, Option<Cause>)>) {
    let Some(By { limits, .. }) = warmer.by.get() else { return };
    let found = keys.len();
    let mut queue = lock(&warmer.queue);
    let mut left_out = 0;
    for (key, cause) in keys {
        left_out += usize::from(!queue.push(key, cause, limits.waiting));
    }
    tracing::debug!(found, left_out, waiting = queue.waiting.len(), "pages wait to be made again");
    if left_out > 0 {
        tracing::warn!(left_out, "too many pages wait to be warmed; these are made at their next request");
    }
    if !queue.waiting.is_empty() && !std::mem::replace(&mut queue.driven, true) {
        drop(queue);
        tokio::spawn(drive(warmer.clone()));
    }
}

/// Hands out keys until there are none. It ends one period after the last key at the earliest, so that drivers one after
/// another do not exceed the rate either.
async fn drive(warmer: Arc<Warmer>) {
    let Some(By { limits, turns, .. }) = warmer.by.get() else { return };
    let mut pace = interval(Duration::from_secs(1) / limits.per_second.max(1));
    // What was missed while renders were slow is not made up for by a burst.
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        pace.tick().await;
        let Ok(turn) = turns.clone().acquire_owned().await else { return };
        let next = {
            let mut queue = lock(&warmer.queue);
            let next = queue.pop();
            queue.driven = next.is_some();
            next
        };
        let Some((key, cause)) = next else { return };
        let warmer = warmer.clone();
        tokio::spawn(async move {
            if let Some(by) = warmer.by.get() {
                (by.regenerate)(key, cause).await;
            }
            drop(turn);
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
