//! The sequence that instances share, as one instance knows it.
//!
//! Asking the store at each request would make every hit wait for a network, so an instance keeps a copy, and the
//! right to trust it: a **lease** (Gray and Cheriton, 1989). It renews the lease a few times a second, learns with each
//! renewal what was invalidated meanwhile, and acknowledges with the next. An invalidation returns when every other
//! instance has acknowledged it or has lost its lease; so what returned is known to whoever still trusts its copy. Who
//! was cut off, stopped or asleep finds its lease run out by its own clock, and catches up before it trusts anything.
//!
//! Messages only wake the keeper of the lease early. Nothing depends on them.

use super::{Strength, TagNumbers};
use crate::store::{
    guarded::Guarded,
    shared::{Changes, Known, Renewal, SharedError},
};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};
use tokio::{sync::Mutex, time::Instant};
use tropos_core::{Clock, Positions, Tag, Tick, UnixMillis};

/// How long a lease runs in the store. An instance that dies holds up invalidations for so long at most, and one that
/// the store cannot be heard by goes on trusting its copy for nearly as long.
const LEASE: Duration = Duration::from_secs(2);

/// How long the instance itself trusts it, from before it asked: less, since two machines' clocks may run at different
/// rates, if not by a fifth.
const TRUST: Duration = Duration::from_millis(1_600);

/// A fail-over may lose the last renewals, so a lease counts for this much longer for who waits on it.
const GRACE: Duration = Duration::from_secs(1);

/// Between two renewals: three may fail before the trust runs out.
const RENEW_EVERY: Duration = Duration::from_millis(400);

/// A request that finds the lease run out waits so long for the catch-up; then it is answered as degraded.
const WAIT_FOR_CATCH_UP: Duration = Duration::from_millis(500);

/// An invalidation of more tags takes several numbers: one script must not hold up the store.
const TAGS_A_CALL: usize = 1_000;

/// Renewals in one go: as many as a million tags take, and then some.
const MOST_ROUNDS: usize = 2_000;

/// How far the copy may be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// All invalidations that have returned are known.
    Full,
    /// The store is out of reach. What was known a while ago still counts.
    Degraded,
    /// The store has been out of reach for too long.
    Lost,
}

/// One instance's lease on the sequence, and how far it knows it.
pub(super) struct SharedSequence {
    store: Arc<Guarded>,
    clock: Arc<dyn Clock>,
    /// Held during a catch-up, so that one serves all who wait for it.
    reached: Mutex<Reached>,
    /// The tick until which the copy is trusted.
    trusted_until: AtomicI64,
    /// The tick at which the copy was last known to be whole.
    confirmed: AtomicI64,
    /// For how long after that it is used nevertheless.
    degraded: Duration,
    /// The store's wall clock less this process's monotonic one; 0 before the first answer.
    wall_offset: AtomicI64,
}

/// How far the copy goes.
#[derive(Debug, Clone, Copy)]
struct Reached {
    known: Known,
    /// Whether the copy holds all up to there. False until the first catch-up of a process that only remembers where
    /// an earlier one stood.
    whole: bool,
    /// Whether the lease was given back, for good.
    left: bool,
}

/// Never confirmed, so far back that no span reaches it.
const NEVER: i64 = i64::MIN;

impl SharedSequence {
    /// `remembered` is what an earlier process on this machine knew: should the store have been emptied since, it
    /// tells.
    pub(super) fn new(
        store: Arc<Guarded>,
        clock: Arc<dyn Clock>,
        degraded: Duration,
        remembered: Known,
    ) -> Self {
        Self {
            store,
            clock,
            reached: Mutex::new(Reached { known: remembered, whole: false, left: false }),
            trusted_until: AtomicI64::new(NEVER),
            confirmed: AtomicI64::new(NEVER),
            degraded,
            wall_offset: AtomicI64::new(0),
        }
    }

    /// How far the copy may be trusted now. The path of a hit: no waiting.
    pub(super) fn trust(&self, now: Tick) -> Trust {
        if now.0 < self.trusted_until.load(Ordering::Acquire) {
            return Trust::Full;
        }
        let confirmed = self.confirmed.load(Ordering::Acquire);
        match confirmed != NEVER && now.since(Tick(confirmed)) <= self.degraded {
            true => Trust::Degraded,
            false => Trust::Lost,
        }
    }

    /// The same, after a try to catch up where the lease has run out.
    pub(super) async fn confirm(&self, copy: &impl NumbersCopy) -> Trust {
        let trust = self.trust(self.clock.now());
        // Where the circuit is open, the keeper is trying already.
        if trust == Trust::Full || self.store.is_open() {
            return trust;
        }
        drop(tokio::time::timeout(WAIT_FOR_CATCH_UP, self.catch_up(copy)).await);
        self.trust(self.clock.now())
    }

