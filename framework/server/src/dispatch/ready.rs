//! Targets that a stored page or a file answered before: for those, nothing is parsed, routed or allocated before it is known that
//! the page may answer again.
//!
//! What a target leads to is a function of the target and the routes alone, so it is found out once, by the way that every
//! request takes, and learnt here. Whether the entry may be served is asked each time. So are hooks, where some may be for the
//! path: what they are told of it is learnt too ([`Gate`]), and they choose among the entries by the variants that the page declares.

use super::stored::facts;
use crate::{
    meter::{Hit, Hits},
    routing::PageRoute,
    site::Site,
};
use arc_swap::ArcSwapOption;
use http::{HeaderMap, header, request::Parts};
use std::sync::Arc;
use tropos_cache::{
    Decision, Entry, Place, StoredPage,
    decide::TTL_OF_NEVER,
    http::{CacheStatus, Facts, Lifetime},
    observe::Saved,
};
use tropos_core::{CanonicalPath, Mode};
use tropos_edge::{Variants, hooks::AtPath};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Targets that are remembered, each variant of one for itself: 128 KiB of slots, and some 6 MiB with what is in them mostly. A site with more hot pages
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
pub(crate) struct Known {
    /// As it stands in the request line.
    target: Box<str>,
    /// The variants, as they stand in the key; empty where hooks do not choose among entries, and where they are asked first.
    variants: Box<str>,
    /// `isr`, or `ssg` for what is of the build and never stale: pages, and hashed files.
    mode: Mode,
    /// `None` where the variants tell which it is.
    place: Option<Arc<Place<StoredPage>>>,
    /// Where hooks may be for the target.
    pub(crate) gate: Option<Gate>,
    /// Where hits are counted.
    hits: Option<Arc<Hits>>,
}

/// What hooks are told of a target.
pub(crate) struct Gate {
    pub(crate) path: CanonicalPath,
    pub(crate) page: Option<Arc<PageRoute>>,
    /// Those that may do something for the path.
    pub(crate) hooks: AtPath,
}

impl Known {
    /// Whether it can be had for the asking: no hook is for it.
    fn is_open(&self) -> bool {
        self.gate.is_none()
    }

    fn hit(&self, saved: Saved) -> Hit<'_> {
        Hit { hits: self.hits.as_deref(), saved }
    }

    /// Whether its entry was driven out.
    fn is_gone(&self) -> bool {
        self.place.as_ref().is_some_and(|place| place.look(|_| ()).is_none())
    }
}

/// What is to be learnt of a request: what it asked for, and what answered it.
pub(super) struct Lesson<'l> {
    pub(super) path: &'l CanonicalPath,
    /// The query in its one spelling.
    pub(super) query: &'l str,
    /// The variants, as they stand in the key.
    pub(super) variants: &'l str,
    pub(super) mode: Mode,
}

impl Index {
    /// An index; one that learns nothing unless `learns`.
    pub(crate) fn new(learns: bool) -> Self {
        let slots = if learns { SLOTS } else { 0 };
        Self { seed: rand::random(), slots: (0..slots).map(|_| ArcSwapOption::empty()).collect() }
    }

    /// The two slots in which a target may be, with these variants.
    fn slots(&self, target: &str, variants: &str) -> impl Iterator<Item = &ArcSwapOption<Known>> {
        let seed =
            if variants.is_empty() { self.seed } else { xxh3_64_with_seed(variants.as_bytes(), self.seed) };
        let hash = xxh3_64_with_seed(target.as_bytes(), seed);
        let at = move |hash: u64| usize::try_from(hash).unwrap_or(0) % SLOTS;
        [at(hash), at(hash >> 32)].into_iter().filter_map(|at| self.slots.get(at))
    }

    fn find<R>(&self, target: &str, variants: &str, then: impl FnOnce(&Known) -> Option<R>) -> Option<R> {
        for slot in self.slots(target, variants) {
            let known = slot.load();
            let is_it = |known: &&Known| *known.target == *target && *known.variants == *variants;
            if let Some(known) = known.as_deref().filter(is_it) {
                return then(known);
            }
        }
        None
    }

    fn learn(&self, new: Known) {
        let new = Arc::new(new);
        let is_free = |slot: &&ArcSwapOption<Known>| {
            // Free where the same was, or one whose page is gone.
            let known = slot.load();
            known.as_deref().is_none_or(|known| {
                (&known.target, &known.variants) == (&new.target, &new.variants) || known.is_gone()
            })
        };
        let slots = || self.slots(&new.target, &new.variants);
        if let Some(slot) = slots().find(is_free).or_else(|| slots().last()) {
            slot.store(Some(new.clone()));
        }
    }
}

#[cfg(test)]
impl Index {
    pub(crate) fn learn_for_test(&self, target: &str, mode: Mode, place: Arc<Place<StoredPage>>) {
        let (target, variants, place) = (target.into(), "".into(), Some(place));
        self.learn(Known { target, variants, mode, place, gate: None, hits: None });
    }
}

