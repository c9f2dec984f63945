//! What all clones of a layer share.

use super::{
    LayerConfig,
    flight::{End, Flights, Permit},
    marks::Marks,
    store::{Kept, Put, Store},
};
use crate::http::policy::{Asked, Stored};
use ::http::HeaderMap;
use bytes::Bytes;
use std::sync::Arc;
use tropos_core::Key;

pub(super) struct Shared {
    pub(super) config: LayerConfig,
    pub(super) store: Store,
    pub(super) flights: Arc<Flights>,
    pub(super) marks: Marks,
}

impl Shared {
    pub(super) fn new(config: LayerConfig) -> Self {
        let store = Store::new(config.most_bytes, config.most_entries, config.most_variants);
        Self { config, store, flights: Arc::default(), marks: Marks::new() }
    }

    /// RFC 9111 §2: the key. Neither part can hold a blank, so no two requests meet in one.
    pub(super) fn key(asked: &Asked) -> Key {
        Key::from_stored(&format!("http {} {}", asked.authority, asked.target))
    }

    pub(super) fn remove(&self, asked: &Asked) {
        let key = Self::key(asked);
        self.store.remove(&key, || self.marks.note_removal(&key));
    }

    /// Stores an answer that was asked for when `removals` had happened, unless there were more since, and tells those
    /// who wait.
    pub(super) fn put(
        &self,
        key: &Key,
        request: &HeaderMap,
        kept: Arc<Kept>,
        removals: u64,
        permit: Option<Permit>,
    ) -> Put {
        let put = self.store.put(key, request, kept, || self.marks.removals(key) == removals);
        match put {
            Put::Kept => {
                if let Some(permit) = permit {
                    permit.end(End::Stored);
                }
            }
            // One of those who wait asks anew, for the others too.
            Put::Outdated => drop(permit),
            Put::Refused => self.refuse(key, permit),
        }
        put
    }

    /// Those who wait ask for themselves: the next answer would not be stored either.
    fn refuse(&self, key: &Key, permit: Option<Permit>) {
        self.marks.note_not_shared(key, self.config.clock.now());
        if let Some(permit) = permit {
            permit.end(End::NotShared);
        }
    }
}

/// Where an answer goes once its body is complete.
pub(super) struct Landing {
    pub(super) shared: Arc<Shared>,
    pub(super) key: Key,
    /// The request's own header: what it selects is replaced.
    pub(super) request: HeaderMap,
    pub(super) stored: Stored,
    pub(super) removals: u64,
    /// Those who wait are told when this goes.
    pub(super) permit: Option<Permit>,
}

impl Landing {
    /// The answer turned out to be larger than what is stored.
    pub(super) fn refuse(self) {
        self.shared.refuse(&self.key, self.permit);
    }

    pub(super) fn land(self, body: Bytes) {
        let kept = Arc::new(Kept::new(self.stored, body));
        let put = self.shared.put(&self.key, &self.request, kept, self.removals, self.permit);
        tracing::trace!(key = %self.key, ?put, "the body of an answer is complete");
    }
}
