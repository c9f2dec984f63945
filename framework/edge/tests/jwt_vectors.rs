//! Signatures: the vectors of RFC 7515 and RFC 8037, and forgeries of each algorithm.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod tokens;

use tokens::{RSA_N, b64, by_ed25519, by_es256, es256, keys, unb64};
use tropos_edge::ready::{
    Secret,
    jwt::{Algorithm, Key},
};

const PAYLOAD: &str =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

fn rfc() -> Vec<(&'static str, Key, String, &'static str)> {
    let rsa = Key::rs256(&unb64(RSA_N), &[1, 0, 1]).unwrap();
    let ec = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
    let oct = r#"{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#;
    let okp = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let of = |jwk| Key::from_jwk(jwk).unwrap();
    vec![
        (
            "RFC 7515 A.1",
            of(oct),
            format!("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{PAYLOAD}"),
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        ),
        (
            "RFC 7515 A.2",
            rsa,
            format!("eyJhbGciOiJSUzI1NiJ9.{PAYLOAD}"),
            "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
        ),
        (
            "RFC 7515 A.3",
            of(ec),
            format!("eyJhbGciOiJFUzI1NiJ9.{PAYLOAD}"),
            "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        ),
        (
            "RFC 8037 A.4",
            of(okp),
            "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc".to_owned(),
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
        ),
    ]
}

#[test]
fn the_signatures_of_the_rfcs_are_right_and_those_beside_them_wrong() {
    for (name, key, input, signature) in rfc() {
        let signature = unb64(signature);
        assert!(key.verifies(input.as_bytes(), &signature), "{name}");
        assert!(!key.verifies(format!("{input}A").as_bytes(), &signature), "{name}: another text");
        assert!(!key.verifies(input.as_bytes(), &[]), "{name}: none");
        assert!(!key.verifies(input.as_bytes(), &vec![0; signature.len()]), "{name}: zeros");
        assert!(!key.verifies(input.as_bytes(), &vec![0xff; signature.len()]), "{name}: ones");
        assert!(!key.verifies(input.as_bytes(), &signature[1..]), "{name}: shorter");
        for zero in [[signature.as_slice(), &[0]].concat(), [&[0], signature.as_slice()].concat()] {
            assert!(!key.verifies(input.as_bytes(), &zero), "{name}: longer");
        }
        // One bit of each byte.
        for at in 0..signature.len() {
            let mut wrong = signature.clone();
            wrong[at] ^= 1 << (at % 8);
            assert!(!key.verifies(input.as_bytes(), &wrong), "{name}: byte {at}");
        }
        for (other, key, ..) in rfc().into_iter().filter(|(other, ..)| *other != name) {
            assert!(!key.verifies(input.as_bytes(), &signature), "{name} by the key of {other}");
        }
    }
}

#[test]
fn rsa_signatures_that_lax_readers_take_are_refused() {
    // What is cubed begins as it should, with rubbish behind the digest (Bleichenbacher, 2006): no private key was needed.
    let cube = Key::rs256(&unb64(RSA_N), &[3]).unwrap();
    let end = "Msv9SnrceQVYPXZ1IPUWQHWRdtN4JvLvY649x6zkT8BhpLMXApBjmhdPJQh0qefdf91vvr9a2mbLtJD2TsB-hD6yHvltwUu8aJxiTI5gQhMOvLNOIA";
    let forged = format!("{end:A>342}");
    let forged = unb64(&forged);
    assert_eq!(forged.len(), 256);
    assert!(!cube.verifies(b"forged", &forged));
    // One as great as the modulus, or greater by a signature, is no signature (RFC 8017 §5.2.2).
    let (_, key, input, _) = rfc().remove(1);
    assert!(!key.verifies(input.as_bytes(), &unb64(RSA_N)));
}

#[test]
fn signatures_of_curves_have_one_form() {
    let (es, ed) = (keys().remove(1), keys().remove(2));
    let good = by_es256(b"text");
    assert!(es.verifies(b"text", &good));
    let der = p256::ecdsa::Signature::from_slice(&good).unwrap().to_der();
    assert!(!es.verifies(b"text", der.as_bytes()), "DER");
    // CVE-2022-21449: R or S of zero.
    assert!(!es.verifies(b"text", &[&[0; 32], &good[32..]].concat()), "R of zero");
    assert!(!es.verifies(b"text", &[&good[..32], &[0; 32]].concat()), "S of zero");
    let order = "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551";
    let order: Vec<u8> =
        (0..32).map(|at| u8::from_str_radix(&order[2 * at..2 * at + 2], 16).unwrap()).collect();
    assert!(!es.verifies(b"text", &[&good[..32], order.as_slice()].concat()), "S of the order");
    // S plus the order of Ed25519 is the same number, and another spelling (RFC 8032 §5.1.7).
    let mut more = by_ed25519(b"text");
    assert!(ed.verifies(b"text", &more));
    let order = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10_u8,
    ];
    let mut carry = 0_u16;
    for (digit, more_of) in more[32..].iter_mut().zip(order) {
        carry += u16::from(*digit) + u16::from(more_of);
        *digit = u8::try_from(carry & 0xff).unwrap();
        carry >>= 8;
    }
    assert!(!ed.verifies(b"text", &more), "S beyond the order");
}

