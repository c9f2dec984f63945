//! The one binary format of an entry, on disk and in a build.
//!
//! `TROE`, version, length and bytes of: key, tags joined by blanks; stamp, wall clock of the start, ages, flags, cost, queries;
//! length of the value, packed or not; length and bytes of the value; xxh3 of all that. Numbers are little-endian. What
//! is torn or foreign reads as nothing.

use super::{Entry, Meta, Value};
use crate::Stamp;
use std::time::Duration;
use tropos_core::{Key, Tags, Tick, UnixMillis};
use xxhash_rust::xxh3::xxh3_64;

const MAGIC: &[u8; 4] = b"TROE";

/// Raised with every change of the format; another version reads as nothing, and the entry is made anew.
const VERSION: u16 = 3;

/// Shorter values are not worth a try at packing.
const SHORTEST_PACKED: usize = 512;

/// zstd's fastest: the store and the network are quicker than its better levels.
const LEVEL: i32 = 1;

/// A value that claims to unpack to more was never written.
const LONGEST_VALUE: usize = 256 << 20;

/// An age of "never".
const NEVER: u64 = u64::MAX;

impl<V: Value> Entry<V> {
    /// The entry as bytes, to be stored under `key`.
    pub fn encode(&self, key: &Key) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.value.weight() + 256);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        put_bytes(&mut out, key.as_str().as_bytes());
        let tags: Vec<&str> = self.meta.tags.iter().map(|tag| tag.as_str()).collect();
        put_bytes(&mut out, tags.join(" ").as_bytes());
        let numbers = [
            self.meta.stamp.incarnation,
            self.meta.stamp.sequence,
            self.meta.started_wall,
            age(self.meta.revalidate),
            age(self.meta.expire),
            u64::from(self.meta.negative),
            age(Some(self.meta.cost)),
            u64::from(self.queries),
        ];
        numbers.iter().for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
        let mut value = Vec::with_capacity(self.value.weight());
        self.value.encode(&mut value);
        // A page holds its body four times, and the plain one packs well; a value is packed where that saves an eighth.
        match pack(&value) {
            Some(packed) => {
                out.extend_from_slice(&(value.len() as u64).to_le_bytes());
                put_bytes(&mut out, &packed);
            }
            None => {
                out.extend_from_slice(&NOT_PACKED.to_le_bytes());
                put_bytes(&mut out, &value);
            }
        }
        let sum = xxh3_64(&out);
        out.extend_from_slice(&sum.to_le_bytes());
        out
    }

    /// Reads what [`Entry::encode`] wrote; `None` for anything torn or foreign.
    ///
    /// Its age is what the wall clock says it is. Where that clock was set back behind the start of the render, nobody
    /// knows the age, and the entry counts as stale.
    pub fn decode(bytes: &[u8], now: Tick, wall: UnixMillis) -> Option<(Key, Self)> {
        let (body, sum) = bytes.split_last_chunk::<8>()?;
        if xxh3_64(body) != u64::from_le_bytes(*sum) {
            return None;
        }
        let mut rest = body.strip_prefix(MAGIC)?.strip_prefix(&VERSION.to_le_bytes())?;
        let key = Key::from_stored(std::str::from_utf8(take_bytes(&mut rest)?).ok()?);
        let tags = std::str::from_utf8(take_bytes(&mut rest)?).ok()?;
        let tags: Tags = tags.split(' ').filter(|tag| !tag.is_empty()).collect();
        let stamp = Stamp { incarnation: take_number(&mut rest)?, sequence: take_number(&mut rest)? };
        let started_wall = take_number(&mut rest)?;
        let revalidate = span(take_number(&mut rest)?);
        let expire = span(take_number(&mut rest)?);
        let negative = take_number(&mut rest)? != 0;
        let cost = span(take_number(&mut rest)?).unwrap_or_default();
        let queries = u32::try_from(take_number(&mut rest)?).ok()?;
        let value = match take_number(&mut rest)? {
            NOT_PACKED => V::decode(take_bytes(&mut rest)?)?,
            length => V::decode(&unpack(take_bytes(&mut rest)?, length)?)?,
        };
        let age = match wall.checked_sub(started_wall) {
            Some(age) => Duration::from_millis(age),
            None => revalidate.unwrap_or_default(),
        };
        let started = now.minus(age);
        let meta = Meta { tags, stamp, started, started_wall, revalidate, expire, negative, cost };
        rest.is_empty().then(|| (key, Self::new(meta, value).with_queries(queries)))
    }
}

