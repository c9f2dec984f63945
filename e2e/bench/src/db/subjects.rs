//! The databases, and for each of them the ways that are compared.

use super::readers::{Way, table, way, way_within};
use sqlx::{
    Any, AnyPool, Database, Executor, PgPool, Postgres, Sqlite, SqlitePool,
    pool::PoolOptions,
    postgres::PgConnectOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use std::{fmt, str::FromStr, sync::Arc, time::Duration};
use tropos_cache::{Engine, Purpose, Scope};
use tropos_cases::check::{Problem, fail};
use tropos_core::SystemClock;
use tropos_db::{Config, Db};
use tropos_parts::PostgresCluster;

const PLAIN: &str = "plain sqlx";
const READ: &str = "db.read()";
const WITHIN: &str = "in a scope";

/// What is compared on one database; the first way is the measure of the others.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    pub(crate) ways: Vec<Named>,
}

/// A way with its name.
pub(crate) struct Named {
    pub(crate) name: &'static str,
    pub(crate) way: Way,
}

/// A primary with one replica, and a SQLite file. They end when this is dropped.
#[derive(Debug)]
pub(crate) struct Databases {
    cluster: PostgresCluster,
    folder: tempfile::TempDir,
    connections: u32,
    /// How many files of SQLite there were: each opening of the pools has its own.
    files: std::cell::Cell<u32>,
}

impl Databases {
    /// Starts and fills them.
    ///
    /// # Errors
    /// Where PostgreSQL does not start, or a statement fails.
    pub(crate) async fn start(connections: u32) -> Result<Self, Problem> {
        sqlx::any::install_default_drivers();
        let cluster = PostgresCluster::start(1).await.map_err(failed)?;
        for sql in table() {
            cluster.primary().psql("postgres", &sql).await.map_err(failed)?;
        }
        // What autovacuum would do in the middle of some turn.
        cluster.primary().psql("postgres", "vacuum analyze item").await.map_err(failed)?;
        cluster.wait_until_caught_up(0).await.map_err(failed)?;
        Ok(Self { cluster, folder: tempfile::tempdir()?, connections, files: std::cell::Cell::new(0) })
    }

    /// All comparisons, with their pools.
    ///
    /// # Errors
    /// Where a database is out of reach.
    pub(crate) async fn subjects(&self) -> Result<Vec<Subject>, Problem> {
        let (primary, replica) =
            (self.cluster.primary().url("postgres"), self.cluster.replica(0).url("postgres"));
        let position = self.cluster.current_lsn().await.map_err(failed)?;
        self.cluster.wait_until_caught_up(0).await.map_err(failed)?;
        let engine = Engine::in_memory(Arc::new(SystemClock::new()));
        let scope = Scope::new(&engine, Purpose::Once);
        scope.has_seen(&[(0, position)].into_iter().collect());

        let one = self.connect(Config::new(&primary)).await?;
        let typed = one.typed::<Postgres>().map_err(failed)?;
        let many = self.connect(Config::new(&primary).replicas([&replica])).await?;
        until_replica_is_used(&many).await?;
        let replicated = many.typed::<Postgres>().map_err(failed)?;
        let (lite, lite_file) = self.sqlite().await?;
        let plain_lite: SqlitePool = self.pool(sqlite(&lite_file)?).await?;
        let any_lite = self.any(&format!("{lite_file}?mode=ro")).await?;
        let subject = |name, plain, read, within: Option<Way>| Subject {
            name,
            ways: [(PLAIN, Some(plain)), (READ, Some(read)), (WITHIN, within)]
                .into_iter()
                .filter_map(|(name, way)| way.map(|way| Named { name, way }))
                .collect(),
        };
        Ok(vec![
            subject(
                "postgres",
                way(self.postgres(&primary).await?),
                way(typed.clone()),
                Some(way_within(typed, &scope)),
            ),
            subject(
                "postgres any",
                way(self.any(&any_url(&primary)).await?),
                way(one.clone()),
                Some(way_within(one, &scope)),
            ),
            subject(
                "replica",
                way(self.postgres(&replica).await?),
                way(replicated.clone()),
                Some(way_within(replicated, &scope)),
            ),
            // SQLite has no replicas: no scope is asked.
            subject("sqlite", way(plain_lite), way(lite.typed::<Sqlite>().map_err(failed)?), None),
            subject("sqlite any", way(any_lite), way(lite), None),
        ])
    }

    async fn connect(&self, mut config: Config) -> Result<Db, Problem> {
        config.pool.connections = self.connections;
        Db::connect(&config).await.map_err(failed)
    }

    /// The file with its table, and its address.
    async fn sqlite(&self) -> Result<(Db, String), Problem> {
        self.files.set(self.files.get() + 1);
        let file = format!("bench-{}.db", self.files.get());
        let url = format!("sqlite://{}", self.folder.path().join(file).display());
        let db = self.connect(Config::new(&url)).await?;
        for sql in table() {
            db.write().execute(sqlx::AssertSqlSafe(sql)).await.map_err(failed)?;
        }
        Ok((db, url))
    }

    /// A pool as `tropos-db` opens it: of that size, and without a question before each use.
    async fn pool<D: Database>(
        &self,
        options: <D::Connection as sqlx::Connection>::Options,
    ) -> Result<sqlx::Pool<D>, Problem> {
        self.options().connect_with(options).await.map_err(failed)
    }

    fn options<D: Database>(&self) -> PoolOptions<D> {
        PoolOptions::new()
            .max_connections(self.connections)
            .acquire_timeout(Duration::from_secs(5))
            .test_before_acquire(false)
    }

    async fn postgres(&self, url: &str) -> Result<PgPool, Problem> {
        let options = PgConnectOptions::from_str(url).map_err(failed)?;
        self.pool(options.options(SESSION)).await
    }

    async fn any(&self, url: &str) -> Result<AnyPool, Problem> {
        self.options::<Any>().connect(url).await.map_err(failed)
    }
}

/// What `tropos-db` sets for sessions that read.
const SESSION: [(&str, &str); 2] = [("statement_timeout", "10000"), ("default_transaction_read_only", "on")];

fn any_url(url: &str) -> String {
    let options: Vec<_> = SESSION.iter().map(|(name, value)| format!("options[{name}]={value}")).collect();
    format!("{url}?{}", options.join("&"))
}

fn sqlite(url: &str) -> Result<SqliteConnectOptions, Problem> {
    let options = SqliteConnectOptions::from_str(url).map_err(failed)?;
    Ok(options
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .foreign_keys(true)
        .pragma("query_only", "on"))
}

/// A replica is read from once it was found well.
async fn until_replica_is_used(db: &Db) -> Result<(), Problem> {
    for _ in 0..200 {
        if db.stats().servers.iter().any(|server| server.usable) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    fail("the replica was not found well within ten seconds")
}

fn failed(error: impl fmt::Display) -> Problem {
    Problem::Failed(error.to_string())
}

impl fmt::Debug for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
