//! The bounds of the layer.

use crate::http::policy::Rules;
use std::{fmt, sync::Arc, time::Duration};
use tropos_core::{Clock, SystemClock};

/// The bounds of a [`CacheLayer`](super::CacheLayer), its rules and its clock.
///
/// ```
/// use std::time::Duration;
/// use tropos_cache::{http::policy::Rules, layer::LayerConfig};
/// let config = LayerConfig::default()
///     .most_bytes(128 << 20)
///     .rules(Rules { stale_if_unreachable: Duration::ZERO, ..Rules::default() });
/// ```
#[derive(Clone)]
pub struct LayerConfig {
    pub(super) most_bytes: u64,
    pub(super) most_entries: usize,
    pub(super) most_body: usize,
    pub(super) most_variants: usize,
    pub(super) most_wait: Duration,
    pub(super) most_background: Duration,
    pub(super) rules: Arc<Rules>,
    pub(super) clock: Arc<dyn Clock>,
}

impl Default for LayerConfig {
    fn default() -> Self {
        Self {
            // A quarter of what Tropos keeps for its own pages: an application has both.
            most_bytes: 64 << 20,
            // A kilobyte each, at the bytes above: smaller answers are mostly overhead.
            most_entries: 1 << 16,
            // Half of the least shard of the store, so that one body cannot drive out all the others.
            most_body: 4 << 20,
            // Languages times codings; more are a field without bound, such as `User-Agent`.
            most_variants: 32,
            // As long as a visitor waits at most for a page that another is being served.
            most_wait: Duration::from_secs(5),
            // As long as proxies usually wait for their origin; then the next request tries again.
            most_background: Duration::from_secs(60),
            rules: Arc::new(Rules::default()),
            clock: Arc::new(SystemClock::new()),
        }
    }
}

impl LayerConfig {
    /// The bytes that the store may hold; default 64 MiB.
    #[must_use]
    pub fn most_bytes(mut self, bytes: u64) -> Self {
        self.most_bytes = bytes;
        self
    }

    /// The URLs that the store may hold; default 65,536.
    #[must_use]
    pub fn most_entries(mut self, entries: usize) -> Self {
        self.most_entries = entries;
        self
    }

    /// The bytes of a body that is stored; default 4 MiB. A larger one is passed on and not stored.
    #[must_use]
    pub fn most_body(mut self, bytes: usize) -> Self {
        self.most_body = bytes;
        self
    }

    /// The variants (`Vary`) of one URL that are stored; default 32. The oldest goes first.
    #[must_use]
    pub fn most_variants(mut self, variants: usize) -> Self {
        self.most_variants = variants.max(1);
        self
    }

    /// How long a request waits for another one's answer; default 5 s. Then it asks for itself.
    #[must_use]
    pub fn most_wait(mut self, wait: Duration) -> Self {
        self.most_wait = wait;
        self
    }

    /// How long a validation in the background may take, and the rest of a body whose client has left; default 60 s.
    #[must_use]
    pub fn most_background(mut self, time: Duration) -> Self {
        self.most_background = time;
        self
    }

    /// What the RFCs leave open.
    #[must_use]
    pub fn rules(mut self, rules: Rules) -> Self {
        self.rules = Arc::new(rules);
        self
    }

    /// Where the layer reads the time; default the machine's clock.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }
}

impl fmt::Debug for LayerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LayerConfig")
            .field("most_bytes", &self.most_bytes)
            .field("most_entries", &self.most_entries)
            .field("most_body", &self.most_body)
            .field("most_variants", &self.most_variants)
            .field("most_wait", &self.most_wait)
            .field("most_background", &self.most_background)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}