/// Stands in place of the length of a value that is not packed.
const NOT_PACKED: u64 = u64::MAX;

fn pack(value: &[u8]) -> Option<Vec<u8>> {
    if value.len() < SHORTEST_PACKED {
        return None;
    }
    let packed = zstd::bulk::compress(value, LEVEL).ok()?;
    (packed.len() <= value.len() - value.len() / 8).then_some(packed)
}

fn unpack(packed: &[u8], length: u64) -> Option<Vec<u8>> {
    let length = usize::try_from(length).ok().filter(|length| *length <= LONGEST_VALUE)?;
    let value = zstd::bulk::decompress(packed, length).ok()?;
    (value.len() == length).then_some(value)
}

fn age(span: Option<Duration>) -> u64 {
    span.map_or(NEVER, |span| u64::try_from(span.as_millis()).unwrap_or(NEVER))
}

fn span(age: u64) -> Option<Duration> {
    (age != NEVER).then(|| Duration::from_millis(age))
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    out.extend_from_slice(bytes);
}

fn take_number(rest: &mut &[u8]) -> Option<u64> {
    let (number, tail) = rest.split_first_chunk::<8>()?;
    *rest = tail;
    Some(u64::from_le_bytes(*number))
}

fn take_bytes<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(take_number(rest)?).ok()?;
    let (bytes, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Data;
    use proptest::prelude::*;

    fn entry(value: Vec<u8>) -> Entry<Data> {
        let meta = Meta {
            tags: ["a", "b"].into_iter().collect(),
            stamp: Stamp { incarnation: 3, sequence: 9 },
            started: Tick(0),
            started_wall: 1_000,
            revalidate: Some(Duration::from_secs(60)),
            expire: None,
            negative: false,
            cost: Duration::from_millis(7),
        };
        Entry::new(meta, Data(value.into())).with_queries(11)
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_packed_or_not(value in proptest::collection::vec(0_u8..8, 0..3_000)) {
            let (key, entry) = (Key::fetch("k"), entry(value));
            let bytes = entry.encode(&key);
            let (of, read) = Entry::<Data>::decode(&bytes, Tick(0), 1_000).unwrap();
            prop_assert_eq!(of, key);
            prop_assert_eq!(&read.meta, &entry.meta);
            prop_assert_eq!(&read.value, &entry.value);
            prop_assert_eq!(read.saves(), entry.saves());
            if entry.value.0.len() >= 2_000 {
                prop_assert!(bytes.len() < entry.value.0.len());
            }
        }

        #[test]
        fn what_is_torn_or_foreign_reads_as_nothing(cut in 0_usize..600, at in 0_usize..600, flip in 1_u8..) {
            let bytes = entry(vec![7; 700]).encode(&Key::fetch("k"));
            let decode = |bytes: &[u8]| Entry::<Data>::decode(bytes, Tick(0), 1_000);
            prop_assert!(decode(&bytes[..cut % bytes.len()]).is_none());
            let mut damaged = bytes.clone();
            damaged[at % bytes.len()] ^= flip;
            prop_assert!(decode(&damaged).is_none());
        }
    }

    #[test]
    fn a_value_that_claims_to_unpack_to_more_than_it_does_reads_as_nothing() {
        let packed = zstd::bulk::compress(&[7; 700], LEVEL).unwrap();
        assert!(unpack(&packed, 700).is_some());
        for length in [0, 699, 701, u64::MAX - 1] {
            assert!(unpack(&packed, length).is_none(), "{length}");
        }
    }
}
