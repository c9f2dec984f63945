//! The application's secret: random, made by whoever migrates first, and kept in the database, where all instances find the
//! same. It is on every copy of the database, and nowhere else.

use super::{failed, lock::Lock, postgres};
use crate::{
    Db, Error,
    config::Config,
    db::{Shard, Store},
};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, raw_sql};
use tokio::time::timeout;

const TABLE: &str = "create table if not exists _tropos_secret \
    (id int primary key check (id = 1), secret text not null)";

const IS_THERE: &str = "select to_regclass('_tropos_secret') is not null";

const READ: &str = "select secret from _tropos_secret where id = 1";

impl<B> Db<B> {
    /// What only the instances of this application know: 32 random bytes as hexadecimal digits, which the first shard keeps
    /// in the table `_tropos_secret` since it was [migrated](Db::migrate). `None` where it has no such table, where this user
    /// may not read it, and on SQLite.
    ///
    /// # Errors
    /// [`Error::Migrate`] where the database does not answer within [`PoolConfig::wait`](crate::PoolConfig::wait).
    pub async fn secret(&self) -> Result<Option<String>, Error> {
        let cluster = self.cluster();
        match cluster.shards().first() {
            Some(first) => kept(first, &cluster.config).await,
            None => Ok(None),
        }
    }
}

/// Makes it where it is missing. A user who may not is no reason to stop: [`Db::secret`] says that there is none.
pub(super) async fn make(shard: &Shard, config: &Config) -> Result<(), Error> {
    let Store::Postgres(group) = &shard.store else { return Ok(()) };
    if kept(shard, config).await?.is_some() {
        return Ok(());
    }
    // Of two who make the same table at once, one fails even where it says `if not exists`.
    let lock = Lock::take(shard, config).await?;
    let mut conn = postgres::connect(group, &shard.name, config).await?;
    let made = fill(&mut conn).await;
    drop(conn.close().await);
    lock.release().await;
    match made {
        Err(error) if is_denied(&error) => {
            tracing::debug!(shard = shard.name, %error, "the table `_tropos_secret` cannot be made");
            Ok(())
        }
        made => made.map_err(|error| failed(&shard.name, &error)),
    }
}

/// In the simple protocol, as all of a migration, so that it passes a pooler in transaction mode.
async fn fill(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    raw_sql(TABLE).execute(&mut *conn).await?;
    let secret: String = rand::random::<[u8; 32]>().iter().map(|byte| format!("{byte:02x}")).collect();
    // Digits alone: there is nothing to quote.
    let sql = format!("insert into _tropos_secret values (1, '{secret}') on conflict do nothing");
    raw_sql(AssertSqlSafe(sql)).execute(conn).await.map(drop)
}

/// What the shard keeps.
async fn kept(shard: &Shard, config: &Config) -> Result<Option<String>, Error> {
    let Store::Postgres(group) = &shard.store else { return Ok(None) };
    let mut conn = postgres::connect(group, &shard.name, config).await?;
    let Ok(read) = timeout(config.pool.wait, read(&mut conn)).await else {
        let ms = config.pool.wait.as_millis();
        let reason = format!("the table `_tropos_secret` cannot be read within {ms} ms");
        return Err(Error::Migrate { shard: shard.name.clone(), reason });
    };
    drop(conn.close().await);
    match read {
        Err(error) if is_denied(&error) => Ok(None),
        read => read.map_err(|error| failed(&shard.name, &error)),
    }
}

async fn read(conn: &mut PgConnection) -> Result<Option<String>, sqlx::Error> {
    if !raw_sql(IS_THERE).fetch_one(&mut *conn).await?.try_get::<bool, _>(0)? {
        return Ok(None);
    }
    raw_sql(READ).fetch_optional(conn).await?.map(|row| row.try_get(0)).transpose()
}

fn is_denied(error: &sqlx::Error) -> bool {
    // 42501, insufficient_privilege: <https://www.postgresql.org/docs/current/errcodes-appendix.html>
    error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("42501"))
}
