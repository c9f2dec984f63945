//! Which calls are stored, which are made once a render, and what flows up to the page.

mod produce;

use crate::{Error, Fetched, call::Call, client::Client, digest, observe, origin::Staleness};
use http::StatusCode;
use produce::{SourceFailed, produce};
use std::{sync::Arc, time::Duration};
use tracing::{Instrument, Span};
use tropos_cache::{Data, Decision, Entry, Reason, Request, Scope, cache::DEFAULT_NEGATIVE};
use tropos_core::{Ages, Failure, Key, Revalidate, Tags, Tick};

/// What was said about the answer.
pub(crate) struct Policy {
    /// Its ages; `None`: not to be stored.
    pub(crate) ages: Option<Ages>,
    /// Its tags.
    pub(crate) tags: Tags,
    /// Whether to store it although it may depend on who asks.
    pub(crate) private: bool,
    /// The statuses to store.
    pub(crate) statuses: Statuses,
    /// Whether to go by the headers of the origin.
    pub(crate) by_origin: bool,
}

/// A [`Policy`] of what is to be stored.
#[derive(Debug, Clone)]
pub(crate) struct Declared {
    pub(crate) ages: Ages,
    pub(crate) tags: Tags,
    pub(crate) private: bool,
    pub(crate) statuses: Statuses,
    pub(crate) by_origin: bool,
}

/// Which statuses are stored.
#[derive(Debug, Clone)]
pub(crate) enum Statuses {
    /// 200 alone; by the headers of the origin, all that they allow.
    Usual,
    /// These, in order.
    These(Arc<[u16]>),
}

impl Declared {
    /// Whether answers of this status are stored.
    fn keeps(&self, status: StatusCode) -> bool {
        match &self.statuses {
            Statuses::Usual => self.by_origin || status == StatusCode::OK,
            Statuses::These(these) => these.contains(&status.as_u16()),
        }
    }

    /// Whether the rules are those of a shared cache: an entry for one credential is as private as that.
    fn shared(&self) -> bool {
        !self.private
    }

    /// Whether a stored answer may be given for a while longer, by its own headers.
    fn may_stand_in(&self, entry: &Entry<Data>, stored: &Fetched, now: Tick, why: For) -> bool {
        let (age, fresh_for) = (now.since(entry.meta.started), entry.meta.revalidate);
        // Fresh for ever, or made stale by a soft invalidation alone, which lets it be given.
        let Some(fresh_for) = fresh_for.filter(|fresh_for| age >= *fresh_for) else {
            return true;
        };
        let (staleness, stale_for) = (Staleness::of(&stored.headers, self.shared()), age - fresh_for);
        staleness.meanwhile(stale_for)
            || (why == For::Failure && staleness.instead_of_failure(fresh_for, stale_for))
    }
}

/// What a stale answer would be given for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum For {
    /// Not to keep the reader waiting.
    Speed,
    /// The source failed.
    Failure,
}

/// Reads within a span that says what became of it.
pub(crate) async fn read(call: Call, policy: Policy) -> Result<Fetched, Error> {
    let span = observe::fetch(&call);
    let ending = observe::Ending::of(&span);
    let answer = read_within(call, policy, &span).instrument(span.clone()).await;
    ending.ended(&answer);
    answer
}

async fn read_within(call: Call, policy: Policy, span: &Span) -> Result<Fetched, Error> {
    let Some(scope) = Scope::current() else {
        return call.run(Client::of(None)).await;
    };
    let Policy { ages, tags, private, statuses, by_origin } = policy;
    if !call.only_reads() {
        scope.acted();
    }
    // First of all, so that the page carries them also when the fetch fails and it shows something else instead.
    scope.note(&tags, None);
    let Some(ages) = ages else {
        return once(&scope, call, span).await;
    };
    let why_not = if call.is_private() && !private {
        "the request carries Authorization or Cookie; `.store_private()` would store it by them"
    } else if by_origin && !call.only_reads() {
        "by the rules of HTTP only GET and HEAD are"
    } else {
        return stored(&scope, call, Declared { ages, tags, private, statuses, by_origin }, span).await;
    };
    tracing::debug!(url = call.shown_url(), "not stored: {why_not}");
    // What was declared about its age holds for the page all the same.
    note_age(&scope, age(ages));
    once(&scope, call, span).await
}

