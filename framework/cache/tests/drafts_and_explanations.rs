//! Drafts, which pass the cache by (case 43), and why a page would hit or miss.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use bytes::Bytes;
use common::{Page, Source, ages, in_memory, on_disk, seconds, text};
use tropos_cache::{
    Decision, Engine, Miss, Produced, Purpose, Reason, Request, Scope, Stale, StoredPage, Strength,
    explain::{Place, Unstored},
    function::cached,
};
use tropos_core::{Ages, Failure, Key, ManualClock, Tag, Tags};

async fn count(name: &'static str, source: Source) -> Result<String, Failure> {
    let tags = Tags::from_iter([name]);
    cached(name, Ok("[]".into()), Ages::NEVER, tags, move || async move { source.read().await }).await
}

#[tokio::test]
async fn a_draft_reads_afresh_and_stores_nothing_while_others_keep_their_entries() {
    let (engine, _clock) = in_memory();
    let source = Source::new("published");
    let page = Page::new("/a", Ages::NEVER, &["a"], &source);
    assert_eq!(text(&page.get(&engine).await), "published");
    source.set("draft");
    for purpose in [Purpose::Once, Purpose::Live, Purpose::Action] {
        let draft = Scope::draft(&engine, purpose);
        let reads = source.reads();
        let served = draft.run(page.get(&engine)).await;
        assert_eq!((text(&served), served.reason), ("draft", Reason::Bypass));
        assert_eq!(source.reads(), reads + 1);
    }
    assert_eq!(text(&page.get(&engine).await), "published");
    let other = Page::new("/b", Ages::NEVER, &[], &source);
    Scope::draft(&engine, Purpose::Once).run(other.get(&engine)).await;
    assert!(engine.data().peek(&other.key).is_none());
}

#[tokio::test]
async fn nested_functions_are_read_afresh_in_a_draft_and_their_tags_flow_up() {
    let (engine, _clock) = in_memory();
    let source = Source::new("v");
    let outer = |source: Source| async move {
        let read = move || async move { count("inner", source).await };
        cached("outer", Ok("[]".into()), Ages::NEVER, Tags::from_iter(["outer"]), read).await
    };
    Scope::new(&engine, Purpose::Once).run(outer(source.clone())).await.unwrap();
    source.set("draft");
    let draft = Scope::draft(&engine, Purpose::Once);
    let read: String = draft.run(outer(source.clone())).await.unwrap();
    assert_eq!((read.as_str(), source.reads()), ("draft", 2));
    let tags: Vec<_> = draft.reads().tags.iter().map(ToString::to_string).collect();
    assert_eq!(tags, ["inner", "outer"]);
    // The same call twice in one render is one call, in a draft too.
    draft.run(outer(source.clone())).await.unwrap();
    assert_eq!(source.reads(), 2);
    let others: String = Scope::new(&engine, Purpose::Once).run(outer(source.clone())).await.unwrap();
    assert_eq!(others, "v");
}

#[tokio::test]
async fn a_draft_that_reads_itself_fails_instead_of_waiting() {
    let (engine, _clock) = in_memory();
    fn itself() -> futures::future::BoxFuture<'static, Result<String, Failure>> {
        Box::pin(cached("itself", Ok("[]".into()), Ages::NEVER, Tags::new(), itself))
    }
    for purpose in [Purpose::Once, Purpose::Action] {
        let result = Scope::draft(&engine, purpose).run(itself()).await;
        assert!(result.unwrap_err().to_string().contains("reads itself"));
    }
}

#[derive(Clone, Copy)]
enum Render {
    Works,
    Fails,
    Refuses,
}

