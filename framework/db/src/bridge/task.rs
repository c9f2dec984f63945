//! The life of a bridge: connect, look, wait, and again.

use super::{
    BridgeOptions, Invalidate,
    backoff::Backoff,
    session::{Session, Trouble, Woken},
    stats::Counters,
};
use std::{future::Future, sync::Arc};
use tokio::sync::oneshot::Receiver;

/// Runs until `stopped`, in which nobody ever says anything: it ends when its sender does.
pub(super) async fn run(
    options: BridgeOptions,
    invalidate: Arc<dyn Invalidate>,
    counters: Arc<Counters>,
    mut stopped: Receiver<()>,
) {
    let mut life = Life { options, invalidate, counters, backoff: Backoff::new() };
    let mut session = None;
    // Between two rounds alone, so that what was taken is settled.
    while !is_over(&mut stopped) {
        let round = life.round(&mut session).await;
        life.counters.connected(session.is_some());
        let pause = match round {
            Ok(true) => continue,
            Ok(false) => match unless(&mut stopped, life.wait(&mut session)).await {
                Some(()) => continue,
                None => break,
            },
            Err(trouble) => life.pause(&trouble),
        };
        if unless(&mut stopped, tokio::time::sleep(pause)).await.is_none() {
            break;
        }
    }
    life.counters.connected(false);
}

fn is_over(stopped: &mut Receiver<()>) -> bool {
    !matches!(stopped.try_recv(), Err(tokio::sync::oneshot::error::TryRecvError::Empty))
}

/// What comes of `future`, unless it is time to stop before.
async fn unless<T>(stopped: &mut Receiver<()>, future: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        _ = stopped => None,
        done = future => Some(done),
    }
}

struct Life {
    options: BridgeOptions,
    invalidate: Arc<dyn Invalidate>,
    counters: Arc<Counters>,
    backoff: Backoff,
}

impl Life {
    /// Takes one batch, and says whether there may be more.
    async fn round(&mut self, session: &mut Option<Session>) -> Result<bool, Trouble> {
        // Taken out: what becomes of it is known when the round has gone well.
        let mut open = match session.take() {
            Some(open) => open,
            None => Session::open(&self.options).await?,
        };
        self.counters.connected(true);
        let taken = open.take(&*self.invalidate, &self.counters).await;
        if taken.as_ref().err().is_none_or(Trouble::spares_connection) {
            *session = Some(open);
        }
        let more = taken?;
        self.backoff = Backoff::new();
        if self.counters.mended() {
            tracing::info!("changes are taken from the database again");
        }
        Ok(more)
    }

    /// Waits until it is worth while to look again.
    async fn wait(&mut self, session: &mut Option<Session>) {
        if let Some(open) = session
            && matches!(open.wait(self.options.look_every).await, Woken::Lost)
        {
            *session = None;
            self.counters.connected(false);
            self.pause(&Trouble::Lost);
        }
    }

    /// Tells of trouble when it begins, and says for how long to leave it alone.
    fn pause(&mut self, trouble: &Trouble) -> std::time::Duration {
        match self.counters.failed(trouble.to_string()) {
            true => tracing::warn!(%trouble, "changes are not taken from the database for now"),
            false => tracing::debug!(%trouble, "changes are still not taken from the database"),
        }
        self.backoff.next(rand::random())
    }
}
