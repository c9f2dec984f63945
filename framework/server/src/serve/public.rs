//! The public listener: accepting connections, serving them, and letting them end.

use super::{
    Stop,
    front::Fronts,
    plain::{self, Ended, Patience, Prefixed},
};
use crate::{Error, Site};
use axum::body::Body;
use bytes::Bytes;
use http::Request;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto::Builder,
        graceful::{GracefulShutdown, Watcher},
    },
    service::TowerToHyperService,
};
use std::{convert::Infallible, io, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
};

/// A client that takes longer to send the head of a request is cut off: slow ones would hold connections for ever.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection of HTTP/2 on which nothing happens is asked this often whether somebody is there.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// More headers are answered with 431. Browsers send some thirty.
const MOST_HEADERS: usize = 100;

/// The head of a request is at most this long; a longer one is answered with 431 or 414.
const LONGEST_HEAD: usize = 64 * 1024;

/// Open connections; more wait to be accepted.
const MOST_CONNECTIONS: usize = 10_000;

/// At the end, answers that are running get this long.
const DRAIN: Duration = Duration::from_secs(25);

/// What accepting takes.
struct Door {
    site: Arc<Site>,
    stop: Arc<Stop>,
    graceful: GracefulShutdown,
    permits: Arc<Semaphore>,
    fronts: Fronts,
    /// Where everything runs that is no hit.
    main: Handle,
}

/// Serves `site` on `listener` until `until` is ready; then calls `stopping`, and lets running answers finish.
///
/// # Errors
/// Where the system gives no thread, or the listener cannot be used.
pub(super) async fn serve(
    site: Arc<Site>,
    listener: TcpListener,
    until: impl Future<Output = ()>,
    stopping: impl FnOnce(),
) -> Result<(), Error> {
    let stop = Arc::new(Stop::default());
    let door = Arc::new(Door {
        site: site.clone(),
        stop: stop.clone(),
        graceful: GracefulShutdown::new(),
        permits: Arc::new(Semaphore::new(MOST_CONNECTIONS)),
        fronts: Fronts::start(site.config.front_threads)?,
        main: Handle::current(),
    });
    let listener = listener.into_std()?;
    let Some(first) = door.fronts.handles().first().cloned() else { return Ok(()) };
    let mut accepting = first.spawn(accept(door.clone(), listener));
    tokio::select! {
        () = until => {}
        ended = &mut accepting => drop(ended.map_err(io::Error::other)??),
    }
    stopping();
    stop.say();
    site.hub.shutdown();
    if !accepting.is_finished() {
        drop(accepting.await);
    }
    if let Some(Door { graceful, fronts, .. }) = Arc::into_inner(door) {
        if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
            tracing::warn!("some answers were still running after {} s, and were cut off", DRAIN.as_secs());
        }
        drop(fronts);
    }
    Ok(())
}

/// Accepts until it is stopped, and deals the connections out to the front threads in turn.
async fn accept(door: Arc<Door>, listener: std::net::TcpListener) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    for turn in (0..door.fronts.handles().len()).cycle() {
        let (permit, stream) = tokio::select! {
            accepted = accept_one(&door, &listener) => accepted,
            () = door.stop.wait() => return Ok(()),
        };
        // Small answers go out at once, not when the kernel has collected more.
        drop(stream.set_nodelay(true));
        let connection = Connection {
            site: door.site.clone(),
            stop: door.stop.clone(),
            main: door.main.clone(),
            watcher: door.graceful.watcher(),
            permit,
        };
        match door.fronts.handles().get(turn) {
            None | Some(_) if turn == 0 => drop(tokio::spawn(connection.serve(stream))),
            None => {}
            Some(front) => {
                let Ok(stream) = stream.into_std() else { continue };
                front.spawn(async move {
                    if let Ok(stream) = TcpStream::from_std(stream) {
                        connection.serve(stream).await;
                    }
                });
            }
        }
    }
    Ok(())
}

async fn accept_one(door: &Door, listener: &TcpListener) -> (OwnedSemaphorePermit, TcpStream) {
    loop {
        let Ok(permit) = door.permits.clone().acquire_owned().await else {
            // Nobody closes it.
            std::future::pending::<()>().await;
            continue;
        };
        match listener.accept().await {
            Ok((stream, _)) => return (permit, stream),
            Err(error) => {
                // Out of file descriptors, mostly: wait for some to be freed instead of spinning.
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// What a connection takes with it.
struct Connection {
    site: Arc<Site>,
    stop: Arc<Stop>,
    main: Handle,
    /// The end waits for it to be dropped.
    watcher: Watcher,
    permit: OwnedSemaphorePermit,
}

impl Connection {
    /// Serves what is plain here, and everything else where renders run.
    async fn serve(self, stream: TcpStream) {
        let patience = Patience::with_head(HEAD_TIMEOUT);
        let (stream, read) = match plain::serve(&self.site, stream, &self.stop, patience, &self.main).await {
            Ended::Closed => return,
            Ended::Other(stream, read) => (stream, read),
        };
        if Handle::current().id() == self.main.id() {
            return drop(tokio::spawn(self.serve_with_hyper(stream, read)));
        }
        // A socket belongs to the runtime that waits for it.
        let Ok(stream) = stream.into_std() else { return };
        let main = self.main.clone();
        main.spawn(async move {
            if let Ok(stream) = TcpStream::from_std(stream) {
                self.serve_with_hyper(stream, read).await;
            }
        });
    }

    async fn serve_with_hyper(self, stream: TcpStream, read: Bytes) {
        let Self { site, watcher, permit, .. } = self;
        let service = tower::service_fn(move |request: Request<Incoming>| {
            let site = site.clone();
            async move { Ok::<_, Infallible>(site.handle(request.map(Body::new)).await) }
        });
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_headers(MOST_HEADERS)
            .max_buf_size(LONGEST_HEAD);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(HEAD_TIMEOUT)
            .max_header_list_size(64 * 1024)
            .max_concurrent_streams(200)
            .max_pending_accept_reset_streams(20);
        let stream = TokioIo::new(Prefixed::new(read, stream));
        let serving = builder.serve_connection_with_upgrades(stream, TowerToHyperService::new(service));
        if let Err(error) = watcher.watch(serving.into_owned()).await {
            tracing::debug!(error, "a connection ended");
        }
        drop(permit);
    }
}
