//! One statement, tried again where that is safe.

use super::{
    Route,
    fault::{Fault, advised, fault, is_read_only},
    lease::Lease,
    limit::{bounded, next},
};
use crate::{
    backend::{Backend, Given, Statement},
    observe::Watched,
    replica::Tried,
};
use either::Either;
use futures::{StreamExt, stream::BoxStream};

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
    run(route, statement, Wanted::All, begin, add).await
}

/// Runs a statement for its first row.
///
/// A read as sqlx's connections do it themselves: with SQLite that ends with the row, where each further message of the
/// connection's thread would wake this task again. A write to its end, since an error may come after the first row, as of a
/// deferred constraint.
pub(crate) async fn first<B: Backend>(
    route: Route<'_>,
    statement: Result<Statement<B>, sqlx::Error>,
) -> Result<Option<B::Row>, sqlx::Error> {
    let wanted = if route.writes { Wanted::All } else { Wanted::First };
    let add = |first: &mut Option<B::Row>, item: Given<B>| {
        let rows = rows(&item);
        if let (None, Either::Right(row)) = (&first, item) {
            *first = Some(row);
        }
        rows
    };
    run(route, statement, wanted, || None, add).await
}

/// How much of what a statement gives is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    All,
    First,
}

/// Runs a statement, adding up what it gives.
async fn run<B: Backend, T>(
    route: Route<'_>,
    statement: Result<Statement<B>, sqlx::Error>,
    wanted: Wanted,
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
        let (server, limit) = (lease.server.clone(), lease.limit);
        let running = async {
            let conn = lease.begin_statement()?;
            if wanted == Wanted::First {
                let first = B::first(conn, statement).await?;
                rows += first.map_or(0, |row| add(&mut sum, Either::Right(row)));
                return Ok(());
            }
            let mut given = B::run(conn, statement);
            while let Some(item) = given.next().await {
                rows += add(&mut sum, item?);
            }
            Ok(())
        };
        match bounded(server.as_ref(), limit, running).await {
            Ok(()) => {
                lease.settled();
                break (done(&route, lease).await.map(|()| sum), rows);
            }
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
        loop {
            let mut lease = lease(&route, tried, &watched, statement.is_one_message()).await?;
            let again = route.may_retry(tries).then(|| statement.copy());
            let mut failed = None;
            let (server, limit) = (lease.server.clone(), lease.limit);
            {
                let mut given = B::run(lease.begin_statement()?, statement);
                while let Some(item) = next(server.as_ref(), limit, &mut given).await {
                    match item {
                        Ok(item) => {
                            rows += u64::from(item.is_right());
                            yield item;
                        }
                        Err(error) => {
                            failed = Some(error);
                            break;
                        }
                    }
                }
            }
            let Some(error) = failed else {
                lease.settled();
                done(&route, lease).await?;
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
    let lease = match route.prepares() {
        // Nothing is sent before the statement: nothing can fail here.
        true => route.lease(tried).await?,
        false => route.ready(tried, |lease| lease.for_one(route, is_one_message)).await?,
    };
    watched.at(lease.server.as_ref().map(|server| server.address.as_str()));
    Ok(lease)
}

/// Ends the transaction that a pooler made necessary. A read that was answered is done, whatever becomes of it.
async fn done(route: &Route<'_>, lease: Lease) -> Result<(), sqlx::Error> {
    match lease.commit().await {
        Err(error) if route.writes => Err(error),
        Err(_) | Ok(()) => Ok(()),
    }
}

/// Draws the consequences of an error for its server; whether another may do better.
fn judge(route: &Route<'_>, mut lease: Lease, error: &sqlx::Error, tried: &mut Tried) -> bool {
    if matches!(error, sqlx::Error::Database(_)) {
        lease.settled();
    }
    match fault(error) {
        Fault::Server => {
            tried.add(lease.place);
            lease.failed(error);
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
