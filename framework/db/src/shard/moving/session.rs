//! A connection of its own to one side, which nothing else uses.

use super::{
    MoveError, Step,
    sql::{self, Table},
};
use crate::shard::{Fence, SlotRanges, State};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, postgres::PgConnectOptions};
use std::time::Duration;

/// How often is looked again for what is waited for: a wait is late by that much at most.
const POLL: Duration = Duration::from_millis(20);

/// How long for the lock of a run that has just died: its server process has yet to notice.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// One side of a move: the name of the shard and its primary.
#[derive(Debug, Clone)]
pub struct Shard {
    pub(super) name: String,
    options: PgConnectOptions,
}

impl Shard {
    /// The shard of that name. The address is that of the primary itself, not of a pooler: locks that belong to the
    /// connection do not go through one.
    pub fn new(name: impl Into<String>, options: PgConnectOptions) -> Self {
        Self { name: name.into(), options }
    }
}

/// A connection to one side. When it is dropped, the socket closes, and with it go its transaction and its locks.
pub(super) struct Session {
    pub(super) name: String,
    pub(super) step: Option<Step>,
    /// How long others are waited for.
    wait: Duration,
    pub(super) connection: PgConnection,
}

impl Session {
    /// Connects, makes sure of who is there, and that nobody else moves slots.
    pub(super) async fn open(shard: &Shard, wait: Duration) -> Result<Self, MoveError> {
        let name = shard.name.clone();
        let failed = |error| MoveError::Database { shard: name.clone(), during: None, error };
        let mut connection = PgConnection::connect_with(&shard.options).await.map_err(failed)?;
        sqlx::raw_sql(sql::SESSION).execute(&mut connection).await.map_err(failed)?;
        let mut session = Self { name: name.clone(), step: None, wait, connection };
        let other =
            |found: &str| Err(MoveError::OtherShard { expected: name.clone(), found: found.to_owned() });
        if session.one::<bool>("select pg_is_in_recovery()").await? {
            return other("a replica");
        }
        match session.fence().await?.shard {
            Some(found) if found == name => {}
            Some(found) => return other(&format!("shard `{found}`")),
            None => return other("no shard yet, since its slots were never claimed"),
        }
        let locked = tokio::time::timeout(LOCK_WAIT, async {
            while !session.one::<bool>(sql::LOCK).await? {
                tokio::time::sleep(POLL).await;
            }
            Ok(())
        });
        locked.await.unwrap_or(Err(MoveError::UnderWay(name.clone())))?;
        Ok(session)
    }

    /// Puts the shard's name and the step to an error.
    pub(super) fn failed(&self) -> impl Fn(sqlx::Error) -> MoveError + use<> {
        let (shard, during) = (self.name.clone(), self.step);
        move |error| MoveError::Database { shard: shard.clone(), during, error }
    }

    /// The only value that a statement gives. Its text holds no value from outside but what the database quoted.
    pub(super) async fn one<T>(&mut self, sql: impl Into<String>) -> Result<T, MoveError>
    where
        T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
    {
        let failed = self.failed();
        sqlx::query_scalar(AssertSqlSafe(sql.into())).fetch_one(&mut self.connection).await.map_err(failed)
    }

    /// Runs a statement, as [`Session::one`], and says how many rows it was about.
    pub(super) async fn run(&mut self, sql: impl Into<String>) -> Result<u64, MoveError> {
        let failed = self.failed();
        let done = sqlx::raw_sql(AssertSqlSafe(sql.into())).execute(&mut self.connection).await;
        done.map(|done| done.rows_affected()).map_err(failed)
    }

    pub(super) async fn fence(&mut self) -> Result<Fence, MoveError> {
        let failed = self.failed();
        Fence::read(&mut self.connection).await.map_err(failed)
    }

