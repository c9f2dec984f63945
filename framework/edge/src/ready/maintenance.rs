//! A page that says that there is none just now.
//!
//! # Rules
//!
//! - While it is on, everybody gets 503 with `Retry-After` (RFC 9110 §15.6.4), stored by nobody; search engines come again in
//!   place of forgetting the site.
//! - It is on [by configuration](Maintenance::on), or by a [name in a key-value store](Maintenance::switch), which is looked up
//!   once in five seconds at most. Where the look-up fails, what was last known counts.
//! - Let through are [addresses](Maintenance::allow), and who has come once by the [secret](Maintenance::secret):
//!   `/any/page?maintenance=SECRET` sets a cookie for a day and leads to the page without it. The cookie holds a signature, not the
//!   secret. What they are shown is `private` to caches outside.
//! - While it is off, pages stay public. So a cache outside goes on answering with pages that it has: purge it where that
//!   must not be.
//!
//! It stands first, before all other hooks. What must stay reachable is left out by a [`Match`](crate::Match).

use super::{Network, Secret};
use crate::{
    Decision, EdgeRequest, Edits, Error, Hook, Platform, Redirect, Reply, Verdict, decision::is_location,
};
use cookie::{Cookie, SameSite, time};
use http::{Method, StatusCode};
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tropos_core::clock::UnixMillis;

/// The cookie of who is let through.
const COOKIE: &str = "tropos_maintenance";
/// The key of the query that holds the secret, and what the cookie is signed for.
const KEY: &str = "maintenance";
/// A look-up counts this long: a switch is thrown seldom, and should be felt soon.
const MEMO: UnixMillis = 5000;

/// The page for times of maintenance.
///
/// ```
/// use std::time::Duration;
/// use tropos_edge::{Hooks, Match, ready::{Maintenance, Secret}};
/// let maintenance = Maintenance::new()
///     .switch("switches", "maintenance")
///     .retry_after(Duration::from_secs(600))
///     .page("<!doctype html><title>Back soon</title><h1>Back soon</h1>")
///     .allow("192.0.2.0/24".parse()?)
///     .secret(Secret::new("a secret of at least thirty-two bytes"));
/// let hooks = Hooks::new().at(Match::not(Match::path("/status")), maintenance);
/// # hooks.check()?;
/// # Ok::<(), tropos_edge::Error>(())
/// ```
#[derive(Debug)]
pub struct Maintenance {
    on: bool,
    switch: Option<(String, String)>,
    page: Option<String>,
    retry_after: Duration,
    networks: Vec<Network>,
    secret: Option<Secret>,
    memo: Mutex<Memo>,
}

/// What was last looked up.
#[derive(Debug, Default, Clone, Copy)]
struct Memo {
    on: Option<bool>,
    asked: Option<UnixMillis>,
}

impl Default for Maintenance {
    fn default() -> Self {
        Self {
            on: false,
            switch: None,
            page: None,
            // Most maintenance is over by then, and who comes too early is told again.
            retry_after: Duration::from_secs(300),
            networks: Vec::new(),
            secret: None,
            memo: Mutex::default(),
        }
    }
}

impl Maintenance {
    /// Off, unless something turns it on.
    pub fn new() -> Self {
        Self::default()
    }

    /// On or off by configuration. With a [switch](Self::switch), what counts until it was first looked up.
    #[must_use]
    pub fn on(self, on: bool) -> Self {
        Self { on, ..self }
    }

    /// On while `name` in a key-value store is `on`, `true` or `1`.
    #[must_use]
    pub fn switch(self, store: &str, name: &str) -> Self {
        Self { switch: Some((store.to_owned(), name.to_owned())), ..self }
    }

    /// The page, in HTML. It must need nothing from this site: styles and pictures get 503 as well.
    #[must_use]
    pub fn page(self, html: &str) -> Self {
        Self { page: Some(html.to_owned()), ..self }
    }

    /// When to come again, in whole seconds: five minutes by default.
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Self {
        Self { retry_after: wait, ..self }
    }

    /// Lets visitors from these addresses through. Behind a proxy, that is the address which a trusted one names.
    #[must_use]
    pub fn allow(mut self, network: Network) -> Self {
        self.networks.push(network);
        self
    }

    /// Lets through who knows this.
    #[must_use]
    pub fn secret(self, secret: Secret) -> Self {
        Self { secret: Some(secret), ..self }
    }

