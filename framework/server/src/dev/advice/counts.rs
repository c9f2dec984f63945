//! What was seen of each route. Bounded: neither endless addresses nor endless visitors make it grow.

use crate::dev::record::{Part, Parts};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
};
use tropos_cache::{Miss, Reason, Stale, Stamp};

/// Addresses of a route that are told apart; what comes for others is not compared. 64 KiB a route.
const MOST_TARGETS: usize = 1_024;

/// Visitors of a route that are told apart: two are enough to judge by.
const MOST_VISITORS: usize = 64;

/// Tags of a route that are counted.
const MOST_TAGS: usize = 32;

/// Counting begins anew after so many answers, so that what is said is of the present.
const MOST_ANSWERS: u64 = 100_000;

/// One answer of a page, whole and no draft.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    /// Path and query.
    pub(crate) target: u64,
    /// Cookies and credentials; 0: none.
    pub(crate) visitor: u64,
    /// Where the sequence of invalidations stood when the request came.
    pub(crate) stamp: Stamp,
    pub(crate) at_ms: i64,
    pub(crate) parts: Parts,
    /// What was found in the cookies that were looked at; `None` where more of who asks was read than those.
    pub(crate) read_value: Option<u64>,
    pub(crate) status: u16,
    /// A hash of status and body.
    pub(crate) body: u64,
    /// Whether a cookie was set, or something elsewhere changed.
    pub(crate) acts: bool,
    /// The age after which what was stored is stale.
    pub(crate) revalidate_ms: Option<u64>,
    pub(crate) took_us: u64,
    pub(crate) queries: u64,
    pub(crate) tags: Vec<String>,
    /// What the cache said, for a page that is stored.
    pub(crate) reason: Option<Reason>,
}

