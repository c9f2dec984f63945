//! Which flags there are, and for whom each is on.

use crate::ready::{
    bucket::{WHOLE, bucket},
    geo::Country,
};
use serde::Deserialize;
use std::collections::{BTreeMap, HashSet};

/// A table holds this many flags at most: each is judged for each request.
pub const MOST_FLAGS: usize = 64;

/// A flag lets this many named visitors in at most.
pub const MOST_ALLOWED: usize = 1_000;

/// A table is this long at most, in bytes of JSON.
pub const LONGEST_TABLE: usize = 256 * 1024;

/// For whom a flag is on: for the visitors that it names; else, within the countries that it names, for the share of visitors that it says.
///
/// ```
/// use tropos_edge::ready::flags::Rule;
/// let rule = Rule::share(100).countries(["DE", "AT"]).allow(["visitor-7"]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rule {
    per_mille: u16,
    salt: String,
    allow: HashSet<String>,
    countries: Vec<String>,
}

impl Rule {
    /// For nobody.
    pub fn off() -> Self {
        Self::default()
    }

    /// For everybody.
    pub fn on() -> Self {
        Self::share(WHOLE)
    }

    /// For so many of 1,000 visitors, always the same: a share that is raised adds some and takes nobody away.
    pub fn share(per_mille: u16) -> Self {
        Self { per_mille, ..Self::default() }
    }

    /// For these visitors besides, wherever they are.
    #[must_use]
    pub fn allow<S: Into<String>>(mut self, visitors: impl IntoIterator<Item = S>) -> Self {
        self.allow.extend(visitors.into_iter().map(Into::into));
        self
    }

    /// The share is of visitors in these countries alone (ISO 3166-1 alpha-2).
    #[must_use]
    pub fn countries<S: Into<String>>(mut self, countries: impl IntoIterator<Item = S>) -> Self {
        self.countries.extend(countries.into_iter().map(Into::into));
        self
    }

    /// Draws by another hash: with another salt, others are let in.
    #[must_use]
    pub fn salt(mut self, salt: &str) -> Self {
        salt.clone_into(&mut self.salt);
        self
    }

    /// Whether it is on for a visitor. A share between none and all needs their name.
    pub(super) fn is_on(&self, flag: &str, visitor: Option<&str>, country: Option<Country>) -> bool {
        if visitor.is_some_and(|visitor| self.allow.contains(visitor)) {
            return true;
        }
        let here = country.is_some_and(|country| self.countries.iter().any(|one| one == country.as_str()));
        if !self.countries.is_empty() && !here {
            return false;
        }
        match self.per_mille {
            0 => false,
            WHOLE.. => true,
            share => visitor.is_some_and(|visitor| bucket(&["flag", &self.salt, flag, visitor]) < share),
        }
    }

    fn problem(&self, flag: &str) -> Option<String> {
        if !crate::ready::is_name(flag) {
            return Some(format!(
                "`{flag}` is no name of a flag: write 1 to 64 letters, digits, `-`, `_` and `.`"
            ));
        }
        if self.per_mille > WHOLE {
            return Some(format!("`{flag}` has a share of {} of 1,000: 1,000 is everybody", self.per_mille));
        }
        if self.allow.len() > MOST_ALLOWED {
            return Some(format!(
                "`{flag}` names more than {MOST_ALLOWED} visitors: give them a role instead"
            ));
        }
        let odd =
            self.countries.iter().find(|one| Country::parse(one).is_none_or(|known| known.as_str() != *one));
        odd.map(|odd| {
            format!("`{flag}` names the country `{odd}`: write two capitals, such as `DE` (ISO 3166-1)")
        })
    }
}

/// All flags, by their names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Table(pub(super) BTreeMap<String, Rule>);

/// A rule as JSON has it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Plain(bool),
    Rule(WrittenRule),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRule {
    per_mille: u16,
    #[serde(default)]
    salt: String,
    #[serde(default)]
    allow: HashSet<String>,
    #[serde(default)]
    countries: Vec<String>,
}

impl Table {
    /// Reads `{"name": true, "other": {"per_mille": 100, "countries": ["DE"], "allow": ["visitor-7"], "salt": "2"}}`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(json: &[u8]) -> Result<Self, String> {
        if json.len() > LONGEST_TABLE {
            return Err(format!("the table has {} bytes, and {LONGEST_TABLE} at most are read", json.len()));
        }
        let written: BTreeMap<String, Written> = serde_json::from_slice(json)
            .map_err(|error| format!("the table is no JSON of flags: {error}"))?;
        let rules = written.into_iter().map(|(name, rule)| {
            let rule = match rule {
                Written::Plain(true) => Rule::on(),
                Written::Plain(false) => Rule::off(),
                Written::Rule(WrittenRule { per_mille, salt, allow, countries }) => {
                    Rule { per_mille, salt, allow, countries }
                }
            };
            (name, rule)
        });
        let table = Self(rules.collect());
        table.problem().map_or(Ok(table), Err)
    }

    pub(super) fn problem(&self) -> Option<String> {
        if self.0.len() > MOST_FLAGS {
            return Some(format!(
                "there are {} flags, and {MOST_FLAGS} at most are judged: take out those that are done",
                self.0.len()
            ));
        }
        self.0.iter().find_map(|(name, rule)| rule.problem(name))
    }
}
