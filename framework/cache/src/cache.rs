//! Look up, decide, render once, store.

mod draft;
mod inner;
mod render;
mod turn;

pub use render::RenderPanicked;

pub(crate) use inner::{Backing, Inner};

use crate::{
    Decision, Engine, Entry, Miss, Place, Scope, Stale, Trust, Validity, Value, decide,
    flight::{Boarding, Landed},
    observe::{Read, Saved},
};
use render::launch;
use std::{fmt, future::Future, sync::Arc, time::Duration};
use tokio::time::Instant;
use tracing::{Instrument as _, field::Empty};
use tropos_core::{Ages, Failure, Key, Tags, Tick};

/// How long "there is no such thing" is fresh unless something else is declared: short, since it is asked for again
/// as soon as it exists, and long enough to take the load of a dead link.
pub const DEFAULT_NEGATIVE: Duration = Duration::from_secs(10);

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The entry's name.
    pub key: &'a Key,
    /// Its ages, as declared.
    pub ages: Ages,
    /// The age after which a negative result is stale.
    pub negative: Duration,
    /// The tags that are known before the render: declared ones, and those of the path.
    pub tags: Tags,
    /// Take no stale entry: wait for the render, and fall back on the stale entry only if that fails.
    pub fresh: bool,
    /// No reader waits for it: it is made again by itself, and is told of as other renders in the background are.
    pub unasked: bool,
}

impl<'a> Request<'a> {
    /// A reader's, who takes what is stale, with no tags but those of what is read.
    pub fn new(key: &'a Key, ages: Ages) -> Self {
        let (negative, tags) = (DEFAULT_NEGATIVE, Tags::new());
        Self { key, ages, negative, tags, fresh: false, unasked: false }
    }
}

/// What a render made.
#[derive(Debug, Clone)]
pub struct Produced<V> {
    /// The result.
    pub value: V,
    /// Whether it says that there is no such thing.
    pub negative: bool,
    /// Whether it may be stored. It is shared with those who wait for the same render in any case, so what depends on
    /// who asks must not be made here.
    pub store: bool,
}

/// Where an answer came from; becomes `Cache-Status`, and a field of the trace span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A fresh entry.
    Hit {
        /// Seconds for which it stays fresh.
        ttl: i64,
    },
    /// An entry that is not fresh.
    Stale {
        /// Seconds for which it stays fresh: zero or less.
        ttl: i64,
        /// Why it is not fresh.
        why: Stale,
    },
    /// A render.
    Miss {
        /// Why no entry could be served.
        why: Miss,
        /// Whether the result was stored.
        stored: bool,
        /// Whether somebody else's render was waited for.
        collapsed: bool,
    },
    /// The cache was not asked: a draft.
    Bypass,
}

/// An answer.
#[derive(Debug)]
pub struct Served<V> {
    /// The entry, or why there is none.
    pub result: Result<Arc<Entry<V>>, Failure>,
    /// Where it came from.
    pub reason: Reason,
    /// Whether the shared store was out of reach, so that an invalidation may have been missed.
    pub degraded: bool,
}

/// What a flight has to know of the request that started it.
struct Plan {
    key: Key,
    ages: Ages,
    negative: Duration,
    tags: Tags,
    /// The route that it is for.
    route: Option<&'static str>,
    /// Whether nobody waits for it.
    background: bool,
}

/// Entries of one kind. Cloning gives another handle on the same.
pub struct Cache<V>(Arc<Inner<V>>);

impl<V> Clone for Cache<V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<V: Value> Cache<V> {
    pub(crate) fn over(inner: Inner<V>) -> Self {
        Self(Arc::new(inner))
    }

    pub(crate) fn inner(&self) -> &Inner<V> {
        &self.0
    }

    /// The entry in memory, and what to do with it. The path of a hit: no waiting, no allocation, and one number
    /// compared for all its tags while nothing is invalidated.
    ///
    /// `None` also where there is more to do than to answer: to catch up with the shared store, or to make an entry
    /// anew early. [`serve`](Self::serve) does that.
    pub fn peek(&self, key: &Key) -> Option<(Arc<Entry<V>>, Decision)> {
        if self.0.tags.trust(self.0.clock.now()) != Trust::Full {
            return None;
        }
        self.0.at_hand(key).filter(|(entry, _)| !self.0.is_due_early(key, entry))
    }

