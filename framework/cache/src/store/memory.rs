//! Entries in memory, bounded in bytes.
//!
//! Sharded, so that a hit takes a read lock that few others take. What stays is decided by S3-FIFO: a new entry waits
//! in a small queue and moves to the main one only if it was used meanwhile, so that endless unknown paths, each asked
//! for once, drive out each other and not the pages that people read.

use super::place::Place;
use crate::{Entry, Value};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    hash::{BuildHasherDefault, Hasher},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};
use tropos_core::Key;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A shard holds at least this much, so that no page of usual size is too large for it.
const SHARD_BYTES: u64 = 8 << 20;

/// More shards than cores that a server has would only waste memory.
const MOST_SHARDS: u64 = 64;

/// What an entry costs besides its value, key and tags: slot, queue, reference counts, about.
const OVERHEAD: usize = 256;

/// Entries in memory, bounded in bytes and in number.
pub struct Memory<V> {
    /// Keeps others from choosing keys that meet in one shard or slot.
    seed: u64,
    shards: Box<[RwLock<Shard<V>>]>,
}

struct Shard<V> {
    most_bytes: usize,
    most_entries: usize,
    slots: HashMap<u64, Slot<V>, BuildHasherDefault<Hashed>>,
    small: Queue,
    main: Queue,
    ghosts: Ghosts,
    tickets: u64,
    /// Entries that were driven out.
    evicted: u64,
}

struct Slot<V> {
    /// Compared on a look-up: two keys with one hash drive out each other.
    key: Key,
    entry: Arc<Entry<V>>,
    /// Holds the same entry, for readers who need no look-up; emptied when the slot goes.
    place: Arc<Place<V>>,
    bytes: usize,
    in_main: bool,
    /// Tells the slot's place in its queue from places that it held before.
    ticket: u64,
}

impl<V> Drop for Slot<V> {
    fn drop(&mut self) {
        self.place.empty();
    }
}

/// Hashes with tickets, oldest first, and the bytes of what is there.
#[derive(Default)]
struct Queue {
    order: VecDeque<(u64, u64)>,
    bytes: usize,
}

/// What was driven out of the small queue of late: asked for again, it goes to the main one.
#[derive(Default)]
struct Ghosts {
    order: VecDeque<u64>,
    known: HashSet<u64, BuildHasherDefault<Hashed>>,
}

impl<V: Value> Memory<V> {
    /// A store of at most so many bytes and entries.
    pub fn new(most_bytes: u64, most_entries: usize) -> Self {
        let shards = (most_bytes / SHARD_BYTES).clamp(1, MOST_SHARDS);
        let in_each = |most: u64| usize::try_from(most / shards).unwrap_or(usize::MAX);
        let shard = |_| {
            RwLock::new(Shard {
                most_bytes: in_each(most_bytes),
                most_entries: in_each(most_entries as u64).max(1),
                slots: HashMap::default(),
                small: Queue::default(),
                main: Queue::default(),
                ghosts: Ghosts::default(),
                tickets: 0,
                evicted: 0,
            })
        };
        Self { seed: rand::random(), shards: (0..shards).map(shard).collect() }
    }

    /// The entry under `key`.
    pub fn get(&self, key: &Key) -> Option<Arc<Entry<V>>> {
        let hash = self.hash(key);
        let shard = self.read(hash)?;
        let slot = shard.slots.get(&hash).filter(|slot| slot.key == *key)?;
        slot.place.count();
        Some(slot.entry.clone())
    }

    /// The place of the entry under `key`: who keeps it sees what is stored there later, and needs no further look-up.
    pub fn place(&self, key: &Key) -> Option<Arc<Place<V>>> {
        let hash = self.hash(key);
        let shard = self.read(hash)?;
        shard.slots.get(&hash).filter(|slot| slot.key == *key).map(|slot| slot.place.clone())
    }

