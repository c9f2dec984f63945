//! One database on two real servers, as an application uses it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;
use tokio::time::{Instant, sleep};
use tropos_db::{
    Config, Db, Error, Migrations, ShardConfig,
    shard::{Refused, Slot, SlotRanges, moving::MoveError, refused},
    sqlx::{
        self, SqlSafeStr as _,
        migrate::{Migration, MigrationType, Migrator},
    },
};
use tropos_parts::Postgres;

const SHARDED: &str = "create table customer (id text primary key, name text not null); \
                       select tropos_sharded('customer', 'id');";
/// Of an application that has never heard of shards.
const PLAIN: &str = "create table customer (id text primary key, name text not null)";

fn steps(sql: &'static str) -> Migrator {
    let step = Migration::new(1, "customer".into(), MigrationType::Simple, sql.into_sql_str(), false);
    Migrator::with_migrations(vec![step])
}

fn migrations() -> Migrations {
    steps(SHARDED).into()
}

fn shard(name: &str, server: &Postgres, database: &str, slots: &str) -> ShardConfig {
    ShardConfig::new(name, server.url(database)).slots(slots)
}

/// What a database says of itself: its name, and what it owns.
async fn says(server: &Postgres, database: &str) -> String {
    let sql = "select (select name from tropos_shard), string_agg(format('%s-%s %s', first, last, state), ', ' \
               order by first) from tropos_slots";
    server.psql(database, sql).await.unwrap()
}

async fn open() -> ([Postgres; 2], Config, Db) {
    let servers = [Postgres::start().await.unwrap(), Postgres::start().await.unwrap()];
    let shards = vec![
        shard("a", &servers[0], "postgres", "0-8191"),
        shard("b", &servers[1], "postgres", "8192-16383"),
    ];
    let config = Config::new("").shards(shards);
    let db = Db::connect(&config).await.unwrap();
    db.migrate(&migrations()).await.unwrap();
    (servers, config, db)
}

async fn add(db: &Db, id: &str) -> Result<(), sqlx::Error> {
    let sql = "insert into customer values ($1, 'new') on conflict (id) do update set name = 'again'";
    sqlx::query(sql).bind(id).execute(db.shard(id).write()).await.map(drop)
}

