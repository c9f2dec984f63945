//! The process that answers now, and the change from one to the next.

use super::Body;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::sync::watch;
use tokio_util::task::{TaskTracker, task_tracker::TaskTrackerToken};

/// A process of the application that answers.
pub(crate) struct Application {
    /// Counts the processes, from 1.
    pub(crate) version: u64,
    pub(crate) public: SocketAddr,
    pub(crate) admin: SocketAddr,
    /// Its own, so that connections to it end with it.
    pub(crate) client: Client<HttpConnector, Body>,
    /// What it is answering.
    running: TaskTracker,
}

impl Application {
    pub(crate) fn new(version: u64, public: SocketAddr, admin: SocketAddr) -> Arc<Self> {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Arc::new(Self { version, public, admin, client, running: TaskTracker::new() })
    }

    /// Waits until it has answered everything, and for `at_most` so long. Event streams do not count: they move on to
    /// the next process.
    pub(crate) async fn idle(&self, at_most: Duration) {
        self.running.close();
        let _ = tokio::time::timeout(at_most, self.running.wait()).await;
    }
}

/// A process that is not told to end while this is held.
pub(crate) struct Held {
    pub(crate) application: Arc<Application>,
    pub(crate) token: TaskTrackerToken,
}

/// Which process answers.
pub(crate) struct Upstream(watch::Sender<Option<Arc<Application>>>);

impl Upstream {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(None))
    }

    /// Sends what comes from now on to another process, and returns the one before.
    pub(crate) fn switch(&self, to: Option<Arc<Application>>) -> Option<Arc<Application>> {
        self.0.send_replace(to)
    }

    /// No process answers, if it was this one that did.
    pub(crate) fn lost(&self, version: u64) -> bool {
        self.0.send_if_modified(|current| {
            let is_it = current.as_ref().is_some_and(|current| current.version == version);
            if is_it {
                *current = None;
            }
            is_it
        })
    }

    pub(crate) fn current(&self) -> Option<Arc<Application>> {
        self.0.borrow().clone()
    }

    /// The process that answers now, held.
    pub(crate) fn acquire(&self) -> Option<Held> {
        // The token is taken while `switch` is locked out: who is switched away from knows all that it was given.
        let current = self.0.borrow();
        let application = current.clone()?;
        let token = application.running.token();
        Some(Held { application, token })
    }

    /// Waits for a process, but for `but` if one is named, and for `at_most` so long.
    pub(crate) async fn wait(&self, but: Option<u64>, at_most: Duration) -> Option<Held> {
        let mut watched = self.0.subscribe();
        let is_meant = |current: &Option<Arc<Application>>| {
            current.as_ref().is_some_and(|current| Some(current.version) != but)
        };
        let found = tokio::time::timeout(at_most, async { watched.wait_for(is_meant).await.is_ok() }).await;
        if found.unwrap_or(false) { self.acquire() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn application(version: u64) -> Arc<Application> {
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
        Application::new(version, nowhere, nowhere)
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_is_idle_once_what_it_was_given_is_answered() {
        let upstream = Upstream::new();
        assert!(upstream.acquire().is_none());
        upstream.switch(Some(application(1)));
        let held = upstream.acquire().unwrap();
        let old = upstream.switch(Some(application(2))).unwrap();
        assert_eq!((old.version, upstream.acquire().unwrap().application.version), (1, 2));
        let start = tokio::time::Instant::now();
        old.idle(Duration::from_secs(3)).await;
        assert_eq!(start.elapsed(), Duration::from_secs(3));
        drop(held);
        old.idle(Duration::from_secs(3)).await;
        assert_eq!(start.elapsed(), Duration::from_secs(3));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_given_the_next_process_or_none() {
        let upstream = Arc::new(Upstream::new());
        assert!(upstream.wait(None, Duration::from_secs(1)).await.is_none());
        upstream.switch(Some(application(1)));
        assert!(upstream.wait(Some(1), Duration::from_secs(1)).await.is_none());
        let waiting = upstream.clone();
        let waiting = tokio::spawn(async move { waiting.wait(Some(1), Duration::from_secs(60)).await });
        tokio::task::yield_now().await;
        upstream.switch(Some(application(2)));
        assert_eq!(waiting.await.unwrap().unwrap().application.version, 2);
        assert!(!upstream.lost(1) && upstream.lost(2) && upstream.current().is_none());
    }
}
