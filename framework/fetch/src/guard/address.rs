//! Which addresses are of the public internet.

use super::block::Block;
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// Why an address is not one of the public internet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NotPublic {
    /// No address: `0.0.0.0`, `::`, and the rest of "this network". Linux connects to itself by it.
    Unspecified,
    /// This machine: `127.0.0.0/8`, `::1`.
    Loopback,
    /// A private network: RFC 1918, RFC 4193.
    Private,
    /// The link, and on it the services by which clouds hand out credentials: `169.254.0.0/16`, `fe80::/10`.
    LinkLocal,
    /// Between a carrier and its customers, and inside some clouds: `100.64.0.0/10`.
    Shared,
    /// The service of a cloud, at an address that looks public.
    CloudService,
    /// For examples and measurements.
    Documentation,
    /// More than one machine.
    Multicast,
    /// Given to nobody, or to something that is no host.
    Reserved,
}

impl fmt::Display for NotPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unspecified => "no address of a host",
            Self::Loopback => "an address of this machine itself",
            Self::Private => "an address of a private network",
            Self::LinkLocal => "an address of the local link",
            Self::Shared => "an address of a carrier's own network",
            Self::CloudService => "the address of a cloud's own service",
            Self::Documentation => "an address for examples and measurements",
            Self::Multicast => "a multicast address",
            Self::Reserved => "a reserved address",
        })
    }
}

/// Whether `address` is one of the public internet, as far as the registries of IANA can say.
///
/// ```
/// assert!(tropos_fetch::is_public([192, 0, 1, 1].into()));
/// assert!(!tropos_fetch::is_public([169, 254, 169, 254].into()));
/// ```
pub fn is_public(address: IpAddr) -> bool {
    why_not_public(address).is_none()
}

/// Why `address` is not one of the public internet; `None` where it is.
///
/// By the IANA registries of special-purpose addresses (RFC 6890, RFC 8190). What is registered inside such a block as
/// reachable after all (anycast addresses of protocols, relays) holds no web server, and stays refused with its block.
/// A network may translate other prefixes of its own into IPv4 (RFC 6052 §2.2); those cannot be known here.
pub fn why_not_public(address: IpAddr) -> Option<NotPublic> {
    let address = match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => embedded(v6).map_or(address, IpAddr::V4),
    };
    let special = SPECIAL.iter().find(|(block, _)| block.has(address)).map(|(_, why)| *why);
    match address {
        // RFC 4291 §2.4, RFC 7249 §2.2: all that is given out lies in 2000::/3.
        IpAddr::V6(_) if special.is_none() && !GLOBAL_UNICAST.has(address) => Some(NotPublic::Reserved),
        _ => special,
    }
}

const GLOBAL_UNICAST: Block = Block::v6([0x2000, 0, 0, 0], 3);

/// The IPv4 address that a packet to this one ends at.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let join = |high: u16, low: u16| Ipv4Addr::from_bits((u32::from(high) << 16) | u32::from(low));
    match (a, b) {
        // RFC 4291 §2.5.5.2: ::ffff:0:0/96 is how a socket for both families writes IPv4.
        (0, 0) if (c, d, e, f) == (0, 0, 0, 0xffff) => Some(join(g, h)),
        // RFC 6052 §2.1: 64:ff9b::/96 is translated to IPv4.
        (0x64, 0xff9b) if (c, d, e, f) == (0, 0, 0, 0) => Some(join(g, h)),
        // RFC 3056 §2: 2002::/16 is carried to the IPv4 address that follows.
        (0x2002, _) => Some(join(b, c)),
        _ => None,
    }
}

