//! What an invalidation hit: counted afterwards, for who asks.
//!
//! An invalidation itself touches no entry. This looks at all entries that memory holds, once for any number of names,
//! on a thread that may block, one such look at a time.

use crate::{Engine, Entry, StoredPage, Value, store::memory::Memory};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tropos_core::{Key, Tag};

/// A look at memory ends after so many entries: about a second's work, and more than 256 MiB hold.
const MOST_WALKED: usize = 1_000_000;

/// What an invalidation hit, in the memory of this instance. Entries on disk, of the build and of other instances are
/// invalid as well, and not counted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Report {
    /// The number that the invalidation took.
    pub sequence: u64,
    /// For each name, in the order in which they were given.
    pub names: Vec<(Tag, Carried)>,
    /// Whether all entries were looked at; they are not beyond a million.
    pub complete: bool,
}

/// How many entries carry a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Carried {
    /// Stored pages, "not found" included.
    pub pages: u64,
    /// Fetched answers and results of cached functions.
    pub data: u64,
}

/// Who looks at memory, and how much of it was looked at.
#[derive(Debug, Default)]
pub(crate) struct Walks {
    turn: Arc<Mutex<()>>,
    visited: AtomicU64,
}

impl Walks {
    pub(crate) fn of(engine: &Engine) -> Arc<Self> {
        engine.extension(Self::default)
    }

    /// The right to look at memory; one has it at a time, so that reports take one thread at most.
    pub(crate) async fn turn(&self) -> OwnedMutexGuard<()> {
        self.turn.clone().lock_owned().await
    }

    /// Shows each entry of `memory` to `see`; gives whether all of them were shown.
    pub(crate) fn walk<V: Value>(&self, memory: &Memory<V>, mut see: impl FnMut(&Key, &Entry<V>)) -> bool {
        let mut left = MOST_WALKED;
        for shard in memory.by_shard() {
            let shown = shard.len().min(left);
            shard.iter().take(shown).for_each(|(key, entry)| see(key, entry));
            self.visited.fetch_add(shown as u64, Ordering::Relaxed);
            left -= shown;
            if shown < shard.len() {
                return false;
            }
        }
        true
    }
}

impl Engine {
    /// Counts for each of `tags` the entries in this instance's memory that carry it. The sequence in the report is the
    /// one given.
    pub async fn report(&self, sequence: u64, tags: &[Tag]) -> Report {
        let walks = Walks::of(self);
        let turn = walks.turn().await;
        let (engine, tags) = (self.clone(), tags.to_vec());
        let counted = tokio::task::spawn_blocking(move || {
            let report = count(&engine, &walks, sequence, tags);
            drop(turn);
            report
        });
        counted.await.unwrap_or_default()
    }

    /// How many entries reports and warming have looked at since the start. Invalidations look at none.
    pub fn entries_walked(&self) -> u64 {
        Walks::of(self).visited.load(Ordering::Relaxed)
    }
}

fn count(engine: &Engine, walks: &Walks, sequence: u64, tags: Vec<Tag>) -> Report {
    let mut counts: HashMap<&Tag, Carried> = tags.iter().map(|tag| (tag, Carried::default())).collect();
    let (pages, data) = (engine.pages().inner(), engine.data().inner());
    let mut complete = true;
    for memory in [&pages.memory, &pages.negative] {
        complete &= walks.walk::<StoredPage>(memory, |_, entry| add(&mut counts, entry, |it| &mut it.pages));
    }
    for memory in [&data.memory, &data.negative] {
        complete &= walks.walk(memory, |_, entry| add(&mut counts, entry, |it| &mut it.data));
    }
    let names = tags.iter().map(|tag| (tag.clone(), counts.get(tag).copied().unwrap_or_default())).collect();
    Report { sequence, names, complete }
}

/// One look-up for each tag of the entry, however many names are asked about.
fn add<V>(counts: &mut HashMap<&Tag, Carried>, entry: &Entry<V>, which: impl Fn(&mut Carried) -> &mut u64) {
    for tag in &entry.meta.tags {
        if let Some(carried) = counts.get_mut(tag) {
            *which(carried) += 1;
        }
    }
}
