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
    let mut watched = watch(&route, &statement);
    let (mut tried, mut tries) = (Tried::default(), 0);
    let result = loop {
        let mut lease = match lease(&route, tried, &watched, statement.is_one_message()).await {
            Ok(lease) => lease,
            Err(error) => break Err(error),
        };
        let again = route.may_retry(tries).then(|| statement.copy());
        let mut sum = begin();
        let (server, limit) = (lease.server.clone(), lease.limit);
        let running = async {
            let conn = lease.begin_statement()?;
            if wanted == Wanted::First {
                let first = B::first(conn, statement).await?;
                watched.came(first.map_or(0, |row| add(&mut sum, Either::Right(row))));
                return Ok(());
            }
            let mut given = B::run(conn, statement);
            while let Some(item) = given.next().await {
                watched.came(add(&mut sum, item?));
            }
            Ok(())
        };
        match bounded(server.as_ref(), limit, running).await {
            Ok(()) => {
                lease.settled();
                break done(&route, lease).await.map(|()| sum);
            }
            Err(error) => match (judge(&route, lease, &error, &mut tried), again) {
                (true, Some(again)) => {
                    route.cluster.counts.retries();
                    watched.begins_again();
                    statement = again;
                    tries += 1;
                }
                _ => break Err(explained(&route, error)),
            },
        }
    };
    watched.end(result.as_ref().err());
    result
}

/// Runs a statement and hands on what it gives as it comes. Tried again only before the first of it.
pub(crate) fn stream<'e, B: Backend>(
    route: Route<'e>,
    statement: Result<Statement<B>, sqlx::Error>,
) -> BoxStream<'e, Result<Given<B>, sqlx::Error>> {
    Box::pin(async_stream::try_stream! {
        let mut statement = statement?;
        let mut watched = watch(&route, &statement);
        let (mut tried, mut tries) = (Tried::default(), 0);
        loop {
            let leased = lease(&route, tried, &watched, statement.is_one_message()).await;
            let mut lease = leased.map_err(|error| watched.failed(error))?;
            let again = route.may_retry(tries).then(|| statement.copy());
            let mut failed = None;
            let (server, limit) = (lease.server.clone(), lease.limit);
            {
                let conn = lease.begin_statement().map_err(|error| watched.failed(error))?;
                let mut given = B::run(conn, statement);
                while let Some(item) = next(server.as_ref(), limit, &mut given).await {
                    match item {
                        Ok(item) => {
                            watched.came(rows(&item));
                            watched.hands_on(true);
                            yield item;
                            watched.hands_on(false);
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
                done(&route, lease).await.map_err(|error| watched.failed(error))?;
                watched.end(None);
                return;
            };
            match (judge(&route, lease, &error, &mut tried), again) {
                (true, Some(again)) if watched.rows() == 0 => {
                    route.cluster.counts.retries();
                    statement = again;
                    tries += 1;
                }
                _ => {
                    watched.end(Some(&error));
                    Err(explained(&route, error))?;
                    return;
                }
            }
        }
    })
}

fn watch<B: Backend>(route: &Route<'_>, statement: &Statement<B>) -> Watched {
    let cluster = route.cluster;
    Watched::begin(route.kind(), statement.sql.clone(), cluster.config.slow, &cluster.counts)
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
