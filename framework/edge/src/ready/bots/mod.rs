//! Rules for crawlers, by what they call themselves.
//!
//! # Rules
//!
//! - A pattern is a part of the `User-Agent`, without regard to case; the first 512 bytes of it count. [`known`] has lists.
//! - Who is [allowed](Bots::allow) is let through, whatever else fits; who is [denied](Bots::deny) gets 403, and so does who says
//!   nothing at all, if [told so](Bots::deny_unnamed).
//! - `/robots.txt` is open to all: crawlers that may not come are to read it there.
//! - [`X-Robots-Tag`](Bots::robots) is added to every answer that is let through: it says what search engines may do with it.
//!
//! **What this is not.** A name is what the client makes it. Whether a "Googlebot" is Google's is told by a look-up of its
//! address in the DNS, backwards and forwards, which hooks cannot do: nobody gets more rights by being allowed here than by
//! having no rule at all. It keeps out those who are honest and unwanted; for the others there is a
//! [limit](super::RateLimit).

pub mod known;

use crate::{Decision, EdgeRequest, Edits, Error, Hook, Platform, Reply, Verdict};

/// So much of a `User-Agent` counts; honest ones are a third as long.
const LONGEST: usize = 512;

/// Rules for crawlers.
///
/// ```
/// use tropos_edge::{Hooks, ready::{Bots, bots::known}};
/// let bots = Bots::new().allow(known::SEARCH).deny(known::MODELS).deny(["BadBot"]);
/// let drafts = Bots::new().robots("noindex, nofollow");
/// let hooks = Hooks::new().hook(bots).at("/drafts/:id", drafts);
/// # hooks.check()?;
/// # Ok::<(), tropos_edge::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Bots {
    allowed: Vec<String>,
    denied: Vec<String>,
    unnamed: bool,
    robots: Option<String>,
    public: bool,
}

impl Bots {
    /// No rule.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets through whose `User-Agent` has one of these parts, also where it is denied.
    #[must_use]
    pub fn allow<P: AsRef<str>>(mut self, parts: impl IntoIterator<Item = P>) -> Self {
        self.allowed.extend(parts.into_iter().map(lower));
        self
    }

    /// Refuses whose `User-Agent` has one of these parts.
    #[must_use]
    pub fn deny<P: AsRef<str>>(mut self, parts: impl IntoIterator<Item = P>) -> Self {
        self.denied.extend(parts.into_iter().map(lower));
        self
    }

    /// Refuses who sends no `User-Agent`, or an empty one. Browsers always send one; some monitors and feed readers do not.
    #[must_use]
    pub fn deny_unnamed(self) -> Self {
        Self { unnamed: true, ..self }
    }

    /// Adds `X-Robots-Tag`, such as `noindex`.
    #[must_use]
    pub fn robots(self, tag: &str) -> Self {
        Self { robots: Some(tag.to_owned()), ..self }
    }

    /// Leaves pages public to caches outside, which then answer whom a rule would refuse. Where the aim is to spare the server,
    /// and not to keep something from somebody, that is the better choice.
    #[must_use]
    pub fn public(self) -> Self {
        Self { public: true, ..self }
    }

    fn refuses(&self, request: &EdgeRequest<'_>) -> bool {
        if request.path().as_str() == "/robots.txt" {
            return false;
        }
        let sent = request.headers().get("user-agent").unwrap_or_default();
        let sent = sent.get(..LONGEST).unwrap_or(sent).to_ascii_lowercase();
        if sent.trim_ascii().is_empty() {
            return self.unnamed;
        }
        let names = |parts: &[String]| parts.iter().any(|part| contains(&sent, part.as_bytes()));
        names(&self.denied) && !names(&self.allowed)
    }
}

fn lower(part: impl AsRef<str>) -> String {
    part.as_ref().to_ascii_lowercase()
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && text.windows(part.len()).any(|window| window == part)
}

impl Hook for Bots {
    fn name(&self) -> &str {
        "bots"
    }

    fn decide<'a>(
        &'a self,
        request: &'a EdgeRequest<'_>,
        edits: &'a mut Edits,
        _: &'a dyn Platform,
    ) -> Verdict<'a> {
        if self.refuses(request) {
            return Decision::from(Reply::text(403, "crawlers of this name may not come here")).into();
        }
        if let Some(tag) = &self.robots {
            edits.response_headers().append("x-robots-tag", tag);
        }
        Decision::Next.into()
    }

    fn depends_on_visitor(&self) -> bool {
        let refuses_some = self.unnamed || !self.denied.is_empty();
        refuses_some && !self.public
    }

    fn waits(&self) -> bool {
        false
    }

    fn check(&self) -> Result<(), Error> {
        let wrong = |problem: String| Err(Error::configured("bots", problem));
        let mut parts = self.allowed.iter().chain(&self.denied);
        if let Some(part) = parts.find(|part| part.trim().len() < 3) {
            return wrong(format!(
                "`{part}` is too short: it would fit names of browsers; write three characters or more"
            ));
        }
        if let Some(part) =
            self.denied.iter().find(|part| BROWSERS.iter().any(|browser| browser.contains(*part)))
        {
            return wrong(format!("`{part}` is a part of every browser's name: nobody would be let in"));
        }
        if self.robots.as_ref().is_some_and(|tag| tag.is_empty() || http::HeaderValue::from_str(tag).is_err())
        {
            return wrong("its tag is no value of `X-Robots-Tag`: write one such as `noindex`".into());
        }
        Ok(())
    }
}

/// What browsers' names have in common.
const BROWSERS: [&str; 4] = ["mozilla/5.0", "applewebkit/", "gecko/20100101", "safari/"];
