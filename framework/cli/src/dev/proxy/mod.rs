//! The public listener: a proxy in front of the application.
//!
//! | module | holds |
//! |---|---|
//! | `upstream` | which process answers, and the change from one to the next |
//! | `forward` | one request, there and back |
//! | `headers` | which header lines go on |
//! | `inject` | the client, added to pages |
//! | `policy` | lets the client in where a page's policy would refuse it |
//! | `resume`, `stream` | event streams that outlive a process |
//! | `own`, `guard` | the dev server's own addresses, and whom they answer |
//! | `admin` | the application's admin listener |
//! | `screen` | what is shown while nothing answers |

mod admin;
mod forward;
mod guard;
mod headers;
mod inject;
mod own;
mod policy;
mod resume;
mod screen;
mod stream;
mod upstream;

pub(crate) use upstream::{Application, Upstream};

use super::hub::Hub;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use hyper::{Request, Response, StatusCode, body::Incoming, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
};

/// Any failure of a body.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// A body, there or back.
pub(crate) type Body = UnsyncBoxBody<Bytes, BoxError>;

/// Where the dev server's own addresses begin.
pub(crate) const OWN: &str = "/_tropos/dev/";

/// Requests that may wait for a process at a time: more than a browser or a test sends, few enough for any machine.
const MOST_WAITING: usize = 256;

/// Connections at a time, as many as fit under the usual limit of open files, two for each.
const MOST_CONNECTIONS: usize = 400;

/// What the proxy answers with.
pub(crate) struct Proxy {
    pub(crate) upstream: Upstream,
    pub(crate) hub: Hub,
    /// Who waits for a process.
    waiting: Semaphore,
    /// How long: a browser's own patience, at most.
    patience: Duration,
    /// A process that breaks an answer off is known to have ended within so long.
    noticed: Duration,
    /// Hosts, besides this machine's, that may ask for the dev server's own addresses.
    allowed_hosts: Vec<String>,
    /// Files below these may be opened in the editor.
    pub(crate) opens: Vec<PathBuf>,
    /// Whether what the browser's console says is printed.
    console: bool,
    /// Whether somebody was answered a page.
    paged: watch::Sender<bool>,
    /// Where the admin listener is reached at an address that stays.
    pub(crate) admin: OnceLock<SocketAddr>,
}

impl Proxy {
    pub(crate) fn new(allowed_hosts: Vec<String>, opens: Vec<PathBuf>, console: bool) -> Self {
        Self {
            upstream: Upstream::new(),
            hub: Hub::new(),
            waiting: Semaphore::new(MOST_WAITING),
            patience: Duration::from_secs(60),
            noticed: Duration::from_secs(2),
            allowed_hosts,
            opens,
            console,
            paged: watch::Sender::new(false),
            admin: OnceLock::new(),
        }
    }

    /// Waits until somebody was answered a page of the application.
    pub(crate) async fn first_page(&self) {
        // It ends with the proxy alone, and then nobody waits.
        let _ = self.paged.subscribe().wait_for(|paged| *paged).await;
    }
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
struct Peer(IpAddr);

/// Whether a request comes from this machine.
fn is_near(request: &Request<Incoming>) -> bool {
    let peer = request.extensions().get::<Peer>();
    peer.is_some_and(|Peer(ip)| guard::is_of_this_machine(*ip, request.headers()))
}

const NOT_THIS: &str = "The dev server is not known by this name. It is by localhost and by addresses; allowed_hosts \
                        (TROPOS_ALLOWED_HOSTS) lists others.\n";

/// What a listener answers for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Face {
    /// The application, with the client in its pages.
    Public,
    /// The application's admin listener.
    Admin,
}

/// Serves until it is dropped.
pub(crate) async fn serve(proxy: Arc<Proxy>, listener: TcpListener, face: Face) {
    let connections = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let Ok(permit) = connections.clone().acquire_owned().await else { return };
        let Ok((socket, peer)) = listener.accept().await else {
            // Out of files: some are free soon.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let _ = socket.set_nodelay(true);
        let proxy = proxy.clone();
        tokio::spawn(async move {
            let service = service_fn(move |mut request| {
                request.extensions_mut().insert(Peer(peer.ip()));
                answer(proxy.clone(), face, request)
            });
            let mut http = hyper::server::conn::http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(30));
            // A browser that goes away is nobody's failure.
            let _ = http.serve_connection(TokioIo::new(socket), service).with_upgrades().await;
            drop(permit);
        });
    }
}

async fn answer(
    proxy: Arc<Proxy>,
    face: Face,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    if face == Face::Admin {
        return Ok(admin::answer(&proxy, request).await);
    }
    if !guard::is_for_this(request.headers(), &proxy.allowed_hosts) {
        return Ok(text(StatusCode::MISDIRECTED_REQUEST, "text/plain; charset=utf-8", NOT_THIS));
    }
    let own = request.uri().path().strip_prefix(OWN).map(str::to_owned);
    Ok(match own {
        Some(path) => own::answer(&proxy, &path, request).await,
        None => forward::forward(&proxy, request).await,
    })
}

/// A whole body.
fn full(text: impl Into<Bytes>) -> Body {
    Full::new(text.into()).map_err(|never| match never {}).boxed_unsync()
}

/// An answer of the dev server's own, which nobody is to keep.
fn text(status: StatusCode, kind: &'static str, text: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(full(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(kind));
    headers.insert(http::header::CACHE_CONTROL, http::HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests;
