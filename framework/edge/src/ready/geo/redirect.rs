//! Visitors sent to the site of their country, unless they would rather stay.

use super::{Country, country::Countries};
use crate::{
    Decision, EdgeRequest, Edits, Error, Hook, Platform, Verdict,
    decision::is_location,
    ready::{is_for_a_page, is_name, may_be_a_page, visitor::is_crawler, wrong},
};
use cookie::{Cookie, time::Duration};

/// Sends visitors to the part of the site, or the other site, that is for their country.
///
/// - Only `GET` and `HEAD` of what may be a page. The path and the query go with the visitor.
/// - Who is below one of the targets stays: they have been sent, or went there by themselves.
/// - `?stay=1`, in a link such as "stay here", sets the cookie `stay`, and who has it is not sent. Write the link on the pages
///   that visitors are sent to.
/// - Crawlers are never sent: they come from few countries, and must find all pages.
/// - 307, not stored: a visitor travels.
///
/// ```
/// use tropos_edge::{Hooks, ready::geo::{CountryRedirect, Locate}};
/// let sent = CountryRedirect::new().to("/de", ["DE", "AT"]).to("https://shop.example.jp", ["JP"]);
/// let hooks = Hooks::new().hook(Locate::new()).hook(sent);
/// # hooks.check().unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct CountryRedirect {
    targets: Vec<(String, Countries)>,
    stay: String,
}

impl CountryRedirect {
    /// Nobody is sent.
    pub fn new() -> Self {
        Self { targets: Vec::new(), stay: "stay".to_owned() }
    }

    /// Sends visitors of these countries to a path, such as `/de`, or to a site, such as `https://shop.example.de`.
    #[must_use]
    pub fn to<'c>(mut self, target: &str, countries: impl IntoIterator<Item = &'c str>) -> Self {
        self.targets.push((target.to_owned(), Countries::of(countries)));
        self
    }

    /// The name of the cookie, and of the key of the query, by which visitors stay.
    #[must_use]
    pub fn stay_by(mut self, name: &str) -> Self {
        name.clone_into(&mut self.stay);
        self
    }

    fn location(&self, request: &EdgeRequest<'_>) -> Option<String> {
        let path = request.path().as_str();
        let below = |target: &str| match target.split_once("://") {
            Some((_, host)) => request.host().eq_ignore_ascii_case(host),
            None => path.strip_prefix(target).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        };
        let asked = matches!(request.method().as_str(), "GET" | "HEAD") && may_be_a_page(request.path());
        if !asked || is_crawler(request) || self.targets.iter().any(|(target, _)| below(target)) {
            return None;
        }
        let country = Country::of(request)?;
        let (target, _) = self.targets.iter().find(|(_, countries)| countries.contains(country))?;
        let query = request.query();
        let (mark, path) = (if query.is_empty() { "" } else { "?" }, if path == "/" { "" } else { path });
        Some(format!("{target}{path}{mark}{query}"))
    }
}

impl Default for CountryRedirect {
    fn default() -> Self {
        Self::new()
    }
}

impl Hook for CountryRedirect {
    fn name(&self) -> &str {
        "country redirect"
    }

    fn decide<'a>(
        &'a self,
        request: &'a EdgeRequest<'_>,
        edits: &'a mut Edits,
        _: &'a dyn Platform,
    ) -> Verdict<'a> {
        if !is_for_a_page(request) {
            return Decision::Next.into();
        }
        edits.depends_on_visitor();
        if request.query_value(&self.stay).is_some_and(|value| value == "1") {
            // 90 days: then they may have moved.
            let cookie = Cookie::build((self.stay.clone(), "1")).path("/").max_age(Duration::days(90));
            edits.set_cookie(cookie.build());
            return Decision::Next.into();
        }
        match self.location(request).filter(|_| request.cookie(&self.stay) != Some("1")) {
            // A query may hold what no address may; such a visitor stays.
            Some(location) => Decision::redirect(&location).or(Ok(Decision::Next)).into(),
            None => Decision::Next.into(),
        }
    }

    /// Said for pages alone: files stay the same for all.
    fn depends_on_visitor(&self) -> bool {
        false
    }

    fn waits(&self) -> bool {
        false
    }

    fn check(&self) -> Result<(), Error> {
        if !is_name(&self.stay) {
            return Err(wrong(self.name(), "`stay_by` takes 1 to 64 letters, digits, `-`, `_` and `.`"));
        }
        for (at, (target, countries)) in self.targets.iter().enumerate() {
            if let Some(problem) = countries.problem() {
                return Err(wrong(self.name(), problem));
            }
            let site = target.split_once("://").is_some_and(|(_, host)| !host.contains('/'));
            let path = tropos_core::CanonicalPath::parse(target).is_ok_and(|path| path.as_str() == target);
            if !is_location(target) || !(site || path) || target == "/" || target.contains(['?', '#']) {
                return Err(wrong(
                    self.name(),
                    format!(
                        "`{target}`: write a path such as `/de`, or a site such as `https://shop.example.de`, without a slash at the end"
                    ),
                ));
            }
            if let Some(both) = self.targets.iter().take(at).find_map(|(_, other)| other.meets(countries)) {
                return Err(wrong(self.name(), format!("`{both}` has two targets: leave it with one")));
            }
        }
        Ok(())
    }
}
