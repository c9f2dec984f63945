//! The call that fills an entry.

use super::{Declared, For};
use crate::{
    Error, Fetched,
    call::Call,
    client::Client,
    conditional::{conditional, renewed},
    origin,
};
use http::{StatusCode, header};
use std::{fmt, sync::Arc};
use tropos_cache::{Data, Decision, Entry, Produced, Scope};
use tropos_core::{Failure, Key, Tags};

/// Makes the call for the cache. A 5xx is a failure to it, so that an older answer can take its place.
pub(super) async fn produce(
    call: Call,
    client: Client,
    declared: Declared,
    key: Key,
) -> Result<Produced<Data>, Failure> {
    let url = call.shown_url();
    // The cache knows the entry by a digest alone, so the log names the source here: once for each try.
    let failed =
        |what: &dyn fmt::Display| tracing::warn!(url, "{what}; an older answer is given where there is one");
    // The scope of this very call, which the entry gets its age from.
    let scope = Scope::current().filter(|_| declared.by_origin);
    let asked = scope.as_ref().map(|scope| scope.engine().clock().now());
    let older = scope.as_ref().and_then(|scope| older(scope, &key, &url));
    let conditional = older.as_ref().and_then(|(_, stored)| conditional(&call, stored));
    let answer = match (conditional, &older) {
        (Some(asking), Some((_, stored))) => ask_whether(asking, &call, stored, client).await,
        _ => call.clone().run(client).await,
    };
    let answer = answer.inspect_err(|error| failed(error))?;
    if answer.status.is_server_error() {
        let stands_in = match (&scope, &older) {
            (Some(scope), Some((entry, stored))) => {
                declared.may_stand_in(entry, stored, scope.engine().clock().now(), For::Failure)
            }
            _ => true,
        };
        if !stands_in {
            // By its own headers the older one ends here.
            return Ok(Produced { value: Data(answer.encode()), negative: false, store: false });
        }
        let failure = SourceFailed(Box::new(answer));
        failed(&failure);
        return Err(failure.into());
    }
    let cookie = answer.headers.contains_key(header::SET_COOKIE) && !declared.private;
    if cookie {
        tracing::debug!(
            url,
            "not stored: the answer sets a cookie; `.store_private()` would store it without"
        );
    }
    let mut store = declared.keeps(answer.status) && !cookie;
    if let (Some(scope), Some(asked)) = (scope, asked) {
        match origin::fresh_for(&call, &answer, declared.shared(), scope.engine().clock().wall()) {
            Some(fresh) => scope.note(&Tags::new(), Some(asked.plus(fresh))),
            None => {
                tracing::debug!(url, "not stored: by its headers the answer may not be, or has no age");
                store = false;
            }
        }
    }
    Ok(Produced { value: Data(answer.encode()), negative: false, store })
}

/// Asks whether `stored` is still right, and for the whole of the answer where that gets none.
async fn ask_whether(asking: Call, call: &Call, stored: &Fetched, client: Client) -> Result<Fetched, Error> {
    let answer = asking.run(client.clone()).await?;
    let renewed = match answer.status {
        StatusCode::NOT_MODIFIED => renewed(stored.clone(), answer.headers),
        // It is somewhere else now, or the condition has changed what the source does.
        status if status.is_redirection() => None,
        _ => return Ok(answer),
    };
    match renewed {
        Some(renewed) => Ok(renewed),
        None => call.clone().run(client).await,
    }
}

/// The entry that is to be replaced. Not one that was invalidated: whoever did so knows more than its validators.
fn older(scope: &Scope, key: &Key, url: &str) -> Option<(Arc<Entry<Data>>, Fetched)> {
    match scope.engine().data().in_memory(key)? {
        (_, Decision::Miss { .. }) => None,
        (entry, _) => {
            let stored = Fetched::decode(url.to_owned(), entry.value.0.clone())?;
            Some((entry, stored))
        }
    }
}

/// An answer by which the source says that it failed.
#[derive(Debug)]
pub(super) struct SourceFailed(pub(super) Box<Fetched>);

impl std::error::Error for SourceFailed {}

impl fmt::Display for SourceFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (*self.0).clone().error_for_status() {
            Err(error) => error.fmt(f),
            Ok(_) => f.write_str("the source failed"),
        }
    }
}
