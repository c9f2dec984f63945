//! Experiments: which of several variants a visitor is shown, and that they are shown it again.

mod draw;
mod layer;

pub use layer::Layer;

use super::{
    bucket::WHOLE,
    is_for_a_page, is_name,
    visitor::{is_crawler, is_view},
    wrong,
};
use crate::{
    Decision, EdgeRequest, Edits, Error, Event, Hook, Platform, VariantName, Verdict, event::Exposure,
};
use std::sync::Arc;

/// Splits visitors over the values of a variant.
///
/// 1. A crawler sees the control, which is the first value, and is given no cookie.
/// 2. Where [`force_by`](Self::force_by) allows it, the value that the query names is shown, for this request alone, and not counted.
/// 3. A cookie that names a value keeps the visitor there, whatever the weights and the share are now. One that names none
///    counts as none.
/// 4. Everyone else is drawn once: first whether they take part at all ([`share`](Self::share)), then which value they
///    see, by the [`weights`](Self::weights). Both are kept in the cookie, so a share that is raised later
///    adds visitors and takes none away.
///
/// The draw is by chance; or, with [`by_visitor`](Self::by_visitor), a hash of the salt, the experiment's name and
/// the visitor's: then who loses the cookie is given the same again, as long as the weights stay. The name in the hash makes two experiments independent.
///
/// Each view by who takes part leaves an [`Exposure`]: a `GET` of a page, but not what a browser fetches ahead, nor the event stream of a
/// page that is open. Files, server functions' addresses and Tropos's own are left alone.
///
/// ```
/// use tropos_edge::{Hooks, Match, ready::experiment::Experiment};
/// tropos_edge::variant! { pub enum Button: "button" { Plain = "plain", Bold = "bold", Huge = "huge" } }
/// let experiment = Experiment::<Button>::new()
///     .weights([(Button::Plain, 500), (Button::Bold, 300), (Button::Huge, 200)])
///     .share(100)
///     .force_by("button");
/// let hooks = Hooks::new().at(Match::below("/products"), experiment);
/// # hooks.check().unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct Experiment<V> {
    name: Arc<str>,
    cookie: String,
    salt: String,
    weights: Vec<(V, u16)>,
    share: u16,
    visitor: Option<String>,
    force: Option<String>,
    crawlers: bool,
    days: u16,
}

impl<V: VariantName> Experiment<V> {
    /// All visitors, in even parts over all values, by chance, kept for 90 days in a cookie of the variant's name.
    pub fn new() -> Self {
        Self {
            name: V::NAME.into(),
            cookie: V::NAME.to_owned(),
            salt: String::new(),
            weights: draw::even::<V>(),
            share: WHOLE,
            visitor: None,
            force: None,
            crawlers: false,
            // Longer than an experiment should run, and no longer than that.
            days: 90,
        }
    }

