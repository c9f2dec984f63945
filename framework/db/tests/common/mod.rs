//! A primary with replicas, and a database handle on it.

#![allow(dead_code, reason = "each test takes what it needs")]

use std::time::{Duration, Instant};
use tropos_db::{Config, Db, ServerStats, sqlx};
use tropos_parts::{PostgresCluster, PostgresClusterOptions};

/// All waits in these tests end after this: long enough for a machine that is busy with something else.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Longer than anything here waits for: what is over sooner did not wait for it.
pub const MINUTE: Duration = Duration::from_secs(60);

/// What a user is promised to take two seconds may take so long here, where the machine may be busy: much longer than that
/// and much shorter than a [`MINUTE`]. The time that was measured is told.
pub const PROMPT: Duration = Duration::from_secs(15);

/// Two replicas, and a database with a table.
pub async fn cluster() -> (PostgresCluster, Db) {
    with(PostgresClusterOptions::new(2), |config| config).await
}

/// The same with options of its own.
pub async fn with(
    options: PostgresClusterOptions,
    change: impl FnOnce(Config) -> Config,
) -> (PostgresCluster, Db) {
    let cluster = options.start().await.unwrap();
    cluster.primary().psql("postgres", "create table kv (key text primary key, value text)").await.unwrap();
    let db = connect(&cluster, change).await;
    wait_for("both replicas", || usable(&db).len() == 2).await;
    (cluster, db)
}

pub async fn connect(cluster: &PostgresCluster, change: impl FnOnce(Config) -> Config) -> Db {
    Db::connect(&change(config(cluster))).await.unwrap()
}

/// Replicas that are paused on purpose, or wait for a busy machine, are not left out for their lag.
pub fn config(cluster: &PostgresCluster) -> Config {
    let mut config = Config::new(cluster.primary().url("postgres"))
        .replicas([0, 1].map(|replica| cluster.replica(replica).url("postgres")));
    config.replicas.most_lag = MINUTE;
    config
}

/// Tells how long something took, which must not be much longer than what is promised.
pub fn took(what: &str, promised: Duration, took: Duration) {
    eprintln!("{what}: {took:?}; promised: {promised:?}");
    assert!(took < PROMPT, "{what}: {took:?}");
}

/// The replicas that are read from.
pub fn usable(db: &Db) -> Vec<ServerStats> {
    db.stats().servers.into_iter().filter(|server| server.usable).collect()
}

#[expect(clippy::disallowed_methods, reason = "real servers take real time")]
pub async fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    began.elapsed()
}

pub async fn set(db: &Db, key: &str, value: &str) -> Result<(), sqlx::Error> {
    let sql = "insert into kv values ($1, $2) on conflict (key) do update set value = excluded.value";
    sqlx::query(sql).bind(key).bind(value).execute(db.write()).await.map(drop)
}

/// Writes until the write is taken; how long that took.
#[expect(clippy::disallowed_methods, reason = "real servers take real time")]
pub async fn set_at_last(db: &Db, key: &str, value: &str) -> Duration {
    let began = Instant::now();
    while set(db, key, value).await.is_err() {
        assert!(began.elapsed() < PATIENCE, "no write was taken");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    began.elapsed()
}

pub async fn get(db: &Db, key: &str) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar("select value from kv where key = $1").bind(key).fetch_optional(db.read()).await
}

/// Whether the next read goes to a replica.
pub async fn on_replica(db: &Db) -> bool {
    sqlx::query_scalar("select pg_is_in_recovery()").fetch_one(db.read()).await.unwrap()
}
