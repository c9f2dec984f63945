//! A token taken apart and verified (RFC 7515 §5.2, RFC 8725).

use super::{
    claims::{Refusal, Rules},
    key::Key,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, de::IgnoredAny};
use tropos_core::clock::UnixMillis;

/// A token may be this long, in bytes: servers refuse longer headers anyway.
pub const LONGEST_TOKEN: usize = 8 * 1024;

/// A token that names no key is tried with this many at most.
const MOST_TRIES: usize = 8;

/// What of a token's header is read. What it says of keys (`jwk`, `jku`, `x5c`, `x5u`) is not: a token does not bring the key
/// that it is verified by (RFC 8725 §3.10). A member that is there twice is refused.
#[derive(Debug, Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<IgnoredAny>,
    b64: Option<IgnoredAny>,
    zip: Option<IgnoredAny>,
}

/// A token, taken apart.
#[derive(Debug)]
pub(super) struct Token<'t> {
    header: Header,
    signed: &'t str,
    signature: Vec<u8>,
    payload: Vec<u8>,
}

impl<'t> Token<'t> {
    pub(super) fn parse(text: &'t str) -> Result<Self, Refusal> {
        if text.len() > LONGEST_TOKEN {
            return Err(Refusal::TooLong);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(Refusal::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(Refusal::Malformed)?;
        // Five parts would be an encrypted token; a dot is not of the alphabet, so that more than three fail here.
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::Malformed);
        let (payload, signature) = (decoded(payload)?, decoded(signature)?);
        let header: Header = serde_json::from_slice(&decoded(header)?).map_err(|_| Refusal::Malformed)?;
        // Extensions that must be understood are not (RFC 7515 §4.1.11); unencoded payloads and packed ones neither.
        if header.crit.is_some() || header.b64.is_some() || header.zip.is_some() {
            return Err(Refusal::Malformed);
        }
        Ok(Self { header, signed, signature, payload })
    }

    /// The claims, as JSON, of a token that one of the keys has signed and that counts now.
    pub(super) fn verify(&self, keys: &[Key], rules: &Rules, now: UnixMillis) -> Result<&[u8], Refusal> {
        let of_name = |key: &&Key| self.header.kid.is_none() || key.kid() == self.header.kid.as_deref();
        let mut named = keys.iter().filter(of_name).peekable();
        if named.peek().is_none() {
            return Err(Refusal::UnknownKey);
        }
        // The key says the algorithm; the header has to agree (RFC 8725 §3.1).
        let mut fitting = named.filter(|key| key.algorithm().is_spelled(&self.header.alg)).peekable();
        if fitting.peek().is_none() {
            return Err(Refusal::Algorithm);
        }
        let signed = |key: &Key| key.verifies(self.signed.as_bytes(), &self.signature);
        if !fitting.take(MOST_TRIES).any(signed) {
            return Err(Refusal::Signature);
        }
        if let Some(kind) = &rules.kind
            && !self.header.typ.as_deref().is_some_and(|typ| is_kind(typ, kind))
        {
            return Err(Refusal::Kind);
        }
        rules.check(&self.payload, now)?;
        Ok(&self.payload)
    }
}

/// Whether `typ` names a kind. `application/` may be left out, and case does not count (RFC 7515 §4.1.9).
fn is_kind(typ: &str, kind: &str) -> bool {
    let short = |text: &str| {
        let text = text.to_ascii_lowercase();
        text.strip_prefix("application/").map(str::to_owned).unwrap_or(text)
    };
    short(typ) == short(kind)
}
