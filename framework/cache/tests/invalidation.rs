//! Tags, hard and soft, during renders and within them: cases 21, 22, 23, 25 and 32.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Page, Source, ages, in_memory, produced, seconds, settle, text};
use tropos_cache::{Error, Miss, Purpose, Reason, Request, Scope, Stale, Strength, revalidate};
use tropos_core::{Ages, Key, Tag, Tags};

const ABSENT: Reason = Reason::Miss { why: Miss::Absent, stored: true, collapsed: false };
const INVALIDATED: Reason = Reason::Miss { why: Miss::Invalidated, stored: true, collapsed: false };
const HIT: Reason = Reason::Hit { ttl: 31_536_000 };

#[tokio::test]
async fn only_entries_that_carry_the_tag_change() {
    let (engine, _clock) = in_memory();
    let source = Source::new("v");
    let a = Page::new("/a", Ages::NEVER, &["list", "a"], &source);
    let b = Page::new("/b", Ages::NEVER, &["list", "b"], &source);
    let cases: [(&[&str], Reason, Reason); 5] = [
        (&["other"], ABSENT, ABSENT),
        (&["other"], HIT, HIT),
        (&["a"], INVALIDATED, HIT),
        (&["list"], INVALIDATED, INVALIDATED),
        (&["x", "b"], HIT, INVALIDATED),
    ];
    for (tags, of_a, of_b) in cases {
        let tags: Vec<Tag> = tags.iter().map(|tag| Tag::from(*tag)).collect();
        engine.invalidate(&tags, Strength::Hard).await.unwrap();
        assert_eq!((a.get(&engine).await.reason, b.get(&engine).await.reason), (of_a, of_b), "{tags:?}");
    }
}

#[tokio::test]
async fn a_page_inherits_the_tags_of_what_it_reads_through_others() {
    let (engine, _clock) = in_memory();
    let source = Source::new("old");
    let innermost = Page::new("/innermost", Ages::NEVER, &["deep"], &source);
    let outer = || {
        let (read_through, innermost) = (engine.clone(), innermost.clone());
        let engine = engine.clone();
        let middle = move || async move {
            let read = innermost.get(&read_through).await.result?;
            Scope::current().unwrap().note_entry(&read);
            Scope::current().unwrap().add_tag("middle".into());
            Ok(tropos_cache::Produced { value: read.value.clone(), negative: false, store: true })
        };
        let through = engine.clone();
        let page = move || async move {
            let key = Key::page("/middle", "/middle", "");
            let read = through.data().serve(ask(&key), middle).await.result?;
            Scope::current().unwrap().note_entry(&read);
            Ok(tropos_cache::Produced { value: read.value.clone(), negative: false, store: true })
        };
        async move {
            let key = Key::page("/outer", "/outer", "");
            engine.data().serve(ask(&key), page).await
        }
    };
    assert_eq!(outer().await.result.unwrap().meta.tags, ["deep", "middle"].into_iter().collect());
    assert_eq!(outer().await.reason, HIT);
    source.set("new");
    engine.invalidate(&["deep".into()], Strength::Hard).await.unwrap();
    assert_eq!(text(&outer().await), "new");
}

fn ask(key: &Key) -> Request<'_> {
    Request { key, ages: Ages::NEVER, negative: seconds(10), tags: Tags::new(), fresh: false, unasked: false }
}

#[tokio::test]
async fn soft_serves_the_old_once_more_and_hard_does_not() {
    let (engine, _clock) = in_memory();
    let source = Source::new("1");
    let page = Page::new("/a", Ages::NEVER, &["a"], &source);
    page.get(&engine).await;

    source.set("2");
    engine.invalidate(&["a".into()], Strength::Soft).await.unwrap();
    let stale = page.get(&engine).await;
    assert_eq!((text(&stale), stale.reason), ("1", Reason::Stale { ttl: 0, why: Stale::Soft }));
    settle().await;
    assert_eq!(text(&page.get(&engine).await), "2");

    source.set("3");
    engine.invalidate(&["a".into()], Strength::Hard).await.unwrap();
    let new = page.get(&engine).await;
    assert_eq!((text(&new), new.reason), ("3", INVALIDATED));
}

