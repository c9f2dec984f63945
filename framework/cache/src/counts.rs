//! What the engine counts, for operators.

use crate::observe::Observed;
use std::sync::atomic::AtomicU64;

/// Counted while the engine runs. Hits are not among them: a counter that all cores write to is felt at each hit.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) renders: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) invalidations: AtomicU64,
    pub(crate) invalidation_failures: AtomicU64,
    pub(crate) observed: Observed,
}

/// How the engine stands, at one moment. Counters count from the start of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Pages in memory.
    pub page_entries: usize,
    /// Their bytes, about.
    pub page_bytes: usize,
    /// Results of fetches and cached functions in memory.
    pub data_entries: usize,
    /// Their bytes, about.
    pub data_bytes: usize,
    /// Answers of "there is no such thing" in memory.
    pub negative_entries: usize,
    /// Their bytes, about.
    pub negative_bytes: usize,
    /// Pages that were driven out of memory to keep its bound.
    pub page_evictions: u64,
    /// Results of fetches and cached functions that were.
    pub data_evictions: u64,
    /// Answers of "there is no such thing" that were.
    pub negative_evictions: u64,
    /// Renders that were begun to be stored, of pages, fetches and cached functions.
    pub renders: u64,
    /// How many of them failed.
    pub render_failures: u64,
    /// Invalidations that took effect here first.
    pub invalidations: u64,
    /// Invalidations that were not confirmed.
    pub invalidation_failures: u64,
    /// Entries that were not written to disk, since it was too slow or full.
    pub disk_writes_dropped: u64,
    /// The shared store, where there is one.
    pub shared: Option<SharedStats>,
}

/// How the shared store stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SharedStats {
    /// Whether it is left alone until it answers again.
    pub circuit_open: bool,
    /// Whether what is known of it may not be trusted fully.
    pub degraded: bool,
    /// Questions to it that failed.
    pub failures: u64,
}