    fn while_on(&self, request: &EdgeRequest<'_>, edits: &mut Edits) -> Result<Decision, Error> {
        edits.depends_on_visitor();
        let address = request.client().address;
        if address.is_some_and(|address| self.networks.iter().any(|network| network.contains(address))) {
            return Ok(Decision::Next);
        }
        if let Some(secret) = &self.secret {
            if request.cookie(COOKIE).is_some_and(|sent| secret.verifies(KEY, KEY, sent)) {
                return Ok(Decision::Next);
            }
            let reads = matches!(*request.method(), Method::GET | Method::HEAD);
            if reads && request.query_value(KEY).is_some_and(|sent| secret.is(&sent)) {
                return self.let_in(secret, request, edits);
            }
        }
        let reply = match &self.page {
            Some(html) => Reply::html(503, html.as_str()),
            None => Reply::text(503, "this site is being worked on: please come again in a while"),
        };
        Ok(reply.header("retry-after", &self.retry_after.as_secs().to_string()).into())
    }

    /// Sets the cookie, and leads to the address without the secret, which would stay in the history otherwise.
    fn let_in(
        &self,
        secret: &Secret,
        request: &EdgeRequest<'_>,
        edits: &mut Edits,
    ) -> Result<Decision, Error> {
        let value = secret.sign(KEY, KEY).unwrap_or_default();
        let cookie = Cookie::build((COOKIE, value))
            .path("/")
            .http_only(true)
            .same_site(SameSite::Lax)
            .max_age(time::Duration::days(1));
        edits.set_cookie(cookie.build());
        let path = request.rewritten_from().unwrap_or_else(|| request.path()).as_str();
        let is_ours = |pair: &&str| pair.split('=').next() != Some(KEY);
        let rest: Vec<_> = request.query().split('&').filter(is_ours).collect();
        let whole = format!("{path}?{}", rest.join("&"));
        let location = if rest.is_empty() || !is_location(&whole) { path } else { &whole };
        Redirect::new(StatusCode::SEE_OTHER, location).map(Decision::Redirect)
    }

    /// What is known, and whether it is time to look again; who is told so, is told alone.
    fn look(&self, now: UnixMillis) -> (Option<bool>, bool) {
        let mut memo = self.memo();
        let due = memo.asked.is_none_or(|asked| now.abs_diff(asked) >= MEMO);
        if due {
            memo.asked = Some(now);
        }
        // Until the first answer is there, all ask: nobody is to slip through at a start.
        (memo.on, due || memo.on.is_none())
    }

    fn memo(&self) -> MutexGuard<'_, Memo> {
        // Nothing that is done under the lock can leave it half done.
        self.memo.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hook for Maintenance {
    fn name(&self) -> &str {
        "maintenance"
    }

    fn decide<'a>(
        &'a self,
        request: &'a EdgeRequest<'_>,
        edits: &'a mut Edits,
        platform: &'a dyn Platform,
    ) -> Verdict<'a> {
        let (known, due) = match &self.switch {
            None => (Some(self.on), false),
            Some(_) => self.look(request.now()),
        };
        let Some((store, name)) = self.switch.as_ref().filter(|_| due) else {
            return if known.unwrap_or(self.on) {
                self.while_on(request, edits).into()
            } else {
                Decision::Next.into()
            };
        };
        Verdict::Later(Box::pin(async move {
            let on = match platform.lookup(store, name).await {
                Ok(value) => {
                    let on = value.is_some_and(|value| matches!(value.trim_ascii(), b"on" | b"true" | b"1"));
                    self.memo().on = Some(on);
                    on
                }
                // A store that never answers is not asked by every request either.
                Err(_) => *self.memo().on.get_or_insert(self.on),
            };
            if on { self.while_on(request, edits) } else { Ok(Decision::Next) }
        }))
    }

    fn depends_on_visitor(&self) -> bool {
        // While it is on, each decision says so itself.
        false
    }

    fn waits(&self) -> bool {
        self.switch.is_some()
    }

    fn check(&self) -> Result<(), Error> {
        let wrong = |problem: &str| Err(Error::configured("maintenance", problem));
        if self.secret.as_ref().is_some_and(Secret::is_short) {
            return wrong("its secret is shorter than 32 bytes: make one with `openssl rand -hex 24`");
        }
        if self.retry_after.as_secs() == 0 || self.retry_after > Duration::from_secs(86_400) {
            return wrong("`Retry-After` is to be from a second to a day");
        }
        if self.switch.as_ref().is_some_and(|(store, name)| store.is_empty() || name.is_empty()) {
            return wrong("its switch needs the name of a store, and a name in it");
        }
        Ok(())
    }
}
