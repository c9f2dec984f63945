//! Nothing grows without end: guarantee 8, case 63.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Page, Source, in_memory, noise, on_disk, produced, seconds, text};
use std::{fs, sync::Arc};
use tropos_cache::{
    Data, DiskConfig, Engine, EngineConfig, Entry, Meta, Reason, Request, Scope, Stamp, Strength, TagNumbers,
    Validity, store::memory::Memory,
};
use tropos_core::{Ages, Key, ManualClock, Tag, Tags, Tick};

fn entry(bytes: usize) -> Arc<Entry<Data>> {
    let meta = Meta {
        tags: Tags::new(),
        stamp: Stamp::BUILD,
        started: Tick(0),
        started_wall: 0,
        revalidate: None,
        expire: None,
        negative: false,
        cost: std::time::Duration::ZERO,
    };
    Arc::new(Entry::new(meta, Data(vec![0; bytes].into())))
}

fn key(n: usize) -> Key {
    Key::page("/:n", &format!("/{n}"), "")
}

#[test]
fn memory_keeps_within_its_bytes_and_its_number_of_entries() {
    let cases = [
        (1 << 20, usize::MAX, 1_000),
        (1 << 20, usize::MAX, 0),
        (64 << 20, 500, 10),
        (100, 10, 1_000),
        (0, 0, 0),
    ];
    for (most_bytes, most_entries, size) in cases {
        let memory = Memory::new(most_bytes, most_entries);
        for n in 0..20_000 {
            memory.insert(&key(n), entry(size));
            assert!(memory.bytes() <= most_bytes as usize, "{} bytes of {most_bytes}", memory.bytes());
        }
        assert!(memory.len() <= most_entries.max(8), "{} entries of {most_entries}", memory.len());
    }
}

#[test]
fn what_is_used_stays_while_endless_others_are_asked_for_once() {
    let memory = Memory::new(1 << 20, usize::MAX);
    let popular: Vec<Key> = (0..100).map(key).collect();
    for key in &popular {
        memory.insert(key, entry(1_000));
        memory.get(key).unwrap();
    }
    for n in 1_000..50_000 {
        memory.insert(&key(n), entry(1_000));
    }
    let kept = popular.iter().filter(|key| memory.get(key).is_some()).count();
    assert_eq!(kept, 100);
}

#[test]
fn of_two_entries_the_one_whose_render_started_later_stays() {
    let memory = Memory::new(1 << 20, usize::MAX);
    let started =
        |at| Arc::new(Entry::new(Meta { started: Tick(at), ..entry(0).meta.clone() }, Data("v".into())));
    memory.insert(&key(1), started(5));
    assert_eq!(memory.insert(&key(1), started(4)).meta.started, Tick(5));
    assert_eq!(memory.insert(&key(1), started(6)).meta.started, Tick(6));
    memory.remove(&key(1));
    assert!(memory.get(&key(1)).is_none() && memory.is_empty() && memory.bytes() == 0);
}

#[tokio::test]
async fn endless_not_found_answers_leave_the_pages_where_they_are() {
    let (engine, _clock) = in_memory();
    let source = Source::new("page");
    let page = Page::new("/page", Ages::NEVER, &[], &source);
    page.get(&engine).await;
    source.set("");
    for n in 0..20_000 {
        Page { key: key(n), ..page.clone() }.get(&engine).await;
    }
    let known = (0..20_000).filter(|n| engine.data().peek(&key(*n)).is_some()).count();
    assert!((1..=10_000).contains(&known), "{known} kept");
    assert_eq!(page.get(&engine).await.reason, Reason::Hit { ttl: 31_536_000 });
}

