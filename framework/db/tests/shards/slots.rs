//! Rust, PostgreSQL and Redis agree on the slot of a key.

use rand::RngExt as _;
use sqlx::PgPool;
use tropos_db::shard::{Slot, install_sql};
use tropos_parts::{Postgres, RedisOptions, has_redis};

fn keys(count: usize) -> Vec<String> {
    let mut rng = rand::rng();
    let mut key = |_| {
        let length = rng.random_range(0..40);
        (0..length).map(|_| rng.random_range('\u{1}'..'\u{20ac}')).collect::<String>()
    };
    (0..count).map(&mut key).collect()
}

#[tokio::test]
async fn postgres_gives_a_thousand_keys_the_same_slots() {
    let server = Postgres::start().await.unwrap();
    let pool = PgPool::connect(&server.url("postgres")).await.unwrap();
    sqlx::raw_sql(install_sql()).execute(&pool).await.unwrap();
    let keys = keys(1000);
    let slots: Vec<i32> = sqlx::query_scalar(
        "select tropos_slot(key) from unnest($1::text[]) with ordinality k(key, n) order by n",
    )
    .bind(&keys)
    .fetch_all(&pool)
    .await
    .unwrap();
    for (key, slot) in keys.iter().zip(slots) {
        assert_eq!(i32::from(Slot::of(key).number()), slot, "{key:?}");
    }
    let uuid: i32 =
        sqlx::query_scalar("select tropos_slot('5BF70AFF-0001-0203-0405-06070809ABCD'::uuid::text)")
            .fetch_one(&pool)
            .await
            .unwrap();
    let bytes = [0x5b, 0xf7, 0x0a, 0xff, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0xab, 0xcd];
    assert_eq!(i32::from(Slot::of(&bytes).number()), uuid);
}

#[tokio::test]
async fn redis_gives_keys_without_braces_the_same_slots() {
    if !has_redis() {
        eprintln!("skipped: no redis-server");
        return;
    }
    let redis = RedisOptions::new().argument("cluster-enabled", "yes").start().await.unwrap();
    for key in keys(50).iter().filter(|key| !key.contains('{')) {
        let slot = redis.cli(["CLUSTER", "KEYSLOT", key]).await.unwrap();
        assert_eq!(slot.trim_start_matches("(integer) ").trim(), Slot::of(key).to_string(), "{key:?}");
    }
}
