//! Migrations on real databases: many instances at once, failures, changed and unknown ones, and through a pooler.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

use sqlx::{
    SqlSafeStr as _,
    migrate::{Migration, MigrationType, Migrator},
};
use std::time::Duration;
use tropos_db::{Config, Db, Error, Migrations, Pooler, ShardConfig};
use tropos_parts::{PgBouncer, PgBouncerOptions, Postgres};

const TABLE: &str = "create table entry (id bigint primary key, text text not null)";
const ROW: &str = "insert into entry select count(*), 'row' from entry";

/// With time enough for any machine: what these tests look at is no limit of time.
fn config(url: impl Into<String>) -> Config {
    let mut config = Config::new(url);
    let long = Duration::from_secs(60);
    (config.pool.wait, config.pool.statement, config.replicas.look_within) = (long, long, long);
    config.pool.busy = long;
    config
}

fn step(version: i64, sql: &'static str) -> Migration {
    let description = format!("step {version}").into();
    // As sqlx reads it from the first line of a file.
    let no_tx = sql.starts_with("-- no-transaction");
    Migration::new(version, description, MigrationType::Simple, sql.into_sql_str(), no_tx)
}

fn migrator(steps: &[&'static str]) -> Migrator {
    Migrator::with_migrations((1..).zip(steps).map(|(version, sql)| step(version, sql)).collect())
}

fn migrations(steps: &[&'static str]) -> Migrations {
    migrator(steps).into()
}

async fn open(config: &Config) -> Db {
    Db::connect(config).await.unwrap()
}

async fn rows(db: &Db) -> i64 {
    sqlx::query_scalar("select count(*) from entry").fetch_one(db.write()).await.unwrap()
}

/// Ten instances start at once; how many migrations each of them applied, in ascending order.
async fn ten_at_once(config: &Config, steps: &'static [&'static str]) -> Vec<usize> {
    let started = (0..10).map(|_| {
        let config = config.clone();
        tokio::spawn(async move {
            let db = open(&config).await;
            let done = db.migrate(&migrations(steps)).await.unwrap();
            db.close().await;
            done.iter().map(|shard| shard.applied.len()).sum()
        })
    });
    let mut applied = Vec::new();
    for instance in started.collect::<Vec<_>>() {
        applied.push(instance.await.unwrap());
    }
    applied.sort_unstable();
    applied
}

const ONE_DID_ALL: [usize; 10] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 3];

