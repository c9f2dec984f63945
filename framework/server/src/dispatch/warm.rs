//! Making a page again by its key, for what an invalidation hit.

use crate::{page::inputs::Inputs, site::Site, traces::spans};
use std::sync::Arc;
use tracing::Instrument as _;
use tropos_cache::{Reason, Stale, WarmLimits};
use tropos_core::{CanonicalPath, Key, Mode};
use tropos_telemetry::trace::{SpanContext, current};

impl Site {
    /// Tells the engine how a page is made again. The engine outlives no site by this: it holds a weak handle.
    pub(crate) fn warm_what_is_invalidated(self: &Arc<Self>) {
        let site = Arc::downgrade(self);
        // The span of the request that invalidated, where it has one: in the words in which it goes from process to process.
        let cause = || current().map(|current| current.context().to_string().into());
        self.engine.set_warmer(WarmLimits::default(), cause, move |key, cause| {
            let site = site.upgrade();
            Box::pin(async move {
                if let Some(site) = site {
                    let cause = cause.and_then(|cause| SpanContext::parse(cause.as_bytes()));
                    site.make_again(&key, cause).await;
                }
            })
        });
    }

    /// Renders a page as a visitor's request would, through the same flight; nothing where it is fresh by now. The page of
    /// a route that is gone, or that only a build makes, is left as it is.
    async fn make_again(self: &Arc<Self>, key: &Key, cause: Option<SpanContext>) {
        let Some(of_page) = key.as_page() else { return };
        let Ok(path) = CanonicalPath::parse(of_page.path) else { return };
        let found = self.table.find(&path);
        let Some((page, params)) = found.filter(|(page, _)| page.route.pattern() == of_page.route) else {
            return;
        };
        if page.route.mode() != Mode::Isr {
            return;
        }
        let page = page.clone();
        let again = self.tracer.background("regenerate", page.route.pattern(), cause, spans::regenerate);
        let inputs = Inputs::of_key(of_page);
        let served = self.serve(&page, key, params, inputs, &path, true).instrument(again.span()).await;
        match served.result {
            Ok(_) if matches!(served.reason, Reason::Stale { why: Stale::Error, .. }) => {
                again.failed("the render failed, and the earlier page is given meanwhile");
            }
            Ok(_) => tracing::debug!(%key, reason = ?served.reason, "made again without a visitor"),
            // The cache has logged it, and the next request tries again.
            Err(failure) => {
                again.failed(&failure.to_string());
                tracing::debug!(%key, %failure, "could not be made again");
            }
        }
    }
}
