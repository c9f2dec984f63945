//! Limits how often somebody may ask.
//!
//! # Rules
//!
//! - Requests are counted by [`Platform::count`]: in Redis, for all instances; without it, in each instance's memory, by
//!   [`Counters`], which is bounded.
//! - A request is counted once, also where a rewrite has the hooks run again.
//! - Beyond the limit: 429 (RFC 6585 §4) with `Retry-After` in seconds, `RateLimit` and `RateLimit-Policy`, as
//!   draft-ietf-httpapi-ratelimit-headers-10 has them. Answers below the limit carry the last two as well, but for pages that
//!   are stored: a cache outside would hand one visitor's numbers to others.
//! - Where the store fails, requests go through ([`closed`](RateLimit::closed): 503): a page without a limit is better than none. The
//!   adapter, whose store it is, says so in its log.
//! - What a visitor is known by: see [`By`]. A key is hashed before it leaves the process.
//!
//! An answer from a cache outside is not counted: it costs nothing here. Put [`Cors`](super::Cors) before, so that preflights
//! are not counted.

mod by;
mod window;

pub use by::By;
pub use window::{Counters, MOST_KEYS, Window};

use crate::{Decision, EdgeRequest, Edits, Error, Hook, Platform, Reply, Verdict, platform::Count};
use std::time::Duration;
use tropos_core::Mode;

/// A limit of requests.
///
/// ```
/// use std::time::Duration;
/// use tropos_edge::{Hooks, Match, ready::{RateLimit, rate_limit::By}};
/// let hooks = Hooks::new()
///     .hook(RateLimit::new("all", 600, Duration::from_secs(60)))
///     .at(
///         Match::function("sign_in"),
///         RateLimit::new("sign-in", 10, Duration::from_secs(300)).by([By::address(), By::route()]).closed(),
///     );
/// # hooks.check()?;
/// # Ok::<(), tropos_edge::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct RateLimit {
    name: String,
    most: u32,
    seconds: u32,
    by: Vec<By>,
    window: Window,
    closed: bool,
}

impl RateLimit {
    /// At most so many requests within a span of whole seconds. `name` is sent to clients and tells counts apart: letters,
    /// digits, `-` and `_`.
    pub fn new(name: &str, most: u32, within: Duration) -> Self {
        Self {
            name: name.to_owned(),
            most,
            seconds: u32::try_from(within.as_secs()).unwrap_or(u32::MAX),
            by: vec![By::address()],
            // In windows that begin anew, twice the limit gets through at once around a border.
            window: Window::Sliding,
            closed: false,
        }
    }

    /// What visitors are known by, all of these together. By default their address.
    #[must_use]
    pub fn by(self, by: impl IntoIterator<Item = By>) -> Self {
        Self { by: by.into_iter().collect(), ..self }
    }

    /// Counts in windows that begin anew: cheaper, and what many expect of "a hundred an hour".
    #[must_use]
    pub fn fixed(self) -> Self {
        Self { window: Window::Fixed, ..self }
    }

    /// Refuses with 503 where the store of counts fails: for what must not be tried without limit, such as passwords.
    #[must_use]
    pub fn closed(self) -> Self {
        Self { closed: true, ..self }
    }

    fn counted(&self) -> String {
        format!("rate-limit {}", self.name)
    }

    fn key(&self, request: &EdgeRequest<'_>) -> String {
        format!("rl:{}:{}", self.name, by::hashed(&self.by, request))
    }

    fn decision(&self, counted: Result<Count, Error>, is_stored: bool, edits: &mut Edits) -> Decision {
        edits.mark(self.counted());
        let count = match counted {
            Ok(count) => count,
            Err(_) if self.closed => {
                // Stores come back within seconds, or not for long.
                return Reply::text(503, "this cannot be done just now").header("retry-after", "5").into();
            }
            Err(_) => return Decision::Next,
        };
        let policy = format!("\"{}\";q={};w={}", self.name, self.most, self.seconds);
        let state = format!("\"{}\";r={};t={}", self.name, count.left.unwrap_or(0), count.seconds);
        if count.left.is_some() && is_stored {
            return Decision::Next;
        }
        let mut headers = edits.response_headers();
        // Beside those of other limits: both are lists.
        headers.append("ratelimit-policy", &policy);
        headers.append("ratelimit", &state);
        match count.left {
            Some(_) => Decision::Next,
            None => {
                let wait = count.seconds.max(1).to_string();
                Reply::text(429, "too many requests: wait a while").header("retry-after", &wait).into()
            }
        }
    }
}

impl Hook for RateLimit {
    fn name(&self) -> &str {
        &self.name
    }

    fn decide<'a>(
        &'a self,
        request: &'a EdgeRequest<'_>,
        edits: &'a mut Edits,
        platform: &'a dyn Platform,
    ) -> Verdict<'a> {
        if request.is_marked(&self.counted()) {
            return Decision::Next.into();
        }
        let key = self.key(request);
        let is_stored = request.route().is_some_and(|route| matches!(route.mode, Mode::Ssg | Mode::Isr));
        Verdict::Later(Box::pin(async move {
            let counted = match self.window {
                Window::Fixed => platform.count(&key, self.most, self.seconds).await,
                Window::Sliding => platform.count_sliding(&key, self.most, self.seconds).await,
            };
            Ok(self.decision(counted, is_stored, edits))
        }))
    }

    fn depends_on_visitor(&self) -> bool {
        // Whoever gets a page gets the same one; an answer from a cache outside needs no limit.
        false
    }

    fn check(&self) -> Result<(), Error> {
        let wrong = |problem: &str| Err(Error::configured(&self.name, problem));
        let token = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if self.name.is_empty() || self.name.len() > 64 || !self.name.bytes().all(token) {
            return wrong(
                "its name is to be of letters, digits, `-` and `_`, 64 at most: clients are sent it",
            );
        }
        if self.most == 0 {
            return wrong("a limit of no request refuses all: answer with a hook of your own instead");
        }
        if self.seconds == 0 || self.seconds > 86_400 {
            return wrong("its span is to be from a second to a day: counts are not kept for longer");
        }
        if self.by.is_empty() {
            return wrong("it says not what visitors are known by: leave out `by`, or name something");
        }
        Ok(())
    }
}
