//! What memory holds, in part: for who looks at it.
//!
//! A look is bounded in the entries that it reads and in what it gives back, so that it costs the same however large the
//! cache is. What it leaves out it says.

use crate::{Decision, Engine, Entry, Value, cache::Inner, store::memory::Memory};
use std::{collections::HashMap, time::Duration};
use tropos_core::{Key, Tag, Tick};

/// Entries of each kind that one look reads: some milliseconds' work, and all that most applications have.
const MOST_READ: usize = 10_000;

/// Tags that one look tells apart, the rest is counted: an entry may carry a thousand.
const MOST_TAGS: usize = 5_000;

/// What is looked for; nothing named means everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The pattern of a route, or the name of a cached function, or `fetch`.
    pub source: Option<String>,
    /// A tag that the entry carries.
    pub tag: Option<String>,
}

/// How an entry would be answered now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// As a hit.
    Fresh,
    /// At once, and made anew.
    Stale,
    /// Not at all: it is invalidated, or past its age.
    Unusable,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// What it is stored under.
    pub key: Key,
    /// How long ago its render started.
    pub age: Duration,
    /// How it would be answered.
    pub state: State,
    /// Whether it says that there is no such thing.
    pub negative: bool,
    /// Its tags, without those of its path.
    pub tags: Vec<Tag>,
    /// The bytes of its value, about.
    pub bytes: usize,
}

/// Entries that have something in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Group {
    /// Stored pages.
    pub pages: usize,
    /// Fetched answers and results of cached functions.
    pub data: usize,
    /// How many of both are stale.
    pub stale: usize,
    /// How many of both may not be served any more.
    pub unusable: usize,
    /// Their bytes, about.
    pub bytes: usize,
    /// The age of the youngest.
    pub youngest: Duration,
    /// The age of the oldest.
    pub oldest: Duration,
}

/// What memory holds, as far as it was looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Entries in memory.
    pub held: usize,
    /// How many of them were read.
    pub read: usize,
    /// How many of these are as wanted.
    pub matching: usize,
    /// The youngest of those, at most as many as were asked for.
    pub entries: Vec<Listed>,
    /// By route, or by cached function; all fetches together. The largest first.
    pub sources: Vec<(String, Group)>,
    /// By tag, without those of paths. The largest first.
    pub tags: Vec<(Tag, Group)>,
    /// Whether there were tags beyond the bound, which are not told apart.
    pub tags_left_out: bool,
}

impl Engine {
    /// Looks at what this instance has in memory, and gives at most `most` entries. Reads at most 40,000 of them: where
    /// there are more, which ones it reads is up to chance. It takes some milliseconds, and should be called where it may block.
    pub fn listing(&self, wanted: &Wanted, most: usize) -> Listing {
        let mut look = Look {
            wanted,
            now: self.clock().now(),
            listing: Listing::default(),
            sources: HashMap::new(),
            tags: HashMap::new(),
        };
        let (pages, data) = (self.pages().inner(), self.data().inner());
        look.at(pages, &pages.memory, |group| &mut group.pages);
        look.at(pages, &pages.negative, |group| &mut group.pages);
        look.at(data, &data.memory, |group| &mut group.data);
        look.at(data, &data.negative, |group| &mut group.data);
        look.end(most)
    }
}

/// What an entry was made by: its route, its function, or `fetch`. Arguments and digests are values, and left out.
pub fn source_of(key: &Key) -> &str {
    match key.as_page() {
        Some(page) => page.route,
        None => {
            let mut words = key.as_str().split(' ');
            match (words.next(), words.next()) {
                (Some("fn"), Some(function)) => function,
                (kind, _) => kind.unwrap_or_default(),
            }
        }
    }
}

struct Look<'a> {
    wanted: &'a Wanted,
    now: Tick,
    listing: Listing,
    sources: HashMap<String, Group>,
    tags: HashMap<Tag, Group>,
}

impl Look<'_> {
    fn at<V: Value>(
        &mut self,
        inner: &Inner<V>,
        memory: &Memory<V>,
        count: impl Fn(&mut Group) -> &mut usize,
    ) {
        self.listing.held += memory.len();
        for (key, entry) in memory.some(MOST_READ) {
            self.listing.read += 1;
            self.see(&key, &entry, inner.judge(&entry), &count);
        }
    }

    fn see<V: Value>(
        &mut self,
        key: &Key,
        entry: &Entry<V>,
        decision: Decision,
        count: impl Fn(&mut Group) -> &mut usize,
    ) {
        let state = match decision {
            Decision::Hit { .. } => State::Fresh,
            Decision::Stale { .. } => State::Stale,
            Decision::Miss { .. } => State::Unusable,
        };
        let age = self.now.since(entry.meta.started);
        let bytes = entry.value.weight();
        let source = source_of(key);
        let add = |group: &mut Group| {
            *count(group) += 1;
            group.add(state, age, bytes);
        };
        match self.sources.get_mut(source) {
            Some(group) => add(group),
            None => add(self.sources.entry(source.to_owned()).or_default()),
        }
        let own = || entry.meta.tags.iter().filter(|tag| !tag.is_internal());
        for tag in own() {
            let has_room = self.tags.len() < MOST_TAGS;
            match self.tags.get_mut(tag) {
                Some(group) => add(group),
                None if has_room => add(self.tags.entry(tag.clone()).or_default()),
                None => self.listing.tags_left_out = true,
            }
        }
        let is_source = self.wanted.source.as_ref().is_none_or(|wanted| wanted == source);
        let has_tag = self.wanted.tag.as_ref().is_none_or(|wanted| own().any(|tag| tag.as_str() == wanted));
        if is_source && has_tag {
            self.listing.matching += 1;
            let tags = own().cloned().collect();
            let negative = entry.meta.negative;
            self.listing.entries.push(Listed { key: key.clone(), age, state, negative, tags, bytes });
        }
    }

    fn end(self, most: usize) -> Listing {
        let Self { mut listing, sources, tags, .. } = self;
        // By name where two are alike, so that a look at the same gives the same.
        listing.entries.sort_by(|a, b| (a.age, &a.key).cmp(&(b.age, &b.key)));
        listing.entries.truncate(most);
        listing.sources = largest(sources);
        listing.tags = largest(tags);
        listing
    }
}

