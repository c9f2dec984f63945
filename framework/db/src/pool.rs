//! The pools.

use crate::{Config, Error};
use sqlx::{
    Sqlite, SqlitePool, Transaction,
    migrate::Migrator,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{path::Path, str::FromStr, sync::atomic::AtomicU64, sync::atomic::Ordering};

/// A database: connections that read, and one that writes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Db {
    readers: SqlitePool,
    writer: SqlitePool,
}

impl Db {
    /// Opens the database, making its file and folder where they are missing.
    ///
    /// SQLite runs with a write-ahead log, so that readers never wait for the writer, and with one writing connection,
    /// so that writers queue in the pool, in order, instead of failing with "database is locked".
    ///
    /// # Errors
    /// [`Error::Url`], [`Error::Folder`], [`Error::Open`].
    pub async fn connect(config: &Config) -> Result<Self, Error> {
        let url = config.url.as_str();
        if !url.starts_with("sqlite:") {
            return Err(Error::Url { url: without_password(url) });
        }
        let failed = |source| Error::Open { url: url.to_owned(), source };
        let options = match url {
            "sqlite::memory:" => {
                // A plain in-memory database is private to its connection; a named one is shared by both pools.
                static DATABASES: AtomicU64 = AtomicU64::new(0);
                let name = DATABASES.fetch_add(1, Ordering::Relaxed);
                let name = format!("file:tropos-{}-{name}?mode=memory&cache=shared", std::process::id());
                SqliteConnectOptions::new().filename(name).shared_cache(true)
            }
            url => {
                let options = SqliteConnectOptions::from_str(url).map_err(failed)?;
                make_folder(options.get_filename())?;
                options.journal_mode(SqliteJournalMode::Wal)
            }
        };
        let options = options
            .create_if_missing(true)
            .foreign_keys(true)
            .busy_timeout(config.busy_timeout)
            // With a write-ahead log this loses at most the last transactions at a power cut, never the database.
            .synchronous(SqliteSynchronous::Normal);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .min_connections(1)
            .acquire_timeout(config.acquire_timeout)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options.clone())
            .await
            .map_err(failed)?;
        let readers = SqlitePoolOptions::new()
            .max_connections(config.readers)
            .acquire_timeout(config.acquire_timeout)
            .connect_with(options.create_if_missing(false).pragma("query_only", "on"))
            .await
            .map_err(failed)?;
        Ok(Self { readers, writer })
    }

    /// Where to read. A write through it fails in the database, with "attempt to write a readonly database": use
    /// [`Db::write`].
    pub fn read(&self) -> &SqlitePool {
        &self.readers
    }

    /// Where to write, or to read what has just been written.
    pub fn write(&self) -> &SqlitePool {
        &self.writer
    }

    /// Begins a transaction that may write. Rolled back when dropped before `commit`.
    ///
    /// # Errors
    /// As sqlx; `PoolTimedOut` when other writers held the connection for too long.
    pub async fn tx(&self) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        self.writer.begin_with("BEGIN IMMEDIATE").await
    }

    /// Applies the migrations that are missing.
    ///
    /// # Errors
    /// [`Error::Migrate`].
    pub async fn migrate(&self, migrations: &Migrator) -> Result<(), Error> {
        Ok(migrations.run(&self.writer).await?)
    }

    /// Closes all connections, waiting for running queries.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Through which database a cached function reads is no part of its key: an application has one.
impl tropos_core::CacheArg for Db {
    fn add_to_key(&self, _: &mut tropos_core::KeyArgs) {}
}

fn make_folder(file: &Path) -> Result<(), Error> {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => std::fs::create_dir_all(folder)
            .map_err(|source| Error::Folder { path: file.display().to_string(), source }),
        _ => Ok(()),
    }
}

/// An address that may be shown in a message.
fn without_password(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
        _ => url.to_owned(),
    }
}