/// The counts of all routes, by their patterns.
pub(crate) struct Counts(HashMap<&'static str, Mutex<Seen>>);

impl Counts {
    pub(crate) fn new(patterns: impl Iterator<Item = &'static str>) -> Self {
        Self(patterns.map(|pattern| (pattern, Mutex::default())).collect())
    }

    /// Counts an answer. `changed` says whether something that the page read has been invalidated since a moment; it is asked
    /// rarely.
    pub(crate) fn add(&self, pattern: &str, sample: &Sample, changed: impl FnOnce(Stamp) -> bool) {
        if let Some(seen) = self.0.get(pattern) {
            seen.lock().unwrap_or_else(PoisonError::into_inner).add(sample, changed);
        }
    }

    pub(crate) fn look(&self, pattern: &str, look: impl FnOnce(&Seen)) {
        if let Some(seen) = self.0.get(pattern) {
            look(&seen.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

/// What was seen of one route.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) answers: u64,
    pub(crate) first_ms: i64,
    pub(crate) last_ms: i64,
    pub(crate) took_us: u64,
    pub(crate) queries: u64,
    /// Answers to visitors without cookies and credentials.
    pub(crate) anonymous: u64,
    visitors: BTreeSet<u64>,
    read_values: BTreeSet<u64>,
    /// Renders that read more of who asks than named cookies.
    pub(crate) read_more: u64,
    /// Renders that read something that belongs to a visitor: headers, cookies, the session.
    pub(crate) read_visitor: u64,
    pub(crate) read_cookies: u64,
    pub(crate) read_headers: u64,
    pub(crate) read_session: u64,
    pub(crate) read_hooks: u64,
    pub(crate) read_query: u64,
    /// Answers that did more than to answer: they set a cookie, or something elsewhere was changed.
    pub(crate) acted: u64,
    /// Answers that were compared with the one before under the same address: those that were the same, and those that were
    /// not although nothing that they read had been invalidated between.
    pub(crate) compared: u64,
    /// Those that were sent to another visitor than the one before.
    pub(crate) compared_across: u64,
    /// Those that differed.
    pub(crate) differed: u64,
    targets: HashMap<u64, Target>,
    /// Answers under addresses that are not told apart any more.
    pub(crate) beyond: u64,
    pub(crate) tags: BTreeMap<String, u64>,
    pub(crate) cache: CacheSeen,
}

#[derive(Debug, Clone, Copy)]
struct Target {
    body: u64,
    visitor: u64,
    stamp: Stamp,
    /// Whether an entry was made under it.
    stored: bool,
    last_ms: i64,
}

/// What the cache said of a route's pages.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CacheSeen {
    /// Requests that it was asked for, but for those that waited for another's render.
    pub(crate) asked: u64,
    pub(crate) fresh: u64,
    /// Stale by age, or expired.
    pub(crate) too_old: u64,
    /// Invalidated, softly or not.
    pub(crate) invalidated: u64,
    /// Absent, and never asked for before.
    pub(crate) first: u64,
    /// Absent, although it had been stored.
    pub(crate) gone: u64,
    /// Rendered, and not stored.
    pub(crate) unstored: u64,
    /// Times between two requests under one address, and how many: in milliseconds.
    pub(crate) gaps_ms: u64,
    pub(crate) gaps: u64,
    /// The age after which the last entry was stale.
    pub(crate) revalidate_ms: Option<u64>,
}

impl Seen {
    /// Visitors with different cookies, those without any as one.
    pub(crate) fn visitors(&self) -> u64 {
        self.visitors.len() as u64 + u64::from(self.anonymous > 0)
    }

    /// Different values of what was read, none at all as one.
    pub(crate) fn read_values(&self) -> u64 {
        self.read_values.len() as u64
    }

    /// Different addresses.
    pub(crate) fn targets(&self) -> u64 {
        self.targets.len() as u64
    }

    pub(crate) fn add(&mut self, sample: &Sample, changed: impl FnOnce(Stamp) -> bool) {
        // A failure says nothing about what the page would have been.
        if sample.status >= 500 {
            return;
        }
        if self.answers >= MOST_ANSWERS {
            *self = Self::default();
        }
        if self.answers == 0 {
            self.first_ms = sample.at_ms;
        }
        self.answers += 1;
        self.last_ms = sample.at_ms;
        self.took_us += sample.took_us;
        self.queries += sample.queries;
        match sample.visitor {
            0 => self.anonymous += 1,
            visitor if self.visitors.len() < MOST_VISITORS => _ = self.visitors.insert(visitor),
            _ => {}
        }
        match sample.read_value {
            None => self.read_more += 1,
            Some(value) if self.read_values.len() < MOST_VISITORS => _ = self.read_values.insert(value),
            Some(_) => {}
        }
        let has = |part| u64::from(sample.parts.has(part));
        self.read_cookies += has(Part::Cookies);
        self.read_headers += has(Part::Headers);
        self.read_session += has(Part::Session);
        self.read_hooks += has(Part::Hooks);
        self.read_query += has(Part::Query);
        self.read_visitor += has(Part::Sender);
        self.acted += u64::from(sample.acts);
        for tag in &sample.tags {
            if self.tags.len() < MOST_TAGS || self.tags.contains_key(tag) {
                *self.tags.entry(tag.clone()).or_default() += 1;
            }
        }
        self.compare(sample, changed);
    }

    fn compare(&mut self, sample: &Sample, changed: impl FnOnce(Stamp) -> bool) {
        let before = self.targets.get(&sample.target).copied();
        if before.is_none() && self.targets.len() >= MOST_TARGETS {
            self.beyond += 1;
            return;
        }
        if let Some(before) = before {
            let same = before.body == sample.body;
            // Another answer is what an invalidation of its data is for; else something else than its data is in it.
            if sample.reason.is_none() && (same || !changed(before.stamp)) {
                self.compared += 1;
                self.compared_across += u64::from(before.visitor != sample.visitor);
                self.differed += u64::from(!same);
            }
            self.cache.gaps += 1;
            self.cache.gaps_ms += u64::try_from(sample.at_ms.saturating_sub(before.last_ms)).unwrap_or(0);
        }
        if let Some(reason) = sample.reason {
            self.cache.revalidate_ms = sample.revalidate_ms;
            self.cache.add(reason, before.is_some_and(|before| before.stored));
        }
        let stored = match sample.reason {
            Some(Reason::Miss { stored, .. }) => stored,
            Some(Reason::Bypass) | None => false,
            Some(Reason::Hit { .. } | Reason::Stale { .. }) => true,
        };
        let Sample { body, visitor, stamp, at_ms: last_ms, .. } = *sample;
        self.targets.insert(sample.target, Target { body, visitor, stamp, stored, last_ms });
    }
}

impl CacheSeen {
    fn add(&mut self, reason: Reason, was_stored: bool) {
        let count = match reason {
            // It would have been a hit a moment later.
            Reason::Miss { collapsed: true, .. } | Reason::Bypass => return,
            Reason::Hit { .. } => &mut self.fresh,
            Reason::Stale { why: Stale::Age | Stale::Error, .. } => &mut self.too_old,
            Reason::Stale { why: Stale::Soft, .. } => &mut self.invalidated,
            Reason::Miss { stored: false, .. } => &mut self.unstored,
            Reason::Miss { why: Miss::Expired | Miss::Stale, .. } => &mut self.too_old,
            Reason::Miss { why: Miss::Invalidated, .. } => &mut self.invalidated,
            Reason::Miss { why: Miss::Absent, .. } if was_stored => &mut self.gone,
            Reason::Miss { why: Miss::Absent | Miss::Unconfirmed, .. } => &mut self.first,
        };
        *count += 1;
        self.asked += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dev::advice::judge::tests::sample;

    #[test]
    fn endless_addresses_visitors_and_tags_are_counted_and_not_kept() {
        let mut seen = Seen::default();
        for at in 1..3_000_u64 {
            seen.add(
                &Sample { target: at, visitor: at, tags: vec![format!("tag-{at}")], ..sample() },
                |_| false,
            );
        }
        assert_eq!((seen.answers, seen.targets(), seen.visitors()), (2_999, 1_024, 64));
        assert_eq!((seen.beyond, seen.tags.len()), (2_999 - 1_024, MOST_TAGS));
    }

    #[test]
    fn failures_are_not_counted_and_counting_begins_anew_some_time() {
        let mut seen = Seen::default();
        seen.add(&Sample { status: 500, ..sample() }, |_| false);
        assert_eq!(seen.answers, 0);
        seen.answers = MOST_ANSWERS;
        seen.add(&sample(), |_| false);
        assert_eq!(seen.answers, 1);
    }
}
