//! One open stream.

use super::{Place, snapshot::Snapshot};
use crate::{Since, Version};
use futures::{Stream, stream};
use std::sync::Arc;
use tokio::sync::watch;

/// One event for one page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The id of the event: the version that the page holds once it has applied it.
    pub id: Version,
    /// The data of the event: a [`Message`](crate::Message) as JSON on one line. Shared by all who are sent the same.
    pub data: Arc<str>,
}

/// One open stream. Dropping it gives up its place.
#[derive(Debug)]
pub struct Subscription {
    newest: watch::Receiver<Option<Arc<Snapshot>>>,
    known: Known,
    /// How many renders of the page had begun when this one joined; none once it has been brought up to date.
    joined: Option<u64>,
    _place: Place,
}

/// What the page at the other end has.
#[derive(Debug)]
enum Known {
    Since(Since),
    Sent(Arc<Snapshot>),
}

impl Subscription {
    pub(super) fn new(
        place: Place,
        newest: watch::Receiver<Option<Arc<Snapshot>>>,
        begun: u64,
        since: Since,
    ) -> Self {
        Self { newest, known: Known::Since(since), joined: Some(begun), _place: place }
    }

    /// The next event; none once the hub has ended the stream. What came and went unseen since the last call is left
    /// out. May be dropped and called again: nothing is lost by it.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            let newest = self.newest.borrow_and_update().clone();
            if let Some(event) = newest.and_then(|snapshot| self.step_to(snapshot)) {
                return Some(event);
            }
            self.newest.changed().await.ok()?;
        }
    }

    /// The events as a stream.
    pub fn into_stream(self) -> impl Stream<Item = Event> + Send + 'static {
        stream::unfold(self, |mut this| async move { Some((this.next().await?, this)) })
    }

    fn step_to(&mut self, snapshot: Arc<Snapshot>) -> Option<Event> {
        if let Some(begun) = self.joined {
            // The page may show a later render than the one that was under way, or done, when it connected. A render
            // that began since cannot be the older one, so however fast the data changes, the wait ends.
            if snapshot.number <= begun && snapshot.is_outdated() {
                return None;
            }
            self.joined = None;
        }
        let id = snapshot.version;
        let data = match &self.known {
            Known::Since(Since::Shown(version)) if *version == id => return None,
            Known::Since(Since::Held(version)) if *version == id => None,
            Known::Sent(sent) if sent.version == id => None,
            Known::Since(Since::Nothing | Since::Shown(_)) => Some(snapshot.whole()),
            Known::Since(Since::Held(version)) => Some(snapshot.since_version(*version)),
            Known::Sent(sent) => Some(snapshot.since_snapshot(sent)),
        };
        self.known = Known::Sent(snapshot);
        data.map(|data| Event { id, data })
    }
}
