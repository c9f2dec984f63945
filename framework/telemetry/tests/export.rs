//! Messages on their way to a collector: over HTTP and gRPC, taken, refused, and not answered.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use tropos_core::SystemClock;
use tropos_telemetry::{
    Config,
    config::{Compression, Otlp, Protocol},
    export::{Sender, Sent, Signal, proto::collector::metrics::v1::ExportMetricsServiceRequest},
    trace::Tracer,
};
use tropos_testing::{OtlpCapture, Reply};

fn otlp(capture: &OtlpCapture, signal: Signal, protocol: Protocol) -> Otlp {
    let endpoint = match protocol {
        Protocol::HttpProtobuf => format!("{}/{}", capture.url(), signal.path()),
        Protocol::Grpc => capture.url(),
    };
    Otlp::new(signal, protocol, endpoint)
}

fn sender(otlp: &Otlp) -> Sender {
    Sender::new(otlp, Arc::new(SystemClock::new())).unwrap()
}

const BOTH: [Protocol; 2] = [Protocol::HttpProtobuf, Protocol::Grpc];

fn message() -> ExportMetricsServiceRequest {
    ExportMetricsServiceRequest::default()
}

#[tokio::test]
async fn both_protocols_deliver_compressed_or_not_with_their_headers() {
    for protocol in BOTH {
        for compression in [Compression::None, Compression::Gzip] {
            let capture = OtlpCapture::start().await;
            let mut otlp = otlp(&capture, Signal::Metrics, protocol);
            otlp.compression = compression;
            otlp.headers.insert("authorization", "Bearer x".parse().unwrap());
            assert_eq!(sender(&otlp).send(&message()).await, Ok(Sent::default()), "{protocol:?}");
            let received = capture.received();
            assert_eq!(received.len(), 1);
            assert_eq!((received[0].signal, received[0].grpc), (Signal::Metrics, protocol == Protocol::Grpc));
            assert_eq!(received[0].gzip, compression == Compression::Gzip, "{protocol:?}");
            assert_eq!(received[0].headers["authorization"], "Bearer x");
            assert_eq!(capture.metrics().len(), 1);
        }
    }
}

#[tokio::test]
async fn what_passes_is_tried_again_when_the_collector_says_and_what_does_not_is_lost_at_once() {
    type Case = (&'static str, Protocol, Vec<Reply>, Result<(), u32>);
    let cases: [Case; 7] = [
        (
            "busy",
            Protocol::HttpProtobuf,
            vec![Reply::Status(503, Some(0)), Reply::Status(429, Some(0))],
            Ok(()),
        ),
        ("wrong", Protocol::HttpProtobuf, vec![Reply::Status(400, None)], Err(1)),
        ("failing", Protocol::HttpProtobuf, vec![Reply::Status(500, None)], Err(1)),
        ("busy", Protocol::Grpc, vec![Reply::Code(8, Some(1)), Reply::Code(14, Some(1))], Ok(())),
        ("full for ever", Protocol::Grpc, vec![Reply::Code(8, None)], Err(1)),
        ("wrong", Protocol::Grpc, vec![Reply::Code(3, None)], Err(1)),
        ("later than there is time", Protocol::HttpProtobuf, vec![Reply::Status(503, Some(60))], Err(1)),
    ];
    for (name, protocol, replies, expected) in cases {
        let capture = OtlpCapture::start().await;
        let tries = replies.len() + 1;
        capture.reply(replies);
        let sent = sender(&otlp(&capture, Signal::Metrics, protocol)).send(&message()).await;
        match expected {
            Ok(()) => {
                assert_eq!(sent, Ok(Sent::default()), "{name} {protocol:?}");
                assert_eq!(capture.received().len(), tries, "{name} {protocol:?}");
            }
            Err(tries) => assert_eq!(sent.unwrap_err().tries, tries, "{name} {protocol:?}"),
        }
    }
}

#[tokio::test]
async fn parts_that_were_refused_are_told_of() {
    for protocol in BOTH {
        let capture = OtlpCapture::start().await;
        capture.reply([Reply::Partial(2, "too old")]);
        let sent = sender(&otlp(&capture, Signal::Metrics, protocol)).send(&message()).await;
        assert_eq!(sent, Ok(Sent { rejected: 2, note: "too old".into() }), "{protocol:?}");
    }
}

#[tokio::test]
async fn a_collector_that_does_not_answer_is_given_up_in_time() {
    for protocol in BOTH {
        let capture = OtlpCapture::start().await;
        capture.reply([Reply::Hang, Reply::Hang]);
        let mut otlp = otlp(&capture, Signal::Metrics, protocol);
        otlp.timeout = Duration::from_millis(200);
        let began = Instant::now();
        let error = sender(&otlp).send(&message()).await.unwrap_err();
        assert!(began.elapsed() < Duration::from_secs(3), "{protocol:?}: {:?}", began.elapsed());
        assert_eq!((error.tries, error.reason.as_str()), (1, "no answer in time"), "{protocol:?}");
    }
}

#[tokio::test]
async fn nobody_there_is_said_so_without_the_address() {
    for protocol in BOTH {
        let mut otlp = Otlp::new(Signal::Metrics, protocol, "http://me:hunter2@127.0.0.1:1/");
        otlp.timeout = Duration::from_millis(300);
        let error = sender(&otlp).send(&message()).await.unwrap_err().to_string();
        assert!(error.contains("refused") && !error.contains("hunter2"), "{protocol:?}: {error}");
    }
}

/// A tracer that sends there.
fn tracer(endpoint: String, change: impl FnOnce(&mut Config)) -> Tracer {
    let mut config = Config::read("test", |name| match name {
        "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(endpoint.clone()),
        "OTEL_TRACES_SAMPLER" => Some("always_on".into()),
        _ => None,
    });
    change(&mut config);
    Tracer::new(&config, Arc::new(SystemClock::new())).unwrap()
}

fn one_request(tracer: &Tracer) {
    let guard = tracer.begin(&http::Method::GET, &http::HeaderMap::new());
    guard.trace().answered(200, None);
    guard.trace().finish(tropos_telemetry::trace::Ended::Whole);
}

#[tokio::test]
async fn what_waits_at_the_end_is_sent() {
    let capture = OtlpCapture::start().await;
    let tracer = tracer(capture.url(), |config| config.batch.delay = Duration::from_secs(3600));
    (0..700).for_each(|_| one_request(&tracer));
    tracer.close(Duration::from_secs(5)).await;
    assert_eq!(capture.spans().len(), 700);
    assert!(capture.received().len() <= 3, "sent in batches");
    assert_eq!(capture.spans()[0].resource["service.name"], "test");
}

#[tokio::test]
async fn a_dead_collector_costs_nothing_but_the_data() {
    let capture = OtlpCapture::start().await;
    capture.reply(std::iter::repeat_n(Reply::Hang, 100));
    let tracer = tracer(capture.url(), |config| config.batch.delay = Duration::from_millis(1));
    let began = Instant::now();
    for turn in 0..20_000 {
        one_request(&tracer);
        if turn % 1_000 == 0 {
            tokio::task::yield_now().await;
        }
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let (counts, waiting) = tracer.counts().unwrap();
    assert!(waiting <= 2048, "{waiting}");
    assert!(counts.full.load(std::sync::atomic::Ordering::Relaxed) >= 17_000);
    let began = Instant::now();
    tracer.close(Duration::from_millis(300)).await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}
