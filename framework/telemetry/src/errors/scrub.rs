//! What is taken out of every text before it leaves: whatever may say who a visitor is, or open a door.
//!
//! Rules err on the side of taking out too much. They know forms, not meanings: a name in a sentence stays. So errors had
//! better not carry values of visitors at all, and the framework's own do not.

use regex::{Captures, Regex};
use std::{borrow::Cow, net::Ipv6Addr, sync::LazyLock};

/// A form, and what takes its place.
struct Rule {
    form: &'static str,
    instead: Instead,
}

enum Instead {
    /// With `$1` for the first group.
    Text(&'static str),
    /// Only where the function says so, and only of the group `it` where there is one.
    If(fn(&str) -> bool, &'static str),
}
use Instead::{If, Text};

/// In the order in which they run: those that take much first, so that nothing is left over from a part.
const RULES: &[Rule] = &[
    // Private keys and certificates.
    Rule {
        form: r"-----BEGIN [A-Z0-9 ]+-----[\s\S]*?(?:-----END [A-Z0-9 ]+-----|$)",
        instead: Text("[key]"),
    },
    // Header lines, to their end: a cookie's value may hold anything.
    Rule {
        form: r#"(?i)\b((?:proxy-)?authorization|(?:set-)?cookie2?|x-api-key|x-auth-token|x-csrf-token|x-forwarded-for|x-real-ip|forwarded|cf-connecting-ip|true-client-ip)\b["'\\]*\s*[:=]>?\s*[^\r\n]*"#,
        instead: Text("$1: [removed]"),
    },
    Rule { form: r"(?i)\b(bearer|digest)\s+[A-Za-z0-9+/=._~-]{8,}", instead: Text("$1 [removed]") },
    // Both are words as well.
    Rule {
        form: r"(?i)\b(?:basic|token)\s+(?P<it>[A-Za-z0-9+/=._~-]{8,})",
        instead: If(is_credential, "[removed]"),
    },
    // Users and passwords of addresses.
    Rule { form: r#"([A-Za-z][A-Za-z0-9+.-]*://)[^/\s"'<>?#]*@"#, instead: Text("$1") },
    // Queries and fragments of addresses and paths.
    Rule { form: r#"(/[^\s?#"'<>(){}|]*)\?[^\s"'<>)}|]*"#, instead: Text("$1?[removed]") },
    Rule { form: r#"(://[^\s#"'<>(){}|]*)#[^\s"'<>)}|]*"#, instead: Text("$1#[removed]") },
    // What a database says of a row: `Key (email)=(…) already exists`.
    Rule { form: r"(\([^()\n]{1,200}\)=)\([^)\n]*\)?", instead: Text("$1([removed])") },
    // Forms as they are sent: at least two fields, or one that is encoded.
    Rule { form: r"[\w.%+\[\]-]+=[^\s&]*(?:&[\w.%+\[\]-]+=[^\s&]*)+", instead: Text("[form]") },
    // Fields that hold secrets or persons, in whatever notation.
    Rule {
        form: r#"(?i)\b([\w.-]*(?:passw(?:or)?d|passphrase|passwd|pwd|secret|token|api[_-]?key|private[_-]?key|session(?:[_-]?id)?|credential|csrf|xsrf|otp|cvv|cvc|iban|ssn|card(?:[_-]?n(?:umber|o))?|e-?mail|phone|mobile|street|postcode|zip(?:code)?|birth(?:day|date)?|first[_-]?name|last[_-]?name|full[_-]?name|surname|user[_-]?name))["'\\]*\s*(?:[:=]>?|:\s*Some\()\s*(?:\\?"(?:[^"\\]|\\[^"])*\\?"?|'[^']*'?|[^\s,;&}\])]+)"#,
        instead: Text("$1=[removed]"),
    },
    // Addresses of persons; also percent-encoded.
    Rule {
        form: r"[\p{L}\p{N}.!#$%&'*+/=?^_`{|}~-]+(?:@|%40)[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)*\.\p{L}{2,}",
        instead: Text("[email]"),
    },
    // Signed tokens.
    Rule { form: r"\beyJ[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*){0,4}", instead: Text("[token]") },
    // Addresses of machines, and so of homes.
    Rule {
        form: r"(?i)(?:^|[^\w:])(?P<it>(?:[0-9a-f]{0,4}:){2,7}(?:(?:\d{1,3}\.){3}\d{1,3}|[0-9a-f]{1,4})?)(?:$|[^\w:])",
        instead: If(is_ipv6, "[ip]"),
    },
    Rule { form: r"\b(?:\d{1,3}\.){3}\d{1,3}\b(?::\d{1,5}\b)?", instead: Text("[ip]") },
    // Numbers of accounts, cards and telephones.
    Rule {
        form: r"\b[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,4})?\b",
        instead: Text("[number]"),
    },
    Rule { form: r"\b\d(?:[ -]?\d){12,18}\b", instead: If(is_card, "[number]") },
    Rule { form: r"\+\d[\d ()/.-]{6,}\d", instead: Text("[phone]") },
    // Whatever is as long and as random as a session's name: 128 bits and more.
    Rule { form: r"(?i)\b[0-9a-f]{32,}\b", instead: Text("[token]") },
    Rule { form: r"[A-Za-z0-9+/_-]{40,}={0,2}", instead: If(is_random, "[token]") },
    // Who compiled or runs it.
    Rule { form: r"(?:/home|/Users)/[^/\s]+|(?i:[a-z]:\\Users\\[^\\\s]+)", instead: Text("~") },
];

static COMPILED: LazyLock<Vec<(Regex, &'static Instead)>> = LazyLock::new(|| {
    RULES.iter().filter_map(|rule| Some((Regex::new(rule.form).ok()?, &rule.instead))).collect()
});

/// The text without what may be personal or secret: headers, cookies, tokens, passwords, queries of addresses, forms, e-mail
/// and IP addresses, numbers of cards and telephones. Each is replaced by a word in brackets.
///
/// ```
/// use tropos_telemetry::errors::scrub;
/// assert_eq!(scrub("no basket for ada@example.org at /basket?step=2"), "no basket for [email] at /basket?[removed]");
/// ```
pub fn scrub(text: &str) -> String {
    let clean = COMPILED.iter().fold(Cow::Borrowed(text), |text, (form, instead)| {
        let replaced = match instead {
            Text(with) => form.replace_all(&text, *with),
            If(is, with) => form.replace_all(&text, |found: &Captures<'_>| {
                let whole = found.get(0).map_or("", |found| found.as_str());
                let it = found.name("it").map_or(whole, |it| it.as_str());
                if is(it) { whole.replacen(it, with, 1) } else { whole.to_owned() }
            }),
        };
        match replaced {
            // What was found is owned; what was not needs no copy.
            Cow::Owned(new) => Cow::Owned(new),
            Cow::Borrowed(_) => text,
        }
    });
    clean.into_owned()
}

/// Whether it reads as an address, and is none of the paths of Rust that look alike.
fn is_ipv6(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_hexdigit).count();
    digits >= 2 && text.bytes().any(|byte| byte.is_ascii_digit()) && text.parse::<Ipv6Addr>().is_ok()
}

/// Whether the digits pass the check of card numbers (ISO/IEC 7812-1, Luhn).
fn is_card(text: &str) -> bool {
    let digits = text.bytes().rev().filter(u8::is_ascii_digit).map(|digit| u32::from(digit - b'0'));
    let sum: u32 = digits
        .enumerate()
        .map(|(at, digit)| match at % 2 {
            0 => digit,
            _ => digit * 2 / 10 + digit * 2 % 10,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Whether it is no word.
fn is_credential(text: &str) -> bool {
    text.len() >= 20 || text.bytes().any(|byte| byte.is_ascii_digit() || byte == b'=')
}

/// Whether capitals, small letters and digits are mixed, as in no word, name of a file or path.
fn is_random(text: &str) -> bool {
    let has = |is: fn(&u8) -> bool| text.bytes().filter(is).count() >= 3;
    has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_rule_is_one() {
        assert_eq!(COMPILED.len(), RULES.len());
    }

    #[test]
    fn planted_secrets_are_taken_out() {
        // The text, and what must not be left of it.
        for (name, text, secrets) in [
            ("header", "Authorization: Bearer abc.def-ghi\nnext", &["abc.def"][..]),
            ("header in a map", r#"{"authorization": "Bearer s3cr3tvalue", "a": 1}"#, &["s3cr3t"]),
            ("basic", "asked with Basic dXNlcjpwYXNzd29yZA==", &["dXNlcjp"]),
            ("cookie", "cookie: session=planted-1; theme=dark", &["planted-1", "dark"]),
            ("cookie in debug", r#""cookie": "a=planted-2; b=planted-3""#, &["planted-2", "planted-3"]),
            ("set-cookie", "set-cookie: id=planted-4; Path=/", &["planted-4"]),
            ("forwarded", "X-Forwarded-For: 203.0.113.7, 10.0.0.1", &["203.0.113.7", "10.0.0.1"]),
            ("query", "GET https://shop.example/find?q=planted-5&page=2 gave 500", &["planted-5", "page=2"]),
            ("query of a path", "/find?name=planted-6 failed", &["planted-6"]),
            ("query with a space after", "at `/a/b?x=planted-7`, then", &["planted-7"]),
            ("fragment", "https://shop.example/#access=planted-8", &["planted-8"]),
            ("user of an address", "postgres://ada:planted-9@db/shop is down", &["ada", "planted-9"]),
            ("password with an at sign", "redis://:p@planted-10@r:6379", &["planted-10"]),
            ("e-mail", "no user Ada.Lovelace+shop@mail.example.org", &["Lovelace", "mail.example"]),
            ("e-mail of another script", "kein Konto für jörg@bücher.example", &["jörg", "bücher"]),
            ("encoded e-mail", "ada%40example.org", &["ada"]),
            ("e-mail in brackets", "<ada@example.org>", &["ada@"]),
            ("address", "refused 198.51.100.23:5432", &["198.51"]),
            ("address of six", "from 2001:db8::8a2e:370:7334 and [fe80::1]:80", &["2001:db8", "fe80"]),
            ("mapped address", "::ffff:198.51.100.23", &["198.51", "ffff"]),
            ("form", "body: name=Ada&street=Planted+11&city=London", &["Ada", "Planted", "London"]),
            ("field", "password=planted-12", &["planted-12"]),
            ("field in JSON", r#"{"password":"planted 13","n":1}"#, &["planted 13"]),
            ("field in escaped JSON", r#"body {\"email\":\"planted-14\",\"n\":1}"#, &["planted-14"]),
            ("field in Debug", r#"User { user_name: "planted-15", id: 3 }"#, &["planted-15"]),
            ("field in Debug of Option", r#"phone: Some("planted-16")"#, &["planted-16"]),
            ("field with a prefix", "stripe_api_key: planted17", &["planted17"]),
            ("open string", r#"secret="planted 18"#, &["planted 18"]),
            ("signed token", "token was eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", &["eyJhbGci", "c2ln"]),
            ("session's name", "no session 0123456789abcdef0123456789abcdef", &["0123456789abcdef"]),
            ("random", "key Zm9vYmFyMTIzNDU2Nzg5MFRoaXNJc0xvbmdFbm91Z2g= is unknown", &["Zm9vYmFy"]),
            ("card", "4111 1111 1111 1111 was declined", &["4111", "1111"]),
            ("card without spaces", "card 5555555555554444", &["5555"]),
            ("account", "DE89 3704 0044 0532 0130 00 bounced", &["3704", "0130"]),
            ("telephone", "call +44 (20) 7946-0958", &["7946"]),
            ("a row", "Key (email, name)=(planted-19, x) already exists", &["planted-19"]),
            (
                "private key",
                "-----BEGIN PRIVATE KEY-----\nplanted20\n-----END PRIVATE KEY-----",
                &["planted20"],
            ),
            ("half a key", "-----BEGIN EC PRIVATE KEY-----\nplanted21", &["planted21"]),
            ("home", concat!("/Use", "rs/ada/shop/src/main.rs, C:\\Users\\bob\\shop"), &["ada", "bob"]),
        ] {
            let clean = scrub(text);
            for secret in secrets {
                assert!(!clean.contains(secret), "{name}: `{secret}` is left in `{clean}`");
            }
        }
    }

    #[test]
    fn nobody_is_named_by_a_home_of_linux() {
        assert_eq!(scrub(&["", "home", "ada", "src", "main.rs"].join("/")), "~/src/main.rs");
    }

    #[test]
    fn what_helps_to_find_the_error_stays() {
        for text in [
            "the render panicked: index out of bounds: the len is 3 but the index is 7",
            "called `Option::unwrap()` on a `None` value",
            "no such table: products",
            "src/pages/product.rs:12:5",
            "core::fmt::Display for abc::def, sha2::digest",
            "connection refused (os error 111)",
            "GET /products/:id answered 500",
            "unexpected token identifier, basic arithmetic",
            "expected `,` or `}` at line 1 column 42",
            "took 1234567890123 ns",
            "app 1.2.3 of 2026-11-23T12:00:00Z",
            "relation \"orders\" does not exist",
            "ResizeObserver loop completed with undelivered notifications.",
        ] {
            assert_eq!(scrub(text), text);
        }
    }

    proptest! {
        /// Scrubbing twice is scrubbing once as far as secrets go, and no text makes it fail.
        #[test]
        fn any_text_is_scrubbed(text in "\\PC{0,200}") {
            let _ = scrub(&text);
        }

        #[test]
        fn an_address_is_found_wherever_it_stands(before in "[ a-z(<,;:\"']{0,20}", after in "[ )>,;\"'\n]{0,3}") {
            let clean = scrub(&format!("{before} ada.lovelace@example.org{after}"));
            prop_assert!(!clean.contains("lovelace"), "{}", clean);
        }
    }
}
