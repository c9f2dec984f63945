//! The last traces, for the dashboard and the dev toolbar.

use super::{context::TraceId, span::Trace};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Traces that are kept.
pub const MOST: usize = 1_000;

/// The memory that they take at most, in bytes, about: a thousand usual traces, of ten spans each, have half of it.
pub const MOST_BYTES: usize = 16 << 20;

/// The last traces. The oldest go first.
#[derive(Debug, Default)]
pub struct Ring(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    traces: VecDeque<(usize, Arc<Trace>)>,
    bytes: usize,
}

impl Ring {
    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds one.
    pub fn add(&self, trace: Arc<Trace>) {
        let bytes = trace.bytes();
        let mut held = self.lock();
        held.bytes += bytes;
        held.traces.push_back((bytes, trace));
        while held.traces.len() > MOST || (held.bytes > MOST_BYTES && held.traces.len() > 1) {
            let freed = held.traces.pop_front().map_or(0, |(bytes, _)| bytes);
            held.bytes -= freed;
        }
    }

    /// All that this process knows of one trace: it may have been called more than once in it.
    pub fn find(&self, id: TraceId) -> Vec<Arc<Trace>> {
        self.lock().traces.iter().map(|(_, trace)| trace).filter(|trace| trace.id == id).cloned().collect()
    }

    /// All, the latest first.
    pub fn latest(&self) -> Vec<Arc<Trace>> {
        self.lock().traces.iter().rev().map(|(_, trace)| trace.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{
        context::SpanId,
        sampling::Kept,
        span::{Kind, Span},
    };

    fn trace(id: u128, text: usize) -> Arc<Trace> {
        let span = Span {
            id: SpanId::random(),
            parent: None,
            name: "GET /".into(),
            sort: "request",
            kind: Kind::Server,
            start: 0,
            end: 1,
            attributes: vec![("url.path", "x".repeat(text).into())],
            events: Vec::new(),
            links: Vec::new(),
            failure: None,
            left_out: [0; 3],
        };
        let id = TraceId::new(id).unwrap();
        Arc::new(Trace {
            id,
            state: String::new(),
            sampled: true,
            kept: Kept::Sampled,
            spans: vec![span],
            left_out: 0,
        })
    }

    #[test]
    fn the_last_thousand_are_kept_the_latest_first() {
        let ring = Ring::default();
        (1..=1_500).for_each(|id| ring.add(trace(id, 10)));
        let latest: Vec<u128> = ring.latest().iter().map(|trace| trace.id.number()).collect();
        assert_eq!((latest.len(), latest[0], latest[999]), (1_000, 1_500, 501));
        assert_eq!(ring.find(TraceId::new(1_200).unwrap()).len(), 1);
        assert!(ring.find(TraceId::new(1).unwrap()).is_empty());
    }

    #[test]
    fn memory_is_bounded_however_large_each_is() {
        let ring = Ring::default();
        (1..=100).for_each(|id| ring.add(trace(id, 1 << 20)));
        let held: usize = ring.latest().iter().map(|trace| trace.bytes()).sum();
        assert!(held <= MOST_BYTES && ring.latest().len() >= 15, "{held}");
        ring.add(trace(101, MOST_BYTES * 2));
        assert_eq!(ring.latest().len(), 1, "one is kept whatever it takes");
    }
}
