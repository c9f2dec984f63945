//! One connection to the primary, by which changes are taken.

use super::{BridgeOptions, Invalidate, stats::Counters, template::Template};
use sqlx::{
    Acquire, Connection, PgConnection,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};
use std::{
    collections::{BTreeSet, HashMap},
    future::Future,
    time::Duration,
};
use tokio::time::timeout;
use tropos_core::{Failure, Tag};

const CHANNEL: &str = "tropos_changes";

/// The inner question is asked once, whatever the planner does; rows that another bridge holds are left to it.
const TAKE: &str = "with taken as materialized ( \
        select id from tropos.changes order by id limit $1 for update skip locked \
    ) \
    delete from tropos.changes using taken where changes.id = taken.id \
    returning changes.template, changes.columns::text, \
        extract(epoch from clock_timestamp() - changes.recorded)::float8";

/// Whether the settings of the session have arrived, whether this is a standby, and whether the table is there.
const CHECK: &str = "select current_setting('tropos.bridge', true) is not distinct from 'on', \
    pg_is_in_recovery(), to_regclass('tropos.changes') is not null";

/// A change as it is taken: template, columns as JSON, seconds since it was recorded.
type Change = (String, String, f64);

/// Why a connection is of no use, or a batch was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error("{0}")]
    Database(#[from] sqlx::Error),
    #[error("no answer from the database within {} ms", .0.as_millis())]
    Silent(Duration),
    #[error("none of the addresses leads to a primary: a standby has no changes to take")]
    Standby,
    #[error(
        "the table tropos.changes is missing: run `tropos_db::bridge::install_sql()` in a migration, and `select tropos.watch('TABLE', 'TAG-{{COLUMN}}')` for each table"
    )]
    Missing,
    #[error(
        "the address leads to a pooler that keeps no settings for a session, and hands no notifications on: give the bridge the address of the server itself"
    )]
    Pooler,
    #[error("the connection was lost")]
    Lost,
    #[error("what has changed was not invalidated, and will be tried again: {0}")]
    Refused(Failure),
    #[error("what has changed was not invalidated within {} ms, and will be tried again", .0.as_millis())]
    TooLong(Duration),
}

impl Trouble {
    /// Whether the connection itself is as good as before.
    pub(super) fn spares_connection(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::TooLong(_))
    }
}

/// How a wait for changes ended.
pub(super) enum Woken {
    /// Somebody may have written.
    Look,
    /// The connection is gone.
    Lost,
}

pub(super) struct Session {
    listener: PgListener,
    limit: Duration,
    rows: i64,
}

impl Session {
    /// Connects to the first of the servers that is a primary.
    pub(super) async fn open(options: &BridgeOptions) -> Result<Self, Trouble> {
        let mut trouble = Trouble::Standby;
        for server in &options.servers {
            match within(options.limit, Self::connect(server, options)).await {
                Ok(session) => return Ok(session),
                // A server that says nothing of use is no reason to forget what another said.
                Err(Trouble::Standby) => {}
                Err(error) => trouble = error,
            }
        }
        Err(trouble)
    }

    async fn connect(server: &PgConnectOptions, options: &BridgeOptions) -> Result<Self, Trouble> {
        let millis = |limit: Duration| limit.as_millis().to_string();
        // Set at the start, which a pooler in transaction mode refuses: better than to be deaf without knowing.
        let mut server = server.clone().options([
            ("default_transaction_isolation", "read committed".to_owned()),
            ("default_transaction_read_only", "off".to_owned()),
            ("statement_timeout", millis(options.limit)),
            // Found again below, unless a pooler has dropped them all.
            ("tropos.bridge", "on".to_owned()),
            // Whoever took changes and fell silent, a machine without power say, gives them back.
            ("idle_in_transaction_session_timeout", millis(options.limit * 3)),
        ]);
        if server.get_application_name().is_none() {
            server = server.application_name("tropos bridge");
        }
        let mut connection = PgConnection::connect_with(&server).await.map_err(refused)?;
        let (settings, standby, installed): (bool, bool, bool) =
            sqlx::query_as(CHECK).fetch_one(&mut connection).await?;
        connection.close().await?;
        match (settings, standby, installed) {
            (false, ..) => return Err(Trouble::Pooler),
            (true, true, _) => return Err(Trouble::Standby),
            (true, false, false) => return Err(Trouble::Missing),
            (true, false, true) => {}
        }
        // A listener wants a pool, of one and never asked for a second connection. A pool knocks at a closed door until
        // its time is out: so the door was tried before.
        let pool = PgPoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
        let pool = pool.acquire_timeout(options.limit).connect_with(server).await?;
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.eager_reconnect(false);
        // Before the first look, so that nothing falls between the two.
        listener.listen(CHANNEL).await?;
        Ok(Self { listener, limit: options.limit, rows: options.rows.into() })
    }

