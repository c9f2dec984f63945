//! How often one and the same is let through: a page that fails a thousand times a second is one piece of news.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash, RandomState},
    sync::{Mutex, PoisonError},
};
use tropos_core::UnixMillis;

const MINUTE_MS: u64 = 60_000;

/// Lets each of many things through so many times a minute. It keeps hashes alone, and at most `MOST` of them.
#[derive(Debug)]
pub struct Repeats {
    a_minute: u32,
    hasher: RandomState,
    minute: Mutex<Minute>,
}

#[derive(Debug, Default)]
struct Minute {
    number: u64,
    seen: HashMap<u64, u32>,
}

/// Different things in a minute; those beyond share one count. More than an application has routes and kinds of errors,
/// and 16 KiB.
const MOST: usize = 1_024;

impl Repeats {
    /// Each so many times a minute.
    pub fn new(a_minute: u32) -> Self {
        Self { a_minute, hasher: RandomState::new(), minute: Mutex::default() }
    }

    /// Whether this one may pass now; it counts if so.
    pub fn admit(&self, thing: impl Hash, now: UnixMillis) -> bool {
        let hash = self.hasher.hash_one(thing);
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        if minute.number != now / MINUTE_MS {
            minute.number = now / MINUTE_MS;
            minute.seen.clear();
        }
        let full = minute.seen.len() >= MOST && !minute.seen.contains_key(&hash);
        let count = minute.seen.entry(if full { 0 } else { hash }).or_default();
        let may = *count < self.a_minute;
        *count = count.saturating_add(1);
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_passes_so_often_a_minute() {
        let repeats = Repeats::new(2);
        let passed = |thing: &str, now| (0..5).filter(|_| repeats.admit(thing, now)).count();
        assert_eq!((passed("a", 0), passed("b", 1), passed("a", 59_999)), (2, 2, 0));
        assert_eq!(passed("a", 60_000), 2);
    }

    #[test]
    fn endless_different_things_share_one_count() {
        let repeats = Repeats::new(1);
        let passed = (0..100_000).filter(|number| repeats.admit(number, 0)).count();
        assert!((MOST..=MOST + 1).contains(&passed), "{passed}");
        assert!(repeats.minute.lock().unwrap().seen.len() <= MOST + 1);
    }
}
