//! What outlives the process: case 26, case 72 as far as entries go, case 73, and the lock on the folder.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Page, Source, ages, on_disk, produced, seconds, text};
use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};
use tropos_cache::{
    Data, DiskConfig, Engine, EngineConfig, Entry, Error, Miss, Reason, Request, Stale, Strength,
};
use tropos_core::{Ages, Clock, Key, ManualClock, Tick};

#[tokio::test]
async fn entries_are_found_again_and_are_as_old_as_they_are() {
    let cases = [
        (5, Reason::Hit { ttl: 55 }),
        (59, Reason::Hit { ttl: 1 }),
        (61, Reason::Stale { ttl: -1, why: Stale::Age }),
        (600, Reason::Miss { why: Miss::Expired, stored: true, collapsed: false }),
    ];
    for (ahead, reason) in cases {
        let dir = tempfile::tempdir().unwrap();
        let clock = ManualClock::new();
        clock.advance(seconds(1_000));
        let page = Page::new("/a", ages(60, 600), &["a"], &Source::new("v"));
        let engine = on_disk(dir.path(), "b1", &clock).await;
        page.get(&engine).await;
        engine.shutdown().await;

        let later = ManualClock::new(); // its ticks begin anew
        later.set_wall(clock.wall() + ahead * 1000);
        let engine = on_disk(dir.path(), "b1", &later).await;
        assert_eq!(page.get(&engine).await.reason, reason, "{ahead} s later");
    }
}

#[tokio::test]
async fn an_entry_from_the_future_counts_as_stale_and_a_wall_clock_that_jumps_changes_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::new();
    let source = Source::new("v");
    let page = Page::new("/a", ages(60, 600), &[], &source);
    let engine = on_disk(dir.path(), "b1", &clock).await;
    page.get(&engine).await;
    for jump in [clock.wall() - 3_600_000, clock.wall() + 3_600_000] {
        clock.set_wall(jump);
        assert_eq!(page.get(&engine).await.reason, Reason::Hit { ttl: 60 });
    }
    engine.shutdown().await;
    let set_back = ManualClock::new();
    set_back.set_wall(clock.wall() - 10 * 3_600_000);
    let engine = on_disk(dir.path(), "b1", &set_back).await;
    assert_eq!(page.get(&engine).await.reason, Reason::Stale { ttl: 0, why: Stale::Age });
}

#[tokio::test]
async fn an_invalidation_survives_a_process_that_is_killed_at_once() {
    for torn in [&b""[..], b"9", b"0123456789abcdef 7 hard a", b"\0\0\0"] {
        let dir = tempfile::tempdir().unwrap();
        let clock = ManualClock::new();
        let source = Source::new("old");
        let page = Page::new("/a", Ages::NEVER, &["a"], &source);
        let engine = on_disk(dir.path(), "b1", &clock).await;
        engine.invalidate(&["other".into()], Strength::Soft).await.unwrap();
        page.get(&engine).await;
        engine.shutdown().await;

        let engine = on_disk(dir.path(), "b1", &clock).await;
        assert_eq!(page.get(&engine).await.reason, Reason::Hit { ttl: 31_536_000 }, "the entry is on disk");
        source.set("new");
        let number = engine.invalidate(&["a".into()], Strength::Hard).await.unwrap();
        drop(engine); // without a shutdown
        let journal = dir.path().join("tags.journal");
        let whole = fs::read(&journal).unwrap();
        fs::write(&journal, [&whole, torn].concat()).unwrap();

        let engine = on_disk(dir.path(), "b1", &clock).await;
        assert_eq!(engine.tags().current().sequence, number, "the sequence never goes back");
        let first = page.get(&engine).await;
        let reason = Reason::Miss { why: Miss::Invalidated, stored: true, collapsed: false };
        assert_eq!((text(&first), first.reason), ("new", reason));
        assert_eq!(engine.invalidate(&["a".into()], Strength::Hard).await.unwrap(), number + 1);
    }
}

#[tokio::test]
async fn a_damaged_journal_makes_every_entry_anew() {
    let dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::new();
    let source = Source::new("v");
    let page = Page::new("/a", Ages::NEVER, &[], &source);
    let engine = on_disk(dir.path(), "b1", &clock).await;
    page.get(&engine).await;
    engine.invalidate(&["a".into()], Strength::Hard).await.unwrap();
    engine.shutdown().await;
    let journal = dir.path().join("tags.journal");
    let mut bytes = fs::read(&journal).unwrap();
    bytes[3] ^= 1;
    fs::write(&journal, bytes).unwrap();
    let engine = on_disk(dir.path(), "b1", &clock).await;
    assert!(matches!(page.get(&engine).await.reason, Reason::Miss { why: Miss::Invalidated, .. }));
}

