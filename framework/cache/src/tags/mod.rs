//! The tag sequence.
//!
//! One sequence of numbers. An invalidation takes the next number and writes it on its tags; a render takes the
//! current number before its first read. An entry is usable while every tag on it carries a number no greater than its
//! own start, and while the sequence is the one it was made under. Wall clocks are never compared, entries are never
//! scanned: an invalidation costs the number of its tags.

mod journal;
pub(crate) mod memo;
mod numbers;
mod registry;
mod shared;
pub(crate) mod versioned;

/// The locks of [`versioned`], which a test replaces by ones that it can schedule.
mod sync {
    pub(super) use std::sync::{
        PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    };
}

pub use numbers::{Stamp, Strength, TagNumbers, Validity};
pub use registry::TagRegistry;
pub use shared::Trust;
