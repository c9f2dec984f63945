//! RSASSA-PKCS1-v1_5 with SHA-256, verified (RFC 8017 §8.2.2). Nothing here is secret: key, message and signature are public.

use crypto_bigint::{
    BoxedUint, Integer, Odd,
    modular::{BoxedMontyForm, BoxedMontyParams},
};
use sha2::{Digest, Sha256};

/// Keys of fewer bits must not be used (RFC 7518 §3.3).
const FEWEST_BITS: u32 = 2048;
/// Longer keys are made by nobody, and cost more with the cube of their length.
const MOST_BITS: u32 = 4096;
/// The DER of `DigestInfo` before a SHA-256 digest (RFC 8017 §9.2, note 1).
const SHA256_INFO: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
    0x04, 0x20,
];

/// A public key.
#[derive(Debug, Clone)]
pub(super) struct PublicKey {
    modulus: BoxedMontyParams,
    exponent: BoxedUint,
    /// Of the modulus, in bytes.
    len: usize,
}

impl PublicKey {
    /// A key of modulus and exponent, big end first.
    pub(super) fn new(n: &[u8], e: &[u8]) -> Result<Self, &'static str> {
        // Zeros before it would make all arithmetic as long as they are.
        let first = n.iter().position(|byte| *byte != 0).unwrap_or(n.len());
        let n = BoxedUint::from_be_slice_vartime(n.get(first..).unwrap_or_default());
        let bits = n.bits_vartime();
        if !(FEWEST_BITS..=MOST_BITS).contains(&bits) {
            return Err("an RSA key has 2,048 to 4,096 bits");
        }
        if e.len() > 8 {
            return Err("an RSA key's exponent is odd, from 3 to 32 bits long");
        }
        let e = BoxedUint::from_be_slice_vartime(e);
        let is_exponent = e.bits_vartime() >= 2 && e.bits_vartime() <= 32 && bool::from(e.is_odd());
        if !is_exponent {
            return Err("an RSA key's exponent is odd, from 3 to 32 bits long");
        }
        let n = Odd::new(n).into_option().ok_or("an RSA key's modulus is odd")?;
        let len = usize::try_from(bits.div_ceil(8)).unwrap_or_default();
        Ok(Self { modulus: BoxedMontyParams::new_vartime(n), exponent: e, len })
    }

    /// Whether `signature` is over `message`. What it gives back is compared as a whole with what it should be, so that no
    /// reader of its form can be led astray.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        if signature.len() != self.len {
            return false;
        }
        let precision = self.modulus.bits_precision();
        let number = |bytes: &[u8]| BoxedUint::from_be_slice(bytes, precision).ok();
        let Some((signature, expected)) = number(signature).zip(number(&self.encoded(message))) else {
            return false;
        };
        if signature >= *self.modulus.modulus().as_ref() {
            return false;
        }
        let base = BoxedMontyForm::new(signature, &self.modulus);
        base.pow_bounded_exp(&self.exponent, self.exponent.bits_vartime()).retrieve() == expected
    }

    /// EMSA-PKCS1-v1_5 (RFC 8017 §9.2).
    fn encoded(&self, message: &[u8]) -> Vec<u8> {
        let tail = SHA256_INFO.len() + 32 + 1;
        let mut encoded = vec![0x00, 0x01];
        encoded.resize(self.len.saturating_sub(tail), 0xff);
        encoded.push(0x00);
        encoded.extend(SHA256_INFO);
        encoded.extend(Sha256::digest(message));
        encoded
    }
}
