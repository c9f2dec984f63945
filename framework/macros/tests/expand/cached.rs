//! What a cached function may take and give.

use serde::{Deserialize, Serialize};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tropos::{CacheArg, Db, Engine, Failure, KeyArgs, Result, Scope, cached};
use tropos_cache::Purpose;
use tropos_core::ManualClock;

/// A type of the application.
#[derive(Clone, Serialize, Deserialize)]
struct Filter {
    family: String,
    limit: usize,
}

#[cached(ttl = "10m")]
async fn nothing() -> Result<u32> {
    Ok(1)
}

/// Its arguments may be called what the expansion uses.
#[cached(ttl = "never", expire = "7d", tags = ["values", "value-{key}", "{tags}-{answer}"])]
async fn named_as_it_likes(key: &str, tags: u8, mut answer: String) -> Result<String> {
    answer.push('!');
    Ok(format!("{key} {tags} {answer}"))
}

#[cached(ttl = "10m", expire = "10m", tags = ["family-{filter.family}"])]
async fn borrowed(list: &[u8], filter: &Filter, limit: Option<u8>) -> Result<Vec<Filter>, Failure> {
    let limit = limit.map_or(filter.limit, usize::from);
    Ok(list.iter().take(limit).map(|_| filter.clone()).collect())
}

#[cached(ttl = "10m")]
async fn fails(name: String) -> Result<Option<String>> {
    let number: u8 = name.parse()?;
    Ok(Some(number.to_string()))
}

/// Through which a function reads, as it does through a database. It counts the reads.
#[derive(Clone, Default)]
struct Source(Arc<AtomicU32>);

impl CacheArg for Source {
    fn add_to_key(&self, _key: &mut KeyArgs) {}
}

#[cached(ttl = "10m", tags = ["product-{id}", "products"])]
async fn by_id(source: &Source, id: &str) -> Result<u32> {
    let _ = id;
    Ok(source.0.fetch_add(1, Ordering::Relaxed))
}

/// Only compiled: a database is a handle too.
#[cached(ttl = "10m", tags = ["row-{id}"])]
#[allow(dead_code)]
async fn row(_db: &Db, id: u64) -> Result<Option<u64>> {
    Ok(Some(id))
}

fn is_send<T: Send>(value: T) -> T {
    value
}

#[tokio::test]
async fn outside_of_a_render_the_body_runs_with_the_arguments_of_its_caller() {
    assert_eq!(is_send(nothing()).await.unwrap(), 1);
    assert_eq!(named_as_it_likes("a", 2, "b".to_owned()).await.unwrap(), "a 2 b!");
    let filter = Filter { family: "oak".to_owned(), limit: 1 };
    assert_eq!(borrowed(&[1, 2, 3], &filter, None).await.unwrap().len(), 1);
    assert_eq!(borrowed(&[1, 2, 3], &filter, Some(2)).await.unwrap().len(), 2);
    assert!(fails("x".to_owned()).await.unwrap_err().to_string().contains("invalid digit"));
}

#[tokio::test]
async fn calls_with_equal_arguments_share_a_result_whatever_handle_they_have() {
    let engine = Engine::in_memory(Arc::new(ManualClock::new()));
    let source = Source::default();
    for (handle, id, expected) in [
        (source.clone(), "a", 0),
        (source.clone(), "a", 0),
        (source.clone(), "b", 1),
        (Source::default(), "a", 0),
    ] {
        let scope = Scope::new(&engine, Purpose::Once);
        assert_eq!(scope.run(by_id(&handle, id)).await.unwrap(), expected, "{id}");
    }
    assert_eq!(source.0.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_result_is_stale_after_its_ttl() {
    let engine = Engine::in_memory(Arc::new(ManualClock::new()));
    let scope = Scope::new(&engine, Purpose::Once);
    scope.run(named_as_it_likes("k", 1, "x".to_owned())).await.unwrap();
    assert_eq!(scope.reads().stale_at, None, "`ttl` is never");
    scope.run(nothing()).await.unwrap();
    assert_eq!(scope.reads().stale_at, Some(engine.clock().now().plus(Duration::from_secs(600))));
}

/// The tags that a call leaves with the render that made it.
async fn tags_of(call: impl Future) -> Vec<String> {
    let scope = Scope::new(&Engine::in_memory(Arc::new(ManualClock::new())), Purpose::Once);
    scope.run(call).await;
    scope.reads().tags.iter().map(|tag| tag.as_str().to_owned()).collect()
}

#[tokio::test]
async fn tags_are_filled_in_from_the_arguments_and_reach_the_caller() {
    let filter = Filter { family: "oak".to_owned(), limit: 1 };
    assert_eq!(tags_of(by_id(&Source::default(), "a b%41")).await, ["product-a%20b%2541", "products"]);
    assert_eq!(tags_of(named_as_it_likes("k", 1, "x".to_owned())).await, ["1-x", "value-k", "values"]);
    assert_eq!(tags_of(borrowed(&[1], &filter, None)).await, ["family-oak"]);
    assert!(tags_of(nothing()).await.is_empty());
}

#[cached(ttl = "10m", tags = ["thing {name}", "100%-{name}-{filter.family}", "{name}", "%{name}", "ö{name}/"])]
async fn hostile(name: String, filter: Filter) -> Result<u32> {
    let _ = (name, filter);
    Ok(1)
}

/// What a trigger of the database records under these templates is invalidated by these tags, or by none.
#[tokio::test]
async fn the_bridge_of_the_database_makes_the_same_tags() {
    let templates = ["thing {name}", "100%-{name}-{filter.family}", "{name}", "%{name}", "ö{name}/"];
    let long = "ß".repeat(300);
    for name in [
        "a",
        "",
        " ",
        "a  b",
        "ünï/☃",
        "41",
        "%41",
        "100%",
        "{name}",
        "\"'\\",
        "\n\0",
        "-",
        "_path:/a",
        &long,
    ] {
        let filter = Filter { family: name.to_owned(), limit: 1 };
        let mut made: Vec<String> = templates
            .into_iter()
            .filter_map(|template| {
                tropos::db::bridge::tag_of(template, &[("name", name), ("filter.family", name)])
            })
            .map(|tag| tag.as_str().to_owned())
            .collect();
        assert_eq!(made.len(), templates.len());
        made.sort();
        assert_eq!(made, tags_of(hostile(name.to_owned(), filter)).await, "{name:?}");
    }
}
