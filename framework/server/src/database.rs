//! The application's database: opened, brought up to date or only checked, and filled.

use crate::{
    App,
    config::{Config, Migrate},
    error::Error,
};
use tropos_db::{Db, Migrated};

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
    fill(app, &db).await?;
    Ok(Some(db))
}

/// Runs the application's seeding, in one instance at a time: each must find what the one before it has filled.
pub(crate) async fn fill(app: &App, db: &Db) -> Result<bool, Error> {
    let Some(seed) = &app.seed else { return Ok(false) };
    db.alone(seed(db.clone())).await?.map_err(Error::Seed)?;
    Ok(true)
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

    fn app() -> App {
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
}
