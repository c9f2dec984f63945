//! The last good table of a key-value store.

use super::table::Table;
use crate::Platform;
use std::sync::{Arc, Mutex, PoisonError};
use tropos_core::clock::UnixMillis;

/// A table is kept so long, in milliseconds: long enough that look-ups cost nothing, and short enough that whoever turns a flag
/// off sees it.
const KEPT: u64 = 10_000;

#[derive(Debug)]
pub(super) struct Memo {
    store: String,
    name: String,
    last: Mutex<Last>,
}

#[derive(Debug, Default)]
struct Last {
    table: Option<Arc<Table>>,
    asked: UnixMillis,
}

impl Memo {
    pub(super) fn new(store: &str, name: &str) -> Self {
        Self { store: store.to_owned(), name: name.to_owned(), last: Mutex::default() }
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Last> {
        // What is behind it is replaced as a whole: a panic leaves it as it was.
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The table, where it was asked for of late. Whoever is told otherwise asks, and others go on with the last one meanwhile.
    pub(super) fn fresh(&self, now: UnixMillis) -> Option<Arc<Table>> {
        let mut last = self.last();
        let table = last.table.clone()?;
        // A clock that was set back makes it old, not new for ever.
        if now >= last.asked && now - last.asked < KEPT {
            return Some(table);
        }
        last.asked = now;
        None
    }

    /// Asks anew; with what went wrong, the last good table.
    pub(super) async fn renew(
        &self,
        now: UnixMillis,
        platform: &dyn Platform,
    ) -> (Arc<Table>, Option<String>) {
        let found = match platform.lookup(&self.store, &self.name).await {
            // No such name is a table without flags: what is written in the program counts.
            Ok(None) => Ok(Table::default()),
            Ok(Some(json)) => Table::read(&json),
            Err(error) => Err(error.to_string()),
        };
        let mut last = self.last();
        last.asked = now;
        match found {
            Ok(table) => (last.table.insert(Arc::new(table)).clone(), None),
            Err(problem) => (last.table.get_or_insert_default().clone(), Some(problem)),
        }
    }
}
