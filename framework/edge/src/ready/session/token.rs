//! A session as it stands in a cookie: `v1.PAYLOAD.TAG`, both parts base64url, the tag HMAC-SHA-256 over all before it.

use crate::ready::Secret;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// A cookie's name and value may be this long together (RFC 6265bis §5.7); browsers drop longer ones without a word.
pub const LONGEST_COOKIE: usize = 4096;

/// What a token holds. All times in seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Body<T> {
    /// When the session began; renewals keep it.
    #[serde(rename = "b")]
    pub(super) born: u64,
    /// When this token was made.
    #[serde(rename = "i")]
    pub(super) issued: u64,
    /// From when on it counts no more.
    #[serde(rename = "e")]
    pub(super) expires: u64,
    #[serde(rename = "d")]
    pub(super) data: T,
}

/// Makes a token. `None` where it cannot be written, or the key is too short.
pub(super) fn seal<T: Serialize>(key: &Secret, purpose: &str, body: &Body<T>) -> Option<String> {
    let payload = URL_SAFE_NO_PAD.encode(serde_json::to_vec(body).ok()?);
    let signed = format!("v1.{payload}");
    let tag = key.sign(purpose, &signed)?;
    Some(format!("{signed}.{tag}"))
}

/// Reads a token that some key has signed, and says which. Nothing of it is read before its tag is known to be right.
pub(super) fn open<T: DeserializeOwned>(
    keys: &[Secret],
    purpose: &str,
    token: &str,
) -> Option<(usize, Body<T>)> {
    if token.len() > LONGEST_COOKIE {
        return None;
    }
    let (signed, tag) = token.rsplit_once('.')?;
    let payload = signed.strip_prefix("v1.")?;
    let key = keys.iter().position(|key| key.verifies(purpose, signed, tag))?;
    let body = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    Some((key, body))
}
