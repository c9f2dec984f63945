//! Blocks of addresses, such as `10.0.0.0/8`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// All addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block {
    first: IpAddr,
    bits: u8,
}

impl Block {
    /// Those that begin with the first `bits` bits of an IPv4 address.
    pub(crate) const fn v4(octets: [u8; 4], bits: u8) -> Self {
        let [a, b, c, d] = octets;
        Self { first: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), bits }
    }

    /// Those that begin with the first `bits` bits of an IPv6 address, of which the first four groups are given.
    pub(crate) const fn v6(groups: [u16; 4], bits: u8) -> Self {
        let [a, b, c, d] = groups;
        Self { first: IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)), bits }
    }

    /// One address.
    pub(crate) const fn of(address: IpAddr) -> Self {
        let bits = if address.is_ipv4() { 32 } else { 128 };
        Self { first: address, bits }
    }

    /// Reads `ADDRESS/BITS` (RFC 4632 §3.1, RFC 4291 §2.3); the bits after the first may be anything.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let (first, bits) = (address.parse::<IpAddr>().ok()?, bits.parse().ok()?);
        (bits <= Self::of(first).bits).then_some(Self { first, bits })
    }

    /// Whether `address` is one of them. IPv4 and IPv6 are apart, however one is written within the other.
    pub(crate) fn has(&self, address: IpAddr) -> bool {
        // A shift by the whole width is no shift that Rust knows: with no bits to compare, all are alike.
        match (self.first, address) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                let differ = first.to_bits() ^ address.to_bits();
                differ.checked_shr(32_u32.saturating_sub(self.bits.into())).unwrap_or(0) == 0
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => {
                let differ = first.to_bits() ^ address.to_bits();
                differ.checked_shr(128_u32.saturating_sub(self.bits.into())).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_has_what_begins_with_its_bits() {
        let cases = [
            ("10.0.0.0/8", "10.255.255.255", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.9.9.9/8", "10.0.0.1", true),
            ("172.16.0.0/12", "172.31.255.255", true),
            ("172.16.0.0/12", "172.32.0.0", false),
            ("192.168.1.7/32", "192.168.1.7", true),
            ("192.168.1.7/32", "192.168.1.6", false),
            ("0.0.0.0/0", "255.1.2.3", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "ffff::1", true),
            ("fc00::/7", "fdff::1", true),
            ("fc00::/7", "fe00::1", false),
            ("2001:db8::1/128", "2001:db8::1", true),
            ("2001:db8::1/128", "2001:db8::2", false),
        ];
        for (block, address, has) in cases {
            assert_eq!(Block::parse(block).unwrap().has(address.parse().unwrap()), has, "{block} {address}");
        }
    }

    #[test]
    fn what_is_no_block_does_not_read() {
        for text in ["10.0.0.0", "10.0.0.0/33", "::/129", "10.0.0.0/-1", "10.0.0.0/", "/8", "10/8", "a/8"] {
            assert_eq!(Block::parse(text), None, "{text}");
        }
    }
}
