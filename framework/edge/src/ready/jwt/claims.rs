//! What a token says of itself, and whether it counts here and now (RFC 7519 §4.1).

use serde::Deserialize;
use std::time::Duration;
use tropos_core::clock::UnixMillis;

/// What tokens must say.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    pub(super) issuer: Option<String>,
    pub(super) audience: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) leeway: Duration,
}

/// Why a token does not count. Each is told to the client by a text of its own, which holds nothing of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Longer than 8 KiB.
    TooLong,
    /// Not three parts of base64url, the first two of JSON objects; or a header that asks for what is not known here.
    Malformed,
    /// Its header names another algorithm than its key's, or none.
    Algorithm,
    /// Its header names a key that is not known.
    UnknownKey,
    /// Its signature is not its key's.
    Signature,
    /// It is of another kind (`typ`).
    Kind,
    /// It says not when it expires, or that it has.
    Expired,
    /// It counts later, or was made in the future.
    NotYet,
    /// It is another issuer's.
    Issuer,
    /// It is meant for others.
    Audience,
    /// Its claims are not of the form that is asked for.
    Claims,
}

impl Refusal {
    /// What the client is told (RFC 6750 §3: no quotation marks, no backslash).
    pub fn text(self) -> &'static str {
        match self {
            Self::TooLong => "the token is too long",
            Self::Malformed => "the token is malformed",
            Self::Algorithm => "the token's algorithm is not its key's",
            Self::UnknownKey => "the token's key is not known",
            Self::Signature => "the token's signature is wrong",
            Self::Kind => "the token is of another kind",
            Self::Expired => "the token has expired",
            Self::NotYet => "the token does not count yet",
            Self::Issuer => "the token is of another issuer",
            Self::Audience => "the token is for another audience",
            Self::Claims => "the token's claims are not of the form that is asked for",
        }
    }
}

#[derive(Deserialize)]
struct Registered {
    exp: Option<f64>,
    nbf: Option<f64>,
    iat: Option<f64>,
    iss: Option<String>,
    aud: Option<Audience>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Rules {
    /// Whether claims, as JSON, count now.
    pub(super) fn check(&self, payload: &[u8], now: UnixMillis) -> Result<(), Refusal> {
        let claims: Registered = serde_json::from_slice(payload).map_err(|_| Refusal::Malformed)?;
        // Seconds with a fraction, perhaps (RFC 7519 §2, NumericDate); exact for any time that somebody lives to see.
        let now = Duration::from_millis(now).as_secs_f64();
        let leeway = self.leeway.as_secs_f64();
        if claims.exp.is_none_or(|exp| now >= exp + leeway) {
            return Err(Refusal::Expired);
        }
        let ahead = |time: Option<f64>| time.is_some_and(|time| time > now + leeway);
        if ahead(claims.nbf) || ahead(claims.iat) {
            return Err(Refusal::NotYet);
        }
        if self.issuer.is_some() && self.issuer != claims.iss {
            return Err(Refusal::Issuer);
        }
        let meant = self.audience.as_ref().is_none_or(|audience| match &claims.aud {
            None => false,
            Some(Audience::One(one)) => one == audience,
            Some(Audience::Many(many)) => many.contains(audience),
        });
        if meant { Ok(()) } else { Err(Refusal::Audience) }
    }
}
