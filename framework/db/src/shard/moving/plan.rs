//! What is to be done next, by what both databases say: pure. Whoever moves slots may die at any moment, and the next
//! one goes on from there.

use crate::shard::{Fence, SlotRanges, State};
use std::fmt;

/// What is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goal {
    /// The target owns the slots.
    Move,
    /// The source owns them as before.
    Abort,
    /// The source has nothing of them left.
    Clean,
}

/// A step, each of which may be done again when it was cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Step {
    /// The target makes sure that it has the same tables and nothing of these slots, and marks them as coming.
    Receive,
    /// The source marks them as moving, and waits for the transactions that may have written them: from here on nobody
    /// writes them.
    Freeze,
    /// Their rows are copied in batches.
    Copy,
    /// Numbers and checksums of the rows are compared.
    Verify,
    /// The source marks them as gone: from here on there is no way back but to move them back.
    Release,
    /// The target marks them as owned: from here on they are written there.
    Take,
    /// When given up: the target deletes what it has of them.
    Forget,
    /// When given up: the source owns them again.
    Thaw,
    /// When all instances have the new map: the source deletes its rows of them.
    Clean,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Receive => "the target makes ready",
            Self::Freeze => "the source stops writing them",
            Self::Copy => "their rows are copied",
            Self::Verify => "the rows of both sides are compared",
            Self::Release => "the source gives them up",
            Self::Take => "the target takes them",
            Self::Forget => "the target deletes what it has of them",
            Self::Thaw => "the source writes them again",
            Self::Clean => "the source deletes its rows of them",
        })
    }
}

/// What one side says of the slots in question.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Side {
    /// All of them are in one state, `None` where they are elsewhere.
    All(Option<State>),
    /// They are in one state, but by a move with a shard that is not the other side.
    Other {
        /// The state.
        state: State,
        /// That shard.
        peer: String,
    },
    /// They are in different states: these are in the state of the first of them.
    Mixed(SlotRanges),
}

impl Side {
    /// What a fence says of the slots, where `peer` is the other side.
    pub(super) fn of(fence: &Fence, slots: &SlotRanges, peer: &str) -> Self {
        let held = |slot| fence.of(slot).map(|held| (held.state, held.peer.as_deref()));
        let Some(first) = slots.slots().next().map(held) else { return Self::All(None) };
        if slots.slots().any(|slot| held(slot) != first) {
            return Self::Mixed(slots.slots().filter(|slot| held(*slot) == first).collect());
        }
        match first {
            Some((state, Some(other))) if other != peer => Self::Other { state, peer: other.to_owned() },
            _ => Self::All(first.map(|(state, _)| state)),
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(None) => f.write_str("not there"),
            Self::All(Some(state)) => f.write_str(state.word()),
            Self::Other { state, peer } => write!(f, "{} by a move with `{peer}`", state.word()),
            Self::Mixed(part) => write!(f, "not all in one state ({part} are)"),
        }
    }
}

/// Where a move stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// What the source says.
    pub source: Side,
    /// What the target says.
    pub target: Side,
    /// Whether all rows have been copied.
    pub copied: bool,
    /// Whether they have been compared, by this very run.
    pub verified: bool,
}

/// Why nothing can be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Blocked {
    /// The source has given the slots up already.
    #[error(
        "it is too late to give up: the source has let go of the slots; finish the move, then move them back"
    )]
    TooLate,
    /// The target does not own the slots yet.
    #[error("the move is not finished, so that the source's rows are still needed: finish it first")]
    Unfinished,
    /// The target holds old rows of these slots.
    #[error("the target still has the rows of when these slots moved away from it: clean up that move first")]
    NotCleaned,
    /// The two sides do not fit together.
    #[error(
        "at the source the slots are {}, at the target {}: name the very slots and shards of the move that was begun, \
         or slots that the source owns", .0.source, .0.target
    )]
    Standing(Box<Standing>),
}

