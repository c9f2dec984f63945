//! Writers with the old map and with the new one while slots move: nothing is lost and nothing is there twice.

use crate::kit::two_servers;
use rand::RngExt as _;
use sqlx::{Connection as _, PgConnection, PgPool};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tropos_db::shard::{Refused, SlotMap, refused};

const KEYS: u32 = 200;
const SLOTS: &str = "0-4000, 5000-6000";

/// What a writer knows to have been committed.
type Written = BTreeMap<String, i64>;

struct Writer {
    pools: [PgPool; 2],
    map: SlotMap,
    /// What it takes on once it is refused as one with an old map.
    new: SlotMap,
    isolation: &'static str,
    refusals: Arc<[AtomicU64; 2]>,
}

impl Writer {
    async fn run(mut self, stop: Arc<AtomicBool>) -> Written {
        let mut written = Written::new();
        while !stop.load(Ordering::Relaxed) {
            let keys: Vec<String> = {
                let mut rng = rand::rng();
                let many = rng.random_range(1..4);
                (0..many).map(|_| format!("k{}", rng.random_range(0..KEYS))).collect()
            };
            let shard = self.map.shard_for(&keys[0]);
            let keys: Vec<_> = keys.into_iter().filter(|key| self.map.shard_for(key) == shard).collect();
            match self.add(usize::from(shard), &keys).await {
                Ok(()) => keys.into_iter().for_each(|key| *written.entry(key).or_default() += 1),
                Err(error) => {
                    match (refused(&error), error.as_database_error().and_then(|error| error.code())) {
                        (Some(Refused::Moving), _) => {
                            self.refusals[0].fetch_add(1, Ordering::Relaxed);
                        }
                        (Some(Refused::Gone), _) => {
                            self.refusals[1].fetch_add(1, Ordering::Relaxed);
                            self.map = self.new.clone();
                        }
                        // Others wrote the same row, or the map has just been changed.
                        (None, Some(code)) if matches!(code.as_ref(), "40001" | "40P01") => {}
                        _ => unreachable!("{error}"),
                    }
                }
            }
        }
        written
    }

    async fn add(&self, shard: usize, keys: &[String]) -> sqlx::Result<()> {
        let mut connection = self.pools[shard].acquire().await?;
        let mut transaction = connection.begin_with(self.isolation).await?;
        for key in keys {
            add(&mut transaction, key).await?;
            // Some are slow enough to be there still when the rows are copied, were they not waited for.
            let slow = rand::rng().random_ratio(1, 6);
            let pause = if slow { 100 } else { rand::rng().random_range(0..3) };
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        transaction.commit().await
    }
}

async fn add(connection: &mut PgConnection, key: &str) -> sqlx::Result<()> {
    let sql = "insert into counter values ($1, 1) on conflict (key) do update set n = counter.n + 1";
    sqlx::query(sql).bind(key).execute(connection).await.map(|_| ())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_lose_nothing_while_slots_move() {
    let two = two_servers().await;
    for shard in 0..2 {
        two.run(shard, "create table counter (key text primary key, n bigint not null); select tropos_sharded('counter', 'key')")
            .await
            .unwrap();
    }
    let slots = SLOTS.parse().unwrap();
    let new = two.map.moved(&slots, "a", "b").unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let refusals = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
    let writers: Vec<_> = (0..12)
        .map(|n| {
            let writer = Writer {
                pools: two.pools.clone(),
                // Some have the new map too early.
                map: if n == 0 { new.clone() } else { two.map.clone() },
                new: new.clone(),
                isolation: [
                    "begin",
                    "begin isolation level repeatable read",
                    "begin isolation level serializable",
                ][n % 3],
                refusals: refusals.clone(),
            };
            tokio::spawn(writer.run(stop.clone()))
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let moving = two.moving(SLOTS, 0, 1);
    moving.run(|_| std::thread::sleep(Duration::from_millis(2))).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    stop.store(true, Ordering::Relaxed);

    let mut written = Written::new();
    for writer in writers {
        for (key, times) in writer.await.unwrap() {
            *written.entry(key).or_default() += times;
        }
    }
    let mut found = Written::new();
    for (shard, pool) in (0..).zip(&two.pools) {
        let rows: Vec<(String, i64)> =
            sqlx::query_as("select key, n from counter").fetch_all(pool).await.unwrap();
        found.extend(rows.into_iter().filter(|(key, _)| new.shard_for(key) == shard));
    }
    assert_eq!(found, written);
    assert!(written.values().sum::<i64>() > 100, "{written:?}");
    for refusals in refusals.iter() {
        assert!(refusals.load(Ordering::Relaxed) > 0, "{refusals:?}");
    }
    let before = two.one(1, "select count(*) from counter").await;
    moving.clean(|_| {}).await.unwrap();
    assert_eq!(
        two.one(0, "select count(*) from counter where tropos_slot(key) between 0 and 4000").await,
        "0"
    );
    assert_eq!(two.one(1, "select count(*) from counter").await, before);
}
