//! Why a page would hit or miss: the facts, looked at without changing them.

use crate::{
    Backoff, Decision, Engine, Entry, Meta, Stamp, StoredPage, Strength, Trust, Validity,
    cache::{Backing, Inner},
};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tropos_core::{Key, Tag, Tick};

/// Renders that ended without an entry are remembered for so many pages: those of the last while, since who asks why has
/// just seen it. A failure's text is cut, so that all of them take less than a megabyte.
const MOST_NOTES: usize = 1_000;

/// So much of a failure's text is remembered, in characters.
const LONGEST_TEXT: usize = 400;

/// Where an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// In memory.
    Memory,
    /// On disk.
    Disk,
    /// In the store that instances share.
    Shared,
    /// Among the pages of the build.
    Build,
}

/// An entry, as it is right now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Looked {
    /// Where it was found: the nearest place that has it.
    pub place: Place,
    /// What is known of it.
    pub meta: Meta,
    /// How long ago its render started.
    pub age: Duration,
    /// What would be done with it.
    pub decision: Decision,
    /// Whether it was made under another sequence, so that nothing is known of its tags.
    pub foreign: bool,
    /// Which of its tags were invalidated since, how, and at which number.
    pub invalidated: Vec<(Tag, Strength, u64)>,
    /// Whether the shared store is out of reach, so that an invalidation may have been missed.
    pub degraded: bool,
    /// The failures of its successor's render.
    pub backoff: Backoff,
}

/// Why a render made no entry.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unstored {
    /// It failed.
    Failed(String),
    /// Something that it read was invalidated while it ran.
    Outdated,
    /// It read more tags than an entry may carry.
    TooManyTags,
    /// Its result depends on who asks, or says by itself that it may not be stored.
    Refused,
}

/// A render that made no entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Why not.
    pub why: Unstored,
    /// When it started, or, where it failed, ended.
    pub at: Tick,
}

impl Engine {
    /// The page under `key` and what would be done with it. Catches up with the shared store first, as a request does;
    /// takes nothing up into memory and starts no render.
    pub async fn look(&self, key: &Key) -> Option<Looked> {
        let degraded = self.tags().confirm().await != Trust::Full;
        let pages = self.pages().inner();
        let (place, entry) = nearest(pages, key).await?;
        Some(facts(place, &entry, pages, degraded))
    }

    /// The last render of the page under `key` that made no entry, where it is among the last thousand of such.
    pub fn last_unstored(&self, key: &Key) -> Option<Note> {
        lock(&self.extension(Notes::default).0).of.get(key).cloned()
    }
}

/// In the order in which a request looks: memory, the build while that is fresh, beneath memory, else the build.
async fn nearest(pages: &Inner<StoredPage>, key: &Key) -> Option<(Place, Arc<Entry<StoredPage>>)> {
    if let Some(entry) = pages.memory.get(key).or_else(|| pages.negative.get(key)) {
        return Some((Place::Memory, entry));
    }
    let built = match &pages.seed {
        Some(seed) => seed.load(key).await,
        None => None,
    };
    let built = match built {
        Some(built) if matches!(pages.judge(&built), Decision::Hit { .. }) => {
            return Some((Place::Build, Arc::new(built)));
        }
        built => built.map(|built| (Place::Build, Arc::new(built))),
    };
    let beneath = match &pages.backing {
        Some(Backing::Disk(_)) => Place::Disk,
        Some(Backing::Shared { .. }) => Place::Shared,
        None => return built,
    };
    match pages.look_beneath(key).await {
        Some(Ok(entry)) => Some((beneath, Arc::new(entry))),
        // A request would make it anew, as one that is absent.
        Some(Err(_)) | None => built,
    }
}

fn facts(place: Place, entry: &Entry<StoredPage>, pages: &Inner<StoredPage>, degraded: bool) -> Looked {
    let (meta, tags) = (entry.meta.clone(), &pages.tags);
    let foreign = meta.stamp != Stamp::BUILD && meta.stamp.incarnation != tags.current().incarnation;
    let invalidated = match (foreign, entry.validity(tags)) {
        (true, _) | (false, Validity::Valid) => Vec::new(),
        (false, _) => tags.invalidated_since(meta.tags.as_slice(), meta.stamp),
    };
    Looked {
        place,
        age: pages.clock.now().since(meta.started),
        decision: pages.judge(entry),
        foreign,
        invalidated,
        degraded,
        backoff: entry.backoff(),
        meta,
    }
}

/// Renders that made no entry, the oldest first.
#[derive(Debug, Default)]
struct Notes(Mutex<Noted>);

#[derive(Debug, Default)]
struct Noted {
    of: HashMap<Key, Note>,
    order: VecDeque<Key>,
}

impl Noted {
    fn add(&mut self, key: &Key, note: Note) {
        if self.of.insert(key.clone(), note).is_none() {
            self.order.push_back(key.clone());
        }
        while self.order.len() > MOST_NOTES {
            if let Some(oldest) = self.order.pop_front() {
                self.of.remove(&oldest);
            }
        }
    }
}

/// Remembers why a page's render made no entry. Of data nothing is remembered: nobody can name its key.
pub(crate) fn note(engine: &Engine, key: &Key, at: Tick, why: Unstored) {
    if key.as_page().is_none() {
        return;
    }
    let why = match why {
        Unstored::Failed(text) => Unstored::Failed(text.chars().take(LONGEST_TEXT).collect()),
        why => why,
    };
    lock(&engine.extension(Notes::default).0).add(key, Note { why, at });
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_bounded_and_the_latest_of_a_page_stands() {
        let mut noted = Noted::default();
        let key = |n: usize| Key::page("/:n", &format!("/{n}"), "");
        for n in 0..3 * MOST_NOTES {
            noted.add(&key(n), Note { why: Unstored::Outdated, at: Tick(0) });
            noted.add(&key(n), Note { why: Unstored::Refused, at: Tick(1) });
        }
        assert_eq!((noted.of.len(), noted.order.len()), (MOST_NOTES, MOST_NOTES));
        assert_eq!(noted.of.get(&key(0)), None);
        assert_eq!(noted.of.get(&key(3 * MOST_NOTES - 1)).map(|note| note.at), Some(Tick(1)));
    }
}
