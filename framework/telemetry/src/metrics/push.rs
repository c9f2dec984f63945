//! Sends all series at an interval.

use super::{
    Registry,
    otlp::{self, Between},
};
use crate::{export::Sender, names::metrics::TELEMETRY_DROPPED, trace};
use opentelemetry_proto::tonic::resource::v1::Resource;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval_at},
};
use tropos_core::{Clock, UnixMillis};

/// Sends all series at an interval, and once more at the end. No request waits for it: a collector that does not answer costs
/// what it was to be sent, which is counted, and the next message has it all, since numbers are cumulative.
#[derive(Debug)]
pub struct Push {
    state: Arc<State>,
    task: Mutex<Option<JoinHandle<()>>>,
}

struct State {
    registry: Registry,
    sender: Sender,
    resource: Resource,
    clock: Arc<dyn Clock>,
    started: UnixMillis,
}

impl Push {
    /// Starts it. Within a Tokio runtime.
    pub fn start(
        registry: Registry,
        sender: Sender,
        resource: &[(String, String)],
        every: Duration,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (started, resource) = (clock.wall(), trace::otlp::resource(resource));
        let state = Arc::new(State { registry, sender, resource, clock, started });
        let own = state.clone();
        let task = tokio::spawn(async move {
            let mut ticks = interval_at(Instant::now() + every, every);
            // After a collector that was slow, one message tells all that two would.
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            loop {
                ticks.tick().await;
                own.send(every).await;
            }
        });
        Self { state, task: Mutex::new(Some(task)) }
    }

    /// Sends once more, within `limit`, and ends.
    pub async fn close(&self, limit: Duration) {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            task.abort();
            self.state.send(limit).await;
        }
    }
}

impl Drop for Push {
    fn drop(&mut self) {
        if let Some(task) = self.task.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}

impl State {
    async fn send(&self, limit: Duration) {
        let nanos = |millis: UnixMillis| millis.saturating_mul(1_000_000);
        let between = Between { start: nanos(self.started), now: nanos(self.clock.wall()) };
        let message = otlp::request(&self.resource, &self.registry.snapshot(), between);
        match self.sender.send_within(&message, limit).await {
            Ok(sent) if sent.rejected > 0 => {
                tracing::warn!(target: "tropos::telemetry", rejected = sent.rejected, note = sent.note, "the collector refused series");
            }
            Ok(_) => {}
            Err(error) => {
                self.registry.counter(&TELEMETRY_DROPPED, &["metrics"]).add(1);
                tracing::warn!(target: "tropos::telemetry", %error, "series were not sent; the next message has them");
            }
        }
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("sender", &self.sender).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{Otlp, Protocol},
        export::Signal,
        names::metrics::{LIVE_FRAMES, TELEMETRY_DROPPED},
    };
    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
    use prost::Message as _;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };
    use tropos_core::ManualClock;

    /// Takes one message, and answers it.
    async fn take(listener: &TcpListener) -> (String, ExportMetricsServiceRequest) {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (mut read, mut part) = (Vec::new(), [0; 4096]);
        loop {
            let count = stream.read(&mut part).await.unwrap();
            assert!(count > 0, "the message ends early");
            read.extend_from_slice(&part[..count]);
            let Some(at) = read.windows(4).position(|it| it == b"\r\n\r\n") else { continue };
            let head = String::from_utf8_lossy(&read[..at]).to_lowercase();
            let length = head.split("content-length: ").nth(1).unwrap().lines().next().unwrap();
            if read.len() == at + 4 + length.parse::<usize>().unwrap() {
                let message = ExportMetricsServiceRequest::decode(&read[at + 4..]).unwrap();
                let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                stream.write_all(answer.as_bytes()).await.unwrap();
                return (head, message);
            }
        }
    }

    fn push(registry: &Registry, endpoint: String, every: Duration) -> Push {
        let clock = Arc::new(ManualClock::new());
        let otlp = Otlp::new(Signal::Metrics, Protocol::HttpProtobuf, endpoint);
        let sender = Sender::new(&otlp, clock.clone()).unwrap();
        Push::start(registry.clone(), sender, &[("service.name".into(), "shop".into())], every, clock)
    }

    #[tokio::test]
    async fn series_are_sent_at_the_interval_and_once_more_at_the_end() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let registry = Registry::new();
        registry.counter(&LIVE_FRAMES, &["/board"]).add(3);
        let endpoint = format!("http://{}/v1/metrics", listener.local_addr().unwrap());
        let push = push(&registry, endpoint, Duration::from_millis(20));
        let (head, message) = take(&listener).await;
        assert!(head.starts_with("post /v1/metrics "), "{head}");
        let metrics = &message.resource_metrics[0];
        assert_eq!(metrics.resource.as_ref().unwrap().attributes[0].key, "service.name");
        let names: Vec<_> =
            metrics.scope_metrics[0].metrics.iter().map(|metric| metric.name.as_str()).collect();
        assert!(names.contains(&"tropos.live.frames"), "{names:?}");
        let (_, ()) = tokio::join!(async { take(&listener).await }, push.close(Duration::from_secs(5)));
    }

    #[tokio::test]
    async fn what_no_collector_takes_is_counted() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}/v1/metrics", listener.local_addr().unwrap());
        drop(listener);
        let registry = Registry::new();
        push(&registry, endpoint, Duration::from_secs(60)).close(Duration::from_millis(200)).await;
        let dropped =
            registry.snapshot().families.into_iter().find(|it| it.metric.name == TELEMETRY_DROPPED.name);
        assert_eq!(dropped.unwrap().points.len(), 1);
    }
}
