//! The task of one page: waits for a change, renders, publishes.

use super::{Pace, Renders, Source, snapshot::Snapshot};
use futures::FutureExt;
use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::watch;
use tropos_core::Failure;

/// What follows the data of one page.
pub(super) struct Follower<S: Source + ?Sized> {
    key: String,
    source: Arc<S>,
    mark: Option<S::Mark>,
    publish: watch::Sender<Option<Arc<Snapshot>>>,
    begun: Arc<AtomicU64>,
    pace: Pace,
    renders: Arc<Renders>,
}

impl<S: Source + ?Sized> Follower<S> {
    pub(super) fn new(
        key: String,
        source: Arc<S>,
        first: Option<(Arc<str>, S::Mark)>,
        pace: Pace,
        renders: Arc<Renders>,
    ) -> (Self, watch::Receiver<Option<Arc<Snapshot>>>) {
        let mark = first.as_ref().map(|(_, mark)| mark.clone());
        let first = first.map(|(html, mark)| Arc::new(Snapshot::new(0, html, source.clone(), mark, None)));
        let (publish, newest) = watch::channel(first);
        (Self { key, source, mark, publish, begun: Arc::default(), pace, renders }, newest)
    }

    pub(super) fn begun(&self) -> Arc<AtomicU64> {
        self.begun.clone()
    }

    /// Runs until it is aborted, which the last watcher does as it leaves.
    pub(super) async fn run(mut self) {
        let mut failures = 0;
        loop {
            // After a failure the mark is the old one still, and what has changed since it stays changed.
            if let Some(mark) = &self.mark {
                self.source.changed(mark.clone()).await;
            }
            match self.render().await {
                Ok((number, html, mark)) => {
                    failures = 0;
                    self.publish(number, html, mark);
                    // What changes during the pause is not missed: the mark is older than it.
                    tokio::time::sleep(self.pace.pause).await;
                }
                Err(failure) => {
                    let wait = self.pace.after_failures(failures);
                    failures += 1;
                    tracing::warn!(
                        key = self.key, %failure, failures, retry_in_ms = wait.as_millis(),
                        "a live page could not be rendered again; what it shows stays"
                    );
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    async fn render(&self) -> Result<(u64, Arc<str>, S::Mark), Failure> {
        let _permit = self.renders.turn().await;
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let render = AssertUnwindSafe(async { self.source.render().await }).catch_unwind();
        match tokio::time::timeout(self.pace.render_timeout, render).await {
            Ok(Ok(rendered)) => rendered.map(|(html, mark)| (number, html, mark)),
            Ok(Err(_panic)) => Err(Failure::new("the render panicked")),
            Err(_elapsed) => Err(Failure::new("the render took longer than `Pace::render_timeout`")),
        }
    }

    /// Publishes even what looks the same: somebody who has just joined may be waiting for a render that is not older
    /// than the page that they have.
    fn publish(&mut self, number: u64, html: Arc<str>, mark: S::Mark) {
        let before = self.publish.borrow().clone();
        let snapshot = Snapshot::new(number, html, self.source.clone(), mark.clone(), before.as_deref());
        self.mark = Some(mark);
        self.publish.send_replace(Some(Arc::new(snapshot)));
    }
}

impl Pace {
    /// How long to wait before the next try, after so many failures before the last.
    fn after_failures(&self, failures: u32) -> Duration {
        self.first_retry.saturating_mul(2_u32.saturating_pow(failures)).min(self.longest_retry)
    }
}
