//! Where entries are kept: memory and disk, both bounded in bytes.

pub mod disk;
pub mod memory;

use crate::Entry;
use futures::future::BoxFuture;
use tropos_core::Key;

/// Entries that were made before the server started: the pages of a build.
pub trait Seed<V>: Send + Sync + 'static {
    /// The entry under `key`; `None` where the build has none.
    fn load<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Option<Entry<V>>>;
}
