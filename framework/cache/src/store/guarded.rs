//! The shared store behind a limit on waiting and a circuit breaker.
//!
//! A page must not wait for a store that is slow or gone: entries in it only save work. So every question has a
//! deadline, and after a few failures in a row it is not asked for entries any more. Only the keeper of the lease goes
//! on asking, a few times a second, and the first answer that it gets closes the circuit.

use super::shared::{Asked, Known, Renewal, SharedError, SharedStore};
use crate::{
    Strength,
    limit::{Counted, Limit},
};
use bytes::Bytes;
use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};
use tropos_core::{Positions, Tag};

/// An entry that takes longer is rendered sooner than fetched.
const ENTRY_TIMEOUT: Duration = Duration::from_millis(250);

/// As long as a lease can do without its renewal and with time for another try. A store that takes longer to write an
/// invalidation keeps no lease alive either.
const SEQUENCE_TIMEOUT: Duration = Duration::from_millis(500);

/// A visitor waits for it before anything else is done: a healthy store in the same place answers in one millisecond.
const COUNT_TIMEOUT: Duration = Duration::from_millis(50);

/// So many failures in a row open the circuit: one is chance, three are a state.
const MOST_FAILURES: u32 = 3;

/// The shared store as the engine asks it.
#[derive(Debug)]
pub(crate) struct Guarded {
    store: Arc<dyn SharedStore>,
    in_a_row: AtomicU32,
    open: AtomicBool,
    failures: AtomicU64,
}

impl Guarded {
    pub(crate) fn new(store: Arc<dyn SharedStore>) -> Self {
        Self { store, in_a_row: AtomicU32::new(0), open: AtomicBool::new(false), failures: AtomicU64::new(0) }
    }

    /// Whether entries are not asked for.
    pub(crate) fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    /// How many questions have failed since the start.
    pub(crate) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    pub(crate) async fn renew(&self, known: Known, lease: Duration) -> Result<Renewal, SharedError> {
        let renewal = self.ask(SEQUENCE_TIMEOUT, self.store.renew(known, lease)).await?;
        if self.open.swap(false, Ordering::Relaxed) {
            tracing::info!("the shared store answers again");
        }
        Ok(renewal)
    }

    pub(crate) async fn begin_anew(&self, known: Known) -> Result<(), SharedError> {
        self.ask(SEQUENCE_TIMEOUT, self.store.begin_anew(known)).await
    }

    pub(crate) async fn invalidate(
        &self,
        tags: &[Tag],
        strength: Strength,
        positions: &Positions,
    ) -> Result<(u64, u64), SharedError> {
        self.ask(SEQUENCE_TIMEOUT, self.store.invalidate(tags, strength, positions)).await
    }

    pub(crate) async fn unacknowledged(
        &self,
        incarnation: u64,
        sequence: u64,
        lease: Duration,
        grace: Duration,
    ) -> Result<usize, SharedError> {
        self.ask(SEQUENCE_TIMEOUT, self.store.unacknowledged(incarnation, sequence, lease, grace)).await
    }

    pub(crate) async fn leave(&self) {
        drop(self.ask(SEQUENCE_TIMEOUT, self.store.leave()).await);
    }

    pub(crate) async fn hint(&self) {
        self.store.hint().await;
    }

    pub(crate) async fn read(&self, name: &str) -> Result<Option<Bytes>, SharedError> {
        self.ask_for_entry(|store| store.read(name)).await
    }

    pub(crate) async fn write(&self, name: &str, bytes: Vec<u8>, life: Duration) -> Result<(), SharedError> {
        self.ask_for_entry(|store| store.write(name, bytes, life)).await
    }

    pub(crate) async fn remove(&self, name: &str) -> Result<(), SharedError> {
        self.ask_for_entry(|store| store.remove(name)).await
    }

    pub(crate) async fn take(&self, name: &str, holder: u64, span: Duration) -> Result<bool, SharedError> {
        self.ask_for_entry(|store| store.take(name, holder, span)).await
    }

    pub(crate) async fn give_back(&self, name: &str, holder: u64) -> Result<(), SharedError> {
        self.ask_for_entry(|store| store.give_back(name, holder)).await
    }

    /// It is not noted with the other failures: what is too slow for a count may be quick enough for an entry.
    pub(crate) async fn count(&self, key: &str, limit: Limit) -> Result<Counted, SharedError> {
        let answer = tokio::time::timeout(COUNT_TIMEOUT, self.store.count(key, limit)).await;
        answer.unwrap_or(Err(SharedError::Timeout(COUNT_TIMEOUT)))
    }

    async fn ask_for_entry<'a, T>(
        &'a self,
        question: impl FnOnce(&'a dyn SharedStore) -> Asked<'a, T>,
    ) -> Result<T, SharedError> {
        if self.is_open() {
            return Err(SharedError::CircuitOpen);
        }
        self.ask(ENTRY_TIMEOUT, question(&*self.store)).await
    }

    async fn ask<T>(
        &self,
        within: Duration,
        question: impl Future<Output = Result<T, SharedError>>,
    ) -> Result<T, SharedError> {
        let answer = match tokio::time::timeout(within, question).await {
            Ok(answer) => answer,
            Err(_) => Err(SharedError::Timeout(within)),
        };
        match &answer {
            Ok(_) => self.in_a_row.store(0, Ordering::Relaxed),
            Err(error) => self.note(error),
        }
        answer
    }

    fn note(&self, error: &SharedError) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(%error, "the shared store failed");
        let in_a_row = self.in_a_row.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if in_a_row >= MOST_FAILURES && !self.open.swap(true, Ordering::Relaxed) {
            tracing::error!(%error, "the shared store is left alone until it answers again; pages are marked degraded when their lease has run out");
        }
    }
}
