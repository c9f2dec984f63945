//! Asking a server for its role and position.

use super::{Group, Server};
use crate::config::Pooler;
use sqlx::{ConnectOptions, PgConnection, Row};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// What a server says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    /// When it was asked: all of this was so after that.
    pub(crate) asked: Instant,
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
    else ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int end, \
    current_setting('wal_block_size')::bigint, pg_size_bytes(current_setting('wal_segment_size'))";

/// The headers of a page of the log, and of the first page of a segment (`XLogPageHeaderData` and
/// `XLogLongPageHeaderData`).
const HEADER: u64 = 24;
const LONG_HEADER: u64 = 40;

/// Between two looks at a server that many wait for.
const SHORTEST_GAP: Duration = Duration::from_millis(3);

/// Asks over a connection that is there.
pub(crate) async fn ask(conn: &mut PgConnection) -> Result<Look, sqlx::Error> {
    let asked = Instant::now();
    // In one message: through a pooler, two may meet different connections.
    let row = sqlx::raw_sql(QUESTION).fetch_one(conn).await?;
    let number = |column: usize| {
        let number = row.try_get::<i64, _>(column)?;
        Ok::<_, sqlx::Error>(u64::try_from(number).unwrap_or_default())
    };
    Ok(Look {
        asked,
        is_replica: row.try_get(0)?,
        position: end_of_last_record(number(1)?, number(4)?, number(5)?),
        started: row.try_get(2)?,
        timeline: u32::try_from(row.try_get::<i32, _>(3)?).unwrap_or_default(),
    })
}

/// Where the last record ends, if the next one is to be inserted at `position`.
///
/// At the beginning of a page the two differ by the page's header, and a replica that has replayed everything stands before
/// it: until something more is written, it would seem to be behind.
fn end_of_last_record(position: u64, page: u64, segment: u64) -> u64 {
    let into = |length: u64| position.checked_rem(length).unwrap_or_default();
    match (into(page), into(segment)) {
        (_, LONG_HEADER) => position - LONG_HEADER,
        // The first page of a segment has the long header, of which this would be a part.
        (HEADER, within) if within != HEADER => position - HEADER,
        _ => position,
    }
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
        server.end_look(which, answer);
        group.looked(&server, looked);
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

#[cfg(test)]
mod tests {
    use super::end_of_last_record;

    #[test]
    fn the_header_of_an_empty_page_is_no_record() {
        let (page, segment) = (0x2000, 0x10_0000);
        for (position, end) in [
            (0xC0_0028, 0xC0_0000), // the first page of a segment
            (0xC0_2018, 0xC0_2000), // any other
            (0xC0_2028, 0xC0_2028), // a record that ends on such a page
            (0xC0_0030, 0xC0_0030),
            (0xC0_1FF8, 0xC0_1FF8),
            (0, 0),
        ] {
            assert_eq!(end_of_last_record(position, page, segment), end, "{position:x}");
        }
        assert_eq!(end_of_last_record(0xC0_0028, page, 0x100_0000), 0xC0_0028, "within a larger segment");
        assert_eq!(end_of_last_record(7, 0, 0), 7);
    }
}
