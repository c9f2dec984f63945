//! A connection for as long as a statement or a transaction takes.

use super::{Route, limit::bounded};
use crate::{
    backend::{Backend, Conn, Raw},
    replica::{Busy, Server, ask},
};
use sqlx::{AssertSqlSafe, Postgres, SqlSafeStr as _, SqlStr, Transaction, pool::PoolConnection};
use std::{sync::Arc, time::Duration};
use tokio::{runtime::Handle, time::timeout};
use tropos_cache::Required;

/// A roll-back that nobody waits for is given up after this, with its connection.
const ROLL_BACK_WITHIN: Duration = Duration::from_secs(1);

/// A connection, and where it leads.
///
/// When it is dropped amid a statement its connection is closed: what it still says would be taken for the answer to
/// another question, and a server that says nothing would keep it from the pool for as long as TCP is patient.
#[derive(Debug)]
pub(crate) struct Lease {
    conn: Option<Conn>,
    pub(crate) server: Option<Arc<Server>>,
    pub(crate) place: usize,
    /// How long an answer is waited for.
    pub(crate) limit: Duration,
    /// Whether it leads to the primary, where only its session keeps a read from writing.
    is_primary: bool,
    /// What the server must have seen.
    required: Required,
    /// Whether a statement is under way.
    amid: bool,
    /// Whether a transaction of PostgreSQL is open on it.
    in_tx: bool,
    _busy: Option<Busy>,
}

impl Lease {
    pub(super) fn new(conn: Conn, limit: Duration) -> Self {
        Self {
            conn: Some(conn),
            server: None,
            place: 0,
            limit,
            is_primary: true,
            required: Required::Nothing,
            amid: false,
            in_tx: false,
            _busy: None,
        }
    }

    pub(super) fn on(self, found: (Arc<Server>, usize, bool, Busy), required: Required) -> Self {
        let (server, place, is_primary, busy) = found;
        let mut lease = self;
        lease.server = Some(server);
        lease.place = place;
        lease.is_primary = is_primary;
        lease.required = required;
        lease._busy = Some(busy);
        lease
    }

