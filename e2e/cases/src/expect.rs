//! Expectations of an answer. Each gives the page back, so that they chain, and fails with the request and both sides.

use crate::{
    check::{Problem, fail},
    page::Page,
};

/// A stored entry, fresh.
pub const HIT: &str = "tropos; hit; ttl=N";
/// A stored entry past its age, or softly invalidated.
pub const STALE: &str = "tropos; hit; ttl=N; detail=stale";
/// A stored entry that could not be made anew.
pub const STALE_ERROR: &str = "tropos; hit; ttl=N; detail=stale-error";
/// Nothing was stored; now it is.
pub const STORED: &str = "tropos; fwd=uri-miss; stored";
/// Nothing was stored; another request's render answered.
pub const COLLAPSED: &str = "tropos; fwd=uri-miss; collapsed";
/// What was stored was expired or invalidated; now it is new.
pub const RENEWED: &str = "tropos; fwd=stale; stored";

/// What an expectation gives.
pub type Expected<'a> = Result<&'a Page, Problem>;

impl Page {
    fn differs<T>(&self, what: &str, expected: &str, found: &str) -> Result<T, Problem> {
        let body: String = self.text().chars().take(300).collect();
        let cache = self.header("cache-status").unwrap_or("none");
        fail(format!(
            "{}: {what}\n  expected  {expected}\n  found     {found}\n  status {}, Cache-Status: {cache}\n  body: {body:?}",
            self.request, self.status
        ))
    }

    /// Expects a status.
    ///
    /// # Errors
    /// When the answer differs.
    pub fn is(&self, status: u16) -> Expected<'_> {
        if self.status == status {
            Ok(self)
        } else {
            self.differs("status", &status.to_string(), &self.status.to_string())
        }
    }

    /// Expects 200 and the value, in the attribute and as text.
    ///
    /// # Errors
    /// When the answer differs.
    pub fn shows(&self, value: &str) -> Expected<'_> {
        self.is(200)?;
        for (what, found) in [("data-value", self.value()), ("text of #value", self.paragraph("value"))] {
            if found.as_deref() != Some(value) {
                return self.differs(what, value, found.as_deref().unwrap_or("none"));
            }
        }
        Ok(self)
    }

    /// Expects exactly one header of that name, with that value.
    ///
    /// # Errors
    /// When the answer differs.
    pub fn has(&self, name: &str, value: &str) -> Expected<'_> {
        let found: Vec<_> = self.headers_named(name).collect();
        if found == [value] { Ok(self) } else { self.differs(name, value, &format!("{found:?}")) }
    }

    /// Expects that there is no such header.
    ///
    /// # Errors
    /// When the answer differs.
    pub fn lacks(&self, name: &str) -> Expected<'_> {
        match self.header(name) {
            None => Ok(self),
            Some(value) => self.differs(name, "no such header", value),
        }
    }

    /// Expects one form of `Cache-Status`: see the constants of this module.
    ///
    /// # Errors
    /// When the answer differs.
    pub fn cache(&self, form: &str) -> Expected<'_> {
        self.cache_any(&[form])
    }

    /// Expects one of several forms of `Cache-Status`.
    ///
    /// # Errors
    /// When the answer differs.
    pub fn cache_any(&self, forms: &[&str]) -> Expected<'_> {
        let found = self.cache_status();
        if forms.contains(&found.form.as_str()) && self.headers_named("cache-status").count() == 1 {
            return Ok(self);
        }
        self.differs("Cache-Status", &forms.join(" or "), &found.form)
    }

    /// Expects the number of `ttl` in `Cache-Status` to lie in a range.
    ///
    /// # Errors
    /// When the answer differs.
    pub fn ttl(&self, range: std::ops::RangeInclusive<i64>) -> Expected<'_> {
        match self.cache_status().ttl {
            Some(ttl) if range.contains(&ttl) => Ok(self),
            found => self.differs("ttl", &format!("{range:?}"), &format!("{found:?}")),
        }
    }

    /// Expects the same body as another answer's.
    ///
    /// # Errors
    /// When the answer differs.
    pub fn same_body(&self, other: &Page) -> Expected<'_> {
        if self.body == other.body { Ok(self) } else { self.differs("body", &other.text(), &self.text()) }
    }

    /// Expects that the body does not contain any of these.
    ///
    /// # Errors
    /// When the answer differs.
    pub fn hides(&self, words: &[&str]) -> Expected<'_> {
        let text = self.text();
        match words.iter().find(|word| text.contains(*word)) {
            None => Ok(self),
            Some(word) => self.differs("body", &format!("nothing of {word:?}"), &text),
        }
    }

    /// Expects the lifetimes of a public answer: fresh for `fresh` seconds, then stale for `stale` (none when 0).
    ///
    /// # Errors
    /// When the answer differs.
    pub fn lives(&self, fresh: u64, stale: u64) -> Expected<'_> {
        let mut control = format!("public, max-age=0, s-maxage={fresh}");
        if stale > 0 {
            control.push_str(&format!(", stale-while-revalidate={stale}"));
        }
        self.has("cache-control", &control)?;
        let fresh = fresh.to_string();
        let stale = (stale > 0).then(|| stale.to_string());
        let directives =
            [("max-age", Some(fresh)), ("stale-while-revalidate", stale.clone()), ("stale-if-error", stale)];
        for (directive, expected) in directives {
            let found = self.directive("cdn-cache-control", directive);
            if found != expected.as_deref() {
                let expected = format!("{directive}={}", expected.as_deref().unwrap_or("none"));
                return self.differs(
                    "CDN-Cache-Control",
                    &expected,
                    self.header("cdn-cache-control").unwrap_or("none"),
                );
            }
        }
        Ok(self)
    }

    /// Expects that no shared cache may store it.
    ///
    /// # Errors
    /// When the answer differs.
    pub fn is_private(&self) -> Expected<'_> {
        self.has("cache-control", "private, no-store")?.lacks("cdn-cache-control")
    }

    /// Expects that nothing may store it.
    ///
    /// # Errors
    /// When the answer differs.
    pub fn no_store(&self) -> Expected<'_> {
        self.has("cache-control", "no-store")?.lacks("cdn-cache-control")
    }

    /// The header, which must be there.
    ///
    /// # Errors
    /// When the answer differs.
    pub fn need(&self, name: &str) -> Result<&str, Problem> {
        match self.header(name) {
            Some(value) => Ok(value),
            None => self.differs(name, "such a header", "none"),
        }
    }

    /// When it was rendered, which it must say.
    ///
    /// # Errors
    /// When the answer differs.
    pub fn time(&self) -> Result<u64, Problem> {
        match self.rendered() {
            Some(time) => Ok(time),
            None => self.differs("data-rendered of <main>", "milliseconds", "none"),
        }
    }
}
