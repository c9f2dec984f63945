//! Checks of signed tokens (JWT, RFC 7519), by the rules of RFC 8725.
//!
//! # Rules
//!
//! - The key says the algorithm, never the token; the token's header has to agree. There is no `none`.
//! - `kid` selects among the keys; a name that is not known is refused. A token without a name is tried with each key of its
//!   algorithm, eight at most.
//! - Keys are a list, or are fetched from their issuer and kept; the times stand at [`Jwt::fetched`]. A token never brings its key.
//! - `exp` is required. `exp`, `nbf` and `iat` may be off by the leeway, 60 s unless said otherwise. `iss`, `aud` and `typ` are
//!   checked where they are configured; with fetched keys issuer and audience must be.
//! - A token has at most 8 KiB, comes as `Authorization: Bearer` or in a cookie, and the header goes before the cookie.
//! - Without a token, or with one that does not count: 401 with `WWW-Authenticate` (RFC 6750 §3). Two `Authorization` lines, or one that a Worker was handed in their place: 400.
//! - The claims are left as a typed value for later hooks and for the page.
//!
//! A token in a cookie is sent along by other sites too: have the cookie `SameSite=Lax` or stricter.

mod claims;
mod hook;
mod jwk;
mod jwks;
mod key;
mod rsa;
mod token;

pub use claims::Refusal;
pub use key::{Algorithm, Key};
pub use token::LONGEST_TOKEN;

use crate::edits::ContextValue;
use claims::Rules;
use jwks::Jwks;
use std::{fmt, marker::PhantomData, time::Duration};
use token::Token;
use tropos_core::clock::UnixMillis;

/// A check of signed tokens, whose claims are of type `T`.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use tropos_edge::{Hooks, Match, edits::ContextValue, ready::{Jwt, jwt::Algorithm}};
///
/// #[derive(Serialize, Deserialize)]
/// struct Claims { sub: String, #[serde(default)] roles: Vec<String> }
/// impl ContextValue for Claims { const NAME: &'static str = "claims"; }
///
/// let check = Jwt::<Claims>::fetched("https://id.example/keys.json", [Algorithm::Es256])
///     .issuer("https://id.example")
///     .audience("shop");
/// let hooks = Hooks::new().at(Match::below("/api"), check);
/// # hooks.check()?;
/// # Ok::<(), tropos_edge::Error>(())
/// ```
pub struct Jwt<T> {
    keys: Vec<Key>,
    jwks: Option<Jwks>,
    rules: Rules,
    cookie: Option<String>,
    realm: String,
    required: bool,
    of: PhantomData<fn() -> T>,
}

impl<T: ContextValue> Jwt<T> {
    /// A check by these keys. To change keys, add the new one by its name before tokens are signed by it.
    pub fn new(keys: impl IntoIterator<Item = Key>) -> Self {
        Self {
            keys: keys.into_iter().collect(),
            jwks: None,
            rules: Rules {
                issuer: None,
                audience: None,
                kind: None,
                // What RFC 7519 §4.1.4 calls "no more than a few minutes": clocks that are set by NTP differ by far less.
                leeway: Duration::from_secs(60),
            },
            cookie: None,
            realm: "site".to_owned(),
            required: true,
            of: PhantomData,
        }
    }

    /// A check by the keys that an issuer publishes, of these algorithms alone. They are fetched when they are first needed,
    /// kept for an hour, and for a day where they cannot be fetched anew; a token that names an unknown key has them fetched, once
    /// a minute at most. Without keys the request fails with 500, and nobody gets in.
    pub fn fetched(url: &str, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        Self { jwks: Some(Jwks::new(url, algorithms.into_iter().collect())), ..Self::new([]) }
    }

    /// Whose tokens count (`iss`).
    #[must_use]
    pub fn issuer(mut self, issuer: &str) -> Self {
        self.rules.issuer = Some(issuer.to_owned());
        self
    }

    /// Whom tokens must be meant for (`aud`).
    #[must_use]
    pub fn audience(mut self, audience: &str) -> Self {
        self.rules.audience = Some(audience.to_owned());
        self
    }

    /// Of which kind tokens must be (`typ`), such as `at+jwt`: an issuer's other tokens do not count then (RFC 8725 §3.11).
    #[must_use]
    pub fn kind(mut self, kind: &str) -> Self {
        self.rules.kind = Some(kind.to_owned());
        self
    }

    /// How far clocks may differ: 60 s by default, 300 s at most.
    #[must_use]
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.rules.leeway = leeway;
        self
    }

    /// Takes a token from this cookie too, where there is no `Authorization: Bearer`.
    #[must_use]
    pub fn cookie(self, name: &str) -> Self {
        Self { cookie: Some(name.to_owned()), ..self }
    }

    /// What clients are told that the token is for (RFC 9110 §11.5). `site` by default.
    #[must_use]
    pub fn realm(self, realm: &str) -> Self {
        Self { realm: realm.to_owned(), ..self }
    }

    /// Lets requests without a token through, without claims. A bearer token that does not count is refused still; a cookie that
    /// does not is as good as none, since whoever has it cannot help it.
    #[must_use]
    pub fn optional(self) -> Self {
        Self { required: false, ..self }
    }

    /// The claims of a token, by the keys of the list.
    ///
    /// # Errors
    /// Why it does not count.
    pub fn read(&self, token: &str, now: UnixMillis) -> Result<T, Refusal> {
        self.read_by(&self.keys, token, now)
    }

    fn read_by(&self, keys: &[Key], token: &str, now: UnixMillis) -> Result<T, Refusal> {
        let token = Token::parse(token)?;
        let payload = token.verify(keys, &self.rules, now)?;
        serde_json::from_slice(payload).map_err(|_| Refusal::Claims)
    }
}

impl<T> fmt::Debug for Jwt<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jwt").field("keys", &self.keys).field("rules", &self.rules).finish_non_exhaustive()
    }
}
