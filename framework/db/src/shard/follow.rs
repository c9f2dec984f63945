//! Following moves: which slots are where, as the databases have it.

use super::{Fence, SlotMap};
use crate::replica::Group;
use arc_swap::ArcSwap;
use sqlx::{ConnectOptions, PgConnection, Row as _, raw_sql};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::Mutex,
    task::AbortHandle,
    time::{Instant, sleep, timeout},
};

/// Between two questions. A move waits for [`SETTLE`] before the target is written, so that every instance that can ask
/// has asked by then.
const EVERY: Duration = Duration::from_millis(500);

/// A database that does not answer in this time is asked again next time.
const WITHIN: Duration = Duration::from_secs(1);

/// How long a move should let instances follow ([`Move::settle`](super::moving::Move::settle)): one question that is not
/// answered, and one that is.
pub const SETTLE: Duration = Duration::from_secs(3);

/// After this time a new connection is made: a name may lead to another server by then.
const LIFE: Duration = Duration::from_secs(60);

/// Which slots are on which shard.
#[derive(Debug)]
pub(crate) struct Slots {
    now: Arc<ArcSwap<SlotMap>>,
    following: Option<(Arc<Mutex<Follower>>, AbortHandle)>,
}

impl Slots {
    /// As configured, for as long as the process lives.
    pub(crate) fn fixed(map: SlotMap) -> Self {
        Self { now: Arc::new(ArcSwap::from_pointee(map)), following: None }
    }

    /// As the databases have it, beginning with what is configured. `groups` are in the order of the shards.
    pub(crate) async fn follow(configured: SlotMap, groups: Vec<Arc<Group>>) -> Self {
        let now = Arc::new(ArcSwap::from_pointee(configured.clone()));
        let known = groups.into_iter().map(Known::new).collect();
        let follower = Arc::new(Mutex::new(Follower { configured, known, now: now.clone() }));
        follower.lock().await.look().await;
        let asking = follower.clone();
        let task = tokio::spawn(async move {
            loop {
                sleep(EVERY).await;
                asking.lock().await.look().await;
            }
        });
        Self { now, following: Some((follower, task.abort_handle())) }
    }

    /// Asks now, rather than with the next question: for whoever has just changed what the databases say.
    pub(crate) async fn refresh(&self) {
        if let Some((follower, _)) = &self.following {
            follower.lock().await.look().await;
        }
    }

    /// The map as it is now.
    pub(crate) fn now(&self) -> Arc<SlotMap> {
        self.now.load_full()
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        if let Some((_, following)) = &self.following {
            following.abort();
        }
    }
}

/// Asks all shards.
#[derive(Debug)]
struct Follower {
    configured: SlotMap,
    known: Vec<Known>,
    now: Arc<ArcSwap<SlotMap>>,
}

impl Follower {
    /// One that does not answer is taken as it was, but for slots that another has since said are its own.
    async fn look(&mut self) {
        futures::future::join_all(self.known.iter_mut().map(Known::look)).await;
        let fences: Vec<_> = self.known.iter().map(|known| (known.answered, known.fence.clone())).collect();
        let followed = self.configured.followed_by(&fences);
        if followed != **self.now.load() {
            tracing::info!(
                "slots have moved between shards; this instance follows, and its configuration is to be brought along"
            );
            self.now.store(Arc::new(followed));
        }
    }
}

/// What is known of a shard.
#[derive(Debug)]
struct Known {
    group: Arc<Group>,
    /// A connection of its own, since pools may be busy.
    line: Option<Line>,
    fence: Fence,
    /// When it said so; `None` before it has.
    answered: Option<Instant>,
}

/// A connection to a server that was the primary.
#[derive(Debug)]
struct Line {
    place: usize,
    opened: Instant,
    conn: PgConnection,
}

impl Known {
    fn new(group: Arc<Group>) -> Self {
        Self { group, line: None, fence: Fence::default(), answered: None }
    }

    async fn look(&mut self) {
        // What is cut off takes its connection with it.
        if let Ok(Some(fence)) = timeout(WITHIN, self.ask()).await {
            (self.fence, self.answered) = (fence, Some(Instant::now()));
        }
    }

    /// `None` where it cannot be asked, is no primary any more, or has no fence yet.
    async fn ask(&mut self) -> Option<Fence> {
        let (place, server) = self.group.primary()?;
        let kept = self.line.take().filter(|line| line.place == place && line.opened.elapsed() < LIFE);
        let mut line = match kept {
            Some(line) => line,
            None => Line { place, opened: Instant::now(), conn: server.options().connect().await.ok()? },
        };
        let read = match is_replica(&mut line.conn).await {
            Ok(false) => Fence::read(&mut line.conn).await.map(Some),
            Ok(true) => return None,
            Err(error) => Err(error),
        };
        // What the database refuses is no fault of the connection.
        if matches!(read, Ok(_) | Err(sqlx::Error::Database(_))) {
            self.line = Some(line);
        }
        read.ok().flatten()
    }
}

async fn is_replica(conn: &mut PgConnection) -> sqlx::Result<bool> {
    raw_sql("select pg_is_in_recovery()").fetch_one(conn).await?.try_get(0)
}
