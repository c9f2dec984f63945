//! Countries that are not served.

use super::{Country, country::Countries};
use crate::{Decision, EdgeRequest, Edits, Error, Hook, Platform, Reply, Verdict, ready::wrong};

/// Answers visitors of some countries with 451, unavailable for legal reasons (RFC 7725).
///
/// An address tells a country by guess, and a VPN hides it: this keeps a rule in good faith, and no determined visitor out.
///
/// ```
/// use tropos_edge::{Hooks, Match, ready::geo::{CountryBlock, Locate}};
/// let hooks = Hooks::new()
///     .hook(Locate::new())
///     .at(Match::below("/bets"), CountryBlock::all_but(["DE", "AT"]).blocked_by("https://authority.example/"));
/// # hooks.check().unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct CountryBlock {
    countries: Countries,
    served: bool,
    unknown: bool,
    text: String,
    by: Option<String>,
}

impl CountryBlock {
    /// These are not served. Who comes from nobody knows where is.
    pub fn deny<'c>(countries: impl IntoIterator<Item = &'c str>) -> Self {
        Self::of(Countries::of(countries), false)
    }

    /// These alone are served. Who comes from nobody knows where is not.
    pub fn all_but<'c>(countries: impl IntoIterator<Item = &'c str>) -> Self {
        Self::of(Countries::of(countries), true)
    }

    fn of(countries: Countries, served: bool) -> Self {
        Self {
            countries,
            served,
            unknown: !served,
            text: "this page is not available in your country".into(),
            by: None,
        }
    }

    /// Whether who comes from nobody knows where is served.
    #[must_use]
    pub fn unknown(mut self, served: bool) -> Self {
        self.unknown = served;
        self
    }

    /// What is answered, as plain text.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        text.clone_into(&mut self.text);
        self
    }

    /// Who demands it, by an address, for `Link: <…>; rel="blocked-by"` (RFC 7725 §4).
    #[must_use]
    pub fn blocked_by(mut self, address: &str) -> Self {
        self.by = Some(address.to_owned());
        self
    }

    fn serves(&self, country: Option<Country>) -> bool {
        country.map_or(self.unknown, |country| self.countries.contains(country) == self.served)
    }
}

impl Hook for CountryBlock {
    fn name(&self) -> &str {
        "country block"
    }

    fn decide<'a>(
        &'a self,
        request: &'a EdgeRequest<'_>,
        _: &'a mut Edits,
        _: &'a dyn Platform,
    ) -> Verdict<'a> {
        if self.serves(Country::of(request)) {
            return Decision::Next.into();
        }
        let reply = Reply::text(451, self.text.clone());
        let reply = match &self.by {
            Some(by) => reply.header("link", &format!("<{by}>; rel=\"blocked-by\"")),
            None => reply,
        };
        Decision::from(reply).into()
    }

    fn waits(&self) -> bool {
        false
    }

    fn check(&self) -> Result<(), Error> {
        if let Some(problem) = self.countries.problem() {
            return Err(wrong(self.name(), problem));
        }
        match self.by.as_ref().filter(|by| !crate::decision::is_location(by) || by.contains(['<', '>', '"']))
        {
            Some(by) => Err(wrong(
                self.name(),
                format!("`{by}` is no address: write one that begins with `https://`"),
            )),
            None => Ok(()),
        }
    }
}