impl Site {
    /// Hands over the page that answers `target` by a hit, and what there is to say of it. `None`: find out by the way
    /// that every request takes, as for whatever hooks may be for.
    ///
    /// The caller has checked method and host, and that the request is [`for_everybody`].
    pub(crate) fn ready<R>(
        &self,
        target: &str,
        then: impl FnOnce(&StoredPage, Facts, Hit<'_>) -> Option<R>,
    ) -> Option<R> {
        self.known(target, |known| if known.is_open() { self.hit(known, then) } else { None })
    }

    /// What `target` is known to lead to, whatever there is to say of it now.
    pub(crate) fn known<R>(&self, target: &str, then: impl FnOnce(&Known) -> Option<R>) -> Option<R> {
        self.index.find(target, "", then)
    }

    /// The entry of what is known, where it is a hit. Hooks have been asked.
    pub(crate) fn hit<R>(
        &self,
        known: &Known,
        then: impl FnOnce(&StoredPage, Facts, Hit<'_>) -> Option<R>,
    ) -> Option<R> {
        let place = known.place.as_ref()?;
        match known.mode {
            Mode::Ssg => {
                let then = |entry: &Entry<StoredPage>| {
                    then(&entry.value, facts_of_build(), known.hit(entry.saves()))
                };
                place.look(then).flatten()
            }
            _ => {
                let answered = self.engine.pages().peek_at(place, |entry, decision, now| match decision {
                    Decision::Hit { ttl_seconds } => {
                        let facts = facts(&entry.meta, CacheStatus::hit(ttl_seconds), now);
                        then(&entry.value, facts, known.hit(entry.saves()))
                    }
                    Decision::Stale { .. } | Decision::Miss { .. } => None,
                });
                answered.flatten()
            }
        }
    }

    /// The route and mode of what `target` leads to; hashed files have neither.
    pub(crate) fn route_of_known(&self, target: &str) -> Option<(String, Mode)> {
        self.known(target, |known| {
            let place = known.place.as_ref().and_then(|place| place.key().as_page());
            let gated = known.gate.as_ref().and_then(|gate| gate.page.as_ref());
            let route = place.map(|page| page.route).or(gated.map(|page| page.route.pattern()))?;
            Some((route.to_owned(), known.mode))
        })
    }

    /// The same, of the entry with the variants that hooks have chosen.
    pub(crate) fn hit_of<R>(
        &self,
        known: &Known,
        chosen: &Variants,
        then: impl FnOnce(&StoredPage, Facts, Hit<'_>) -> Option<R>,
    ) -> Option<R> {
        let page = known.gate.as_ref().and_then(|gate| gate.page.as_ref());
        let variants = page.filter(|_| known.mode == Mode::Isr).map(|page| page.route.variants(chosen));
        match variants.filter(|variants| !variants.is_empty()) {
            None => self.hit(known, then),
            Some(variants) => self.index.find(&known.target, &variants, |known| self.hit(known, then)),
        }
    }

    /// Remembers that the entry in this place answers this request, where its target is the one spelling of it: else
    /// endless spellings of one page would drive out the others.
    pub(super) fn learn(
        &self,
        request: &Parts,
        lesson: Lesson<'_>,
        place: impl FnOnce() -> Option<Arc<Place<StoredPage>>>,
    ) {
        let Lesson { path, query, variants, mode } = lesson;
        let uri = &request.uri;
        let canonical = uri.path() == path.as_str()
            && uri.query().is_none_or(|asked| !asked.is_empty() && asked == query);
        let Some(target) = uri.path_and_query().map(|target| target.as_str()) else { return };
        if !canonical || target.len() > LONGEST || self.index.slots.is_empty() {
            return;
        }
        let has = |variants: &str| {
            self.index.find(target, variants, |known| (!known.is_gone()).then_some(())).is_some()
        };
        if has("") && (variants.is_empty() || has(variants)) {
            return;
        }
        let Ok(mut gate) = self.gate(path) else { return };
        let page = gate.as_ref().and_then(|gate| gate.page.as_ref());
        let variants = match &gate {
            Some(_) => variants,
            // Hooks chose for whoever came from elsewhere; who comes here is given what counts where none chose.
            None if self.chosen_elsewhere(path, variants) => return,
            None => "",
        };
        debug_assert!(variants.is_empty() || page.is_some(), "variants are of a page");
        if !has(variants)
            && let Some(place) = place()
        {
            let gate = if variants.is_empty() { gate.take() } else { None };
            let (target, variants, place) = (target.into(), variants.into(), Some(place));
            let hits = place.as_ref().map(|place| self.meter.hits_of(place.key()).clone());
            self.index.learn(Known { target, variants, mode, place, gate, hits });
        }
        if !variants.is_empty() && !has("") {
            let (target, variants) = (target.into(), "".into());
            self.index.learn(Known { target, variants, mode, place: None, gate, hits: None });
        }
    }

    /// What hooks are told of a path, where one may be for it. An error where one may wait: then it takes a task to know
    /// the answer.
    fn gate(&self, path: &CanonicalPath) -> Result<Option<Gate>, Waits> {
        if self.hooks.is_empty() {
            return Ok(None);
        }
        let page = self.table.find(path).map(|(page, _)| page.clone());
        let route = page.as_ref().map(|page| page.route.pattern());
        let hooks = self.hooks.at_path(path, route);
        match hooks.is_empty() {
            true => Ok(None),
            false if hooks.may_wait() => Err(Waits),
            false => Ok(Some(Gate { path: path.clone(), page, hooks })),
        }
    }

    /// Whether these are other variants than those that count where none was chosen.
    fn chosen_elsewhere(&self, path: &CanonicalPath, variants: &str) -> bool {
        !variants.is_empty()
            && self
                .table
                .find(path)
                .is_none_or(|(page, _)| page.route.variants(&Variants::default()) != variants)
    }
}

/// A hook may wait.
struct Waits;

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
