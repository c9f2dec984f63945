//! How far a database's log had come: what a reader must have seen.

use std::{fmt, str::FromStr};

/// The most shards a database may have: positions of all of them fit into a cookie.
pub const MOST_SHARDS: usize = 64;

/// How far the write-ahead log of each shard had come, in bytes since its beginning (PostgreSQL's LSN as a number).
///
/// Whoever has seen these positions has seen every write before them. They only ever grow: two of them are merged by
/// the higher one of each shard.
///
/// ```
/// use tropos_core::Positions;
/// let mut seen = Positions::default();
/// seen.raise(0, 0x16B_3748);
/// seen.raise(0, 5); // lower: nothing changes
/// assert_eq!(seen.of(0), 0x16B_3748);
/// assert_eq!(seen.to_string(), "0-16b3748");
/// assert_eq!("0-16b3748".parse(), Ok(seen));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct Positions(Vec<(u16, u64)>);

/// The text is not what [`Positions`] writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotPositions;

impl Positions {
    /// The position in the log of a shard; 0, which everything has seen, where none is known.
    pub fn of(&self, shard: u16) -> u64 {
        let known = self.0.iter().find(|(at, _)| *at == shard);
        known.map_or(0, |(_, position)| *position)
    }

    /// Raises the position of a shard; a lower one changes nothing, and so does a shard beyond [`MOST_SHARDS`].
    pub fn raise(&mut self, shard: u16, position: u64) {
        if usize::from(shard) >= MOST_SHARDS || position == 0 {
            return;
        }
        match self.0.binary_search_by_key(&shard, |(at, _)| *at) {
            Ok(found) => {
                if let Some((_, known)) = self.0.get_mut(found) {
                    *known = (*known).max(position);
                }
            }
            Err(place) => self.0.insert(place, (shard, position)),
        }
    }

    /// Raises each shard to what `other` knows of it.
    pub fn merge(&mut self, other: &Self) {
        for (shard, position) in &other.0 {
            self.raise(*shard, *position);
        }
    }

    /// Whether nothing needs to have been seen.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Shards and their positions, in the order of the shards.
    pub fn iter(&self) -> impl Iterator<Item = (u16, u64)> + '_ {
        self.0.iter().copied()
    }
}

impl FromIterator<(u16, u64)> for Positions {
    fn from_iter<T: IntoIterator<Item = (u16, u64)>>(positions: T) -> Self {
        let mut all = Self::default();
        positions.into_iter().for_each(|(shard, position)| all.raise(shard, position));
        all
    }
}

/// Shard and position in hexadecimal digits, `-` between them, `_` between shards: nothing that a cookie or a header
/// would have to quote.
impl fmt::Display for Positions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (shard, position)) in self.0.iter().enumerate() {
            let gap = if place == 0 { "" } else { "_" };
            write!(f, "{gap}{shard:x}-{position:x}")?;
        }
        Ok(())
    }
}

impl FromStr for Positions {
    type Err = NotPositions;

    fn from_str(text: &str) -> Result<Self, NotPositions> {
        let mut all = Self::default();
        for part in text.split('_').filter(|_| !text.is_empty()) {
            let (shard, position) = part.split_once('-').ok_or(NotPositions)?;
            let shard = u16::from_str_radix(shard, 16).map_err(|_| NotPositions)?;
            let position = u64::from_str_radix(position, 16).map_err(|_| NotPositions)?;
            if usize::from(shard) >= MOST_SHARDS {
                return Err(NotPositions);
            }
            all.raise(shard, position);
        }
        Ok(all)
    }
}

impl fmt::Display for NotPositions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a list of shards and positions such as `0-16b3748_1-2a`")
    }
}

impl std::error::Error for NotPositions {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_list_of_positions_is_refused() {
        for text in ["0", "-", "0-", "g-1", "40-1", "0-1__1-2", "0-10000000000000000", "0-1_"] {
            assert_eq!(text.parse::<Positions>(), Err(NotPositions), "{text}");
        }
        assert_eq!("".parse(), Ok(Positions::default()));
    }

    proptest! {
        #[test]
        fn text_and_back_is_the_same(all in proptest::collection::vec((0u16..64, 0u64..), 0..70)) {
            let all: Positions = all.into_iter().collect();
            prop_assert_eq!(all.to_string().parse(), Ok(all));
        }

        #[test]
        fn merging_keeps_the_higher(a in proptest::collection::vec((0u16..4, 0u64..9), 0..4),
                                    b in proptest::collection::vec((0u16..4, 0u64..9), 0..4)) {
            let (a, b): (Positions, Positions) = (a.into_iter().collect(), b.into_iter().collect());
            let mut both = a.clone();
            both.merge(&b);
            for shard in 0..4 {
                prop_assert_eq!(both.of(shard), a.of(shard).max(b.of(shard)));
            }
        }
    }
}