#[tokio::test]
async fn the_disk_keeps_within_its_bytes_and_drives_out_what_was_not_used_for_longest() {
    let dir = tempfile::tempdir().unwrap();
    let source = Source::new(&noise(10_000)); // two blocks a value, packed
    let pages: Vec<Page> =
        (0..40).map(|n| Page { key: key(n), ..Page::new("/", Ages::NEVER, &[], &source) }).collect();
    let open = || async {
        let disk = Some(DiskConfig { dir: dir.path().to_owned(), bytes: 20 * 8_192 });
        // Memory holds nothing, so that every look-up goes to disk.
        let config = EngineConfig { disk, memory_bytes: 0, ..EngineConfig::default() };
        Engine::open(config, Arc::new(ManualClock::new()), None).await.unwrap()
    };
    let engine = open().await;
    for page in &pages[..20] {
        page.get(&engine).await;
    }
    engine.shutdown().await;
    drop(engine);
    let engine = open().await;
    let hit = Reason::Hit { ttl: 31_536_000 };
    assert_eq!(pages[0].get(&engine).await.reason, hit, "used again, so it stays");
    for page in &pages[20..39] {
        page.get(&engine).await;
    }
    engine.shutdown().await;
    assert_eq!(pages[0].get(&engine).await.reason, hit);
    assert_ne!(pages[1].get(&engine).await.reason, hit);
    assert!(bytes_beneath(&dir.path().join("entries")) <= 20 * 8_192);
}

fn bytes_beneath(dir: &std::path::Path) -> u64 {
    let size = |child: fs::DirEntry| match child.metadata().unwrap() {
        about if about.is_dir() => bytes_beneath(&child.path()),
        about => about.len(),
    };
    fs::read_dir(dir).unwrap().map(|child| size(child.unwrap())).sum()
}

#[tokio::test]
async fn a_render_that_reads_more_than_a_thousand_tags_is_served_and_not_stored() {
    let (engine, _clock) = in_memory();
    for (tags, stored) in [(1_000, true), (1_001, false)] {
        let key = key(tags);
        let request = Request { negative: seconds(1), ..Request::new(&key, Ages::NEVER) };
        let render = move || async move {
            (0..tags).for_each(|n| Scope::current().unwrap().add_tag(("t", n).into()));
            Ok(produced("v".into()))
        };
        let served = engine.data().serve(request, render).await;
        assert_eq!(text(&served), "v");
        assert!(matches!(served.reason, Reason::Miss { stored: was, .. } if was == stored), "{tags}");
    }
}

#[test]
fn forgotten_tags_count_as_invalidated_when_the_last_of_them_was() {
    let mut numbers = TagNumbers::with_capacity(1, 100);
    let tag = |n: u64| [Tag::from(("t", n))];
    for n in 1..=1_000 {
        numbers.invalidate(&tag(n), Strength::Hard);
        assert!(numbers.len() <= 100);
    }
    let at = |sequence| Stamp { incarnation: 1, sequence };
    assert_eq!(numbers.validity(&tag(1), at(1)), Validity::Hard, "forgotten, so not known to be older");
    assert_eq!(numbers.validity(&tag(1), at(1_000)), Validity::Valid);
    assert_eq!(numbers.validity(&tag(1_000), at(999)), Validity::Hard);
    assert_eq!(numbers.validity(&tag(999), at(999)), Validity::Valid);
    assert_eq!(numbers.validity(&[], at(0)), Validity::Valid);
}

#[tokio::test]
async fn a_long_journal_is_rewritten_and_says_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let engine = on_disk(dir.path(), "b1", &ManualClock::new()).await;
    let tags: Vec<Tag> =
        (0..1_000).map(|n| ("a-tag-with-a-rather-long-name-so-that-it-adds-up", n).into()).collect();
    for _ in 0..60 {
        engine.invalidate(&tags, Strength::Hard).await.unwrap();
    }
    let journal = fs::metadata(dir.path().join("tags.journal")).unwrap().len();
    assert!(journal < 2 << 20, "{journal} bytes");
    engine.shutdown().await;
    let engine = on_disk(dir.path(), "b1", &ManualClock::new()).await;
    assert_eq!(engine.tags().current().sequence, 60);
    let before = Stamp { sequence: 59, ..engine.tags().current() };
    assert!(
        tags.iter().all(|tag| engine.tags().validity(std::slice::from_ref(tag), before) == Validity::Hard)
    );
}
