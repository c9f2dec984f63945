//! Secrets that sign, and the one way in which they are compared.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::{fmt, sync::Arc};
use subtle::ConstantTimeEq;

/// A secret is at least this long, in bytes: the length of what HMAC-SHA-256 gives (RFC 7518 §3.2).
pub const SHORTEST_SECRET: usize = 32;

/// A secret that signs. It is never shown, also not by `Debug`.
///
/// One that is shorter than [`SHORTEST_SECRET`] signs nothing and verifies nothing, so that an empty variable of the
/// environment lets nobody in; hooks say so in their `check()`.
#[derive(Clone)]
pub struct Secret(Arc<[u8]>);

impl Secret {
    /// A secret of these bytes. Take them from a generator (`openssl rand -base64 48`), not from a head.
    pub fn new(bytes: impl AsRef<[u8]>) -> Self {
        Self(bytes.as_ref().into())
    }

    /// Whether it is too short to be used.
    pub fn is_short(&self) -> bool {
        self.0.len() < SHORTEST_SECRET
    }

    /// What signs with it, unless it is too short.
    pub(crate) fn hmac(&self) -> Option<Hmac<Sha256>> {
        if self.is_short() {
            return None;
        }
        Hmac::new_from_slice(&self.0).ok()
    }

    /// Signs `message` for a purpose: what is signed for one is worth nothing for another.
    pub(crate) fn sign(&self, purpose: &str, message: &str) -> Option<String> {
        let tag = self.of(purpose, message)?.finalize().into_bytes();
        Some(URL_SAFE_NO_PAD.encode(tag))
    }

    /// Whether `tag` is what [`sign`](Self::sign) gives, in a time that does not tell how much of it is right.
    pub(crate) fn verifies(&self, purpose: &str, message: &str, tag: &str) -> bool {
        let tag = URL_SAFE_NO_PAD.decode(tag).ok();
        self.of(purpose, message).zip(tag).is_some_and(|(mac, tag)| mac.verify_slice(&tag).is_ok())
    }

    /// Whether `text` is the secret itself.
    pub(crate) fn is(&self, text: &str) -> bool {
        let equal = Sha256::digest(&self.0).as_slice().ct_eq(Sha256::digest(text).as_slice());
        !self.is_short() && bool::from(equal)
    }

    fn of(&self, purpose: &str, message: &str) -> Option<Hmac<Sha256>> {
        let mut mac = self.hmac()?;
        // A zero byte ends each part, so that no two pairs of purpose and message are signed alike.
        for part in ["tropos", purpose] {
            mac.update(part.as_bytes());
            mac.update(&[0]);
        }
        mac.update(message.as_bytes());
        Some(mac)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What is wrong with a list of secrets of which the first signs.
pub(crate) fn problem(keys: &[Secret]) -> Option<String> {
    if keys.is_empty() {
        return Some(
            "it has no key: give it one, and when it is changed, the new one before the old one".into(),
        );
    }
    let at = keys.iter().position(Secret::is_short)?;
    let place = at + 1;
    Some(format!(
        "its key no. {place} is shorter than {SHORTEST_SECRET} bytes: make one with `openssl rand -base64 48`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_counts_for_its_purpose_key_and_message_alone() {
        let key = Secret::new([1; 32]);
        let tag = key.sign("a", "m").unwrap();
        assert!(key.verifies("a", "m", &tag));
        assert!(!key.verifies("b", "m", &tag));
        assert!(!key.verifies("a", "n", &tag));
        assert!(!key.verifies("a\0m", "", &tag));
        assert!(!key.verifies("a", "m", &tag[..42]));
        assert!(!key.verifies("a", "m", ""));
        assert!(!Secret::new([2; 32]).verifies("a", "m", &tag));
    }

    #[test]
    fn a_short_secret_is_worth_nothing_and_none_is_shown() {
        let short = Secret::new("");
        assert!(short.sign("a", "m").is_none() && !short.is("") && short.is_short());
        let long = Secret::new("0123456789abcdef0123456789abcdef");
        assert!(long.is("0123456789abcdef0123456789abcdef") && !long.is("0123456789abcdef"));
        assert_eq!(format!("{long:?}"), "Secret(..)");
    }
}
