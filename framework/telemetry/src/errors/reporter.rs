//! Where errors are handed in: bounded, and without waiting.

use super::{
    repeats::Repeats,
    report::{ErrorContext, ErrorReport, Kind, MOST_BREADCRUMBS},
    settings::Settings,
    worker::{self, Job, Reported},
};
use crate::{Error, metrics::Observed, names::metrics as names};
use std::{
    backtrace::Backtrace,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::{mpsc, oneshot};
use tropos_core::Clock;

/// Told of every report that is not a repetition, on a thread of its own, after personal data has been taken out.
pub type Listener = Arc<dyn Fn(&ErrorReport, &ErrorContext) + Send + Sync>;

/// Reports that wait at most. Some hundred kilobytes; more than that at once is an outage, which the first of them tell of.
const QUEUE: usize = 100;

/// One and the same kind on one route so many times a minute: enough to see that it goes on, and for Sentry to group.
const A_MINUTE: u32 = 10;

/// Reports from here to Sentry and to listeners. Cloning gives another handle on the same queue.
#[derive(Clone)]
pub struct Reporter(Arc<Inner>);

struct Inner {
    queue: mpsc::Sender<Job>,
    repeats: Repeats,
    counted: Arc<Counted>,
    clock: Arc<dyn Clock>,
    release: Option<String>,
    environment: Option<String>,
}

/// What became of reports, as the worker and the handles count.
#[derive(Debug, Default)]
pub(super) struct Counted {
    kinds: [AtomicU64; Kind::ALL.len()],
    repeated: AtomicU64,
    overflown: AtomicU64,
    pub(super) unsampled: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) unsent: AtomicU64,
    pub(super) sent: AtomicU64,
}

/// What became of reports since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Errors of each kind, repetitions included.
    pub errors: Vec<(Kind, u64)>,
    /// Sentry has taken.
    pub sent: u64,
    /// Were left out, each with the reason.
    pub dropped: [(&'static str, u64); 5],
}

impl Reporter {
    /// Starts the thread behind the queue.
    ///
    /// # Errors
    /// [`Error::Thread`] where the system gives none, [`Error::Client`] where there is no TLS to send by.
    pub fn start(settings: Settings, listeners: Vec<Listener>, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let counted = Arc::new(Counted::default());
        let (queue, jobs) = mpsc::channel(QUEUE);
        let (release, environment) = (settings.release.clone(), settings.environment.clone());
        worker::start(jobs, settings, listeners, counted.clone(), clock.clone())?;
        let repeats = Repeats::new(A_MINUTE);
        Ok(Self(Arc::new(Inner { queue, repeats, counted, clock, release, environment })))
    }

    /// Hands an error in, with the stack that `stack` captures if it passes. Never waits; what there is no room for is dropped and counted.
    ///
    /// Ten of one kind on one route pass in a minute, and the rest are counted.
    pub fn report(
        &self,
        report: ErrorReport,
        mut context: ErrorContext,
        stack: impl FnOnce() -> Option<Backtrace>,
    ) {
        let Inner { queue, repeats, counted, clock, release, environment } = &*self.0;
        if let Some(count) = Kind::ALL.iter().position(|kind| *kind == report.kind) {
            counted.kinds.get(count).map(|count| count.fetch_add(1, Ordering::Relaxed));
        }
        if !repeats.admit((report.kind, context.route.as_deref()), clock.wall()) {
            counted.repeated.fetch_add(1, Ordering::Relaxed);
            return;
        }
        context.release.clone_from(release);
        context.environment.clone_from(environment);
        let crumbs = context.breadcrumbs.len().saturating_sub(MOST_BREADCRUMBS);
        context.breadcrumbs.drain(..crumbs);
        let job = Job::Report(Box::new(Reported { report, context, stack: stack() }));
        if queue.try_send(job).is_err() {
            counted.overflown.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The time at which an error that is handed in now has happened, in milliseconds since 1970.
    pub fn now(&self) -> tropos_core::UnixMillis {
        self.0.clock.wall()
    }

    /// Waits until all that was handed in before has been sent, or `limit` is over; says whether it has.
    pub async fn flush(&self, limit: Duration) -> bool {
        let flushed = async {
            let (done, wait) = oneshot::channel();
            self.0.queue.send(Job::Flush(done)).await.is_ok() && wait.await.is_ok()
        };
        tokio::time::timeout(limit, flushed).await.unwrap_or(false)
    }

    /// Whether this is the thread of a reporter: what panics there is not reported, or a listener that panics would be told of
    /// itself.
    pub fn is_own_thread() -> bool {
        std::thread::current().name() == Some(worker::THREAD)
    }

    /// What became of reports since the start.
    pub fn counts(&self) -> Counts {
        let counted = &self.0.counted;
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts {
            errors: Kind::ALL
                .into_iter()
                .zip(&counted.kinds)
                .map(|(kind, count)| (kind, read(count)))
                .collect(),
            sent: read(&counted.sent),
            dropped: [
                ("repeated", read(&counted.repeated)),
                ("queue_full", read(&counted.overflown)),
                ("not_sampled", read(&counted.unsampled)),
                ("refused", read(&counted.refused)),
                ("unreachable", read(&counted.unsent)),
            ],
        }
    }
}

/// The same as metrics.
pub fn observe(counts: &Counts, observed: &mut Observed) {
    for (kind, count) in &counts.errors {
        observed.put(&names::ERRORS, &[kind.as_str()], *count as f64);
    }
    observed.put(&names::ERRORS_SENT, &[], counts.sent as f64);
    for (reason, count) in counts.dropped {
        observed.put(&names::ERRORS_DROPPED, &[reason], count as f64);
    }
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reporter").field("counts", &self.counts()).finish_non_exhaustive()
    }
}
