//! What hooks tell the adapter, which hands it on to telemetry: a hook itself neither logs nor sends.

use std::sync::Arc;

/// Events of one request are kept up to this many. A page has a few experiments; what is beyond is dropped.
pub const MOST_EVENTS: usize = 32;

/// Something that a hook tells the adapter.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A visitor is about to be shown a variant of an experiment.
    Exposure(Exposure),
    /// A hook goes on, though not as it should: with the last good table, say.
    Problem {
        /// The hook's name.
        hook: String,
        /// What is wrong, without secrets.
        problem: String,
    },
}

impl Event {
    /// Whether both tell of the same: one exposure to an experiment, however often its hook ran.
    pub(crate) fn is_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exposure(one), Self::Exposure(other)) => one.experiment == other.experiment,
            _ => self == other,
        }
    }
}

/// A visitor is about to be shown a variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposure {
    /// The experiment's name.
    pub experiment: Arc<str>,
    /// The variant's value.
    pub variant: &'static str,
    /// Whether the visitor was given it by this very request. Count these for visitors, and all for views.
    pub first: bool,
}
