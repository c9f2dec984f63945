//! The highest positions that invalidations carried: plain data, no I/O.

use super::Required;
use std::sync::Arc;
use tropos_core::Positions;

/// What every render that begins now must have seen.
///
/// Kept beside the numbers, under one lock: a render takes both in one look.
#[derive(Debug, Default)]
pub(crate) struct Floor {
    positions: Arc<Positions>,
    /// Whether there is a log to ask for. Without one nothing is ever unknown, and positions are only passed on.
    followed: bool,
    known: bool,
    /// Raised with each doubt, so that an answer to a question from before it ends none.
    doubts: u64,
}

/// The floor as a render found it at its beginning.
#[derive(Debug, Clone)]
pub(crate) enum FloorAt {
    /// It is none of those who are bound by it.
    Free,
    /// These positions.
    Known(Arc<Positions>),
    /// It was not known.
    Unknown,
}

impl Floor {
    /// Raises it to what an invalidation carried.
    pub(crate) fn raise(&mut self, positions: &Positions) {
        if !self.covers(positions) {
            Arc::make_mut(&mut self.positions).merge(positions);
        }
    }

    /// Whether all of these are reached already.
    pub(crate) fn covers(&self, positions: &Positions) -> bool {
        positions.iter().all(|(shard, position)| self.positions.of(shard) >= position)
    }

    /// There is a log to ask from now on.
    pub(crate) fn follow(&mut self) {
        self.followed = true;
        self.doubt();
    }

    /// Positions may have been lost: it is not known until the log has been asked anew.
    pub(crate) fn doubt(&mut self) {
        self.known = false;
        self.doubts += 1;
    }

    /// How many doubts there have been: to be noted before the log is asked.
    pub(crate) fn doubts(&self) -> u64 {
        self.doubts
    }

    /// What the log answered to a question that began after `doubts` doubts.
    pub(crate) fn settle(&mut self, doubts: u64, positions: &Positions) {
        self.raise(positions);
        self.known |= self.followed && doubts == self.doubts;
    }

    /// Whether it covers all invalidations that are known here.
    pub(crate) fn is_known(&self) -> bool {
        self.known || !self.followed
    }

    /// For a render that begins now.
    pub(crate) fn now(&self) -> FloorAt {
        if self.is_known() { FloorAt::Known(self.positions.clone()) } else { FloorAt::Unknown }
    }
}

impl FloorAt {
    pub(crate) fn requires(&self, shard: u16) -> Required {
        match self {
            Self::Free => Required::Nothing,
            Self::Known(positions) => Required::at(positions.of(shard)),
            Self::Unknown => Required::Primary,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(position: u64) -> Positions {
        [(0, position)].into_iter().collect()
    }

    #[test]
    fn g9_the_floor_only_rises_and_each_shard_by_itself() {
        let mut floor = Floor::default();
        floor.raise(&at(7));
        let before = floor.now();
        floor.raise(&at(5));
        floor.raise(&[(1, 3)].into_iter().collect());
        let after = floor.now();
        assert_eq!([0, 1, 2].map(|shard| before.requires(shard)), {
            [Required::Position(7), Required::Nothing, Required::Nothing]
        });
        assert_eq!([0, 1, 2].map(|shard| after.requires(shard)), {
            [Required::Position(7), Required::Position(3), Required::Nothing]
        });
        assert!(floor.covers(&at(7)) && !floor.covers(&at(8)));
    }

    #[test]
    fn g9_without_a_log_to_ask_nothing_is_unknown() {
        let mut floor = Floor::default();
        floor.doubt();
        assert_eq!(floor.now().requires(0), Required::Nothing);
        floor.settle(floor.doubts(), &at(1));
        assert_eq!(floor.now().requires(0), Required::Position(1));
        floor.follow();
        assert_eq!(floor.now().requires(0), Required::Primary, "no answer of the log yet");
    }

    #[test]
    fn g9_an_answer_to_a_question_from_before_a_doubt_does_not_end_it() {
        let mut floor = Floor::default();
        floor.follow();
        let asked = floor.doubts();
        floor.doubt();
        floor.settle(asked, &at(4));
        assert_eq!(floor.now().requires(0), Required::Primary);
        floor.settle(floor.doubts(), &at(3));
        assert_eq!(floor.now().requires(0), Required::Position(4), "what it said counts nevertheless");
    }
}
