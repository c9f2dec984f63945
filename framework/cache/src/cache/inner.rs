//! Where entries are found and kept.

use super::{Plan, Produced, turn};
use crate::counts::Counts;
use crate::{
    Decision, Engine, Entry, Meta, Miss, Scope, Seed, TagRegistry, Trust, Value, decide,
    decide::Early,
    engine,
    explain::{self, Unstored},
    flight::{Flights, Landed},
    store::{disk::Disk, guarded::Guarded, memory::Memory},
};
use bytes::Bytes;
use std::{
    sync::{Arc, Weak},
    time::Duration,
};
use tropos_core::{Clock, Failure, Key, Tick, UnixMillis};

/// What the handles on a cache share.
pub(crate) struct Inner<V> {
    pub(crate) engine: Weak<engine::Inner>,
    pub(crate) tags: TagRegistry,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) memory: Memory<V>,
    /// Entries that say that there is no such thing: never on disk, and few.
    pub(crate) negative: Memory<V>,
    pub(crate) backing: Option<Backing>,
    pub(crate) seed: Option<Arc<dyn Seed<V>>>,
    pub(crate) flights: Arc<Flights<V>>,
    pub(crate) render_timeout: Duration,
    pub(crate) early: Early,
    pub(crate) counts: Arc<Counts>,
}

/// What lies beneath memory.
#[derive(Clone)]
pub(crate) enum Backing {
    /// A folder, so that a restart finds entries.
    Disk(Arc<Disk>),
    /// A store that instances share.
    Shared {
        /// The store.
        store: Arc<Guarded>,
        /// Names the build: another's entries are never read.
        build: Arc<str>,
    },
}

impl<V: Value> Inner<V> {
    /// The entry in memory.
    pub(super) fn at_hand(&self, key: &Key) -> Option<(Arc<Entry<V>>, Decision)> {
        let entry = self.memory.get(key).or_else(|| self.negative.get(key))?;
        let decision = self.judge(&entry);
        Some((entry, decision))
    }

    /// What to do with an entry now: nothing can be known of it where the shared store was out of reach for too long.
    pub(crate) fn judge(&self, entry: &Entry<V>) -> Decision {
        let now = self.clock.now();
        match self.tags.trust(now) {
            Trust::Full | Trust::Degraded => entry.decide(&self.tags, now),
            Trust::Lost => Decision::Miss { why: Miss::Unconfirmed },
        }
    }

    /// Whether a fresh entry is to be made anew in the background already, so that entries which were made together do
    /// not end together.
    pub(super) fn is_due_early(&self, key: &Key, entry: &Entry<V>) -> bool {
        decide::is_due_early(&entry.meta, key, self.clock.now(), entry.backoff(), self.early)
    }

    /// The wall clock by which ages are told across processes.
    pub(super) fn wall(&self) -> UnixMillis {
        self.tags.shared_wall(self.clock.now()).unwrap_or_else(|| self.clock.wall())
    }

    /// The best entry there is: in memory, of the build while that is fresh, beneath memory, else of the build.
    pub(super) async fn find(&self, key: &Key) -> Option<(Arc<Entry<V>>, Decision)> {
        if let Some(found) = self.at_hand(key) {
            return Some(found);
        }
        let built = match &self.seed {
            Some(seed) => seed.load(key).await,
            None => None,
        };
        let is_fresh = |entry: &Entry<V>| matches!(self.judge(entry), Decision::Hit { .. });
        let entry = match built {
            Some(built) if is_fresh(&built) => built,
            built => self.read_backing(key).await.or(built)?,
        };
        let (decision, entry) = (self.judge(&entry), Arc::new(entry));
        if matches!(decision, Decision::Miss { .. }) {
            return Some((entry, decision));
        }
        self.take_up(key, entry.clone());
        // What is in memory now is not necessarily the same, if a render has ended meanwhile; and nothing is there if
        // it is too large.
        self.at_hand(key).or(Some((entry, decision)))
    }

    /// The entry of the build, whatever its age and tags.
    pub(super) async fn of_build(&self, key: &Key) -> Option<Arc<Entry<V>>> {
        if let Some(entry) = self.memory.get(key) {
            return Some(entry);
        }
        let entry = self.seed.as_ref()?.load(key).await?;
        Some(self.memory.insert(key, Arc::new(entry)))
    }

    /// Turns a result into an entry and stores it, if it may be.
    pub(super) fn keep(&self, plan: Plan, scope: &Scope, start: Start, produced: Produced<V>) -> Landed<V> {
        let reads = scope.reads();
        let mut tags = plan.tags;
        reads.tags.iter().for_each(|tag| tags.add(tag.clone()));
        let declared = match (produced.negative, plan.ages.revalidate()) {
            (true, _) => Some(plan.negative),
            (false, tropos_core::Revalidate::After(age)) => Some(age),
            (false, tropos_core::Revalidate::Never) => None,
        };
        let entry = Entry::new(
            Meta {
                tags,
                stamp: scope.stamp(),
                started: start.tick,
                started_wall: start.wall,
                revalidate: decide::effective_revalidate(declared, start.tick, reads.stale_at),
                expire: plan.ages.expire(),
                negative: produced.negative,
                cost: self.clock.now().since(start.tick),
            },
            produced.value,
        );
        let entry = Arc::new(entry.with_queries(scope.queries()));
        if reads.too_many_tags {
            let most = crate::scope::MOST_TAGS;
            tracing::error!(key = %plan.key, "not stored: it read more than {most} tags; put one tag on the whole list");
        }
        let outdated = !decide::may_store(entry.validity(&self.tags));
        let stored = produced.store && !reads.too_many_tags && !outdated;
        if !stored {
            let why = match (outdated, reads.too_many_tags) {
                (true, _) => Unstored::Outdated,
                (false, true) => Unstored::TooManyTags,
                (false, false) => Unstored::Refused,
            };
            explain::note(scope.engine(), &plan.key, start.tick, why);
        }
        if stored {
            self.store(&plan.key, &entry);
        } else if !outdated {
            // The answer is of a kind that is not stored: an older one must not stand in for it.
            self.forget(&plan.key);
        }
        Landed { entry, stored, all_tags: !reads.too_many_tags }
    }