    /// The entry in memory, and what its ages and tags say, also where [`peek`](Self::peek) leaves it to
    /// [`serve`](Self::serve): for a render that goes by what it is to replace.
    pub fn in_memory(&self, key: &Key) -> Option<(Arc<Entry<V>>, Decision)> {
        self.0.at_hand(key)
    }

    /// The number of entries in memory.
    pub fn entries(&self) -> usize {
        self.0.memory.len()
    }

    /// The bytes of memory that they take, about.
    pub fn bytes(&self) -> usize {
        self.0.memory.bytes()
    }

    /// The number of entries in memory that say that there is no such thing.
    pub fn negative_entries(&self) -> usize {
        self.0.negative.len()
    }

    /// Where the entry under `key` lies in memory, for who answers from it again and again.
    pub fn place(&self, key: &Key) -> Option<Arc<Place<V>>> {
        self.0.memory.place(key)
    }

    /// What [`peek`](Self::peek) would find there, without a look-up, a lock or a count of references; with the moment for
    /// which it holds.
    pub fn peek_at<R>(&self, place: &Place<V>, at: impl FnOnce(&Entry<V>, Decision, Tick) -> R) -> Option<R> {
        // The clock is asked once: it is a good part of what a hit costs.
        let now = self.0.clock.now();
        if self.0.tags.trust(now) != Trust::Full {
            return None;
        }
        let found = place.look(|entry| {
            let due = decide::is_due_early(&entry.meta, place.key(), now, entry.backoff(), self.0.early);
            (!due).then(|| at(entry, entry.decide(&self.0.tags, now), now))
        });
        found.flatten()
    }

    /// The entry that the build made, from memory or from the build, whatever its age and tags.
    pub async fn from_build(&self, key: &Key) -> Option<Arc<Entry<V>>> {
        self.0.of_build(key).await
    }

