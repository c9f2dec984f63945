//! Keys that tokens are verified by. Each knows its one algorithm.

use super::{jwk::Jwk, rsa};
use crate::{Error, ready::Secret};
use hmac::Mac;
use p256::ecdsa::signature::Verifier;
use std::fmt;

/// An algorithm of signatures (RFC 7518 §3.1, RFC 8037 §3.1). There is no `none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC with SHA-256: whoever can verify can sign.
    Hs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// Whether a token's header spells it so. RFC 9864 names Ed25519 by itself, beside the older `EdDSA`.
    pub(super) fn is_spelled(self, alg: &str) -> bool {
        match self {
            Self::Hs256 => alg == "HS256",
            Self::Es256 => alg == "ES256",
            Self::Rs256 => alg == "RS256",
            Self::EdDsa => alg == "EdDSA" || alg == "Ed25519",
        }
    }
}

/// A key, with its algorithm and its name.
#[derive(Clone)]
pub struct Key {
    kid: Option<String>,
    of: Material,
}

#[derive(Clone)]
enum Material {
    Hs256(Secret),
    Es256(Box<p256::ecdsa::VerifyingKey>),
    Rs256(Box<rsa::PublicKey>),
    EdDsa(Box<ed25519_dalek::VerifyingKey>),
}

impl Key {
    /// A shared secret, for HS256.
    pub fn hs256(secret: Secret) -> Self {
        Self::of(Material::Hs256(secret))
    }

    /// A point of P-256 as SEC 1 writes it, for ES256: 65 bytes, or 33 compressed.
    ///
    /// # Errors
    /// [`Error::Hook`] where it is none.
    pub fn es256(point: &[u8]) -> Result<Self, Error> {
        let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(point);
        key.map(|key| Self::of(Material::Es256(Box::new(key)))).map_err(|_| no_key("it is no point of P-256"))
    }

    /// An RSA key by its modulus and exponent, big end first, for RS256.
    ///
    /// # Errors
    /// [`Error::Hook`] where it has not 2,048 to 4,096 bits, or is no key.
    pub fn rs256(n: &[u8], e: &[u8]) -> Result<Self, Error> {
        rsa::PublicKey::new(n, e).map(|key| Self::of(Material::Rs256(Box::new(key)))).map_err(no_key)
    }

    /// A point of Ed25519, 32 bytes, for `EdDSA`.
    ///
    /// # Errors
    /// [`Error::Hook`] where it is none, or a weak one, for which anybody can sign.
    pub fn ed25519(point: &[u8]) -> Result<Self, Error> {
        let bytes = <[u8; 32]>::try_from(point).map_err(|_| no_key("a key of Ed25519 has 32 bytes"))?;
        match ed25519_dalek::VerifyingKey::from_bytes(&bytes) {
            Ok(key) if !key.is_weak() => Ok(Self::of(Material::EdDsa(Box::new(key)))),
            _ => Err(no_key("it is no point of Ed25519, or a weak one")),
        }
    }

    /// A key as JSON (RFC 7517), which says its algorithm and name itself.
    ///
    /// ```
    /// let key = tropos_edge::ready::jwt::Key::from_jwk(
    ///     r#"{"kty":"OKP","crv":"Ed25519","kid":"2026","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
    /// )?;
    /// assert_eq!(key.kid(), Some("2026"));
    /// # Ok::<(), tropos_edge::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Hook`] where it is no key of a known algorithm, or a private one.
    pub fn from_jwk(json: &str) -> Result<Self, Error> {
        let jwk: Jwk = serde_json::from_str(json).map_err(|_| no_key("it is no JSON Web Key (RFC 7517)"))?;
        jwk.key()
    }

    /// The same key by a name: tokens that name a key (`kid`) are verified by keys of that name alone.
    #[must_use]
    pub fn named(self, kid: &str) -> Self {
        Self { kid: Some(kid.to_owned()), ..self }
    }

    /// Its name.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Its algorithm.
    pub fn algorithm(&self) -> Algorithm {
        match self.of {
            Material::Hs256(_) => Algorithm::Hs256,
            Material::Es256(_) => Algorithm::Es256,
            Material::Rs256(_) => Algorithm::Rs256,
            Material::EdDsa(_) => Algorithm::EdDsa,
        }
    }

    /// Whether it is a secret that is too short to be used.
    pub(super) fn is_short(&self) -> bool {
        matches!(&self.of, Material::Hs256(secret) if secret.is_short())
    }

    /// Whether `signature` is over `message`, by this key and its algorithm.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.of {
            // The comparison takes equally long wherever the two differ.
            Material::Hs256(secret) => secret.hmac().is_some_and(|mut mac| {
                mac.update(message);
                mac.verify_slice(signature).is_ok()
            }),
            // R and S, 32 bytes each, and no DER (RFC 7518 §3.4). Zeros and numbers that are too great are refused.
            Material::Es256(key) => p256::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Material::Rs256(key) => key.verifies(message, signature),
            // Strictly: no point of small order, one signature alone for each message (RFC 8032 §5.1.7).
            Material::EdDsa(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
        }
    }

    fn of(of: Material) -> Self {
        Self { kid: None, of }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm())
            .finish_non_exhaustive()
    }
}

pub(super) fn no_key(problem: &str) -> Error {
    Error::Hook(format!("this is no key that tokens can be verified by: {problem}"))
}
