//! One render of a watched page, and the messages that it makes, each made once for all watchers.

use super::Source;
use crate::{Message, Version};
use futures::FutureExt;
use std::{
    fmt,
    sync::{Arc, OnceLock},
};

/// One render of a watched page.
pub(super) struct Snapshot {
    pub(super) version: Version,
    html: Arc<str>,
    /// The which render of its page it is; zero for one that was there before the first.
    pub(super) number: u64,
    /// What turns the version before into this one: nearly every watcher needs just that.
    step: Option<(Version, Arc<str>)>,
    whole: OnceLock<Arc<str>>,
    outdated: Box<dyn Fn() -> bool + Send + Sync>,
}

impl Snapshot {
    pub(super) fn new<S: Source + ?Sized>(
        number: u64,
        html: Arc<str>,
        source: Arc<S>,
        mark: S::Mark,
        before: Option<&Snapshot>,
    ) -> Self {
        let version = Version::of(&html);
        let step = before.and_then(|before| {
            if before.version == version {
                return before.step.clone();
            }
            let message = Message::between((before.version, &before.html), (version, &html))?;
            Some((before.version, message.to_json().into()))
        });
        // Unconstrained: a task that has used up its share of a turn would be told "not yet" whatever is true.
        let outdated =
            move || tokio::task::unconstrained(source.changed(mark.clone())).now_or_never().is_some();
        Self { version, html, number, step, whole: OnceLock::new(), outdated: Box::new(outdated) }
    }

    /// Whether something that it read has changed since.
    pub(super) fn is_outdated(&self) -> bool {
        (self.outdated)()
    }

    /// The message for somebody who holds nothing.
    pub(super) fn whole(&self) -> Arc<str> {
        self.whole.get_or_init(|| Message::whole(self.version, &self.html).to_json().into()).clone()
    }

    /// The message for somebody who holds `base`, where it was the version before.
    pub(super) fn since_version(&self, base: Version) -> Arc<str> {
        match &self.step {
            Some((from, message)) if *from == base => message.clone(),
            _ => self.whole(),
        }
    }

    /// The message for somebody who was sent `base`, and may have missed some in between.
    pub(super) fn since_snapshot(&self, base: &Snapshot) -> Arc<str> {
        match &self.step {
            Some((from, message)) if *from == base.version => message.clone(),
            _ => match Message::between((base.version, &base.html), (self.version, &self.html)) {
                Some(message @ Message::Splice { .. }) => message.to_json().into(),
                _ => self.whole(),
            },
        }
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("version", &self.version)
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}
