//! Reads of a draft: from their source, and kept by nobody.

use super::{Produced, Reason, Request, Served};
use crate::{Entry, Meta, Miss, Scope};
use std::{future::Future, sync::Arc, time::Duration};
use tropos_core::Failure;

/// Runs `produce` for this reader alone. Its tags reach the reader's scope as those of an entry do; no entry is looked
/// at, none is made, and nobody else waits for it.
pub(super) async fn serve<V, F, Fut>(reader: &Scope, request: Request<'_>, produce: F) -> Served<V>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<Produced<V>, Failure>>,
{
    let key = request.key;
    if reader.is_within(key) {
        let text = format!("`{key}` reads itself: it would wait for its own render for ever");
        return Served::failed(Failure::new(text), Miss::Absent);
    }
    let clock = reader.engine().clock();
    let (started, started_wall) = (clock.now(), clock.wall());
    let scope = Scope::of_draft(reader, key.clone());
    let produced = scope.run(produce()).await;
    let entry = |produced: Produced<V>| {
        let mut tags = request.tags;
        scope.reads().tags.iter().for_each(|tag| tags.add(tag.clone()));
        let (stamp, negative) = (scope.stamp(), produced.negative);
        let (revalidate, expire, cost) = (None, None, Duration::ZERO);
        let meta = Meta { tags, stamp, started, started_wall, revalidate, expire, negative, cost };
        Arc::new(Entry::new(meta, produced.value))
    };
    Served { result: produced.map(entry), reason: Reason::Bypass, degraded: false }
}