#[tokio::test]
async fn an_invalidation_that_cannot_be_written_fails_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::new();
    let source = Source::new("v");
    let page = Page::new("/a", Ages::NEVER, &["a"], &source);
    let engine = on_disk(dir.path(), "b1", &clock).await;
    page.get(&engine).await;
    engine.shutdown().await;
    let error = engine.invalidate(&["a".into()], Strength::Hard).await.unwrap_err();
    assert!(matches!(error, Error::Closed));
    assert_eq!(engine.tags().current().sequence, 0);
    assert_eq!(page.get(&engine).await.reason, Reason::Hit { ttl: 31_536_000 });
}

#[tokio::test]
async fn many_invalidations_at_once_all_take_effect_with_numbers_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let engine = on_disk(dir.path(), "b1", &ManualClock::new()).await;
    let all = (0..100).map(|n| {
        let engine = engine.clone();
        async move { engine.invalidate(&[("t", n).into()], Strength::Hard).await.unwrap() }
    });
    let mut numbers = futures::future::join_all(all).await;
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=100).collect::<Vec<_>>());
    let before = tropos_cache::Stamp { sequence: 0, ..engine.tags().current() };
    drop(engine);
    let engine = on_disk(dir.path(), "b1", &ManualClock::new()).await;
    assert_eq!(engine.tags().current().sequence, 100);
    for n in 0..100 {
        assert_eq!(engine.tags().validity(&[("t", n).into()], before), tropos_cache::Validity::Hard);
    }
}

#[tokio::test]
async fn torn_and_foreign_entry_files_are_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::new();
    let source = Source::new("v");
    let page = Page::new("/a", Ages::NEVER, &["a"], &source);
    let other = Page::new("/b", Ages::NEVER, &["b"], &source);
    let engine = on_disk(dir.path(), "b1", &clock).await;
    page.get(&engine).await;
    engine.shutdown().await;
    let [file] = &entry_files(dir.path())[..] else { panic!("one entry, one file") };
    let whole = fs::read(file).unwrap();
    let of_other = Arc::try_unwrap(other.get(&engine).await.result.unwrap()).map(|e| e.encode(&other.key));
    let damaged =
        [whole[..whole.len() / 2].to_vec(), Vec::new(), b"foreign".to_vec(), of_other.unwrap_or_default()];
    drop(engine);
    for bytes in damaged {
        fs::write(file, &bytes).unwrap();
        let engine = on_disk(dir.path(), "b1", &clock).await;
        assert_eq!(engine.look(&page.key).await, None);
        engine.shutdown().await;
        assert_eq!(fs::read(file).unwrap(), bytes, "who asks why changes nothing");
        let engine = on_disk(dir.path(), "b1", &clock).await;
        assert_eq!(
            page.get(&engine).await.reason,
            Reason::Miss { why: Miss::Absent, stored: true, collapsed: false }
        );
        engine.shutdown().await;
        assert_eq!(fs::read(file).unwrap().len(), whole.len(), "and stored again");
    }
}

#[test]
fn every_way_to_tear_or_change_an_entry_reads_as_nothing() {
    let (meta, key) = (meta(), Key::page("/:a", "/a", "q=1"));
    let entry = Entry::new(meta.clone(), Data("value".into()));
    let whole = entry.encode(&key);
    let read = |bytes: &[u8]| Entry::<Data>::decode(bytes, Tick(0), meta.started_wall);
    let (read_key, read_entry) = read(&whole).unwrap();
    assert_eq!((read_key, &read_entry.meta, read_entry.value.0.as_ref()), (key, &meta, &b"value"[..]));
    for at in 0..whole.len() {
        assert!(read(&whole[..at]).is_none(), "torn at {at}");
        let mut changed = whole.clone();
        changed[at] ^= 0x20;
        assert!(read(&changed).is_none(), "changed at {at}");
    }
    assert!(read(&[&whole[..], b"x"].concat()).is_none());
}

fn meta() -> tropos_cache::Meta {
    tropos_cache::Meta {
        tags: ["a", "b c"].into_iter().collect(),
        stamp: tropos_cache::Stamp { incarnation: 3, sequence: 4 },
        started: Tick(0),
        started_wall: 1_700_000_000_000,
        revalidate: None,
        expire: Some(seconds(9)),
        negative: false,
        cost: std::time::Duration::ZERO,
    }
}

#[tokio::test]
async fn entries_of_another_build_are_not_read_and_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::new();
    let source = Source::new("v");
    let page = Page::new("/a", Ages::NEVER, &[], &source);
    for build in ["b1", "../b2", "b3"] {
        let engine = on_disk(dir.path(), build, &clock).await;
        assert!(matches!(page.get(&engine).await.reason, Reason::Miss { why: Miss::Absent, .. }));
        engine.shutdown().await;
        assert_eq!(entry_files(dir.path()).len(), 1, "{build}");
    }
}

#[tokio::test]
async fn not_found_is_never_on_disk_and_ends_what_was() {
    let dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::new();
    let source = Source::new("there");
    let page = Page::new("/a", Ages::NEVER, &["a"], &source);
    let engine = on_disk(dir.path(), "b1", &clock).await;
    page.get(&engine).await;
    source.set("");
    engine.invalidate(&["a".into()], Strength::Hard).await.unwrap();
    page.get(&engine).await;
    engine.shutdown().await;
    assert_eq!(entry_files(dir.path()), [""; 0].map(PathBuf::from));
}

