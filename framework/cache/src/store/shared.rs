//! What a store that instances share must do.
//!
//! Two things, apart from each other: it keeps entries, which may be lost at any time, and it keeps the tag sequence,
//! which must not be. [`redis`](super::redis) does both; a test may bring a store of its own.

use crate::{
    Strength,
    limit::{Counted, Limit},
};
use bytes::Bytes;
use futures::future::BoxFuture;
use std::{fmt, time::Duration};
use tropos_core::{Positions, Tag, UnixMillis};

/// Why the shared store did not do what it was asked for.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SharedError {
    /// It did not answer in time.
    #[error("no answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// It has failed of late, and is not asked until it answers again.
    #[error("it has failed of late, and is left alone until it answers again")]
    CircuitOpen,
    /// It was emptied or replaced while an invalidation was under way.
    #[error("its tag sequence began anew meanwhile; try again")]
    BeganAnew,
    /// Some instance neither took note of an invalidation nor lost its lease in time.
    #[error("{0} instances have not confirmed it in time; try again")]
    Unconfirmed(usize),
    /// What it said.
    #[error("{0}")]
    Failed(String),
}

/// How far an instance knows the sequence that the store holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Known {
    /// Which sequence; 0: none, so that all of it is wanted.
    pub incarnation: u64,
    /// Up to which number.
    pub sequence: u64,
    /// The token that the store drew for that number; 0: not known. Two histories that forked, as after a fail-over
    /// that lost writes, have drawn different tokens for one number.
    pub token: u64,
}

/// What has happened in the store since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// Which sequence.
    pub incarnation: u64,
    /// The number up to which these changes reach; all up to it are here.
    pub reached: u64,
    /// The token of that number; 0 where the store has forgotten it.
    pub token: u64,
    /// Where the sequence stands; beyond `reached` where there was too much for one answer.
    pub latest: u64,
    /// Tags without a number of their own count as hard invalidated at this number,
    pub floor_hard: u64,
    /// and as softly invalidated at this one.
    pub floor_soft: u64,
    /// Numbers on tags, in the order of the numbers.
    pub marks: Vec<(Tag, Strength, u64)>,
    /// The store's own wall clock: the one by which instances on different machines agree on ages.
    pub wall: UnixMillis,
    /// The highest position in the log of each shard that an invalidation up to `latest` carried.
    pub positions: Positions,
}

/// What the store says to an instance that renews its lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renewal {
    /// The lease runs anew from now, and this has happened since.
    Continued(Changes),
    /// There is no lease: what the store holds does not continue what is known. It was emptied, restored, or lost
    /// writes in a fail-over.
    Broken,
}

/// Asks the store and waits for its answer.
pub type Asked<'a, T> = BoxFuture<'a, Result<T, SharedError>>;

/// A store that instances share.
///
/// Each instance has one; it names itself in leases by a number drawn at start.
pub trait SharedStore: fmt::Debug + Send + Sync + 'static {
    /// Renews this instance's lease on the sequence, acknowledges what is `known`, and asks for what came after it.
    ///
    /// A lease runs for `lease` from the moment at which the store grants it.
    fn renew(&self, known: Known, lease: Duration) -> Asked<'_, Renewal>;

    /// Begins a new sequence, above all numbers of the known one, in which everything counts as invalidated; unless
    /// another instance has done so already on account of the same known one.
    fn begin_anew(&self, known: Known) -> Asked<'_, ()>;

    /// Takes the next number, writes it on the tags, and returns it with its incarnation. In the same step it raises the
    /// positions to `positions`: whoever is told of the number is told of them.
    fn invalidate<'a>(
        &'a self,
        tags: &'a [Tag],
        strength: Strength,
        positions: &'a Positions,
    ) -> Asked<'a, (u64, u64)>;

    /// How many other instances may still hold a lease and have not acknowledged `sequence`. A lease counts for
    /// `grace` longer than it runs, since its last renewal may be lost in a fail-over; and for the time of a `lease`
    /// after the sequence began one more counts, since leases may have been lost with what was before.
    ///
    /// # Errors
    /// [`SharedError::BeganAnew`] where `incarnation` is not the store's any more.
    fn unacknowledged(
        &self,
        incarnation: u64,
        sequence: u64,
        lease: Duration,
        grace: Duration,
    ) -> Asked<'_, usize>;

    /// Gives the lease back, so that nobody waits for this instance.
    fn leave(&self) -> Asked<'_, ()>;

    /// Returns when something may have changed; only a hint, that may be late, lost or idle.
    fn hint(&self) -> BoxFuture<'_, ()>;

    /// The bytes of an entry.
    fn read<'a>(&'a self, name: &'a str) -> Asked<'a, Option<Bytes>>;

    /// Keeps the bytes of an entry, for `life` at most.
    fn write<'a>(&'a self, name: &'a str, bytes: Vec<u8>, life: Duration) -> Asked<'a, ()>;

    /// Drops an entry.
    fn remove<'a>(&'a self, name: &'a str) -> Asked<'a, ()>;

    /// Takes or extends the right to render an entry; false where another holds it.
    fn take<'a>(&'a self, name: &'a str, holder: u64, span: Duration) -> Asked<'a, bool>;

    /// Gives that right back, where `holder` has it.
    fn give_back<'a>(&'a self, name: &'a str, holder: u64) -> Asked<'a, ()>;

    /// Counts a request of `key` against a limit, in one step for all instances. A store that keeps no counts fails, and each
    /// instance counts alone.
    fn count<'a>(&'a self, _key: &'a str, _limit: Limit) -> Asked<'a, Counted> {
        Box::pin(async { Err(SharedError::Failed("this store keeps no counts".to_owned())) })
    }
}
