//! The public listener: accepting connections, serving them, and letting them end.

use super::{
    Stop,
    front::Fronts,
    plain::{self, Ended, Patience, Prefixed},
};
use crate::{Error, Site, edge::Peer};
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
use std::{
    convert::Infallible,
    future::{Future as _, poll_fn},
    io,
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};
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
        let (permit, stream, peer) = tokio::select! {
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
            peer,
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

async fn accept_one(door: &Door, listener: &TcpListener) -> (OwnedSemaphorePermit, TcpStream, Peer) {
    loop {
        let Ok(permit) = door.permits.clone().acquire_owned().await else {
            // Nobody closes it.
            std::future::pending::<()>().await;
            continue;
        };
        match listener.accept().await {
            Ok((stream, peer)) => return (permit, stream, Peer(peer)),
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
    peer: Peer,
}

impl Connection {
    /// Serves what is plain here, and everything else where renders run.
    async fn serve(self, stream: TcpStream) {
        let patience = Patience::with_head(HEAD_TIMEOUT);
        let (stream, read) =
            match plain::serve(&self.site, stream, self.peer, &self.stop, patience, &self.main).await {
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

    /// Serves what begins with the bytes that were `read`, of which there are some.
    async fn serve_with_hyper(self, stream: TcpStream, read: Bytes) {
        let Self { site, stop, watcher, permit, peer, .. } = self;
        let service = tower::service_fn(move |mut request: Request<Incoming>| {
            let site = site.clone();
            request.extensions_mut().insert(peer);
            async move { Ok::<_, Infallible>(site.handle(request.map(Body::new)).await) }
        });
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            // At the end the first answer is the last, and says so.
            .keep_alive(!stop.is_set())
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
        let mut serving =
            pin!(builder.serve_connection_with_upgrades(stream, TowerToHyperService::new(service)));
        let mut stopped = pin!(stop.wait());
        let mut told = false;
        // Told of the end before it has taken in what was read, hyper would drop a request that is there. So it has its
        // turn first: what was read tells the protocol, and is the beginning of a request, which is answered yet.
        let ended = poll_fn(|cx| {
            if let Poll::Ready(ended) = serving.as_mut().poll(cx) {
                return Poll::Ready(ended);
            }
            if told || stopped.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            told = true;
            serving.as_mut().graceful_shutdown();
            serving.as_mut().poll(cx)
        });
        if let Err(error) = ended.await {
            tracing::debug!(error, "a connection ended");
        }
        drop((permit, watcher));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{App, Config};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tropos_cache::Engine;
    use tropos_core::ManualClock;

    /// A connection of which this was read when the end had been said already, and its client.
    async fn stopped_with(read: &[u8]) -> TcpStream {
        let engine = Engine::in_memory(Arc::new(ManualClock::new()));
        let site = Site::over(App::new(), Config::default(), engine).await.unwrap();
        let stop = Arc::new(Stop::default());
        stop.say();
        let permit = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let watcher = GracefulShutdown::new().watcher();
        let peer = Peer(([127, 0, 0, 1], 1).into());
        let connection = Connection { site, stop, main: Handle::current(), watcher, permit, peer };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        tokio::spawn(connection.serve_with_hyper(server, Bytes::copy_from_slice(read)));
        client
    }

    #[tokio::test]
    async fn a_request_that_was_read_is_answered_though_the_end_has_come() {
        let read = b"POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx";
        // Whole, and with a body that is yet to come.
        for at in [read.len(), read.len() - 1] {
            let mut client = stopped_with(&read[..at]).await;
            tokio::task::yield_now().await;
            client.write_all(&read[at..]).await.unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
            assert!(answer.contains("connection: close\r\n"), "{answer}");
        }
    }

    #[tokio::test]
    async fn a_request_of_http_2_that_was_read_is_answered_though_the_end_has_come() {
        let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
        // HEADERS, complete, of stream 1: GET, http, /, and the authority (RFC 7541, appendix A).
        let headers = [0, 0, 14, 1, 5, 0, 0, 0, 1, 0x82, 0x86, 0x84, 0x41, 9];
        let read = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &settings[..], &headers, b"localhost"].concat();
        let mut client = stopped_with(&read).await;
        loop {
            let mut frame = [0; 9];
            client.read_exact(&mut frame).await.unwrap();
            if frame[3..] == [1, 4, 0, 0, 0, 1] {
                return;
            }
            let mut payload = vec![0; usize::from(frame[1]) << 8 | usize::from(frame[2])];
            client.read_exact(&mut payload).await.unwrap();
        }
    }
}
