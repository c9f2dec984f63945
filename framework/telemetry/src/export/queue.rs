//! Traces that wait to be sent, and the task that sends them.

use super::{Sender, Undelivered};
use crate::{
    config::Batch,
    trace::{Trace, otlp},
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::{Instant, timeout_at},
};

/// The memory that waiting spans take at most, in bytes, about: a queue that is full has less than two megabytes unless texts are long.
const MOST_BYTES: usize = 16 << 20;

/// Lost spans are told of in the log this often at most: a dead collector is told of every few seconds else.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// What became of spans.
#[derive(Debug, Default)]
pub struct Counts {
    /// Spans that the collector took.
    pub sent: AtomicU64,
    /// Spans that it refused within a message that it took.
    pub rejected: AtomicU64,
    /// Spans that had no room in the queue.
    pub full: AtomicU64,
    /// Spans of messages that were not taken.
    pub failed: AtomicU64,
    /// Spans that had no room in their trace.
    pub left_out: AtomicU64,
}

/// Traces that wait to be sent. Adding one never waits: where there is no room, it is dropped, and counted.
#[derive(Debug)]
pub struct Queue {
    traces: mpsc::Sender<Arc<Trace>>,
    stop: mpsc::Sender<(Instant, oneshot::Sender<()>)>,
    waiting: Arc<Waiting>,
    most: usize,
    task: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Waiting {
    spans: AtomicUsize,
    bytes: AtomicUsize,
    counts: Counts,
}

impl Queue {
    /// Starts the task that sends. Within a Tokio runtime.
    pub fn start(sender: Sender, batch: Batch, resource: Resource) -> Self {
        let waiting = Arc::new(Waiting::default());
        // A trace has a span or more.
        let (traces, taken) = mpsc::channel(batch.queue);
        let (stop, stopped) = mpsc::channel(1);
        let worker = Worker { sender, batch, resource, waiting: waiting.clone(), told: None, lost: 0 };
        let task = tokio::spawn(worker.run(taken, stopped));
        Self { traces, stop, waiting, most: batch.queue, task: Mutex::new(Some(task)) }
    }

    /// Adds a trace, where there is room.
    pub fn offer(&self, trace: Arc<Trace>) {
        let (spans, bytes) = size(&trace);
        let waiting = &self.waiting;
        waiting.counts.left_out.fetch_add(u64::from(trace.left_out), Ordering::Relaxed);
        let fits = waiting.spans.load(Ordering::Relaxed) + spans <= self.most
            && waiting.bytes.load(Ordering::Relaxed) + bytes <= MOST_BYTES;
        if fits {
            waiting.spans.fetch_add(spans, Ordering::Relaxed);
            waiting.bytes.fetch_add(bytes, Ordering::Relaxed);
            match self.traces.try_send(trace) {
                Ok(()) => return,
                Err(_) => waiting.gone(spans, bytes),
            }
        }
        waiting.counts.full.fetch_add(spans as u64, Ordering::Relaxed);
    }

    /// What became of all spans so far.
    pub fn counts(&self) -> &Counts {
        &self.waiting.counts
    }

    /// Spans that wait, or are being sent.
    pub fn waiting(&self) -> usize {
        self.waiting.spans.load(Ordering::Relaxed)
    }

