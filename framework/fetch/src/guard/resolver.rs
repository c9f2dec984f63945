//! From names to addresses that may be connected to.

use super::{Guard, Refused};
use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
};
use tokio::sync::Semaphore;

/// What a [`Resolver`] returns.
pub type Resolving = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Finds the addresses of a name, in place of the system's own resolver: that of a service mesh, or of a test.
///
/// What it finds is still checked, so it need not know what may be reached.
pub trait Resolver: Send + Sync + 'static {
    /// The addresses of `name`, best first.
    ///
    /// # Errors
    /// Where they cannot be found.
    fn resolve(&self, name: &str) -> Resolving;
}

/// So many names are looked up by the system at a time. A look-up holds a thread until the system gives up on it, which
/// takes 10 s and more, and cannot be called off; files are read on the same 512 threads.
static LOOKUPS: Semaphore = Semaphore::const_new(64);

/// The system's resolver.
struct System;

impl Resolver for System {
    fn resolve(&self, name: &str) -> Resolving {
        let name = name.to_owned();
        Box::pin(async move {
            let place = LOOKUPS.acquire().await.map_err(io::Error::other)?;
            // In a task of its own, so that whoever stops waiting does not give the place away before it is free.
            let lookup = tokio::spawn(async move {
                let _place = place;
                let found = tokio::net::lookup_host((name, 0)).await?;
                Ok(found.map(|address| address.ip()).collect())
            });
            lookup.await.map_err(io::Error::other)?
        })
    }
}

/// The resolver as the connector asks it.
pub(crate) struct Lookup {
    resolver: Arc<dyn Resolver>,
    /// `None`: every address may be connected to.
    guard: Option<Arc<Guard>>,
}

impl Lookup {
    pub(crate) fn new(resolver: Option<Arc<dyn Resolver>>, guard: Option<Arc<Guard>>) -> Self {
        Self { resolver: resolver.unwrap_or_else(|| Arc::new(System)), guard }
    }
}

impl reqwest::dns::Resolve for Lookup {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let (found, guard) = (self.resolver.resolve(name.as_str()), self.guard.clone());
        Box::pin(async move {
            let found = found.await?;
            let found = match guard {
                Some(guard) => permitted(&guard, name.as_str(), found)?,
                None => found,
            };
            // The connector puts the port of the URL in place of zero.
            let addresses = found.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as reqwest::dns::Addrs)
        })
    }
}

/// Those that may be connected to: the connector tries no other.
fn permitted(guard: &Guard, name: &str, found: Vec<IpAddr>) -> Result<Vec<IpAddr>, Refused> {
    let mut refused = None;
    let mut permitted = found;
    permitted.retain(|address| match guard.check(name, *address) {
        Ok(()) => true,
        Err(why) => {
            refused.get_or_insert(why);
            false
        }
    });
    match refused {
        Some(refused) if permitted.is_empty() => Err(refused),
        _ => Ok(permitted),
    }
}