    /// The store's wall clock, where it is known: instances on several machines agree on ages by it.
    pub(super) fn wall(&self, now: Tick) -> Option<UnixMillis> {
        let offset = self.wall_offset.load(Ordering::Relaxed);
        (offset != 0).then(|| u64::try_from(now.0.saturating_add(offset)).unwrap_or(0))
    }

    /// Writes an invalidation into the store, and returns when no instance trusts anything older.
    pub(super) async fn invalidate(
        &self,
        copy: &impl NumbersCopy,
        tags: &[Tag],
        strength: Strength,
        positions: &Positions,
    ) -> Result<u64, SharedError> {
        let mut written = (0, 0);
        for some in chunks(tags) {
            written = self.store.invalidate(some, strength, positions).await?;
        }
        let (incarnation, sequence) = written;
        self.catch_up_to(copy, incarnation, sequence).await?;
        let mut pause = Duration::from_millis(1);
        let began = Instant::now();
        loop {
            let others = self.store.unacknowledged(incarnation, sequence, LEASE, GRACE).await?;
            if others == 0 {
                return Ok(sequence);
            }
            if began.elapsed() > LEASE + GRACE + RENEW_EVERY {
                return Err(SharedError::Unconfirmed(others));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }

    /// Renews the lease once, when that is due or the store hints at a change.
    pub(super) async fn keep_once(&self, copy: &impl NumbersCopy) {
        tokio::select! {
            () = tokio::time::sleep(RENEW_EVERY) => {}
            () = self.store.hint() => {}
        }
        if let Err(error) = self.renew_all(&mut *self.reached.lock().await, copy).await {
            tracing::debug!(%error, "the lease on the tag sequence was not renewed");
        }
    }

    /// What is known, for a process that comes after this one.
    pub(super) async fn known(&self) -> Known {
        self.reached.lock().await.known
    }

    /// Stops trusting the copy and gives the lease back.
    pub(super) async fn leave(&self) {
        let mut reached = self.reached.lock().await;
        reached.left = true;
        self.trusted_until.store(NEVER, Ordering::Release);
        self.store.leave().await;
    }

    /// Catches up, unless somebody did while this waited for its turn.
    pub(super) async fn catch_up(&self, copy: &impl NumbersCopy) -> Result<(), SharedError> {
        let mut reached = self.reached.lock().await;
        match self.trust(self.clock.now()) {
            Trust::Full => Ok(()),
            Trust::Degraded | Trust::Lost => self.renew_all(&mut reached, copy).await,
        }
    }

    async fn catch_up_to(
        &self,
        copy: &impl NumbersCopy,
        incarnation: u64,
        sequence: u64,
    ) -> Result<(), SharedError> {
        let mut reached = self.reached.lock().await;
        self.renew_all(&mut reached, copy).await?;
        match reached.known.incarnation == incarnation && reached.known.sequence >= sequence {
            true => Ok(()),
            false => Err(SharedError::BeganAnew),
        }
    }

    /// Renews, takes over what has changed, and renews again to acknowledge that, until nothing is new.
    async fn renew_all(&self, reached: &mut Reached, copy: &impl NumbersCopy) -> Result<(), SharedError> {
        if reached.left {
            return Ok(());
        }
        let mut at = reached.known;
        // Another sequence is collected apart and takes the place of the old one when all of it is here: with half of
        // it, entries would pass that the other half invalidates.
        let mut another: Option<TagNumbers> = None;
        for _ in 0..MOST_ROUNDS {
            let asked = self.clock.now();
            let changes = match self.store.renew(at, LEASE).await? {
                Renewal::Continued(changes) => changes,
                Renewal::Broken => {
                    tracing::error!(
                        "the shared store does not continue what is known of it: it was emptied, restored or lost writes; everything is made anew"
                    );
                    // Above what is known, so that numbers never go back for those who wait for a render.
                    self.store.begin_anew(reached.known).await?;
                    reached.whole = false;
                    (another, at) = (None, Known::default());
                    continue;
                }
            };
            // First: once its number is known here or acknowledged, renders must find what an invalidation carried.
            copy.raise(&changes.positions);
            if !reached.whole && at != Known::default() && another.is_none() {
                at = Known::default(); // the store is the one that was remembered; now all that it holds
                continue;
            }
            match &mut another {
                Some(numbers) => numbers.take_over(&changes),
                None if reached.whole => copy.take_over(&changes),
                None => {
                    let mut numbers = TagNumbers::new(changes.incarnation);
                    numbers.take_over(&changes);
                    another = Some(numbers);
                }
            }
            let acknowledged = at.incarnation == changes.incarnation && at.sequence == changes.latest;
            // A part of what is new acknowledges nothing: a tag has its latest number alone, so an earlier one may be
            // missing from it.
            let token = if changes.reached < changes.latest { 0 } else { changes.token };
            at = Known { incarnation: changes.incarnation, sequence: changes.reached, token };
            if changes.reached < changes.latest {
                continue;
            }
            if let Some(numbers) = another.take() {
                copy.replace(numbers);
            }
            *reached = Reached { known: at, whole: true, left: false };
            self.trusted_now(asked, &changes);
            if acknowledged {
                break;
            }
        }
        Ok(())
    }

    fn trusted_now(&self, asked: Tick, changes: &Changes) {
        let now = self.clock.now();
        let wall = i64::try_from(changes.wall).unwrap_or(i64::MAX);
        self.wall_offset.store(wall.saturating_sub(now.0), Ordering::Relaxed);
        self.confirmed.store(asked.0, Ordering::Release);
        self.trusted_until.store(asked.plus(TRUST).0, Ordering::Release);
    }
}

/// The numbers that hits are judged by.
pub(super) trait NumbersCopy {
    /// Raises what renders must have seen.
    fn raise(&self, positions: &Positions);
    /// Adds what came after what is known.
    fn take_over(&self, changes: &Changes);
    /// Puts another sequence in their place.
    fn replace(&self, numbers: TagNumbers);
}

impl TagNumbers {
    /// Adds what came after what is known.
    pub(super) fn take_over(&mut self, changes: &Changes) {
        // What is not known yet may have been forgotten there under a higher floor: the number that a tag has here is not
        // its latest then. And the floor goes first, since a new mark starts from it.
        if changes.floor_hard.max(changes.floor_soft) > self.current().sequence {
            self.forget_all();
        }
        self.raise_floor(Strength::Hard, changes.floor_hard);
        self.raise_floor(Strength::Soft, changes.floor_soft);
        for (tag, strength, number) in &changes.marks {
            self.apply(std::slice::from_ref(tag), *strength, *number);
        }
        self.apply(&[], Strength::Hard, changes.reached);
    }
}

/// At least one, so that an invalidation without tags takes a number, too.
fn chunks(tags: &[Tag]) -> impl Iterator<Item = &[Tag]> {
    let none = tags.is_empty().then_some(tags);
    none.into_iter().chain(tags.chunks(TAGS_A_CALL))
}

impl fmt::Debug for SharedSequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedSequence")
            .field("store", &self.store)
            .field("trust", &self.trust(self.clock.now()))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Stamp, Validity};