/// Without an entry: reads are made once a render.
async fn once(scope: &Scope, call: Call, span: &Span) -> Result<Fetched, Error> {
    let client = Client::of(Some(scope.engine()));
    if !call.only_reads() {
        return call.run(client).await;
    }
    let key = format!("fetch once {}", digest::of_call(&call));
    let mut ran = false;
    let answer = scope
        .once(&key, || {
            ran = true;
            call.run(client)
        })
        .await;
    if !ran {
        observe::repeated(span);
    }
    answer
}

async fn stored(scope: &Scope, call: Call, declared: Declared, span: &Span) -> Result<Fetched, Error> {
    let client = Client::of(Some(scope.engine()));
    let url = call.shown_url();
    let key = Key::fetch(&digest::of_entry(&call, &declared));
    let (ages, tags) = (declared.ages, declared.tags.clone());
    let mut ran = false;
    let (entry, reason): (Result<Arc<Entry<Data>>, Failure>, Reason) = scope
        .once(key.as_str(), || async {
            ran = true;
            let fresh = scope.wants_fresh() || (declared.by_origin && !may_be_stale(scope, &key, &declared));
            let request =
                Request { key: &key, ages, negative: DEFAULT_NEGATIVE, tags, fresh, unasked: false };
            let (name, declared) = (key.clone(), declared.clone());
            let served =
                scope.engine().data().serve(request, move || produce(call, client, declared, name)).await;
            (served.result, served.reason)
        })
        .await;
    match ran {
        true => observe::served(span, reason),
        false => observe::repeated(span),
    }
    let answer = match entry {
        Ok(entry) => {
            scope.note_entry(&entry);
            given(scope, &declared, &entry, reason, url)
        }
        // No older answer could take its place.
        Err(failure) => match (failure.downcast_ref::<SourceFailed>(), failure.downcast_ref::<Error>()) {
            (Some(SourceFailed(answer)), _) => Ok((**answer).clone()),
            (None, Some(error)) => Err(error.clone()),
            (None, None) => Err(Error::Cache { url, failure }),
        },
    };
    // A page that makes do without the data must not live as long as one that has it.
    let kept =
        matches!(reason, Reason::Hit { .. } | Reason::Stale { .. } | Reason::Miss { stored: true, .. });
    if !matches!(&answer, Ok(fetched) if kept || fetched.status == StatusCode::OK) {
        note_age(scope, age(ages).map_or(Some(DEFAULT_NEGATIVE), |age| Some(age.min(DEFAULT_NEGATIVE))));
    }
    answer
}

/// The answer of an entry that the cache gave.
fn given(
    scope: &Scope,
    declared: &Declared,
    entry: &Entry<Data>,
    reason: Reason,
    url: String,
) -> Result<Fetched, Error> {
    let Some(answer) = Fetched::decode(url.clone(), entry.value.0.clone()) else {
        let failure = Failure::new("the stored answer does not read back");
        return Err(Error::Cache { url, failure });
    };
    let now = scope.engine().clock().now();
    let stands_in = declared.by_origin && matches!(reason, Reason::Stale { .. });
    match stands_in && !declared.may_stand_in(entry, &answer, now, For::Failure) {
        true => Err(Error::Unconfirmed { url }),
        false => Ok(answer),
    }
}

/// Whether the headers of a stale answer let it be given while it is asked for anew.
fn may_be_stale(scope: &Scope, key: &Key, declared: &Declared) -> bool {
    let Some((entry, Decision::Stale { .. })) = scope.engine().data().in_memory(key) else {
        return false;
    };
    let now = scope.engine().clock().now();
    Fetched::decode(String::new(), entry.value.0.clone())
        .is_some_and(|stored| declared.may_stand_in(&entry, &stored, now, For::Speed))
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
