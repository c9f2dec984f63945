//! Errors, handed to telemetry with what is known of the request in which they happened.
//!
//! | file | holds |
//! |---|---|
//! | `context` | what is known of a request |
//! | `panics` | what panics, wherever it is |
//! | `relay` | what browsers report, at `POST /_tropos/error` |
//!
//! Each error is handed in once, at the place that knows most of it: a panic where it happens, a render that was to be stored
//! where the cache gives up on it, any other page where its answer is made.

mod context;
mod panics;
mod relay;

pub(crate) use context::context;

use crate::{App, Config, Error, page::PageCx, routing::PageRoute, routing::Table};
use std::{collections::HashMap, fmt, sync::Arc, time::Duration};
use tropos_cache::{RenderPanicked, observe::Rendered};
use tropos_core::{Clock, Failure, Mode, PageError};
use tropos_telemetry::errors::{Counts, ErrorContext, ErrorReport, Frame, Kind, Repeats, Reporter};

/// At the end, reports that wait are sent for so long at most: an orchestrator that waits has other limits.
const FLUSH: Duration = Duration::from_secs(2);

/// A browser may report so many errors a minute, and all browsers together so many. The script sends five a page at most.
const REPORTS_OF_ONE: u32 = 20;
const REPORTS_OF_ALL: u32 = 600;

/// Where errors go; nowhere unless the configuration names Sentry or the application listens.
#[derive(Clone, Default)]
pub(crate) struct Errors(Option<Arc<Inner>>);

struct Inner {
    reporter: Reporter,
    pages: HashMap<&'static str, Source>,
    of_one: Repeats,
    of_all: Repeats,
}

/// Where a page is written.
#[derive(Debug, Clone, Copy)]
struct Source {
    mode: Mode,
    name: &'static str,
    file: &'static str,
    line: u32,
}

/// Reports an error that the code handles itself: a server function, say, that tells its visitor something gentler. The answer
/// of that function is not reported besides.
///
/// ```no_run
/// # async fn charge() -> Result<(), std::io::Error> { Ok(()) }
/// # async fn f() -> Result<(), &'static str> {
/// charge().await.map_err(|error| {
///     tropos_server::report(error);
///     "The payment did not work. Try again in a moment."
/// })
/// # }
/// ```
#[track_caller]
pub fn report(error: impl Into<Failure>) {
    let failure = error.into();
    match PageCx::current() {
        Some(cx) => {
            cx.errors().handled(&failure);
            cx.response().reported();
        }
        None => Errors(panics::last()).handled(&failure),
    }
}

/// A render panicked. The panic itself is reported where it happens.
#[derive(Debug, thiserror::Error)]
#[error("the render panicked: {0}")]
pub(crate) struct Panicked(pub(crate) String);

/// The application and its version, as `shop@1.4.0`: what is configured, else the package of its pages.
pub(crate) fn release(config: &Config, table: &Table) -> Option<String> {
    let of_package = || table.all().first().map(|page| page.route.spec.package.to_owned());
    config.sentry.release.clone().or_else(of_package)
}

impl Errors {
    /// Starts reporting, where somebody is to be told.
    ///
    /// # Errors
    /// [`Error::Telemetry`] where the system gives no thread.
    pub(crate) fn start(
        app: &App,
        config: &Config,
        table: &Table,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        if !config.sentry.sends() && app.on_error.is_empty() {
            return Ok(Self::default());
        }
        let mut settings = config.sentry.clone();
        let named = |name: &str| Some(name.to_owned());
        settings.environment =
            settings.environment.or(named(if config.production { "production" } else { "development" }));
        settings.release = release(config, table);
        let reporter = Reporter::start(settings, app.on_error.clone(), clock)?;
        let source = |page: &Arc<PageRoute>| {
            let spec = &page.route.spec;
            let source = Source { mode: spec.mode, name: spec.name, file: spec.file, line: spec.line };
            (page.route.pattern(), source)
        };
        let errors = Self(Some(Arc::new(Inner {
            reporter,
            pages: table.all().iter().map(source).collect(),
            of_one: Repeats::new(REPORTS_OF_ONE),
            of_all: Repeats::new(REPORTS_OF_ALL),
        })));
        panics::listen(&errors);
        Ok(errors)
    }

