//! First renders, kept until their page connects.
//!
//! A live page is rendered for its request, and connects a moment later. Without this store it would render a second time
//! only to find out that nothing has changed. What is missing here, because it was too old or too much, or because the
//! page connects to another instance, costs that one render and nothing else.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tropos_core::{Clock, Tick};

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Renders. 10,000 by default, as many as there may be watchers.
    pub renders: usize,
    /// Bytes of HTML. 32 MiB by default: 10,000 renders could be large ones.
    pub bytes: usize,
    /// How long. 60 s by default: a page connects as soon as its script has run, or never.
    pub age: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { renders: 10_000, bytes: 32 << 20, age: Duration::from_secs(60) }
    }
}

/// First renders with their marks, by the ticket of their reader. Clones share them.
///
/// A ticket must be one that nobody can guess: whoever has it is taken for the reader who was sent the page.
pub struct Pending<M> {
    clock: Arc<dyn Clock>,
    bounds: Bounds,
    kept: Arc<Mutex<Kept<M>>>,
}

type Name = String;

struct Kept<M> {
    renders: HashMap<Name, Render<M>>,
    /// From the oldest to the newest.
    order: BTreeMap<u64, Name>,
    made: u64,
    bytes: usize,
}

struct Render<M> {
    html: Arc<str>,
    mark: M,
    at: Tick,
    order: u64,
}

impl<M> Pending<M> {
    /// An empty store with the default bounds.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with_bounds(clock, Bounds::default())
    }

    /// An empty store.
    pub fn with_bounds(clock: Arc<dyn Clock>, bounds: Bounds) -> Self {
        let kept = Kept { renders: HashMap::new(), order: BTreeMap::new(), made: 0, bytes: 0 };
        Self { clock, bounds, kept: Arc::new(Mutex::new(kept)) }
    }

    /// Keeps the render that the holder of `ticket` was sent, in the place of an earlier one.
    pub fn put(&self, ticket: &str, html: Arc<str>, mark: M) {
        let now = self.clock.now();
        let mut kept = self.kept();
        kept.remove(ticket);
        kept.drop_older_than(now.minus(self.bounds.age));
        if html.len() <= self.bounds.bytes && self.bounds.renders > 0 {
            while kept.renders.len() >= self.bounds.renders || kept.bytes + html.len() > self.bounds.bytes {
                kept.drop_oldest();
            }
            kept.insert(ticket.to_owned(), html, mark, now);
        }
    }

    /// Takes the render that the holder of `ticket` was sent, where it is kept.
    pub fn take(&self, ticket: &str) -> Option<(Arc<str>, M)> {
        let mut kept = self.kept();
        kept.drop_older_than(self.clock.now().minus(self.bounds.age));
        kept.remove(ticket).map(|render| (render.html, render.mark))
    }

    /// How many are kept, counting those that are too old and not yet dropped.
    pub fn len(&self) -> usize {
        self.kept().renders.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn kept(&self) -> MutexGuard<'_, Kept<M>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M> Kept<M> {
    fn insert(&mut self, name: Name, html: Arc<str>, mark: M, at: Tick) {
        self.made += 1;
        self.bytes += html.len();
        self.order.insert(self.made, name.clone());
        self.renders.insert(name, Render { html, mark, at, order: self.made });
    }

    fn remove(&mut self, name: &str) -> Option<Render<M>> {
        let render = self.renders.remove(name)?;
        self.order.remove(&render.order);
        self.bytes -= render.html.len();
        Some(render)
    }

    fn drop_oldest(&mut self) {
        if let Some((_, name)) = self.order.pop_first() {
            self.remove(&name);
        }
    }

    fn drop_older_than(&mut self, limit: Tick) {
        while let Some((_, name)) = self.order.first_key_value() {
            if self.renders.get(name).is_some_and(|render| render.at > limit) {
                return;
            }
            self.drop_oldest();
        }
    }
}

impl<M> Clone for Pending<M> {
    fn clone(&self) -> Self {
        Self { clock: self.clock.clone(), bounds: self.bounds, kept: self.kept.clone() }
    }
}

impl<M> std::fmt::Debug for Pending<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pending")
            .field("bounds", &self.bounds)
            .field("kept", &self.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tropos_core::ManualClock;

    fn store(renders: usize, bytes: usize) -> (ManualClock, Pending<u8>) {
        let clock = ManualClock::new();
        let bounds = Bounds { renders, bytes, age: Duration::from_secs(60) };
        (clock.clone(), Pending::with_bounds(Arc::new(clock), bounds))
    }

    #[test]
    fn what_is_put_is_taken_once() {
        let (_, store) = store(10, 1000);
        store.put("a", "<p>1</p>".into(), 7);
        assert_eq!(store.take("b"), None);
        assert_eq!(store.take("a"), Some(("<p>1</p>".into(), 7)));
        assert_eq!(store.take("a"), None);
        assert!(store.is_empty());
    }

    #[test]
    fn what_nobody_takes_is_gone_after_its_age() {
        let (clock, store) = store(10, 1000);
        store.put("a", "1".into(), 1);
        clock.advance(Duration::from_secs(59));
        store.put("b", "2".into(), 2);
        assert!(store.take("a").is_some());
        store.put("c", "1".into(), 1);
        clock.advance(Duration::from_secs(60));
        assert_eq!((store.take("b"), store.take("c")), (None, None));
        assert!(store.is_empty());
    }

    #[test]
    fn the_oldest_makes_room() {
        for (renders, bytes) in [(2, 1000), (1000, 2)] {
            let (_, store) = store(renders, bytes);
            for html in ["1", "2", "3"] {
                store.put(html, html.into(), 0);
            }
            let kept = ["1", "2", "3"].map(|ticket| store.take(ticket).is_some());
            assert_eq!(kept, [false, true, true], "{renders} renders, {bytes} bytes");
            assert_eq!(store.kept().bytes, 0);
        }
    }

    #[test]
    fn what_is_larger_than_the_store_drives_nothing_out() {
        let (_, store) = store(10, 4);
        store.put("small", "1".into(), 0);
        store.put("large", "12345".into(), 0);
        assert_eq!(store.take("large"), None);
        assert!(store.take("small").is_some());
    }

    #[test]
    fn what_was_taken_or_put_again_leaves_nothing_behind() {
        let (_, store) = store(10, 1000);
        store.put("stays", "1".into(), 0);
        for _ in 0..100 {
            store.put("a", "1".into(), 0);
            store.put("a", "2".into(), 0);
            assert!(store.take("a").is_some());
        }
        let counts = |kept: &Kept<u8>| (kept.renders.len(), kept.order.len(), kept.bytes);
        assert_eq!(counts(&store.kept()), (1, 1, 1));
    }
}
