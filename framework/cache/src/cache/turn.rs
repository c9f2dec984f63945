//! Whose turn it is to render an entry, among instances that share a store.
//!
//! For load alone: whoever cannot learn whose turn it is renders, and what it made is judged by its tags like anything
//! else.

use super::{Inner, inner::Backing};
use crate::{Decision, Entry, Value, store::guarded::Guarded};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use tropos_core::Key;

/// How long a turn lasts unless it is extended. An instance that dies in its turn holds up the others for so long.
const SPAN: Duration = Duration::from_secs(3);

/// Extended so often: two may fail.
const EXTEND_EVERY: Duration = Duration::from_secs(1);

/// Between two looks for what another instance renders: short at first, since most renders are,
const FIRST_PAUSE: Duration = Duration::from_millis(4);

/// and never so long that a reader would notice.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// Who has waited for so long renders too. A source that takes longer than this for every instance has other worries.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// What to do about an entry that is missing or not fresh.
pub(super) enum Turn<V> {
    /// Another instance has made it.
    Made(Arc<Entry<V>>),
    /// Render it, and let go of the turn when it is stored. So long was waited.
    Mine(Option<Held>, Duration),
}

/// The turn, extended until it is let go of.
pub(super) struct Held {
    store: Arc<Guarded>,
    name: String,
    holder: u64,
    extending: tokio::task::JoinHandle<()>,
}

impl Held {
    /// Lets the others go on.
    pub(super) async fn let_go(self) {
        self.extending.abort();
        if let Err(error) = self.store.give_back(&self.name, self.holder).await {
            tracing::debug!(%error, "a turn runs out by itself");
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.extending.abort();
    }
}

impl<V: Value> Inner<V> {
    /// Waits for this instance's turn to render, or for what another makes in its turn.
    ///
    /// `unlike` is the entry to be replaced: finding it again is no answer.
    pub(super) async fn turn(&self, key: &Key, unlike: Option<&Arc<Entry<V>>>) -> Turn<V> {
        let Some(Backing::Shared { store, build }) = &self.backing else {
            return Turn::Mine(None, Duration::ZERO);
        };
        let name = name(build, key);
        let holder = rand::random();
        let longest = LONGEST_WAIT.min(self.render_timeout);
        let (began, mut pause, mut looks) = (Instant::now(), FIRST_PAUSE, true);
        loop {
            let mine = match store.take(&name, holder, SPAN).await {
                Ok(mine) => mine,
                Err(_) => return Turn::Mine(None, began.elapsed()),
            };
            // Who renders stores before it lets go: so there is something new at the first look or when the turn is free.
            let held = mine.then(|| Held::new(store.clone(), name.clone(), holder));
            let ends = held.is_some() || began.elapsed() >= longest;
            if (looks || ends)
                && let Some(entry) = self.made_elsewhere(key, unlike).await
            {
                if let Some(held) = held {
                    held.let_go().await;
                }
                return Turn::Made(entry);
            }
            if ends {
                return Turn::Mine(held, began.elapsed());
            }
            looks = false;
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// A fresh entry that another instance has stored.
    async fn made_elsewhere(&self, key: &Key, unlike: Option<&Arc<Entry<V>>>) -> Option<Arc<Entry<V>>> {
        let entry = self.read_backing(key).await?;
        let newer = unlike.is_none_or(|known| known.meta.started_wall < entry.meta.started_wall);
        let usable = matches!(self.judge(&entry), Decision::Hit { .. });
        (newer && usable).then(|| self.take_up(key, Arc::new(entry)))
    }
}

impl Held {
    fn new(store: Arc<Guarded>, name: String, holder: u64) -> Self {
        let (of, at) = (store.clone(), name.clone());
        let extending = tokio::spawn(async move {
            loop {
                tokio::time::sleep(EXTEND_EVERY).await;
                drop(of.take(&at, holder, SPAN).await);
            }
        });
        Self { store, name, holder, extending }
    }
}

/// What an entry and the turn to render it are called in the shared store. Other builds have other names.
pub(super) fn name(build: &str, key: &Key) -> String {
    let hash = blake3::hash(key.as_str().as_bytes()).to_hex();
    format!("{build}:{}", hash.as_str().get(..32).unwrap_or_default())
}
