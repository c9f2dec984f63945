//! The thread behind the queue: looks symbols up, takes out what is personal, tells listeners, sends.

use super::{
    report::{Breadcrumb, ErrorContext, ErrorReport, Frame, LONGEST_MESSAGE, cut},
    reporter::{Counted, Listener},
    scrub::scrub,
    settings::Settings,
    stack,
    transport::Transport,
};
use crate::Error;
use std::{
    backtrace::Backtrace,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering},
};
use tokio::sync::{mpsc, oneshot};
use tropos_core::Clock;

/// What waits in the queue.
pub(super) enum Job {
    Report(Box<Reported>),
    /// Answered once all before it is done.
    Flush(oneshot::Sender<()>),
}

pub(super) struct Reported {
    pub(super) report: ErrorReport,
    pub(super) context: ErrorContext,
    pub(super) stack: Option<Backtrace>,
}

/// By this name the thread is seen, and its own panics are not reported.
pub(super) const THREAD: &str = "tropos-errors";

/// Starts it. It ends with the last handle on the queue.
///
/// It is a thread with a runtime of its own, so that neither a listener that blocks nor the look-up of symbols, which takes
/// a tenth of a second the first time, holds a request.
pub(super) fn start(
    jobs: mpsc::Receiver<Job>,
    settings: Settings,
    listeners: Vec<Listener>,
    counted: Arc<Counted>,
    clock: Arc<dyn Clock>,
) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::Thread(error.to_string()))?;
    let rate = settings.sample_rate;
    let transport = settings.dsn.map(|dsn| Transport::new(dsn, clock)).transpose()?;
    let worker = Worker { transport, rate, listeners, counted };
    let started = std::thread::Builder::new().name(THREAD.to_owned()).spawn(move || {
        runtime.block_on(worker.run(jobs));
    });
    started.map(drop).map_err(|error| Error::Thread(error.to_string()))
}

struct Worker {
    transport: Option<Transport>,
    rate: f64,
    listeners: Vec<Listener>,
    counted: Arc<Counted>,
}

impl Worker {
    async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        while let Some(job) = jobs.recv().await {
            match job {
                Job::Report(reported) => self.report(*reported).await,
                Job::Flush(done) => drop(done.send(())),
            }
        }
    }

    async fn report(&mut self, reported: Reported) {
        let Reported { mut report, mut context, stack } = reported;
        if let Some(stack) = stack {
            report.frames = stack::frames(&stack);
        }
        clean(&mut report, &mut context);
        for listener in &self.listeners {
            // A listener that panics is the application's matter, and no reason to stop reporting.
            if catch_unwind(AssertUnwindSafe(|| listener(&report, &context))).is_err() {
                tracing::warn!("a listener of `App::on_error` panicked");
            }
        }
        let Some(transport) = &mut self.transport else { return };
        let count = match rand::random::<f64>() < self.rate {
            false => &self.counted.unsampled,
            true => match transport.send(&report, &context).await {
                super::transport::Sent::Taken => &self.counted.sent,
                super::transport::Sent::Refused => &self.counted.refused,
                super::transport::Sent::Unreachable => &self.counted.unsent,
            },
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// Takes what is personal out of every text that came from outside of the program's own source.
fn clean(report: &mut ErrorReport, context: &mut ErrorContext) {
    report.message = cut(scrub(&report.message), LONGEST_MESSAGE);
    for frame in &mut report.frames {
        let Frame { function, file, .. } = frame;
        for text in [function, file].into_iter().flatten() {
            *text = scrub(text);
        }
    }
    for Breadcrumb { message, .. } in &mut context.breadcrumbs {
        *message = cut(scrub(message), LONGEST_MESSAGE);
    }
}
