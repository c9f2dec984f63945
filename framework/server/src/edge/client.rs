//! Who asks: the peer's address, or, where the peer is a proxy that the configuration trusts, whom that one names.

use http::HeaderMap;
use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
};
use tropos_edge::request::Client;

/// The other end of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Peers whose word on the visitor counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trusted(Vec<Network>);

/// An address with the length of its prefix, in bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    prefix: u32,
}

/// Addresses in a chain of proxies that are looked at; who sends more is not believed beyond.
const LONGEST_CHAIN: usize = 32;

impl FromStr for Trusted {
    type Err = ();

    /// Addresses and networks, separated by commas: `127.0.0.1, 10.0.0.0/8, fd00::/8`.
    fn from_str(text: &str) -> Result<Self, ()> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(Network::parse).collect::<Option<Vec<_>>>().map(Self).ok_or(())
    }
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address.parse::<IpAddr>().ok()?, Some(prefix.parse::<u32>().ok()?)),
            None => (text.parse().ok()?, None),
        };
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(bits);
        (prefix <= bits).then_some(Self { address, prefix })
    }

    fn has(self, asked: IpAddr) -> bool {
        match (self.address, asked.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(asked)) => {
                same(own.to_bits().into(), asked.to_bits().into(), 32 - self.prefix)
            }
            (IpAddr::V6(own), IpAddr::V6(asked)) => same(own.to_bits(), asked.to_bits(), 128 - self.prefix),
            _ => false,
        }
    }
}

/// Whether two addresses differ in their lowest bits alone.
fn same(a: u128, b: u128, lowest: u32) -> bool {
    (a ^ b).checked_shr(lowest).unwrap_or(0) == 0
}

impl Trusted {
    fn has(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.has(address))
    }
}

/// The visitor: the last address of `X-Forwarded-For` that is no trusted proxy's, where the peer is one.
pub(super) fn of(peer: Option<Peer>, headers: &HeaderMap, trusted: &Trusted) -> Client<'static> {
    let Some(Peer(peer)) = peer else { return Client::default() };
    let peer = peer.ip().to_canonical();
    if !trusted.has(peer) {
        return Client { address: Some(peer), trusted: false, ..Client::default() };
    }
    let lines: Vec<&str> =
        headers.get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok()).collect();
    let chain = lines.iter().rev().flat_map(|line| line.rsplit(',')).take(LONGEST_CHAIN);
    let mut address = peer;
    for named in chain {
        // Whoever wrote something else cannot be told from a visitor who did.
        let Ok(named) = named.trim().parse::<IpAddr>() else { break };
        address = named.to_canonical();
        if !trusted.has(address) {
            break;
        }
    }
    Client { address: Some(address), trusted: true, ..Client::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn networks_hold_the_addresses_of_their_prefix() {
        let trusted: Trusted = "10.0.0.0/8, 192.0.2.7,fd00::/8".parse().unwrap();
        for (address, has) in [
            ("10.255.1.2", true),
            ("11.0.0.1", false),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("fd12::1", true),
            ("fe80::1", false),
            ("::ffff:10.1.1.1", true),
        ] {
            assert_eq!(trusted.has(address.parse().unwrap()), has, "{address}");
        }
        let all: Trusted = "0.0.0.0/0, ::/0".parse().unwrap();
        assert!(all.has("203.0.113.9".parse().unwrap()) && all.has("2001:db8::1".parse().unwrap()));
        for wrong in ["10.0.0.0/33", "a", "10.0.0.0/", "10.0.0.0/-1"] {
            assert!(wrong.parse::<Trusted>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_a_trusted_proxy_says_who_asks_and_only_as_far_as_others_are_trusted() {
        let trusted: Trusted = "10.0.0.0/8".parse().unwrap();
        let asked = |peer: &str, forwarded: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for line in forwarded {
                headers.append("x-forwarded-for", HeaderValue::from_static(line));
            }
            let client = of(Some(Peer(SocketAddr::new(peer.parse().unwrap(), 1))), &headers, &trusted);
            (client.address.unwrap().to_string(), client.trusted)
        };
        for (peer, forwarded, visitor, is_trusted) in [
            ("203.0.113.1", &["198.51.100.9"][..], "203.0.113.1", false),
            ("10.0.0.1", &[], "10.0.0.1", true),
            ("10.0.0.1", &["198.51.100.9"], "198.51.100.9", true),
            ("10.0.0.1", &["6.6.6.6, 198.51.100.9, 10.0.0.2"], "198.51.100.9", true),
            ("10.0.0.1", &["6.6.6.6", "198.51.100.9"], "198.51.100.9", true),
            ("10.0.0.1", &["6.6.6.6, nonsense"], "10.0.0.1", true),
        ] {
            assert_eq!(asked(peer, forwarded), (visitor.to_owned(), is_trusted), "{peer} {forwarded:?}");
        }
    }
}
