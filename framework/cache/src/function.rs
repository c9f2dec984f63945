//! What `#[cached]` expands to.

use crate::{Data, Entry, Produced, Request, Scope, http::CacheStatus};
use serde::{Serialize, de::DeserializeOwned};
use std::{future::Future, sync::Arc};
use tracing::{Instrument, field::Empty};
use tropos_core::{Ages, Failure, Key, Mode, Tags};

/// Longer arguments are hashed: a key is kept in memory, and compared.
const LONGEST_ARGUMENTS: usize = 256;

/// The stored result of a function, or what `produce` gives, stored for others who call with equal arguments.
///
/// The tags and the remaining life of the result flow up to the scope that this is called in. The same call twice in
/// one render is one call, also when it fails. Errors are not stored; where there is an older result, not expired and
/// not invalidated, it is given instead.
///
/// Outside a [`Scope`] there is no cache to ask, so the function simply runs: in a test, a migration, a script.
///
/// # Errors
/// What `produce` said; an argument that does not serialize; a result that does not serialize, or reads back otherwise.
pub async fn cached<T, F, Fut>(
    name: &'static str,
    args: Result<String, String>,
    ages: Ages,
    tags: Tags,
    produce: F,
) -> Result<T, Failure>
where
    T: Serialize + DeserializeOwned + Send + Sync + 'static,
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = Result<T, Failure>> + Send + 'static,
{
    let Some(scope) = Scope::current() else {
        return produce().await;
    };
    let args = args.map_err(|error| {
        Failure::new(format!(
            "an argument of the cached function `{name}` cannot be a part of its key: {error}"
        ))
    })?;
    let key = match args.len() {
        0..=LONGEST_ARGUMENTS => Key::function(name, &args),
        _ => Key::function(name, blake3::hash(args.as_bytes()).to_hex().as_str()),
    };
    let entry: Result<Arc<Entry<Data>>, Failure> = scope
        .once(key.as_str(), || async {
            let request = Request { tags, fresh: scope.wants_fresh(), ..Request::new(&key, ages) };
            let encode = move || async move {
                let json = serde_json::to_vec(&produce().await?)?;
                Ok(Produced { value: Data(json.into()), negative: false, store: true })
            };
            // The span costs nothing where nobody listens to it.
            let span = tracing::debug_span!(
                target: "tropos::cache",
                "function",
                otel.kind = "internal",
                otel.name = name,
                code.function.name = name,
                tropos.cache.status = Empty,
            );
            let served = scope.engine().data().serve(request, encode).instrument(span.clone()).await;
            if !span.is_disabled() {
                let status = CacheStatus::of(served.reason, Mode::Isr);
                span.record("tropos.cache.status", tracing::field::display(status));
            }
            if let Ok(entry) = &served.result {
                scope.add_queries(entry.saves().queries);
            }
            served.result
        })
        .await;
    let entry = entry?;
    scope.note_entry(&entry);
    serde_json::from_slice(&entry.value.0).map_err(|error| {
        Failure::new(format!("the stored result of the cached function `{name}` does not read back: {error}"))
    })
}
