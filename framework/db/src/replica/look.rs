//! Asking a server for its role and position.

use super::{Group, Server};
use crate::config::Pooler;
use sqlx::{ConnectOptions, PgConnection, Row};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// What a server says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    /// Whether it replays another server's log.
    pub(crate) is_replica: bool,
    /// How far it has replayed, or, on a primary, written.
    pub(crate) position: u64,
    /// When its process began, in microseconds since 1970: another process may know less.
    pub(crate) started: i64,
    /// Which history it continues; 0 on a replica. Each promotion begins a higher one.
    pub(crate) timeline: u32,
}

/// One statement, so that all of it is of one moment. The insert position is not before any commit that has returned,
/// also where commits do not wait for the disk.
const QUESTION: &str = "select pg_is_in_recovery(), \
    (coalesce(case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_insert_lsn() end, \
    '0/0'::pg_lsn) - '0/0'::pg_lsn)::bigint, \
    (extract(epoch from pg_postmaster_start_time()) * 1000000)::bigint, \
    case when pg_is_in_recovery() then 0 \
    else ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int end";

/// Between two looks at a server that many wait for.
const SHORTEST_GAP: Duration = Duration::from_millis(3);

/// Asks over a connection that is there.
pub(crate) async fn ask(conn: &mut PgConnection) -> Result<Look, sqlx::Error> {
    // In one message: through a pooler, two may meet different connections.
    let row = sqlx::raw_sql(QUESTION).fetch_one(conn).await?;
    Ok(Look {
        is_replica: row.try_get(0)?,
        position: u64::try_from(row.try_get::<i64, _>(1)?).unwrap_or_default(),
        started: row.try_get(2)?,
        timeline: u32::try_from(row.try_get::<i32, _>(3)?).unwrap_or_default(),
    })
}

/// Looks at a server for as long as the group lives, over a connection of its own: pools may be busy.
pub(crate) async fn keep_looking(group: Arc<Group>, server: Arc<Server>, every: Duration, within: Duration) {
    let mut conn = None;
    loop {
        let which = server.begin_look();
        let looked = timeout(within, once(&server, &mut conn, group.pooler())).await;
        let ended = Instant::now();
        let looked = match looked {
            Ok(looked) => looked.map_err(|error| error.to_string()),
            Err(_) => Err(format!("no answer within {} ms", within.as_millis())),
        };
        if looked.is_err() {
            conn = None;
        }
        let answer = looked.as_ref().ok().copied();
        group.looked(&server, looked);
        server.end_look(which, answer);
        tokio::select! {
            () = sleep(every) => {}
            () = server.poked() => sleep_until(ended + SHORTEST_GAP).await,
        }
    }
}

async fn once(server: &Server, conn: &mut Option<PgConnection>, pooler: Pooler) -> Result<Look, sqlx::Error> {
    // A connection that was closed is no server that is down: it is asked anew.
    if let Some(known) = conn
        && let Ok(look) = ask(known).await
    {
        // A pooler may lead to a server that began anew behind it.
        if server.is_known_as(&look) || pooler == Pooler::Transaction {
            server.met(&look);
            return Ok(look);
        }
    }
    let mut new = server.options().connect().await?;
    let look = ask(&mut new).await?;
    server.met(&look);
    *conn = Some(new);
    Ok(look)
}
