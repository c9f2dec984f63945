//! The decisions, as pure functions: the same reason goes to `Cache-Status`, the trace span and the metric.

use crate::{Backoff, Meta, Validity};
use std::time::Duration;
use tropos_core::{Key, Tick};
use xxhash_rust::xxh3::xxh3_64_with_seed;

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
    /// The shared store has been out of reach for too long to know whether the entry still holds.
    Unconfirmed,
}

/// The `ttl` of what is fresh until something invalidates it: a year, as in its `Cache-Control`.
pub const TTL_OF_NEVER: i64 = 31_536_000;

/// What to do with an entry, by its ages, its tags and its failures.
pub fn decide(meta: &Meta, validity: Validity, now: Tick, backoff: Backoff) -> Decision {
    let age = now.since(meta.started);
    if validity == Validity::Hard {
        return Decision::Miss { why: Miss::Invalidated };
    }
    if meta.expire.is_some_and(|expire| age >= expire) {
        return Decision::Miss { why: Miss::Expired };
    }
    let ttl_seconds = meta.revalidate.map_or(TTL_OF_NEVER, |revalidate| seconds_left(age, revalidate));
    let too_old = meta.revalidate.is_some_and(|revalidate| age >= revalidate);
    if !too_old && validity == Validity::Valid {
        return Decision::Hit { ttl_seconds };
    }
    let why = match (backoff.failures, validity) {
        (1.., _) => Stale::Error,
        (0, Validity::Soft) => Stale::Soft,
        (0, _) => Stale::Age,
    };
    Decision::Stale { ttl_seconds: ttl_seconds.min(0), why, regenerate: now >= backoff.next_try }
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
    Backoff { failures: backoff.failures.saturating_add(1), next_try: now.plus(pause) }
}

/// When a fresh entry is made anew before it is stale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Early {
    /// The last part of an entry's life over which renewals are spread: each entry has a moment of its own in it.
    /// Entries that were made together, by a build or after a purge, would all be made anew together otherwise.
    /// Default: a tenth.
    pub jitter: f64,
    /// Weight of the probabilistic early refresh (Vattani, Chierichetti and Lowenstein, "Optimal Probabilistic Cache
    /// Stampede Prevention", 2015): the longer a render takes and the nearer the end, the likelier a reader has it
    /// made anew. 1 is what the authors recommend. Default: none, since single flight and stale serving have removed
    /// the stampede already; it pays where even one stale answer is one too many.
    pub beta: Option<f64>,
}

impl Default for Early {
    fn default() -> Self {
        Self { jitter: 0.1, beta: None }
    }
}

/// Entries that live shorter are made anew so often that spreading them gains nothing.
const SHORTEST_JITTERED: Duration = Duration::from_secs(10);

