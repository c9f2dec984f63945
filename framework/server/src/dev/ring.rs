//! The last records, and what all watching shares. Bounded: who looks has just seen the page.

use super::{
    advice::Counts,
    events,
    record::{Kind, Record, Recording},
};
use crate::{config::Config, routing::Table};
use std::{
    collections::VecDeque,
    sync::{
        Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
};
use tropos_core::Clock;

/// Records that are kept: those of some minutes of clicking. Each has one or two kilobytes; the most that one can have, with
/// three hundred pieces of work whose texts are all cut, is two megabytes.
pub(crate) const MOST_RECORDS: usize = 500;

/// Numbers of records, through all sites of the process: the layer knows them by no more than that. They begin anywhere:
/// a page that the browser kept over a restart must not be taken for one of this process.
static NUMBERS: LazyLock<AtomicU64> = LazyLock::new(|| AtomicU64::new(beginning()));

/// Of nine digits: far below what a script holds exactly, and so many that two processes hardly meet.
fn beginning() -> u64 {
    rand::random_range(100_000_000..1_000_000_000)
}

/// What watches a site.
pub(crate) struct Watch {
    /// `None` where only the advisor counts.
    pub(crate) ring: Option<Arc<Ring>>,
    pub(crate) counts: Counts,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Watch {
    /// What the configuration asks for; `None` where that is nothing.
    pub(crate) fn open(config: &Config, table: &Table, clock: Arc<dyn Clock>) -> Option<Arc<Self>> {
        let dev = config.dev.is_some();
        if !dev && !config.advise {
            return None;
        }
        if dev {
            events::tell_of_panics();
        }
        let patterns = table.all().iter().map(|page| page.route.pattern());
        let ring = dev.then(|| Arc::new(Ring { clock: clock.clone(), records: Mutex::default() }));
        Some(Arc::new(Self { ring, counts: Counts::new(patterns), clock }))
    }

    /// Whether pages for failures may say what went wrong.
    pub(crate) fn shows_causes(&self) -> bool {
        self.ring.is_some()
    }

    /// A record of an answer that begins now. Kept where records are.
    pub(crate) fn begin(&self, record: Record) -> Arc<Recording> {
        match &self.ring {
            Some(ring) => ring.begin(record),
            None => Arc::new(Recording::new(Weak::new(), Record { id: number(), ..record })),
        }
    }
}

fn number() -> u64 {
    NUMBERS.fetch_add(1, Ordering::Relaxed)
}

/// The last records.
pub(crate) struct Ring {
    clock: Arc<dyn Clock>,
    records: Mutex<VecDeque<Arc<Recording>>>,
}

impl Ring {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Recording>>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn begin(self: &Arc<Self>, record: Record) -> Arc<Recording> {
        let record = Record { id: number(), at: self.clock.wall(), ..record };
        let recording = Arc::new(Recording::new(Arc::downgrade(self), record));
        let mut records = self.lock();
        if records.len() >= MOST_RECORDS {
            records.pop_front();
        }
        records.push_back(recording.clone());
        recording
    }

    pub(crate) fn find(&self, id: u64) -> Option<Arc<Recording>> {
        self.lock().iter().rev().find(|recording| recording.id == id).cloned()
    }

    /// All, the latest first.
    pub(crate) fn latest(&self) -> Vec<Arc<Recording>> {
        self.lock().iter().rev().cloned().collect()
    }

    /// The last render before `than` that made the entry under `key`.
    pub(crate) fn made(&self, key: &str, than: u64) -> Option<u64> {
        let of_key = |recording: &&Arc<Recording>| {
            recording.id < than
                && recording.look(|record| {
                    record.key.as_deref() == Some(key)
                        && (record.kind == Kind::Background || recording.has_rendered())
                        && record.failure.is_none()
                })
        };
        self.lock().iter().rev().find(of_key).map(|recording| recording.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tropos_core::ManualClock;

    #[test]
    fn each_process_has_numbers_of_its_own() {
        let numbers: std::collections::HashSet<u64> = (0..8).map(|_| beginning()).collect();
        assert!(numbers.len() > 4, "{numbers:?}");
    }

    #[test]
    fn the_oldest_records_go_first() {
        let ring = Arc::new(Ring { clock: Arc::new(ManualClock::new()), records: Mutex::default() });
        let first = ring.begin(Record::default()).id;
        let ids: Vec<u64> = (0..MOST_RECORDS).map(|_| ring.begin(Record::default()).id).collect();
        assert_eq!(ring.latest().len(), MOST_RECORDS);
        assert!(ring.find(first).is_none());
        assert!(ids.iter().all(|id| ring.find(*id).is_some()));
    }
}
