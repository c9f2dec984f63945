//! A render, watched: whatever becomes of it, its key is free in the end.

use super::{
    Plan, Produced,
    inner::{Inner, Start},
    turn::Turn,
};
use crate::{
    Engine, Scope, Value,
    flight::{Landed, Permit},
    observe::Rendered,
};
use std::{
    future::Future,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::{
    task::{JoinError, JoinHandle},
    time::Instant,
};
use tracing::Instrument;
use tropos_core::Failure;

/// Renders in a task of its own, so that a client who leaves cancels nothing, and ends the flight.
pub(super) fn launch<V, F, Fut>(
    cache: Arc<Inner<V>>,
    engine: Engine,
    permit: Permit<V>,
    plan: Plan,
    parent: Option<Scope>,
    produce: F,
) where
    V: Value,
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = Result<Produced<V>, Failure>> + Send + 'static,
{
    let flight = async move {
        let key = plan.key.clone();
        let unlike = cache.at_hand(&key).map(|(entry, _)| entry);
        let (held, waited) = match cache.turn(&key, unlike.as_ref()).await {
            Turn::Made(entry) => {
                return permit.land(Ok(Landed { entry, stored: true, all_tags: true }));
            }
            Turn::Mine(held, waited) => (held, waited),
        };
        let start = Start { tick: cache.clock.now(), wall: cache.wall() };
        // Takes its place in the tag sequence here: before the first read.
        let scope = Scope::of_flight(&engine, key.clone(), parent);
        plan.route.into_iter().for_each(|route| scope.set_route(route));
        let (background, began) = (plan.background, Instant::now());
        cache.counts.renders.fetch_add(1, Ordering::Relaxed);
        let rendered = watched(&scope, cache.render_timeout.saturating_sub(waited), produce).await;
        if let Some(observer) = cache.counts.observed.by() {
            let (route, took, failure) = (scope.route(), began.elapsed(), rendered.as_ref().err());
            let failed = failure.is_some();
            let kept = failed && cache.has_good(&key);
            observer.rendered(&Rendered { key: &key, route, background, took, failed, failure, kept });
        }
        let landing = match rendered {
            Ok(produced) => Ok(cache.keep(plan, &scope, start, produced)),
            Err(failure) => {
                cache.counts.failures.fetch_add(1, Ordering::Relaxed);
                cache.note_failure(&key, &failure);
                Err(failure)
            }
        };
        let landed = landing.as_ref().ok().cloned();
        permit.land(landing);
        if let Some(landed) = landed {
            cache.share(&key, &landed).await;
        }
        if let Some(held) = held {
            held.let_go().await;
        }
    };
    tokio::spawn(flight.in_current_span());
}

/// What `produce` gives, or a failure if it panics or takes too long. It runs in a task of its own, apart from the one
/// that watches, so that even a render that never yields holds nobody but its own thread.
async fn watched<T, F, Fut>(scope: &Scope, timeout: Duration, produce: F) -> Result<T, Failure>
where
    T: Send + 'static,
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = Result<T, Failure>> + Send + 'static,
{
    let render = scope.wrap(async move { produce().await });
    let mut task = AbortOnDrop(tokio::spawn(render.in_current_span()));
    match tokio::time::timeout(timeout, &mut task.0).await {
        Ok(Ok(result)) => result,
        Ok(Err(end)) => Err(abnormal(end)),
        Err(_) => Err(Failure::new(format!("the render took longer than {timeout:?} and was given up"))),
    }
}

/// The failure that readers are told of; what the panic said is for the log alone.
fn abnormal(end: JoinError) -> Failure {
    let Ok(panic) = end.try_into_panic() else {
        return Failure::new("the render was cancelled");
    };
    let text =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = text.unwrap_or("(not a text)"), "a render panicked");
    RenderPanicked.into()
}

/// A render panicked: the panic itself was told of where it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the render panicked; the log says where")]
pub struct RenderPanicked;

struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
