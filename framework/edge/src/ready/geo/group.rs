//! Countries as values of a variant.

use super::{Country, country::Countries};
use crate::{
    Decision, EdgeRequest, Edits, Error, Hook, Platform, VariantName, Verdict,
    ready::{is_for_a_page, wrong},
};

/// Chooses a variant by the country, so that pages are stored once for each group of countries, not for each country.
///
/// Who is in no group, or nobody knows where, gets the variant's first value.
///
/// ```
/// use tropos_edge::{Hooks, ready::geo::{CountryGroups, Locate}};
/// tropos_edge::variant! { pub enum Market: "market" { World = "world", Euro = "euro", Uk = "uk" } }
/// let groups = CountryGroups::new().group(Market::Euro, ["DE", "FR", "NL"]).group(Market::Uk, ["GB"]);
/// let hooks = Hooks::new().hook(Locate::new()).hook(groups);
/// # hooks.check().unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct CountryGroups<V> {
    groups: Vec<(V, Countries)>,
}

impl<V: VariantName> CountryGroups<V> {
    /// No groups.
    pub fn new() -> Self {
        Self { groups: Vec::new() }
    }

    /// Countries for which a value is chosen.
    #[must_use]
    pub fn group<'c>(mut self, value: V, countries: impl IntoIterator<Item = &'c str>) -> Self {
        self.groups.push((value, Countries::of(countries)));
        self
    }

    /// The value for a country.
    pub fn value(&self, country: Option<Country>) -> V {
        let found = country.and_then(|country| self.groups.iter().find(|(_, of)| of.contains(country)));
        found.map_or(V::at(0), |(value, _)| *value)
    }
}

impl<V: VariantName> Default for CountryGroups<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V: VariantName> Hook for CountryGroups<V> {
    fn name(&self) -> &str {
        V::NAME
    }

    fn decide<'a>(
        &'a self,
        request: &'a EdgeRequest<'_>,
        edits: &'a mut Edits,
        _: &'a dyn Platform,
    ) -> Verdict<'a> {
        if is_for_a_page(request) {
            edits.depends_on_visitor();
            edits.choose(self.value(Country::of(request)));
        }
        Decision::Next.into()
    }

    /// Said for pages alone: files stay the same for all.
    fn depends_on_visitor(&self) -> bool {
        false
    }

    fn waits(&self) -> bool {
        false
    }

    fn check(&self) -> Result<(), Error> {
        for (at, (_, countries)) in self.groups.iter().enumerate() {
            if let Some(problem) = countries.problem() {
                return Err(wrong(V::NAME, problem));
            }
            if let Some(both) = self.groups.iter().take(at).find_map(|(_, other)| other.meets(countries)) {
                return Err(wrong(V::NAME, format!("`{both}` is in two groups: leave it in one")));
            }
        }
        Ok(())
    }
}
