//! Where visitors are, and what follows from it.

mod block;
mod cdn;
mod country;
mod group;
#[cfg(feature = "maxmind")]
mod maxmind;
mod redirect;

pub use block::CountryBlock;
pub use cdn::Cdn;
pub use country::Country;
pub use group::CountryGroups;
#[cfg(feature = "maxmind")]
pub use maxmind::MaxMind;
pub use redirect::CountryRedirect;

use super::wrong;
use crate::{
    Decision, EdgeRequest, Edits, Error, Hook, Platform, Verdict, edits::ContextValue, request::Geo,
};
use serde::{Deserialize, Serialize};
use std::{fmt, net::IpAddr, sync::Arc};

/// Finds out where the visitor is, for the hooks that come later ([`Country::of`]) and, as a [`Place`], for `server` and `live` pages.
///
/// The first that names a country counts:
///
/// 1. the headers of the [`Cdn`] that is named, where the peer is a trusted proxy. Name the one that is in front: any other
///    hands on headers that a client made up;
/// 2. what the platform itself knows, such as a Worker's `request.cf`;
/// 3. a [`Database`], asked for the visitor's address.
///
/// ```
/// use tropos_edge::{Hooks, ready::geo::{Cdn, Locate}};
/// let hooks = Hooks::new().hook(Locate::new().cdn(Cdn::cloudflare()));
/// # hooks.check().unwrap();
/// ```
///
/// By itself it leaves pages public: what a stored page differs by is for later hooks to choose, and those say so.
#[derive(Clone, Default)]
pub struct Locate {
    cdn: Option<Cdn>,
    database: Option<Arc<dyn Database>>,
}

/// Knows where addresses are.
pub trait Database: Send + Sync {
    /// Where an address is; `None` where it does not know. Takes no time worth waiting for.
    fn locate(&self, address: IpAddr) -> Option<Geo<'static>>;
}

/// Where a visitor is, for pages. Empty parts are unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// ISO 3166-1 alpha-2, in capitals.
    pub country: Option<String>,
    /// ISO 3166-2 without the country.
    pub region: Option<String>,
    /// The city's name.
    pub city: Option<String>,
}

impl ContextValue for Place {
    const NAME: &'static str = "place";
}

/// Names of regions and cities are this long at most, in bytes; longer ones count as unknown.
const LONGEST_NAME: usize = 100;

impl Locate {
    /// By what the platform knows.
    pub fn new() -> Self {
        Self::default()
    }

    /// By the headers of the CDN that is in front.
    #[must_use]
    pub fn cdn(mut self, cdn: Cdn) -> Self {
        self.cdn = Some(cdn);
        self
    }

    /// By a database of addresses, where nobody else knows.
    #[must_use]
    pub fn database(mut self, database: Arc<dyn Database>) -> Self {
        self.database = Some(database);
        self
    }

    fn locate(&self, request: &EdgeRequest<'_>) -> Geo<'static> {
        let client = request.client();
        let named = self.cdn.as_ref().filter(|_| client.trusted).map(|cdn| cdn.read(request));
        let known = |geo: Option<Geo<'static>>| geo.map(clean).filter(|geo| geo.country.is_some());
        known(named)
            .or_else(|| known(Some(owned(&client.geo))))
            .or_else(|| known(self.database.as_ref()?.locate(client.address?)))
            .unwrap_or_default()
    }
}

fn owned(geo: &Geo<'_>) -> Geo<'static> {
    let part = |part: &Option<std::borrow::Cow<'_, str>>| part.as_ref().map(|text| text.to_string().into());
    Geo { country: part(&geo.country), region: part(&geo.region), city: part(&geo.city) }
}

/// What is no country, or too long, is unknown.
fn clean(geo: Geo<'static>) -> Geo<'static> {
    let country = geo.country.as_deref().and_then(Country::parse);
    let name = |name: &std::borrow::Cow<'_, str>| {
        (1..=LONGEST_NAME).contains(&name.len()) && !name.chars().any(char::is_control)
    };
    Geo {
        country: country.map(|country| country.to_string().into()),
        region: geo.region.filter(name),
        city: geo.city.filter(name),
    }
}

impl Hook for Locate {
    fn name(&self) -> &str {
        "locate"
    }

    fn decide<'a>(
        &'a self,
        request: &'a EdgeRequest<'_>,
        edits: &'a mut Edits,
        _: &'a dyn Platform,
    ) -> Verdict<'a> {
        let geo = self.locate(request);
        let text = |part: &Option<std::borrow::Cow<'static, str>>| part.as_deref().map(str::to_owned);
        edits.context(&Place {
            country: text(&geo.country),
            region: text(&geo.region),
            city: text(&geo.city),
        });
        edits.geo(geo);
        Decision::Next.into()
    }

    /// What it leaves is read by later hooks, which say so themselves, and by pages that nobody stores.
    fn depends_on_visitor(&self) -> bool {
        false
    }

    fn waits(&self) -> bool {
        false
    }

    fn check(&self) -> Result<(), Error> {
        match self.cdn.as_ref().and_then(Cdn::problem) {
            Some(problem) => Err(wrong("locate", problem)),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Locate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Locate").field("cdn", &self.cdn).field("database", &self.database.is_some()).finish()
    }
}
