//! Asking the servers.

use crate::{Config, ShardConfig, error::without_password, pool::postgres};
use futures::future::join_all;
use sqlx::{
    ConnectOptions, Connection, Row, raw_sql,
    sqlite::{SqliteConnectOptions, SqliteConnection},
};
use std::{path::Path, str::FromStr, time::Duration};
use tokio::time::timeout;
use tropos_core::{Clock as _, SystemClock};

/// A server of the configuration, and what it said.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) shard: String,
    /// Host and port, or the file.
    pub(super) address: String,
    /// Why it did not answer is for people.
    pub(super) said: Result<Said, String>,
}

/// What a server said.
#[derive(Debug, Clone)]
pub(super) enum Said {
    Postgres(Postgres),
    /// The version of SQLite that has opened it; `None` where there is no file yet.
    Sqlite(Option<String>),
}

/// What a server of PostgreSQL says of itself.
#[derive(Debug, Clone)]
pub(super) struct Postgres {
    pub(super) is_replica: bool,
    pub(super) version: String,
    /// Which cluster of data it has: the same on a primary and its replicas.
    pub(super) system: String,
    pub(super) position: u64,
    /// How long ago what was replayed last was written, where more has come in since.
    pub(super) behind: Duration,
    /// Whether a replica receives the log.
    pub(super) streams: bool,
    /// Connections that it lets an ordinary user have.
    pub(super) allowed: u32,
    /// What sets that number.
    pub(super) allowed_by: String,
    /// By how many milliseconds its clock is ahead of this machine's; below zero where it is behind.
    pub(super) clock_ahead: i64,
}

/// One statement without values, so that it is asked through a pooler too.
const QUESTION: &str = "select pg_is_in_recovery(), current_setting('server_version'), \
    (select system_identifier::text from pg_control_system()), \
    (coalesce(case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_insert_lsn() end, \
        '0/0'::pg_lsn) - '0/0'::pg_lsn)::bigint, \
    case when pg_is_in_recovery() and pg_last_wal_receive_lsn() is distinct from pg_last_wal_replay_lsn() then \
        coalesce(extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp()) * 1000, 0) else 0 end::bigint, \
    exists (select from pg_stat_wal_receiver), \
    current_setting('max_connections')::bigint, \
    current_setting('superuser_reserved_connections')::bigint \
        + coalesce(current_setting('reserved_connections', true)::bigint, 0), \
    (select rolconnlimit::bigint from pg_roles where rolname = current_user), \
    (select datconnlimit::bigint from pg_database where datname = current_database()), \
    (extract(epoch from clock_timestamp()) * 1000)::bigint";

/// Asks all servers at the same time.
pub(super) async fn all(config: &Config) -> Vec<Server> {
    let servers = config.shards.iter().flat_map(|shard| {
        std::iter::once(&shard.url).chain(&shard.replicas).map(move |url| one(shard, url, config))
    });
    join_all(servers).await
}

async fn one(shard: &ShardConfig, url: &str, config: &Config) -> Server {
    let server = |address, said| Server { shard: shard.name.clone(), address, said };
    let within = config.pool.wait;
    match url.split_once(':').map(|(scheme, _)| scheme) {
        Some("sqlite") => {
            let said = timeout(within, sqlite(url)).await;
            server(url.to_owned(), said.unwrap_or_else(|_| Err(late(within))).map(Said::Sqlite))
        }
        Some("postgres" | "postgresql") => match postgres::options(url) {
            Ok(options) => {
                let address = format!("{}:{}", options.get_host(), options.get_port());
                let options = postgres::for_looks(&options, config.pooler);
                let said = timeout(within, postgres(options)).await;
                let said = said.unwrap_or_else(|_| Err(late(within)));
                server(address, said.map(Said::Postgres))
            }
            Err(error) => server(without_password(url), Err(error.to_string())),
        },
        _ => {
            let error = crate::Error::Url { url: without_password(url) };
            server(without_password(url), Err(error.to_string()))
        }
    }
}

fn late(after: Duration) -> String {
    format!("no answer within {} s", after.as_secs())
}

async fn postgres(options: sqlx::postgres::PgConnectOptions) -> Result<Postgres, String> {
    let asked = async {
        let mut conn = options.connect().await?;
        let clock = SystemClock::new();
        let asked_at = clock.wall();
        let row = raw_sql(QUESTION).fetch_one(&mut conn).await?;
        // It looked at its clock somewhere in between.
        let here = asked_at.midpoint(clock.wall());
        drop(conn.close().await);
        let number = |column: usize| row.try_get::<i64, _>(column);
        let limits = [
            ("max_connections", number(6)? - number(7)?),
            ("the connection limit of the user", number(8)?),
            ("the connection limit of the database", number(9)?),
        ];
        // -1 is no limit, but the first is always one.
        let set = limits.iter().enumerate().filter(|(at, (_, limit))| *at == 0 || *limit >= 0);
        let least = set.map(|(_, limit)| limit).min_by_key(|(_, limit)| *limit).unwrap_or(&limits[0]);
        Ok(Postgres {
            is_replica: row.try_get(0)?,
            version: row.try_get(1)?,
            system: row.try_get(2)?,
            position: u64::try_from(number(3)?).unwrap_or_default(),
            behind: Duration::from_millis(u64::try_from(number(4)?).unwrap_or_default()),
            streams: row.try_get(5)?,
            allowed: u32::try_from(least.1).unwrap_or_default(),
            allowed_by: least.0.to_owned(),
            clock_ahead: number(10)?.saturating_sub(i64::try_from(here).unwrap_or_default()),
        })
    };
    asked.await.map_err(|error: sqlx::Error| error.to_string())
}

async fn sqlite(url: &str) -> Result<Option<String>, String> {
    let asked = async {
        let options = SqliteConnectOptions::from_str(url)?.create_if_missing(false);
        if url != "sqlite::memory:" && !Path::new(options.get_filename()).exists() {
            return Ok(None);
        }
        let mut conn: SqliteConnection = options.connect().await?;
        let version = sqlx::query_scalar("select sqlite_version()").fetch_one(&mut conn).await?;
        conn.close().await?;
        Ok(Some(version))
    };
    asked.await.map_err(|error: sqlx::Error| error.to_string())
}
