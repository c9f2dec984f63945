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
//! - Without a token, or with one that does not count: 401 with `WWW-Authenticate` (RFC 6750 §3). Two `Authorization` lines: 400.
//! - The claims are left as a typed value for later hooks and for the page.
//!
//! A token in a cookie is sent along by other sites too: have the cookie `SameSite=Lax` or stricter.

mod claims;
mod jwk;
mod jwks;
mod key;
mod rsa;
mod token;

pub use claims::Refusal;
pub use key::{Algorithm, Key};
pub use token::LONGEST_TOKEN;

use crate::{Decision, EdgeRequest, Edits, Error, Hook, Platform, Reply, Verdict, edits::ContextValue};
use claims::Rules;
use jwks::Jwks;
use std::{fmt, marker::PhantomData, time::Duration};
use token::Token;
use tropos_core::clock::UnixMillis;

/// As for sessions: a leeway beyond this hides a clock that is wrong.
const MOST_LEEWAY: Duration = Duration::from_secs(300);

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

/// What a request brings.
enum Sent<'r> {
    Nothing,
    Bearer(&'r str),
    Cookie(&'r str),
    Ambiguous,
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

    fn sent<'r>(&self, request: &'r EdgeRequest<'_>) -> Sent<'r> {
        let mut lines = request.headers().lines("authorization");
        let first = lines.next().map(|line| std::str::from_utf8(line).unwrap_or_default());
        if lines.next().is_some() {
            return Sent::Ambiguous;
        }
        let bearer = first.and_then(|line| line.split_once(' '));
        let bearer = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let cookie = self.cookie.as_ref().and_then(|name| request.cookie(name));
        match (bearer, cookie) {
            (Some((_, token)), _) => Sent::Bearer(token.trim_matches(' ')),
            (None, Some(token)) => Sent::Cookie(token),
            (None, None) => Sent::Nothing,
        }
    }

    fn verdict(&self, read: Result<T, Refusal>, is_cookie: bool, edits: &mut Edits) -> Decision {
        match read {
            Ok(claims) => {
                edits.context(&claims);
                Decision::Next
            }
            Err(_) if is_cookie && !self.required => Decision::Next,
            Err(refusal) => self.refuse(401, Some(("invalid_token", refusal.text()))),
        }
    }

    /// RFC 6750 §3: without a token there is no error to name.
    fn refuse(&self, status: u16, error: Option<(&str, &str)>) -> Decision {
        let mut challenge = format!("Bearer realm=\"{}\"", self.realm);
        if let Some((code, text)) = error {
            challenge.push_str(&format!(", error=\"{code}\", error_description=\"{text}\""));
        }
        let text = error.map_or("a token is needed", |(_, text)| text);
        Reply::text(status, text).header("www-authenticate", &challenge).into()
    }
}

impl<T: ContextValue> Hook for Jwt<T> {
    fn name(&self) -> &str {
        "jwt"
    }

    fn decide<'a>(
        &'a self,
        request: &'a EdgeRequest<'_>,
        edits: &'a mut Edits,
        platform: &'a dyn Platform,
    ) -> Verdict<'a> {
        let (token, is_cookie) = match self.sent(request) {
            Sent::Nothing if self.required => return self.refuse(401, None).into(),
            Sent::Nothing => return Decision::Next.into(),
            Sent::Ambiguous => {
                let error = ("invalid_request", "Authorization is there twice");
                return self.refuse(400, Some(error)).into();
            }
            Sent::Bearer(token) => (token, false),
            Sent::Cookie(token) => (token, true),
        };
        let Some(jwks) = &self.jwks else {
            let read = self.read(token, platform.now());
            return self.verdict(read, is_cookie, edits).into();
        };
        // What is no token at all is not worth a fetch.
        if let Err(refusal) = Token::parse(token) {
            return self.verdict(Err(refusal), is_cookie, edits).into();
        }
        if let Some(keys) = jwks.ready(platform.now()) {
            let read = self.read_by(&keys, token, platform.now());
            if !matches!(read, Err(Refusal::UnknownKey)) {
                return self.verdict(read, is_cookie, edits).into();
            }
        }
        Verdict::Later(Box::pin(async move {
            let keys = jwks.keys(platform, false).await?;
            let mut read = self.read_by(&keys, token, platform.now());
            if matches!(read, Err(Refusal::UnknownKey)) {
                let keys = jwks.keys(platform, true).await?;
                read = self.read_by(&keys, token, platform.now());
            }
            Ok(self.verdict(read, is_cookie, edits))
        }))
    }

    fn depends_on_visitor(&self) -> bool {
        // Where all are let through, a stored page is the same for all.
        self.required
    }

    fn check(&self) -> Result<(), Error> {
        let wrong = |problem: &str| Err(Error::configured("jwt", problem));
        if self.rules.leeway > MOST_LEEWAY {
            return wrong("a leeway of more than 300 s hides a clock that is wrong: set the clock");
        }
        if !self.realm.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\') {
            return wrong("its realm is to be of printable ASCII without quotation marks and backslashes");
        }
        if self.keys.iter().any(Key::is_short) {
            return wrong(
                "a secret for HS256 has at least 32 bytes (RFC 7518 §3.2): make one with `openssl rand -base64 48`",
            );
        }
        let Some(jwks) = &self.jwks else {
            return if self.keys.is_empty() {
                wrong("it has no key: every token would be refused")
            } else {
                Ok(())
            };
        };
        if !(jwks.url.starts_with("https://") || jwks.url.starts_with("http://127.0.0.1:")) {
            return wrong(
                "keys are fetched by `https://` alone: whoever could change them on the way could sign",
            );
        }
        if jwks.algorithms.is_empty() || jwks.algorithms.contains(&Algorithm::Hs256) {
            return wrong(
                "name the algorithms of the keys that are fetched, ES256, RS256 or EdDSA: a published secret is none",
            );
        }
        if self.rules.issuer.is_none() || self.rules.audience.is_none() {
            return wrong(
                "an issuer signs for many: name the issuer and the audience whose tokens count here",
            );
        }
        Ok(())
    }
}

impl<T> fmt::Debug for Jwt<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jwt").field("keys", &self.keys).field("rules", &self.rules).finish_non_exhaustive()
    }
}
