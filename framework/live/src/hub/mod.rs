//! Who watches which page, and one render a change for all who watch the same.

mod follow;
mod snapshot;
mod subscription;

pub use subscription::{Event, Subscription};

use crate::{Error, Since};
use follow::Follower;
use futures::future::BoxFuture;
use snapshot::Snapshot;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{Semaphore, SemaphorePermit, watch},
    task::AbortHandle,
};
use tropos_core::Failure;

/// The inner HTML of a page's body with the mark under which it was read, or why there is none.
pub type Rendered<M> = Result<(Arc<str>, M), Failure>;

/// A page that can be rendered again.
pub trait Source: Send + Sync + 'static {
    /// When a render read its data: what [`changed`](Self::changed) compares with.
    type Mark: Clone + Send + Sync + 'static;

    /// Renders the page. The mark must be taken **before** the first read: a change during the render then counts as
    /// one after it, and is rendered again.
    fn render(&self) -> BoxFuture<'static, Rendered<Self::Mark>>;

    /// Resolves once something that the render read has changed since `mark`; at once if it already has.
    fn changed(&self, mark: Self::Mark) -> BoxFuture<'static, ()>;
}

/// How much an instance takes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Open streams. 10,000 by default: beyond, file descriptors and sockets are the next thing to run out.
    pub watchers: usize,
    /// Pages that differ. 10,000 by default: each personal page is one of its own.
    pub keys: usize,
    /// Renders at a time. 64 by default: a tag that every page reads is invalidated, and all of them want to render
    /// at once, beside the requests for which the database is there in the first place.
    pub renders: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { watchers: 10_000, keys: 10_000, renders: 64 }
    }
}

/// How fast a page follows its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The pause between two renders of one page. 50 ms by default: too short for a reader to notice, and a storm of
    /// invalidations costs twenty renders a second and page, however many they are. The first of them renders at once.
    pub pause: Duration,
    /// How long the next try waits after a failed render. 1 s by default; doubles with each failure.
    pub first_retry: Duration,
    /// The longest that it waits. 30 s by default.
    pub longest_retry: Duration,
    /// After which a render counts as failed. 30 s by default.
    pub render_timeout: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            pause: Duration::from_millis(50),
            first_retry: Duration::from_secs(1),
            longest_retry: Duration::from_secs(30),
            render_timeout: Duration::from_secs(30),
        }
    }
}

/// The pages that are being watched on this instance. Clones share them.
#[derive(Debug, Clone)]
pub struct Hub(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limits: Limits,
    pace: Pace,
    renders: Arc<Renders>,
    state: Mutex<State>,
}

/// Who renders, and who waits for their turn.
#[derive(Debug)]
struct Renders {
    turns: Semaphore,
    waiting: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    pages: HashMap<String, Page>,
    watchers: usize,
    /// Numbers the pages, so that a subscription to one that was closed does not leave its successor under the same key.
    made: u64,
    closed: bool,
}

/// One page, and the task that follows its data.
#[derive(Debug)]
struct Page {
    id: u64,
    watchers: usize,
    newest: watch::Receiver<Option<Arc<Snapshot>>>,
    /// How many renders have begun.
    begun: Arc<AtomicU64>,
    task: AbortHandle,
}

impl Default for Hub {
    fn default() -> Self {
        Self::new(Limits::default(), Pace::default())
    }
}

impl Hub {
    /// A hub with nobody in it.
    pub fn new(limits: Limits, pace: Pace) -> Self {
        // A hub that may render nothing would leave every page waiting without a word.
        let turns = Semaphore::new(limits.renders.clamp(1, Semaphore::MAX_PERMITS));
        let renders = Arc::new(Renders { turns, waiting: AtomicUsize::new(0) });
        Self(Arc::new(Inner { limits, pace, renders, state: Mutex::default() }))
    }

    /// Watches the page under `key`. All who watch one key share its source and its renders, so **whatever is personal
    /// in a page must be in its key**.
    ///
    /// `first` is a render of this very page that exists already, as [`Pending`](crate::Pending) keeps it: it saves
    /// the first render of somebody who is alone. Where others watch the key, it is dropped.
    ///
    /// # Errors
    /// [`Error::Full`] where a bound is reached; [`Error::Closed`] after [`shutdown`](Self::shutdown).
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn watch<S: Source + ?Sized>(
        &self,
        key: String,
        source: Arc<S>,
        first: Option<(Arc<str>, S::Mark)>,
        since: Since,
    ) -> Result<Subscription, Error> {
        let Inner { limits, pace, renders, .. } = &*self.0;
        let mut state = self.state();
        if state.closed {
            return Err(Error::Closed);
        }
        if state.watchers >= limits.watchers {
            return Err(Error::Full { what: "watchers", limit: limits.watchers });
        }
        if !state.pages.contains_key(&key) && state.pages.len() >= limits.keys {
            return Err(Error::Full { what: "keys", limit: limits.keys });
        }
        state.watchers += 1;
        state.made += 1;
        let id = state.made;
        let page = state.pages.entry(key.clone()).or_insert_with_key(|key| {
            let (follower, newest) = Follower::new(key.clone(), source, first, *pace, renders.clone());
            let begun = follower.begun();
            Page { id, watchers: 0, newest, begun, task: tokio::spawn(follower.run()).abort_handle() }
        });
        page.watchers += 1;
        let place = Place { hub: self.clone(), key, id: page.id };
        Ok(Subscription::new(place, page.newest.clone(), page.begun.load(Ordering::SeqCst), since))
    }

    /// Ends every stream under `key`, as after a log-out: who may still see the page connects again.
    pub fn close(&self, key: &str) {
        if let Some(page) = self.state().pages.remove(key) {
            page.task.abort();
        }
    }

    /// Ends every stream and takes no new one.
    pub fn shutdown(&self) {
        let mut state = self.state();
        state.closed = true;
        for (_, page) in state.pages.drain() {
            page.task.abort();
        }
    }

    /// How many streams are open.
    pub fn watchers(&self) -> usize {
        self.state().watchers
    }

    /// How many pages are watched.
    pub fn keys(&self) -> usize {
        self.state().pages.len()
    }

    /// How many pages have changed and wait for their turn to render.
    pub fn waiting(&self) -> usize {
        self.0.renders.waiting.load(Ordering::Relaxed)
    }

    /// Some of the pages that are watched, at most so many: each with its key and how many watch it.
    pub fn watched(&self, most: usize) -> Vec<(String, usize)> {
        self.state().pages.iter().take(most).map(|(key, page)| (key.clone(), page.watchers)).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Renders {
    /// Waits for a turn; who gives up waits no more.
    async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        struct Waits<'a>(&'a AtomicUsize);
        impl Drop for Waits<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waits = Waits(&self.waiting);
        // Nobody closes it.
        self.turns.acquire().await.ok()
    }
}

/// A watcher's place, given up when dropped. The last one ends the page's task.
#[derive(Debug)]
struct Place {
    hub: Hub,
    key: String,
    id: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.hub.state();
        state.watchers -= 1;
        let Some(page) = state.pages.get_mut(&self.key).filter(|page| page.id == self.id) else {
            return;
        };
        page.watchers -= 1;
        if page.watchers == 0 {
            page.task.abort();
            state.pages.remove(&self.key);
        }
    }
}
