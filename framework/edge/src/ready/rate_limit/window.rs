//! Counting in memory: what an adapter without a shared store counts by. Pure: the time is handed in.
//!
//! The memory is bounded whatever clients send. Keys are kept as 16 bytes of their hash, in two generations: when the younger
//! one is full, it becomes the older one, and the older one is forgotten. So a key is forgotten only once half of the bound of
//! others were counted since it was last seen, and one that is hammered is never forgotten.

use crate::platform::Count;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use tropos_core::clock::UnixMillis;

/// Keys that are known at once, unless said otherwise: as many visitors within a window as one instance sees, in less than 8 MB.
pub const MOST_KEYS: usize = 65_536;

/// How requests are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// From the first request on, for so many seconds; then anew.
    Fixed,
    /// Over the last so many seconds, as an estimate: the window before counts by the share of it that is still within reach.
    /// Exact for who asks evenly; by bursts somebody may get more than the limit through in one span, never twice as many.
    Sliding,
}

/// Counters of many keys.
///
/// ```
/// use tropos_edge::ready::rate_limit::{Counters, Window};
/// let mut counters = Counters::new(10_000);
/// assert_eq!(counters.count("a", 2, 60, Window::Fixed, 0).left, Some(1));
/// assert_eq!(counters.count("a", 2, 60, Window::Fixed, 1_000).left, Some(0));
/// let refused = counters.count("a", 2, 60, Window::Fixed, 2_000);
/// assert_eq!((refused.left, refused.seconds), (None, 58));
/// ```
#[derive(Debug)]
pub struct Counters {
    young: HashMap<[u8; 16], Counter>,
    old: HashMap<[u8; 16], Counter>,
    /// Of one generation.
    most: usize,
}

/// What is known of a key.
#[derive(Debug, Clone, Copy, Default)]
struct Counter {
    /// When the window began.
    since: UnixMillis,
    /// Requests in it that were let through.
    count: u32,
    /// Requests in the one before.
    before: u32,
}

impl Default for Counters {
    fn default() -> Self {
        Self::new(MOST_KEYS)
    }
}

impl Counters {
    /// Counters of at most so many keys, about 100 bytes each.
    pub fn new(most_keys: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), most: (most_keys / 2).max(1) }
    }

    /// Counts a request against `most` in so many seconds. One that is refused is not counted, so that waiting helps.
    pub fn count(&mut self, key: &str, most: u32, seconds: u32, window: Window, now: UnixMillis) -> Count {
        let mut id = [0; 16];
        id.iter_mut().zip(Sha256::digest(key)).for_each(|(to, from)| *to = from);
        let known = self.young.get(&id).or_else(|| self.old.get(&id)).copied();
        let mut counter = known.unwrap_or(Counter { since: now, ..Counter::default() });
        let length = u64::from(seconds.max(1)) * 1000;
        counter.roll(length, now, window);
        let answer = counter.take(most, length, now, window);
        if self.young.len() >= self.most && !self.young.contains_key(&id) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(id, counter);
        answer
    }

    /// How many keys are known, at most; those of both generations count twice.
    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// Whether nothing was counted yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Counter {
    /// Begins the windows that have begun since.
    fn roll(&mut self, length: u64, now: UnixMillis, window: Window) {
        // A clock that was set back begins anew rather than never.
        let passed = if now < self.since { 2 } else { (now - self.since) / length };
        if passed == 0 {
            return;
        }
        let just_ended = passed == 1 && window == Window::Sliding;
        self.before = if just_ended { self.count } else { 0 };
        self.since = if just_ended { self.since + length } else { now };
        self.count = 0;
    }

    fn take(&mut self, most: u32, length: u64, now: UnixMillis, window: Window) -> Count {
        let elapsed = now.saturating_sub(self.since);
        let before = u64::from(self.before);
        // Rounded up: an estimate that errs, errs against the one more.
        let weighed = (before * (length - elapsed)).div_ceil(length);
        let used = weighed + u64::from(self.count);
        if used < u64::from(most) {
            self.count += 1;
            let left = u64::from(most) - used - 1;
            return Count { left: u32::try_from(left).ok(), seconds: seconds(length - elapsed) };
        }
        Count { left: None, seconds: seconds(self.wait(most, length, elapsed, window)) }
    }

    /// How long until one more is let through, if none comes in between.
    fn wait(&self, most: u32, length: u64, elapsed: u64, window: Window) -> u64 {
        // When the share of the window before that still counts leaves room for one more.
        let from = |before: u32, room: u32| {
            length.saturating_sub(u64::from(room) * length / u64::from(before.max(1)))
        };
        match most.checked_sub(self.count.saturating_add(1)) {
            Some(room) => from(self.before, room).saturating_sub(elapsed),
            // Not within this window, which then becomes the one before.
            None => {
                let next = match window {
                    Window::Fixed => 0,
                    Window::Sliding => from(self.count, most.saturating_sub(1)),
                };
                length - elapsed + next
            }
        }
    }
}

fn seconds(millis: u64) -> u32 {
    u32::try_from(millis.div_ceil(1000)).unwrap_or(u32::MAX).max(1)
}