fn largest<N: Ord>(groups: HashMap<N, Group>) -> Vec<(N, Group)> {
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by(|(a, one), (b, other)| (other.entries(), a).cmp(&(one.entries(), b)));
    groups
}

impl Group {
    /// How many entries it has.
    pub fn entries(&self) -> usize {
        self.pages + self.data
    }

    /// Called when the entry has been counted.
    fn add(&mut self, state: State, age: Duration, bytes: usize) {
        match state {
            State::Fresh => {}
            State::Stale => self.stale += 1,
            State::Unusable => self.unusable += 1,
        }
        self.bytes += bytes;
        self.youngest = if self.entries() == 1 { age } else { self.youngest.min(age) };
        self.oldest = self.oldest.max(age);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Data, Meta, Strength};
    use std::sync::Arc;
    use tropos_core::{ManualClock, Tags};

    fn put(engine: &Engine, key: Key, tags: &[&str], revalidate: Option<u64>) {
        let mut all = Tags::new();
        tags.iter().for_each(|tag| all.add(Tag::named(tag).unwrap()));
        all.add(Tag::path("/a"));
        let meta = Meta {
            tags: all,
            stamp: engine.tags().current(),
            started: engine.clock().now(),
            revalidate: revalidate.map(Duration::from_secs),
            ..Meta::bare()
        };
        engine.data().inner().memory.insert(&key, Arc::new(Entry::new(meta, Data("value".into()))));
    }

    #[tokio::test]
    async fn entries_are_told_by_what_made_them_and_by_tag() {
        let clock = Arc::new(ManualClock::new());
        let engine = Engine::in_memory(clock.clone());
        put(&engine, Key::fetch("aa"), &["shop"], Some(10));
        put(&engine, Key::function("app::sizes", "secret"), &["shop", "sizes"], None);
        clock.advance(Duration::from_secs(20));
        put(&engine, Key::fetch("bb"), &["news"], None);
        engine.invalidate(&[Tag::named("sizes").unwrap()], Strength::Hard).await.unwrap();

        let all = engine.listing(&Wanted::default(), 100);
        assert_eq!((all.held, all.read, all.matching), (3, 3, 3));
        let sources: Vec<_> = all.sources.iter().map(|(name, group)| (&**name, group.data)).collect();
        assert_eq!(sources, [("fetch", 2), ("app::sizes", 1)], "no arguments, no digests");
        let tag = |name: &str| all.tags.iter().find(|(tag, _)| tag.as_str() == name).unwrap().1;
        assert_eq!(all.tags.len(), 3, "no tags of paths: {:?}", all.tags);
        assert_eq!((tag("shop").data, tag("shop").stale, tag("shop").unusable), (2, 1, 1));
        assert_eq!(tag("shop").oldest, Duration::from_secs(20));
        assert_eq!(tag("news").youngest, Duration::ZERO);
        assert_eq!(all.entries[0].key, Key::fetch("bb"), "the youngest first");

        let of = |source: Option<&str>, tag: Option<&str>| {
            let wanted = Wanted { source: source.map(str::to_owned), tag: tag.map(str::to_owned) };
            engine.listing(&wanted, 1)
        };
        assert_eq!(of(Some("fetch"), None).matching, 2);
        assert_eq!(of(Some("fetch"), None).entries.len(), 1, "no more than was asked for");
        assert_eq!(of(Some("fetch"), Some("shop")).entries[0].state, State::Stale);
        assert_eq!(of(None, Some("sizes")).entries[0].state, State::Unusable);
        assert_eq!(of(None, Some("none")).matching, 0);
    }

    #[tokio::test]
    async fn a_look_is_bounded() {
        let engine = Engine::in_memory(Arc::new(ManualClock::new()));
        for number in 0..12_000 {
            put(&engine, Key::fetch(&number.to_string()), &[&format!("t{number}")], None);
        }
        let all = engine.listing(&Wanted::default(), 50);
        assert_eq!(all.held, 12_000);
        assert!((MOST_READ / 2..=MOST_READ + 64).contains(&all.read), "{}", all.read);
        assert_eq!((all.entries.len(), all.tags.len(), all.tags_left_out), (50, MOST_TAGS, true));
    }
}
