//! Which calls are stored, which are made once a render, and what flows up to the page.

use crate::{Error, Fetched, call::Call, client::Client, digest};
use http::{StatusCode, header};
use std::{fmt, sync::Arc, time::Duration};
use tropos_cache::{Data, Entry, Produced, Request, Scope, cache::DEFAULT_NEGATIVE};
use tropos_core::{Ages, Failure, Key, Revalidate, Tags};

/// What was declared about the answer.
pub(crate) struct Policy {
    /// Its ages; `None`: not to be stored.
    pub(crate) ages: Option<Ages>,
    /// Its tags.
    pub(crate) tags: Tags,
    /// Whether to store it although it may depend on who asks.
    pub(crate) private: bool,
}

pub(crate) async fn read(call: Call, policy: Policy) -> Result<Fetched, Error> {
    let Some(scope) = Scope::current() else {
        return call.run(Client::of(None)?).await;
    };
    // First of all, so that the page carries them also when the fetch fails and it shows something else instead.
    scope.note(&policy.tags, None);
    match policy.ages {
        Some(ages) if policy.private || !call.is_private() => stored(&scope, call, ages, policy).await,
        Some(ages) => {
            tracing::debug!(
                url = call.shown_url(),
                "not stored: the request carries Authorization or Cookie; `.store_private()` would store it by them"
            );
            // What was declared about its age holds for the page all the same.
            note_age(&scope, age(ages));
            once(&scope, call).await
        }
        None => once(&scope, call).await,
    }
}

/// Without an entry: reads are made once a render.
async fn once(scope: &Scope, call: Call) -> Result<Fetched, Error> {
    let client = Client::of(Some(scope.engine()))?;
    if !call.only_reads() {
        return call.run(client).await;
    }
    let key = format!("fetch once {}", digest::of_call(&call));
    scope.once(&key, || call.run(client)).await
}

async fn stored(scope: &Scope, call: Call, ages: Ages, policy: Policy) -> Result<Fetched, Error> {
    let client = Client::of(Some(scope.engine()))?;
    let url = call.shown_url();
    let key = Key::fetch(&digest::of_entry(&call, ages, &policy.tags));
    let Policy { tags, private, .. } = policy;
    let entry: Result<Arc<Entry<Data>>, Failure> = scope
        .once(key.as_str(), || async {
            let request =
                Request { key: &key, ages, negative: DEFAULT_NEGATIVE, tags, fresh: scope.wants_fresh() };
            scope.engine().data().serve(request, move || produce(call, client, private)).await.result
        })
        .await;
    let answer = match entry {
        Ok(entry) => {
            scope.note_entry(&entry);
            Fetched::decode(url.clone(), entry.value.0.clone()).ok_or_else(|| Error::Cache {
                url,
                failure: Failure::new("the stored answer does not read back"),
            })
        }
        // No older answer could take its place.
        Err(failure) => match (failure.downcast_ref::<SourceFailed>(), failure.downcast_ref::<Error>()) {
            (Some(SourceFailed(answer)), _) => Ok((**answer).clone()),
            (None, Some(error)) => Err(error.clone()),
            (None, None) => Err(Error::Cache { url, failure }),
        },
    };
    // A page that makes do without the data must not live as long as one that has it.
    if !matches!(&answer, Ok(fetched) if fetched.status == StatusCode::OK) {
        note_age(scope, age(ages).map_or(Some(DEFAULT_NEGATIVE), |age| Some(age.min(DEFAULT_NEGATIVE))));
    }
    answer
}

/// Makes the call for the cache. A 5xx is a failure to it, so that an older answer can take its place.
async fn produce(call: Call, client: reqwest::Client, private: bool) -> Result<Produced<Data>, Failure> {
    let url = call.shown_url();
    // The cache knows the entry by a digest alone, so the log names the source here: once for each try.
    let failed =
        |what: &dyn fmt::Display| tracing::warn!(url, "{what}; an older answer is given where there is one");
    let answer = call.run(client).await.inspect_err(|error| failed(error))?;
    if answer.status.is_server_error() {
        let failure = SourceFailed(Box::new(answer));
        failed(&failure);
        return Err(failure.into());
    }
    let cookie = answer.headers.contains_key(header::SET_COOKIE) && !private;
    if cookie {
        tracing::debug!(
            url,
            "not stored: the answer sets a cookie; `.store_private()` would store it without"
        );
    }
    let store = answer.status == StatusCode::OK && !cookie;
    Ok(Produced { value: Data(answer.encode()), negative: false, store })
}

fn age(ages: Ages) -> Option<Duration> {
    match ages.revalidate() {
        Revalidate::Never => None,
        Revalidate::After(age) => Some(age),
    }
}

fn note_age(scope: &Scope, age: Option<Duration>) {
    let now = scope.engine().clock().now();
    scope.note(&Tags::new(), age.map(|age| now.plus(age)));
}

/// An answer by which the source says that it failed.
#[derive(Debug)]
struct SourceFailed(Box<Fetched>);

impl std::error::Error for SourceFailed {}

impl fmt::Display for SourceFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (*self.0).clone().error_for_status() {
            Err(error) => error.fmt(f),
            Ok(_) => f.write_str("the source failed"),
        }
    }
}
