//! Who asks: the peer's address, or, where the peer is a proxy that the configuration trusts, whom that one names.

use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
};
use tropos_edge::{
    ready::Network,
    request::{Client, Headers},
};

/// The other end of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Peers whose word on the visitor counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trusted(Vec<Network>);

/// Addresses in a chain of proxies that are looked at; who sends more is not believed beyond.
const LONGEST_CHAIN: usize = 32;

impl FromStr for Trusted {
    type Err = ();

    /// Addresses and networks, separated by commas: `127.0.0.1, 10.0.0.0/8, fd00::/8`.
    fn from_str(text: &str) -> Result<Self, ()> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(|part| part.parse().map_err(drop)).collect::<Result<Vec<_>, ()>>().map(Self)
    }
}

impl Trusted {
    fn has(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

/// The visitor: the last address of `X-Forwarded-For` that is no trusted proxy's, where the peer is one.
pub(super) fn of(peer: Option<Peer>, headers: &Headers<'_>, trusted: &Trusted) -> Client<'static> {
    let Some(Peer(peer)) = peer else { return Client::default() };
    let peer = peer.ip().to_canonical();
    if !trusted.has(peer) {
        return Client { address: Some(peer), trusted: false, ..Client::default() };
    }
    let lines: Vec<&[u8]> = headers.lines("x-forwarded-for").collect();
    let chain = lines.iter().rev().flat_map(|line| line.rsplit(|byte| *byte == b',')).take(LONGEST_CHAIN);
    let mut address = Some(peer);
    for named in chain {
        // A word that is no address is no reason to take the visitor for the proxy.
        address = read(named);
        if !address.is_some_and(|address| trusted.has(address)) {
            break;
        }
    }
    Client { address, trusted: true, ..Client::default() }
}

/// The visitor's address alone, where it is known.
pub(crate) fn address(peer: Option<Peer>, headers: &Headers<'_>, trusted: &Trusted) -> Option<IpAddr> {
    of(peer, headers, trusted).address
}

/// An address as proxies write it: alone, in brackets, with a port behind it.
fn read(word: &[u8]) -> Option<IpAddr> {
    let word = std::str::from_utf8(word).ok()?.trim();
    let alone = || word.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    let with_port = || word.parse::<SocketAddr>().ok().map(|address| address.ip());
    word.parse().ok().or_else(alone).or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, HeaderValue};

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
                headers.append("x-forwarded-for", HeaderValue::from_bytes(line.as_bytes()).unwrap());
            }
            let peer = Some(Peer(SocketAddr::new(peer.parse().unwrap(), 1)));
            let client = of(peer, &Headers::of(&headers), &trusted);
            (client.address.map(|address| address.to_string()).unwrap_or_default(), client.trusted)
        };
        for (peer, forwarded, visitor, is_trusted) in [
            ("203.0.113.1", &["198.51.100.9"][..], "203.0.113.1", false),
            ("10.0.0.1", &[], "10.0.0.1", true),
            ("10.0.0.1", &["198.51.100.9"], "198.51.100.9", true),
            ("10.0.0.1", &["6.6.6.6, 198.51.100.9, 10.0.0.2"], "198.51.100.9", true),
            ("10.0.0.1", &["6.6.6.6", "198.51.100.9"], "198.51.100.9", true),
            ("10.0.0.1", &["6.6.6.6, nonsense"], "", true),
            ("10.0.0.1", &["\u{e9}, 198.51.100.9"], "198.51.100.9", true),
            ("10.0.0.1", &["198.51.100.9:4711"], "198.51.100.9", true),
            ("10.0.0.1", &["[2001:db8::1]:4711"], "2001:db8::1", true),
        ] {
            assert_eq!(asked(peer, forwarded), (visitor.to_owned(), is_trusted), "{peer} {forwarded:?}");
        }
    }
}
