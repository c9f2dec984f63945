//! Ranges of addresses.

use crate::Error;
use std::{fmt, net::IpAddr, str::FromStr};

/// A range of addresses, such as `192.0.2.0/24` or `2001:db8::/32`. An address alone is a range of one.
///
/// ```
/// use tropos_edge::ready::Network;
/// let office: Network = "192.0.2.0/24".parse()?;
/// assert!(office.contains("192.0.2.9".parse().unwrap()));
/// assert!(office.contains("::ffff:192.0.2.9".parse().unwrap()));
/// # Ok::<(), tropos_edge::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    /// The range around an address of so many leading bits; all of them, where it has no more.
    pub fn around(address: IpAddr, bits: u32) -> Self {
        // An IPv4 address that comes through an IPv6 socket is the same visitor's.
        let address = address.to_canonical();
        let bits = bits.min(width(address));
        let address = match address {
            IpAddr::V4(v4) => IpAddr::from((u32::from(v4) & mask_v4(bits)).to_be_bytes()),
            IpAddr::V6(v6) => IpAddr::from((u128::from(v6) & mask_v6(bits)).to_be_bytes()),
        };
        Self { address, bits }
    }

    /// Whether an address is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        let other = Self::around(address, self.bits);
        width(other.address) == width(self.address) && other.address == self.address
    }
}

impl FromStr for Network {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || {
            Error::Hook(format!(
                "`{text}` is no range of addresses: write an address, or one with the number of its leading bits, such as 192.0.2.0/24"
            ))
        };
        let (address, bits) = text.split_once('/').map_or((text, None), |(at, bits)| (at, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = width(address);
        let bits = bits.map_or(Ok(most), |bits| bits.parse::<u32>().map_err(|_| wrong()))?;
        if bits > most {
            return Err(wrong());
        }
        Ok(Self::around(address, bits))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

fn width(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn mask_v4(bits: u32) -> u32 {
    u32::MAX.checked_shl(32 - bits).unwrap_or(0)
}

fn mask_v6(bits: u32) -> u128 {
    u128::MAX.checked_shl(128 - bits).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_what_begins_with_its_bits() {
        for (range, address, inside) in [
            ("192.0.2.0/24", "192.0.2.255", true),
            ("192.0.2.0/24", "192.0.3.0", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false),
            ("0.0.0.0/0", "203.0.113.1", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "192.0.2.1", false),
            ("2001:db8:1:2::/64", "2001:db8:1:2:ffff::1", true),
            ("2001:db8:1:2::/64", "2001:db8:1:3::1", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
        ] {
            let range: Network = range.parse().unwrap();
            assert_eq!(range.contains(address.parse().unwrap()), inside, "{range} {address}");
        }
        for wrong in ["", "192.0.2.0/33", "::/129", "192.0.2/24", "a", "192.0.2.0/", "192.0.2.0/-1"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }
}
