//! The steps of a move, done.

use super::{
    MoveError, Side, Standing, Step,
    plan::{Goal, next},
    rows::{Copied, common_tables, copied, copy_batch, delete, digest, raise_sequences},
    session::{Session, Shard},
    sql::Table,
};
use crate::shard::{SlotRanges, State};
use std::time::Duration;

/// Rows of a batch: enough that its transaction costs little beside them, few enough that one cut off is little lost.
const BATCH: u32 = 5_000;

/// How long transactions that may have written the slots are waited for, and replicas. Pages and actions end long
/// before, and a replica that is further behind is not read.
const WAIT: Duration = Duration::from_secs(30);

/// What a move has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// A step begins.
    Begun(Step),
    /// Rows of a table have been copied, that many so far.
    Copied {
        /// With its schema.
        table: String,
        /// Rows so far.
        rows: u64,
    },
    /// Rows of a table have been deleted, that many so far by this run.
    Deleted {
        /// With its schema.
        table: String,
        /// Rows so far.
        rows: u64,
    },
    /// A step is done.
    Done(Step),
}

/// Slots that are to be on another shard.
///
/// The three calls below may each be cut off at any moment and called again, with the same slots and shards. Only one
/// move to or from a shard is done at a time.
#[derive(Debug, Clone)]
#[must_use = "nothing is moved before `run`"]
pub struct Move {
    slots: SlotRanges,
    from: Shard,
    to: Shard,
    batch: u32,
    wait: Duration,
    settle: Duration,
}

impl Move {
    /// Slots that the shard `from` owns, and `to` is to own.
    pub fn new(slots: SlotRanges, from: Shard, to: Shard) -> Self {
        Self { slots, from, to, batch: BATCH, wait: WAIT, settle: Duration::ZERO }
    }

    /// How many rows are copied in one transaction; 5,000 by default, at least one.
    pub fn batch(mut self, rows: u32) -> Self {
        self.batch = rows.max(1);
        self
    }

    /// How long transactions that are under way are waited for, and replicas that are behind; 30 s by default. When
    /// transactions take longer, the move is given up and the source goes on as before.
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// How long neither side owns the slots after the source has let go; 0 by default. Instances that ask the fences
    /// more often than that have followed ([`SlotMap::followed`](crate::shard::SlotMap::followed)) before the target is
    /// written, and so never read what is of the past.
    pub fn settle(mut self, settle: Duration) -> Self {
        self.settle = settle;
        self
    }

    /// Moves the slots, or goes on where an earlier run was cut off.
    ///
    /// # Errors
    /// When a database cannot do its part, or something is not as it must be; [`MoveError`] says what to do.
    pub async fn run(&self, mut report: impl FnMut(Progress) + Send) -> Result<(), MoveError> {
        self.pursue(Goal::Move, &mut report).await
    }

    /// Gives the move up: the source owns the slots as before, and the target has nothing of them. That can be done until
    /// the source has let go.
    ///
    /// # Errors
    /// As [`Move::run`].
    pub async fn abort(&self, mut report: impl FnMut(Progress) + Send) -> Result<(), MoveError> {
        self.pursue(Goal::Abort, &mut report).await
    }

    /// Deletes the rows at the source after a move, once no instance reads them any more because all have the new map.
    ///
    /// # Errors
    /// As [`Move::run`], and when the target does not own the slots.
    pub async fn clean(&self, mut report: impl FnMut(Progress) + Send) -> Result<(), MoveError> {
        self.pursue(Goal::Clean, &mut report).await
    }

    /// Where the move stands by what both databases say.
    ///
    /// # Errors
    /// When one cannot be asked, or is being moved to or from right now.
    pub async fn standing(&self) -> Result<Standing, MoveError> {
        let mut sides = self.open().await?;
        let tables = common_tables(&mut sides.source, &mut sides.target).await?;
        self.look(&mut sides, &tables, false).await
    }

    async fn open(&self) -> Result<Sides, MoveError> {
        if self.slots.is_empty() {
            return Err(MoveError::NoSlots);
        }
        if self.from.name == self.to.name {
            return Err(MoveError::SameShard(self.from.name.clone()));
        }
        let mut source = Session::open(&self.from, self.wait).await?;
        let mut target = Session::open(&self.to, self.wait).await?;
        // The fence knows by this who copies and who cleans up.
        source.run("set tropos.mover = 'clean'").await?;
        target.run("set tropos.mover = 'copy'").await?;
        Ok(Sides { source, target })
    }

    async fn pursue(&self, goal: Goal, report: &mut (dyn FnMut(Progress) + Send)) -> Result<(), MoveError> {
        let mut sides = self.open().await?;
        let tables = common_tables(&mut sides.source, &mut sides.target).await?;
        if goal == Goal::Move {
            // Before the rows are copied rather than after.
            sides.source.sees_replicas().await?;
            sides.target.sees_replicas().await?;
        }
        let mut verified = false;
        loop {
            let standing = self.look(&mut sides, &tables, verified).await?;
            let step = next(goal, &standing).map_err(|reason| MoveError::Blocked {
                slots: self.slots.to_string(),
                from: self.from.name.clone(),
                to: self.to.name.clone(),
                reason,
            })?;
            let Some(step) = step else { return Ok(()) };
            (sides.source.step, sides.target.step) = (Some(step), Some(step));
            report(Progress::Begun(step));
            self.perform(step, &mut sides, &tables, report).await?;
            verified = step == Step::Verify;
            report(Progress::Done(step));
        }
    }

