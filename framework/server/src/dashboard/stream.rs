//! The stream of changes behind an open page: made as that of a `live` page is, but for what makes it look again.

use super::{asked::Asked, routes::Dashboard, view};
use crate::{render, site::Site};
use axum::response::{
    IntoResponse, Response,
    sse::{Event, KeepAlive, Sse},
};
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream};
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::time::Instant;
use tropos_core::Failure;
use tropos_live::{Hub, Limits, Pace, Rendered, Since, Source};

/// A page looks again this long after it looked last, while somebody has it open.
const EVERY: Duration = Duration::from_secs(1);

/// Comments go out this often, so that a reader who is gone is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Whoever develops or is on call, each with some pages; so few that watching costs the application next to nothing.
const WATCHERS: usize = 32;

/// A hub of its own: the dashboard's readers take no place of the application's, and are not counted among them.
pub(super) fn hub() -> Hub {
    // One render at a time: looking at the whole cache must not take more than one thread.
    let limits = Limits { watchers: WATCHERS, keys: WATCHERS, renders: 1 };
    Hub::new(limits, Pace { pause: Duration::ZERO, ..Pace::default() })
}

/// A page of the dashboard that somebody has open.
pub(super) struct Open {
    pub(super) site: Arc<Site>,
    pub(super) token: Arc<str>,
    pub(super) asked: Asked,
}

impl Open {
    /// The inner HTML of the page's body, as everything stands now.
    pub(super) async fn html(self: Arc<Self>) -> Result<Arc<str>, Failure> {
        // A look at the cache takes some milliseconds, in which a thread of the runtime would answer nobody.
        let made = tokio::task::spawn_blocking(move || {
            render::render_now(|| view::body(&self.site, &self.asked, &self.token))
        });
        made.await.map(Arc::from).map_err(|_| Failure::new("the dashboard's page panicked"))
    }
}

/// The page, and when it looked.
struct Looking(Arc<Open>);

impl Source for Looking {
    type Mark = Instant;

    fn render(&self) -> BoxFuture<'static, Rendered<Instant>> {
        let (open, looked) = (self.0.clone(), Instant::now());
        async move { Ok((open.html().await?, looked)) }.boxed()
    }

    fn changed(&self, looked: Instant) -> BoxFuture<'static, ()> {
        tokio::time::sleep_until(looked + EVERY).boxed()
    }
}

/// The events of one open page: one whenever it has become another.
pub(super) fn events(
    dashboard: &Dashboard,
    asked: Asked,
    since: Since,
) -> Result<Response, tropos_live::Error> {
    let key = asked.href();
    let source = Looking(Arc::new(dashboard.open(asked)));
    let subscription = dashboard.hub.watch(key, Arc::new(source), None, since)?;
    let hint = stream::iter([Ok::<_, Infallible>(Event::default().retry(EVERY))]);
    let changes = subscription
        .into_stream()
        .map(|event| Ok(Event::default().id(event.id.to_string()).data(&*event.data)));
    Ok(Sse::new(hint.chain(changes)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}
