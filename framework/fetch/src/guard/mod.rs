//! Who may be reached: names and addresses of the public internet, and what was allowed besides.
//!
//! A URL that a visitor chose could lead into the network that the server stands in: to its own admin listener, to a
//! database, to the service by which a cloud hands out credentials. So the check is made on the address that is
//! connected to, not on the URL: on those that the resolver hands to the connector, and on those written as literals,
//! which never see a resolver. A name that changes its address between two look-ups gains nothing, since the look-up
//! that is checked is the one that is used.

mod address;
mod allow;
mod block;
mod resolver;

pub use address::{NotPublic, is_public, why_not_public};
pub use allow::Allow;
pub use resolver::{Resolver, Resolving};

pub(crate) use allow::address;
pub(crate) use resolver::Lookup;

use std::{
    fmt, io,
    net::IpAddr,
    sync::atomic::{AtomicBool, Ordering},
};

/// An address that may not be connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) address: IpAddr,
    pub(crate) why: NotPublic,
}

impl std::error::Error for Refused {}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}", self.address, self.why)
    }
}

impl Refused {
    /// The refusal among the causes of `error`, where that is why it came about.
    pub(crate) fn within(error: &(dyn std::error::Error + 'static)) -> Option<Self> {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(refused) = error.downcast_ref::<Self>() {
                return Some(*refused);
            }
            // Its own source is that of what it wraps.
            let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            cause = wrapped.map_or_else(|| error.source(), |wrapped| Some(wrapped));
        }
        None
    }
}

/// What decides whether an address may be connected to.
#[derive(Debug, Default)]
pub(crate) struct Guard {
    allow: Allow,
    /// Whether this machine itself may be reached without being named.
    development: bool,
    /// Whether it was said already that production will refuse it.
    warned: AtomicBool,
}

impl Guard {
    pub(crate) fn new(allow: Allow, development: bool) -> Self {
        Self { allow, development, warned: AtomicBool::new(false) }
    }

    /// Whether `address`, which `host` stands for, may be connected to.
    pub(crate) fn check(&self, host: &str, address: IpAddr) -> Result<(), Refused> {
        match why_not_public(address) {
            None => Ok(()),
            Some(_) if self.allow.has_host(host) || self.allow.has_address(address) => Ok(()),
            Some(NotPublic::Loopback) if self.development => {
                if !self.warned.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        host,
                        "fetches of this machine itself pass in development alone; for production, add `.allow_private()` or name the host in `fetch_allow`"
                    );
                }
                Ok(())
            }
            Some(why) => Err(Refused { address, why }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn development_lets_through_this_machine_and_nothing_else() {
        let cases = [
            ("127.0.0.1", true, false),
            ("::1", true, false),
            ("::ffff:127.0.0.1", true, false),
            ("10.0.0.1", false, false),
            ("169.254.169.254", false, false),
            ("8.8.8.8", true, true),
        ];
        for (address, development, production) in cases {
            let passes = |development| {
                let guard = Guard::new(Allow::default(), development);
                guard.check("a.example", address.parse().unwrap()).is_ok()
            };
            assert_eq!((passes(true), passes(false)), (development, production), "{address}");
        }
    }

    #[test]
    fn a_refusal_is_found_beneath_what_others_made_of_it() {
        let refused = Refused { address: IpAddr::from([10, 0, 0, 1]), why: NotPublic::Private };
        let within = std::io::Error::other(std::io::Error::other(refused));
        assert_eq!(Refused::within(&within), Some(refused));
        assert_eq!(Refused::within(&std::io::Error::other("down")), None);
    }
}