    /// The connection, on which a statement begins: until [`Lease::settled`] it is good for nothing else.
    pub(crate) fn begin_statement(&mut self) -> Result<Raw<'_>, sqlx::Error> {
        self.amid = true;
        self.raw()
    }

    /// The statement has ended, well or by an error that the database itself told.
    pub(crate) fn settled(&mut self) {
        self.amid = false;
    }

    /// The connection underneath.
    pub(crate) fn raw(&mut self) -> Result<Raw<'_>, sqlx::Error> {
        // It is taken when the lease is dropped, and by who changes it into another.
        self.conn.as_mut().map(Conn::raw).ok_or(sqlx::Error::WorkerCrashed)
    }

    /// With a transaction around one statement, where a pooler would otherwise part its messages, and where a session
    /// cannot be told to only read.
    pub(super) async fn for_one(self, route: &Route<'_>, is_one_message: bool) -> Result<Self, sqlx::Error> {
        let anywhere = !self.is_primary && self.required == Required::Nothing;
        match (route.prepares(), route.writes) {
            (true, _) => Ok(self),
            (false, true) if is_one_message => Ok(self),
            (false, true) => self.begin("BEGIN").await,
            (false, false) if is_one_message && anywhere => Ok(self),
            (false, false) => self.begin("BEGIN READ ONLY").await,
        }
    }

    /// Prepares a statement, to learn its types.
    pub(super) async fn prepare<B: Backend>(
        &mut self,
        sql: SqlStr,
        parameters: &[B::TypeInfo],
    ) -> Result<B::Statement, sqlx::Error> {
        let (server, limit) = (self.server.clone(), self.limit);
        let prepared =
            bounded(server.as_ref(), limit, B::prepare(self.begin_statement()?, sql, parameters)).await;
        if matches!(prepared, Ok(_) | Err(sqlx::Error::Database(_))) {
            self.settled();
        }
        prepared
    }

    /// Whether the server that a pooler leads to in this transaction has not seen what it must have: another one than was
    /// looked at may answer behind it.
    pub(super) async fn is_behind(&mut self, route: &Route<'_>) -> Result<bool, sqlx::Error> {
        let Required::Position(position) = self.required else { return Ok(false) };
        if route.prepares() || self.is_primary || !self.in_tx {
            return Ok(false);
        }
        let (server, limit) = (self.server.clone(), self.limit);
        let Raw::Postgres(conn) = self.begin_statement()? else { return Ok(false) };
        let look = bounded(server.as_ref(), limit, ask(conn)).await?;
        self.settled();
        Ok(look.is_replica && look.position < position)
    }

    /// With a transaction on it.
    pub(super) async fn begin(mut self, sql: &'static str) -> Result<Self, sqlx::Error> {
        match self.conn.take() {
            Some(Conn::Sqlite(conn)) => {
                let sql = AssertSqlSafe(sql).into_sql_str();
                let begun = bounded(None, self.limit, Transaction::begin(conn, Some(sql))).await?;
                self.conn = Some(Conn::SqliteTx(begun));
            }
            conn => {
                self.conn = conn;
                self.command(sql).await?;
                self.in_tx = true;
            }
        }
        Ok(self)
    }

    /// Makes a transaction last, where there is one.
    pub(super) async fn commit(mut self) -> Result<(), sqlx::Error> {
        match self.conn.take() {
            Some(Conn::SqliteTx(tx)) => tx.commit().await,
            conn => {
                self.conn = conn;
                if self.in_tx {
                    self.command("COMMIT").await?;
                    self.in_tx = false;
                }
                Ok(())
            }
        }
    }

    /// Undoes a transaction, where there is one.
    pub(super) async fn roll_back(mut self) -> Result<(), sqlx::Error> {
        match self.conn.take() {
            Some(Conn::SqliteTx(tx)) => tx.rollback().await,
            conn => {
                self.conn = conn;
                if self.in_tx {
                    self.command("ROLLBACK").await?;
                    self.in_tx = false;
                }
                Ok(())
            }
        }
    }

    /// Whether PostgreSQL has given the transaction up. A savepoint may have saved it.
    pub(super) async fn is_aborted(&mut self) -> bool {
        self.in_tx && self.command("select 1").await.is_err()
    }

    /// One message, and its answer.
    async fn command(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        let (server, limit) = (self.server.clone(), self.limit);
        let Raw::Postgres(conn) = self.begin_statement()? else { return Ok(()) };
        let answer = bounded(server.as_ref(), limit, sqlx::raw_sql(sql).execute(conn)).await;
        if matches!(answer, Ok(_) | Err(sqlx::Error::Database(_))) {
            self.settled();
        }
        answer.map(drop)
    }

    /// The server failed: it is looked at again, and the connection never used.
    pub(super) fn failed(self, error: &sqlx::Error) {
        let is_known = matches!(crate::cause(error), Some(crate::Error::Unavailable { .. }));
        if let (Some(server), false) = (&self.server, is_known) {
            server.failed(&error.to_string());
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        match self.conn.take() {
            Some(Conn::Postgres(conn)) if self.amid => drop(conn.detach()),
            Some(Conn::Postgres(conn)) if self.in_tx => roll_back(conn),
            // The pool has it back.
            _ => {}
        }
    }
}

/// In the background: who dropped a transaction does not wait for it.
fn roll_back(mut conn: PoolConnection<Postgres>) {
    let Ok(runtime) = Handle::try_current() else { return drop(conn.detach()) };
    runtime.spawn(async move {
        let undone = timeout(ROLL_BACK_WITHIN, sqlx::raw_sql("ROLLBACK").execute(&mut *conn)).await;
        if !matches!(undone, Ok(Ok(_))) {
            drop(conn.detach());
        }
    });
}
