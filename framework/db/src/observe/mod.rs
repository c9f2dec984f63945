//! What is told about queries and pools: spans, logs of slow queries, and counts.
//!
//! Names follow OpenTelemetry's conventions for databases. Values never appear: neither bound ones nor those that are
//! written into a statement.

mod counts;
mod observer;
mod span;
mod summary;
mod token;

pub(crate) use counts::Counts;
pub use counts::{PoolStats, ServerStats, Stats};
pub(crate) use observer::pool as pool_name;
pub use observer::{Observer, Ran, Waited};
pub(crate) use span::Watched;
pub use summary::{summary, without_values};
