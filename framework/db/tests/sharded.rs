//! One database on two real servers, as an application uses it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;
use tokio::time::{Instant, sleep};
use tropos_db::{
    Config, Db, Migrations, ShardConfig,
    shard::{Slot, SlotRanges, refused},
    sqlx::{
        self, SqlSafeStr as _,
        migrate::{Migration, MigrationType, Migrator},
    },
};
use tropos_parts::Postgres;

fn migrations() -> Migrations {
    let sql = "create table customer (id text primary key, name text not null); \
               select tropos_sharded('customer', 'id');";
    let step = Migration::new(1, "customer".into(), MigrationType::Simple, sql.into_sql_str(), false);
    Migrator::with_migrations(vec![step]).into()
}

async fn open() -> ([Postgres; 2], Config, Db) {
    let servers = [Postgres::start().await.unwrap(), Postgres::start().await.unwrap()];
    let slots = ["0-8191", "8192-16383"];
    let shard = |at: usize, name: &str| ShardConfig::new(name, servers[at].url("postgres")).slots(slots[at]);
    let config = Config::new("").shards(vec![shard(0, "a"), shard(1, "b")]);
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
    db.moving(slots, "a", "b").unwrap().run(|_| {}).await.unwrap();
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
    // A transaction for a key that is not here any more does not even begin.
    let alone: Db = Db::connect(&config).await.unwrap();
    let mut tx = alone.shard(id.as_str()).tx().await.unwrap();
    let updated =
        sqlx::query("update customer set name = 'x' where id = $1").bind(&id).execute(&mut tx).await.unwrap();
    assert_eq!(updated.rows_affected(), 1);
    tx.commit().await.unwrap();
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
