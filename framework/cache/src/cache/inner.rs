//! Where entries are found and kept.

use super::{Plan, Produced};
use crate::{
    Decision, Entry, Meta, Scope, Seed, TagRegistry, Value, decide, engine,
    flight::{Flights, Landed},
    store::{disk::Disk, memory::Memory},
};
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
    pub(crate) disk: Option<Arc<Disk>>,
    pub(crate) seed: Option<Arc<dyn Seed<V>>>,
    pub(crate) flights: Arc<Flights<V>>,
    pub(crate) render_timeout: Duration,
}

impl<V: Value> Inner<V> {
    /// The entry in memory.
    pub(super) fn at_hand(&self, key: &Key) -> Option<(Arc<Entry<V>>, Decision)> {
        let entry = self.memory.get(key).or_else(|| self.negative.get(key))?;
        let decision = entry.decide(&self.tags, self.clock.now());
        Some((entry, decision))
    }

    /// The entry in memory, on disk or of the build, in this order.
    pub(super) async fn find(&self, key: &Key) -> Option<(Arc<Entry<V>>, Decision)> {
        if let Some(found) = self.at_hand(key) {
            return Some(found);
        }
        let entry = match self.read_disk(key).await {
            Some(entry) => entry,
            None => self.seed.as_ref()?.load(key).await?,
        };
        let (decision, entry) = (entry.decide(&self.tags, self.clock.now()), Arc::new(entry));
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
        let entry = Arc::new(Entry::new(
            Meta {
                tags,
                stamp: scope.stamp(),
                started: start.tick,
                started_wall: start.wall,
                revalidate: decide::effective_revalidate(declared, start.tick, reads.stale_at),
                expire: plan.ages.expire(),
                negative: produced.negative,
            },
            produced.value,
        ));
        if reads.too_many_tags {
            let most = crate::scope::MOST_TAGS;
            tracing::error!(key = %plan.key, "not stored: it read more than {most} tags; put one tag on the whole list");
        }
        let outdated = !decide::may_store(entry.validity(&self.tags));
        let stored = produced.store && !reads.too_many_tags && !outdated;
        if stored {
            self.store(&plan.key, &entry);
        } else if !outdated {
            // The answer is of a kind that is not stored: an older one must not stand in for it.
            self.forget(&plan.key);
        }
        Landed { entry, stored, all_tags: !reads.too_many_tags }
    }

    /// Notes on the entry that was to be replaced that its successor failed.
    pub(super) fn note_failure(&self, key: &Key, failure: &Failure) {
        let now = self.clock.now();
        match self.at_hand(key) {
            Some((entry, Decision::Stale { .. })) => {
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
        match &self.disk {
            Some(disk) if entry.meta.negative => disk.remove(key),
            Some(disk) => disk.write(key, entry),
            None => {}
        }
    }

    fn forget(&self, key: &Key) {
        self.memory.remove(key);
        self.negative.remove(key);
        if let Some(disk) = &self.disk {
            disk.remove(key);
        }
    }

    /// Takes an entry into memory that was found elsewhere. A render may have stored a newer one meanwhile: it stays.
    fn take_up(&self, key: &Key, entry: Arc<Entry<V>>) {
        self.memory.insert(key, entry);
        if self.negative.get(key).is_some() {
            self.memory.remove(key);
        }
    }

    async fn read_disk(&self, key: &Key) -> Option<Entry<V>> {
        let disk = self.disk.as_ref()?;
        let bytes = disk.read(key).await?;
        match Entry::decode(&bytes, self.clock.now(), self.clock.wall()) {
            Some((stored, entry)) if stored == *key => Some(entry),
            _ => {
                tracing::warn!(%key, "an entry on disk was torn or foreign, and is made anew");
                disk.remove(key);
                None
            }
        }
    }
}

/// When a render started.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    pub(super) tick: Tick,
    pub(super) wall: UnixMillis,
}
