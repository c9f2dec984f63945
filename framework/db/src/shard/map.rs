//! Which slots are on which shard: pure.

use super::{NotSlots, SLOTS, ShardKey, Slot, SlotRanges};
use std::fmt;

pub use tropos_core::MOST_SHARDS;

/// The longest name of a shard, in bytes.
const LONGEST_NAME: usize = 32;

/// The name of the shard where configuration names none.
pub(crate) const ONLY: &str = "main";

/// Which shard each slot is on, according to configuration.
///
/// Shards are numbered in the order in which they are given. Positions of logs go by that number, so a new shard has
/// to come last, and none may be left out while visitors still carry cookies with positions.
///
/// ```
/// use tropos_db::shard::SlotMap;
/// let map = SlotMap::new([("a", "0-8191"), ("b", "8192-16383")])?;
/// assert_eq!(map.shard_for(&42), 0);
/// assert_eq!(map.name(0), Some("a"));
/// assert_eq!(map.to_string(), "a = \"0-8191\"\nb = \"8192-16383\"\n");
/// # Ok::<(), tropos_db::shard::NotAMap>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct SlotMap {
    names: Vec<String>,
    /// The shard of each slot.
    shards: Box<[u8]>,
}

/// The slots that configuration gives to the shards do not make a map.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAMap {
    /// There is no shard.
    #[error(
        "no shard is named: leave the shards out of the configuration, or give all slots, `0-16383`, to one"
    )]
    Empty,
    /// There are too many shards.
    #[error("{0} shards are named and {MOST_SHARDS} are possible: give several ranges of slots to one shard")]
    TooMany(usize),
    /// A shard's name cannot be used.
    #[error(
        "the shard's name `{0}` is not allowed: take 1 to {LONGEST_NAME} of the characters a-z, 0-9 and `-`"
    )]
    Name(String),
    /// Two shards have one name.
    #[error("two shards are named `{0}`: rename one")]
    SameName(String),
    /// No shard has that name.
    #[error("no shard is named `{0}`: the configuration names {1}")]
    Unknown(String, String),
    /// The slots of a shard cannot be read.
    #[error("shard `{shard}`: {problem}")]
    Slots {
        /// The shard.
        shard: String,
        /// What is wrong.
        problem: NotSlots,
    },
    /// Some slots are on two shards.
    #[error("slots {slots} are on shard `{first}` and on shard `{second}`: take them out of one of the two")]
    Double {
        /// The slots.
        slots: SlotRanges,
        /// The shard that is named first.
        first: String,
        /// The other.
        second: String,
    },
    /// Some slots are on no shard.
    #[error("slots {0} are on no shard: add them to the `slots` of one")]
    Missing(SlotRanges),
    /// Some slots are not where they are to be moved from.
    #[error("slots {slots} are not on shard `{shard}`: name slots that are")]
    Elsewhere {
        /// The slots.
        slots: SlotRanges,
        /// The shard.
        shard: String,
    },
}

impl SlotMap {
    /// The map that gives to each shard the slots in its text, such as `0-4095, 9000`. A shard may have none yet.
    ///
    /// # Errors
    /// Unless each slot is on exactly one shard, and the names are usable.
    pub fn new<N, T>(shards: impl IntoIterator<Item = (N, T)>) -> Result<Self, NotAMap>
    where
        N: Into<String>,
        T: AsRef<str>,
    {
        let mut all = Vec::new();
        for (name, text) in shards {
            let shard = name.into();
            match text.as_ref().parse() {
                Ok(slots) => all.push((shard, slots)),
                Err(problem) => return Err(NotAMap::Slots { shard, problem }),
            }
        }
        Self::of(all)
    }

    /// The same from slots that have been read already.
    ///
    /// # Errors
    /// As [`SlotMap::new`].
    pub fn of(all: Vec<(String, SlotRanges)>) -> Result<Self, NotAMap> {
        check_names(all.iter().map(|(name, _)| name.as_str()))?;
        let mut owners: Vec<Option<u8>> = vec![None; usize::from(SLOTS)];
        for (shard, (name, slots)) in (0u8..).zip(&all) {
            let mut double: Vec<(Slot, u8)> = Vec::new();
            for slot in slots.slots() {
                match owners.get_mut(usize::from(slot.number())) {
                    Some(Some(other)) => double.push((slot, *other)),
                    Some(owner) => *owner = Some(shard),
                    None => {}
                }
            }
            if let Some((_, other)) = double.first().copied() {
                let slots =
                    double.iter().filter(|(_, owner)| *owner == other).map(|(slot, _)| *slot).collect();
                let first = all.get(usize::from(other)).map(|(name, _)| name.clone()).unwrap_or_default();
                return Err(NotAMap::Double { slots, first, second: name.clone() });
            }
        }
        let missing = (0..SLOTS).zip(&owners).filter(|(_, owner)| owner.is_none());
        let missing: SlotRanges = missing.filter_map(|(slot, _)| Slot::new(slot)).collect();
        if !missing.is_empty() {
            return Err(NotAMap::Missing(missing));
        }
        let names = all.into_iter().map(|(name, _)| name).collect();
        Ok(Self { names, shards: owners.into_iter().flatten().collect() })
    }

