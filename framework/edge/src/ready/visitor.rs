//! Who a visitor is to experiments and flags: a number by chance, kept in a cookie, and nothing else of them.

use super::{is_for_a_file, is_name, wrong};
use crate::{Decision, EdgeRequest, Edits, Error, Hook, Platform, Verdict};
use cookie::{Cookie, time::Duration};
use std::cell::RefCell;

/// The cookie that visitors are known by, unless another is said.
pub const VISITOR_COOKIE: &str = "visitor";

/// A name for a visitor is this long at most; a longer one counts as none. A UUID has 36 characters.
pub const LONGEST_VISITOR: usize = 128;

/// Gives each visitor a name by chance, of 128 bits, so that [flags](super::flags) and [experiments](super::experiment) that
/// come later know them again; in this very request too.
///
/// Crawlers are given none: each of their visits would be a new visitor; and files give none. The cookie is `HttpOnly`, of the whole site, and
/// kept for a year. It says nothing of the visitor; whether consent must be asked for it is for the site to know:
/// [`only_with`](Self::only_with) waits for it.
///
/// ```
/// use tropos_edge::{Hooks, ready::visitor::VisitorId};
/// let hooks = Hooks::new().hook(VisitorId::new().only_with("consent", "yes"));
/// # hooks.check().unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct VisitorId {
    cookie: String,
    days: u16,
    consent: Option<(String, String)>,
}

impl VisitorId {
    /// By the cookie [`VISITOR_COOKIE`].
    pub fn new() -> Self {
        // Browsers keep no cookie for longer than 400 days (RFC 6265bis §5.5).
        Self { cookie: VISITOR_COOKIE.to_owned(), days: 365, consent: None }
    }

    /// By another cookie.
    #[must_use]
    pub fn cookie(mut self, name: &str) -> Self {
        name.clone_into(&mut self.cookie);
        self
    }

    /// Kept for so many days.
    #[must_use]
    pub fn days(mut self, days: u16) -> Self {
        self.days = days;
        self
    }

    /// Only for visitors whose cookie `name` has this value.
    #[must_use]
    pub fn only_with(mut self, name: &str, value: &str) -> Self {
        self.consent = Some((name.to_owned(), value.to_owned()));
        self
    }
}

impl Default for VisitorId {
    fn default() -> Self {
        Self::new()
    }
}

impl Hook for VisitorId {
    fn name(&self) -> &str {
        "visitor"
    }

    fn decide<'a>(
        &'a self,
        request: &'a EdgeRequest<'_>,
        edits: &'a mut Edits,
        platform: &'a dyn Platform,
    ) -> Verdict<'a> {
        let agreed =
            self.consent.as_ref().is_none_or(|(name, value)| request.cookie(name) == Some(value.as_str()));
        if agreed
            && !is_for_a_file(request)
            && visitor(request, &self.cookie).is_none()
            && !is_crawler(request)
        {
            let name = format!("{:016x}{:016x}", platform.random(), platform.random());
            let cookie = Cookie::build((self.cookie.clone(), name)).path("/").http_only(true);
            edits.depends_on_visitor();
            edits.set_cookie(cookie.max_age(Duration::days(i64::from(self.days))).build());
        }
        Decision::Next.into()
    }

    /// Only whoever is given a cookie, which says so itself.
    fn depends_on_visitor(&self) -> bool {
        false
    }

    fn waits(&self) -> bool {
        false
    }

    fn check(&self) -> Result<(), Error> {
        if !is_name(&self.cookie) {
            return Err(wrong("visitor", "a cookie's name is 1 to 64 letters, digits, `-`, `_` and `.`"));
        }
        if !(1..=400).contains(&self.days) {
            return Err(wrong(
                "visitor",
                "the cookie is kept for 1 to 400 days: browsers keep none for longer",
            ));
        }
        Ok(())
    }
}

/// The visitor's name by a cookie, where it has one that may be a name.
pub(super) fn visitor<'r>(request: &'r EdgeRequest<'_>, cookie: &str) -> Option<&'r str> {
    request.cookie(cookie).filter(|name| is_visitor(name))
}

