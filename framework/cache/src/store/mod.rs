//! Where entries are kept: memory, over disk or over a store that instances share.

pub mod disk;
pub(crate) mod guarded;
pub mod memory;
mod place;
pub mod redis;
pub mod shared;

pub use place::Place;

use crate::Entry;
use futures::future::BoxFuture;
use tropos_core::Key;

/// Entries that were made before the server started: the pages of a build.
pub trait Seed<V>: Send + Sync + 'static {
    /// The entry under `key`; `None` where the build has none.
    fn load<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Option<Entry<V>>>;
}
