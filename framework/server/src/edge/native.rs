//! What the server offers to hooks: the engine's clock, chance, counts of all instances or of this one, fetches, and what the application
//! looks up for them.

use bytes::Bytes;
use futures::future::BoxFuture;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tropos_cache::{Counted, Engine, Limit};
use tropos_core::{Failure, UnixMillis};
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
    engine: Engine,
    /// Of this instance alone: for where there is no shared store, and while it is away. Then a client gets the limit once
    /// from each instance.
    counters: Mutex<Counters>,
    lookup: Option<Lookup>,
}

impl Native {
    /// Over the engine, its clock and the store that it shares.
    pub(crate) fn new(engine: Engine, lookup: Option<Lookup>) -> Self {
        Self { engine, counters: Mutex::default(), lookup }
    }

    /// Together with the other instances where they can be asked within 50 ms, else alone.
    async fn count_by(&self, key: &str, most: u32, seconds: u32, window: Window) -> Count {
        if self.engine.counts_together() {
            // A hook may have made its key of what a client sent.
            let name = blake3::hash(key.as_bytes()).to_hex();
            let limit = Limit { most, seconds, sliding: window == Window::Sliding };
            let counted = self.engine.count(name.get(..32).unwrap_or(&name), limit).await;
            if let Some(Counted { left, seconds }) = counted {
                return Count { left, seconds };
            }
        }
        self.counted(key, most, seconds, window)
    }

    fn counted(&self, key: &str, most: u32, seconds: u32, window: Window) -> Count {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        counters.count(key, most, seconds, window, self.now())
    }
}

impl Platform for Native {
    fn now(&self) -> UnixMillis {
        self.engine.clock().wall()
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
        Box::pin(async move { Ok(self.count_by(key, most, seconds, Window::Fixed).await) })
    }

    fn count_sliding<'a>(
        &'a self,
        key: &'a str,
        most: u32,
        seconds: u32,
    ) -> BoxFuture<'a, Result<Count, Error>> {
        Box::pin(async move { Ok(self.count_by(key, most, seconds, Window::Sliding).await) })
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