fn file(folder: &tempfile::TempDir, name: &str) -> String {
    format!("sqlite://{}", folder.path().join(name).display())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_ten_instances_on_one_sqlite_file_one_migrates() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(file(&folder, "app.db"));
    assert_eq!(ten_at_once(&config, &[TABLE, ROW, ROW]).await, ONE_DID_ALL);
    assert_eq!(rows(&open(&config).await).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_ten_instances_on_one_postgres_one_migrates_also_outside_of_transactions() {
    let server = Postgres::start().await.unwrap();
    // As an operator may limit everybody.
    server.psql("postgres", "alter role postgres set statement_timeout = '100ms'").await.unwrap();
    let config = config(server.url("postgres"));
    const SLOW_ROW: &str = "insert into entry select count(*), 'row' from entry, pg_sleep(0.3)";
    const INDEX: &str = "-- no-transaction\ncreate index concurrently entry_text on entry (text)";
    assert_eq!(ten_at_once(&config, &[TABLE, SLOW_ROW, INDEX]).await, ONE_DID_ALL);
    let db = open(&config).await;
    assert_eq!(rows(&db).await, 1);
    // It sets no limit of its own.
    server.psql("postgres", "alter role postgres reset statement_timeout").await.unwrap();
    // In the form of sqlx's own runner: it finds nothing to do, and neither does this one after it.
    let pool = sqlx::PgPool::connect(&server.url("postgres")).await.unwrap();
    migrator(&[TABLE, SLOW_ROW, INDEX]).run(&pool).await.unwrap();
    migrator(&[TABLE, SLOW_ROW, INDEX, ROW]).run(&pool).await.unwrap();
    let status = db.status(&migrations(&[TABLE, SLOW_ROW, INDEX, ROW])).await.unwrap();
    assert_eq!(status[0].status.applied.len(), 4);
    assert!(status[0].status.is_current());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_ten_instances_behind_a_pooler_of_two_connections_one_migrates() {
    let server = Postgres::start().await.unwrap();
    let options = PgBouncerOptions::new().pool_size(2);
    let pooler = PgBouncer::start(&[("postgres", &server)], options).await.unwrap();
    let mut config = config(pooler.url("postgres"));
    config.pooler = Pooler::Transaction;
    assert_eq!(ten_at_once(&config, &[TABLE, ROW, ROW]).await, ONE_DID_ALL);
    let db = open(&config).await;
    let steps =
        migrations(&[TABLE, ROW, ROW, "-- no-transaction\ncreate index concurrently x on entry (text)"]);
    let error = db.migrate(&steps).await.unwrap_err();
    assert!(matches!(&error, Error::Migration { step, .. } if step.version == 4), "{error}");
    assert!(error.to_string().contains("DATABASE_POOLER=none"), "{error}");
}

async fn a_failing_one_names_itself(config: &Config) {
    let db = open(config).await;
    let error =
        db.migrate(&migrations(&[TABLE, ROW, "insert into nowhere values (1)", ROW])).await.unwrap_err();
    assert!(matches!(&error, Error::Migration { shard, step, .. } if shard == "main" && step.version == 3));
    assert!(error.to_string().contains("migration 3 (step 3) failed"), "{error}");
    assert!(error.to_string().contains("nowhere"), "{error}");
    assert_eq!(rows(&db).await, 1, "those before it are applied");
    let done = db.migrate(&migrations(&[TABLE, ROW, ROW])).await.unwrap();
    assert_eq!(done[0].applied.len(), 1, "once it is mended, it alone is applied");
}

async fn changed_is_an_error_and_unknown_is_none(config: &Config) {
    let db = open(config).await;
    db.migrate(&migrations(&[TABLE, ROW, ROW])).await.unwrap();
    let older = migrations(&[TABLE, ROW]);
    assert_eq!(db.migrate(&older).await.unwrap()[0].applied, []);
    db.check(&older).await.unwrap();
    let status = &db.status(&older).await.unwrap()[0].status;
    assert_eq!((status.applied.len(), status.unknown.len()), (2, 1));
    assert_eq!(status.unknown[0].to_string(), "3 (step 3)");
    let changed = migrations(&[TABLE, "insert into entry values (7, 'other')"]);
    for error in [db.migrate(&changed).await.unwrap_err(), db.check(&changed).await.unwrap_err()] {
        assert!(matches!(error, Error::MigrationChanged { .. }), "{error}");
        assert!(error.to_string().contains("2 (step 2)"), "{error}");
    }
    assert_eq!(rows(&db).await, 2);
    let newer = migrations(&[TABLE, ROW, ROW, ROW, ROW]);
    let error = db.check(&newer).await.unwrap_err().to_string();
    assert!(error.contains("`main` lacks 4 (step 4), 5 (step 5); run `cargo tropos db migrate`"), "{error}");
    assert_eq!(rows(&db).await, 2, "a check changes nothing");
}

async fn a_reset_leaves_what_migrations_make(config: &Config) {
    let db = open(config).await;
    let steps = [
        TABLE,
        ROW,
        "create table part (entry bigint not null references entry); insert into part select id from entry; \
         create view both_of_them as select * from entry join part on part.entry = entry.id",
    ];
    db.migrate(&migrations(&steps)).await.unwrap();
    for sql in [ROW, "create table \"left \"\"over\" (a bigint)"] {
        sqlx::raw_sql(sql).execute(db.write()).await.unwrap();
    }
    let done = db.reset(&migrations(&steps)).await.unwrap();
    assert_eq!(done[0].applied.len(), 3);
    assert_eq!(rows(&db).await, 1);
    assert!(sqlx::query("select * from \"left \"\"over\"").execute(db.write()).await.is_err());
    let orphan = sqlx::query("insert into part values (99)").execute(db.write()).await;
    assert!(orphan.is_err(), "foreign keys count again");
}

/// Only one at a time is inside.
async fn whoever_fills_is_alone(config: &Config) {
    let db = open(config).await;
    db.migrate(&migrations(&[TABLE])).await.unwrap();
    let fill = |db: Db| async move {
        db.alone(async {
            if rows(&db).await == 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
                sqlx::query(ROW).execute(db.write()).await.unwrap();
            }
        })
        .await
        .unwrap();
    };
    let other = open(config).await;
    tokio::join!(fill(db.clone()), fill(other.clone()), fill(other));
    assert_eq!(rows(&db).await, 1);
}

#[tokio::test]
async fn sqlite_alone() {
    let folder = tempfile::tempdir().unwrap();
    a_failing_one_names_itself(&config(file(&folder, "a.db"))).await;
    changed_is_an_error_and_unknown_is_none(&config(file(&folder, "b.db"))).await;
    a_reset_leaves_what_migrations_make(&config(file(&folder, "c.db"))).await;
    whoever_fills_is_alone(&config(file(&folder, "d.db"))).await;
    changed_is_an_error_and_unknown_is_none(&config("sqlite::memory:")).await;
}

#[tokio::test]
async fn postgres_alone() {
    let server = Postgres::start().await.unwrap();
    for name in ["a", "b", "c", "d"] {
        server.create_database(name).await.unwrap();
    }
    a_failing_one_names_itself(&config(server.url("a"))).await;
    changed_is_an_error_and_unknown_is_none(&config(server.url("b"))).await;
    server.psql("postgres", "create role reader login").await.unwrap();
    server.psql("c", "create schema extra; create table extra.t (a int)").await.unwrap();
    a_reset_leaves_what_migrations_make(&config(server.url("c"))).await;
    whoever_fills_is_alone(&config(server.url("d"))).await;
    let schemas = "select count(*) from pg_namespace where nspname = 'extra'";
    assert_eq!(server.psql("c", schemas).await.unwrap(), "0");
    let usage = "select has_schema_privilege('reader', 'public', 'usage')";
    assert_eq!(server.psql("c", usage).await.unwrap(), "t", "others may use the schema as before");

    let error = open(&config(server.url("a")))
        .await
        .migrate(&migrations(&[TABLE, ROW, ROW, "create index concurrently x on entry (text)"]))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("`-- no-transaction`"), "{error}");
}

#[tokio::test]
async fn all_shards_are_migrated_and_the_one_that_fails_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let shard = |name: &str| ShardConfig::new(name, file(&folder, name));
    let own: Db = open(&config(file(&folder, "west"))).await;
    sqlx::query("create table entry (id bigint)").execute(own.write()).await.unwrap();
    own.close().await;
    let halves = [shard("east").slots("0-8191"), shard("west").slots("8192-16383")];
    let db = open(&config("").shards(halves.to_vec())).await;
    let error = db.migrate(&migrations(&[TABLE, ROW])).await.unwrap_err();
    assert!(matches!(&error, Error::Migration { shard, step, .. } if shard == "west" && step.version == 1));
    let status = db.status(&migrations(&[TABLE, ROW])).await.unwrap();
    let pending: Vec<_> = status.iter().map(|it| (it.shard.as_str(), it.status.pending.len())).collect();
    assert_eq!(pending, [("east", 0), ("west", 2)]);
    let done = db.reset(&migrations(&[TABLE, ROW])).await.unwrap();
    assert_eq!(done.iter().map(|it| it.applied.len()).collect::<Vec<_>>(), [2, 2]);
}

