//! The application's database: opened, brought up to date or only checked, and filled.

mod task;

pub(crate) use task::Task;

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

/// Takes what other writers have changed, where the application wants that.
///
/// # Errors
/// Where an address cannot be read, or leads through a pooler.
pub(crate) fn bridge(app: &App, engine: &Engine, config: &Config) -> Result<Option<Bridge>, Error> {
    let first = config.database.shards.first().filter(|shard| shard.url.starts_with("postgres"));
    let Some(shard) = first.filter(|_| app.other_writers && app.migrations.is_some()) else {
        return Ok(None);
    };
    let urls: Vec<&String> = match config.database_direct.as_slice() {
        [] if config.database.pooler != Pooler::None => {
            return Err(tropos_db::Error::Config(
                "`App::other_writers` needs a way around the pooler, since notifications do not pass it: set \
                 DATABASE_DIRECT_URLS to the servers' own addresses"
                    .to_owned(),
            )
            .into());
        }
        [] => std::iter::once(&shard.url).chain(&shard.replicas).collect(),
        direct => direct.iter().collect(),
    };
    let mut servers = urls.into_iter().map(|url| bridge::address(url));
    let Some(first) = servers.next() else { return Ok(None) };
    let mut options = BridgeOptions::new(first?);
    for server in servers {
        options = options.or(server?);
    }
    Ok(Some(Bridge::start(options, engine.clone())))
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
    use tropos_db::sqlx::{
        self, SqlSafeStr as _,
        migrate::{Migration, MigrationType, Migrator},
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
}
