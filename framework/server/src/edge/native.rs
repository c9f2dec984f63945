//! What the server offers to hooks: the engine's clock, chance, counts of this instance, fetches, and what the application
//! looks up for them.

use bytes::Bytes;
use futures::future::BoxFuture;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tropos_core::{Clock, Failure, UnixMillis};
use tropos_edge::{
    Error, Platform,
    platform::Count,
    ready::rate_limit::{Counters, Window},
};

/// A hook's fetch takes at most so long: a visitor waits for it.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest answer to a hook's fetch: a set of keys or a table, no document.
const LONGEST_ANSWER: usize = 1 << 20;

/// A look-up takes at most so long, for the same reason.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// Looks a name up in a store of the application: its arguments are the store and the name.
pub(crate) type Lookup =
    Arc<dyn Fn(String, String) -> BoxFuture<'static, Result<Option<Bytes>, Failure>> + Send + Sync>;

/// The server as hooks see it.
pub(crate) struct Native {
    clock: Arc<dyn Clock>,
    /// Of this instance alone: behind a balancer a client gets the limit once from each.
    counters: Mutex<Counters>,
    lookup: Option<Lookup>,
}

impl Native {
    /// Over the engine's clock.
    pub(crate) fn new(clock: Arc<dyn Clock>, lookup: Option<Lookup>) -> Self {
        Self { clock, counters: Mutex::default(), lookup }
    }

    fn counted(&self, key: &str, most: u32, seconds: u32, window: Window) -> Count {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        counters.count(key, most, seconds, window, self.clock.wall())
    }
}

impl Platform for Native {
    fn now(&self) -> UnixMillis {
        self.clock.wall()
    }

    fn random(&self) -> u64 {
        rand::random()
    }

    fn lookup<'a>(&'a self, store: &'a str, name: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, Error>> {
        Box::pin(async move {
            let Some(lookup) = &self.lookup else { return Ok(None) };
            let found = tokio::time::timeout(LOOKUP_TIMEOUT, lookup(store.to_owned(), name.to_owned())).await;
            let found =
                found.map_err(|_| Error::Hook(format!("`{name}` was looked up in `{store}` for 5 s")))?;
            found.map_err(|failure| {
                Error::Hook(format!("`{name}` could not be looked up in `{store}`: {failure}"))
            })
        })
    }

    fn count<'a>(&'a self, key: &'a str, most: u32, seconds: u32) -> BoxFuture<'a, Result<Count, Error>> {
        let counted = self.counted(key, most, seconds, Window::Fixed);
        Box::pin(async move { Ok(counted) })
    }

    fn count_sliding<'a>(
        &'a self,
        key: &'a str,
        most: u32,
        seconds: u32,
    ) -> BoxFuture<'a, Result<Count, Error>> {
        let counted = self.counted(key, most, seconds, Window::Sliding);
        Box::pin(async move { Ok(counted) })
    }

    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<(u16, Bytes), Error>> {
        Box::pin(async move {
            let fetch = tropos_fetch::get(url).no_store().timeout(FETCH_TIMEOUT).max_bytes(LONGEST_ANSWER);
            let answer = fetch.send().await.map_err(|error| Error::Hook(error.to_string()))?;
            Ok((answer.status.as_u16(), answer.body))
        })
    }

    fn wait_until(&self, work: BoxFuture<'static, ()>) {
        drop(tokio::spawn(work));
    }
}
