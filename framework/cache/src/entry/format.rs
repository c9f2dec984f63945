//! The one binary format of an entry, on disk and in a build.
//!
//! `TROE`, version, length and bytes of: key, tags joined by blanks; stamp, wall clock of the start, ages, flags, cost; length
//! and bytes of the value; xxh3 of all that. Numbers are little-endian. What is torn or foreign reads as nothing.

use super::{Entry, Meta, Value};
use crate::Stamp;
use std::time::Duration;
use tropos_core::{Key, Tags, Tick, UnixMillis};
use xxhash_rust::xxh3::xxh3_64;

const MAGIC: &[u8; 4] = b"TROE";

/// Raised with every change of the format; another version reads as nothing, and the entry is made anew.
const VERSION: u16 = 2;

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
        ];
        numbers.iter().for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
        let mut value = Vec::with_capacity(self.value.weight());
        self.value.encode(&mut value);
        put_bytes(&mut out, &value);
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
        let value = V::decode(take_bytes(&mut rest)?)?;
        let age = match wall.checked_sub(started_wall) {
            Some(age) => Duration::from_millis(age),
            None => revalidate.unwrap_or_default(),
        };
        let started = now.minus(age);
        let meta = Meta { tags, stamp, started, started_wall, revalidate, expire, negative, cost };
        rest.is_empty().then(|| (key, Self::new(meta, value)))
    }
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