    /// Changes what the database says of the slots, all in one transaction with the statements `also`.
    pub(super) async fn mark(
        &mut self,
        slots: &SlotRanges,
        was: Option<State>,
        becomes: Option<State>,
        peer: Option<&str>,
        also: &[String],
    ) -> Result<(), MoveError> {
        let failed = self.failed();
        // A transaction of a stricter level keeps the row of the slots that it holds. 0 would be no limit.
        let limit = i32::try_from(self.wait.as_millis()).unwrap_or(i32::MAX).max(1);
        let marked = async {
            let mut transaction = self.connection.begin().await?;
            let limit = format!("set local lock_timeout = {limit}");
            sqlx::raw_sql(AssertSqlSafe(limit)).execute(&mut *transaction).await?;
            for (first, last) in slots.iter() {
                let mark = sqlx::query("select tropos_mark($1, $2, $3, $4, $5)");
                let mark = mark.bind(i32::from(first)).bind(i32::from(last));
                let mark = mark.bind(was.map(State::word)).bind(becomes.map(State::word)).bind(peer);
                mark.execute(&mut *transaction).await?;
            }
            for statement in also {
                sqlx::raw_sql(AssertSqlSafe(statement.clone())).execute(&mut *transaction).await?;
            }
            transaction.commit().await
        };
        match marked.await {
            Err(error) if is_late(&error) => {
                let pids = sqlx::query_scalar(sql::HOLDERS).fetch_all(&mut self.connection).await;
                Err(self.busy(pids.map_err(failed)?))
            }
            marked => marked.map_err(failed),
        }
    }

    fn busy(&self, pids: Vec<i32>) -> MoveError {
        let pids = pids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        MoveError::Busy { shard: self.name.clone(), waited: self.wait, pids }
    }

    /// The sharded tables.
    pub(super) async fn tables(&mut self) -> Result<Vec<Table>, MoveError> {
        let failed = self.failed();
        let rows = sqlx::query(sql::TABLES).fetch_all(&mut self.connection).await.map_err(&failed)?;
        let tables = rows.into_iter().map(|row| {
            let (names, types): (Vec<String>, Vec<String>) = (row.try_get(2)?, row.try_get(3)?);
            Ok(Table {
                name: row.try_get(0)?,
                key: row.try_get(1)?,
                columns: names.into_iter().zip(types).collect(),
                primary: row.try_get(4)?,
                refers_to_itself: row.try_get(5)?,
            })
        });
        tables.collect::<Result<_, _>>().map_err(failed)
    }

    /// Waits for the transactions that may have written before a mark was there.
    ///
    /// They hold the shared lock of `tropos_hold`, which they took before they looked. Whoever takes it from now on sees
    /// the mark. Nobody waits for the lock itself, so that writers of other slots go on.
    pub(super) async fn wait_for_writers(&mut self) -> Result<(), MoveError> {
        let mut before = self.writers().await?;
        let mut left = before.clone();
        let ended = tokio::time::timeout(self.wait, async {
            while !left.is_empty() {
                tokio::time::sleep(POLL).await;
                let now = self.writers().await?;
                before.retain(|writer| now.contains(writer));
                left.clone_from(&before);
            }
            Ok(())
        });
        let ended = ended.await;
        ended.unwrap_or_else(|_| Err(self.busy(left.iter().map(|(_, pid)| *pid).collect())))
    }

    async fn writers(&mut self) -> Result<Vec<(String, i32)>, MoveError> {
        let failed = self.failed();
        sqlx::query_as(sql::WRITERS).fetch_all(&mut self.connection).await.map_err(failed)
    }

    /// Makes sure that this role is told how far replicas are, while nothing has been changed yet.
    pub(super) async fn sees_replicas(&mut self) -> Result<(), MoveError> {
        self.behind("0/0").await.map(drop)
    }

    /// How many replicas are behind a position.
    async fn behind(&mut self, position: &str) -> Result<i64, MoveError> {
        let failed = self.failed();
        let behind = sqlx::query_as::<_, (i64, i64, String)>(sql::BEHIND).bind(position);
        match behind.fetch_one(&mut self.connection).await.map_err(failed)? {
            (0, behind, _) => Ok(behind),
            (_, _, role) => Err(MoveError::Unseen { shard: self.name.clone(), role }),
        }
    }

    /// Waits until the replicas have stored what has been written so far, since one that takes over must not have lost it,
    /// and have replayed it, since readers come to them with the new map who have seen it on the other side.
    pub(super) async fn wait_for_replicas(&mut self) -> Result<(), MoveError> {
        let (shard, waited) = (self.name.clone(), self.wait);
        let position: String = self.one("select pg_current_wal_lsn()::text").await?;
        let stored = tokio::time::timeout(waited, async {
            while self.behind(&position).await? > 0 {
                tokio::time::sleep(POLL).await;
            }
            Ok(())
        });
        stored.await.unwrap_or(Err(MoveError::Behind { shard, waited }))
    }
}

/// `lock_not_available`: <https://www.postgresql.org/docs/current/errcodes-appendix.html>
fn is_late(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("55P03"))
}
