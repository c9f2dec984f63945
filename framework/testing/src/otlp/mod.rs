//! A collector that keeps what it is sent: OTLP over HTTP and over gRPC, at one address.

mod grpc;
mod span;

pub use span::Captured;

use axum::body::Body;
use bytes::Bytes;
use flate2::read::GzDecoder;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use std::{
    collections::VecDeque,
    convert::Infallible,
    io::Read as _,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{net::TcpListener, sync::watch, task::JoinSet, time::timeout};
use tropos_telemetry::export::{
    Message as _, Signal,
    proto::collector::{metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest},
};

/// A test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the collector does with a message, in place of taking it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Takes it.
    Take,
    /// Takes it but for so many spans or data points, with a reason.
    Partial(i64, &'static str),
    /// Refuses it by this status of HTTP; with so many seconds in `Retry-After`.
    Status(u16, Option<u64>),
    /// Refuses it by this code of gRPC; with so many milliseconds in `RetryInfo`.
    Code(i32, Option<u64>),
    /// Never answers.
    Hang,
}

/// A message as it came.
#[derive(Debug, Clone)]
pub struct Received {
    /// What it carried.
    pub signal: Signal,
    /// Whether by gRPC.
    pub grpc: bool,
    /// Whether it was compressed.
    pub gzip: bool,
    /// Its headers.
    pub headers: HeaderMap,
}

/// A collector in the process, on a port of its own. It ends when it is dropped.
pub struct OtlpCapture {
    address: SocketAddr,
    state: Arc<State>,
    _serving: JoinSet<()>,
}

#[derive(Default)]
struct Kept {
    replies: VecDeque<Reply>,
    received: Vec<Received>,
    spans: Vec<Captured>,
    metrics: Vec<ExportMetricsServiceRequest>,
}

struct State {
    kept: Mutex<Kept>,
    /// Told of each message.
    changed: watch::Sender<()>,
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OtlpCapture {
    /// Starts one.
    ///
    /// # Panics
    /// Where the machine has no port left.
    #[expect(clippy::panic, reason = "a test without its collector ends here")]
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.unwrap_or_else(|error| panic!("no port for a collector: {error}"));
        let address = listener.local_addr().unwrap_or_else(|error| panic!("{error}"));
        let state = Arc::new(State { kept: Mutex::default(), changed: watch::Sender::new(()) });
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, state.clone()));
        Self { address, state, _serving: serving }
    }

    /// Its address, for `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Has it answer the next messages so, one after the other; those after them are taken.
    pub fn reply(&self, replies: impl IntoIterator<Item = Reply>) {
        self.state.lock().replies.extend(replies);
    }

    /// All messages so far, also those that were refused.
    pub fn received(&self) -> Vec<Received> {
        self.state.lock().received.clone()
    }

    /// All spans that were taken so far.
    pub fn spans(&self) -> Vec<Captured> {
        self.state.lock().spans.clone()
    }

    /// All metrics that were taken so far.
    pub fn metrics(&self) -> Vec<ExportMetricsServiceRequest> {
        self.state.lock().metrics.clone()
    }

    /// The spans, once they are as a test needs them.
    ///
    /// # Panics
    /// Where that is not so within 20 s, with those that there are.
    #[expect(clippy::panic, reason = "a test that waits in vain ends here")]
    pub async fn wait_for(&self, what: impl Fn(&[Captured]) -> bool) -> Vec<Captured> {
        let mut changes = self.state.changed.subscribe();
        let wait = async {
            loop {
                changes.mark_unchanged();
                let spans = self.spans();
                if what(&spans) || changes.changed().await.is_err() {
                    return spans;
                }
            }
        };
        timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("not within 20 s: {:#?}", self.spans()))
    }

    /// The one span of this name, once it is there.
    ///
    /// # Panics
    /// As [`wait_for`](Self::wait_for).
    #[expect(clippy::panic, reason = "a test that waits in vain ends here")]
    pub async fn span(&self, name: &str) -> Captured {
        let spans = self.wait_for(|spans| spans.iter().any(|span| span.name == name)).await;
        spans.into_iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no span `{name}`"))
    }

    /// All spans of one trace, the root first.
    pub fn trace(&self, id: &str) -> Vec<Captured> {
        self.spans().into_iter().filter(|span| span.trace == id).collect()
    }
}

