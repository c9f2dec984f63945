//! The numbers on the tags: plain data, no I/O.

use std::collections::HashMap;
use tropos_core::Tag;

/// A place in the sequence: where it stood when a render began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// Which sequence: another one counts other invalidations, so its numbers mean nothing here.
    pub incarnation: u64,
    /// The number of the latest invalidation by then.
    pub sequence: u64,
}

impl Stamp {
    /// Of entries that a build made: before all invalidations, whatever the sequence.
    pub const BUILD: Stamp = Stamp { incarnation: 0, sequence: 0 };
}

/// What an invalidation does to entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Strength {
    /// Makes them unusable.
    #[default]
    Hard,
    /// Makes them stale.
    Soft,
}

/// What the tags say about an entry; the later, the worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Validity {
    /// Nothing that it was made of has been invalidated since.
    Valid,
    /// Invalidated softly since: stale.
    Soft,
    /// Invalidated since, or made under another sequence: not usable.
    Hard,
}

/// The number of the latest hard, and of the latest soft, invalidation of something; 0 where there was none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Marks {
    pub(crate) hard: u64,
    pub(crate) soft: u64,
}

impl Marks {
    fn raise(&mut self, strength: Strength, number: u64) {
        let mark = match strength {
            Strength::Hard => &mut self.hard,
            Strength::Soft => &mut self.soft,
        };
        *mark = number.max(*mark);
    }

    fn latest(self) -> u64 {
        self.hard.max(self.soft)
    }

    fn validity(self, start: u64) -> Validity {
        if self.hard > start {
            Validity::Hard
        } else if self.soft > start {
            Validity::Soft
        } else {
            Validity::Valid
        }
    }
}

/// The sequence and the numbers on the tags.
///
/// Bounded and never wrong to the unsafe side: when there are too many, the older half is forgotten, and from then on a
/// tag without a number counts as invalidated at the highest number that was forgotten (the floor).
///
/// ```
/// use tropos_cache::{Strength, TagNumbers, Validity};
/// let mut numbers = TagNumbers::new(7);
/// let before = numbers.current();
/// numbers.invalidate(&["product-1".into()], Strength::Hard);
/// assert_eq!(numbers.validity(&["product-1".into()], before), Validity::Hard);
/// assert_eq!(numbers.validity(&["product-2".into()], before), Validity::Valid);
/// assert_eq!(numbers.validity(&["product-1".into()], numbers.current()), Validity::Valid);
/// ```
#[derive(Debug, Clone)]
pub struct TagNumbers {
    incarnation: u64,
    sequence: u64,
    floor: Marks,
    capacity: usize,
    marks: HashMap<Tag, Marks>,
}

/// A million names of fifty bytes are about 100 MB; an application that has changed more different things than that
/// renders some pages once too often.
const CAPACITY: usize = 1_000_000;

impl TagNumbers {
    /// A new sequence. `incarnation` tells it from all others and is not 0.
    pub fn new(incarnation: u64) -> Self {
        Self::with_capacity(incarnation, CAPACITY)
    }

    /// A new sequence that remembers at most so many tags.
    pub fn with_capacity(incarnation: u64, capacity: usize) -> Self {
        Self { incarnation, sequence: 0, floor: Marks::default(), capacity, marks: HashMap::new() }
    }

    /// Where the sequence stands.
    pub fn current(&self) -> Stamp {
        Stamp { incarnation: self.incarnation, sequence: self.sequence }
    }

    /// Takes the next number, writes it on the tags and returns it.
    pub fn invalidate(&mut self, tags: &[Tag], strength: Strength) -> u64 {
        let number = self.sequence.saturating_add(1);
        self.apply(tags, strength, number);
        number
    }

    /// What has happened since `stamp` to anything with one of `tags`.
    pub fn validity(&self, tags: &[Tag], stamp: Stamp) -> Validity {
        if stamp.incarnation != self.incarnation && stamp != Stamp::BUILD {
            return Validity::Hard;
        }
        let of = |tag| self.marks.get(tag).unwrap_or(&self.floor).validity(stamp.sequence);
        tags.iter().map(of).max().unwrap_or(Validity::Valid)
    }

    /// Which of `tags` were invalidated since `stamp`, how, and at which number: for who asks why an entry is not valid.
    /// Of a tag that was forgotten, the floor.
    pub fn invalidated_since(&self, tags: &[Tag], stamp: Stamp) -> Vec<(Tag, Strength, u64)> {
        let of = |tag: &Tag| {
            let marks = *self.marks.get(tag).unwrap_or(&self.floor);
            match marks.validity(stamp.sequence) {
                Validity::Hard => Some((tag.clone(), Strength::Hard, marks.hard)),
                Validity::Soft => Some((tag.clone(), Strength::Soft, marks.soft)),
                Validity::Valid => None,
            }
        };
        tags.iter().filter_map(of).collect()
    }

    /// How many tags carry a number of their own.
    pub fn len(&self) -> usize {
        self.marks.len()
    }

    /// Whether no tag carries a number of its own.
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// Writes a number that is already decided on the tags.
    pub(crate) fn apply(&mut self, tags: &[Tag], strength: Strength, number: u64) {
        self.sequence = number.max(self.sequence);
        for tag in tags {
            match self.marks.get_mut(tag) {
                Some(marks) => marks.raise(strength, number),
                None => {
                    // The floor is the least that is known of a forgotten tag.
                    let mut marks = self.floor;
                    marks.raise(strength, number);
                    self.marks.insert(tag.clone(), marks);
                }
            }
        }
        if self.marks.len() > self.capacity {
            self.forget_older_half();
        }
    }

    /// Counts everything that is not known better as invalidated at `number`.
    pub(crate) fn raise_floor(&mut self, strength: Strength, number: u64) {
        self.sequence = number.max(self.sequence);
        self.floor.raise(strength, number);
    }

    /// Forgets the numbers of all tags; the caller raises the floor to what they can have been.
    pub(crate) fn forget_all(&mut self) {
        self.marks.clear();
    }

    pub(crate) fn floor(&self) -> Marks {
        self.floor
    }

    pub(crate) fn marks(&self) -> impl Iterator<Item = (&Tag, Marks)> {
        self.marks.iter().map(|(tag, marks)| (tag, *marks))
    }

    fn forget_older_half(&mut self) {
        let mut latest: Vec<u64> = self.marks.values().map(|marks| marks.latest()).collect();
        let (_, &mut pivot, _) = latest.select_nth_unstable(self.marks.len() / 2);
        let floor = &mut self.floor;
        self.marks.retain(|_, marks| {
            let keep = marks.latest() > pivot;
            if !keep {
                floor.raise(Strength::Hard, marks.hard);
                floor.raise(Strength::Soft, marks.soft);
            }
            keep
        });
    }
}
