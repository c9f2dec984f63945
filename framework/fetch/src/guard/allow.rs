//! What may be reached although it is not public.

use super::block::Block;
use crate::Error;
use reqwest::Url;
use std::{net::IpAddr, str::FromStr};

/// Hosts and networks that any fetch may reach although they are not of the public internet.
///
/// Reads `api.internal, *.svc.cluster.local, 10.1.2.3, 10.0.0.0/8, fd00::/8`: names, names below a name, addresses,
/// networks. A name is allowed with every address that it stands for.
///
/// ```
/// let allow: tropos_fetch::Allow = "api.internal, 10.0.0.0/8".parse()?;
/// assert!("api.internal:8080".parse::<tropos_fetch::Allow>().is_err(), "a port is no part of a host");
/// # Ok::<(), tropos_fetch::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allow {
    names: Vec<String>,
    /// Each with the dot before it.
    below: Vec<String>,
    blocks: Vec<Block>,
}

impl Allow {
    /// Whether the host is allowed by its name.
    pub(crate) fn has_host(&self, host: &str) -> bool {
        // A name may end with the dot of the root (RFC 1034 §3.1).
        let host = host.trim_end_matches('.');
        self.names.iter().any(|name| name == host)
            || self.below.iter().any(|end| host.len() > end.len() && host.ends_with(end.as_str()))
    }

    /// Whether the address is allowed, whoever has it.
    pub(crate) fn has_address(&self, address: IpAddr) -> bool {
        self.blocks.iter().any(|block| block.has(address.to_canonical()))
    }

    fn add(&mut self, item: &str) -> Option<()> {
        if let Some(block) = Block::parse(item) {
            self.blocks.push(block);
            return Some(());
        }
        if let Some(address) = address(item) {
            self.blocks.push(Block::of(address.to_canonical()));
            return Some(());
        }
        let (name, is_below) = item.strip_prefix("*.").map_or((item, false), |name| (name, true));
        if name.contains(|c: char| "/:@?#*\\".contains(c) || c.is_whitespace()) {
            return None;
        }
        // Spelled as in a fetched URL: in small letters, in Punycode.
        let url = Url::parse(&format!("http://{name}/")).ok()?;
        let host = url.host_str()?.trim_end_matches('.');
        match (address(host), is_below) {
            _ if host.is_empty() => return None,
            (Some(_), true) => return None,
            (Some(address), false) => self.blocks.push(Block::of(address)),
            (None, true) => self.below.push(format!(".{host}")),
            (None, false) => self.names.push(host.to_owned()),
        }
        Some(())
    }
}

/// The address that a host is written as, as the connector reads it; `None` for a name.
pub(crate) fn address(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    bare.parse().ok()
}

impl FromStr for Allow {
    type Err = Error;

    /// # Errors
    /// [`Error::Allow`], with the first item that is none.
    fn from_str(text: &str) -> Result<Self, Error> {
        let mut allow = Self::default();
        for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            allow.add(item).ok_or_else(|| Error::Allow { item: item.to_owned() })?;
        }
        Ok(allow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_allowed_by_name_and_by_what_they_lie_below() {
        let allow: Allow = "API.internal, *.svc.cluster.local ,, bücher.internal".parse().unwrap();
        let cases = [
            ("api.internal", true),
            ("api.internal.", true),
            ("other.internal", false),
            ("x.api.internal", false),
            ("api.internal.evil.example", false),
            ("shop.svc.cluster.local", true),
            ("a.b.svc.cluster.local", true),
            ("svc.cluster.local", false),
            (".svc.cluster.local", false),
            ("evilsvc.cluster.local", false),
            ("xn--bcher-kva.internal", true),
        ];
        for (host, allowed) in cases {
            assert_eq!(allow.has_host(host), allowed, "{host}");
        }
    }

    #[test]
    fn addresses_are_allowed_singly_and_by_network_in_any_spelling() {
        let allow: Allow = "127.0.0.1,[::1],10.0.0.0/8,fd00::/8,0x7f.2".parse().unwrap();
        let cases = [
            ("127.0.0.1", true),
            ("::ffff:127.0.0.1", true),
            ("127.0.0.2", true),
            ("127.0.0.3", false),
            ("::1", true),
            ("::2", false),
            ("10.9.8.7", true),
            ("11.0.0.1", false),
            ("fd12::1", true),
            ("fe80::1", false),
        ];
        for (address, allowed) in cases {
            assert_eq!(allow.has_address(address.parse().unwrap()), allowed, "{address}");
        }
    }

    #[test]
    fn what_is_none_of_these_is_named() {
        for item in
            ["10.0.0.0/33", "http://a", "a:80", "a/b", "*", "*.", "a b", "*.10.0.0.1", "u@a", "a.*.b", "."]
        {
            let error = format!("ok.example,{item}").parse::<Allow>().unwrap_err().to_string();
            assert!(error.contains(&format!("`{item}`")), "{item}: {error}");
        }
        assert_eq!("".parse::<Allow>().unwrap(), Allow::default());
    }
}