impl std::fmt::Debug for OtlpCapture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OtlpCapture").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Both protocols: gRPC is HTTP/2 with a frame around each message.
async fn serve(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let state = state.clone();
        connections.spawn(async move {
            let service = tower::service_fn(move |request: Request<Incoming>| {
                let state = state.clone();
                async move { Ok::<_, Infallible>(answer(&state, request.map(Body::new)).await) }
            });
            let builder = Builder::new(TokioExecutor::new());
            // The other side may leave as it likes.
            drop(builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)).await);
        });
    }
}

async fn answer(state: &State, request: Request<Body>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let kind = head.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_grpc = kind.starts_with("application/grpc");
    let signal = match head.uri.path() {
        path if path.ends_with(Signal::Traces.path()) || path.ends_with("TraceService/Export") => {
            Signal::Traces
        }
        path if path.ends_with(Signal::Metrics.path()) || path.ends_with("MetricsService/Export") => {
            Signal::Metrics
        }
        _ => return plain(StatusCode::NOT_FOUND, Bytes::new()),
    };
    let Ok(body) = body.collect().await else { return plain(StatusCode::BAD_REQUEST, Bytes::new()) };
    let mut body = body.to_bytes();
    let gzip = if is_grpc {
        let Some((compressed, message)) = grpc::message(&body) else {
            return plain(StatusCode::BAD_REQUEST, Bytes::new());
        };
        body = message;
        compressed
    } else {
        head.headers.get(header::CONTENT_ENCODING).is_some_and(|coding| coding == "gzip")
    };
    if gzip {
        let mut plain = Vec::new();
        // What is no gzip is no message either.
        drop(GzDecoder::new(&*body).read_to_end(&mut plain));
        body = plain.into();
    }
    let reply = {
        let mut kept = state.lock();
        kept.received.push(Received { signal, grpc: is_grpc, gzip, headers: head.headers });
        kept.replies.pop_front().unwrap_or(Reply::Take)
    };
    if matches!(reply, Reply::Take | Reply::Partial(..)) && !keep(state, signal, &body) {
        return plain(StatusCode::BAD_REQUEST, Bytes::new());
    }
    state.changed.send_replace(());
    match reply {
        Reply::Hang => std::future::pending().await,
        Reply::Take if is_grpc => grpc::taken(&[]),
        Reply::Partial(rejected, why) if is_grpc => grpc::taken(&grpc::partial(rejected, why)),
        Reply::Take => plain(StatusCode::OK, Bytes::new()),
        Reply::Partial(rejected, why) => plain(StatusCode::OK, grpc::partial(rejected, why).into()),
        Reply::Code(code, after) => grpc::refused(code, after),
        Reply::Status(status, after) => {
            let mut response =
                plain(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST), "refused".into());
            if let Some(after) = after {
                response.headers_mut().insert(header::RETRY_AFTER, after.into());
            }
            response
        }
    }
}

fn keep(state: &State, signal: Signal, body: &[u8]) -> bool {
    let mut kept = state.lock();
    match signal {
        Signal::Traces => match ExportTraceServiceRequest::decode(body) {
            Ok(message) => kept.spans.extend(span::all(message)),
            Err(_) => return false,
        },
        Signal::Metrics => match ExportMetricsServiceRequest::decode(body) {
            Ok(message) => kept.metrics.push(message),
            Err(_) => return false,
        },
    }
    true
}

fn plain(status: StatusCode, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
    response
}
