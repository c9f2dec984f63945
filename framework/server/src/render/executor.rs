//! Where the tasks run that Leptos spawns: on Tokio, with what they belong to.
//!
//! A resource or an action spawns tasks of its own. They read data for the render that spawned them, so their tags must
//! flow up to it and they may read what it may read: both travel in task-locals, which a plain spawn would lose, as it would
//! the span below which they are told of.

use crate::page::PageCx;
use any_spawner::{CustomExecutor, Executor, PinnedFuture, PinnedLocalFuture};
use std::sync::Once;
use tracing::Instrument as _;
use tropos_cache::Scope;

struct ScopedTokio;

impl CustomExecutor for ScopedTokio {
    fn spawn(&self, future: PinnedFuture<()>) {
        match (Scope::current(), PageCx::current()) {
            (Some(scope), Some(cx)) => drop(tokio::spawn(scope.wrap(cx.scope(future)).in_current_span())),
            (Some(scope), None) => drop(tokio::spawn(scope.wrap(future).in_current_span())),
            _ => drop(tokio::spawn(future.in_current_span())),
        }
    }

    fn spawn_local(&self, future: PinnedLocalFuture<()>) {
        tokio::task::spawn_local(future);
    }

    fn poll_local(&self) {}
}

/// Makes this the executor of the process. Leptos has one for each process; further calls change nothing.
pub(crate) fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        if Executor::init_custom_executor(ScopedTokio).is_err() {
            tracing::warn!("another executor was installed for Leptos before Tropos: tags read inside of resources do not reach their page");
        }
    });
}