    /// Answers from the best entry there is, or from a render.
    ///
    /// A stale entry is served at once, while one render in the background replaces it. Where none can be served, one
    /// render runs for all who ask meanwhile. It runs in a task of its own, inside a [`Scope`], at most as long as the
    /// engine's `render_timeout`; nobody's leaving cancels it, and a panic is a failure.
    pub async fn serve<F, Fut>(&self, request: Request<'_>, produce: F) -> Served<V>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Produced<V>, Failure>> + Send + 'static,
    {
        if let Some(scope) = Scope::current().filter(Scope::is_draft) {
            let key = request.key;
            let served = draft::serve(&scope, request, produce).await;
            self.tell(key, &served);
            return served;
        }
        // Before anything is taken from memory: what was missed applies first.
        let degraded = self.0.tags.confirm().await != Trust::Full;
        let key = request.key;
        let served = self.serve_confirmed(request, produce).await;
        self.tell(key, &served);
        Served { degraded, ..served }
    }

    fn tell(&self, key: &Key, served: &Served<V>) {
        let Some(observer) = self.0.counts.observed.by() else { return };
        let saved = match (&served.result, served.reason) {
            (Ok(entry), Reason::Hit { .. }) => entry.saves(),
            _ => Saved::default(),
        };
        let route = Scope::current().and_then(|scope| scope.route());
        observer.read(&Read { key, route, reason: served.reason, saved });
    }

    async fn serve_confirmed<F, Fut>(&self, request: Request<'_>, produce: F) -> Served<V>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Produced<V>, Failure>> + Send + 'static,
    {
        let (generation, arrived) = (self.0.tags.generation(), self.0.tags.current().sequence);
        let (key, fresh) = (request.key, request.fresh);
        let (Some(engine), parent) = (self.0.engine.upgrade().map(Engine::from_inner), Scope::current())
        else {
            return Served::failed(Failure::new("the cache is gone"), Miss::Absent);
        };
        let plan = Plan {
            key: key.clone(),
            ages: request.ages,
            negative: request.negative,
            tags: request.tags,
            route: parent.as_ref().and_then(Scope::route),
            background: request.unasked,
        };
        let mut start = Some((plan, produce));
        let mut waited_for = None;
        loop {
            let found = self.0.find(key).await;
            let why = match found {
                Some((entry, Decision::Hit { ttl_seconds: ttl })) => {
                    let reason = match waited_for {
                        Some(why) => Reason::Miss { why, stored: true, collapsed: true },
                        None => Reason::Hit { ttl },
                    };
                    if let (true, Some((plan, produce))) = (self.0.is_due_early(key, &entry), start) {
                        self.regenerate(engine, plan, produce);
                    }
                    return Served::found(entry, reason);
                }
                Some((entry, Decision::Stale { ttl_seconds: ttl, why, regenerate }))
                    if !fresh || !regenerate =>
                {
                    if let (true, Some((plan, produce))) = (regenerate, start) {
                        self.regenerate(engine, plan, produce);
                    }
                    return Served::found(entry, Reason::Stale { ttl, why });
                }
                Some((_, Decision::Stale { .. })) => Miss::Stale,
                Some((_, Decision::Miss { why })) => why,
                None => Miss::Absent,
            };
            let why = *waited_for.get_or_insert(why);
            if parent.as_ref().is_some_and(|scope| scope.is_within(key)) {
                let text = format!("`{key}` reads itself: it would wait for its own render for ever");
                return Served::failed(Failure::new(text), why);
            }
            let (waiter, collapsed) = match self.0.flights.board(key) {
                Boarding::Join(waiter) => (waiter, true),
                // A flight may have landed between the look-up and the boarding.
                Boarding::Lead(permit) if self.has_usable(key, fresh) => {
                    permit.land(Err(Needless.into()));
                    continue;
                }
                Boarding::Lead(permit) => {
                    let waiter = permit.waiter();
                    let Some((plan, produce)) = start.take() else {
                        return Served::failed(Failure::new("a render was outdated twice"), why);
                    };
                    launch(self.0.clone(), engine.clone(), permit, plan, parent.clone(), produce);
                    (waiter, false)
                }
            };
            // Who leads waits for its own render, which has a span of its own.
            let span = match collapsed {
                true => tracing::debug_span!(target: "tropos::cache", "wait"),
                false => tracing::Span::none(),
            };
            let began = Instant::now();
            let ended = waiter.wait().instrument(span).await;
            if let Some(observer) = self.0.counts.observed.by().filter(|_| collapsed) {
                observer.waited(key, began.elapsed());
            }
            match ended {
                Err(failure) if failure.downcast_ref::<Needless>().is_some() => {}
                Err(failure) => return self.fall_back(key, failure, why, collapsed),
                Ok(Landed { entry, stored, all_tags }) => {
                    let validity = if all_tags { entry.validity(&self.0.tags) } else { Validity::Hard };
                    // What another instance made was found valid after this reader came, whatever became of it since.
                    let was_valid = all_tags && entry.last_valid() >= generation;
                    if was_valid || decide::may_join(validity, entry.meta.stamp.sequence, arrived, fresh) {
                        return Served::found(entry, Reason::Miss { why, stored, collapsed });
                    }
                }
            }
        }
    }

    /// Whether there is an entry in memory that makes a render needless.
    fn has_usable(&self, key: &Key, fresh: bool) -> bool {
        match self.0.at_hand(key) {
            Some((_, Decision::Hit { .. })) => true,
            Some((_, Decision::Stale { regenerate, .. })) => !fresh || !regenerate,
            Some((_, Decision::Miss { .. })) | None => false,
        }
    }

    /// Renders in the background, unless somebody does already.
    fn regenerate<F, Fut>(&self, engine: Engine, plan: Plan, produce: F)
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Produced<V>, Failure>> + Send + 'static,
    {
        let Boarding::Lead(permit) = self.0.flights.board(&plan.key) else {
            return;
        };
        match self.0.at_hand(&plan.key) {
            // Somebody has just done so, or has just failed.
            Some((_, Decision::Stale { regenerate: false, .. })) => permit.land(Err(Needless.into())),
            Some((entry, Decision::Hit { .. })) if !self.0.is_due_early(&plan.key, &entry) => {
                permit.land(Err(Needless.into()));
            }
            _ => {
                // Of no request: it goes on when that has been answered. The link says which one caused it.
                let span = tracing::debug_span!(
                    target: "tropos::cache",
                    parent: None,
                    "regenerate",
                    otel.kind = "internal",
                    otel.name = Empty,
                    http.route = plan.key.as_page().map(|page| page.route),
                    tropos.cache.key = ?Shown(&plan.key),
                );
                if !span.is_disabled() {
                    // Arguments of functions are values, and left out.
                    let what = match plan.key.as_page() {
                        Some(page) => page.route.to_owned(),
                        None => plan.key.as_str().split(' ').take(2).collect::<Vec<_>>().join(" "),
                    };
                    span.record("otel.name", format!("regenerate {what}"));
                }
                span.follows_from(tracing::Span::current().id());
                let plan = Plan { background: true, ..plan };
                span.in_scope(|| launch(self.0.clone(), engine, permit, plan, None, produce));
            }
        }
    }

    /// The last good entry, where it may still be served, else the failure.
    fn fall_back(&self, key: &Key, failure: Failure, why: Miss, collapsed: bool) -> Served<V> {
        match self.0.at_hand(key) {
            Some((entry, Decision::Hit { ttl_seconds: ttl } | Decision::Stale { ttl_seconds: ttl, .. })) => {
                Served::found(entry, Reason::Stale { ttl: ttl.min(0), why: Stale::Error })
            }
            _ => {
                let reason = Reason::Miss { why, stored: false, collapsed };
                Served { result: Err(failure), reason, degraded: false }
            }
        }
    }
}

/// A key as spans tell it: without values, which are the query of a page and the arguments of a function. By `{:#?}` it is whole,
/// for what stays in this process.
struct Shown<'k>(&'k Key);

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.as_str();
        if f.alternate() {
            return f.write_str(text);
        }
        let Some(page) = self.0.as_page() else {
            let end = text.match_indices(' ').nth(1).map_or(text.len(), |(at, _)| at);
            return f.write_str(text.get(..end).unwrap_or_default());
        };
        write!(f, "{}", Key::page_variant(page.route, page.path, "", page.variants))
    }
}

