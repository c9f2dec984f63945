//! Following moves: which slots are where, as the databases have it.

use super::{Fence, SlotMap};
use crate::{
    pool::postgres::Use,
    replica::{Group, Server},
};
use arc_swap::ArcSwap;
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
        let mut fences = vec![Fence::default(); groups.len()];
        look(&configured, &groups, &mut fences, &now).await;
        let following = tokio::spawn(async move {
            loop {
                sleep(EVERY).await;
                look(&configured, &groups, &mut fences, &now).await;
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

/// Asks each shard. One that does not answer is taken as it was.
async fn look(configured: &SlotMap, groups: &[Arc<Group>], fences: &mut [Fence], now: &ArcSwap<SlotMap>) {
    let asked = groups.iter().map(|group| async move {
        let (_, server) = group.primary()?;
        timeout(WITHIN, ask(server)).await.ok()?
    });
    let answers = futures::future::join_all(asked).await;
    for (known, answer) in fences.iter_mut().zip(answers) {
        if let Some(fence) = answer {
            *known = fence;
        }
    }
    let followed = configured.followed(fences);
    if followed != **now.load() {
        tracing::info!(
            "slots have moved between shards; this instance follows, and its configuration is to be brought along"
        );
        now.store(Arc::new(followed));
    }
}

/// `None` where it cannot be asked, or has no fence yet.
async fn ask(server: &Server) -> Option<Fence> {
    let mut conn = server.acquire(Use::Write).await.ok()?;
    Fence::read(&mut conn).await.ok()
}
