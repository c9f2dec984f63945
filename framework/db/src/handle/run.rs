//! One statement, tried again where that is safe.

use super::{
    Route,
    fault::{Fault, advised, fault, is_read_only},
    route::Lease,
};
use crate::{
    Error,
    backend::{Backend, Given, Statement},
    observe::Watched,
    replica::Tried,
};
use either::Either;
use futures::{StreamExt, stream::BoxStream};
use std::time::Duration;
use tokio::time::timeout;

/// The database has been told its limit on statements; a server that says nothing for so long after it is dead.
const AFTER_THE_LIMIT: Duration = Duration::from_millis(500);

const USE_WRITE: &str = "it came through `db.read()`: use `db.write()` or `db.tx()`";
const NOT_PRIMARY: &str =
    "the server is no primary any more: the next write finds the one that is, so try again";

/// Runs a statement to its end, adding up what it gives.
pub(crate) async fn to_end<B: Backend, T>(
    route: Route<'_>,
    statement: Result<Statement<B>, sqlx::Error>,
    begin: impl Fn() -> T,
    add: impl Fn(&mut T, Given<B>) -> u64,
) -> Result<T, sqlx::Error> {
    let mut statement = statement?;
    let watched = Watched::begin(route.kind(), statement.sql.clone(), route.cluster.config.slow);
    let (mut tried, mut tries) = (Tried::default(), 0);
    let (result, rows) = loop {
        let mut lease = match lease(&route, tried, &watched, statement.is_one_message()).await {
            Ok(lease) => lease,
            Err(error) => break (Err(error), 0),
        };
        let again = route.may_retry(tries).then(|| statement.copy());
        let (mut sum, mut rows) = (begin(), 0);
        let running = async {
            let mut given = B::run(lease.conn.raw(), statement);
            while let Some(item) = given.next().await {
                rows += add(&mut sum, item?);
            }
            Ok(())
        };
        let server = lease.server.clone();
        let limit = route.cluster.config.pool.statement + AFTER_THE_LIMIT;
        let ran = match &server {
            Some(server) => tokio::select! {
                biased;
                ran = timeout(limit, running) => ran,
                () = server.went_down() => Ok(Err(server.unavailable().into())),
            },
            None => timeout(limit, running).await,
        };
        match ran.unwrap_or_else(|_| Err(hung(&lease, limit))) {
            Ok(()) => break (lease.end().await.map(|()| sum), rows),
            Err(error) => match (judge(&route, lease, &error, &mut tried), again) {
                (true, Some(again)) => {
                    route.cluster.counts.retries();
                    statement = again;
                    tries += 1;
                }
                _ => break (Err(explained(&route, error)), rows),
            },
        }
    };
    watched.end(rows, result.as_ref().err(), &route.cluster.counts);
    result
}

/// Runs a statement and hands on what it gives as it comes. Tried again only before the first of it.
pub(crate) fn stream<'e, B: Backend>(
    route: Route<'e>,
    statement: Result<Statement<B>, sqlx::Error>,
) -> BoxStream<'e, Result<Given<B>, sqlx::Error>> {
    Box::pin(async_stream::try_stream! {
        let mut statement = statement?;
        let watched = Watched::begin(route.kind(), statement.sql.clone(), route.cluster.config.slow);
        let (mut tried, mut tries, mut rows) = (Tried::default(), 0, 0);
        let limit = route.cluster.config.pool.statement + AFTER_THE_LIMIT;
        loop {
            let mut lease = lease(&route, tried, &watched, statement.is_one_message()).await?;
            let again = route.may_retry(tries).then(|| statement.copy());
            let mut failed = None;
            let mut given = B::run(lease.conn.raw(), statement);
            loop {
                match timeout(limit, given.next()).await {
                    Ok(Some(Ok(item))) => {
                        rows += u64::from(item.is_right());
                        yield item;
                    }
                    Ok(None) => break,
                    Ok(Some(Err(error))) => {
                        failed = Some(error);
                        break;
                    }
                    Err(_) => {
                        failed = Some(Error::Hung { server: "the database".to_owned(), after: limit }.into());
                        break;
                    }
                }
            }
            drop(given);
            let Some(error) = failed else {
                lease.end().await?;
                watched.end(rows, None, &route.cluster.counts);
                return;
            };
            match (judge(&route, lease, &error, &mut tried), again) {
                (true, Some(again)) if rows == 0 => {
                    route.cluster.counts.retries();
                    statement = again;
                    tries += 1;
                }
                _ => {
                    watched.end(rows, Some(&error), &route.cluster.counts);
                    Err(explained(&route, error))?;
                    return;
                }
            }
        }
    })
}

async fn lease(
    route: &Route<'_>,
    tried: Tried,
    watched: &Watched,
    is_one_message: bool,
) -> Result<Lease, sqlx::Error> {
    let first = route.lease(tried).await?;
    let server = first.server.clone();
    let lease = match first.for_one(route, is_one_message).await {
        // A connection that was lost while it was idle: nothing has been done yet.
        Err(error) if fault(&error) == Fault::Server => {
            if let Some(server) = server {
                server.failed(&error.to_string());
            }
            route.cluster.counts.retries();
            route.lease(tried).await?.for_one(route, is_one_message).await?
        }
        lease => lease?,
    };
    watched.at(lease.server.as_ref().map(|server| server.address.as_str()));
    Ok(lease)
}

fn hung(lease: &Lease, after: Duration) -> sqlx::Error {
    let server = lease.server.as_ref().map_or_else(|| "SQLite".to_owned(), |server| server.address.clone());
    Error::Hung { server, after }.into()
}

/// Draws the consequences of an error for its server; whether another may do better.
fn judge(route: &Route<'_>, lease: Lease, error: &sqlx::Error, tried: &mut crate::replica::Tried) -> bool {
    let given_up = matches!(crate::cause(error), Some(Error::Unavailable { .. }));
    match fault(error) {
        Fault::Server => {
            tried.add(lease.place);
            lease.failed(error);
            true
        }
        // The server went down meanwhile.
        Fault::Query if given_up => {
            tried.add(lease.place);
            lease.conn.discard();
            true
        }
        Fault::Conflict => {
            tried.add(lease.place);
            true
        }
        Fault::Query => {
            if let (true, true, Some(server)) = (route.writes, is_read_only(error), &lease.server) {
                server.poke();
            }
            false
        }
    }
}

/// With what to do about it, where that is known.
pub(super) fn explained(route: &Route<'_>, error: sqlx::Error) -> sqlx::Error {
    match (is_read_only(&error), route.writes) {
        (true, false) => advised(error, USE_WRITE),
        (true, true) => advised(error, NOT_PRIMARY),
        (false, _) => error,
    }
}

/// How many rows an item is.
pub(crate) fn rows<A, R>(item: &Either<A, R>) -> u64 {
    u64::from(item.is_right())
}
