//! Experiments that must not meet: no visitor takes part in two of them.

use super::Experiment;
use crate::{
    Decision, EdgeRequest, Edits, Error, Hook, Platform, VariantName, Verdict,
    ready::{
        bucket::{WHOLE, below_whole, bucket},
        is_for_a_page, is_name,
        visitor::{is_crawler, is_visitor, visitor},
        wrong,
    },
};
use cookie::{Cookie, time::Duration};
use std::{fmt, ops::Range};

/// Experiments of which a visitor takes part in one at most.
///
/// Each has a range of 1,000 places; the visitor's place decides. Who is outside of an experiment's range sees its control,
/// and is not counted, even with a cookie from when the ranges were others: that no two meet goes before that nobody
/// moves, so give a running experiment's range to no other.
///
/// The place is a hash of the layer's name and the visitor's, or chance, kept in a cookie of the layer's name.
///
/// ```
/// use tropos_edge::{Hooks, ready::experiment::{Experiment, Layer}};
/// tropos_edge::variant! { pub enum Button: "button" { Plain = "plain", Bold = "bold" } }
/// tropos_edge::variant! { pub enum Price: "price" { Below = "below", Beside = "beside" } }
/// let layer = Layer::new("checkout")
///     .experiment(0..300, Experiment::<Button>::new())
///     .experiment(300..600, Experiment::<Price>::new());
/// # Hooks::new().hook(layer).check().unwrap();
/// ```
pub struct Layer {
    name: String,
    visitor: Option<String>,
    contenders: Vec<(Range<u16>, Box<dyn Contender>)>,
}

/// An experiment, whatever its variant.
trait Contender: Hook {
    fn run(&self, request: &EdgeRequest<'_>, edits: &mut Edits, platform: &dyn Platform, open: bool);
}

impl<V: VariantName> Contender for Experiment<V> {
    fn run(&self, request: &EdgeRequest<'_>, edits: &mut Edits, platform: &dyn Platform, open: bool) {
        self.show(request, edits, platform, open);
    }
}

impl Layer {
    /// A layer without experiments, by chance.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), visitor: None, contenders: Vec::new() }
    }

    /// Places visitors by a hash of their name in this cookie. Who has none is placed by chance.
    #[must_use]
    pub fn by_visitor(mut self, cookie: &str) -> Self {
        self.visitor = Some(cookie.to_owned());
        self
    }

    /// Adds an experiment for these places of 1,000.
    #[must_use]
    pub fn experiment<V: VariantName>(mut self, places: Range<u16>, experiment: Experiment<V>) -> Self {
        self.contenders.push((places, Box::new(experiment)));
        self
    }

    fn place(&self, request: &EdgeRequest<'_>, edits: &mut Edits, platform: &dyn Platform) -> u16 {
        if let Some(visitor) = self.visitor.as_ref().and_then(|cookie| visitor(request, cookie)) {
            return bucket(&["layer", &self.name, visitor]);
        }
        let kept = request.cookie(&self.name).filter(|kept| kept.len() <= 3);
        if let Some(place) = kept.and_then(|kept| kept.parse().ok()).filter(|place| *place < WHOLE) {
            return place;
        }
        let place = below_whole(platform.random());
        let cookie = Cookie::build((self.name.clone(), place.to_string())).path("/");
        // As long as browsers keep any: it must outlast every experiment of the layer.
        edits.set_cookie(cookie.max_age(Duration::days(400)).build());
        place
    }
}

impl Hook for Layer {
    fn name(&self) -> &str {
        &self.name
    }

    fn decide<'a>(
        &'a self,
        request: &'a EdgeRequest<'_>,
        edits: &'a mut Edits,
        platform: &'a dyn Platform,
    ) -> Verdict<'a> {
        if !is_for_a_page(request) {
            return Decision::Next.into();
        }
        edits.depends_on_visitor();
        let place = if is_crawler(request) { None } else { Some(self.place(request, edits, platform)) };
        for (places, contender) in &self.contenders {
            contender.run(request, edits, platform, place.is_some_and(|place| places.contains(&place)));
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

    /// Of the one experiment in whose range the visitor is.
    fn experiments(&self, cookie: &dyn Fn(&str) -> Option<String>) -> Vec<(String, &'static str)> {
        let by_name = self.visitor.as_ref().and_then(|name| cookie(name)).filter(|name| is_visitor(name));
        let place = match by_name {
            Some(visitor) => Some(bucket(&["layer", &self.name, &visitor])),
            None => cookie(&self.name).and_then(|kept| kept.parse().ok()).filter(|place| *place < WHOLE),
        };
        let within = |places: &Range<u16>| place.is_some_and(|place| places.contains(&place));
        let contenders = self.contenders.iter().filter(|(places, _)| within(places));
        contenders.flat_map(|(_, contender)| contender.experiments(cookie)).collect()
    }

    fn check(&self) -> Result<(), Error> {
        if !is_name(&self.name) {
            return Err(wrong(&self.name, "a layer's name is 1 to 64 letters, digits, `-`, `_` and `.`"));
        }
        for (at, (places, contender)) in self.contenders.iter().enumerate() {
            contender.check()?;
            if places.is_empty() || places.end > WHOLE {
                let text =
                    format!("`{}` has the places {places:?}: write a range within 0..1000", contender.name());
                return Err(wrong(&self.name, text));
            }
            let earlier = self.contenders.iter().take(at);
            if let Some((_, other)) =
                earlier.clone().find(|(of, _)| of.start < places.end && places.start < of.end)
            {
                let text =
                    format!("`{}` and `{}` share places: give each its own", other.name(), contender.name());
                return Err(wrong(&self.name, text));
            }
            if earlier.clone().any(|(_, other)| other.name() == contender.name()) {
                return Err(wrong(
                    &self.name,
                    format!("two experiments are named `{}`: name one otherwise", contender.name()),
                ));
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.contenders.iter().map(|(places, contender)| (contender.name(), places));
        f.debug_map().entries(names).finish()
    }
}