    /// Its name in events and hashes. A new one draws anew, with [`cookie`](Self::cookie).
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }

    /// The cookie that keeps the visitor's value.
    #[must_use]
    pub fn cookie(mut self, name: &str) -> Self {
        name.clone_into(&mut self.cookie);
        self
    }

    /// Mixed into the hash: a second run of an experiment with another salt draws independently of the first.
    #[must_use]
    pub fn salt(mut self, salt: &str) -> Self {
        salt.clone_into(&mut self.salt);
        self
    }

    /// How many of 1,000 see each value; together 1,000. Values that are left out get nobody new.
    #[must_use]
    pub fn weights(mut self, weights: impl IntoIterator<Item = (V, u16)>) -> Self {
        self.weights = weights.into_iter().collect();
        self
    }

    /// How many of 1,000 visitors take part. The others see the control, and are not counted.
    #[must_use]
    pub fn share(mut self, per_mille: u16) -> Self {
        self.share = per_mille;
        self
    }

    /// Draws by a hash of the visitor's name in this cookie, such as that of [`VisitorId`](super::visitor::VisitorId). Who has none is
    /// drawn by chance.
    #[must_use]
    pub fn by_visitor(mut self, cookie: &str) -> Self {
        self.visitor = Some(cookie.to_owned());
        self
    }

    /// Lets a key of the query choose, as `?button=bold`, for tests and screenshots. Anybody can write it: not for what is secret.
    #[must_use]
    pub fn force_by(mut self, key: &str) -> Self {
        self.force = Some(key.to_owned());
        self
    }

    /// Lets crawlers take part as others do.
    #[must_use]
    pub fn with_crawlers(mut self) -> Self {
        self.crawlers = true;
        self
    }

    /// How long the cookie is kept.
    #[must_use]
    pub fn days(mut self, days: u16) -> Self {
        self.days = days;
        self
    }

    /// Shows a value; `open` whether the visitor may be drawn at all.
    fn show(&self, request: &EdgeRequest<'_>, edits: &mut Edits, platform: &dyn Platform, open: bool) {
        let forced = self.force.as_ref().and_then(|key| V::parse(&request.query_value(key)?));
        if let Some(value) = forced {
            return edits.choose(value);
        }
        if !open || (!self.crawlers && is_crawler(request)) {
            return edits.choose(V::at(0));
        }
        let kept = request.cookie(&self.cookie);
        let value = match kept.and_then(V::parse) {
            Some(value) => Some((value, false)),
            None => self.draw(kept, request, edits, platform).map(|value| (value, true)),
        };
        edits.choose(value.map_or(V::at(0), |(value, _)| value));
        if let Some((value, first)) = value.filter(|_| is_view(request)) {
            let experiment = self.name.clone();
            edits.event(Event::Exposure(Exposure { experiment, variant: value.as_str(), first }));
        }
    }
}

impl<V: VariantName> Default for Experiment<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V: VariantName> Hook for Experiment<V> {
    fn name(&self) -> &str {
        &self.name
    }

    fn decide<'a>(
        &'a self,
        request: &'a EdgeRequest<'_>,
        edits: &'a mut Edits,
        platform: &'a dyn Platform,
    ) -> Verdict<'a> {
        if is_for_a_page(request) {
            edits.depends_on_visitor();
            self.show(request, edits, platform, true);
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

    fn experiments(&self, cookie: &dyn Fn(&str) -> Option<String>) -> Vec<(String, &'static str)> {
        let kept = cookie(&self.cookie).and_then(|kept| V::parse(&kept));
        kept.map(|value| (self.name.to_string(), value.as_str())).into_iter().collect()
    }

    fn check(&self) -> Result<(), Error> {
        let problem = |problem: String| Err(wrong(&self.name, problem));
        let sum: u32 = self.weights.iter().map(|(_, weight)| u32::from(*weight)).sum();
        let places: Vec<_> = self.weights.iter().map(|(value, _)| value.place()).collect();
        if let Some(at) =
            places.iter().enumerate().find_map(|(at, p)| places.iter().take(at).any(|q| p == q).then_some(p))
        {
            return problem(format!("`{}` has two weights: give it one", V::at(*at).as_str()));
        }
        if sum != u32::from(WHOLE) {
            return problem(format!(
                "the weights come to {sum} of 1,000: make them come to 1,000, and say `share` for fewer visitors"
            ));
        }
        if self.share > WHOLE {
            return problem(format!("a share of {} of 1,000: 1,000 is everybody", self.share));
        }
        if let Some(value) = V::VALUES.iter().find(|value| value.contains('.')) {
            return problem(format!("the value `{value}` has a dot: write letters, digits, `-` and `_`"));
        }
        if !(1..=400).contains(&self.days) {
            return problem("the cookie is kept for 1 to 400 days: browsers keep none for longer".to_owned());
        }
        let names = [Some(&*self.name), Some(&self.cookie), self.visitor.as_deref(), self.force.as_deref()];
        match names.into_iter().flatten().find(|name| !is_name(name)) {
            Some(name) => {
                problem(format!("`{name}` is no name: write 1 to 64 letters, digits, `-`, `_` and `.`"))
            }
            None => Ok(()),
        }
    }
}
