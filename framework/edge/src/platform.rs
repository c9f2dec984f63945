//! What an adapter offers to hooks beside the request: time, chance, look-ups, fetches.

use crate::Error;
use bytes::Bytes;
use std::{future::Future, pin::Pin};
use tropos_core::clock::UnixMillis;

/// A future that an adapter can wait for: one that may move between threads, except in a Worker, which has one.
#[cfg(not(target_arch = "wasm32"))]
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
/// A future that an adapter can wait for: one that may move between threads, except in a Worker, which has one.
#[cfg(target_arch = "wasm32")]
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Threads may share it, except in a Worker, which has one.
#[cfg(not(target_arch = "wasm32"))]
pub trait Shared: Send + Sync {}
#[cfg(not(target_arch = "wasm32"))]
impl<T: Send + Sync + ?Sized> Shared for T {}
/// Threads may share it, except in a Worker, which has one.
#[cfg(target_arch = "wasm32")]
pub trait Shared {}
#[cfg(target_arch = "wasm32")]
impl<T: ?Sized> Shared for T {}

/// What an adapter offers. Each waits for a bounded time alone.
pub trait Platform: Shared {
    /// The wall clock.
    fn now(&self) -> UnixMillis;

    /// A number that nobody can foretell.
    fn random(&self) -> u64;

    /// Looks a name up in a key-value store. `None` where there is no such name, or no store.
    fn lookup<'a>(&'a self, store: &'a str, name: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, Error>>;

    /// Counts a request against `most` in a window of so many seconds, for all instances that share the store. Gives what is
    /// left, and the seconds until the window ends.
    fn count<'a>(&'a self, key: &'a str, most: u32, seconds: u32) -> BoxFuture<'a, Result<Count, Error>>;

    /// As [`count`](Self::count), over the last so many seconds in place of a window that begins anew: after a burst there is
    /// room again bit by bit, and not for another burst at once. A platform without such a count counts in windows.
    fn count_sliding<'a>(
        &'a self,
        key: &'a str,
        most: u32,
        seconds: u32,
    ) -> BoxFuture<'a, Result<Count, Error>> {
        self.count(key, most, seconds)
    }

    /// Asks another server. The answer's body is at most 1 MiB, and the wait at most 5 s.
    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<(u16, Bytes), Error>>;

    /// Has work go on after the answer was sent.
    fn wait_until(&self, work: BoxFuture<'static, ()>);
}

/// What is left of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Requests that are still allowed in this window; `None` where this one was one too many.
    pub left: Option<u32>,
    /// Seconds until the window ends.
    pub seconds: u32,
}