    /// Whether there is an entry that may still be served.
    pub(super) fn has_good(&self, key: &Key) -> bool {
        matches!(self.at_hand(key), Some((_, Decision::Stale { .. } | Decision::Hit { .. })))
    }

    /// Notes on the entry that was to be replaced that its successor failed.
    pub(super) fn note_failure(&self, key: &Key, failure: &Failure) {
        let now = self.clock.now();
        if let Some(engine) = self.engine.upgrade().map(Engine::from_inner) {
            explain::note(&engine, key, now, Unstored::Failed(failure.to_string()));
        }
        match self.at_hand(key) {
            Some((entry, Decision::Stale { .. } | Decision::Hit { .. })) => {
                let next_try = entry.record_failure(now).next_try.since(now);
                tracing::warn!(%key, %failure, ?next_try, "a render failed; the last good entry is served meanwhile");
            }
            _ => tracing::warn!(%key, %failure, "a render failed, and there is no earlier entry to serve"),
        }
    }

    fn store(&self, key: &Key, entry: &Arc<Entry<V>>) {
        let (to, from) = match entry.meta.negative {
            true => (&self.negative, &self.memory),
            false => (&self.memory, &self.negative),
        };
        to.insert(key, entry.clone());
        from.remove(key);
        match &self.backing {
            Some(Backing::Disk(disk)) if entry.meta.negative => disk.remove(key),
            Some(Backing::Disk(disk)) => disk.write(key, entry),
            Some(Backing::Shared { .. }) | None => {}
        }
    }

    fn forget(&self, key: &Key) {
        self.memory.remove(key);
        self.negative.remove(key);
        if let Some(Backing::Disk(disk)) = &self.backing {
            disk.remove(key);
        }
    }

    /// Brings the shared store in step with what became of a render. Who waits for the render does not wait for this.
    pub(super) async fn share(&self, key: &Key, landed: &Landed<V>) {
        let Some(Backing::Shared { store, build }) = &self.backing else { return };
        let name = turn::name(build, key);
        let entry = landed.entry.clone();
        let done = match (landed.stored, entry.meta.negative) {
            (true, false) => {
                let age = self.clock.now().since(entry.meta.started);
                let life = entry.meta.expire.map_or(Duration::MAX, |expire| expire.saturating_sub(age));
                store.write(&name, entry.encode(key), life).await
            }
            // Outdated already: what is there may be newer.
            (false, _) if !decide::may_store(entry.validity(&self.tags)) => return,
            _ => store.remove(&name).await,
        };
        if let Err(error) = done {
            tracing::debug!(%key, %error, "an entry was not shared");
        }
    }

    /// Takes an entry into memory that was found elsewhere. A render may have stored a newer one meanwhile: it stays.
    pub(super) fn take_up(&self, key: &Key, entry: Arc<Entry<V>>) -> Arc<Entry<V>> {
        let entry = self.memory.insert(key, entry);
        match self.negative.get(key) {
            Some(negative) if negative.meta.started > entry.meta.started => self.memory.remove(key),
            Some(_) => self.negative.remove(key),
            None => {}
        }
        entry
    }

    /// The entry beneath memory. One that is torn or foreign is removed.
    pub(super) async fn read_backing(&self, key: &Key) -> Option<Entry<V>> {
        let read = self.look_beneath(key).await?;
        if read.is_err() {
            tracing::warn!(%key, "a stored entry was torn or foreign, and is made anew");
            if let Some(Backing::Disk(disk)) = &self.backing {
                disk.remove(key);
            }
        }
        read.ok()
    }

    /// The entry beneath memory, which stays as it is.
    pub(crate) async fn look_beneath(&self, key: &Key) -> Option<Result<Entry<V>, Torn>> {
        let bytes = match self.backing.as_ref()? {
            Backing::Disk(disk) => Bytes::from(disk.read(key).await?),
            Backing::Shared { store, build } => store.read(&turn::name(build, key)).await.ok()??,
        };
        match Entry::decode(&bytes, self.clock.now(), self.wall()) {
            Some((stored, entry)) if stored == *key => Some(Ok(entry)),
            _ => Some(Err(Torn)),
        }
    }
}

/// What is stored is no entry, or another's.
#[derive(Debug)]
pub(crate) struct Torn;

/// When a render started.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    pub(super) tick: Tick,
    pub(super) wall: UnixMillis,
}
