//! The public and the admin listener, from the first connection to the last.

use super::{admin, parent, public};
use crate::{Config, Error, Site};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

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

    let told = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
            () = parent::gone(&site.config) => {}
        }
    };
    let stopping = || {
        tracing::info!("stopping: running answers finish first");
        ready.store(false, Ordering::Release);
    };
    public::serve(site.clone(), listeners.public, told, stopping).await?;
    site.close().await;
    admin.abort();
    Ok(())
}
