//! One instance at a time: however many start at once, one migrates, and the others wait for it.

use super::postgres;
use crate::{
    Error,
    config::Config,
    db::{Shard, Store},
};
use sqlx::{Connection, PgConnection, Row, raw_sql};
use std::{
    fs::{File, TryLockError},
    path::Path,
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// How long is waited for another instance. Ten minutes: migrations that rewrite large tables take minutes, and a start
/// that waits for longer has been given up by whatever watches it.
const PATIENCE: Duration = Duration::from_secs(600);

/// Between two tries. Each is one statement, and nobody notices a tenth of a second at a start.
const POLL: Duration = Duration::from_millis(100);

/// The lock of a shard. Held until it is released or dropped, and by nobody whose process has ended.
#[derive(Debug)]
pub(super) enum Lock {
    /// An open transaction that holds an advisory lock. It has taken no snapshot, so not even `create index concurrently`
    /// waits for it. A lock of a session would be lost behind a pooler in transaction mode.
    Postgres { conn: PgConnection, shard: String },
    /// A lock of the system on a file beside the database.
    File(#[expect(dead_code, reason = "the lock ends with the file")] File),
    /// In memory, nobody else is there.
    None,
}

impl Lock {
    /// Waits for it.
    pub(super) async fn take(shard: &Shard, config: &Config) -> Result<Self, Error> {
        let mut wait = Wait::new(&shard.name);
        match &shard.store {
            Store::Postgres(group) => {
                let mut conn = postgres::connect(group, &shard.name, config).await?;
                let failed = |error| super::failed(&shard.name, &error);
                // Each try is a transaction of its own: many that wait must not use up the connections of a pooler.
                while !try_postgres(&mut conn).await.map_err(failed)? {
                    wait.once_more().await?;
                }
                Ok(Self::Postgres { conn, shard: shard.name.clone() })
            }
            Store::Sqlite(store) => {
                let Some(database) = &store.file else { return Ok(Self::None) };
                let file = open(database)?;
                loop {
                    match file.try_lock() {
                        Ok(()) => return Ok(Self::File(file)),
                        Err(TryLockError::WouldBlock) => wait.once_more().await?,
                        Err(TryLockError::Error(error)) => {
                            return Err(Error::Migrate {
                                shard: shard.name.clone(),
                                reason: format!("its folder takes no locks: {error}"),
                            });
                        }
                    }
                }
            }
        }
    }

    /// Makes sure that it is still held: whoever lost the connection lost the lock.
    pub(super) async fn holds(&mut self) -> Result<(), Error> {
        match self {
            Self::Postgres { conn, shard } => {
                let alive = raw_sql("select 1").execute(&mut *conn).await;
                alive.map(drop).map_err(|error| super::failed(shard, &error))
            }
            Self::File(_) | Self::None => Ok(()),
        }
    }

    /// Lets the next one in.
    pub(super) async fn release(self) {
        if let Self::Postgres { mut conn, .. } = self {
            // Where this fails, the end of the connection ends the transaction, and with it the lock.
            drop(raw_sql("commit").execute(&mut conn).await);
            drop(conn.close().await);
        }
    }
}

/// The key is of the schema too, so that shards may be schemas of one database.
const TRY: &str =
    "select pg_try_advisory_xact_lock(x'54726f70'::int, hashtext(coalesce(current_schema(), '')))";

async fn try_postgres(conn: &mut PgConnection) -> Result<bool, sqlx::Error> {
    raw_sql("begin").execute(&mut *conn).await?;
    raw_sql(postgres::UNLIMITED_HERE).execute(&mut *conn).await?;
    let taken: bool = raw_sql(TRY).fetch_one(&mut *conn).await?.try_get(0)?;
    if !taken {
        raw_sql("rollback").execute(&mut *conn).await?;
    }
    Ok(taken)
}

/// The file is left where it is: somebody who opened it before it is removed would lock another one than somebody after.
fn open(database: &Path) -> Result<File, Error> {
    let mut path = database.as_os_str().to_owned();
    path.push("-migrate-lock");
    let opened = File::options().create(true).truncate(false).write(true).open(&path);
    opened.map_err(|error| Error::Folder {
        path: Path::new(&path).display().to_string(),
        reason: error.to_string(),
    })
}

/// Waiting for another instance, in bounds.
struct Wait<'a> {
    shard: &'a str,
    began: Instant,
    said: bool,
}

impl<'a> Wait<'a> {
    fn new(shard: &'a str) -> Self {
        Self { shard, began: Instant::now(), said: false }
    }

    async fn once_more(&mut self) -> Result<(), Error> {
        if !std::mem::replace(&mut self.said, true) {
            tracing::info!(
                shard = self.shard,
                "another instance migrates or fills the database; waiting for it"
            );
        }
        if self.began.elapsed() >= PATIENCE {
            return Err(Error::MigrationLock { shard: self.shard.to_owned(), waited: PATIENCE });
        }
        sleep(POLL).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever() {
        let mut wait = Wait::new("main");
        let mut tries = 0;
        let error = loop {
            match wait.once_more().await {
                Ok(()) => tries += 1,
                Err(error) => break error,
            }
        };
        assert!((5_000..=6_000).contains(&tries), "{tries}");
        assert!(error.to_string().contains("`main`"), "{error}");
    }
}
