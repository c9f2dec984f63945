//! Many small reads of one render as one query.
//!
//! A [`Loader`] gathers the keys that the components of a page ask for one by one, and has them read together:
//!
//! ```
//! use std::collections::HashMap;
//! use tropos_core::Failure;
//! use tropos_db::Loader;
//!
//! static NAMES: Loader<i64, String> = Loader::new("names");
//!
//! async fn name(id: i64) -> Result<Option<String>, Failure> {
//!     NAMES
//!         .load(id, |ids: Vec<i64>| async move {
//!             // One query for all of them: `… where id in (…)`.
//!             Ok(ids.into_iter().map(|id| (id, format!("name {id}"))).collect::<HashMap<_, _>>())
//!         })
//!         .await
//! }
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Failure> {
//! assert_eq!(name(7).await?.as_deref(), Some("name 7"));
//! # Ok(()) }
//! ```
//!
//! # What one batch is
//! All that is asked for in one [`Scope`] until what the executor has ready has had two turns, and at most
//! [500 keys](Loader::most); there is no timer. A key that is asked for twice is read once, and what was read is
//! remembered as long as the scope lives, also that there is no such thing. An [action](tropos_cache::Purpose::Action)
//! forgets after each batch, and joins none whose query has gone out, since it may have written in between. Outside of a
//! scope each call is a query of its own.
//!
//! Two scopes never share a batch: what their reads must have seen differs. The query runs in the scope that asked, so that
//! its tags and positions are those of the render.
//!
//! # When something fails
//! An error reaches all who wait for that batch, and is not remembered. Any of those who wait may be dropped, also who
//! was the first; when all are, so is the query.

mod batch;

use batch::{Boarding, Gathered, State};
use futures::future::try_join_all;
use std::{
    collections::{HashMap, HashSet},
    fmt,
    future::Future,
    hash::Hash,
    marker::PhantomData,
    panic::Location,
    sync::Arc,
};
use tropos_cache::{Purpose, Scope};
use tropos_core::Failure;

/// What a database takes as parameters of one query without a thought, and a page seldom exceeds.
const MOST_KEYS: usize = 500;

/// Turns of the executor before a batch goes out: in the first, what is ready asks; in the second, what was made ready
/// by that.
const TURNS: usize = 2;

/// What a key of a loader must be.
pub trait LoaderKey: Clone + Eq + Hash + Send + Sync + 'static {}

impl<K: Clone + Eq + Hash + Send + Sync + 'static> LoaderKey for K {}

/// Reads values by their keys, many at a time; see the [module](self).
///
/// It is known by the place in the source where it is made, so it may be a `static` or a local of the function that
/// loads. The key says all that the query depends on: where it is made for one of several shards, say, or for one of several
/// languages, that is a part of the key.
pub struct Loader<K, V> {
    name: &'static str,
    place: &'static Location<'static>,
    most: usize,
    of: PhantomData<fn(K) -> V>,
}

impl<K, V> Loader<K, V> {
    /// A loader. The name is for messages.
    #[track_caller]
    pub const fn new(name: &'static str) -> Self {
        Self { name, place: Location::caller(), most: MOST_KEYS, of: PhantomData }
    }

    /// How many keys one query is given at most; those beyond go into another. Default: 500; at least 1.
    #[must_use]
    pub const fn most(mut self, keys: usize) -> Self {
        self.most = if keys == 0 { 1 } else { keys };
        self
    }
}

impl<K: LoaderKey, V: Clone + Send + Sync + 'static> Loader<K, V> {
    /// The value of a key, `None` where there is none.
    ///
    /// `fetch` is given keys, each once and in the order in which they were asked for, and gives the values of those that
    /// exist. Of all who ask, one's is called. It must not wait for a key of its own batch: it would wait for itself.
    ///
    /// # Errors
    /// What `fetch` said; a panic in it.
    pub async fn load<F, Fut>(&self, key: K, fetch: F) -> Result<Option<V>, Failure>
    where
        F: FnOnce(Vec<K>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<HashMap<K, V>, Failure>> + Send + 'static,
    {
        let Some((scope, state)) = self.state() else {
            return fetch(vec![key.clone()]).await.map(|mut found| found.remove(&key));
        };
        let found = match state.board(&key, self.most) {
            Boarding::Known(found) => found,
            Boarding::Asked(batch) => {
                for _ in 0..TURNS {
                    tokio::task::yield_now().await;
                }
                if let Some(gathered) = batch.close() {
                    self.send(&scope, state, gathered, fetch);
                }
                batch.end().await.unwrap_or_else(|| Err(self.broken()))?
            }
        };
        Ok(found.get(&key).cloned())
    }

    /// The values of several keys; of those alone that exist. In as few queries as [`most`](Self::most) allows.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub async fn load_many<F, Fut>(
        &self,
        keys: impl IntoIterator<Item = K>,
        fetch: F,
    ) -> Result<HashMap<K, V>, Failure>
    where
        F: FnOnce(Vec<K>) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = Result<HashMap<K, V>, Failure>> + Send + 'static,
    {
        let mut seen = HashSet::new();
        let keys: Vec<K> = keys.into_iter().filter(|key| seen.insert(key.clone())).collect();
        let mut all = HashMap::with_capacity(keys.len());
        if self.state().is_none() {
            for keys in keys.chunks(self.most) {
                all.extend(fetch.clone()(keys.to_vec()).await?);
            }
            // What was not asked for is not given, as in a scope.
            all.retain(|key, _| seen.contains(key));
        } else {
            let loads = keys.into_iter().map(|key| {
                let fetch = fetch.clone();
                async move { Ok::<_, Failure>((key.clone(), self.load(key, fetch).await?)) }
            });
            let found = try_join_all(loads).await?;
            all.extend(found.into_iter().filter_map(|(key, value)| Some((key, value?))));
        }
        Ok(all)
    }

    /// What this loader has gathered and read in the scope of this task.
    fn state(&self) -> Option<(Scope, Arc<State<K, V>>)> {
        let scope = Scope::current()?;
        let Self { name, place, .. } = self;
        let remembers = scope.purpose() != Purpose::Action;
        let state = scope.keep(&format!("{name} {place}"), || State::new(remembers))?;
        Some((scope, state))
    }

    /// Has a batch read, in a task of its own: whoever asked may not be polled for long, or never again.
    fn send<F, Fut>(&self, scope: &Scope, state: Arc<State<K, V>>, gathered: Gathered<K, V>, fetch: F)
    where
        F: FnOnce(Vec<K>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<HashMap<K, V>, Failure>> + Send + 'static,
    {
        use tracing::Instrument as _;
        let Gathered { batch, keys, told } = gathered;
        // Held by those who wait alone, so that it goes when they do.
        let from = Arc::downgrade(&batch);
        let asked = keys.clone();
        let read = scope.wrap(async move { fetch(asked).await });
        let task = tokio::spawn(
            async move {
                let end = read.await.map(Arc::new);
                state.land(&from, &keys, end.as_ref().ok());
                told.send_replace(Some(end));
            }
            .in_current_span(),
        );
        batch.runs(task.abort_handle());
    }

    fn broken(&self) -> Failure {
        let Self { name, place, .. } = self;
        Failure::new(format!(
            "the query of the loader `{name}` ({place}) ended without an answer: it panicked, or the process ends"
        ))
    }
}

impl<K, V> fmt::Debug for Loader<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, place, most, .. } = self;
        f.debug_struct("Loader")
            .field("name", name)
            .field("place", &format_args!("{place}"))
            .field("most", most)
            .finish()
    }
}