#[tokio::test]
async fn an_invalidated_entry_is_not_served_even_when_its_render_fails() {
    let (engine, _clock) = in_memory();
    let source = Source::new("old");
    let page = Page::new("/a", ages(2, 100), &["a"], &source);
    page.get(&engine).await;
    source.fail(true);
    engine.invalidate(&["a".into()], Strength::Hard).await.unwrap();
    assert!(page.get(&engine).await.result.is_err());
}

#[tokio::test]
async fn paths_and_prefixes_work_each_time_by_whole_segments_and_in_any_spelling() {
    let (engine, _clock) = in_memory();
    let source = Source::new("v");
    let page = |path: &str| Page {
        tags: Tag::of_path(path).into_iter().collect(),
        ..Page::new(path, Ages::NEVER, &[], &source)
    };
    let pages = ["/", "/blog", "/blog/a", "/blog/caf%C3%A9", "/blogs"].map(page);
    for page in &pages {
        page.get(&engine).await;
    }
    let action = Scope::new(&engine, Purpose::Action);
    let cases = [
        (revalidate::path("/blog/a"), [false, false, true, false, false]),
        (revalidate::path("/blog/a"), [false, false, true, false, false]), // again
        (revalidate::path("/blog/%61/?page=2#top"), [false, false, true, false, false]),
        (revalidate::path("/blog/café"), [false, false, false, true, false]),
        (revalidate::prefix("/blog"), [false, true, true, true, false]),
        (revalidate::prefix("/blog/"), [false, true, true, true, false]),
        (revalidate::prefix("/"), [true; 5]),
        (revalidate::path("/"), [true, false, false, false, false]),
        (revalidate::tags(["_path:/blogs"]), [false, false, false, false, true]),
    ];
    for (at, (invalidation, changed)) in cases.into_iter().enumerate() {
        action.run(async move { invalidation.await }).await.unwrap();
        let mut seen = [false; 5];
        for (page, seen) in pages.iter().zip(&mut seen) {
            *seen = page.get(&engine).await.reason == INVALIDATED;
        }
        assert_eq!(seen, changed, "case {at}");
    }
}

#[tokio::test]
async fn an_invalidation_while_the_render_runs_is_not_lost_and_who_comes_after_it_gets_new_data() {
    let (engine, _clock) = in_memory();
    let source = Source::new("old");
    let page = Page::new("/a", Ages::NEVER, &["a"], &source);
    source.hold();
    let leader = page.ask(&engine).await;
    let joined_before = page.ask(&engine).await;
    source.set("new");
    engine.invalidate(&["a".into()], Strength::Hard).await.unwrap();
    let joined_after = page.ask(&engine).await;
    let joined_after_too = page.ask(&engine).await;
    source.release();

    let leader = leader.await.unwrap();
    let not_stored = Reason::Miss { why: Miss::Absent, stored: false, collapsed: false };
    assert_eq!((text(&leader), leader.reason), ("old", not_stored));
    assert_eq!(text(&joined_before.await.unwrap()), "old");
    assert_eq!(text(&joined_after.await.unwrap()), "new");
    assert_eq!(text(&joined_after_too.await.unwrap()), "new");
    assert_eq!(text(&page.get(&engine).await), "new");
    assert_eq!(source.reads(), 2, "those who came after share one render");
}