    /// Sends what waits, within `limit`; the rest is lost. What is added afterwards is dropped.
    pub async fn close(&self, limit: Duration) {
        let (done, ended) = oneshot::channel();
        let deadline = Instant::now() + limit;
        if self.stop.try_send((deadline, done)).is_ok() {
            drop(timeout_at(deadline, ended).await);
        }
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            task.abort();
        }
        match self.waiting() {
            0 => {}
            lost => tracing::warn!(target: "tropos::telemetry", lost, "spans were not sent before the end"),
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        if let Some(task) = self.task.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}

impl Waiting {
    fn gone(&self, spans: usize, bytes: usize) {
        self.spans.fetch_sub(spans, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

fn size(trace: &Trace) -> (usize, usize) {
    (trace.spans.len(), trace.bytes())
}

struct Worker {
    sender: Sender,
    batch: Batch,
    resource: Resource,
    waiting: Arc<Waiting>,
    /// When a loss was last told of, and what was lost since.
    told: Option<Instant>,
    lost: u64,
}

impl Worker {
    async fn run(
        mut self,
        mut traces: mpsc::Receiver<Arc<Trace>>,
        mut stopped: mpsc::Receiver<(Instant, oneshot::Sender<()>)>,
    ) {
        let mut batch = Collected::default();
        loop {
            let due = batch.since.map(|since| since + self.batch.delay);
            let wait = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                stop = stopped.recv() => {
                    let Some((deadline, done)) = stop else { return };
                    return self.finish(batch, traces, deadline, done).await;
                }
                trace = traces.recv() => {
                    let Some(trace) = trace else { return };
                    // A trace stays whole, so a message may be a little shorter than it could be.
                    if batch.spans > 0 && batch.spans + trace.spans.len() > self.batch.size {
                        self.send(std::mem::take(&mut batch), self.batch.timeout).await;
                    }
                    batch.add(trace);
                    if batch.spans >= self.batch.size {
                        self.send(std::mem::take(&mut batch), self.batch.timeout).await;
                    }
                }
                () = wait => self.send(std::mem::take(&mut batch), self.batch.timeout).await,
            }
        }
    }

    /// Sends all that is left.
    async fn finish(
        mut self,
        mut batch: Collected,
        mut traces: mpsc::Receiver<Arc<Trace>>,
        deadline: Instant,
        done: oneshot::Sender<()>,
    ) {
        traces.close();
        loop {
            let next = traces.try_recv().ok();
            let is_full = next.as_ref().is_none_or(|next| batch.spans + next.spans.len() > self.batch.size);
            if is_full && batch.spans > 0 {
                let left = deadline.saturating_duration_since(Instant::now());
                self.send(std::mem::take(&mut batch), left).await;
            }
            match next {
                Some(trace) => batch.add(trace),
                None => break,
            }
        }
        // Who waits may have given up.
        let _ = done.send(());
    }

    async fn send(&mut self, batch: Collected, limit: Duration) {
        let Collected { traces, spans, bytes, .. } = batch;
        let message = match traces.iter().any(|trace| otlp::has_words(trace)) {
            // Scrubbing many texts takes milliseconds, for which requests on this thread would wait.
            true => {
                let resource = self.resource.clone();
                tokio::task::spawn_blocking(move || otlp::request(&resource, &traces))
                    .await
                    .inspect_err(|error| tracing::error!(target: "tropos::telemetry", spans, %error, "spans were lost"))
                    .ok()
            }
            false => Some(otlp::request(&self.resource, &traces)),
        };
        let Some(message) = message else {
            // The process ends, or a text could not be scrubbed.
            self.waiting.gone(spans, bytes);
            self.waiting.counts.failed.fetch_add(spans as u64, Ordering::Relaxed);
            return;
        };
        let sent = self.sender.send_within(&message, limit).await;
        self.waiting.gone(spans, bytes);
        let (counts, spans) = (&self.waiting.counts, spans as u64);
        match sent {
            Ok(sent) => {
                let rejected = sent.rejected.min(spans);
                counts.sent.fetch_add(spans - rejected, Ordering::Relaxed);
                counts.rejected.fetch_add(rejected, Ordering::Relaxed);
                if rejected > 0 || !sent.note.is_empty() {
                    tracing::warn!(target: "tropos::telemetry", rejected, note = sent.note, "the collector did not take all spans");
                }
            }
            Err(error) => {
                counts.failed.fetch_add(spans, Ordering::Relaxed);
                self.tell(spans, &error);
            }
        }
    }

    fn tell(&mut self, spans: u64, error: &Undelivered) {
        self.lost += spans;
        if self.told.is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
            self.told = Some(Instant::now());
            let lost = std::mem::take(&mut self.lost);
            tracing::warn!(target: "tropos::telemetry", lost, %error, "spans were lost");
        }
    }
}

#[derive(Default)]
struct Collected {
    traces: Vec<Arc<Trace>>,
    spans: usize,
    bytes: usize,
    since: Option<Instant>,
}

impl Collected {
    fn add(&mut self, trace: Arc<Trace>) {
        let (spans, bytes) = size(&trace);
        self.spans += spans;
        self.bytes += bytes;
        self.since.get_or_insert_with(Instant::now);
        self.traces.push(trace);
    }
}