#[test]
fn what_is_no_key_is_refused_with_a_reason() {
    let x = b64([1; 32]);
    let point = &es256().verifying_key().to_sec1_point(false);
    let (px, py) = (b64(point.x().unwrap()), b64(point.y().unwrap()));
    let short = b64(vec![0xff; 128]);
    let long = b64(vec![0xff; 1024]);
    for (json, says) in [
        ("{".to_owned(), "JSON Web Key"),
        (r#"{"kty":"EC","crv":"P-384"}"#.to_owned(), "kind"),
        (r#"{"kty":"none"}"#.to_owned(), "kind"),
        (format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{x}"}}"#), "no point"),
        (format!(r#"{{"kty":"EC","crv":"P-256","x":"AQ","y":"{x}"}}"#), "32 bytes"),
        (format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}"}}"#), "`y`"),
        (format!(r#"{{"kty":"EC","crv":"P-256","x":"{px}","y":"{py}","d":"{x}"}}"#), "private"),
        (format!(r#"{{"kty":"EC","crv":"P-256","x":"{px}","y":"{py}","use":"enc"}}"#), "`use`"),
        (format!(r#"{{"kty":"EC","crv":"P-256","x":"{px}","y":"{py}","alg":"HS256"}}"#), "`alg`"),
        (format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{}"}}"#, b64([0; 31])), "32 bytes"),
        // The neutral element: any signature of a certain form would count.
        (format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"AQ{}"}}"#, "A".repeat(41)), "weak"),
        (format!(r#"{{"kty":"RSA","n":"{short}","e":"AQAB"}}"#), "2,048"),
        (format!(r#"{{"kty":"RSA","n":"{long}","e":"AQAB"}}"#), "4,096"),
        (format!(r#"{{"kty":"RSA","n":"{RSA_N}","e":"AQ"}}"#), "exponent"),
        (format!(r#"{{"kty":"RSA","n":"{RSA_N}","e":"AQAA"}}"#), "exponent"),
        (format!(r#"{{"kty":"RSA","n":"{RSA_N}","e":"{}"}}"#, "AQAB".repeat(1000)), "exponent"),
        (format!(r#"{{"kty":"RSA","n":"{RSA_N}="}}"#), "`n`"),
    ] {
        let error = Key::from_jwk(&json).unwrap_err().to_string();
        assert!(error.contains(says), "{json}: {error}");
    }
    let fine =
        format!(r#"{{"kty":"EC","crv":"P-256","x":"{px}","y":"{py}","use":"sig","alg":"ES256","kid":"a"}}"#);
    let key = Key::from_jwk(&fine).unwrap();
    assert_eq!((key.kid(), key.algorithm()), (Some("a"), Algorithm::Es256));
    // Zeros before a modulus change nothing, and cost nothing.
    let (_, _, input, signature) = rfc().remove(1);
    let padded = [vec![0; 1 << 20], unb64(RSA_N)].concat();
    assert!(Key::rs256(&padded, &[0, 1, 0, 1]).unwrap().verifies(input.as_bytes(), &unb64(signature)));
    assert!(!Key::hs256(Secret::new("short")).verifies(b"", &[0; 32]));
}
