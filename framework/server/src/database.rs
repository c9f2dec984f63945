//! The application's database: opened, brought up to date or only checked, and filled.

mod task;

pub(crate) use task::{LOG, Task};

use crate::{
    App,
    config::{Config, Migrate},
    error::Error,
    seen::Seen,
};
use std::sync::Arc;
use tropos_cache::Engine;
use tropos_db::{
    Db, Migrated, Pooler,
    bridge::{self, Bridge, BridgeOptions},
};

/// Opens the database, if the application has one, as configuration says.
///
/// # Errors
/// Where it cannot be reached or migrated, lacks migrations that may not be applied now, or its seeding fails.
pub(crate) async fn open(app: &App, config: &Config) -> Result<Option<Db>, Error> {
    let Some(migrations) = &app.migrations else { return Ok(None) };
    let db = Db::connect(&config.database).await?;
    match config.database_migrate {
        Migrate::Start => tell(&db.migrate(migrations).await?),
        Migrate::Check => db.check(migrations).await?,
    }
    // What seeding reads must be there, and what it wrote must be there for the first visitors.
    db.settle().await?;
    if fill(app, &db).await? {
        db.settle().await?;
    }
    Ok(Some(db))
}

/// Runs the application's seeding, in one instance at a time: each must find what the one before it has filled.
pub(crate) async fn fill(app: &App, db: &Db) -> Result<bool, Error> {
    let Some(seed) = &app.seed else { return Ok(false) };
    db.alone(seed(db.clone())).await?.map_err(Error::Seed)?;
    Ok(true)
}

/// Where the database has replicas: has invalidations carry its positions, and gives what visitors read their own writes
/// by.
///
/// # Errors
/// Where the database does not say its secret.
pub(crate) async fn follow(db: Option<&Db>, engine: &Engine, config: &Config) -> Result<Option<Seen>, Error> {
    let Some(db) = db.filter(|db| db.has_replicas()) else { return Ok(None) };
    engine.follow_log(Arc::new(db.clone())).await;
    // What is configured goes first, so that the database need not be asked.
    let kept = match config.secret {
        Some(_) => None,
        None => db.secret().await?,
    };
    Ok(Some(Seen::new(&secret(config, kept), engine.clock().clone())))
}

/// What the cookies of visitors are signed with: what is configured, else what the database has kept, else what all
/// instances know of its address.
fn secret(config: &Config, kept: Option<String>) -> String {
    config.secret.clone().or(kept).unwrap_or_else(|| {
        tracing::warn!(
            "visitors' cookies are signed with the database's user, password and name, since the table `_tropos_secret` \
             is missing or may not be read: whoever has such a cookie can try out passwords. Run `cargo tropos db migrate`, \
             or set TROPOS_SECRET on all instances to a long random text"
        );
        of_address(first_url(config))
    })
}

/// User, password and database of an address, not its host, which instances may spell differently.
fn of_address(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (user, place) = rest.rsplit_once('@').unwrap_or(("", rest));
    let name = place.split_once('/').map_or("", |(_, name)| name.split('?').next().unwrap_or_default());
    format!("{user}/{name}")
}

/// Takes what other writers have changed on each shard, where the application wants that: a shard has changes of its own.
///
/// # Errors
/// Where an address cannot be read, or leads through a pooler.
pub(crate) fn bridges(app: &App, engine: &Engine, config: &Config) -> Result<Vec<Bridge>, Error> {
    if !app.other_writers || app.migrations.is_none() {
        return Ok(Vec::new());
    }
    // All addresses are read before the first bridge starts.
    let options: Result<Vec<_>, Error> = changed_at(config)?.into_iter().map(options).collect();
    Ok(options?.into_iter().map(|options| Bridge::start(options, engine.clone())).collect())
}

/// The servers of each shard of PostgreSQL, by addresses that lead around a pooler.
fn changed_at(config: &Config) -> Result<Vec<Vec<&str>>, tropos_db::Error> {
    let shards: Vec<_> =
        config.database.shards.iter().filter(|shard| shard.url.starts_with("postgres")).collect();
    let pooled = config.database.pooler != Pooler::None;
    let direct: Vec<&str> = config.database_direct.iter().map(String::as_str).collect();
    let refused = match shards.len() {
        2.. if pooled => {
            "`App::other_writers` needs a way around the pooler to every shard, since notifications do not pass it, and \
             DATABASE_DIRECT_URLS names the servers of one database alone: give [database.shards] the servers' own \
             addresses and leave DATABASE_POOLER out, or build without `other_writers` and start a \
             `tropos::db::bridge::Bridge` for each shard"
        }
        1 if pooled && direct.is_empty() => {
            "`App::other_writers` needs a way around the pooler, since notifications do not pass it: set \
             DATABASE_DIRECT_URLS to the servers' own addresses"
        }
        _ => {
            let mut servers: Vec<Vec<&str>> = shards
                .iter()
                .map(|shard| std::iter::once(&shard.url).chain(&shard.replicas).map(String::as_str).collect())
                .collect();
            if let Some(first) = servers.first_mut().filter(|_| !direct.is_empty()) {
                *first = direct;
            }
            return Ok(servers);
        }
    };
    Err(tropos_db::Error::Config(refused.to_owned()))
}

