//! Feature flags: what is on for some visitors before it is on for all.

mod memo;
mod table;

pub use table::{LONGEST_TABLE, MOST_ALLOWED, MOST_FLAGS, Rule};

use super::{
    geo::Country,
    is_for_a_file,
    visitor::{VISITOR_COOKIE, visitor},
    wrong,
};
use crate::{
    Decision, EdgeRequest, Edits, Error, Event, Hook, Platform, VariantName, Variants, Verdict,
    edits::ContextValue,
};
use memo::Memo;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use table::Table;

/// Judges flags, and leaves what is on: as variants for stored pages that declare them, and as [`Enabled`] for `server` and `live` pages.
///
/// A flag is on for the visitors that its [`Rule`] names; else, within its countries, for a share of visitors by a stable
/// hash of the salt, the flag's name and the visitor's. The visitor's name is that of [`VisitorId`](super::visitor::VisitorId), which comes before; the
/// country is that of [`Locate`](super::geo::Locate). Who has no name is in no share but that of all.
///
/// The table is written here, or in the key-value store as JSON ([`from_store`](Self::from_store)), which is looked up every
/// ten seconds at most by an instance, and whose flags take the place of those here. A table that cannot be had or read leaves the last good one, and an
/// [`Event::Problem`].
///
/// ```
/// use tropos_edge::{Hooks, ready::{flags::{Flags, Rule}, visitor::VisitorId}};
/// tropos_edge::variant! { pub enum NewCheckout: "new-checkout" { Off = "off", On = "on" } }
/// let flags = Flags::new().flag("new-checkout", Rule::share(50)).flag("wide", Rule::on()).variant::<NewCheckout>();
/// let hooks = Hooks::new().hook(VisitorId::new()).hook(flags);
/// # hooks.check().unwrap();
/// ```
#[derive(Debug)]
pub struct Flags {
    visitor: String,
    written: Arc<Table>,
    store: Option<Memo>,
    variants: Vec<OnOff>,
}

/// A variant that follows a flag.
#[derive(Debug)]
struct OnOff {
    name: &'static str,
    values: &'static [&'static str],
    choose: fn(&mut Edits, bool),
}

/// The names of the flags that are on for this visitor, in their order.
///
/// Left by [`Flags`] for `server` and `live` pages, and for server functions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enabled(pub Vec<String>);

impl Enabled {
    /// Whether a flag is on.
    pub fn is_on(&self, flag: &str) -> bool {
        self.0.iter().any(|on| on == flag)
    }
}

impl ContextValue for Enabled {
    const NAME: &'static str = "flags";
}

impl Flags {
    /// No flags, for visitors by the cookie [`VISITOR_COOKIE`].
    pub fn new() -> Self {
        Self {
            visitor: VISITOR_COOKIE.to_owned(),
            written: Arc::default(),
            store: None,
            variants: Vec::new(),
        }
    }

    /// Adds a flag.
    #[must_use]
    pub fn flag(mut self, name: &str, rule: Rule) -> Self {
        Arc::make_mut(&mut self.written).0.insert(name.to_owned(), rule);
        self
    }

    /// Looks the table up in a key-value store.
    #[must_use]
    pub fn from_store(mut self, store: &str, name: &str) -> Self {
        self.store = Some(Memo::new(store, name));
        self
    }

    /// Knows visitors by another cookie.
    #[must_use]
    pub fn by_visitor(mut self, cookie: &str) -> Self {
        cookie.clone_into(&mut self.visitor);
        self
    }

    /// Chooses `off` or `on` of a variant that has these two values, in this order, and the flag's name.
    #[must_use]
    pub fn variant<V: VariantName>(mut self) -> Self {
        let choose = |edits: &mut Edits, on| edits.choose(V::at(usize::from(on)));
        self.variants.push(OnOff { name: V::NAME, values: V::VALUES, choose });
        self
    }

    fn judge(&self, table: &Table, request: &EdgeRequest<'_>, edits: &mut Edits) {
        let visitor = visitor(request, &self.visitor);
        let country = Country::of(request);
        let on = |name: &str| self.rule(name, table).is_some_and(|rule| rule.is_on(name, visitor, country));
        // Stored pages see the variants alone.
        if !self.variants.is_empty() {
            edits.depends_on_visitor();
        }
        for variant in &self.variants {
            (variant.choose)(edits, on(variant.name));
        }
        let others = self.written.0.keys().filter(|name| !table.0.contains_key(*name));
        let mut names: Vec<_> = table.0.keys().chain(others).filter(|name| on(name)).cloned().collect();
        names.sort_unstable();
        edits.context(&Enabled(names));
    }

    fn rule<'t>(&'t self, name: &str, table: &'t Table) -> Option<&'t Rule> {
        table.0.get(name).or_else(|| self.written.0.get(name))
    }
}

impl Default for Flags {
    fn default() -> Self {
        Self::new()
    }
}

impl Hook for Flags {
    fn name(&self) -> &str {
        "flags"
    }

    fn decide<'a>(
        &'a self,
        request: &'a EdgeRequest<'_>,
        edits: &'a mut Edits,
        platform: &'a dyn Platform,
    ) -> Verdict<'a> {
        if is_for_a_file(request) {
            return Decision::Next.into();
        }
        let Some(memo) = &self.store else {
            self.judge(&self.written, request, edits);
            return Decision::Next.into();
        };
        let now = request.now();
        if let Some(table) = memo.fresh(now) {
            self.judge(&table, request, edits);
            return Decision::Next.into();
        }
        Verdict::Later(Box::pin(async move {
            let (table, problem) = memo.renew(now, platform).await;
            if let Some(problem) = problem {
                edits.event(Event::Problem { hook: "flags".to_owned(), problem });
            }
            self.judge(&table, request, edits);
            Ok(Decision::Next)
        }))
    }

    /// Said where variants are chosen. The list of what is on is read by pages that nobody stores.
    fn depends_on_visitor(&self) -> bool {
        false
    }

    fn waits(&self) -> bool {
        self.store.is_some()
    }

    fn check(&self) -> Result<(), Error> {
        if let Some(problem) = self.written.problem() {
            return Err(wrong("flags", problem));
        }
        for variant in &self.variants {
            let name = variant.name;
            if variant.values != ["off", "on"] {
                return Err(wrong(
                    "flags",
                    format!(
                        "the variant `{name}` has the values {:?}: write `Off = \"off\", On = \"on\"`",
                        variant.values
                    ),
                ));
            }
            if self.store.is_none() && !self.written.0.contains_key(name) {
                return Err(wrong(
                    "flags",
                    format!("the variant `{name}` follows no flag: add `.flag(\"{name}\", …)`"),
                ));
            }
        }
        if self.variants.len() > crate::variant::MOST_VARIANTS {
            return Err(wrong(
                "flags",
                "more than 16 variants follow flags: no more are chosen for one request",
            ));
        }
        Ok(())
    }
}

/// Whether a flag's variant is on among those that were chosen.
pub fn is_on<V: VariantName>(chosen: &Variants) -> bool {
    chosen.get::<V>().is_some_and(|value| value.as_str() == "on")
}
