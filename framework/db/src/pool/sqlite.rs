//! Pools of connections to SQLite: many that read, one that writes.

use crate::{
    Error,
    backend::Conn,
    config::{Config, PoolConfig},
    error::without_password,
};
use sqlx::{
    ConnectOptions, Connection, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{
    path::Path,
    str::FromStr,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use tokio::time::{Instant, sleep};

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
        // It lasts until the pools stand: the last connection to go would take the log away with it.
        let first = match in_memory {
            true => None,
            false => Some(first(&options, config.pool.busy).await.map_err(failed)?),
        };
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
        if let Some(first) = first {
            // Whether or not it says goodbye, the pools stand.
            drop(first.close().await);
        }
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

/// Between two tries to open: the one that holds the others up needs a few milliseconds for a new file.
const POLL: Duration = Duration::from_millis(10);

/// The first connection, which makes the file and has it write its log ahead, for which it waits for others as long as a
/// statement would.
///
/// Of two that switch to the log at once, both of which have read the file's header, SQLite lets one go on and fails the
/// other without asking its busy handler, since waiting would be a deadlock (<https://sqlite.org/c3ref/busy_handler.html>).
/// So this starts over. Once a file has been switched it stays so, and later connections have nothing to switch.
async fn first(options: &SqliteConnectOptions, patience: Duration) -> Result<SqliteConnection, sqlx::Error> {
    let began = Instant::now();
    loop {
        match options.connect().await {
            Err(error) if is_busy(&error) && began.elapsed() < patience => sleep(POLL).await,
            opened => return opened,
        }
    }
}

/// Whether another connection is in the way: `SQLITE_BUSY`, of which the extended codes say more in the upper bytes.
fn is_busy(error: &sqlx::Error) -> bool {
    const SQLITE_BUSY: u32 = 5;
    let code = error.as_database_error().and_then(|error| error.code());
    code.and_then(|code| code.parse::<u32>().ok()).is_some_and(|code| code & 0xff == SQLITE_BUSY)
}

fn make_folder(file: &Path) -> Result<(), Error> {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => std::fs::create_dir_all(folder)
            .map_err(|error| Error::Folder { path: file.display().to_string(), reason: error.to_string() }),
        _ => Ok(()),
    }
}
