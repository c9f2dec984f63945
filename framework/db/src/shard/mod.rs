//! Rows of one database on several: slots, the map of them, questions to many shards, and moving slots between them.
//!
//! A key is in one of [`SLOTS`] slots by a hash that never changes ([`slot_of`]); which shard a slot is on says the
//! [`SlotMap`] of the configuration. On PostgreSQL each shard says the same of itself in a table, and a trigger on every
//! sharded table holds writers to it ([`install_sql`]): whoever has an old map is refused ([`refused`]) rather than
//! heard at the wrong place. That makes it safe to [move](moving) slots while the application runs.

mod claim;
mod fan_out;
mod fence;
mod follow;
mod map;
pub mod moving;
mod ranges;
mod slot;

pub use claim::{ClaimError, claim};
pub(crate) use claim::{own_all, unclaimed};
pub use fan_out::{Answers, Available, FanOut, ShardError, ShardsFailed};
pub use fence::{Fence, Held, Refused, State, hold, install_sql, refused};
pub(crate) use fence::{INSTALLED, is_old};
pub use follow::SETTLE;
pub(crate) use follow::Slots;
pub(crate) use map::ONLY;
pub use map::{MOST_SHARDS, NotAMap, SlotMap};
pub use ranges::{NotSlots, SlotRanges};
pub use slot::{SLOTS, ShardKey, Slot, slot_of};
