//! Tokens that count, and a table of those that do not.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;
mod tokens;

use common::{Asked, Still, answer_on, answered, outcome_on, pass_on, status_on};
use proptest::prelude::*;
use std::time::Duration;
use tokens::{
    Claims, RSA_N, SECRET, b64, by_ed25519, by_es256, by_secret, ed25519, es256_public, keys, signed, unb64,
};
use tropos_edge::{
    Hook, Hooks,
    ready::{
        Jwt, Secret,
        jwt::{Algorithm, Key, Refusal},
    },
    run::Outcome,
};

const NOW: u64 = 1_700_000_000_000;
const GOOD: &str = r#"{"sub":"7","iss":"https://id.example","aud":"shop","exp":1700000600}"#;

fn check() -> Jwt<Claims> {
    Jwt::new(keys()).issuer("https://id.example").audience("shop")
}

/// A token by the secret, with these parts.
fn of(header: &str, payload: &str) -> String {
    signed(header, payload, by_secret(&SECRET))
}

fn good() -> String {
    of(r#"{"alg":"HS256","kid":"h"}"#, GOOD)
}

fn with(claims: &str) -> String {
    of(r#"{"alg":"HS256"}"#, &format!(r#"{{"sub":"7","iss":"https://id.example","aud":"shop",{claims}}}"#))
}

#[test]
fn what_is_signed_and_in_time_counts() {
    for (name, token) in [
        ("HS256", good()),
        ("no name of a key", of(r#"{"alg":"HS256"}"#, GOOD)),
        ("a kind", of(r#"{"typ":"JWT","alg":"HS256"}"#, GOOD)),
        ("ES256", signed(r#"{"alg":"ES256","kid":"e"}"#, GOOD, by_es256)),
        ("EdDSA", signed(r#"{"alg":"EdDSA","kid":"d"}"#, GOOD, by_ed25519)),
        ("Ed25519, as RFC 9864 has it", signed(r#"{"alg":"Ed25519","kid":"d"}"#, GOOD, by_ed25519)),
        (
            "an audience of many",
            of(
                r#"{"alg":"HS256"}"#,
                r#"{"sub":"7","iss":"https://id.example","aud":["x","shop"],"exp":1700000600}"#,
            ),
        ),
        ("expired within the leeway", with(r#""exp":1699999941"#)),
        ("begins within the leeway", with(r#""exp":1700000600,"nbf":1700000060"#)),
        ("made within the leeway", with(r#""exp":1700000600,"iat":1700000060"#)),
        ("fractions", with(r#""exp":1699999940.5,"nbf":1.5"#)),
        ("for ever", with(r#""exp":1e300"#)),
    ] {
        assert_eq!(check().read(&token, NOW), Ok(Claims { sub: "7".into() }), "{name}");
    }
}

#[test]
fn tokens_of_wrong_form_key_or_algorithm_are_refused() {
    use Refusal::{Algorithm, Malformed, Signature, TooLong, UnknownKey};
    let parts = good();
    let [header, payload, signature] = parts.split('.').collect::<Vec<_>>().try_into().unwrap();
    let secret = || by_secret(&SECRET);
    let admin = GOOD.replace('7', "1");
    let own = b64(ed25519_dalek::SigningKey::from_bytes(&[9; 32]).verifying_key().as_bytes());
    let by_own = |input: &[u8]| {
        use ed25519_dalek::Signer as _;
        ed25519_dalek::SigningKey::from_bytes(&[9; 32]).sign(input).to_bytes().to_vec()
    };
    let none = |alg: &str| format!("{}.{payload}.", b64(format!(r#"{{"alg":"{alg}"}}"#)));
    let public = ed25519().verifying_key();
    for (name, token, refusal) in [
        ("nothing", String::new(), Malformed),
        ("one part", header.to_owned(), Malformed),
        ("two parts", format!("{header}.{payload}"), Malformed),
        ("four parts", format!("{parts}.a"), Malformed),
        ("five parts, as if encrypted", format!("{parts}.a.b"), Malformed),
        ("none", none("none"), Algorithm),
        ("None", none("None"), Algorithm),
        ("NONE", none("NONE"), Algorithm),
        ("nOnE", none("nOnE"), Algorithm),
        ("an empty algorithm", none(""), Algorithm),
        ("none, signed", of(r#"{"alg":"none"}"#, GOOD), Algorithm),
        ("none for a key", of(r#"{"alg":"none","kid":"e"}"#, GOOD), Algorithm),
        ("small letters", of(r#"{"alg":"hs256"}"#, GOOD), Algorithm),
        ("a longer hash", of(r#"{"alg":"HS512"}"#, GOOD), Algorithm),
        ("PS256 for a key of RS256", of(r#"{"alg":"PS256","kid":"r"}"#, GOOD), Algorithm),
        ("the secret's name, ES256", signed(r#"{"alg":"ES256","kid":"h"}"#, GOOD, by_es256), Algorithm),
        (
            "a public point as the secret",
            signed(r#"{"alg":"HS256","kid":"e"}"#, GOOD, by_secret(&es256_public())),
            Algorithm,
        ),
        (
            "a public point as the secret, unnamed",
            signed(r#"{"alg":"HS256"}"#, GOOD, by_secret(&es256_public())),
            Signature,
        ),
        (
            "a modulus as the secret",
            signed(r#"{"alg":"HS256","kid":"r"}"#, GOOD, by_secret(&unb64(RSA_N))),
            Algorithm,
        ),
        (
            "an Ed25519 point as the secret",
            signed(r#"{"alg":"HS256"}"#, GOOD, by_secret(public.as_bytes())),
            Signature,
        ),
        ("an empty secret", signed(r#"{"alg":"HS256"}"#, GOOD, by_secret(b"")), Signature),
        ("another secret", signed(r#"{"alg":"HS256"}"#, GOOD, by_secret(&[8; 32])), Signature),
        ("an unknown name", of(r#"{"alg":"HS256","kid":"x"}"#, GOOD), UnknownKey),
        ("an empty name", of(r#"{"alg":"HS256","kid":""}"#, GOOD), UnknownKey),
        ("a name of a file", of(r#"{"alg":"HS256","kid":"../../dev/null"}"#, GOOD), UnknownKey),
        ("a name in capitals", of(r#"{"alg":"HS256","kid":"H"}"#, GOOD), UnknownKey),
        ("a name that is a number", of(r#"{"alg":"HS256","kid":1}"#, GOOD), Malformed),
        ("no algorithm", of(r#"{"kid":"h"}"#, GOOD), Malformed),
        ("an algorithm of null", of(r#"{"alg":null}"#, GOOD), Malformed),
        ("algorithms", of(r#"{"alg":["HS256"]}"#, GOOD), Malformed),
        ("two algorithms", of(r#"{"alg":"none","alg":"HS256"}"#, GOOD), Malformed),
        ("two names", of(r#"{"alg":"HS256","kid":"e","kid":"h"}"#, GOOD), Malformed),
        ("a header that is a text", of(r#""HS256""#, GOOD), Malformed),
        ("a header that is nothing", of("", GOOD), Malformed),
        ("rubbish behind the header", of(r#"{"alg":"HS256"}}"#, GOOD), Malformed),
        ("what must be understood", of(r#"{"alg":"HS256","crit":["exp"],"exp":1}"#, GOOD), Malformed),
        ("a payload that is not encoded", of(r#"{"alg":"HS256","b64":false}"#, GOOD), Malformed),
        ("a packed payload", of(r#"{"alg":"HS256","zip":"DEF"}"#, GOOD), Malformed),
        (
            "a key that it brings along",
            signed(
                &format!(r#"{{"alg":"EdDSA","jwk":{{"kty":"OKP","crv":"Ed25519","x":"{own}"}}}}"#),
                GOOD,
                by_own,
            ),
            Signature,
        ),
        (
            "an address of a key",
            signed(r#"{"alg":"EdDSA","jku":"https://evil.example/keys"}"#, GOOD, by_own),
            Signature,
        ),
        ("another payload", format!("{header}.{}.{signature}", b64(&admin)), Signature),
        ("another header", format!("{}.{payload}.{signature}", b64(r#"{"alg":"HS256"}"#)), Signature),
        ("no signature", format!("{header}.{payload}."), Signature),
        ("a shorter signature", format!("{header}.{payload}.{}", &signature[..40]), Signature),
        ("a longer signature", format!("{parts}AAAA"), Signature),
        ("padding", format!("{parts}="), Malformed),
        ("a space", format!("{parts} "), Malformed),
        ("a line end", format!("{header}.{payload}\n.{signature}"), Malformed),
        ("the other alphabet", format!("{header}.{payload}.{}+/", &signature[..41]), Malformed),
        ("ES256 of zeros", signed(r#"{"alg":"ES256"}"#, GOOD, |_| vec![0; 64]), Signature),
        ("RS256 of zeros", signed(r#"{"alg":"RS256"}"#, GOOD, |_| vec![0; 256]), Signature),
        ("EdDSA of zeros", signed(r#"{"alg":"EdDSA"}"#, GOOD, |_| vec![0; 64]), Signature),
        ("ES256 by HMAC", signed(r#"{"alg":"ES256"}"#, GOOD, secret()), Signature),
        ("too long", of(r#"{"alg":"HS256"}"#, &"x".repeat(6200)), TooLong),
        ("much too long", "a".repeat(1_000_000), TooLong),
    ] {
        assert_eq!(check().read(&token, NOW), Err(refusal), "{name}");
        // What no header can hold, or loses at its ends, is not asked for.
        if token.trim() == token && !token.contains('\n') {
            let asked = Asked::get("/").header("authorization", &format!("Bearer {token}"));
            assert_eq!(status_on(&Still::at(NOW), &Hooks::new().hook(check()), &asked), 401, "{name}");
        }
    }
    assert!(check().read(&good(), NOW).is_ok());
}

#[test]
fn claims_that_do_not_count_here_and_now_are_refused() {
    use Refusal::{Audience, Claims as Form, Expired, Issuer, Malformed, NotYet};
    let payload = |json: &str| of(r#"{"alg":"HS256"}"#, json);
    let ends = r#""exp":1700000600"#;
    let base = |iss: &str, aud: &str| payload(&format!(r#"{{"sub":"7","iss":{iss},"aud":{aud},{ends}}}"#));
    let id = r#""https://id.example""#;
    for (name, token, refusal) in [
        ("no end", with(r#""x":1"#), Expired),
        ("an end of null", with(r#""exp":null"#), Expired),
        ("ended, beyond the leeway", with(r#""exp":1699999940"#), Expired),
        ("ended long ago", with(r#""exp":0"#), Expired),
        ("ended before time", with(r#""exp":-1e300"#), Expired),
        ("an end that is a text", with(r#""exp":"1700000600""#), Malformed),
        ("an end beyond numbers", with(r#""exp":1e999"#), Malformed),
        ("two ends", with(r#""exp":1,"exp":1700000600"#), Malformed),
        ("begins beyond the leeway", with(&format!(r#"{ends},"nbf":1700000061"#)), NotYet),
        ("made in the future", with(&format!(r#"{ends},"iat":1700000061"#)), NotYet),
        ("another issuer", base(r#""https://evil.example""#, r#""shop""#), Issuer),
        ("an issuer with a slash", base(r#""https://id.example/""#, r#""shop""#), Issuer),
        ("no issuer", payload(&format!(r#"{{"sub":"7","aud":"shop",{ends}}}"#)), Issuer),
        ("issuers", base(r#"["https://id.example"]"#, r#""shop""#), Malformed),
        ("another audience", base(id, r#""shops""#), Audience),
        ("other audiences", base(id, r#"["a","b"]"#), Audience),
        ("an empty list", base(id, "[]"), Audience),
        ("no audience", payload(&format!(r#"{{"sub":"7","iss":{id},{ends}}}"#)), Audience),
        ("an audience of null", base(id, "null"), Audience),
        ("an audience of numbers", base(id, "[1]"), Malformed),
        ("no object", payload("[]"), Malformed),
        ("no JSON", payload("shop"), Malformed),
        ("another form", payload(&format!(r#"{{"sub":7,"iss":{id},"aud":"shop",{ends}}}"#)), Form),
    ] {
        assert_eq!(check().read(&token, NOW), Err(refusal), "{name}");
    }
}

#[test]
fn a_kind_is_compared_as_media_types_are() {
    let access = || check().kind("at+jwt");
    let typed = |typ: &str| of(&format!(r#"{{"alg":"HS256","typ":"{typ}"}}"#), GOOD);
    for (typ, counts) in [
        ("at+jwt", true),
        ("AT+JWT", true),
        ("application/at+jwt", true),
        ("JWT", false),
        ("at+jwt2", false),
        ("", false),
    ] {
        assert_eq!(access().read(&typed(typ), NOW).is_ok(), counts, "{typ}");
    }
    assert_eq!(access().read(&of(r#"{"alg":"HS256"}"#, GOOD), NOW), Err(Refusal::Kind));
}

#[test]
fn an_unnamed_token_is_tried_with_eight_keys_at_most() {
    let secrets = |at: u8| (0..at).map(|byte| Key::hs256(Secret::new([100 + byte; 32])));
    let right = || [Key::hs256(Secret::new(SECRET))];
    let token = of(r#"{"alg":"HS256"}"#, GOOD);
    assert!(Jwt::<Claims>::new(secrets(7).chain(right())).read(&token, NOW).is_ok());
    assert_eq!(Jwt::<Claims>::new(secrets(8).chain(right())).read(&token, NOW), Err(Refusal::Signature));
}

#[test]
fn a_request_is_let_through_with_its_claims_or_told_why_not() {
    let bearer = |token: &str| Asked::get("/").header("authorization", &format!("Bearer {token}"));
    let expired = with(r#""exp":1"#);
    let told = |error: &str, text: &str| {
        format!(r#"Bearer realm="shop", error="{error}", error_description="{text}""#)
    };
    let hooks = Hooks::new().hook(check().realm("shop").cookie("token"));
    for (name, asked, status, challenge) in [
        ("nothing", Asked::get("/"), 401, r#"Bearer realm="shop""#.to_owned()),
        ("another scheme", Asked::get("/").header("authorization", "Basic YTpi"), 401, {
            r#"Bearer realm="shop""#.to_owned()
        }),
        ("a word", Asked::get("/").header("authorization", "Bearer"), 401, r#"Bearer realm="shop""#.into()),
        ("expired", bearer(&expired), 401, told("invalid_token", "the token has expired")),
        ("rubbish", bearer("a"), 401, told("invalid_token", "the token is malformed")),
        (
            "twice",
            bearer(&good()).header("authorization", &format!("Bearer {}", good())),
            400,
            told("invalid_request", "Authorization is there twice"),
        ),
        (
            "twice, as a Worker is handed it",
            bearer(&format!("{}, Bearer {}", good(), good())),
            400,
            told("invalid_request", "Authorization is there twice"),
        ),
        (
            "another scheme and a token, as a Worker is handed them",
            Asked::get("/").header("authorization", &format!("Basic YTpi, Bearer {}", good())),
            400,
            told("invalid_request", "Authorization is there twice"),
        ),
        (
            "an expired cookie",
            Asked::get("/").header("cookie", &format!("token={expired}")),
            401,
            told("invalid_token", "the token has expired"),
        ),
        (
            "a header before a good cookie",
            bearer("a").header("cookie", &format!("token={}", good())),
            401,
            told("invalid_token", "the token is malformed"),
        ),
    ] {
        let answer = answer_on(&Still::at(NOW), &hooks, &asked);
        assert_eq!(answer.reply.status(), status, "{name}");
        assert_eq!(answered(&answer, "www-authenticate"), challenge, "{name}");
        assert_eq!(answered(&answer, "cache-control"), "no-store", "{name}");
        assert!(!format!("{answer:?}").contains("eyJ"), "{name}: no token is echoed");
    }
    for (name, asked) in [
        ("a header", bearer(&good())),
        ("in capitals", Asked::get("/").header("authorization", &format!("BEARER   {}", good()))),
        ("a cookie", Asked::get("/").header("cookie", &format!("token={}", good()))),
        ("Basic, and a cookie", {
            Asked::get("/").header("authorization", "Basic a").header("cookie", &format!("token={}", good()))
        }),
    ] {
        let passed = pass_on(&Still::at(NOW), &hooks, &asked);
        assert_eq!(passed.context, [("claims".into(), r#"{"sub":"7"}"#.to_owned())], "{name}");
        assert!(passed.personal, "{name}");
    }
}

#[test]
fn where_a_token_is_optional_its_absence_is_no_error_and_pages_stay_public() {
    let hooks = Hooks::new().hook(check().cookie("token").optional());
    let none = pass_on(&Still::at(NOW), &hooks, &Asked::get("/"));
    assert!(none.context.is_empty() && !none.personal);
    let cookie = Asked::get("/").header("cookie", &format!("token={}", with(r#""exp":1"#)));
    assert!(pass_on(&Still::at(NOW), &hooks, &cookie).context.is_empty());
    let bearer = Asked::get("/").header("authorization", "Bearer a");
    assert!(matches!(outcome_on(&Still::at(NOW), &hooks, &bearer), Outcome::Answer(_)));
}

#[test]
fn what_is_configured_wrongly_is_said_at_start() {
    let url = "https://id.example/keys";
    let fetched = |url: &str, algorithm| Jwt::<Claims>::fetched(url, [algorithm]);
    let whole = |jwt: Jwt<Claims>| jwt.issuer("a").audience("b");
    for (jwt, says) in [
        (Jwt::new([]), "no key"),
        (Jwt::new([Key::hs256(Secret::new("x"))]), "32 bytes"),
        (check().leeway(Duration::from_secs(301)), "300 s"),
        (check().realm("a\"b"), "quotation"),
        (whole(fetched("http://id.example/keys", Algorithm::Es256)), "https://"),
        (whole(fetched(url, Algorithm::Hs256)), "published secret"),
        (whole(Jwt::fetched(url, [])), "algorithms"),
        (fetched(url, Algorithm::Es256).issuer("a"), "audience"),
        (fetched(url, Algorithm::Es256).audience("a"), "issuer"),
    ] {
        let error = jwt.check().unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    whole(fetched(url, Algorithm::Es256)).check().unwrap();
    check().check().unwrap();
}

proptest! {
    #[test]
    fn no_change_of_one_letter_leaves_a_token_good(at in 0_usize..200, byte in 0x21_u8..0x7f) {
        let mut token = good().into_bytes();
        let at = at % token.len();
        prop_assume!(token[at] != byte);
        token[at] = byte;
        prop_assert!(check().read(&String::from_utf8(token).unwrap(), NOW).is_err());
    }

    #[test]
    fn no_text_is_a_token(text in r"[A-Za-z0-9_.=-]{0,300}", any in ".{0,100}") {
        prop_assert!(check().read(&text, NOW).is_err());
        prop_assert!(check().read(&any, NOW).is_err());
    }
}
