//! The decisions, as pure functions: the same reason goes to `Cache-Status`, the trace span and the metric.

use crate::{Backoff, Meta, Validity};
use std::time::Duration;
use tropos_core::Tick;

/// What to do with an entry that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Serve it.
    Hit {
        /// Seconds for which it stays fresh.
        ttl_seconds: i64,
    },
    /// Serve it at once, and have it made anew.
    Stale {
        /// Seconds for which it stays fresh: none, so zero or less.
        ttl_seconds: i64,
        /// Why it is not fresh.
        why: Stale,
        /// Whether to have it made anew now; false while the last failure is too recent.
        regenerate: bool,
    },
    /// Do not serve it.
    Miss {
        /// Why not.
        why: Miss,
    },
}

/// Why an entry is not fresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stale {
    /// Older than its revalidate age.
    Age,
    /// A tag on it was invalidated softly.
    Soft,
    /// It should have been replaced, but the render failed.
    Error,
}

/// Why there is nothing to serve without a render.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Miss {
    /// There is no entry.
    Absent,
    /// The entry is past its expire age.
    Expired,
    /// A tag on it was invalidated.
    Invalidated,
    /// The entry is only stale, but the reader asked for a fresh one.
    Stale,
}

/// The `ttl` of what is fresh until something invalidates it: a year, as in its `Cache-Control`.
pub const TTL_OF_NEVER: i64 = 31_536_000;

/// What to do with an entry, by its ages, its tags and its failures.
pub fn decide(meta: &Meta, validity: Validity, now: Tick, backoff: Backoff) -> Decision {
    let age = now.since(meta.started);
    if validity == Validity::Hard {
        return Decision::Miss {
            why: Miss::Invalidated,
        };
    }
    if meta.expire.is_some_and(|expire| age >= expire) {
        return Decision::Miss { why: Miss::Expired };
    }
    let ttl_seconds = meta
        .revalidate
        .map_or(TTL_OF_NEVER, |revalidate| seconds_left(age, revalidate));
    let too_old = meta.revalidate.is_some_and(|revalidate| age >= revalidate);
    if !too_old && validity == Validity::Valid {
        return Decision::Hit { ttl_seconds };
    }
    let why = match (backoff.failures, validity) {
        (1.., _) => Stale::Error,
        (0, Validity::Soft) => Stale::Soft,
        (0, _) => Stale::Age,
    };
    Decision::Stale {
        ttl_seconds: ttl_seconds.min(0),
        why,
        regenerate: now >= backoff.next_try,
    }
}

/// Rounded down, so that what is stale by a moment shows -1.
fn seconds_left(age: Duration, revalidate: Duration) -> i64 {
    let ms = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    ms(revalidate).saturating_sub(ms(age)).div_euclid(1000)
}

/// Whether someone who waited for a render may have its result.
///
/// `started` is the sequence at which the render began and `arrived` the one at which the waiter came. A render that
/// began before an invalidation may serve those who came before it too, but nobody who came after. Who needs `fresh`
/// data takes none that was invalidated softly meanwhile either.
pub fn may_join(validity: Validity, started: u64, arrived: u64, fresh: bool) -> bool {
    started >= arrived || validity == Validity::Valid || (validity == Validity::Soft && !fresh)
}

/// Whether a finished render may be stored: not if it is outdated already.
pub fn may_store(validity: Validity) -> bool {
    validity != Validity::Hard
}

/// Tries after a failure are this far apart at first: one failing source costs one render a second a page.
pub const FIRST_BACKOFF: Duration = Duration::from_secs(1);

/// Tries are never further apart than this: so long at most an outage is felt after its end.
pub const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

/// The back-off after one more failure: 1 s, doubling to 30 s.
pub fn after_failure(backoff: Backoff, now: Tick) -> Backoff {
    let doublings = backoff.failures.min(5);
    let pause = (FIRST_BACKOFF * 2_u32.pow(doublings)).min(LONGEST_BACKOFF);
    Backoff {
        failures: backoff.failures.saturating_add(1),
        next_try: now.plus(pause),
    }
}

/// The age after which a new entry is stale: what was declared, or less where something that it read is stale sooner.
pub fn effective_revalidate(
    declared: Option<Duration>,
    started: Tick,
    reads_stale_at: Option<Tick>,
) -> Option<Duration> {
    let nested = reads_stale_at.map(|at| at.since(started));
    match (declared, nested) {
        (Some(declared), Some(nested)) => Some(declared.min(nested)),
        (declared, nested) => declared.or(nested),
    }
}