async fn count(db: &Db, id: &str) -> i64 {
    let sql = "select count(*) from customer where id = $1";
    sqlx::query_scalar(sql).bind(id).fetch_one(db.shard(id).read()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_where_their_key_says_and_all_shards_together_have_all_of_them() {
    let (servers, _, db) = open().await;
    for number in 0..200 {
        add(&db, &format!("customer {number}")).await.unwrap();
    }
    let counts = db.fan_out().run(async |shard: Db| {
        let sql = "select count(*) from customer";
        sqlx::query_scalar::<_, i64>(sql).fetch_one(shard.read()).await
    });
    let counts = counts.await.all().unwrap();
    assert_eq!(counts.iter().sum::<i64>(), 200);
    assert!(counts.iter().all(|count| (60..140).contains(count)), "{counts:?}");
    // Written to the wrong one by hand, the database refuses.
    let elsewhere = servers[1 - usize::from(db.slots().shard_for("customer 1"))].url("postgres");
    let alone: Db = Db::connect(&Config::new(elsewhere)).await.unwrap();
    let wrong = sqlx::query("insert into customer values ('customer 1', 'x')").execute(alone.write()).await;
    assert!(refused(&wrong.unwrap_err()).is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_follows_a_move_by_itself_and_its_transactions_hold_their_slot() {
    let (_servers, config, db) = open().await;
    let other: Db = Db::connect(&config).await.unwrap();
    let id = (0..)
        .map(|number| format!("customer {number}"))
        .find(|id| db.slots().shard_for(id.as_str()) == 0)
        .unwrap();
    add(&db, &id).await.unwrap();
    let slots: SlotRanges = [Slot::of(id.as_str())].into_iter().collect();
    // Of a handle that somebody has kept, and that knows no better.
    let kept = db.shard(id.as_str());
    // A transaction of the key holds its slot before it has written anything.
    let tx = kept.tx().await.unwrap();
    let way = db.moving(slots, "a", "b").unwrap();
    let busy = way.clone().wait(Duration::from_millis(100)).run(|_| {}).await.unwrap_err();
    assert!(matches!(busy, MoveError::Busy { .. }), "{busy}");
    tx.rollback().await.unwrap();
    way.run(|_| {}).await.unwrap();
    // The old map is refused by the database until both have asked it; then the write goes to the other shard.
    let began = Instant::now();
    for instance in [&db, &other] {
        while let Err(error) = add(instance, &id).await {
            assert!(refused(&error).is_some(), "{error}");
            assert!(began.elapsed() < Duration::from_secs(20));
            sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(instance.slots().shard_for(id.as_str()), 1);
        assert_eq!(count(instance, &id).await, 1);
    }
    // One that starts with the old configuration knows at once.
    let late: Db = Db::connect(&config).await.unwrap();
    assert_eq!(late.slots().shard_for(id.as_str()), 1);
    // A transaction for a key that is not there any more does not even begin: its update would find no row once they
    // are cleaned up.
    let error = kept.tx().await.map(drop).unwrap_err();
    assert_eq!(refused(&error), Some(Refused::Gone), "{error}");
    late.shard(id.as_str()).tx().await.unwrap().rollback().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_reset_slots_that_had_moved_are_at_once_where_they_are_configured() {
    let (_servers, config, mover) = open().await;
    mover.moving("0-4000".parse().unwrap(), "a", "b").unwrap().run(|_| {}).await.unwrap();
    let db = Db::connect(&config).await.unwrap();
    assert_eq!(db.slots().slots_on(0).to_string(), "4001-8191");
    db.reset(&migrations()).await.unwrap();
    assert_eq!(db.slots().slots_on(0).to_string(), "0-8191");
    for number in 0..50 {
        add(&db, &format!("customer {number}")).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_follows_a_move_while_all_its_connections_for_writes_are_busy() {
    let (_servers, mut config, mover) = open().await;
    config.pool.connections = 1;
    let db = Db::connect(&config).await.unwrap();
    let busy = db.tx().await.unwrap();
    mover.moving("0-99".parse().unwrap(), "a", "b").unwrap().run(|_| {}).await.unwrap();
    let began = Instant::now();
    while db.slots().slots_on(0).to_string() != "100-8191" {
        assert!(began.elapsed() < Duration::from_secs(20), "{}", db.slots());
        sleep(Duration::from_millis(50)).await;
    }
    busy.rollback().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_goes_from_one_shard_to_two_with_all_its_rows() {
    let server = Postgres::start().await.unwrap();
    server.create_database("b").await.unwrap();
    let one = Config::new(server.url("postgres"));
    let alone = Db::connect(&one).await.unwrap();
    alone.migrate(&migrations()).await.unwrap();
    assert_eq!(says(&server, "postgres").await, "main|0-16383 owned");
    for number in 0..100 {
        add(&alone, &format!("customer {number}")).await.unwrap();
    }
    // Half of the rows would be looked for where they are not.
    let halves = vec![shard("a", &server, "postgres", "0-8191"), shard("b", &server, "b", "8192-16383")];
    let db = Db::connect(&Config::new("").shards(halves)).await.unwrap();
    let error = db.migrate(&migrations()).await.unwrap_err().to_string();
    assert!(error.contains("slots 8192-16383") && error.contains("`slots = \"\"`"), "{error}");
    let error = db.check(&migrations()).await.unwrap_err().to_string();
    assert!(error.contains("slots 8192-16383"), "{error}");
    assert_eq!(says(&server, "postgres").await, "main|0-16383 owned");

    let two = vec![shard("a", &server, "postgres", "0-16383"), shard("b", &server, "b", "")];
    let two = Config::new("").shards(two);
    let db = Db::connect(&two).await.unwrap();
    let error = db.check(&migrations()).await.unwrap_err();
    assert!(matches!(&error, Error::Pending(lacks) if lacks.contains("`b`")), "{error}");
    db.migrate(&migrations()).await.unwrap();
    db.check(&migrations()).await.unwrap();
    assert_eq!(says(&server, "postgres").await, "a|0-16383 owned");
    assert_eq!(says(&server, "b").await, "b|");
    // An instance that still has the old configuration starts and writes.
    let late = Db::connect(&one).await.unwrap();
    late.migrate(&migrations()).await.unwrap();
    add(&late, "customer 0").await.unwrap();
    assert_eq!(says(&server, "postgres").await, "a|0-16383 owned");

    db.moving("8192-16383".parse().unwrap(), "a", "b").unwrap().run(|_| {}).await.unwrap();
    db.moving("8192-16383".parse().unwrap(), "a", "b").unwrap().clean(|_| {}).await.unwrap();
    let db = Db::connect(&two).await.unwrap();
    for number in 0..100 {
        assert_eq!(count(&db, &format!("customer {number}")).await, 1, "{number}");
    }
    for database in ["postgres", "b"] {
        let rows: u32 =
            server.psql(database, "select count(*) from customer").await.unwrap().parse().unwrap();
        assert!((30..70).contains(&rows), "{rows} of 100 in {database}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_was_migrated_without_a_fence_has_it_at_the_next_start() {
    let server = Postgres::start().await.unwrap();
    for database in ["b", "c"] {
        server.create_database(database).await.unwrap();
    }
    // As a program that knew no fence has left them.
    for database in ["postgres", "c"] {
        let pool = sqlx::PgPool::connect(&server.url(database)).await.unwrap();
        steps(PLAIN).run(&pool).await.unwrap();
    }
    let plain: Migrations = steps(PLAIN).into();
    let halves = vec![shard("a", &server, "postgres", "0-8191"), shard("b", &server, "b", "8192-16383")];
    let db = Db::connect(&Config::new("").shards(halves)).await.unwrap();
    let error = db.migrate(&plain).await.unwrap_err().to_string();
    assert!(error.contains("shard `main` owns them"), "{error}");

    let alone: Db = Db::connect(&Config::new(server.url("c"))).await.unwrap();
    assert_eq!(alone.migrate(&plain).await.unwrap()[0].applied, []);
    assert_eq!(says(&server, "c").await, "main|0-16383 owned");
    // An older one is replaced, and what it said is kept.
    server
        .psql("c", "comment on function tropos_hold(int) is 'Tropos fence 0'; drop function tropos_truncate")
        .await
        .unwrap();
    alone.migrate(&plain).await.unwrap();
    assert_eq!(
        server.psql("c", "select to_regprocedure('tropos_truncate()') is not null").await.unwrap(),
        "t"
    );
    assert_eq!(says(&server, "c").await, "main|0-16383 owned");
}

#[tokio::test]
async fn the_only_shard_starts_where_its_user_may_make_no_functions() {
    let server = Postgres::start().await.unwrap();
    let pool = sqlx::PgPool::connect(&server.url("postgres")).await.unwrap();
    steps(PLAIN).run(&pool).await.unwrap();
    server.psql("postgres", "create role app login; grant select on _sqlx_migrations to app").await.unwrap();
    let db: Db = Db::connect(&Config::new(server.url_as("app", "postgres"))).await.unwrap();
    assert_eq!(db.migrate(&steps(PLAIN).into()).await.unwrap()[0].applied, []);
    let fence = server.psql("postgres", "select to_regclass('tropos_slots') is null").await.unwrap();
    assert_eq!(fence, "t", "it was not allowed to");
}

#[tokio::test]
async fn shards_that_leave_slots_out_or_name_none_are_refused_at_the_start() {
    let memory = |name: &str, slots: Option<&str>| {
        let shard = ShardConfig::new(name, "sqlite::memory:");
        slots.map_or(shard.clone(), |slots| shard.slots(slots))
    };
    for (a, b, said) in [
        (Some("0-8191"), None, "the shard `b` names no slots"),
        (Some("0-8191"), Some("8193-16383"), "8192"),
        (Some("0-8191"), Some("8191-16383"), "8191"),
    ] {
        let config = Config::new("").shards(vec![memory("a", a), memory("b", b)]);
        let error = Db::connect(&config).await.unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}