/// The next step towards the goal; `None` when it is reached.
pub(super) fn next(goal: Goal, standing: &Standing) -> Result<Option<Step>, Blocked> {
    use State::{Coming, Gone, Moving, Owned};
    let blocked = || Blocked::Standing(Box::new(standing.clone()));
    let (Side::All(source), Side::All(target)) = (&standing.source, &standing.target) else {
        return match (goal, &standing.source, &standing.target) {
            (Goal::Move, Side::All(Some(Owned)), Side::Other { state: Gone, .. }) => Err(Blocked::NotCleaned),
            _ => Err(blocked()),
        };
    };
    Ok(match (goal, *source, *target) {
        (Goal::Move, Some(Owned | Moving), None) => Some(Step::Receive),
        (Goal::Move, Some(Owned), Some(Coming)) => Some(Step::Freeze),
        (Goal::Move, Some(Moving), Some(Coming)) if !standing.copied => Some(Step::Copy),
        (Goal::Move, Some(Moving), Some(Coming)) if !standing.verified => Some(Step::Verify),
        (Goal::Move, Some(Moving), Some(Coming)) => Some(Step::Release),
        (Goal::Move, Some(Gone), Some(Coming)) => Some(Step::Take),
        (Goal::Move | Goal::Clean, None | Some(Gone), Some(Owned)) => {
            (goal == Goal::Clean && source.is_some()).then_some(Step::Clean)
        }
        (Goal::Move, Some(Owned), Some(Gone)) => return Err(Blocked::NotCleaned),
        (Goal::Abort, Some(Owned), None) => None,
        (Goal::Abort, Some(Owned | Moving), Some(Coming)) => Some(Step::Forget),
        (Goal::Abort, Some(Moving), None) => Some(Step::Thaw),
        (Goal::Abort, Some(Gone), _) => return Err(Blocked::TooLate),
        (Goal::Clean, Some(Owned | Moving | Gone), None | Some(Coming)) => return Err(Blocked::Unfinished),
        _ => return Err(blocked()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shard::Held;
    use State::{Coming, Gone, Moving, Owned};

    fn standing(source: Option<State>, target: Option<State>) -> Standing {
        Standing { source: Side::All(source), target: Side::All(target), copied: false, verified: false }
    }

    /// What a step leaves behind.
    fn after(step: Step, before: &Standing) -> Standing {
        let mut after = before.clone();
        match step {
            Step::Receive => after.target = Side::All(Some(Coming)),
            Step::Freeze => after.source = Side::All(Some(Moving)),
            Step::Copy => after.copied = true,
            Step::Verify => after.verified = true,
            Step::Release => after.source = Side::All(Some(Gone)),
            Step::Take => (after.target, after.copied) = (Side::All(Some(Owned)), false),
            Step::Forget => (after.target, after.copied) = (Side::All(None), false),
            Step::Thaw => after.source = Side::All(Some(Owned)),
            Step::Clean => after.source = Side::All(None),
        }
        after
    }

    fn steps(goal: Goal, mut now: Standing) -> (Vec<Step>, Standing) {
        let mut steps = Vec::new();
        while let Some(step) = next(goal, &now).unwrap() {
            steps.push(step);
            now = after(step, &now);
            let owners =
                [&now.source, &now.target].iter().filter(|side| ***side == Side::All(Some(Owned))).count();
            assert!(owners <= 1, "both own the slots after {step:?}");
        }
        (steps, now)
    }

    #[test]
    fn a_move_goes_through_its_steps_and_never_has_two_owners() {
        use Step::{Clean, Copy, Freeze, Receive, Release, Take, Verify};
        let (done, end) = steps(Goal::Move, standing(Some(Owned), None));
        assert_eq!(done, [Receive, Freeze, Copy, Verify, Release, Take]);
        let (cleaned, end) = steps(Goal::Clean, end);
        assert_eq!(cleaned, [Clean]);
        assert_eq!(steps(Goal::Clean, end.clone()), (vec![], end));
    }

    #[test]
    fn a_move_that_was_cut_off_anywhere_is_finished_by_the_next() {
        let mut now = standing(Some(Owned), None);
        while let Some(step) = next(Goal::Move, &now).unwrap() {
            now = after(step, &now);
            let resumed = Standing { verified: false, ..now.clone() };
            let (_, end) = steps(Goal::Move, resumed);
            assert_eq!(
                (end.source, end.target),
                (Side::All(Some(Gone)), Side::All(Some(Owned))),
                "after {step:?}"
            );
        }
    }

    #[test]
    fn a_move_can_be_given_up_until_the_source_lets_go() {
        let mut now = standing(Some(Owned), None);
        while let Some(step) = next(Goal::Move, &now).unwrap() {
            now = after(step, &now);
            if matches!(step, Step::Release | Step::Take) {
                assert_eq!(next(Goal::Abort, &now), Err(Blocked::TooLate), "after {step:?}");
                continue;
            }
            let (_, end) = steps(Goal::Abort, now.clone());
            assert_eq!((end.source, end.target), (Side::All(Some(Owned)), Side::All(None)), "after {step:?}");
        }
    }

    #[test]
    fn an_abort_that_was_cut_off_is_either_finished_or_turned_back_into_a_move() {
        let between = standing(Some(Moving), None);
        assert_eq!(next(Goal::Abort, &between), Ok(Some(Step::Thaw)));
        assert_eq!(next(Goal::Move, &between), Ok(Some(Step::Receive)));
    }

    #[test]
    fn what_does_not_fit_together_is_left_alone() {
        for (goal, source, target) in [
            (Goal::Move, Some(Owned), Some(Owned)),
            (Goal::Move, None, None),
            (Goal::Move, Some(Moving), Some(Owned)),
            (Goal::Move, Some(Coming), Some(Owned)),
            (Goal::Move, Some(Gone), None),
            (Goal::Abort, Some(Moving), Some(Owned)),
            (Goal::Abort, Some(Owned), Some(Owned)),
            (Goal::Abort, None, Some(Owned)),
            (Goal::Clean, Some(Owned), Some(Owned)),
            (Goal::Clean, None, None),
            (Goal::Clean, Some(Owned), None),
            (Goal::Clean, Some(Gone), Some(Coming)),
        ] {
            assert!(next(goal, &standing(source, target)).is_err(), "{goal:?} {source:?} {target:?}");
        }
        assert_eq!(next(Goal::Move, &standing(Some(Owned), Some(Gone))), Err(Blocked::NotCleaned));
    }

    #[test]
    fn a_side_is_what_it_says_of_all_these_slots() {
        let held = |slots: &str, state, peer: Option<&str>| Held {
            slots: slots.parse().unwrap(),
            state,
            peer: peer.map(str::to_owned),
        };
        let fence = Fence {
            shard: Some("a".to_owned()),
            held: vec![held("0-9, 30-39", Moving, Some("b")), held("10-19", Owned, None)],
        };
        for (slots, peer, side) in [
            ("5-7, 33", "b", Side::All(Some(Moving))),
            ("10-12", "b", Side::All(Some(Owned))),
            ("20", "b", Side::All(None)),
            ("5-7", "c", Side::Other { state: Moving, peer: "b".to_owned() }),
            ("5-12", "b", Side::Mixed("5-9".parse().unwrap())),
            ("19-20", "b", Side::Mixed("19".parse().unwrap())),
        ] {
            assert_eq!(Side::of(&fence, &slots.parse().unwrap(), peer), side, "{slots}");
        }
    }
}