#[tokio::test]
async fn a_disk_that_cannot_be_written_leaves_memory_at_work() {
    let dir = tempfile::tempdir().unwrap();
    let engine = on_disk(dir.path(), "b1", &ManualClock::new()).await;
    fs::remove_dir_all(dir.path().join("entries")).unwrap();
    fs::write(dir.path().join("entries"), "in the way").unwrap();
    let source = Source::new("v");
    let page = Page::new("/a", Ages::NEVER, &[], &source);
    page.get(&engine).await;
    engine.shutdown().await;
    assert_eq!(page.get(&engine).await.reason, Reason::Hit { ttl: 31_536_000 });
}

#[tokio::test(start_paused = true)]
async fn a_folder_in_use_is_waited_for_and_then_named() {
    let dir = tempfile::tempdir().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new());
    let disk = Some(DiskConfig { dir: dir.path().to_owned(), bytes: 1 << 20 });
    let config = EngineConfig { disk, ..EngineConfig::default() };
    let first = Engine::open(config.clone(), clock.clone(), None).await.unwrap();
    let began = tokio::time::Instant::now();
    let error = Engine::open(config.clone(), clock.clone(), None).await.unwrap_err();
    assert_eq!(began.elapsed(), seconds(5));
    let text = error.to_string();
    assert!(text.contains(&*dir.path().to_string_lossy()) && text.contains("TROPOS_CACHE_DIR"), "{text}");

    let waiting = tokio::spawn(Engine::open(config, clock, None));
    tokio::time::sleep(seconds(1)).await;
    first.shutdown().await;
    waiting.await.unwrap().unwrap();
}

/// Kills, with no chance to tidy up, a process that invalidates and renders as fast as it can.
#[tokio::test]
async fn after_kill_9_every_entry_is_whole_or_absent_and_no_invalidation_that_returned_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(CHILD_MAY_RUN), "").unwrap();
    let mut last = 0;
    for round in 0..30 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_writes_until_it_is_killed", "--ignored", "--nocapture"])
            .current_dir(dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let acknowledged =
            lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("returned ")?.parse().ok());
        let before_the_kill: Vec<u64> = acknowledged.take(1 + round % 7).collect();
        child.kill().unwrap();
        child.wait().unwrap();
        last = before_the_kill.last().copied().unwrap_or(last);

        let cache = dir.path().join("cache");
        for file in entry_files(&cache) {
            assert!(
                Entry::<Data>::decode(&fs::read(&file).unwrap(), Tick(0), 0).is_some(),
                "{}",
                file.display()
            );
        }
        let engine = on_disk(&cache, "b1", &ManualClock::new()).await;
        assert!(engine.tags().current().sequence >= last);
        let key = Key::page("/child", "/child", "");
        let request = Request { negative: seconds(1), ..Request::new(&key, Ages::NEVER) };
        let served = engine.data().serve(request, || async { Ok(produced(u64::MAX.to_string())) }).await;
        assert!(text(&served).parse::<u64>().unwrap() >= last, "{} after {last}", text(&served));
        engine.invalidate(&["child".into()], Strength::Hard).await.unwrap();
        engine.shutdown().await;
    }
    assert!(last > 0, "the child has never come to anything");
}

/// Keeps the child below from running where nobody is there to kill it.
const CHILD_MAY_RUN: &str = "child-may-run";

#[tokio::test]
#[ignore = "is run by the test above, in a process of its own"]
async fn child_that_writes_until_it_is_killed() {
    if !Path::new(CHILD_MAY_RUN).exists() {
        return;
    }
    let engine = on_disk(Path::new("cache"), "b1", &ManualClock::new()).await;
    let key = Key::page("/child", "/child", "");
    loop {
        // The number of the invalidation stands for the data that was written before it.
        let number = engine.invalidate(&["child".into()], Strength::Hard).await.unwrap();
        println!("returned {number}");
        let tags = ["child"].into_iter().collect();
        let request = Request { negative: seconds(1), tags, ..Request::new(&key, Ages::NEVER) };
        let made = engine.data().serve(request, move || async move { Ok(produced(number.to_string())) });
        made.await.result.unwrap();
    }
}

fn entry_files(dir: &Path) -> Vec<PathBuf> {
    let Ok(children) = fs::read_dir(dir) else {
        return Vec::new();
    };
    let children: Vec<PathBuf> = children.map(|child| child.unwrap().path()).collect();
    let (folders, files): (Vec<_>, Vec<_>) = children.into_iter().partition(|child| child.is_dir());
    let here =
        files.into_iter().filter(|file| file.extension().is_some_and(|extension| extension == "entry"));
    here.chain(folders.iter().flat_map(|folder| entry_files(folder))).collect()
}
