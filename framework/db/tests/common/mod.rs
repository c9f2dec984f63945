//! A primary with replicas, and a database handle on it.

#![allow(dead_code, reason = "each test takes what it needs")]

use std::time::{Duration, Instant};
use tropos_db::{Config, Db, ServerStats, sqlx};
use tropos_parts::{PostgresCluster, PostgresClusterOptions};

/// All waits in these tests end after this.
pub const PATIENCE: Duration = Duration::from_secs(20);

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

pub fn config(cluster: &PostgresCluster) -> Config {
    Config::new(cluster.primary().url("postgres"))
        .replicas([0, 1].map(|replica| cluster.replica(replica).url("postgres")))
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

pub async fn get(db: &Db, key: &str) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar("select value from kv where key = $1").bind(key).fetch_optional(db.read()).await
}

/// Whether the next read goes to a replica.
pub async fn on_replica(db: &Db) -> bool {
    sqlx::query_scalar("select pg_is_in_recovery()").fetch_one(db.read()).await.unwrap()
}
