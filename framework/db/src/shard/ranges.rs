//! Sets of slots, as `0-8191, 9000`.

use super::{SLOTS, Slot};
use std::{fmt, str::FromStr};

/// Slots, as ranges in ascending order that neither overlap nor touch.
///
/// ```
/// use tropos_db::shard::SlotRanges;
/// let slots: SlotRanges = "9000, 0-99, 100-199".parse()?;
/// assert_eq!(slots.to_string(), "0-199, 9000");
/// assert_eq!(slots.len(), 201);
/// # Ok::<(), tropos_db::shard::NotSlots>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct SlotRanges(Vec<(u16, u16)>);

/// The text is no list of slots.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{part}` is not a range of slots: {problem}; write ranges such as `0-8191, 9000`")]
pub struct NotSlots {
    /// The part of the text that is wrong.
    pub part: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl SlotRanges {
    /// All slots.
    pub fn all() -> Self {
        Self(vec![(0, SLOTS - 1)])
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many slots these are.
    pub fn len(&self) -> usize {
        self.0.iter().map(|(first, last)| usize::from(last - first) + 1).sum()
    }

    /// Whether the slot is one of them.
    pub fn contains(&self, slot: Slot) -> bool {
        self.0.iter().any(|(first, last)| (*first..=*last).contains(&slot.number()))
    }

    /// First and last slot of each range, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = (u16, u16)> + '_ {
        self.0.iter().copied()
    }

    /// Each slot, in ascending order.
    pub fn slots(&self) -> impl Iterator<Item = Slot> + '_ {
        self.0.iter().flat_map(|(first, last)| *first..=*last).map(Slot)
    }
}

impl FromIterator<Slot> for SlotRanges {
    fn from_iter<T: IntoIterator<Item = Slot>>(slots: T) -> Self {
        let mut numbers: Vec<u16> = slots.into_iter().map(Slot::number).collect();
        numbers.sort_unstable();
        let mut ranges: Vec<(u16, u16)> = Vec::new();
        for number in numbers {
            match ranges.last_mut() {
                Some((_, last)) if number <= *last + 1 => *last = number,
                _ => ranges.push((number, number)),
            }
        }
        Self(ranges)
    }
}

/// An empty text is no slot: a shard that is yet to be filled.
impl FromStr for SlotRanges {
    type Err = NotSlots;

    fn from_str(text: &str) -> Result<Self, NotSlots> {
        let mut ranges = Vec::new();
        for part in text.split(',').map(str::trim).filter(|_| !text.trim().is_empty()) {
            let wrong = |problem| NotSlots { part: part.to_owned(), problem };
            let number = |text: &str| match text.trim().parse::<u16>() {
                Ok(number) if number < SLOTS => Ok(number),
                Ok(_) => Err(wrong("the last slot is 16383")),
                Err(_) => Err(wrong("a slot is a number from 0 to 16383")),
            };
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (number(first)?, number(last)?);
            if first > last {
                return Err(wrong("its first slot is above its last"));
            }
            if ranges.iter().any(|(other, end)| first <= *end && *other <= last) {
                return Err(wrong("some of its slots stand in another range too"));
            }
            ranges.push((first, last));
        }
        // Anew from the slots, so that ranges that touch become one.
        Ok(Self(ranges).slots().collect())
    }
}

impl fmt::Display for SlotRanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (first, last)) in self.0.iter().enumerate() {
            let gap = if place == 0 { "" } else { ", " };
            if first == last { write!(f, "{gap}{first}") } else { write!(f, "{gap}{first}-{last}") }?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges_are_sorted_and_joined() {
        for (text, written) in [
            ("", ""),
            ("  ", ""),
            ("0-16383", "0-16383"),
            ("5", "5"),
            ("7 - 9 ,1-2", "1-2, 7-9"),
            ("3,1,2", "1-3"),
        ] {
            assert_eq!(
                text.parse::<SlotRanges>().map(|slots| slots.to_string()),
                Ok(written.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_range_is_named() {
        for (text, part) in [
            ("a", "a"),
            ("0-1,", ""),
            ("0--1", "0--1"),
            ("-1", "-1"),
            ("16384", "16384"),
            ("9-5", "9-5"),
            ("0-5, 5-6", "5-6"),
            ("0-99999", "0-99999"),
        ] {
            assert_eq!(
                text.parse::<SlotRanges>().map_err(|error| error.part),
                Err(part.to_owned()),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn text_and_back_is_the_same(slots in proptest::collection::vec(0..SLOTS, 0..200)) {
            let ranges: SlotRanges = slots.iter().filter_map(|slot| Slot::new(*slot)).collect();
            prop_assert_eq!(ranges.to_string().parse(), Ok(ranges.clone()));
            let mut distinct = slots;
            distinct.sort_unstable();
            distinct.dedup();
            prop_assert_eq!(ranges.slots().map(Slot::number).collect::<Vec<_>>(), distinct);
        }
    }
}
