//! Counts of requests that instances keep together in their shared store.
//!
//! A visitor waits for the answer, so it is waited for 50 ms at most; and where the store fails three times in a row, it is not
//! asked but once a second. Whoever asks counts alone meanwhile.

use crate::Engine;
use crate::cache::Backing;
use std::{
    sync::atomic::{AtomicI64, AtomicU32, Ordering},
    time::Duration,
};
use tropos_core::Tick;

/// How often somebody may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// So many requests at most,
    pub most: u32,
    /// in so many seconds.
    pub seconds: u32,
    /// Whether these are the last ones, by an estimate of two windows; else they begin with the first request, and then anew.
    pub sliding: bool,
}

/// What is left of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Requests that are still allowed; `None` where this one was one too many, and was not counted.
    pub left: Option<u32>,
    /// Seconds until there is room again, or until the window ends; at least 1.
    pub seconds: u32,
}

/// So many failures in a row are a state, and no chance.
const MOST_FAILURES: u32 = 3;

/// How often a store that fails is asked whether it still does.
const PAUSE: Duration = Duration::from_secs(1);

/// Whether the store is asked for counts.
#[derive(Debug)]
pub(crate) struct Breaker {
    in_a_row: AtomicU32,
    /// Nobody asks before this tick, once the circuit is open.
    next_try: AtomicI64,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { in_a_row: AtomicU32::new(0), next_try: AtomicI64::new(i64::MIN) }
    }
}

impl Breaker {
    fn is_open(&self) -> bool {
        self.in_a_row.load(Ordering::Relaxed) >= MOST_FAILURES
    }

    /// Whether whoever asks this may ask the store: everybody where it answers, and one in each [`PAUSE`] where it does not.
    fn lets_through(&self, now: Tick) -> bool {
        if !self.is_open() {
            return true;
        }
        let next = self.next_try.load(Ordering::Relaxed);
        now.0 >= next
            && self
                .next_try
                .compare_exchange(next, now.plus(PAUSE).0, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// Notes an answer; gives whether the circuit was open.
    fn answered(&self) -> bool {
        self.in_a_row.swap(0, Ordering::Relaxed) >= MOST_FAILURES
    }

    /// Notes a failure; gives whether it opened the circuit.
    fn failed(&self, now: Tick) -> bool {
        self.next_try.store(now.plus(PAUSE).0, Ordering::Relaxed);
        self.in_a_row.fetch_add(1, Ordering::Relaxed).saturating_add(1) == MOST_FAILURES
    }
}

impl Engine {
    /// Whether there is a store by which instances count together.
    pub fn counts_together(&self) -> bool {
        matches!(self.backing(), Some(Backing::Shared { .. }))
    }

    /// Counts a request of `key` against a limit, for all instances that share the store, in one step and by the store's clock.
    /// `None` where there is no such store, or it did not answer within 50 ms, or has failed of late: then count alone.
    ///
    /// Keys are to be short, whatever clients send: hash what comes from them.
    pub async fn count(&self, key: &str, limit: Limit) -> Option<Counted> {
        let Some(Backing::Shared { store, .. }) = self.backing() else { return None };
        let breaker = self.breaker();
        if store.is_open() || !breaker.lets_through(self.clock().now()) {
            return None;
        }
        match store.count(key, limit).await {
            Ok(counted) => {
                if breaker.answered() {
                    tracing::info!("requests are counted by all instances together again");
                }
                Some(counted)
            }
            Err(error) => {
                if breaker.failed(self.clock().now()) {
                    tracing::warn!(%error, "the shared store counts no requests: each instance counts alone until it does");
                }
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_fails_is_asked_once_a_second_until_it_answers() {
        let breaker = Breaker::default();
        let at = Tick;
        assert!(breaker.lets_through(at(0)));
        assert_eq!([0, 1, 2, 3].map(|now| breaker.failed(at(now))), [false, false, true, false]);
        for (now, through) in
            [(3, false), (1_002, false), (1_003, true), (1_003, false), (2_002, false), (2_003, true)]
        {
            assert_eq!(breaker.lets_through(at(now)), through, "{now}");
        }
        assert!(breaker.answered(), "it was open");
        assert!(breaker.lets_through(at(2_003)) && breaker.lets_through(at(2_003)));
        assert!(!breaker.failed(at(2_004)), "one failure is chance");
        assert!(breaker.lets_through(at(2_004)));
        assert!(!breaker.answered());
    }
}