/// Why a flight ended before it began: there is an entry already. Who joined it looks again.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the render was needless")]
struct Needless;

impl<V> Served<V> {
    fn failed(failure: Failure, why: Miss) -> Self {
        let reason = Reason::Miss { why, stored: false, collapsed: false };
        Self { result: Err(failure), reason, degraded: false }
    }

    fn found(entry: Arc<Entry<V>>, reason: Reason) -> Self {
        Self { result: Ok(entry), reason, degraded: false }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

    use super::*;
    use crate::Data;
    use tropos_core::ManualClock;

    #[test]
    fn keys_are_told_without_values_and_kept_whole() {
        for (key, told) in [
            (Key::page("/p/:n", "/p/a", ""), "page /p/:n /p/a"),
            (Key::page("/p/:n", "/p/a", "q=secret"), "page /p/:n /p/a"),
            (Key::page_variant("/p/:n", "/p/a", "q=secret", "ab=a"), "page /p/:n /p/a#ab=a"),
            (Key::function("shop::sizes", "[\"secret\", 7]"), "fn shop::sizes"),
            (Key::fetch("0123"), "fetch 0123"),
        ] {
            assert_eq!(format!("{:?}", Shown(&key)), told);
            assert_eq!(format!("{:#?}", Shown(&key)), key.as_str());
        }
    }

    #[tokio::test]
    async fn who_joins_a_flight_that_turns_out_needless_looks_again() {
        let engine = Engine::in_memory(Arc::new(ManualClock::new()));
        let key = Key::fetch("a");
        let Boarding::Lead(permit) = engine.data().0.flights.board(&key) else { panic!("nobody leads yet") };
        let joins = {
            let (engine, key) = (engine.clone(), key.clone());
            tokio::spawn(async move {
                let request = Request { fresh: true, ..Request::new(&key, Ages::NEVER) };
                let render =
                    || async { Ok(Produced { value: Data("v".into()), negative: false, store: true }) };
                engine.data().serve(request, render).await
            })
        };
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        permit.land(Err(Needless.into()));
        let served = joins.await.unwrap();
        assert_eq!(served.result.unwrap().value, Data("v".into()));
        assert_eq!(served.reason, Reason::Miss { why: Miss::Absent, stored: true, collapsed: false });
    }
}
