//! What a read must have seen, by the scope that it runs in, and what that is asked of: the database's log.

use crate::Db;
use futures::{FutureExt, future::BoxFuture};
use tropos_cache::{Hold, LogSource, Required, Scope};
use tropos_core::{Failure, Positions};

/// What a read of a shard must have seen.
pub(crate) fn required(shard: u16) -> Required {
    Scope::current().map_or(Required::Nothing, |scope| scope.requires(shard))
}

/// A write is about to go to a shard: from now on this scope reads it from the primary.
///
/// Before, not after: the write may take effect though its answer never arrives.
pub(crate) fn writes(shard: u16) {
    if let Some(scope) = Scope::current() {
        scope.wrote(shard);
    }
}

/// A write is about to go to a database whose reads see all writes anyway: it is noted that there was one.
pub(crate) fn acts() {
    if let Some(scope) = Scope::current() {
        scope.acted();
    }
}

/// Holds invalidations of this scope back until a transaction has ended.
pub(crate) fn hold() -> Option<Hold> {
    Scope::current().map(|scope| scope.hold())
}

/// Invalidations carry the positions of the log, so that no page is made from a replica that has not seen the write.
impl LogSource for Db {
    fn current(&self) -> BoxFuture<'_, Result<Positions, Failure>> {
        async move { Ok(self.positions().await?) }.boxed()
    }
}