    fn changes(floor: u64, reached: u64, marks: &[(&str, Strength, u64)]) -> Changes {
        Changes {
            incarnation: 7,
            reached,
            token: 1,
            latest: reached,
            floor_hard: floor,
            floor_soft: 0,
            marks: marks.iter().map(|(tag, strength, number)| ((*tag).into(), *strength, *number)).collect(),
            wall: 0,
            positions: Positions::default(),
        }
    }

    fn validity(numbers: &TagNumbers, tag: &str, sequence: u64) -> Validity {
        numbers.validity(&[tag.into()], Stamp { incarnation: 7, sequence })
    }

    #[test]
    fn a_soft_mark_above_a_hard_floor_leaves_what_is_older_than_the_floor_unusable() {
        let mut numbers = TagNumbers::new(7);
        numbers.take_over(&changes(10, 11, &[("a", Strength::Soft, 11)]));
        assert_eq!(validity(&numbers, "a", 9), Validity::Hard);
        assert_eq!(validity(&numbers, "a", 10), Validity::Soft);
        assert_eq!(validity(&numbers, "a", 11), Validity::Valid);
        assert_eq!(numbers.validity(&["a".into()], Stamp::BUILD), Validity::Hard);
    }

    #[test]
    fn a_number_that_the_store_has_forgotten_meanwhile_is_not_taken_for_the_latest() {
        let mut numbers = TagNumbers::new(7);
        numbers.take_over(&changes(0, 5, &[("a", Strength::Hard, 5)]));
        // Between, `a` was invalidated at 8 and that was forgotten.
        numbers.take_over(&changes(9, 12, &[("b", Strength::Hard, 12)]));
        assert_eq!(validity(&numbers, "a", 6), Validity::Hard);
        assert_eq!(validity(&numbers, "a", 9), Validity::Valid);
        // What is known already is kept where the floor brings nothing new.
        numbers.take_over(&changes(9, 13, &[("c", Strength::Hard, 13)]));
        assert_eq!(validity(&numbers, "b", 11), Validity::Hard);
        assert_eq!(validity(&numbers, "b", 12), Validity::Valid);
    }
}
