//! Migrating SQLite, by sqlx's own steps.

use super::status::{Applied, Step};
use sqlx::{
    AssertSqlSafe, Connection, Sqlite,
    migrate::{Migrate, MigrateError, Migration},
    pool::PoolConnection,
    raw_sql,
};

const TABLE: &str = "_sqlx_migrations";

const IS_THERE: &str =
    "select count(*) from sqlite_master where type = 'table' and name = '_sqlx_migrations'";

const ROWS: &str = "select version, description, checksum from _sqlx_migrations order by version";

/// What can be dropped by name. What views and triggers refer to may go before them; tables that a virtual table keeps its
/// data in go with it.
const NEXT: &str = "select type, name from sqlite_master \
    where type in ('table', 'view', 'trigger') and name not like 'sqlite\\_%' escape '\\' \
    order by type = 'table', sql not like 'create virtual %' limit 1";

/// The database's file while it is migrated, over the one connection that writes.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) conn: PoolConnection<Sqlite>,
}

impl Session {
    /// What has been applied; nothing where the table is missing.
    pub(super) async fn applied(&mut self) -> Result<Vec<Applied>, sqlx::Error> {
        let tables: i64 = sqlx::query_scalar(IS_THERE).fetch_one(&mut *self.conn).await?;
        if tables == 0 {
            return Ok(Vec::new());
        }
        let rows: Vec<(i64, String, Vec<u8>)> = sqlx::query_as(ROWS).fetch_all(&mut *self.conn).await?;
        let read =
            |(version, description, checksum)| Applied { step: Step { version, description }, checksum };
        Ok(rows.into_iter().map(read).collect())
    }

    /// Makes the table where it is missing.
    pub(super) async fn prepare(&mut self) -> Result<(), sqlx::Error> {
        self.conn.ensure_migrations_table(TABLE).await.map_err(plain)
    }

    /// Applies a migration and notes it, in one transaction unless it wants none.
    pub(super) async fn apply(&mut self, migration: &Migration) -> Result<(), sqlx::Error> {
        self.conn.apply(TABLE, migration).await.map(drop).map_err(plain)
    }

    /// Drops everything, in one transaction.
    pub(super) async fn clear(&mut self) -> Result<(), sqlx::Error> {
        // Within a transaction it would say nothing and do nothing.
        raw_sql("pragma foreign_keys = off").execute(&mut *self.conn).await?;
        let cleared = self.drop_all().await;
        raw_sql("pragma foreign_keys = on").execute(&mut *self.conn).await?;
        cleared
    }

    async fn drop_all(&mut self) -> Result<(), sqlx::Error> {
        let mut tx = self.conn.begin_with("begin immediate").await?;
        while let Some((kind, name)) =
            sqlx::query_as::<_, (String, String)>(NEXT).persistent(false).fetch_optional(&mut *tx).await?
        {
            let sql = format!("drop {kind} \"{}\"", name.replace('"', "\"\""));
            raw_sql(AssertSqlSafe(sql)).execute(&mut *tx).await?;
        }
        tx.commit().await
    }
}

/// What the database said; the migration is named by the caller.
fn plain(error: MigrateError) -> sqlx::Error {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error,
        other => sqlx::Error::Migrate(Box::new(other)),
    }
}
