//! Tokens that tests sign.
#![allow(dead_code, reason = "each test uses a part of it")]

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::Signer;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;
use tropos_edge::{
    edits::ContextValue,
    ready::{Secret, jwt::Key},
};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Claims {
    pub sub: String,
}
impl ContextValue for Claims {
    const NAME: &'static str = "claims";
}

/// Of RFC 7515 A.2.
pub const RSA_N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";

/// A secret that tests share with themselves.
pub const SECRET: [u8; 32] = [7; 32];

pub fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub fn unb64(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

pub fn es256() -> p256::ecdsa::SigningKey {
    p256::ecdsa::SigningKey::from_slice(&[3; 32]).unwrap()
}

pub fn ed25519() -> ed25519_dalek::SigningKey {
    ed25519_dalek::SigningKey::from_bytes(&[5; 32])
}

pub fn es256_public() -> Vec<u8> {
    es256().verifying_key().to_sec1_point(false).as_bytes().to_vec()
}

/// A key of each algorithm.
pub fn keys() -> Vec<Key> {
    KEYS.clone()
}

/// Made once: what an RSA key has to be prepared by takes a while without optimisation.
static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
    vec![
        Key::hs256(Secret::new(SECRET)).named("h"),
        Key::es256(&es256_public()).unwrap().named("e"),
        Key::ed25519(ed25519().verifying_key().as_bytes()).unwrap().named("d"),
        Key::rs256(&unb64(RSA_N), &[1, 0, 1]).unwrap().named("r"),
    ]
});

/// Signs whatever is given as header and payload.
pub fn signed(header: &str, payload: &str, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let input = format!("{}.{}", b64(header), b64(payload));
    format!("{input}.{}", b64(sign(input.as_bytes())))
}

pub fn by_secret(secret: &[u8]) -> impl Fn(&[u8]) -> Vec<u8> {
    move |input| {
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret).unwrap();
        mac.update(input);
        mac.finalize().into_bytes().to_vec()
    }
}

pub fn by_es256(input: &[u8]) -> Vec<u8> {
    let signature: p256::ecdsa::Signature = es256().sign(input);
    signature.to_bytes().to_vec()
}

pub fn by_ed25519(input: &[u8]) -> Vec<u8> {
    ed25519().sign(input).to_bytes().to_vec()
}
