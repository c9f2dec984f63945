//! What is told of the caches, to who counts it: nothing here knows metrics.

use crate::{Engine, Reason, Strength};
use std::{fmt, sync::OnceLock, time::Duration};
use tropos_core::{Failure, Key};

/// Counts what happens in the caches. Called in the midst of things: it must neither wait nor take long.
///
/// Hits of pages are not told: they are answered by [`peek`](crate::Cache::peek) and [`peek_at`](crate::Cache::peek_at),
/// and who asks these knows.
pub trait Observer: Send + Sync + 'static {
    /// [`Cache::serve`](crate::Cache::serve) has answered.
    fn read(&self, read: &Read<'_>);
    /// A render that is to be stored has ended.
    fn rendered(&self, render: &Rendered<'_>);
    /// A reader has waited for a render that another had begun.
    fn waited(&self, key: &Key, took: Duration);
    /// An invalidation has taken effect, on all instances that share a store; or was not confirmed.
    fn invalidated(&self, invalidation: &Invalidated);
}

/// One read.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Read<'a> {
    /// What was read.
    pub key: &'a Key,
    /// The route of the page that read it, where that is known.
    pub route: Option<&'static str>,
    /// Where the answer came from.
    pub reason: Reason,
    /// What a hit saved; nothing of other answers.
    pub saved: Saved,
}

/// What a hit saved: the render of the very entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Saved {
    /// The database queries that the render would have run without any cache.
    pub queries: u32,
    /// How long it took.
    pub time: Duration,
}

/// One render.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Rendered<'a> {
    /// What it was to be stored under.
    pub key: &'a Key,
    /// The route of the page that it was for, where that is known.
    pub route: Option<&'static str>,
    /// Whether nobody waited for it.
    pub background: bool,
    /// How long it took.
    pub took: Duration,
    /// Whether it failed.
    pub failed: bool,
    /// Why it failed, if it did; a panic is [`RenderPanicked`](crate::RenderPanicked).
    pub failure: Option<&'a Failure>,
    /// Whether it failed while there is an earlier good entry, which is given meanwhile.
    pub kept: bool,
}

/// One invalidation.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Invalidated {
    /// How.
    pub strength: Strength,
    /// What it had to reach: `process`, `disk` or `shared`.
    pub store: &'static str,
    /// How long that took: with a shared store, until the last of the other instances had it or had lost its lease.
    pub took: Duration,
    /// Whether it was confirmed.
    pub well: bool,
}

/// Who counts; nobody until somebody is named, and then that one.
#[derive(Default)]
pub(crate) struct Observed(OnceLock<Box<dyn Observer>>);

impl Observed {
    pub(crate) fn by(&self) -> Option<&dyn Observer> {
        self.0.get().map(|observer| &**observer)
    }
}

impl Engine {
    /// Has `observer` told what happens in the caches. The first one stays.
    pub fn observe(&self, observer: impl Observer) {
        if self.counts().observed.0.set(Box::new(observer)).is_err() {
            tracing::warn!("this engine is observed already, by who goes on to be told");
        }
    }
}

impl fmt::Debug for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Observed").field(&self.0.get().is_some()).finish()
    }
}