    fn inner(&self) -> Option<&Inner> {
        self.0.as_deref()
    }

    /// A page failed in the request that runs, for `cx`.
    pub(crate) fn page_failed(&self, kind: Kind, page: &PageRoute, cx: &PageCx, error: &PageError) {
        let Some(inner) = self.inner() else { return };
        let answer;
        let failure = match error {
            PageError::Failed(failure) => failure,
            PageError::NotFound | PageError::Redirect(_) => return,
            other => {
                answer = Failure::new(format!("the page answered {other:?}"));
                &answer
            }
        };
        inner.failed(kind, Some(page.route.pattern()), failure, context::of(Some(cx)));
    }

    /// A render that was to be stored has failed: a page, a fetch, a cached function.
    pub(crate) fn render_failed(&self, render: &Rendered<'_>) {
        let (Some(inner), Some(failure)) = (self.inner(), render.failure) else { return };
        let page = render.key.as_page();
        let unasked = render.kept || render.background;
        // Who asked is told of the failure, and reports it as their own.
        if page.is_none() && !unasked {
            return;
        }
        let kind = if unasked { Kind::Regeneration } else { Kind::Page };
        let pattern = page.map(|page| page.route).or(render.route);
        inner.failed(kind, pattern, failure, context::context());
    }

    /// A server function answered with an error, or took too long; then nothing of its request is left. `route` is its address.
    pub(crate) fn function_failed(&self, route: &str, cx: Option<&PageCx>, message: &str) {
        let Some(inner) = self.inner() else { return };
        let mut context = context::of(cx);
        context.route = Some(route.to_owned());
        let frame = Frame { function: Some(route.to_owned()), in_app: true, ..Frame::default() };
        let report = ErrorReport::new(Kind::Function, "ServerFnError", message, inner.reporter.now());
        inner.reporter.report(report.with_frames(vec![frame]), context, || None);
    }

    /// The application has handled an error itself.
    fn handled(&self, failure: &Failure) {
        if let Some(inner) = self.inner() {
            inner.failed(Kind::Handled, None, failure, context::context());
        }
    }

    /// A hook failed, and with it its request.
    pub(crate) fn hook_failed(&self, hook: &str, message: &str) {
        let Some(inner) = self.inner() else { return };
        let frame = Frame { function: Some(hook.to_owned()), in_app: true, ..Frame::default() };
        let report = ErrorReport::new(Kind::Hook, "hook", message, inner.reporter.now());
        inner.reporter.report(report.with_frames(vec![frame]), context::context(), || None);
    }

    /// What became of reports; `None` where nobody is told.
    pub(crate) fn counts(&self) -> Option<Counts> {
        self.inner().map(|inner| inner.reporter.counts())
    }

    /// Sends what waits, for a limited time.
    pub(crate) async fn flush(&self) {
        if let Some(inner) = self.inner()
            && !inner.reporter.flush(FLUSH).await
        {
            tracing::warn!("some reports of errors were not sent within {} s", FLUSH.as_secs());
        }
    }
}

impl fmt::Debug for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Errors").field(&self.counts()).finish()
    }
}

impl Inner {
    fn failed(&self, kind: Kind, pattern: Option<&str>, failure: &Failure, mut context: ErrorContext) {
        if failure.downcast_ref::<RenderPanicked>().is_some() || failure.downcast_ref::<Panicked>().is_some()
        {
            return;
        }
        let source = pattern.and_then(|pattern| self.pages.get(pattern));
        context.route = pattern.map(str::to_owned).or(context.route);
        context.mode = source.map(|source| source.mode.as_str()).or(context.mode);
        let place = failure.place();
        let own = !place.file().contains("/registry/src/") && !place.file().starts_with("/rustc/");
        let became = Frame {
            file: Some(place.file().to_owned()),
            line: Some(place.line()),
            column: Some(place.column()),
            in_app: own,
            ..Frame::default()
        };
        let page = source.map(|source| Frame {
            function: Some(source.name.to_owned()),
            file: Some(source.file.to_owned()),
            line: Some(source.line),
            in_app: true,
            ..Frame::default()
        });
        let report = ErrorReport::new(kind, failure.type_name(), failure.to_string(), self.reporter.now())
            .with_frames([became].into_iter().chain(page).collect());
        self.reporter.report(report, context, || None);
    }
}