async fn page(engine: &Engine, key: &Key, render: Render) -> Reason {
    let tags = ["a", "b"].into_iter().collect();
    let asked = Request { key, ages: ages(10, 60), negative: seconds(10), tags, fresh: true, unasked: false };
    let produce = move || async move {
        let value = StoredPage::new(http::StatusCode::OK, vec![], Bytes::new());
        match render {
            Render::Works => Ok(Produced { value, negative: false, store: true }),
            Render::Refuses => Ok(Produced { value, negative: false, store: false }),
            Render::Fails => Err(Failure::new("it rained")),
        }
    };
    engine.pages().serve(asked, produce).await.reason
}

#[tokio::test]
async fn an_explanation_says_what_would_be_done_and_which_tag_at_which_number_is_the_cause() {
    let (engine, clock) = in_memory();
    let key = Key::page("/p", "/p", "");
    assert_eq!(engine.look(&key).await, None);
    page(&engine, &key, Render::Works).await;
    let hit = engine.look(&key).await.unwrap();
    assert_eq!((hit.place, hit.decision), (Place::Memory, Decision::Hit { ttl_seconds: 10 }));
    assert!(hit.invalidated.is_empty() && !hit.foreign);
    clock.advance(seconds(3));
    let soft = engine.invalidate(&["b".into()], Strength::Soft).await.unwrap();
    let looked = engine.look(&key).await.unwrap();
    assert_eq!((looked.age, looked.invalidated), (seconds(3), vec![(Tag::from("b"), Strength::Soft, soft)]));
    assert!(matches!(looked.decision, Decision::Stale { why: Stale::Soft, .. }));
    engine.invalidate(&["other".into()], Strength::Hard).await.unwrap();
    let hard = engine.invalidate(&["a".into()], Strength::Hard).await.unwrap();
    let looked = engine.look(&key).await.unwrap();
    assert_eq!(looked.decision, Decision::Miss { why: Miss::Invalidated });
    let causes = vec![(Tag::from("a"), Strength::Hard, hard), (Tag::from("b"), Strength::Soft, soft)];
    assert_eq!(looked.invalidated, causes);
}

#[tokio::test]
async fn why_the_last_render_was_not_stored_is_remembered() {
    let (engine, clock) = in_memory();
    let key = Key::page("/p", "/p", "");
    assert_eq!(engine.last_unstored(&key), None);
    page(&engine, &key, Render::Refuses).await;
    assert_eq!(engine.last_unstored(&key).unwrap().why, Unstored::Refused);
    clock.advance(seconds(1));
    page(&engine, &key, Render::Fails).await;
    let note = engine.last_unstored(&key).unwrap();
    assert_eq!(note.why, Unstored::Failed("it rained".into()));
    clock.advance(seconds(1));
    page(&engine, &key, Render::Works).await;
    assert!(engine.look(&key).await.unwrap().meta.started > note.at, "the entry is newer than the failure");
}

#[tokio::test]
async fn a_render_that_was_outdated_says_so() {
    let (engine, _clock) = in_memory();
    let key = Key::page("/p", "/p", "");
    let of = engine.clone();
    let asked = Request { tags: ["a"].into_iter().collect(), ..Request::new(&key, Ages::NEVER) };
    let produce = move || async move {
        of.invalidate(&["a".into()], Strength::Hard).await?;
        let value = StoredPage::new(http::StatusCode::OK, vec![], Bytes::new());
        Ok(Produced { value, negative: false, store: true })
    };
    engine.pages().serve(asked, produce).await;
    assert_eq!(engine.last_unstored(&key).unwrap().why, Unstored::Outdated);
}

#[tokio::test]
async fn a_look_at_the_disk_takes_nothing_into_memory() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), ManualClock::new());
    let key = Key::page("/p", "/p", "");
    let engine = on_disk(folder.path(), "b", &clock).await;
    page(&engine, &key, Render::Works).await;
    engine.shutdown().await;
    drop(engine);
    let engine = on_disk(folder.path(), "b", &clock).await;
    for _ in 0..2 {
        assert_eq!(engine.look(&key).await.unwrap().place, Place::Disk);
    }
    assert!(engine.pages().peek(&key).is_none());
}
