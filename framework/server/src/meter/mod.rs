//! What the server counts: its requests, and what the crates beneath it tell.
//!
//! | file | holds |
//! |---|---|
//! | `request` | one request, from its head to the end of its body |
//! | `hits` | what is counted of hits of one route: handles that are taken once |
//! | `told` | what the cache, the database and fetches tell |
//! | `standing` | numbers that exist elsewhere: pools, entries, open pages |

mod hits;
mod request;
mod standing;
mod told;

pub(crate) use hits::{Hit, Hits};
pub(crate) use request::{Told, Underway, protocol_version};
pub(crate) use told::Teller;

use crate::{page::Route, routing::Table, site::Site};
use http::{Method, StatusCode};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::time::Instant;
use tropos_cache::{Miss, Reason, Stale};
use tropos_core::{Clock, Key};
use tropos_telemetry::{
    export::Sender,
    metrics::{Push, Registry, UpDown},
    names::metrics as names,
};

/// What is said of what was given up before it ended: whoever asked has left.
const CANCELLED: &str = "cancelled";

/// The route of hashed files, which is no page's.
pub(crate) const FILES: &str = "/_tropos/assets/*file";

/// All that is counted.
#[derive(Debug)]
pub(crate) struct Meter {
    registry: Registry,
    scheme: &'static str,
    /// By pattern.
    hits: HashMap<&'static str, Arc<Hits>>,
    files: Arc<Hits>,
    /// Requests under way, for the methods that nearly all have.
    active: [(Method, UpDown); 2],
}

impl Meter {
    /// A meter for these pages. `secure`: the public origin is `https`.
    pub(crate) fn new(table: &Table, secure: bool) -> Arc<Self> {
        let registry = Registry::new();
        let scheme = if secure { "https" } else { "http" };
        let hits = |route: &Route| {
            let (pattern, mode) = (route.pattern(), route.mode().as_str());
            // A failure is seen by its rise, so it begins at zero.
            registry.counter(&names::CACHE_REGENERATION_FAILURES, &["page", pattern]);
            (pattern, Arc::new(Hits::new(&registry, scheme, pattern, mode)))
        };
        let active = |method: Method| {
            let active = registry.up_down(&names::HTTP_SERVER_ACTIVE_REQUESTS, &[method.as_str(), scheme]);
            (method, active)
        };
        Arc::new(Self {
            scheme,
            hits: table.all().iter().map(|page| hits(&page.route)).collect(),
            files: Arc::new(Hits::new(&registry, scheme, FILES, "file")),
            active: [active(Method::GET), active(Method::POST)],
            registry,
        })
    }

    /// Where all numbers are.
    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Begins to send all numbers, where a collector is named.
    pub(crate) fn push(&self, config: &tropos_telemetry::Config, clock: &Arc<dyn Clock>) -> Option<Push> {
        let otlp = config.metrics.as_ref()?;
        match Sender::new(otlp, clock.clone()) {
            Ok(sender) => {
                let (registry, every) = (self.registry.clone(), config.metric_interval);
                Some(Push::start(registry, sender, &config.resource, every, clock.clone()))
            }
            Err(error) => {
                tracing::error!(%error, "series are not sent");
                None
            }
        }
    }

    /// What is counted where the entry under `key` answers.
    pub(crate) fn hits_of(&self, key: &Key) -> &Arc<Hits> {
        let of_page = key.as_page().and_then(|page| self.hits.get(page.route));
        of_page.unwrap_or(&self.files)
    }

    /// A page was answered for this reason.
    pub(crate) fn page_read(&self, route: &Route, reason: Reason, draft: bool) {
        let (result, why) = words(reason, if draft { "draft" } else { route.mode().as_str() });
        self.registry.counter(&names::CACHE_REQUESTS, &["page", result, why, route.pattern()]).add(1);
    }

    /// A hook answered, on the quick path.
    pub(crate) fn answered_by_hook(&self, head: bool, status: StatusCode, took: Duration) {
        let method = if head { "HEAD" } else { "GET" };
        let error = if status.is_server_error() { status.as_str() } else { "" };
        let labels = [method, "", status.as_str(), self.scheme, "1.1", error, "none"];
        self.registry.histogram(&names::HTTP_SERVER_REQUEST_DURATION, &labels).record(took);
    }

    /// A page was rendered.
    fn rendered(&self, route: &str, mode: &str, cause: &str, took: Duration, outcome: &str) {
        self.registry.histogram(&names::RENDER_DURATION, &[route, mode, cause, outcome]).record(took);
    }

    /// A render begins of a page that is not stored.
    pub(crate) fn begin_render<'m>(&'m self, route: &'m Route, cause: &'m str) -> Render<'m> {
        Render { meter: self, route, cause, began: Instant::now(), outcome: CANCELLED }
    }

    /// A change was sent to an open page.
    pub(crate) fn frame(&self, route: &'static str, bytes: usize) {
        self.registry.counter(&names::LIVE_FRAMES, &[route]).add(1);
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.registry.counter(&names::LIVE_SENT, &[route]).add(bytes);
    }

    /// The pattern of a route as it is known for as long as the process runs.
    fn pattern(&self, key: &Key) -> Option<&'static str> {
        self.hits.get_key_value(key.as_page()?.route).map(|(pattern, _)| *pattern)
    }
}

/// A render under way. It is counted when this is dropped, however it ends.
pub(crate) struct Render<'m> {
    meter: &'m Meter,
    route: &'m Route,
    cause: &'m str,
    began: Instant,
    outcome: &'static str,
}

impl Render<'_> {
    /// It has ended.
    pub(crate) fn ended(mut self, failed: bool) {
        self.outcome = outcome(failed);
    }
}

impl Drop for Render<'_> {
    fn drop(&mut self) {
        let (route, mode) = (self.route.pattern(), self.route.mode().as_str());
        self.meter.rendered(route, mode, self.cause, self.began.elapsed(), self.outcome);
    }
}

/// What became of a render that has ended.
fn outcome(failed: bool) -> &'static str {
    if failed { "failed" } else { "ok" }
}

impl Site {
    /// Begins to count what the parts of this site tell, and how they stand.
    pub(crate) fn count(self: &Arc<Self>) {
        let site = Arc::downgrade(self);
        self.meter.registry.observe(move |observed| {
            if let Some(site) = site.upgrade() {
                standing::observe(&site, observed);
            }
        });
    }
}

/// What the cache did, and why: the words of `Cache-Status` and of the reasons behind it.
fn words(reason: Reason, bypass: &'static str) -> (&'static str, &'static str) {
    match reason {
        Reason::Hit { .. } => ("hit", "fresh"),
        Reason::Stale { why, .. } => {
            let why = match why {
                Stale::Age => "age",
                Stale::Soft => "soft",
                Stale::Error => "error",
            };
            ("stale", why)
        }
        Reason::Miss { why, .. } => {
            let why = match why {
                Miss::Absent => "absent",
                Miss::Expired => "expired",
                Miss::Invalidated => "invalidated",
                Miss::Stale => "stale",
                Miss::Unconfirmed => "unconfirmed",
            };
            ("miss", why)
        }
        Reason::Bypass => ("bypass", bypass),
    }
}
