//! Why a move does not go on. Each can be mended and tried again: nothing is lost by any of them.

use super::{Blocked, Step};
use std::time::Duration;

/// A move of slots does not go on. What had been done stays, and the next run goes on from there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MoveError {
    /// What the databases say of the slots allows no step.
    #[error("cannot move slots {slots} from shard `{from}` to shard `{to}`: {reason}")]
    Blocked {
        /// The slots.
        slots: String,
        /// The source.
        from: String,
        /// The target.
        to: String,
        /// Why not.
        reason: Blocked,
    },
    /// No slots were named.
    #[error("no slots to be moved are named: name some, such as `0-99`")]
    NoSlots,
    /// Source and target are one shard.
    #[error("slots are not moved from shard `{0}` to itself: name another target")]
    SameShard(String),
    /// Somebody else moves slots.
    #[error("another move to or from shard `{0}` is under way: wait until it is done")]
    UnderWay(String),
    /// The address is that of another database.
    #[error("the database at the address of shard `{expected}` is {found}: give the address of its primary")]
    OtherShard {
        /// The shard it was to be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// The two sides have different tables.
    #[error("table {table} is not the same on both shards ({difference}): migrate both, then go on")]
    Tables {
        /// The table.
        table: String,
        /// What is different.
        difference: String,
    },
    /// The target has rows of these slots already.
    #[error(
        "shard `{shard}` already has rows of these slots in {table}: they do not belong there; look at them, and delete them"
    )]
    Stray {
        /// The shard.
        shard: String,
        /// The table.
        table: String,
    },
    /// Transactions that hold these slots did not end in time. What the shard wrote before, it still writes.
    #[error(
        "transactions on shard `{shard}` have not ended within {waited:?} (processes {pids}): slots that were written \
         there still are; end these, or move at a quieter time"
    )]
    Busy {
        /// The shard.
        shard: String,
        /// How long they were waited for.
        waited: Duration,
        /// The processes of the server, 0 for a prepared transaction.
        pids: String,
    },
    /// Replicas have not replayed what was written. One that became the primary now would have lost it, and readers of
    /// others would not see the rows.
    #[error(
        "replicas of shard `{shard}` are behind for more than {waited:?}: wait until they have caught up, or stop them, \
         and do the same again"
    )]
    Behind {
        /// The shard.
        shard: String,
        /// How long they were waited for.
        waited: Duration,
    },
    /// The role is not told how far replicas are, so nobody knows whether they have what was written.
    #[error(
        "the role {role} may not see how far the replicas of shard `{shard}` are: `grant pg_monitor to {role}` there, \
         and do the same again"
    )]
    Unseen {
        /// The shard.
        shard: String,
        /// The role, as SQL has it.
        role: String,
    },
    /// The rows of both sides are not the same.
    #[error(
        "table {table} has {source_rows} rows of these slots at the source and {target_rows} at the target, or they \
         differ: something writes past the fence, or changes rows as they are written; give the move up, and look for \
         triggers and for writers with `session_replication_role = replica`"
    )]
    Differ {
        /// The table.
        table: String,
        /// Rows at the source.
        source_rows: i64,
        /// Rows at the target.
        target_rows: i64,
    },
    /// A database could not do its part.
    #[error("shard `{shard}` failed{}: {error}; nothing is lost, do the same again", .during.map(|step| format!(" while {step}")).unwrap_or_default())]
    Database {
        /// The shard.
        shard: String,
        /// The step.
        during: Option<Step>,
        /// What sqlx said.
        #[source]
        error: sqlx::Error,
    },
}
