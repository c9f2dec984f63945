//! Transactions.

use super::{
    Lease, Route, fault,
    limit::{bounded, next},
    run,
};
use crate::consistency;
use crate::{
    Error,
    backend::{Backend, Given, Kind, Raw, Statement},
    observe::{Counts, Watched},
    replica::Tried,
};
use either::Either;
use futures::{FutureExt, StreamExt, future::BoxFuture, stream::BoxStream};
use sqlx::{Execute, Executor, SqlStr};
use std::{fmt, marker::PhantomData, sync::Arc, time::Duration};
use tracing::Instrument;
use tropos_cache::Hold;

/// A transaction. Rolled back when it is dropped before [`Tx::commit`].
///
/// `revalidate::…` in the same request takes effect after the commit, and not at all after a roll-back.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use tropos_db::{Config, Db, sqlx};
/// # let db: Db = Db::connect(&Config::new("sqlite::memory:")).await?;
/// # sqlx::query("create table stock (item integer, count integer)").execute(db.write()).await?;
/// let mut tx = db.tx().await?;
/// sqlx::query("insert into stock values ($1, $2)").bind(7).bind(3).execute(&mut tx).await?;
/// sqlx::query("update stock set count = count - 1 where item = $1").bind(7).execute(&mut tx).await?;
/// tx.commit().await?;
/// # Ok(()) }
/// ```
pub struct Tx<B: Backend> {
    lease: Lease,
    hold: Option<Hold>,
    writes: bool,
    prepares: bool,
    kind: Kind,
    /// Whether a statement of it failed.
    failed: bool,
    counts: Arc<Counts>,
    slow: Duration,
    view: PhantomData<fn() -> B>,
}

impl<B: Backend> Tx<B> {
    pub(crate) async fn begin(route: Route<'_>) -> Result<Self, sqlx::Error> {
        let sql = match (route.kind(), route.writes) {
            // SQLite would take the lock at the first write only, and fail if another came between.
            (Kind::Sqlite, true) => "BEGIN IMMEDIATE",
            (Kind::Sqlite, false) => "BEGIN",
            (Kind::Postgres, true) => "BEGIN",
            // One snapshot for all that is read in it.
            (Kind::Postgres, false) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        };
        let mut lease = route.ready(Tried::default(), |lease| lease.begin(sql)).await?;
        if let Some(slot) = route.fenced() {
            let (server, limit) = (lease.server.clone(), lease.limit);
            if let Raw::Postgres(conn) = lease.begin_statement()? {
                bounded(server.as_ref(), limit, crate::shard::hold(conn, slot)).await?;
            }
            lease.settled();
        }
        Ok(Self {
            lease,
            hold: route.writes.then(consistency::hold).flatten(),
            writes: route.writes,
            prepares: route.prepares(),
            kind: route.kind(),
            failed: false,
            counts: route.cluster.counts.clone(),
            slow: route.cluster.config.slow,
            view: PhantomData,
        })
    }

    /// Makes all of it last, and lets what was invalidated meanwhile take effect.
    ///
    /// # Errors
    /// As the database: what it was doing when the connection broke, nobody knows. [`Error::Aborted`] where a statement
    /// failed before. [`Error::NotInvalidated`] where it is committed and the invalidation failed: repeat that.
    pub async fn commit(mut self) -> Result<(), sqlx::Error> {
        if self.failed && self.lease.is_aborted().await {
            return Err(Error::Aborted.into());
        }
        let Self { lease, hold, .. } = self;
        // In a task of its own: who is gone midway must not part the commit from its invalidations.
        let ending = tokio::spawn(end(lease, hold).in_current_span());
        ending.await.unwrap_or_else(|_| Err(sqlx::Error::WorkerCrashed))
    }

    /// Undoes all of it. What was invalidated meanwhile stays valid.
    ///
    /// # Errors
    /// As the database; it is undone in any case.
    pub async fn rollback(self) -> Result<(), sqlx::Error> {
        self.lease.roll_back().await
    }