/// Whether a fresh entry is to be made anew in the background now.
pub fn is_due_early(meta: &Meta, key: &Key, now: Tick, backoff: Backoff, early: Early) -> bool {
    let Some(revalidate) = meta.revalidate else { return false };
    if now < backoff.next_try {
        return false;
    }
    let age = now.since(meta.started);
    let jitter = early.jitter.clamp(0.0, 1.0);
    let is_last_part = revalidate >= SHORTEST_JITTERED && age >= revalidate.mul_f64(1.0 - jitter);
    let jittered = || {
        // The same for each reader of the entry, another for the next entry under its key.
        let place = xxh3_64_with_seed(key.as_str().as_bytes(), meta.started_wall) as f64 / u64::MAX as f64;
        age >= revalidate.mul_f64(1.0 - jitter * place)
    };
    let by_chance = |beta: f64| {
        // -ln of a number between 0 and 1 is positive.
        let ahead =
            meta.cost.as_secs_f64() * beta.max(0.0) * -rand::random::<f64>().max(f64::MIN_POSITIVE).ln();
        age.as_secs_f64() + ahead >= revalidate.as_secs_f64()
    };
    is_last_part && jitter > 0.0 && jittered() || early.beta.is_some_and(by_chance)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// An entry of tick 0.
    fn meta(revalidate: Option<u64>, expire: Option<u64>) -> Meta {
        Meta { revalidate: revalidate.map(seconds), expire: expire.map(seconds), ..Meta::bare() }
    }

    #[test]
    fn every_decision_follows_from_ages_tags_and_failures() {
        use Validity::{Hard, Soft, Valid};
        let stale = |ttl_seconds, why| Decision::Stale { ttl_seconds, why, regenerate: true };
        let cases = [
            ("new", Some(60), Some(600), Valid, 0, Decision::Hit { ttl_seconds: 60 }),
            ("in its last millisecond", Some(60), Some(600), Valid, 59_999, Decision::Hit { ttl_seconds: 0 }),
            ("just stale", Some(60), Some(600), Valid, 60_000, stale(0, Stale::Age)),
            ("stale for a moment", Some(60), Some(600), Valid, 60_001, stale(-1, Stale::Age)),
            ("stale to the last", Some(60), Some(600), Valid, 599_999, stale(-540, Stale::Age)),
            ("expired", Some(60), Some(600), Valid, 600_000, Decision::Miss { why: Miss::Expired }),
            ("both ages alike", Some(60), Some(60), Valid, 60_000, Decision::Miss { why: Miss::Expired }),
            ("never stale", None, None, Valid, i64::MAX, Decision::Hit { ttl_seconds: TTL_OF_NEVER }),
            ("never stale, but expired", None, Some(9), Valid, 9_000, Decision::Miss { why: Miss::Expired }),
            ("soft", Some(60), Some(600), Soft, 10, stale(0, Stale::Soft)),
            ("soft and old", Some(60), Some(600), Soft, 63_000, stale(-3, Stale::Soft)),
            ("soft and expired", Some(60), Some(600), Soft, 600_000, Decision::Miss { why: Miss::Expired }),
            ("hard", Some(60), Some(600), Hard, 0, Decision::Miss { why: Miss::Invalidated }),
            (
                "hard and expired",
                Some(60),
                Some(600),
                Hard,
                600_000,
                Decision::Miss { why: Miss::Invalidated },
            ),
            (
                "from before the clock was made",
                Some(60),
                Some(600),
                Valid,
                -5,
                Decision::Hit { ttl_seconds: 60 },
            ),
        ];
        for (name, revalidate, expire, validity, now, decision) in cases {
            assert_eq!(
                decide(&meta(revalidate, expire), validity, Tick(now), Backoff::NONE),
                decision,
                "{name}"
            );
        }
    }

    #[test]
    fn after_a_failure_the_next_try_waits_for_its_time() {
        let mut backoff = Backoff::NONE;
        let mut now = Tick(60_000);
        for pause in [1, 2, 4, 8, 16, 30, 30, 30] {
            backoff = after_failure(backoff, now);
            let why = Stale::Error;
            let at = |tick: Tick| decide(&meta(Some(60), None), Validity::Valid, tick, backoff);
            let before = now.plus(seconds(pause)).minus(Duration::from_millis(1));
            assert!(
                matches!(at(before), Decision::Stale { why: w, regenerate: false, .. } if w == why),
                "{pause}"
            );
            now = now.plus(seconds(pause));
            assert!(
                matches!(at(now), Decision::Stale { why: w, regenerate: true, .. } if w == why),
                "{pause}"
            );
        }
    }

    #[test]
    fn a_new_entry_is_stale_with_the_first_of_what_it_read() {
        let cases = [
            (Some(60), None, Some(60)),
            (Some(60), Some(5_000), Some(5)),
            (Some(60), Some(90_000), Some(60)),
            (None, Some(5_000), Some(5)),
            (None, None, None),
            (Some(60), Some(-1), Some(0)),
        ];
        for (declared, stale_at, effective) in cases {
            let got = effective_revalidate(declared.map(seconds), Tick(0), stale_at.map(Tick));
            assert_eq!(got, effective.map(seconds), "{declared:?} {stale_at:?}");
        }
    }

    #[test]
    fn who_came_after_an_invalidation_takes_nothing_that_began_before_it() {
        use Validity::{Hard, Soft, Valid};
        for (validity, started, arrived, fresh, may) in [
            (Hard, 3, 3, false, true), // it came before, as the render did
            (Hard, 3, 4, false, false),
            (Valid, 3, 4, false, true), // what was invalidated was something else
            (Soft, 3, 4, false, true),
            (Soft, 3, 4, true, false),
            (Soft, 4, 4, true, true),
        ] {
            assert_eq!(
                may_join(validity, started, arrived, fresh),
                may,
                "{validity:?} {started} {arrived} {fresh}"
            );
        }
    }
}
