//! How far a replica must have replayed the database's log before a scope reads from it.
//!
//! > A **position** is how far the log of a shard had come. The **floor** is the highest position of each shard that any
//! > invalidation known here carries. A render takes it together with its number, so that a replica from which it reads
//! > has replayed every write whose invalidation the number covers.
//!
//! An invalidation asks the [primaries](LogSource) where their logs stand *after* the write and *before* it takes its
//! number. Its positions raise the floor of an instance before the number is known there, and number and floor are taken
//! in one look. So whatever a stamp covers, its floor covers. A position per tag would not do: a render cannot know
//! which tags it will come to carry.
//!
//! The floor is *unknown* from the start of a process until the primaries have answered once, and again when another tag
//! sequence takes the place of the one that was known, since the positions were lost with it. Until then renders read
//! from the primaries.
//!
//! What a [scope](crate::Scope) must have seen:
//!
//! | purpose | from |
//! |---|---|
//! | `Stored` | the floor |
//! | `Live` | the floor, and what its visitor has seen |
//! | `Once`, `Action` | what the visitor has seen, and what the scope itself has written |
//!
//! A stored entry must be a function of its key, and a render of it is waited for by others, so what a visitor has seen
//! does not flow into it. It follows that somebody who writes and then calls a cached function may be given, and may have
//! stored, what a replica knew before the write: but no more than a hit would have given, and not for longer than until
//! the invalidation that belongs to the write. That the scope *wrote* sends its nested renders to the primary all the
//! same: it names nobody, and costs nothing but that.

mod floor;
mod hold;
mod log;
mod personal;

pub(crate) use floor::{Floor, FloorAt};
pub use hold::Hold;
pub(crate) use hold::Holds;
pub(crate) use log::Log;
pub(crate) use personal::Personal;

use futures::future::BoxFuture;
use std::fmt;
use tropos_core::{Failure, Positions};

/// Who knows how far the log of the database has come: the database.
pub trait LogSource: fmt::Debug + Send + Sync + 'static {
    /// Where the logs of all shards stand now: not before any write that has returned before this was called. Empty
    /// where no replicas exist.
    ///
    /// Given up after a second. At most four are asked at a time, and no question answers for a caller who came after
    /// it had begun.
    fn current(&self) -> BoxFuture<'_, Result<Positions, Failure>>;
}

/// What a read must have seen; the later, the more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Required {
    /// Nothing: any replica will do.
    Nothing,
    /// All up to this position in the log of the shard.
    Position(u64),
    /// All that the primary has.
    Primary,
}

impl Required {
    fn at(position: u64) -> Self {
        if position == 0 { Self::Nothing } else { Self::Position(position) }
    }
}
