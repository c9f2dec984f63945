//! The public and the admin listener, from the first connection to the last.

use super::admin;
use crate::{Config, Error, Site};
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    signal::unix::{SignalKind, signal},
    sync::Semaphore,
};
use tokio_util::sync::CancellationToken;

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

/// Both listeners, bound.
pub(super) struct Listeners {
    public: TcpListener,
    admin: TcpListener,
}

impl Listeners {
    /// Binds both, and settles the origin where it is to come from the listener.
    pub(super) async fn bind(config: &mut Config) -> Result<Self, Error> {
        let public = bind(config.addr, "TROPOS_ADDR").await?;
        let admin = bind(config.admin_addr, "TROPOS_ADMIN_ADDR").await?;
        config.addr = public.local_addr()?;
        config.admin_addr = admin.local_addr()?;
        if config.origin.is_none() {
            let port = config.addr.port();
            let host =
                if config.addr.ip().is_unspecified() { "localhost".into() } else { host_of(config.addr) };
            config.origin = Some(format!("http://{host}:{port}"));
        }
        Ok(Self { public, admin })
    }
}

fn host_of(address: SocketAddr) -> String {
    match address.ip() {
        std::net::IpAddr::V4(ip) => ip.to_string(),
        std::net::IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

async fn bind(address: SocketAddr, variable: &'static str) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|source| Error::Listen { address, source, variable })
}

/// Serves until SIGTERM or ctrl-c; then says that it is not ready, lets running answers finish, and ends open streams.
pub(super) async fn serve(site: Arc<Site>, listeners: Listeners) -> Result<(), Error> {
    let mut terminate = signal(SignalKind::terminate())?;
    let ready = Arc::new(AtomicBool::new(true));
    let admin = admin::router(&site, ready.clone());
    let admin = tokio::spawn(async move { axum::serve(listeners.admin, admin).await });
    let (origin, admin_addr) = (site.config.origin.clone().unwrap_or_default(), site.config.admin_addr);
    tracing::info!(address = %site.config.addr, admin = %admin_addr, origin, "listening");

    let graceful = GracefulShutdown::new();
    let connections = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let stopping = CancellationToken::new();
    let accept = async {
        loop {
            let Ok(permit) = connections.clone().acquire_owned().await else { return };
            match listeners.public.accept().await {
                Ok((stream, _)) => connection(&site, stream, &graceful, permit, stopping.clone()),
                Err(error) => {
                    // Out of file descriptors, mostly: wait for some to be freed instead of spinning.
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    };
    tokio::select! {
        () = accept => {}
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    tracing::info!("stopping: running answers finish first");
    ready.store(false, Ordering::Release);
    drop(listeners.public);
    stopping.cancel();
    site.hub.shutdown();
    if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::warn!("some answers were still running after {} s, and were cut off", DRAIN.as_secs());
    }
    site.close().await;
    admin.abort();
    Ok(())
}

fn connection(
    site: &Arc<Site>,
    stream: TcpStream,
    graceful: &GracefulShutdown,
    permit: tokio::sync::OwnedSemaphorePermit,
    stopping: CancellationToken,
) {
    // Small answers go out at once, not when the kernel has collected more.
    drop(stream.set_nodelay(true));
    let site = site.clone();
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
    let watcher = graceful.watcher();
    tokio::spawn(async move {
        // To tell the protocols apart, the builder waits for the first bytes, and without a limit.
        let first_bytes = tokio::time::timeout(HEAD_TIMEOUT, stream.readable());
        let asks = tokio::select! {
            ready = first_bytes => matches!(ready, Ok(Ok(()))),
            () = stopping.cancelled() => false,
        };
        if asks {
            let serving = builder
                .serve_connection_with_upgrades(TokioIo::new(stream), TowerToHyperService::new(service));
            if let Err(error) = watcher.watch(serving.into_owned()).await {
                tracing::debug!(error, "a connection ended");
            }
        }
        drop(permit);
    });
}
