//! Who asks: their address and where they are, as far as somebody trusted has said so.

use std::{borrow::Cow, net::IpAddr};

/// The visitor's side of a connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Client<'a> {
    /// The visitor's address: that of the peer, or the one that a trusted proxy names.
    pub address: Option<IpAddr>,
    /// Whether the peer is a proxy that the configuration trusts, or the platform itself; what its headers say of the
    /// visitor then counts.
    pub trusted: bool,
    /// What the platform itself knows, such as a Worker's `request.cf`.
    pub geo: Geo<'a>,
}

/// Where a visitor is. Empty parts are unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Geo<'a> {
    /// ISO 3166-1 alpha-2, in capitals.
    pub country: Option<Cow<'a, str>>,
    /// ISO 3166-2 without the country, such as `BE` for Berlin.
    pub region: Option<Cow<'a, str>>,
    /// The city's name.
    pub city: Option<Cow<'a, str>>,
}
