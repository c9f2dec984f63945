//! What others write to any shard invalidates.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tropos_cache::{Engine, Purpose, Scope, function::cached};
use tropos_core::{Ages, ManualClock};
use tropos_db::{
    Pooler, ShardConfig,
    bridge::install_sql,
    sqlx::{
        SqlSafeStr as _,
        migrate::{Migration, MigrationType, Migrator},
    },
};
use tropos_parts::Postgres;
use tropos_server::{App, Config, Site};

fn app() -> App {
    let table = "create table product (id bigint primary key, name text not null); \
        insert into product values (1, 'old'), (2, 'old'); select tropos.watch('product', 'product-{id}')";
    let steps = (1..).zip([install_sql(), table]).map(|(version, sql)| {
        Migration::new(version, "step".into(), MigrationType::Simple, sql.into_sql_str(), false)
    });
    App::new().migrations(Migrator::with_migrations(steps.collect())).other_writers()
}

fn sharded(a: &str, b: &str) -> Config {
    let mut config = Config::default();
    config.database = tropos_db::Config::new("")
        .shards(vec![ShardConfig::new("a", a).slots("0-8191"), ShardConfig::new("b", b).slots("8192-16383")]);
    config
}

#[tokio::test]
async fn what_psql_writes_to_any_shard_is_made_anew() {
    let (a, b) = (Postgres::start().await.unwrap(), Postgres::start().await.unwrap());
    let engine = Engine::in_memory(Arc::new(ManualClock::new()));
    let config = sharded(&a.url("postgres"), &b.url("postgres"));
    let _site = Site::over(app(), config, engine.clone()).await.unwrap();
    let reads = Arc::new(AtomicUsize::new(0));
    // What `#[cached(ttl = "never", tags = ["product-{id}"])]` makes of a function.
    let read = async |id: usize| {
        let (tags, reads) = ([("product", id)].into_iter().collect(), reads.clone());
        let call = cached("name_of", Ok(id.to_string()), Ages::NEVER, tags, move || async move {
            Ok(reads.fetch_add(1, Ordering::SeqCst))
        });
        Scope::new(&engine, Purpose::Once).run(call).await.unwrap()
    };
    for (shard, id) in [(&a, 1), (&b, 2)] {
        let before = read(id).await;
        assert_eq!(read(id).await, before, "it is stored");
        let change = format!("update product set name = 'new' where id = {id}");
        shard.psql("postgres", &change).await.unwrap();
        let anew = async {
            while read(id).await == before {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        assert!(tokio::time::timeout(Duration::from_secs(60), anew).await.is_ok(), "product {id} stays old");
    }
}

#[tokio::test]
async fn shards_behind_a_pooler_are_refused_at_start() {
    let server = Postgres::start().await.unwrap();
    for name in ["a", "b"] {
        server.create_database(name).await.unwrap();
    }
    let mut config = sharded(&server.url("a"), &server.url("b"));
    config.database.pooler = Pooler::Transaction;
    config.database_direct = vec![server.url("a"), server.url("b")];
    let engine = Engine::in_memory(Arc::new(ManualClock::new()));
    let error = Site::over(app(), config, engine).await.map(drop).unwrap_err().to_string();
    assert!(error.contains("DATABASE_DIRECT_URLS names the servers of one database alone"), "{error}");
}
