//! Pools of connections to SQLite: many that read, one that writes.

use crate::{
    Error,
    backend::Conn,
    config::{Config, PoolConfig},
    error::without_password,
};
use sqlx::{
    ConnectOptions, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{
    path::Path,
    str::FromStr,
    sync::atomic::{AtomicU64, Ordering},
};

/// A SQLite database.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) readers: SqlitePool,
    pub(crate) writer: SqlitePool,
    config: PoolConfig,
    /// The file; `None` for a database in memory.
    pub(crate) file: Option<std::path::PathBuf>,
}

impl Store {
    /// Opens the database, making its file and folder where they are missing.
    ///
    /// SQLite runs with a write-ahead log, so that readers never wait for the writer, and with one writing connection,
    /// so that writers queue in the pool, in order, instead of failing with "database is locked".
    pub(crate) async fn open(url: &str, config: &Config) -> Result<Self, Error> {
        let failed =
            |error: sqlx::Error| Error::Open { url: without_password(url), reason: error.to_string() };
        let in_memory = url == "sqlite::memory:";
        let options = if in_memory {
            // A plain in-memory database is private to its connection; a named one is shared by both pools.
            static DATABASES: AtomicU64 = AtomicU64::new(0);
            let name = DATABASES.fetch_add(1, Ordering::Relaxed);
            let name = format!("file:tropos-{}-{name}?mode=memory&cache=shared", std::process::id());
            SqliteConnectOptions::new().filename(name).shared_cache(true)
        } else {
            let options = SqliteConnectOptions::from_str(url).map_err(failed)?;
            make_folder(options.get_filename())?;
            options.journal_mode(SqliteJournalMode::Wal)
        };
        let file = (!in_memory).then(|| options.get_filename().to_owned());
        let options = options
            // Its own lines would show what is written into a statement; ours do not.
            .disable_statement_logging()
            .create_if_missing(true)
            .foreign_keys(true)
            .busy_timeout(config.pool.busy)
            // With a write-ahead log this loses at most the last transactions at a power cut, never the database.
            .synchronous(SqliteSynchronous::Normal);
        let pools = SqlitePoolOptions::new().acquire_timeout(config.pool.wait).test_before_acquire(false);
        let writer = pools
            .clone()
            .max_connections(1)
            .min_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options.clone())
            .await
            .map_err(failed)?;
        let readers = pools
            .max_connections(config.pool.connections)
            .connect_with(options.create_if_missing(false).pragma("query_only", "on"))
            .await
            .map_err(failed)?;
        Ok(Self { readers, writer, config: config.pool, file })
    }

    pub(crate) async fn acquire(&self, writes: bool) -> Result<Conn, Error> {
        let pool = if writes { &self.writer } else { &self.readers };
        pool.acquire().await.map(Conn::Sqlite).map_err(|error| match error {
            sqlx::Error::PoolTimedOut => Error::Exhausted {
                pool: format!("SQLite ({})", if writes { "writes" } else { "reads" }),
                connections: pool.options().get_max_connections(),
                waited: self.config.wait,
            },
            error => Error::Unavailable { what: "the SQLite database".to_owned(), reason: error.to_string() },
        })
    }

    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

fn make_folder(file: &Path) -> Result<(), Error> {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => std::fs::create_dir_all(folder)
            .map_err(|error| Error::Folder { path: file.display().to_string(), reason: error.to_string() }),
        _ => Ok(()),
    }
}
