//! How many calls each host gets at a time.

use reqwest::Url;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

/// So many calls wait for their turn at one host at most. At the pace of a source that answers in 50 ms that is less
/// than a second of waiting; with a slower one, who comes later would wait in vain.
const MOST_WAITING: usize = 1_000;

/// The calls under way, by host. Hosts without any are not remembered, so there are never more than calls.
pub(crate) struct Hosts {
    limit: usize,
    hosts: Arc<Mutex<HashMap<String, Host>>>,
}

struct Host {
    /// Calls under way, and those that wait.
    calls: usize,
    places: Arc<Semaphore>,
}

/// There was no place in time.
#[derive(Debug)]
pub(crate) struct Full {
    /// How many calls are under way.
    pub(crate) limit: usize,
}

impl Hosts {
    /// At most `limit` calls to a host at a time, and at least one.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit: limit.clamp(1, Semaphore::MAX_PERMITS), hosts: Arc::default() }
    }

    /// Waits until the host of `url` may be called, up to `deadline`. The call is under way until the place is dropped.
    pub(crate) async fn enter(&self, url: &Url, deadline: Instant) -> Result<Place, Full> {
        let name =
            format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(0));
        let full = Full { limit: self.limit };
        let places = {
            let mut hosts = lock(&self.hosts);
            let host = hosts
                .entry(name.clone())
                .or_insert_with(|| Host { calls: 0, places: Arc::new(Semaphore::new(self.limit)) });
            if host.calls >= self.limit.saturating_add(MOST_WAITING) {
                return Err(full);
            }
            host.calls += 1;
            host.places.clone()
        };
        // Before the wait, so that who leaves while waiting is counted out as well.
        let mut place = Place { hosts: self.hosts.clone(), name, permit: None };
        match tokio::time::timeout_at(deadline, places.acquire_owned()).await {
            Ok(Ok(permit)) => {
                place.permit = Some(permit);
                Ok(place)
            }
            Ok(Err(_)) | Err(_) => Err(full),
        }
    }
}

/// A call that is under way, or waits to be.
pub(crate) struct Place {
    hosts: Arc<Mutex<HashMap<String, Host>>>,
    name: String,
    permit: Option<OwnedSemaphorePermit>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut hosts = lock(&self.hosts);
        if let Some(host) = hosts.get_mut(&self.name) {
            host.calls -= 1;
            if host.calls == 0 {
                hosts.remove(&self.name);
            }
        }
        drop(self.permit.take());
    }
}

fn lock(hosts: &Mutex<HashMap<String, Host>>) -> MutexGuard<'_, HashMap<String, Host>> {
    hosts.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn in_a_second() -> Instant {
        Instant::now() + Duration::from_secs(1)
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_gets_so_many_calls_at_a_time_and_others_theirs() {
        let hosts = Hosts::new(2);
        let a = url("http://a/x");
        let first = hosts.enter(&a, in_a_second()).await.unwrap();
        let _second = hosts.enter(&url("http://a:80/y?z"), in_a_second()).await.unwrap();
        let began = Instant::now();
        assert_eq!(hosts.enter(&a, in_a_second()).await.err().unwrap().limit, 2);
        assert_eq!(began.elapsed(), Duration::from_secs(1));
        for other in ["http://b/", "http://a:81/", "https://a/"] {
            hosts.enter(&url(other), Instant::now()).await.unwrap();
        }
        let (third, ()) = tokio::join!(hosts.enter(&a, in_a_second()), async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            drop(first);
        });
        assert!(third.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn no_host_is_remembered_once_its_calls_have_ended_or_left() {
        let hosts = Hosts::new(1);
        let a = url("http://a/");
        let held = hosts.enter(&a, in_a_second()).await.unwrap();
        let left = tokio::time::timeout(Duration::from_millis(1), hosts.enter(&a, in_a_second())).await;
        assert!(left.is_err());
        assert!(hosts.enter(&a, in_a_second()).await.is_err());
        assert_eq!(lock(&hosts.hosts).get("a:80").unwrap().calls, 1);
        drop(held);
        assert!(lock(&hosts.hosts).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn who_finds_too_many_waiting_does_not_wait() {
        let hosts = Hosts::new(1);
        let a = url("http://a/");
        let _held = hosts.enter(&a, in_a_second()).await.unwrap();
        let mut waiting: Vec<_> =
            (0..MOST_WAITING).map(|_| Box::pin(hosts.enter(&a, in_a_second()))).collect();
        for wait in &mut waiting {
            assert!(futures::poll!(wait).is_pending());
        }
        let began = Instant::now();
        assert!(hosts.enter(&a, in_a_second()).await.is_err());
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}