    /// Takes what is there, one batch, and says whether there may be more.
    pub(super) async fn take(
        &mut self,
        invalidate: &dyn Invalidate,
        counters: &Counters,
    ) -> Result<bool, Trouble> {
        let Self { listener, limit, rows } = self;
        // All hints until now are answered by this look; so they never pile up.
        while listener.next_buffered().is_some() {}
        let mut transaction = within(*limit, async { Ok(listener.begin().await?) }).await?;
        let take = sqlx::query_as(TAKE).bind(*rows);
        let changes: Vec<Change> =
            within(*limit, async { Ok(take.fetch_all(&mut *transaction).await?) }).await?;
        let batch = Batch::of(&changes);
        if !batch.tags.is_empty() {
            let tags: Vec<Tag> = batch.tags.iter().cloned().collect();
            let done = match timeout(*limit, invalidate.invalidate(&tags)).await {
                Ok(done) => done.map_err(Trouble::Refused),
                Err(_) => Err(Trouble::TooLong(*limit)),
            };
            if let Err(trouble) = done {
                within(*limit, async { Ok(transaction.rollback().await?) }).await?;
                return Err(trouble);
            }
        }
        within(*limit, async { Ok(transaction.commit().await?) }).await?;
        counters.took(changes.len(), batch.tags.len(), batch.malformed, batch.delay);
        Ok(usize::try_from(*rows).is_ok_and(|rows| changes.len() >= rows))
    }

    /// Waits for a hint, at most for `interval`.
    pub(super) async fn wait(&mut self, interval: Duration) -> Woken {
        match timeout(interval, self.listener.try_recv()).await {
            Ok(Ok(Some(_))) | Err(_) => Woken::Look,
            Ok(Ok(None) | Err(_)) => Woken::Lost,
        }
    }
}

/// What the changes of one batch outdate.
struct Batch {
    tags: BTreeSet<Tag>,
    malformed: usize,
    delay: Duration,
}

impl Batch {
    fn of(changes: &[Change]) -> Self {
        let mut batch = Self { tags: BTreeSet::new(), malformed: 0, delay: Duration::ZERO };
        for (template, columns, seconds) in changes {
            let columns: Option<HashMap<String, Option<String>>> = serde_json::from_str(columns).ok();
            match columns.and_then(|columns| Template::parse(template)?.tag(&columns)) {
                Some(tag) => drop(batch.tags.insert(tag)),
                None => {
                    batch.malformed += 1;
                    tracing::error!(%template, "a row of tropos.changes makes no tag, and is dropped: let only the triggers of tropos.watch write there");
                }
            }
            // The clock of the database may have been set back.
            let waited = Duration::try_from_secs_f64(*seconds).unwrap_or_default();
            batch.delay = batch.delay.max(waited);
        }
        batch
    }
}

/// PgBouncer refuses settings that it cannot keep for a session.
fn refused(error: sqlx::Error) -> Trouble {
    let by_pooler = error
        .as_database_error()
        .is_some_and(|error| error.message().contains("unsupported startup parameter"));
    if by_pooler { Trouble::Pooler } else { error.into() }
}

/// Silence has a bound: a connection may be half open.
async fn within<T>(limit: Duration, future: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    timeout(limit, future).await.unwrap_or(Err(Trouble::Silent(limit)))
}
