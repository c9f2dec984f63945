//! Bringing the database up to date.

use crate::{Db, Error, db::Store, pool::postgres::Use};
use sqlx::migrate::Migrator;

/// The steps by which a database comes to be, as `sqlx::migrate!` embeds them: the same for both databases, or some of their
/// own for PostgreSQL.
#[derive(Debug)]
pub struct Migrations {
    all: Migrator,
    postgres: Option<Migrator>,
}

impl From<Migrator> for Migrations {
    fn from(all: Migrator) -> Self {
        Self { all, postgres: None }
    }
}

impl Migrations {
    /// With other steps for PostgreSQL.
    #[must_use]
    pub fn postgres(self, steps: Migrator) -> Self {
        Self { postgres: Some(steps), ..self }
    }
}

impl<B> Db<B> {
    /// Applies the migrations that are missing, on every shard.
    ///
    /// # Errors
    /// [`Error::Migrate`].
    pub async fn migrate(&self, migrations: &Migrations) -> Result<(), Error> {
        let failed = |error: sqlx::migrate::MigrateError| Error::Migrate(error.to_string());
        for shard in self.cluster().shards() {
            match &shard.store {
                Store::Sqlite(store) => migrations.all.run(&store.writer).await.map_err(failed)?,
                Store::Postgres(group) => {
                    let steps = migrations.postgres.as_ref().unwrap_or(&migrations.all);
                    let (_, server) =
                        group.primary().ok_or_else(|| Error::Migrate("there is no primary".to_owned()))?;
                    steps.run(server.pool(Use::Write)).await.map_err(failed)?;
                }
            }
        }
        Ok(())
    }
}