/// A bridge from whichever of these servers is the primary.
fn options(servers: Vec<&str>) -> Result<BridgeOptions, Error> {
    let mut servers = servers.into_iter().map(bridge::address);
    // A shard has an address, by its type.
    let first = servers.next().unwrap_or_else(|| bridge::address(""))?;
    Ok(servers.try_fold(BridgeOptions::new(first), |options, server| {
        Ok::<_, tropos_db::Error>(options.or(server?))
    })?)
}

fn tell(done: &[Migrated]) {
    for shard in done {
        for step in &shard.applied {
            tracing::info!(shard = shard.shard, migration = %step, "applied a migration");
        }
    }
}

/// The address of what is not sharded.
pub(crate) fn first_url(config: &Config) -> &str {
    config.database.shards.first().map_or("", |shard| shard.url.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tropos_db::{
        ShardConfig,
        sqlx::{
            self, SqlSafeStr as _,
            migrate::{Migration, MigrationType, Migrator},
        },
    };

    pub(super) fn app() -> App {
        let sql = "create table entry (id bigint primary key)".into_sql_str();
        let step = Migration::new(1, "entry".into(), MigrationType::Simple, sql, false);
        App::new().migrations(Migrator::with_migrations(vec![step])).seed(async |db: Db| {
            sqlx::query("insert into entry values (1) on conflict do nothing").execute(db.write()).await?;
            Ok(())
        })
    }

    #[tokio::test]
    async fn a_start_brings_the_database_up_to_date_and_fills_it_unless_it_may_only_check() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("app.db").display());
        let mut config = Config { database: tropos_db::Config::new(url), ..Config::default() };
        config.database_migrate = Migrate::Check;
        let error = open(&app(), &config).await.unwrap_err().to_string();
        assert!(error.contains("`main` lacks 1 (entry); run `cargo tropos db migrate`"), "{error}");
        config.database_migrate = Migrate::Start;
        for _ in 0..2 {
            let db = open(&app(), &config).await.unwrap().unwrap();
            let rows: i64 =
                sqlx::query_scalar("select count(*) from entry").fetch_one(db.read()).await.unwrap();
            assert_eq!(rows, 1);
            db.close().await;
        }
        config.database_migrate = Migrate::Check;
        assert!(open(&app(), &config).await.unwrap().is_some(), "up to date");
        assert!(open(&App::new(), &config).await.unwrap().is_none(), "no migrations, no database");
    }

    #[test]
    fn cookies_are_signed_with_what_is_configured_else_kept_else_known_to_all_instances() {
        let url = "postgres://app:word@10.0.0.1:5432/shop";
        let mut config = Config { database: tropos_db::Config::new(url), ..Config::default() };
        assert_eq!(secret(&config, None), "app:word/shop");
        assert_eq!(secret(&config, Some("kept".to_owned())), "kept");
        config.secret = Some("configured".to_owned());
        assert_eq!(secret(&config, Some("kept".to_owned())), "configured");
        let elsewhere = "postgres://app:word@db.internal/shop?sslmode=require";
        assert_eq!(of_address(elsewhere), of_address(url));
    }

    #[test]
    fn changes_are_taken_from_each_shard_around_the_pooler() {
        let one = || vec![ShardConfig::new("main", "postgres://a/x").replicas(["postgres://a2/x"])];
        let two = || {
            let second = ShardConfig::new("b", "postgresql://b/x").replicas(["postgres://b2/x"]);
            one().into_iter().chain([second]).collect::<Vec<_>>()
        };
        let files = || vec![ShardConfig::new("a", "sqlite://a.db"), ShardConfig::new("b", "sqlite://b.db")];
        let (a, b) =
            (&["postgres://a/x", "postgres://a2/x"][..], &["postgresql://b/x", "postgres://b2/x"][..]);
        let direct = &["postgres://d/x", "postgres://d2/x"][..];
        // Shards, pooler, direct addresses; what is taken from, or what is said.
        type Case<'a> =
            (&'a str, Vec<ShardConfig>, Pooler, &'a [&'a str], Result<Vec<&'a [&'a str]>, &'a str>);
        let cases: [Case<'_>; 9] = [
            ("one database", one(), Pooler::None, &[], Ok(vec![a])),
            ("around what keeps no notifications", one(), Pooler::None, direct, Ok(vec![direct])),
            ("a pooler", one(), Pooler::Transaction, &[], Err("set DATABASE_DIRECT_URLS")),
            ("around a pooler", one(), Pooler::Transaction, direct, Ok(vec![direct])),
            ("two shards", two(), Pooler::None, &[], Ok(vec![a, b])),
            ("direct addresses are the first's", two(), Pooler::None, direct, Ok(vec![direct, b])),
            ("two behind a pooler", two(), Pooler::Transaction, &[], Err("to every shard")),
            ("two, and one way around", two(), Pooler::Transaction, direct, Err("of one database alone")),
            ("files have no other writers", files(), Pooler::Transaction, &[], Ok(vec![])),
        ];
        for (name, shards, pooler, direct, expected) in cases {
            let mut config =
                Config { database: tropos_db::Config::new("").shards(shards), ..Config::default() };
            config.database.pooler = pooler;
            config.database_direct = direct.iter().map(|url| (*url).to_owned()).collect();
            match (changed_at(&config), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{name}"),
                (Err(error), Err(text)) => assert!(error.to_string().contains(text), "{name}: {error}"),
                (found, _) => panic!("{name}: {found:?}"),
            }
        }
    }
}