    async fn look(&self, sides: &mut Sides, tables: &[Table], verified: bool) -> Result<Standing, MoveError> {
        let mut all_copied = true;
        for table in tables {
            all_copied &= copied(&mut sides.target, &self.slots, table).await?.done;
        }
        Ok(Standing {
            source: Side::of(&sides.source.fence().await?, &self.slots, &self.to.name),
            target: Side::of(&sides.target.fence().await?, &self.slots, &self.from.name),
            copied: all_copied,
            verified,
        })
    }

    async fn perform(
        &self,
        step: Step,
        sides: &mut Sides,
        tables: &[Table],
        report: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<(), MoveError> {
        use State::{Coming, Gone, Moving, Owned};
        let (slots, from, to) = (&self.slots, self.from.name.as_str(), self.to.name.as_str());
        let Sides { source, target } = sides;
        match step {
            Step::Receive => {
                for table in tables {
                    if target.one(table.any(slots)).await? {
                        return Err(MoveError::Stray { shard: to.to_owned(), table: table.name.clone() });
                    }
                }
                target.mark(slots, None, Some(Coming), Some(from), &[self.forget_copied()]).await
            }
            Step::Freeze => {
                // Copied already and owned by the source: a replica without the mark has become its primary. What was
                // copied may have been written since.
                self.delete_all(target, tables, report).await?;
                target.run(self.forget_copied()).await?;
                source.mark(slots, Some(Owned), Some(Moving), Some(to), &[]).await?;
                self.wait_or_thaw(source).await
            }
            Step::Copy => {
                let mut begun = false;
                for table in tables {
                    begun |= copied(target, slots, table).await? != Copied::default();
                }
                if !begun {
                    // A run may have been cut off after the mark and before the end of the wait.
                    self.wait_or_thaw(source).await?;
                }
                for table in tables {
                    let mut far = copied(target, slots, table).await?;
                    while !far.done {
                        far = copy_batch(source, target, slots, table, far, self.batch).await?;
                        let rows = u64::try_from(far.rows).unwrap_or_default();
                        report(Progress::Copied { table: table.name.clone(), rows });
                    }
                }
                Ok(())
            }
            Step::Verify => {
                for table in tables {
                    let (there, here) =
                        tokio::join!(digest(source, slots, table), digest(target, slots, table));
                    let (there, here) = (there?, here?);
                    if there != here {
                        let (table, source_rows, target_rows) = (table.name.clone(), there.0, here.0);
                        return Err(MoveError::Differ { table, source_rows, target_rows });
                    }
                }
                // The source's rows are not needed once it has let go: the target's must not be lost with its primary.
                target.wait_for_replicas().await
            }
            Step::Release => source.mark(slots, Some(Moving), Some(Gone), Some(to), &[]).await,
            Step::Take => {
                // A replica of the source that takes over must know that it owns them no more.
                source.wait_for_replicas().await?;
                tokio::time::sleep(self.settle).await;
                let mut also = vec![self.forget_copied()];
                for table in tables {
                    also.extend(raise_sequences(target, table).await?);
                }
                target.mark(slots, Some(Coming), Some(Owned), None, &also).await
            }
            Step::Forget => {
                self.delete_all(target, tables, report).await?;
                target.mark(slots, Some(Coming), None, None, &[self.forget_copied()]).await
            }
            Step::Thaw => source.mark(slots, Some(Moving), Some(Owned), None, &[]).await,
            Step::Clean => {
                self.delete_all(source, tables, report).await?;
                source.mark(slots, Some(Gone), None, None, &[]).await
            }
        }
    }

    /// Waits for those who may have written before the mark, and takes the mark back where they take too long: as long as
    /// nothing has been copied, that is no loss.
    async fn wait_or_thaw(&self, source: &mut Session) -> Result<(), MoveError> {
        match source.wait_for_writers().await {
            Err(busy @ MoveError::Busy { .. }) => {
                source.mark(&self.slots, Some(State::Moving), Some(State::Owned), None, &[]).await?;
                Err(busy)
            }
            waited => waited,
        }
    }

    /// Deletes the rows of all tables, those that refer to others first.
    async fn delete_all(
        &self,
        side: &mut Session,
        tables: &[Table],
        report: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<(), MoveError> {
        for table in tables.iter().rev() {
            let mut on_batch = |rows| report(Progress::Deleted { table: table.name.clone(), rows });
            delete(side, &self.slots, table, self.batch, &mut on_batch).await?;
        }
        Ok(())
    }

    /// What was written down of the copy goes. The text holds digits, commas and dashes alone.
    fn forget_copied(&self) -> String {
        format!("delete from tropos_copied where slots = '{}'", self.slots)
    }
}

/// Both connections.
struct Sides {
    source: Session,
    target: Session,
}
