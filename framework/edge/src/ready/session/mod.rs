//! Sessions that the visitor carries: a signed cookie with a typed value.
//!
//! # Rules
//!
//! - The cookie is `v1.PAYLOAD.TAG`; the tag is HMAC-SHA-256 over all before it and a purpose. It is signed, not encrypted:
//!   the visitor can read it.
//! - The first key signs, all verify. To change keys, put the new one first; drop the old one after the longest age.
//! - A cookie that is missing, forged, expired, from the future, of another purpose or of another form counts as none, and
//!   the request goes on without a session. A [`Guard`](super::Guard) behind refuses.
//! - A token that has lived half of its life, or was signed by an old key, is renewed, by `GET` and `HEAD` alone: a server
//!   function may be about to end the session. Files carry no cookies. Renewals end with the [longest age](Sessions::at_most).
//! - A cookie that is taken elsewhere counts until it expires: nothing is kept on the server that could be struck out. Where
//!   that is not enough, leave an id in the session and have the page look it up.
//!
//! Reading a session does not make stored pages private, since they cannot see it; a renewal does, for that one answer.

mod hook;
mod token;

pub use token::LONGEST_COOKIE;

use super::secret::{Secret, problem};
use crate::{Error, edits::ContextValue};
use cookie::{Cookie, SameSite, time};
use std::{fmt, marker::PhantomData, time::Duration};
use token::Body;
use tropos_core::clock::UnixMillis;

/// Signed sessions of values of one type, as a hook that reads them, and for whoever begins and ends them.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use tropos_edge::{Hooks, edits::ContextValue, ready::{Secret, Sessions}};
///
/// #[derive(Serialize, Deserialize)]
/// struct User { id: u64, role: String }
/// impl ContextValue for User { const NAME: &'static str = "user"; }
///
/// let sessions = Sessions::<User>::new("session", [Secret::new("a secret of at least thirty-two bytes")]);
/// // In the server function that signs in:
/// let cookie = sessions.issue(&User { id: 7, role: "editor".into() }, 1_700_000_000_000)?;
/// assert!(cookie.to_string().ends_with("; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=604800"));
/// // In the one that signs out:
/// let gone = sessions.end();
/// let hooks = Hooks::new().hook(sessions);
/// # hooks.check()?;
/// # Ok::<(), tropos_edge::Error>(())
/// ```
pub struct Sessions<T> {
    name: String,
    keys: Vec<Secret>,
    purpose: String,
    lifetime: Duration,
    at_most: Duration,
    leeway: Duration,
    https: bool,
    host: bool,
    same_site: SameSite,
    of: PhantomData<fn() -> T>,
}

/// A session that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened<T> {
    /// Its value.
    pub value: T,
    /// When it began.
    pub born: UnixMillis,
    /// From when on it counts no more, unless it is renewed.
    pub expires: UnixMillis,
    /// Whether it is time for a new cookie.
    pub is_due: bool,
}

impl<T: ContextValue> Sessions<T> {
    /// Sessions in a cookie of this name. The first key signs, all verify.
    pub fn new(name: &str, keys: impl IntoIterator<Item = Secret>) -> Self {
        Self {
            name: name.to_owned(),
            keys: keys.into_iter().collect(),
            purpose: "session".to_owned(),
            // Whoever comes once a week stays signed in.
            lifetime: Duration::from_secs(7 * 24 * 3600),
            // A stolen cookie is worth nothing after a quarter of a year, however often it was renewed.
            at_most: Duration::from_secs(90 * 24 * 3600),
            // As JWT checks have it: clocks that are set by NTP differ by far less.
            leeway: Duration::from_secs(60),
            https: true,
            host: false,
            same_site: SameSite::Lax,
            of: PhantomData,
        }
    }

    /// What the cookie is signed for, mixed into the signature: with one secret for several kinds of cookie, none can be used as
    /// another. `session` by default.
    #[must_use]
    pub fn purpose(self, purpose: &str) -> Self {
        Self { purpose: purpose.to_owned(), ..self }
    }

    /// How long a cookie counts unless it is renewed. Seven days by default.
    #[must_use]
    pub fn lifetime(self, lifetime: Duration) -> Self {
        Self { lifetime, ..self }
    }

    /// How long a session lasts, however often it is renewed. Ninety days by default.
    #[must_use]
    pub fn at_most(self, at_most: Duration) -> Self {
        Self { at_most, ..self }
    }

    /// How far clocks may differ: 60 s by default, 300 s at most.
    #[must_use]
    pub fn leeway(self, leeway: Duration) -> Self {
        Self { leeway, ..self }
    }

