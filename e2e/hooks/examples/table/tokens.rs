//! What cannot stand in a table, since it is made of the time: `{session editor}`, `{jwt ann}`.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use tropos_core::{Clock as _, SystemClock};
use tropos_hooks::hooks::{TOKEN_SECRET, User, old_sessions, sessions};

const DAY: u64 = 24 * 3600 * 1000;

/// Puts tokens in place of what names them.
pub fn fill(value: &str) -> String {
    let mut out = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else { break };
        out.push_str(before);
        out.push_str(&token(name));
        rest = after;
    }
    out + rest
}

fn token(name: &str) -> String {
    let words: Vec<&str> = name.split(' ').collect();
    match words.as_slice() {
        ["session", role, how @ ..] => session(role, how),
        ["jwt", sub, how @ ..] => jwt(sub, how),
        ["long", length] => "a".repeat(length.parse().unwrap_or_default()),
        _ => format!("{{{name}}}"),
    }
}

/// A session of somebody with this role.
fn session(role: &str, how: &[&str]) -> String {
    let now = SystemClock::new().wall();
    let user = User { name: "ann".to_owned(), role: role.to_owned() };
    let (sessions, at) = match how {
        ["due"] => (sessions(), now - 4 * DAY),
        ["expired"] => (sessions(), now - 8 * DAY),
        ["future"] => (sessions(), now + DAY),
        ["old-key"] => (old_sessions(), now),
        ["other-purpose"] => (sessions().purpose("something else"), now),
        _ => (sessions(), now),
    };
    let cookie = sessions.issue(&user, at).map(|cookie| cookie.value().to_owned()).unwrap_or_default();
    match how {
        // The last byte of the payload is another one.
        ["forged"] => {
            let (payload, tag) = cookie.rsplit_once('.').unwrap_or_default();
            let other = if payload.ends_with('A') { "B" } else { "A" };
            format!("{}{other}.{tag}", payload.get(..payload.len() - 1).unwrap_or_default())
        }
        ["cut"] => cookie.get(..cookie.len() - 1).unwrap_or_default().to_owned(),
        _ => cookie,
    }
}

/// A token as the issuer makes them, but for what is said.
fn jwt(sub: &str, how: &[&str]) -> String {
    let now = SystemClock::new().wall() / 1000;
    let mut header = json!({"alg": "HS256", "kid": "2026", "typ": "at+jwt"});
    let mut claims =
        json!({"sub": sub, "iss": "https://id.example", "aud": "shop", "exp": now + 600, "iat": now});
    let mut secret = TOKEN_SECRET;
    let set = |of: &mut Value, name: &str, value: Value| {
        if let Some(object) = of.as_object_mut() {
            object.insert(name.to_owned(), value);
        }
    };
    match how {
        ["expired"] => set(&mut claims, "exp", json!(now - 61)),
        ["within-leeway"] => set(&mut claims, "exp", json!(now - 30)),
        ["forever"] => set(&mut claims, "exp", Value::Null),
        ["later"] => set(&mut claims, "nbf", json!(now + 120)),
        ["other-issuer"] => set(&mut claims, "iss", json!("https://evil.example")),
        ["other-audience"] => set(&mut claims, "aud", json!(["bank", "blog"])),
        ["many-audiences"] => set(&mut claims, "aud", json!(["bank", "shop"])),
        ["other-kind"] => set(&mut header, "typ", json!("JWT")),
        ["other-key"] => set(&mut header, "kid", json!("2025")),
        ["no-key-named"] => drop(header.as_object_mut().map(|header| header.remove("kid"))),
        ["none"] => set(&mut header, "alg", json!("none")),
        ["other-algorithm"] => set(&mut header, "alg", json!("RS256")),
        ["other-secret"] => secret = "the secret of somebody else altogether",
        ["critical"] => set(&mut header, "crit", json!(["b64"])),
        _ => {}
    }
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&header), part(&claims));
    if how == ["none"] {
        return format!("{signed}.");
    }
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map(|mut mac| {
        mac.update(signed.as_bytes());
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    });
    format!("{signed}.{}", mac.unwrap_or_default())
}
