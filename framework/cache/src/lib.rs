//! Entries and tags: the engine under pages, fetches, cached functions and live pages.
//!
//! > An **entry** is the stored result of a render. A **tag** names data. A render takes the current number of the
//! > [sequence](tags) *before its first read*; an invalidation takes the next number and writes it on its tags. An
//! > entry is usable while no tag on it carries a higher number than its own.
//!
//! So nothing is ever scanned or deleted to invalidate, and no schedule of renders and writes lets old data pass for
//! new: `tests/tag_sequence_model.rs` runs them all.
//!
//! | module | holds |
//! |---|---|
//! | [`engine`] | one cache for pages, one for data, the tags, the clock |
//! | [`cache`] | look up, decide, render once, store |
//! | [`decide`] | the decisions, as pure functions |
//! | [`tags`] | the sequence, its journal on disk, the handle that everybody shares |
//! | [`entry`] | what is stored, and its one binary format |
//! | [`scope`] | what one render has read |
//! | [`revalidate`] | invalidation as an application writes it |
//! | [`positions`] | what a replica must have replayed before a scope reads from it; transactions |
//! | [`report`], [`warm`] | what an invalidation hit, and having it made again without a visitor |
//! | [`explain`] | why a page would hit or miss |
//! | [`listing`] | what memory holds, in part |
//! | [`function`] | what `#[cached]` expands to |
//! | [`store`] | memory and disk, both bounded in bytes; Redis, shared by instances |
//! | [`page`], [`http`] | a page as it is stored, and the HTTP rules by which it is served |
//! | [`observe`] | what is told of all this, to who counts it |
//! | [`limit`] | counts of requests that instances keep together |
//! | [`layer`] | a shared HTTP cache as a Tower layer, for any Axum application |

pub mod cache;
mod counts;
pub mod decide;
pub mod engine;
pub mod entry;
pub mod error;
pub mod explain;
mod flight;
pub mod function;
pub mod http;
pub mod layer;
pub mod limit;
pub mod listing;
pub mod observe;
pub mod page;
pub mod positions;
pub mod report;
pub mod revalidate;
pub mod scope;
pub mod store;
pub mod tags;
pub mod warm;

pub use cache::{Cache, Produced, Reason, RenderPanicked, Request, Served};
pub use counts::{SharedStats, Stats};
pub use decide::{Decision, Early, Miss, Stale};
pub use engine::{Data, DiskConfig, Engine, EngineConfig, SharedConfig};
pub use entry::{Backoff, Entry, Meta, Value};
pub use error::Error;
pub use limit::{Counted, Limit};
pub use page::StoredPage;
pub use positions::{Hold, LogSource, Required};
pub use report::{Carried, Report};
pub use scope::{Purpose, Reads, Scope};
pub use store::{Place, Seed, redis::RedisStore};
pub use tags::{Stamp, Strength, TagNumbers, TagRegistry, Trust, Validity};
pub use warm::{Cause, WarmLimits};