    /// The connection of the database underneath, for what sqlx offers beyond queries, such as `COPY`. Through a pooler in
    /// transaction mode, nothing may be prepared on it.
    ///
    /// # Errors
    /// Never, while the transaction is open.
    pub fn connection(&mut self) -> Result<Raw<'_>, sqlx::Error> {
        // What fails on it is not seen here, so the commit asks.
        self.failed = true;
        self.lease.raw()
    }

    fn run<'e>(
        &'e mut self,
        statement: Result<Statement<B>, sqlx::Error>,
    ) -> BoxStream<'e, Result<Given<B>, sqlx::Error>> {
        Box::pin(async_stream::try_stream! {
            let statement = statement?;
            let mut watched = Watched::begin(self.kind, statement.sql.clone(), self.slow, &self.counts);
            watched.at(self.lease.server.as_ref().map(|server| server.address.as_str()));
            let mut failed = None;
            let (server, limit) = (self.lease.server.clone(), self.lease.limit);
            {
                let conn = self.lease.begin_statement().map_err(|error| watched.failed(error))?;
                let mut given = B::run(conn, statement);
                while let Some(item) = next(server.as_ref(), limit, &mut given).await {
                    match item {
                        Ok(item) => {
                            watched.came(run::rows(&item));
                            watched.hands_on(true);
                            yield item;
                            watched.hands_on(false);
                        }
                        Err(error) => {
                            failed = Some(error);
                            break;
                        }
                    }
                }
            }
            if matches!(failed, None | Some(sqlx::Error::Database(_))) {
                self.lease.settled();
            }
            watched.end(failed.as_ref());
            if let Some(error) = failed {
                self.failed = true;
                if let (fault::Fault::Server, Some(server)) = (fault::fault(&error), &self.lease.server) {
                    server.failed(&error.to_string());
                }
                Err(self.explained(error))?;
            }
        })
    }

    fn explained(&self, error: sqlx::Error) -> sqlx::Error {
        match fault::is_read_only(&error) && !self.writes {
            true => fault::advised(error, "the transaction came from `db.read_tx()`: use `db.tx()`"),
            false => error,
        }
    }
}

/// Commits, and lets what was held back take effect.
async fn end(lease: Lease, mut hold: Option<Hold>) -> Result<(), sqlx::Error> {
    if let Some(hold) = &mut hold {
        hold.commit_sent();
    }
    match (lease.commit().await, hold) {
        (Ok(()), Some(hold)) => hold.take_effect().await.map_err(|error| {
            let reason = error.to_string();
            let tags =
                if let tropos_cache::Error::AfterCommit { tags, .. } = error { tags } else { Vec::new() };
            Error::NotInvalidated { tags, reason }.into()
        }),
        (Err(error), Some(hold)) if fault::fault(&error) != fault::Fault::Server => {
            // The database itself says that nothing of it lasts.
            hold.forget();
            Err(error)
        }
        // With the connection the answer is lost, so the hold lets it take effect: one too many does no harm.
        (ended, _) => ended,
    }
}

impl<B: Backend> fmt::Debug for Tx<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tx").field("writes", &self.writes).finish_non_exhaustive()
    }
}

impl<'t, B: Backend> Executor<'t> for &'t mut Tx<B> {
    type Database = B;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Given<B>, sqlx::Error>>
    where
        't: 'e,
        E: 'q + Execute<'q, B>,
    {
        let statement = Statement::of(query, self.prepares);
        self.run(statement)
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<B::Row>, sqlx::Error>>
    where
        't: 'e,
        E: 'q + Execute<'q, B>,
    {
        let statement = Statement::of(query, self.prepares);
        async move {
            let mut given = self.run(statement);
            let mut first = None;
            while let Some(item) = given.next().await {
                if let (Either::Right(row), None) = (item?, &first) {
                    first = Some(row);
                }
            }
            Ok(first)
        }
        .boxed()
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [B::TypeInfo],
    ) -> BoxFuture<'e, Result<B::Statement, sqlx::Error>>
    where
        't: 'e,
    {
        self.failed = true;
        self.lease.prepare::<B>(sql, parameters).boxed()
    }

    fn describe<'e>(self, _: SqlStr) -> BoxFuture<'e, Result<sqlx_core::describe::Describe<B>, sqlx::Error>>
    where
        't: 'e,
    {
        let error =
            sqlx::Error::Protocol("a transaction does not describe statements: prepare them".to_owned());
        futures::future::ready(Err(error)).boxed()
    }
}
