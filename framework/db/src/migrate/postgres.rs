//! Migrating PostgreSQL.
//!
//! sqlx's own runner prepares statements and takes the lock of a session, and neither survives a pooler in transaction
//! mode. This one keeps the same table in the same form, so that `sqlx migrate` and it can take turns.

use super::status::{Applied, Step};
use crate::{
    Error,
    config::{Config, Pooler},
    replica::Group,
    shard::{INSTALLED, install_sql, is_old, own_all},
};
use sqlx::{ConnectOptions, Connection, PgConnection, Row, migrate::Migration, raw_sql};
use tokio::time::{Instant, timeout};

/// Lifts, for this transaction, the limits that a role, a database or a server may set. A server that notices within a
/// second that nobody listens any more does not go on while the next instance begins. Asked by name, since a server that
/// does not know a setting refuses it.
pub(super) const UNLIMITED_HERE: &str = "select set_config(name, \
    case name when 'client_connection_check_interval' then '1000' else '0' end, true) from pg_settings \
    where name in ('statement_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout', \
    'client_connection_check_interval')";

/// The same for the session, where there is one.
const UNLIMITED: &str = "select set_config(name, \
    case name when 'client_connection_check_interval' then '1000' else '0' end, false) from pg_settings \
    where name in ('statement_timeout', 'transaction_timeout', 'client_connection_check_interval')";

/// As sqlx makes it.
const TABLE: &str = "create table if not exists _sqlx_migrations (\
    version bigint primary key, \
    description text not null, \
    installed_on timestamptz not null default now(), \
    success boolean not null, \
    checksum bytea not null, \
    execution_time bigint not null)";

const IS_THERE: &str = "select to_regclass('_sqlx_migrations') is not null";

const ROWS: &str = "select version, description, checksum from _sqlx_migrations order by version";

const INSERT: &str = "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
    values ($1, $2, true, $3, $4)";

/// Drops everything.
const RESET: &str = include_str!("reset.sql");

/// A connection of its own to the primary: the pools' have a limit on statements.
pub(super) async fn connect(group: &Group, shard: &str, config: &Config) -> Result<PgConnection, Error> {
    let failed = |reason| Error::Migrate { shard: shard.to_owned(), reason };
    let Some((_, server)) = group.primary() else {
        return Err(failed("no server says that it is the primary".to_owned()));
    };
    match timeout(config.pool.wait, server.options().connect()).await {
        Ok(Ok(conn)) => Ok(conn),
        Ok(Err(error)) => Err(failed(format!("{} cannot be reached: {error}", server.address))),
        Err(_) => {
            let ms = config.pool.wait.as_millis();
            Err(failed(format!("{} does not answer within {ms} ms", server.address)))
        }
    }
}

/// What there is of the fence of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fenced {
    /// Nothing: nobody has told the database which slots are its own.
    Never,
    /// That of an older program.
    Old,
    /// All of it.
    Now,
}

/// One server while it is migrated.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) conn: PgConnection,
    pub(super) pooler: Pooler,
}

impl Session {
    /// What has been applied; nothing where the table is missing.
    pub(super) async fn applied(&mut self) -> Result<Vec<Applied>, sqlx::Error> {
        if !raw_sql(IS_THERE).fetch_one(&mut self.conn).await?.try_get::<bool, _>(0)? {
            return Ok(Vec::new());
        }
        let rows = raw_sql(ROWS).fetch_all(&mut self.conn).await?;
        let read = |row: &sqlx::postgres::PgRow| {
            let step = Step { version: row.try_get(0)?, description: row.try_get(1)? };
            Ok(Applied { step, checksum: row.try_get(2)? })
        };
        rows.iter().map(read).collect()
    }

    /// What there is of a fence.
    pub(super) async fn fence(&mut self) -> Result<Fenced, sqlx::Error> {
        let row = raw_sql(INSTALLED).fetch_one(&mut self.conn).await?;
        let says: Option<String> = row.try_get(1)?;
        Ok(match (row.try_get(0)?, is_old(says.as_deref())) {
            (false, _) => Fenced::Never,
            (true, true) => Fenced::Old,
            (true, false) => Fenced::Now,
        })
    }

    /// Puts the fence there, and lets the database own all slots where it is `only` one, of that name.
    pub(super) async fn install(&mut self, only: Option<&str>) -> Result<(), sqlx::Error> {
        let mut tx = self.conn.begin().await?;
        raw_sql(install_sql()).execute(&mut *tx).await?;
        if let Some(name) = only {
            own_all(&mut tx, name).await?;
        }
        tx.commit().await
    }

    /// Makes the table where it is missing.
    pub(super) async fn prepare(&mut self) -> Result<(), sqlx::Error> {
        raw_sql(TABLE).execute(&mut self.conn).await.map(drop)
    }

    /// Applies a migration and notes it, in one transaction unless it wants none.
    pub(super) async fn apply(&mut self, migration: &Migration) -> Result<(), sqlx::Error> {
        let began = Instant::now();
        if migration.no_tx {
            if self.pooler == Pooler::Transaction {
                return Err(sqlx::Error::Configuration(
                    "it must run outside of a transaction, and through a pooler in transaction mode nothing does: \
                     run `cargo tropos db migrate` with DATABASE_URL naming the server itself and DATABASE_POOLER=none"
                        .into(),
                ));
            }
            raw_sql(UNLIMITED).execute(&mut self.conn).await?;
            raw_sql(migration.sql.clone()).execute(&mut self.conn).await?;
            return note(&mut self.conn, migration, began).await;
        }
        let mut tx = self.conn.begin().await?;
        raw_sql(UNLIMITED_HERE).execute(&mut *tx).await?;
        raw_sql(migration.sql.clone()).execute(&mut *tx).await?;
        note(&mut tx, migration, began).await?;
        tx.commit().await
    }

    /// Drops everything, in one transaction.
    pub(super) async fn clear(&mut self) -> Result<(), sqlx::Error> {
        let mut tx = self.conn.begin().await?;
        raw_sql(UNLIMITED_HERE).execute(&mut *tx).await?;
        raw_sql(RESET).execute(&mut *tx).await?;
        tx.commit().await
    }
}

/// Within a transaction, or without a pooler between: else the statement could meet another connection than its values.
async fn note(conn: &mut PgConnection, migration: &Migration, began: Instant) -> Result<(), sqlx::Error> {
    let row = sqlx::query(INSERT)
        .bind(migration.version)
        .bind(&*migration.description)
        .bind(&*migration.checksum)
        .bind(i64::try_from(began.elapsed().as_nanos()).unwrap_or(i64::MAX));
    row.persistent(false).execute(conn).await.map(drop)
}

/// What to do about an error of a migration, where that is known.
pub(super) fn advice(migration: &Migration, error: &sqlx::Error) -> &'static str {
    // 25001, active_sql_transaction: <https://www.postgresql.org/docs/current/errcodes-appendix.html>
    let in_transaction =
        error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("25001"));
    match (in_transaction, migration.no_tx) {
        (true, false) => " (begin its file with the line `-- no-transaction`)",
        (true, true) => " (leave one statement in its file: several are one transaction)",
        (false, true) => " (it runs outside of a transaction: look which part of it was done, and undo that)",
        (false, false) => "",
    }
}