    /// All slots on one shard.
    pub fn one() -> Self {
        Self { names: vec![ONLY.to_owned()], shards: vec![0; usize::from(SLOTS)].into() }
    }

    /// Shares as equal as they can be, each in one range: for a first configuration.
    ///
    /// ```
    /// let map = tropos_db::shard::SlotMap::even_split(["a", "b", "c"])?;
    /// assert_eq!(map.to_string(), "a = \"0-5460\"\nb = \"5461-10921\"\nc = \"10922-16383\"\n");
    /// # Ok::<(), tropos_db::shard::NotAMap>(())
    /// ```
    ///
    /// # Errors
    /// When the names cannot be used.
    pub fn even_split<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Result<Self, NotAMap> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        check_names(names.iter().map(String::as_str))?;
        let begin = |shard: usize| usize::from(SLOTS) * shard / names.len();
        let shards = (0u8..).zip(&names).flat_map(|(shard, _)| {
            let slots = begin(usize::from(shard) + 1) - begin(usize::from(shard));
            std::iter::repeat_n(shard, slots)
        });
        Ok(Self { shards: shards.collect(), names })
    }

    /// The number of the shard that a slot is on: one look into an array.
    pub fn shard_of(&self, slot: Slot) -> u16 {
        self.shards.get(usize::from(slot.number())).copied().unwrap_or_default().into()
    }

    /// The number of the shard that a key is on.
    pub fn shard_for<K: ShardKey + ?Sized>(&self, key: &K) -> u16 {
        self.shard_of(key.slot())
    }

    /// How many shards there are: at least one.
    #[expect(clippy::len_without_is_empty, reason = "it never is")]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// The names in the order of their numbers.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The name of a shard.
    pub fn name(&self, shard: u16) -> Option<&str> {
        self.names.get(usize::from(shard)).map(String::as_str)
    }

    /// The number of a shard.
    ///
    /// # Errors
    /// When none has that name.
    pub fn number(&self, name: &str) -> Result<u16, NotAMap> {
        let found = (0u16..).zip(&self.names).find(|(_, known)| *known == name);
        found.map(|(number, _)| number).ok_or_else(|| {
            let known: Vec<_> = self.names().map(|name| format!("`{name}`")).collect();
            NotAMap::Unknown(name.to_owned(), known.join(", "))
        })
    }

    /// The slots on a shard.
    pub fn slots_on(&self, shard: u16) -> SlotRanges {
        let slots = (0..SLOTS).zip(&self.shards).filter(|(_, owner)| u16::from(**owner) == shard);
        slots.filter_map(|(slot, _)| Slot::new(slot)).collect()
    }

    /// The map after some slots have moved: what is to be written into the configuration then.
    ///
    /// # Errors
    /// When there is no such shard, or some of the slots are on another one.
    pub fn moved(&self, slots: &SlotRanges, from: &str, to: &str) -> Result<Self, NotAMap> {
        let (source, target) = (self.number(from)?, self.number(to)?);
        let elsewhere: SlotRanges = slots.slots().filter(|slot| self.shard_of(*slot) != source).collect();
        if !elsewhere.is_empty() {
            return Err(NotAMap::Elsewhere { slots: elsewhere, shard: from.to_owned() });
        }
        let mut next = self.clone();
        // At most `MOST_SHARDS`, so it fits.
        let target = u8::try_from(target).unwrap_or(u8::MAX);
        for slot in slots.slots() {
            if let Some(shard) = next.shards.get_mut(usize::from(slot.number())) {
                *shard = target;
            }
        }
        Ok(next)
    }
}

impl Default for SlotMap {
    fn default() -> Self {
        Self::one()
    }
}

/// A line for each shard: its name and its slots, as configuration has them.
impl fmt::Display for SlotMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (0u16..)
            .zip(&self.names)
            .try_for_each(|(shard, name)| writeln!(f, "{name} = \"{}\"", self.slots_on(shard)))
    }
}

impl fmt::Debug for SlotMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shards = (0u16..).zip(&self.names).map(|(shard, name)| (name, self.slots_on(shard).to_string()));
        f.debug_map().entries(shards).finish()
    }
}