/// The secret that two instances find after ten of them have migrated at once, and that it is one.
async fn one_secret(config: &Config) -> String {
    let started = (0..10).map(|_| {
        let config = config.clone();
        tokio::spawn(async move {
            let db = open(&config).await;
            db.migrate(&migrations(&[TABLE])).await.unwrap();
            db.secret().await.unwrap().unwrap()
        })
    });
    let mut all = std::collections::BTreeSet::new();
    for instance in started.collect::<Vec<_>>() {
        all.insert(instance.await.unwrap());
    }
    assert_eq!(all.len(), 1, "{all:?}");
    let secret = all.pop_first().unwrap();
    assert!(secret.len() == 64 && secret.bytes().all(|byte| byte.is_ascii_hexdigit()), "32 bytes: {secret}");
    secret
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_instances_that_migrate_at_once_find_one_secret_with_a_pooler_and_without() {
    let server = Postgres::start().await.unwrap();
    server.create_database("pooled").await.unwrap();
    let direct = one_secret(&config(server.url("postgres"))).await;
    let options = PgBouncerOptions::new().pool_size(2);
    let pooler = PgBouncer::start(&[("pooled", &server)], options).await.unwrap();
    let mut config = config(pooler.url("pooled"));
    config.pooler = Pooler::Transaction;
    assert_ne!(one_secret(&config).await, direct, "another database, another secret");
}

#[tokio::test]
async fn a_database_that_an_earlier_version_has_migrated_gets_its_secret_with_the_next_migration() {
    let server = Postgres::start().await.unwrap();
    let db = open(&config(server.url("postgres"))).await;
    assert_eq!(db.secret().await.unwrap(), None);
    db.migrate(&migrations(&[TABLE])).await.unwrap();
    server.psql("postgres", "drop table _tropos_secret").await.unwrap();
    assert_eq!(db.secret().await.unwrap(), None);
    db.check(&migrations(&[TABLE])).await.unwrap();
    assert_eq!(db.secret().await.unwrap(), None, "a check changes nothing");
    let done = db.migrate(&migrations(&[TABLE])).await.unwrap();
    assert_eq!(done[0].applied, []);
    let secret = db.secret().await.unwrap().unwrap();
    db.migrate(&migrations(&[TABLE])).await.unwrap();
    assert_eq!(db.secret().await.unwrap().as_ref(), Some(&secret), "it stays");
    db.reset(&migrations(&[TABLE])).await.unwrap();
    assert_ne!(db.secret().await.unwrap().unwrap(), secret, "a reset makes another");
}

#[tokio::test]
async fn who_may_neither_make_the_secret_nor_read_it_migrates_all_the_same_and_has_none() {
    let server = Postgres::start().await.unwrap();
    let owner = open(&config(server.url("postgres"))).await;
    owner.migrate(&migrations(&[TABLE])).await.unwrap();
    let grants = "create role app login; grant select on _sqlx_migrations to app";
    server.psql("postgres", grants).await.unwrap();
    let app = open(&config(server.url_as("app", "postgres"))).await;
    app.migrate(&migrations(&[TABLE])).await.unwrap();
    assert_eq!(app.secret().await.unwrap(), None);
    server.psql("postgres", "drop table _tropos_secret").await.unwrap();
    app.migrate(&migrations(&[TABLE])).await.unwrap();
    assert_eq!(app.secret().await.unwrap(), None);
    owner.migrate(&migrations(&[TABLE])).await.unwrap();
    server.psql("postgres", "grant select on _tropos_secret to app").await.unwrap();
    assert_eq!(app.secret().await.unwrap(), owner.secret().await.unwrap());
}

#[tokio::test]
async fn sqlite_has_no_replicas_and_no_secret() {
    let db = open(&config("sqlite::memory:")).await;
    db.migrate(&migrations(&[TABLE])).await.unwrap();
    assert_eq!(db.secret().await.unwrap(), None);
}
