//! The word that it is time to end, as many connections hear it.

use std::sync::atomic::{AtomicBool, Ordering};
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

/// Said once. Whether it was said costs no lock to ask.
#[derive(Debug, Default)]
pub(super) struct Stop {
    said: AtomicBool,
    token: CancellationToken,
}

impl Stop {
    pub(super) fn say(&self) {
        // Before anybody is woken, so that who is woken sees it.
        self.said.store(true, Ordering::Release);
        self.token.cancel();
    }

    pub(super) fn is_set(&self) -> bool {
        self.said.load(Ordering::Acquire)
    }

    pub(super) fn wait(&self) -> WaitForCancellationFuture<'_> {
        self.token.cancelled()
    }
}