    /// Stores an entry, unless there is one whose render started later; returns the one that is there now. An entry
    /// larger than a shard is not kept.
    pub fn insert(&self, key: &Key, entry: Arc<Entry<V>>) -> Arc<Entry<V>> {
        let hash = self.hash(key);
        let Some(mut shard) = self.write(hash) else {
            return entry;
        };
        match shard.slots.get(&hash) {
            Some(slot) if slot.key == *key && slot.entry.meta.started > entry.meta.started => {
                slot.entry.clone()
            }
            _ => {
                shard.insert(hash, key, &entry);
                entry
            }
        }
    }

    /// The largest weight of a value, without tags, that lasts under `key`, in bytes: nine tenths of a shard, since the
    /// last one is for what is new and would drive it out.
    pub fn most_weight(&self, key: &Key) -> usize {
        let most = self.read(self.hash(key)).map_or(0, |shard| shard.most_bytes - shard.most_bytes / 10);
        most.saturating_sub(key.as_str().len() + OVERHEAD)
    }

    /// Removes the entry under `key`.
    pub fn remove(&self, key: &Key) {
        let hash = self.hash(key);
        if let Some(mut shard) =
            self.write(hash).filter(|shard| shard.slots.get(&hash).is_some_and(|s| s.key == *key))
        {
            shard.remove(hash);
        }
    }

    /// All entries, a shard at a time: no lock is held while somebody looks at them. A shard is at most some 30,000
    /// small entries, and copying their handles takes about a millisecond, in which others can still read.
    pub fn by_shard(&self) -> impl Iterator<Item = Vec<(Key, Arc<Entry<V>>)>> {
        self.shards.iter().map(|shard| {
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            shard.slots.values().map(|slot| (slot.key.clone(), slot.entry.clone())).collect()
        })
    }

    /// Some entries, as many of each shard: all, where there are no more than `most`. Beyond that, which ones is up to how their
    /// keys hash. No lock is held while somebody looks at them.
    pub fn some(&self, most: usize) -> impl Iterator<Item = (Key, Arc<Entry<V>>)> {
        let of_each = most.div_ceil(self.shards.len().max(1));
        self.shards.iter().flat_map(move |shard| {
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            let some = shard.slots.values().take(of_each);
            some.map(|slot| (slot.key.clone(), slot.entry.clone())).collect::<Vec<_>>()
        })
    }

    /// The bytes held, about.
    pub fn bytes(&self) -> usize {
        self.sum(|shard| shard.small.bytes + shard.main.bytes)
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.sum(|shard| shard.slots.len())
    }