/// By <https://www.iana.org/assignments/iana-ipv4-special-registry> and
/// <https://www.iana.org/assignments/iana-ipv6-special-registry>; where blocks lie in one another, the first decides.
const SPECIAL: &[(Block, NotPublic)] = &[
    (Block::v4([0, 0, 0, 0], 8), NotPublic::Unspecified), // RFC 791 §3.2, RFC 1122 §3.2.1.3
    (Block::v4([10, 0, 0, 0], 8), NotPublic::Private),    // RFC 1918 §3
    (Block::v4([100, 64, 0, 0], 10), NotPublic::Shared),  // RFC 6598 §7
    (Block::v4([127, 0, 0, 0], 8), NotPublic::Loopback),  // RFC 1122 §3.2.1.3
    // What Azure gives to its machines for their configuration; public by the registry, but never routed.
    (Block::v4([168, 63, 129, 16], 32), NotPublic::CloudService),
    (Block::v4([169, 254, 0, 0], 16), NotPublic::LinkLocal), // RFC 3927 §2.1
    (Block::v4([172, 16, 0, 0], 12), NotPublic::Private),    // RFC 1918 §3
    (Block::v4([192, 0, 0, 0], 24), NotPublic::Reserved),    // RFC 6890 §2.1
    (Block::v4([192, 0, 2, 0], 24), NotPublic::Documentation), // RFC 5737 §3
    (Block::v4([192, 88, 99, 0], 24), NotPublic::Reserved),  // RFC 7526 §5
    (Block::v4([192, 168, 0, 0], 16), NotPublic::Private),   // RFC 1918 §3
    (Block::v4([198, 18, 0, 0], 15), NotPublic::Documentation), // RFC 2544 §C.2.2
    (Block::v4([198, 51, 100, 0], 24), NotPublic::Documentation), // RFC 5737 §3
    (Block::v4([203, 0, 113, 0], 24), NotPublic::Documentation), // RFC 5737 §3
    (Block::v4([224, 0, 0, 0], 4), NotPublic::Multicast),    // RFC 5771 §3
    (Block::v4([240, 0, 0, 0], 4), NotPublic::Reserved),     // RFC 1112 §4; with 255.255.255.255, RFC 919 §7
    (Block::of(IpAddr::V6(Ipv6Addr::UNSPECIFIED)), NotPublic::Unspecified), // RFC 4291 §2.5.2
    (Block::of(IpAddr::V6(Ipv6Addr::LOCALHOST)), NotPublic::Loopback), // RFC 4291 §2.5.3
    // The rest of ::/96 was for IPv4 once (RFC 4291 §2.5.5.1); it, 64:ff9b:1::/48 (RFC 8215), 100::/64 (RFC 6666),
    // 5f00::/16 (RFC 9602) and all else outside of 2000::/3 need no line: they are reserved by that.
    (Block::v6([0x2001, 0, 0, 0], 23), NotPublic::Reserved), // RFC 2928 §2; with Teredo, RFC 4380 §2.6
    (Block::v6([0x2001, 0xdb8, 0, 0], 32), NotPublic::Documentation), // RFC 3849 §2
    (Block::v6([0x3fff, 0, 0, 0], 20), NotPublic::Documentation), // RFC 9637 §3
    (Block::v6([0xfc00, 0, 0, 0], 7), NotPublic::Private),   // RFC 4193 §3.1
    (Block::v6([0xfe80, 0, 0, 0], 10), NotPublic::LinkLocal), // RFC 4291 §2.5.6
    (Block::v6([0xfec0, 0, 0, 0], 10), NotPublic::Private),  // RFC 3879 §4
    (Block::v6([0xff00, 0, 0, 0], 8), NotPublic::Multicast), // RFC 4291 §2.7
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_special_block_is_known_from_its_first_to_its_last_address() {
        use NotPublic::{
            CloudService, Documentation, LinkLocal, Loopback, Multicast, Private, Reserved, Shared,
            Unspecified,
        };
        let cases = [
            ("0.0.0.0", Some(Unspecified)),
            ("0.255.255.255", Some(Unspecified)),
            ("1.0.0.0", None),
            ("9.255.255.255", None),
            ("10.0.0.0", Some(Private)),
            ("10.255.255.255", Some(Private)),
            ("11.0.0.0", None),
            ("100.63.255.255", None),
            ("100.64.0.0", Some(Shared)),
            ("100.100.100.200", Some(Shared)),
            ("100.127.255.255", Some(Shared)),
            ("100.128.0.0", None),
            ("126.255.255.255", None),
            ("127.0.0.0", Some(Loopback)),
            ("127.0.0.1", Some(Loopback)),
            ("127.255.255.255", Some(Loopback)),
            ("128.0.0.0", None),
            ("168.63.129.15", None),
            ("168.63.129.16", Some(CloudService)),
            ("169.253.255.255", None),
            ("169.254.0.0", Some(LinkLocal)),
            ("169.254.169.254", Some(LinkLocal)),
            ("169.254.255.255", Some(LinkLocal)),
            ("169.255.0.0", None),
            ("172.15.255.255", None),
            ("172.16.0.0", Some(Private)),
            ("172.31.255.255", Some(Private)),
            ("172.32.0.0", None),
            ("191.255.255.255", None),
            ("192.0.0.0", Some(Reserved)),
            ("192.0.0.192", Some(Reserved)),
            ("192.0.1.0", None),
            ("192.0.2.255", Some(Documentation)),
            ("192.88.99.1", Some(Reserved)),
            ("192.167.255.255", None),
            ("192.168.0.0", Some(Private)),
            ("192.168.255.255", Some(Private)),
            ("192.169.0.0", None),
            ("198.17.255.255", None),
            ("198.18.0.0", Some(Documentation)),
            ("198.19.255.255", Some(Documentation)),
            ("198.20.0.0", None),
            ("198.51.100.1", Some(Documentation)),
            ("203.0.113.1", Some(Documentation)),
            ("223.255.255.255", None),
            ("224.0.0.0", Some(Multicast)),
            ("239.255.255.255", Some(Multicast)),
            ("240.0.0.0", Some(Reserved)),
            ("255.255.255.255", Some(Reserved)),
            ("::", Some(Unspecified)),
            ("::1", Some(Loopback)),
            ("::2", Some(Reserved)),
            ("::127.0.0.1", Some(Reserved)),
            ("::8.8.8.8", Some(Reserved)),
            ("::ffff:127.0.0.1", Some(Loopback)),
            ("::ffff:10.0.0.1", Some(Private)),
            ("::ffff:169.254.169.254", Some(LinkLocal)),
            ("::ffff:0.0.0.0", Some(Unspecified)),
            ("::ffff:8.8.8.8", None),
            ("::ffff:0:127.0.0.1", Some(Reserved)),
            ("64:ff9b::127.0.0.1", Some(Loopback)),
            ("64:ff9b::169.254.169.254", Some(LinkLocal)),
            ("64:ff9b::8.8.8.8", None),
            ("64:ff9b::1:8.8.8.8", Some(Reserved)),
            ("64:ff9b:1::8.8.8.8", Some(Reserved)),
            ("100::1", Some(Reserved)),
            ("1fff:ffff::", Some(Reserved)),
            ("2000::1", None),
            // Teredo, with the server 127.0.0.1.
            ("2001:0:7f00:1::", Some(Reserved)),
            ("2001:1ff:ffff::1", Some(Reserved)),
            ("2001:200::1", None),
            ("2001:db8::1", Some(Documentation)),
            ("2001:db9::1", None),
            ("2002:7f00:1::", Some(Loopback)),
            ("2002:a00:1::1", Some(Private)),
            ("2002:c0a8:101::1", Some(Private)),
            ("2002:808:808::1", None),
            ("2606:4700:4700::1111", None),
            ("3fff:fff::1", Some(Documentation)),
            ("3fff:1000::1", None),
            ("4000::1", Some(Reserved)),
            ("5f00::1", Some(Reserved)),
            ("fbff::1", Some(Reserved)),
            ("fc00::1", Some(Private)),
            ("fd00:ec2::254", Some(Private)),
            ("fdff::1", Some(Private)),
            ("fe00::1", Some(Reserved)),
            ("fe80::1", Some(LinkLocal)),
            ("febf::1", Some(LinkLocal)),
            ("fec0::1", Some(Private)),
            ("ff02::1", Some(Multicast)),
        ];
        for (address, why) in cases {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(why_not_public(address), why, "{address}");
            assert_eq!(is_public(address), why.is_none(), "{address}");
        }
    }
}