/// Whether it may be the name of one.
pub(super) fn is_visitor(name: &str) -> bool {
    (1..=LONGEST_VISITOR).contains(&name.len())
}

/// What crawlers, previews and monitors have in the name that they send.
const WORDS: [&[u8]; 12] = [
    b"bot",
    b"crawl",
    b"spider",
    b"slurp",
    b"facebookexternalhit",
    b"embedly",
    b"preview",
    b"lighthouse",
    b"headless",
    b"pingdom",
    b"uptime",
    b"monitor",
];

/// Which words have a letter at this place, a bit for each word.
const fn words_with_letter_at(place: usize) -> [u16; 256] {
    let mut words = [0; 256];
    let mut word = 0;
    while word < WORDS.len() {
        let letter = WORDS[word][place];
        words[letter as usize] |= 1 << word;
        words[letter.to_ascii_uppercase() as usize] |= 1 << word;
        word += 1;
    }
    words
}

const FIRST: [u16; 256] = words_with_letter_at(0);
const SECOND: [u16; 256] = words_with_letter_at(1);

/// Names are looked through this far.
const LONGEST_AGENT: usize = 512;

/// Names of programs that each thread remembers the answer of: 32 KiB at most. Most visitors of a day come by as few.
const REMEMBERED: usize = 64;

thread_local! {
    /// Each where its length and its end have it; another takes its place.
    static KNOWN: RefCell<Vec<(Box<[u8]>, bool)>> = const { RefCell::new(Vec::new()) };
}

/// Whether a program asks that follows links or measures, by its own word (`User-Agent`); one without any counts as one.
pub(super) fn is_crawler(request: &EdgeRequest<'_>) -> bool {
    let Some(agent) = request.headers().get("user-agent").filter(|agent| !agent.is_empty()) else {
        return true;
    };
    let agent = agent.get(..LONGEST_AGENT).unwrap_or(agent);
    // It is asked for each hit, and the answer is the name's alone.
    KNOWN.with_borrow_mut(|known| {
        known.resize_with(REMEMBERED, Default::default);
        let ends = agent.iter().rev().step_by(5).take(4);
        let mixed =
            ends.fold(agent.len(), |mixed, byte| mixed.wrapping_mul(31).wrapping_add(usize::from(*byte)));
        let Some((name, crawls)) = known.get_mut(mixed % REMEMBERED) else { return is_of_crawler(agent) };
        if **name != *agent {
            (*name, *crawls) = (agent.into(), is_of_crawler(agent));
        }
        *crawls
    })
}

fn is_of_crawler(agent: &[u8]) -> bool {
    // One pass: the first two letters tell which words it may be.
    let mut begun = 0;
    agent.iter().enumerate().any(|(at, letter)| {
        let letter = usize::from(*letter);
        let mut may_be = begun & SECOND.get(letter).copied().unwrap_or(0);
        begun = FIRST.get(letter).copied().unwrap_or(0);
        while may_be != 0 {
            let word = usize::try_from(may_be.trailing_zeros()).ok().and_then(|word| WORDS.get(word));
            let rest = agent.get(at.saturating_sub(1)..).unwrap_or_default();
            let part = word.and_then(|word| Some((word, rest.get(..word.len())?)));
            if part.is_some_and(|(word, part)| part.eq_ignore_ascii_case(word)) {
                return true;
            }
            may_be &= may_be - 1;
        }
        false
    })
}

/// Whether somebody is about to look at a page: not at what a browser fetches ahead of what they may never open (`Sec-Purpose`, Fetch
/// §3.2.7), nor at the events of a page that is open.
pub(super) fn is_view(request: &EdgeRequest<'_>) -> bool {
    let ahead = ["sec-purpose", "purpose"].iter().any(|name| {
        let purpose = request.headers().get(name).and_then(|purpose| purpose.get(..8));
        purpose.is_some_and(|purpose| purpose.eq_ignore_ascii_case(b"prefetch"))
    });
    let accept = request.headers().get("accept");
    let events = accept.is_some_and(|accept| accept.starts_with(b"text/event-stream"));
    request.method() == http::Method::GET && !ahead && !events
}