    /// How many entries were driven out to keep the bounds.
    pub fn evictions(&self) -> u64 {
        self.shards.iter().map(|shard| shard.read().unwrap_or_else(PoisonError::into_inner).evicted).sum()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn sum(&self, of: impl Fn(&Shard<V>) -> usize) -> usize {
        self.shards.iter().map(|shard| of(&shard.read().unwrap_or_else(PoisonError::into_inner))).sum()
    }

    fn hash(&self, key: &Key) -> u64 {
        xxh3_64_with_seed(key.as_str().as_bytes(), self.seed)
    }

    fn shard(&self, hash: u64) -> Option<&RwLock<Shard<V>>> {
        // The lowest and highest bits choose the place within the shard's map.
        self.shards.get((hash >> 24) as usize % self.shards.len().max(1))
    }

    fn read(&self, hash: u64) -> Option<RwLockReadGuard<'_, Shard<V>>> {
        self.shard(hash).map(|shard| shard.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, hash: u64) -> Option<RwLockWriteGuard<'_, Shard<V>>> {
        self.shard(hash).map(|shard| shard.write().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<V: Value> Shard<V> {
    fn insert(&mut self, hash: u64, key: &Key, entry: &Arc<Entry<V>>) {
        let bytes = weight(key, entry);
        if bytes > self.most_bytes {
            self.remove(hash);
            return;
        }
        match self.slots.get_mut(&hash) {
            Some(slot) if slot.key == *key => {
                let queue = if slot.in_main { &mut self.main } else { &mut self.small };
                queue.bytes = queue.bytes - slot.bytes + bytes;
                slot.bytes = bytes;
                slot.entry = entry.clone();
                slot.place.fill(entry.clone());
            }
            _ => {
                self.remove(hash);
                let in_main = self.ghosts.take(hash);
                let slot = Slot {
                    key: key.clone(),
                    entry: entry.clone(),
                    place: Arc::new(Place::of(key.clone(), entry.clone())),
                    bytes,
                    in_main,
                    ticket: 0,
                };
                self.enqueue(hash, slot);
            }
        }
        while self.small.bytes + self.main.bytes > self.most_bytes || self.slots.len() > self.most_entries {
            self.drive_one_out();
        }
    }

    fn enqueue(&mut self, hash: u64, mut slot: Slot<V>) {
        self.tickets += 1;
        slot.ticket = self.tickets;
        let queue = if slot.in_main { &mut self.main } else { &mut self.small };
        queue.order.push_back((hash, slot.ticket));
        queue.bytes += slot.bytes;
        self.slots.insert(hash, slot);
    }

    /// The slot, taken out of the map; its place in the queue is skipped later, since its ticket is gone.
    fn remove(&mut self, hash: u64) -> Option<Slot<V>> {
        let slot = self.slots.remove(&hash)?;
        let queue = if slot.in_main { &mut self.main } else { &mut self.small };
        queue.bytes -= slot.bytes;
        if queue.order.len() > 2 * self.slots.len() + 64 {
            let slots = &self.slots;
            queue.order.retain(|(hash, ticket)| slots.get(hash).is_some_and(|slot| slot.ticket == *ticket));
        }
        Some(slot)
    }

    fn drive_one_out(&mut self) {
        // A tenth for what is new, as the authors of S3-FIFO found best.
        let from_small = self.small.bytes > self.most_bytes / 10 || self.main.order.is_empty();
        let queue = if from_small { &mut self.small } else { &mut self.main };
        let Some((hash, ticket)) = queue.order.pop_front() else {
            return;
        };
        if self.slots.get(&hash).is_none_or(|slot| slot.ticket != ticket) {
            return;
        }
        let Some(mut slot) = self.remove(hash) else { return };
        let uses = slot.place.uses();
        match (from_small, uses) {
            (true, 0) => {
                self.evicted += 1;
                self.ghosts.add(hash, self.slots.len());
            }
            (true, _) => {
                slot.in_main = true;
                slot.place.set_uses(0);
                self.enqueue(hash, slot);
            }
            (false, 0) => self.evicted += 1,
            (false, _) => {
                slot.place.set_uses(uses - 1);
                self.enqueue(hash, slot);
            }
        }
    }
}

impl Ghosts {
    fn add(&mut self, hash: u64, entries: usize) {
        if self.known.insert(hash) {
            self.order.push_back(hash);
        }
        while self.order.len() > entries.max(64) {
            if let Some(oldest) = self.order.pop_front() {
                self.known.remove(&oldest);
            }
        }
    }

    /// Whether it is known, from now on no more. Its place in the order is left to run out.
    fn take(&mut self, hash: u64) -> bool {
        self.known.remove(&hash)
    }
}

fn weight<V: Value>(key: &Key, entry: &Entry<V>) -> usize {
    let tags: usize = entry.meta.tags.iter().map(|tag| tag.as_str().len() + 32).sum();
    entry.value.weight() + key.as_str().len() + tags + OVERHEAD
}

/// Takes what is hashed already as it is.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Data, Meta};

    #[test]
    fn queues_do_not_grow_with_what_is_removed_and_stored_again() {
        let memory = Memory::new(1 << 20, usize::MAX);
        let entry = Arc::new(Entry::new(Meta::bare(), Data("v".into())));
        for _ in 0..10_000 {
            memory.insert(&Key::fetch("a"), entry.clone());
            memory.remove(&Key::fetch("a"));
        }
        assert!(memory.sum(|shard| shard.small.order.len() + shard.main.order.len()) <= 65);
    }
}
