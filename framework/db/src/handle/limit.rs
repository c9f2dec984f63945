//! No wait without an end.

use crate::{Error, replica::Server};
use futures::{FutureExt, Stream, StreamExt};
use std::{future::Future, sync::Arc, time::Duration};
use tokio::time::timeout;

/// Waits for an answer of the server for `limit` at most, and no longer than it is up.
pub(crate) async fn bounded<T>(
    server: Option<&Arc<Server>>,
    limit: Duration,
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    let answered = match server {
        Some(server) => tokio::select! {
            biased;
            answered = timeout(limit, answer) => answered,
            () = server.went_down() => return Err(server.unavailable().into()),
        },
        None => timeout(limit, answer).await,
    };
    answered.unwrap_or_else(|_| {
        let server = server.map_or_else(|| "SQLite".to_owned(), |server| server.address.clone());
        Err(Error::Hung { server, after: limit }.into())
    })
}

/// The next item of what a server gives, waited for in the same way.
pub(crate) async fn next<T>(
    server: Option<&Arc<Server>>,
    limit: Duration,
    given: &mut (impl Stream<Item = Result<T, sqlx::Error>> + Unpin),
) -> Option<Result<T, sqlx::Error>> {
    bounded(server, limit, given.next().map(Ok)).await.unwrap_or_else(|error| Some(Err(error)))
}
