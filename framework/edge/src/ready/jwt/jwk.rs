//! Keys as JSON (RFC 7517, RFC 7518 §6, RFC 8037 §2).

use super::key::{Algorithm, Key, no_key};
use crate::{Error, ready::Secret};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, de::IgnoredAny};

/// A set holds this many keys at most; the rest is not read.
pub(super) const MOST_KEYS: usize = 64;

/// What of a key is read.
#[derive(Deserialize)]
pub(super) struct Jwk {
    kty: String,
    crv: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    kid: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    k: Option<String>,
    d: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<serde_json::Value>,
}

impl Jwk {
    /// As a key.
    pub(super) fn key(&self) -> Result<Key, Error> {
        if self.d.is_some() {
            return Err(no_key("it is a private key, which has no business here: take its public part"));
        }
        // A key for encryption is not for signatures (RFC 7517 §4.2).
        if self.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return Err(no_key("its `use` is not `sig`"));
        }
        let key = match (self.kty.as_str(), self.crv.as_deref()) {
            ("oct", _) => Key::hs256(Secret::new(part(&self.k, "k")?)),
            ("RSA", _) => Key::rs256(&part(&self.n, "n")?, &part(&self.e, "e")?)?,
            ("EC", Some("P-256")) => {
                let (x, y) = (part(&self.x, "x")?, part(&self.y, "y")?);
                // Both are of full length, with their zeros (RFC 7518 §6.2.1.2).
                if x.len() != 32 || y.len() != 32 {
                    return Err(no_key("`x` and `y` have 32 bytes each"));
                }
                Key::es256(&[&[4], x.as_slice(), y.as_slice()].concat())?
            }
            ("OKP", Some("Ed25519")) => Key::ed25519(&part(&self.x, "x")?)?,
            _ => return Err(no_key("its kind is none of `oct`, `RSA`, `EC` on P-256 and `OKP` on Ed25519")),
        };
        if self.alg.as_deref().is_some_and(|alg| !key.algorithm().is_spelled(alg)) {
            return Err(no_key("its `alg` is none of HS256, ES256, RS256 and EdDSA, or not its kind's"));
        }
        Ok(match &self.kid {
            Some(kid) => key.named(kid),
            None => key,
        })
    }
}

fn part(text: &Option<String>, name: &str) -> Result<Vec<u8>, Error> {
    let bytes = text.as_ref().and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    bytes.ok_or_else(|| no_key(&format!("`{name}` is missing, or not base64url without padding")))
}

/// The keys of a set that are of one of these algorithms; others, and those that cannot be read, are passed over, as RFC 7517
/// §5 has it. A shared secret that somebody publishes is none.
pub(super) fn read_set(body: &[u8], algorithms: &[Algorithm]) -> Option<Vec<Key>> {
    let set: Set = serde_json::from_slice(body).ok()?;
    let keys = set.keys.into_iter().take(MOST_KEYS);
    let keys = keys.filter_map(|key| serde_json::from_value::<Jwk>(key).ok()?.key().ok());
    let fits = |key: &Key| {
        key.algorithm() != Algorithm::Hs256 && algorithms.contains(&key.algorithm()) && !key.is_short()
    };
    let keys: Vec<_> = keys.filter(fits).collect();
    (!keys.is_empty()).then_some(keys)
}
