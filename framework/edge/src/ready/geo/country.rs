//! Countries, as two letters.

use crate::EdgeRequest;
use std::fmt;

/// A country, by ISO 3166-1 alpha-2.
///
/// ```
/// use tropos_edge::ready::geo::Country;
/// assert_eq!(Country::parse("de").unwrap().as_str(), "DE");
/// for unknown in ["XX", "T1", "ZZ", "EU", "", "DEU", "D "] {
///     assert_eq!(Country::parse(unknown), None);
/// }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

/// What says that nobody knows: Cloudflare's `XX` (and `T1` for Tor, which is no two letters), App Engine's `ZZ`, and MaxMind's
/// old `AP` and `EU` for regions.
const UNKNOWN: [&[u8; 2]; 4] = [b"XX", b"ZZ", b"AP", b"EU"];

impl Country {
    /// Two letters in any case; `None` for all that is no country.
    pub fn parse(text: &str) -> Option<Self> {
        let mut letters: [u8; 2] = text.as_bytes().try_into().ok()?;
        letters.make_ascii_uppercase();
        let known = letters.iter().all(u8::is_ascii_uppercase) && !UNKNOWN.contains(&&letters);
        known.then_some(Self(letters))
    }

    /// The country that a request comes from, as far as it is known.
    pub fn of(request: &EdgeRequest<'_>) -> Option<Self> {
        request.client().geo.country.as_deref().and_then(Self::parse)
    }

    /// In capitals.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Countries as they were written, and what was none of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Countries {
    known: Vec<Country>,
    odd: Option<String>,
}

impl Countries {
    pub(super) fn of<'c>(written: impl IntoIterator<Item = &'c str>) -> Self {
        let mut countries = Self::default();
        for text in written {
            match Country::parse(text) {
                Some(country) => countries.known.push(country),
                None => countries.odd = Some(text.to_owned()),
            }
        }
        countries
    }

    pub(super) fn contains(&self, country: Country) -> bool {
        self.known.contains(&country)
    }

    pub(super) fn meets(&self, other: &Self) -> Option<Country> {
        self.known.iter().copied().find(|country| other.contains(*country))
    }

    pub(super) fn problem(&self) -> Option<String> {
        match &self.odd {
            Some(odd) => Some(format!("`{odd}` is no country: write two letters, such as `DE` (ISO 3166-1)")),
            None if self.known.is_empty() => Some("a list without countries: name some".to_owned()),
            None => None,
        }
    }
}
