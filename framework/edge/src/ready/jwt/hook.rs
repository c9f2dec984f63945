//! The check as a hook: where the token stands, which keys it needs, what is answered.

use super::{Algorithm, Jwt, Key, Refusal, token::Token};
use crate::{Decision, EdgeRequest, Edits, Error, Hook, Platform, Reply, Verdict, edits::ContextValue};
use std::time::Duration;

/// As for sessions: a leeway beyond this hides a clock that is wrong.
const MOST_LEEWAY: Duration = Duration::from_secs(300);

/// What a request brings.
enum Sent<'r> {
    Nothing,
    Bearer(&'r str),
    Cookie(&'r str),
    Ambiguous,
}

impl<T: ContextValue> Jwt<T> {
    fn sent<'r>(&self, request: &'r EdgeRequest<'_>) -> Sent<'r> {
        let mut lines = request.headers().lines("authorization");
        let first = lines.next().map(|line| std::str::from_utf8(line).unwrap_or_default());
        let is = |scheme: &str, known: &str| scheme.eq_ignore_ascii_case(known);
        let named = first.and_then(|line| line.split_once(' '));
        // A Worker is handed two lines as one, with a comma between, which no credentials of these schemes have (RFC 9110 §11.2,
        // `token68`).
        let joined = named.is_some_and(|(scheme, rest)| {
            rest.contains(',') && (is(scheme, "bearer") || is(scheme, "basic"))
        });
        if joined || lines.next().is_some() {
            return Sent::Ambiguous;
        }
        let bearer = named.filter(|(scheme, _)| is(scheme, "bearer"));
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
            let read = self.read(token, request.now());
            return self.verdict(read, is_cookie, edits).into();
        };
        // What is no token at all is not worth a fetch.
        if let Err(refusal) = Token::parse(token) {
            return self.verdict(Err(refusal), is_cookie, edits).into();
        }
        if let Some(keys) = jwks.ready(request.now()) {
            let read = self.read_by(&keys, token, request.now());
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

    fn waits(&self) -> bool {
        self.jwks.is_some()
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
