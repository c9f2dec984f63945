//! Following moves: which slots are where, as the databases have it.

use super::{Fence, SlotMap, State};
use crate::replica::Group;
use arc_swap::ArcSwap;
use sqlx::{ConnectOptions, PgConnection};
use std::{sync::Arc, time::Duration};
use tokio::{
    task::AbortHandle,
    time::{sleep, timeout},
};

/// Between two questions. A move waits for [`SETTLE`] before the target is written, so that every instance that can ask
/// has asked by then.
const EVERY: Duration = Duration::from_millis(500);

/// A database that does not answer in this time is asked again next time.
const WITHIN: Duration = Duration::from_secs(1);

/// How long a move should let instances follow ([`Move::settle`](super::moving::Move::settle)): one question that is not
/// answered, and one that is.
pub const SETTLE: Duration = Duration::from_secs(3);

/// Which slots are on which shard.
#[derive(Debug)]
pub(crate) struct Slots {
    now: Arc<ArcSwap<SlotMap>>,
    following: Option<AbortHandle>,
}

impl Slots {
    /// As configured, for as long as the process lives.
    pub(crate) fn fixed(map: SlotMap) -> Self {
        Self { now: Arc::new(ArcSwap::from_pointee(map)), following: None }
    }

    /// As the databases have it, beginning with what is configured. `groups` are in the order of the shards.
    pub(crate) async fn follow(configured: SlotMap, groups: Vec<Arc<Group>>) -> Self {
        let mut slots = Self::fixed(configured.clone());
        let now = slots.now.clone();
        let mut known: Vec<_> = groups.into_iter().map(Known::new).collect();
        look(&configured, &mut known, &now).await;
        let following = tokio::spawn(async move {
            loop {
                sleep(EVERY).await;
                look(&configured, &mut known, &now).await;
            }
        });
        slots.following = Some(following.abort_handle());
        slots
    }

    /// The map as it is now.
    pub(crate) fn now(&self) -> Arc<SlotMap> {
        self.now.load_full()
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        if let Some(following) = &self.following {
            following.abort();
        }
    }
}

/// What is known of a shard.
struct Known {
    group: Arc<Group>,
    /// To the primary that was asked last, at this address: pools may be busy.
    conn: Option<(String, PgConnection)>,
    fence: Fence,
    /// Whether it is from the last question.
    is_fresh: bool,
}

impl Known {
    fn new(group: Arc<Group>) -> Self {
        Self { group, conn: None, fence: Fence::default(), is_fresh: false }
    }

    async fn look(&mut self) {
        let fence = timeout(WITHIN, self.ask()).await.ok().flatten();
        self.is_fresh = fence.is_some();
        match fence {
            Some(fence) => self.fence = fence,
            None => self.conn = None,
        }
    }

    /// `None` where it cannot be asked, or has no fence yet.
    async fn ask(&mut self) -> Option<Fence> {
        let (_, server) = self.group.primary()?;
        let (_, mut conn) = match self.conn.take().filter(|(address, _)| *address == server.address) {
            Some(known) => known,
            None => (server.address.clone(), server.options().connect().await.ok()?),
        };
        let fence = Fence::read(&mut conn).await.ok()?;
        self.conn = Some((server.address.clone(), conn));
        Some(fence)
    }
}

/// Asks each shard. One that does not answer is taken as it was, but for slots that another now says are its own.
async fn look(configured: &SlotMap, known: &mut [Known], now: &ArcSwap<SlotMap>) {
    futures::future::join_all(known.iter_mut().map(Known::look)).await;
    let fresh = |slot| known.iter().any(|known| known.is_fresh && known.fence.has(slot, &[State::Owned]));
    let fences: Vec<_> = known
        .iter()
        .map(|known| if known.is_fresh { known.fence.clone() } else { known.fence.without(fresh) })
        .collect();
    let followed = configured.followed(&fences);
    if followed != **now.load() {
        tracing::info!(
            "slots have moved between shards; this instance follows, and its configuration is to be brought along"
        );
        now.store(Arc::new(followed));
    }
}