#[tokio::test]
async fn an_invalidation_while_a_stale_entry_is_made_anew_is_not_lost() {
    for strength in [Strength::Hard, Strength::Soft] {
        let (engine, clock) = in_memory();
        let source = Source::new("oldest");
        let page = Page::new("/a", ages(2, 100), &["a"], &source);
        page.get(&engine).await;
        clock.advance(seconds(2));
        source.set("old");
        source.hold();
        page.get(&engine).await;
        settle().await; // the render has read "old" by now
        source.set("new");
        engine.invalidate(&["a".into()], strength).await.unwrap();
        source.release();
        settle().await;
        let next = page.get(&engine).await;
        settle().await;
        let after = page.get(&engine).await;
        match strength {
            Strength::Hard => assert_eq!((text(&next), text(&after)), ("new", "new")),
            Strength::Soft => assert_eq!((text(&next), text(&after)), ("old", "new")),
        }
    }
}

#[tokio::test]
async fn a_render_that_read_before_the_invalidation_of_a_nested_read_is_not_stored() {
    let (engine, _clock) = in_memory();
    let source = Source::new("old");
    let nested = Page::new("/nested", Ages::NEVER, &["deep"], &source);
    let slow = Source::new("");
    slow.hold();
    let get = || {
        let (through, nested, slow, engine) = (engine.clone(), nested.clone(), slow.clone(), engine.clone());
        let render = move || async move {
            let read = nested.get(&through).await.result?;
            Scope::current().unwrap().note_entry(&read);
            slow.read().await?;
            Ok(produced(String::from_utf8_lossy(&read.value.0).into_owned()))
        };
        async move {
            let key = Key::page("/outer", "/outer", "");
            engine.data().serve(ask(&key), render).await
        }
    };
    let first = tokio::spawn(get());
    settle().await;
    source.set("new");
    engine.invalidate(&["deep".into()], Strength::Hard).await.unwrap();
    slow.release();
    assert_eq!(text(&first.await.unwrap()), "old", "it was asked for before");
    let second = get().await;
    assert_eq!((text(&second), second.reason), ("new", ABSENT));
}

#[tokio::test]
async fn a_render_cannot_invalidate_and_is_told_why() {
    let (engine, _clock) = in_memory();
    for purpose in [Purpose::Stored, Purpose::Once, Purpose::Live] {
        let scope = Scope::new(&engine, purpose);
        let error = scope.run(async { revalidate::tag("a").await }).await.unwrap_err();
        assert!(matches!(error, Error::DuringRender), "{purpose:?}");
        assert!(error.to_string().contains("invalidate where the data is written"), "{error}");
    }
    assert_eq!(engine.tags().current().sequence, 0);
    assert!(matches!(revalidate::tag("a").await, Err(Error::NoScope)));
}

#[tokio::test]
async fn a_path_without_a_single_meaning_is_refused() {
    let (engine, _clock) = in_memory();
    for path in ["blog", "//a", "/a/../b", "/%zz", ""] {
        let action = Scope::new(&engine, Purpose::Action);
        let error = action.run(async { revalidate::path(path).await }).await.unwrap_err();
        assert!(matches!(error, Error::Path { .. }), "{path}: {error}");
    }
}

#[tokio::test]
async fn an_action_sees_its_own_write_after_it_has_invalidated() {
    let (engine, _clock) = in_memory();
    let source = Source::new("old");
    let page = Page::new("/a", Ages::NEVER, &["a"], &source);
    let (through, source_of) = (engine.clone(), source.clone());
    let action = Scope::new(&engine, Purpose::Action);
    let seen = action.run(async move {
        let before = page.get(&through).await;
        source_of.set("new");
        revalidate::tag("a").soft().await.unwrap();
        revalidate::tag("a").await.unwrap();
        (text(&before).to_owned(), text(&page.get(&through).await).to_owned())
    });
    assert_eq!(seen.await, ("old".to_owned(), "new".to_owned()));
}

#[tokio::test]
async fn every_invalidation_takes_the_next_number_and_wakes_those_who_watch() {
    let (engine, _clock) = in_memory();
    let mut changes = engine.tags().changes();
    for number in 1..=3 {
        assert_eq!(engine.invalidate(&["a".into()], Strength::Hard).await.unwrap(), number);
        changes.changed().await.unwrap();
        changes.mark_unchanged();
    }
}
