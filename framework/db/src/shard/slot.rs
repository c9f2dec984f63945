//! Which slot a key is in: pure, and the same in any language.

use std::{borrow::Cow, fmt};

/// How many slots there are, for good: 2^14, as in Redis Cluster. Enough for [`MOST_SHARDS`](super::MOST_SHARDS)
/// shards to be even to within half of a per cent, and few enough for a map of them to be 16 KiB.
pub const SLOTS: u16 = 1 << 14;

/// One of the [`SLOTS`] parts into which keys are dealt. Slots are moved between shards; keys never change their slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(pub(super) u16);

impl Slot {
    /// The slot of that number; `None` from [`SLOTS`] on.
    pub fn new(number: u16) -> Option<Self> {
        (number < SLOTS).then_some(Self(number))
    }

    /// The slot of a key.
    pub fn of<K: ShardKey + ?Sized>(key: &K) -> Self {
        slot_of(&key.shard_key())
    }

    /// Its number, below [`SLOTS`].
    pub fn number(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The slot of a key's bytes: CRC16 modulo 16384, by the [Redis Cluster specification][1] (CRC-16/XMODEM: polynomial
/// 0x1021, beginning with 0, nothing reflected, nothing added at the end).
///
/// Unlike Redis, braces mean nothing: the whole key counts. For keys without braces, `redis-cli cluster keyslot KEY`
/// and `select tropos_slot('KEY')` say the same.
///
/// ```
/// use tropos_db::shard::slot_of;
/// assert_eq!(slot_of(b"123456789").number(), 0x31C3);
/// ```
///
/// [1]: https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#key-distribution-model
pub fn slot_of(key: &[u8]) -> Slot {
    Slot(crc16(key) % SLOTS)
}

/// What decides on which shard a row is.
///
/// Its bytes are those of the text that PostgreSQL gives for the column, `column::text` in UTF-8, so that the fence
/// in the database comes to the same slot: decimal digits for integers, `5bf7…-…` with small letters for `uuid`.
/// For a type of your own, hand on what it is stored as:
///
/// ```
/// use std::borrow::Cow;
/// use tropos_db::shard::{ShardKey, Slot};
///
/// struct Customer(i64);
/// impl ShardKey for Customer {
///     fn shard_key(&self) -> Cow<'_, [u8]> {
///         Cow::Owned(self.0.shard_key().into_owned())
///     }
/// }
/// assert_eq!(Slot::of(&Customer(42)), Slot::of("42"));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say on which shard its row is",
    note = "texts, integers and `[u8; 16]` (a UUID) do; for a type of your own implement `tropos_db::shard::ShardKey`"
)]
pub trait ShardKey {
    /// The bytes that [`slot_of`] takes.
    fn shard_key(&self) -> Cow<'_, [u8]>;

    /// The slot that these bytes are in.
    fn slot(&self) -> Slot {
        slot_of(&self.shard_key())
    }
}

impl ShardKey for str {
    fn shard_key(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self.as_bytes())
    }
}

impl ShardKey for String {
    fn shard_key(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self.as_bytes())
    }
}

impl ShardKey for Cow<'_, str> {
    fn shard_key(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self.as_bytes())
    }
}

impl<K: ShardKey + ?Sized> ShardKey for &K {
    fn shard_key(&self) -> Cow<'_, [u8]> {
        (**self).shard_key()
    }
}

/// A UUID by its bytes, hashed as the text that PostgreSQL writes it as: RFC 9562 §4, small letters.
impl ShardKey for [u8; 16] {
    fn shard_key(&self) -> Cow<'_, [u8]> {
        let mut text = Vec::with_capacity(36);
        for (place, byte) in self.iter().enumerate() {
            if matches!(place, 4 | 6 | 8 | 10) {
                text.push(b'-');
            }
            text.extend(
                [byte >> 4, byte & 15].map(|digit| if digit < 10 { b'0' + digit } else { b'a' - 10 + digit }),
            );
        }
        Cow::Owned(text)
    }
}

macro_rules! integers {
    ($($integer:ty),*) => {$(
        impl ShardKey for $integer {
            fn shard_key(&self) -> Cow<'_, [u8]> {
                Cow::Owned(self.to_string().into_bytes())
            }
        }
    )*};
}

integers!(i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize);

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        // One byte at a time without a table; the same lines stand in `install.sql`.
        let x = (crc >> 8) ^ u16::from(*byte);
        let x = x ^ (x >> 4);
        (crc << 8) ^ (x << 12) ^ (x << 5) ^ x
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn slots_are_those_of_redis_cluster() {
        // As `redis-cli cluster keyslot` says; `tests/shards.rs` asks a real one for more.
        for (key, slot) in [
            ("", 0),
            ("123456789", 0x31C3),
            ("foo", 12182),
            ("bar", 5061),
            ("hello", 866),
            ("somekey", 11058),
            ("user1000", 3443),
        ] {
            assert_eq!(slot_of(key.as_bytes()).number(), slot, "{key}");
        }
    }

    #[test]
    fn braces_mean_nothing() {
        assert_ne!(Slot::of("{user1000}.following"), Slot::of("user1000"));
    }

    #[test]
    fn a_key_hashes_as_the_text_that_postgres_has_for_it() {
        let uuid = [0x5b, 0xf7, 0x0a, 0xff, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0xab, 0xcd];
        for (key, text) in [
            (Slot::of(&42_i64), "42"),
            (Slot::of(&-7_i32), "-7"),
            (Slot::of(&u64::MAX), "18446744073709551615"),
            (Slot::of(&String::from("ä")), "ä"),
            (Slot::of(&uuid), "5bf70aff-0001-0203-0405-06070809abcd"),
        ] {
            assert_eq!(key, Slot::of(text), "{text}");
        }
    }

    #[test]
    fn a_slot_is_below_their_number() {
        assert_eq!(Slot::new(SLOTS - 1).map(Slot::number), Some(16383));
        assert_eq!(Slot::new(SLOTS), None);
    }

    proptest! {
        // 16,000 hashes a case.
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// 16 shards with an equal share each get it within a quarter, of 16,000 consecutive ids from anywhere.
        #[test]
        fn keys_are_dealt_evenly(from in 0u64..1 << 40, prefix in "[a-z]{0,8}") {
            let mut counts = [0u32; 16];
            for id in from..from + 16_000 {
                let slot = Slot::of(&format!("{prefix}{id}"));
                counts[usize::from(slot.number() / (SLOTS / 16))] += 1;
            }
            for count in counts {
                prop_assert!((750..=1250).contains(&count), "{counts:?}");
            }
        }

        #[test]
        fn the_lines_without_a_table_are_the_polynomial(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let by_bits = bytes.iter().fold(0u16, |crc, byte| {
                (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
                    if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
                })
            });
            prop_assert_eq!(crc16(&bytes), by_bits);
        }
    }
}
