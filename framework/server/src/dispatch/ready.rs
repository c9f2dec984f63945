//! Targets that a stored page or a file answered before: for those, nothing is parsed, routed or allocated before it is known that
//! the page may answer again.
//!
//! What a target leads to is a function of the target and the routes alone, so it is found out once, by the way that every
//! request takes, and learnt here. Whether the entry may be served is asked each time.

use super::stored::facts;
use crate::{
    meter::{Hit, Hits},
    site::Site,
};
use arc_swap::ArcSwapOption;
use http::{HeaderMap, header, request::Parts};
use std::sync::Arc;
use tropos_cache::{
    Decision, Place, StoredPage,
    decide::TTL_OF_NEVER,
    http::{CacheStatus, Facts, Lifetime},
    observe::Saved,
};
use tropos_core::{CanonicalPath, Mode};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Targets that are remembered: 128 KiB of slots, and at most 6 MiB with all that is in them. A site with more hot pages
/// answers the others by the longer way, at some thousand requests a second less.
const SLOTS: usize = 16 * 1024;

/// A longer target is not learnt.
const LONGEST: usize = 256;

/// Where targets are looked up, by all threads at once and without a lock.
pub(crate) struct Index {
    /// Keeps others from choosing targets that meet in one slot.
    seed: u64,
    /// Empty where nothing is to be learnt.
    slots: Box<[ArcSwapOption<Known>]>,
}

/// A target and the page that it leads to.
struct Known {
    /// As it stands in the request line.
    target: Box<str>,
    /// `isr`, or `ssg` for what is of the build and never stale: pages, and hashed files.
    mode: Mode,
    place: Arc<Place<StoredPage>>,
    /// Where hits are counted.
    hits: Option<Arc<Hits>>,
}

impl Known {
    fn hit(&self, saved: Saved) -> Hit<'_> {
        Hit { hits: self.hits.as_deref(), saved }
    }
}

impl Index {
    /// An index; one that learns nothing unless `learns`.
    pub(crate) fn new(learns: bool) -> Self {
        let slots = if learns { SLOTS } else { 0 };
        Self { seed: rand::random(), slots: (0..slots).map(|_| ArcSwapOption::empty()).collect() }
    }

    /// The two slots in which a target may be.
    fn slots(&self, target: &str) -> impl Iterator<Item = &ArcSwapOption<Known>> {
        let hash = xxh3_64_with_seed(target.as_bytes(), self.seed);
        let at = move |hash: u64| usize::try_from(hash).unwrap_or(0) % SLOTS;
        [at(hash), at(hash >> 32)].into_iter().filter_map(|at| self.slots.get(at))
    }

    fn find<R>(&self, target: &str, then: impl FnOnce(&Known) -> Option<R>) -> Option<R> {
        for slot in self.slots(target) {
            let known = slot.load();
            if let Some(known) = known.as_deref().filter(|known| *known.target == *target) {
                return then(known);
            }
        }
        None
    }

    fn learn(&self, target: &str, mode: Mode, place: Arc<Place<StoredPage>>, hits: Option<Arc<Hits>>) {
        let new = Arc::new(Known { target: target.into(), mode, place, hits });
        let is_free = |slot: &&ArcSwapOption<Known>| {
            // Free where the same target was, or one whose page is gone.
            let known = slot.load();
            known
                .as_deref()
                .is_none_or(|known| *known.target == *target || known.place.look(|_| ()).is_none())
        };
        let free = self.slots(target).find(is_free).or_else(|| self.slots(target).last());
        if let Some(slot) = free {
            slot.store(Some(new));
        }
    }
}

#[cfg(test)]
impl Index {
    pub(crate) fn learn_for_test(&self, target: &str, mode: Mode, place: Arc<Place<StoredPage>>) {
        self.learn(target, mode, place, None);
    }
}

impl Site {
    /// Hands over the page that answers `target` by a hit, and what there is to say of it. `None`: find out by the way
    /// that every request takes.
    ///
    /// The caller has checked method and host, and that the request is [`for_everybody`].
    pub(crate) fn ready<R>(
        &self,
        target: &str,
        then: impl FnOnce(&StoredPage, Facts, Hit<'_>) -> Option<R>,
    ) -> Option<R> {
        self.index.find(target, |known| match known.mode {
            Mode::Ssg => known
                .place
                .look(|entry| then(&entry.value, facts_of_build(), known.hit(entry.saves())))
                .flatten(),
            _ => {
                let answered =
                    self.engine.pages().peek_at(&known.place, |entry, decision, now| match decision {
                        Decision::Hit { ttl_seconds } => {
                            let facts = facts(&entry.meta, CacheStatus::hit(ttl_seconds), now);
                            then(&entry.value, facts, known.hit(entry.saves()))
                        }
                        Decision::Stale { .. } | Decision::Miss { .. } => None,
                    });
                answered.flatten()
            }
        })
    }

    /// Whether `target` is that of a stored page or file, whatever there is to say of it now.
    pub(crate) fn is_known(&self, target: &str) -> bool {
        self.index.find(target, |_| Some(())).is_some()
    }

    /// Whether hooks may decide on requests of this path: then it takes more than the target to know the answer.
    fn has_hooks_for(&self, path: &CanonicalPath) -> bool {
        let route = || self.table.find(path).map(|(page, _)| page.route.pattern());
        !self.hooks.is_empty() && self.hooks.may_concern(path, route())
    }

    /// Remembers that the entry in this place answers this request, where its target is the one spelling of it: else
    /// endless spellings of one page would drive out the others.
    pub(super) fn learn(
        &self,
        request: &Parts,
        path: &CanonicalPath,
        query: &str,
        mode: Mode,
        place: impl FnOnce() -> Option<Arc<Place<StoredPage>>>,
    ) {
        let uri = &request.uri;
        let canonical = uri.path() == path.as_str()
            && uri.query().is_none_or(|asked| !asked.is_empty() && asked == query);
        let Some(target) = uri.path_and_query().map(|target| target.as_str()) else { return };
        if !canonical || target.len() > LONGEST || self.index.slots.is_empty() || self.has_hooks_for(path) {
            return;
        }
        if self.index.find(target, |known| known.place.look(|_| ())).is_none()
            && let Some(place) = place()
        {
            let hits = self.meter.hits_of(place.key()).clone();
            self.index.learn(target, mode, place, Some(hits));
        }
    }
}

/// What is said of every page of the build.
pub(super) fn facts_of_build() -> Facts {
    Facts {
        mode: Mode::Ssg,
        age_seconds: None,
        lifetime: Lifetime::of(Mode::Ssg, None, None, None),
        cache_status: CacheStatus::hit(TTL_OF_NEVER),
    }
}

/// Whether a request may be answered with what everybody gets: it carries no cookie by which Tropos itself would answer
/// otherwise.
pub(crate) fn for_everybody(headers: &HeaderMap) -> bool {
    headers.get_all(header::COOKIE).iter().all(|cookies| is_of_everybody(cookies.as_bytes()))
}

/// The same, of one line of cookies. Rather too careful: any mention of a draft counts.
pub(crate) fn is_of_everybody(cookies: &[u8]) -> bool {
    !cookies.windows(DRAFT.len()).any(|part| part.eq_ignore_ascii_case(DRAFT))
}

const DRAFT: &[u8] = b"draft";