    /// Whether visitors come by `https`, as they do by default; the cookie is then `Secure`. Say `false` for development by
    /// plain `http` alone.
    #[must_use]
    pub fn over_https(self, https: bool) -> Self {
        Self { https, ..self }
    }

    /// Puts `__Host-` before the name: browsers then take the cookie from this very host alone, by `https`, so that no sibling
    /// host can slip visitors a session of its own (RFC 6265bis §4.1.3.2). Without effect where visitors come by `http`.
    #[must_use]
    pub fn host_prefix(self) -> Self {
        Self { host: true, ..self }
    }

    /// When browsers send the cookie along with requests from other sites. `Lax` by default: by links, not by forms.
    #[must_use]
    pub fn same_site(self, same_site: SameSite) -> Self {
        Self { same_site, ..self }
    }

    /// The cookie's name, with its prefix.
    pub fn cookie_name(&self) -> String {
        if self.host && self.https { format!("__Host-{}", self.name) } else { self.name.clone() }
    }

    /// Begins a session: the cookie to send. A session that was there before is replaced, so sign-in should always issue anew.
    ///
    /// # Errors
    /// [`Error::Hook`] where the value is too long for a cookie, or cannot be written as JSON; [`Error::Configured`] where the
    /// first key is missing or too short.
    pub fn issue(&self, value: &T, now: UnixMillis) -> Result<Cookie<'static>, Error> {
        self.seal(value, now / 1000, now)
    }

    /// Ends the session: the cookie that takes the other away.
    pub fn end(&self) -> Cookie<'static> {
        self.cookie(String::new(), time::Duration::ZERO)
    }

    /// Reads a cookie's value. `None` for whatever does not count.
    pub fn read(&self, token: &str, now: UnixMillis) -> Option<Opened<T>> {
        let (key, body) = token::open::<T>(&self.keys, &self.purpose, token)?;
        let (now, leeway) = (now / 1000, self.leeway.as_secs());
        let from_the_future = body.issued > now.saturating_add(leeway);
        let last = body.expires.min(body.born.saturating_add(self.at_most.as_secs()));
        let expired = now >= last.saturating_add(leeway);
        if from_the_future || expired {
            return None;
        }
        let half_used = now.saturating_sub(body.issued) >= body.expires.saturating_sub(body.issued) / 2;
        // At the end of the longest age there is nothing to win any more.
        let longer = self.expiry(body.born, now) > body.expires;
        Some(Opened {
            value: body.data,
            born: body.born.saturating_mul(1000),
            expires: last.saturating_mul(1000),
            is_due: (half_used && longer) || key > 0,
        })
    }

    fn expiry(&self, born: u64, now: u64) -> u64 {
        now.saturating_add(self.lifetime.as_secs()).min(born.saturating_add(self.at_most.as_secs()))
    }

    fn seal(&self, value: &T, born: u64, now: UnixMillis) -> Result<Cookie<'static>, Error> {
        let issued = now / 1000;
        let expires = self.expiry(born, issued);
        let body = Body { born, issued, expires, data: value };
        let key = self.keys.first().filter(|key| !key.is_short());
        let key = key.ok_or_else(|| self.wrong(problem(&self.keys).unwrap_or_default()))?;
        let token = token::seal(key, &self.purpose, &body)
            .ok_or_else(|| Error::Hook(format!("the value `{}` cannot be written as JSON", T::NAME)))?;
        let len = self.cookie_name().len() + token.len();
        if len > LONGEST_COOKIE {
            return Err(Error::Hook(format!(
                "a session of {len} bytes is too long for a cookie, which has {LONGEST_COOKIE}: keep an id in it, and the rest in the database"
            )));
        }
        let age = i64::try_from(expires.saturating_sub(issued)).unwrap_or(i64::MAX);
        Ok(self.cookie(token, time::Duration::seconds(age)))
    }

    fn cookie(&self, value: String, age: time::Duration) -> Cookie<'static> {
        Cookie::build((self.cookie_name(), value))
            .path("/")
            .http_only(true)
            .secure(self.https)
            .same_site(self.same_site)
            .max_age(age)
            .build()
    }

    fn wrong(&self, problem: impl Into<String>) -> Error {
        Error::configured(&self.name, problem)
    }
}

impl<T> Clone for Sessions<T> {
    fn clone(&self) -> Self {
        Self {
            name: self.name.clone(),
            keys: self.keys.clone(),
            purpose: self.purpose.clone(),
            of: PhantomData,
            ..*self
        }
    }
}

impl<T> fmt::Debug for Sessions<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions")
            .field("name", &self.name)
            .field("keys", &self.keys.len())
            .finish_non_exhaustive()
    }
}
