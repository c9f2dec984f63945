//! The floor: raised with each invalidation, asked of the log where it is unknown.

use super::{Shared, TagRegistry};
use crate::{
    Error, Stamp,
    positions::{FloorAt, LogSource},
};
use std::{
    sync::{Arc, Weak},
    time::Duration,
};
use tropos_core::Positions;

/// The start of a server waits so long for the first answer, and goes on without it: reads go to the primaries until it
/// comes.
const WAIT_FOR_FLOOR: Duration = Duration::from_secs(2);

/// Between two questions while none is answered: short at first,
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// and never so long that replicas stand idle for much longer than the primary was gone.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

impl TagRegistry {
    /// Has invalidations carry the positions of a database's log, and asks it for the floor. The first source stays.
    pub(crate) async fn follow_log(&self, source: Arc<dyn LogSource>) {
        if !self.0.log.follow(source) {
            tracing::warn!("this engine follows a log already, which stays");
            return;
        }
        self.0.change_floor(|floor| floor.follow());
        let mut changes = self.0.floor_changes.subscribe();
        tokio::spawn(keep_known(Arc::downgrade(&self.0)));
        let known = async { while !self.0.floor_is_known() && changes.changed().await.is_ok() {} };
        if tokio::time::timeout(WAIT_FOR_FLOOR, known).await.is_err() {
            tracing::warn!(
                "the database has not said how far its log has come: renders read from the primaries until it does"
            );
        }
    }

    /// Where the sequence stands and what a render that begins now must have seen, in one look.
    pub(crate) fn start(&self) -> (Stamp, FloorAt) {
        self.0.numbers.look(|sequence| (sequence.numbers.current(), sequence.floor.now())).0
    }
}

impl Shared {
    /// Where the log stands now; the floor is raised to it when this returns. Nothing where there is no log.
    pub(super) async fn ask_log(&self) -> Result<Positions, Error> {
        if !self.log.is_followed() {
            return Ok(Positions::default());
        }
        // Noted before the question: an answer from before a doubt must not end it.
        let (doubts, _) = self.numbers.look(|sequence| sequence.floor.doubts());
        let positions = self.log.ask().await.map_err(|failure| Error::Positions { failure })?;
        self.change_floor(|floor| floor.settle(doubts, &positions));
        Ok(positions)
    }

    fn floor_is_known(&self) -> bool {
        self.numbers.look(|sequence| sequence.floor.is_known()).0
    }

    fn change_floor(&self, change: impl FnOnce(&mut crate::positions::Floor)) {
        // No entry becomes invalid by it: the generation stays.
        self.numbers.change(|sequence| {
            change(&mut sequence.floor);
            false
        });
        self.floor_changes.send_replace(());
    }

    /// Raises the floor to what invalidations elsewhere carried: before their numbers are known here.
    pub(super) fn raise_floor(&self, positions: &Positions) {
        // Most answers bring nothing new, and hits go on meanwhile.
        if !self.numbers.look(|sequence| sequence.floor.covers(positions)).0 {
            self.change_floor(|floor| floor.raise(positions));
        }
    }
}

/// Asks the log whenever the floor is not known, until it is.
async fn keep_known(shared: Weak<Shared>) {
    let Some(mut changes) = shared.upgrade().map(|shared| shared.floor_changes.subscribe()) else { return };
    let mut pause = FIRST_PAUSE;
    while let Some(shared) = shared.upgrade() {
        if shared.floor_is_known() {
            drop(shared);
            pause = FIRST_PAUSE;
            if changes.changed().await.is_err() {
                return;
            }
        } else if let Err(error) = shared.ask_log().await {
            tracing::warn!(%error, "renders read from the primaries until it is known what replicas must have replayed");
            drop(shared);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}