fn check_names<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), NotAMap> {
    let mut seen: Vec<&str> = Vec::new();
    for name in names {
        let fits = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        if !(1..=LONGEST_NAME).contains(&name.len()) || !name.bytes().all(fits) {
            return Err(NotAMap::Name(name.to_owned()));
        }
        if seen.contains(&name) {
            return Err(NotAMap::SameName(name.to_owned()));
        }
        seen.push(name);
    }
    match seen.len() {
        0 => Err(NotAMap::Empty),
        1..=MOST_SHARDS => Ok(()),
        count => Err(NotAMap::TooMany(count)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn map(shards: &[(&str, &str)]) -> Result<SlotMap, NotAMap> {
        SlotMap::new(shards.iter().copied())
    }

    #[test]
    fn what_is_wrong_with_a_map_is_said_with_what_to_do() {
        let name = "x".repeat(33);
        for (shards, message) in [
            (
                vec![],
                "no shard is named: leave the shards out of the configuration, or give all slots, `0-16383`, to one",
            ),
            (
                vec![("A", "0-16383")],
                "the shard's name `A` is not allowed: take 1 to 32 of the characters a-z, 0-9 and `-`",
            ),
            (
                vec![("", "0-16383")],
                "the shard's name `` is not allowed: take 1 to 32 of the characters a-z, 0-9 and `-`",
            ),
            (vec![("a", "0-99"), ("a", "100-16383")], "two shards are named `a`: rename one"),
            (
                vec![("a", "0-99, 200-16382")],
                "slots 100-199, 16383 are on no shard: add them to the `slots` of one",
            ),
            (vec![("a", ""), ("b", "")], "slots 0-16383 are on no shard: add them to the `slots` of one"),
            (
                vec![("a", "0-9000"), ("b", "8192-16383")],
                "slots 8192-9000 are on shard `a` and on shard `b`: take them out of one of the two",
            ),
            (
                vec![("a", "0-x")],
                "shard `a`: `0-x` is not a range of slots: a slot is a number from 0 to 16383; write ranges such as \
                 `0-8191, 9000`",
            ),
        ] {
            let error = map(&shards).err().map(|error| error.to_string());
            assert_eq!(error.as_deref(), Some(message), "{shards:?}");
        }
        assert_eq!(map(&[(&name, "0-16383")]), Err(NotAMap::Name(name.clone())));
        let many = (0..65).map(|n| (format!("s{n}"), String::new()));
        assert_eq!(SlotMap::new(many), Err(NotAMap::TooMany(65)));
    }

    #[test]
    fn a_shard_may_wait_for_its_first_slot() {
        let map = map(&[("a", "0-16383"), ("b", "")]).unwrap();
        assert_eq!((map.len(), map.slots_on(1)), (2, SlotRanges::default()));
    }

    #[test]
    fn without_configuration_one_shard_has_all() {
        let map = SlotMap::default();
        assert_eq!((map.len(), map.name(0), map.slots_on(0)), (1, Some("main"), SlotRanges::all()));
    }

    #[test]
    fn moving_takes_from_the_one_and_gives_to_the_other() {
        let before = map(&[("a", "0-8191"), ("b", "8192-16383")]).unwrap();
        let slots = "100-199".parse().unwrap();
        let after = before.moved(&slots, "a", "b").unwrap();
        assert_eq!(after.to_string(), "a = \"0-99, 200-8191\"\nb = \"100-199, 8192-16383\"\n");
        assert_eq!(after.moved(&slots, "b", "a").unwrap(), before);
        let elsewhere = NotAMap::Elsewhere { slots: slots.clone(), shard: "a".to_owned() };
        assert_eq!(after.moved(&slots, "a", "b"), Err(elsewhere));
        assert_eq!(
            after.moved(&slots, "b", "c"),
            Err(NotAMap::Unknown("c".to_owned(), "`a`, `b`".to_owned()))
        );
    }

    proptest! {
        #[test]
        fn an_even_split_is_even_and_can_be_read_back(count in 1usize..=MOST_SHARDS) {
            let map = SlotMap::even_split((0..count).map(|n| format!("s{n}"))).unwrap();
            let sizes: Vec<_> = (0..count).map(|shard| map.slots_on(shard as u16).len()).collect();
            prop_assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1, "{sizes:?}");
            let texts = (0..count).map(|n| (format!("s{n}"), map.slots_on(n as u16).to_string()));
            prop_assert_eq!(SlotMap::new(texts).unwrap(), map);
        }

        #[test]
        fn a_slot_is_on_the_shard_that_names_it(cut in 1u16..SLOTS, slot in 0u16..SLOTS) {
            let (low, high) = (format!("0-{}", cut - 1), format!("{cut}-16383"));
            let map = map(&[("low", &low), ("high", &high)]).unwrap();
            prop_assert_eq!(map.shard_of(Slot::new(slot).unwrap()), u16::from(slot >= cut));
        }
    }
}
