//! What an adapter at the edge tells the origin: what the hooks decided there, signed, so that they need not run again.
//!
//! A statement is a header, `v1.<JSON in base64url>.<HMAC-SHA-256>`. What it is for (build, method, host, path and query) is not in it,
//! but signed with it: seen on one request, it is worth nothing on another, and what the hooks of one build decided is worth
//! nothing to a server of another. It is believed for a minute.
//!
//! The origin applies what the page is to see of it. What the visitor is to be sent, the edge adds itself, so that an answer may
//! be kept at the edge before anything of one visitor is on it.

use crate::{
    Error, Variants,
    edits::{HeaderEdit, is_removal, removal},
    ready::security::Csp,
    run::{Additions, Passed},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use cookie::Cookie;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::{fmt, sync::Arc};
use tropos_core::{CanonicalPath, UnixMillis};

/// The header that carries it; on the answer, the one by which the origin says that it was `taken`.
pub const HEADER: &str = "x-tropos-edge";

/// On a request: it may be answered by this statement alone, since hooks at the origin would see another host than the visitor's.
/// Where the origin does not believe the statement, it refuses.
pub const REQUIRED: &str = "x-tropos-edge-required";

/// On an answer to a stated request: what visitors' caches are told, which the edge puts back in place. The answer itself says that
/// nobody may keep it, since it depends on the statement, which is in no cache's key.
pub const CACHE_CONTROL: &str = "x-tropos-cache-control";

/// As [`CACHE_CONTROL`], for `CDN-Cache-Control` (RFC 9213).
pub const CDN_CACHE_CONTROL: &str = "x-tropos-cdn-cache-control";

/// A statement is at most this long, in bytes: a quarter of the 64 KiB that servers read of a head. A longer one is not made, and the
/// hooks run at the origin.
pub const LONGEST: usize = 16 * 1024;

/// A statement is believed for this long, in milliseconds: as long as a request waits at most on its way.
pub const LIFE: u64 = 60_000;

/// Clocks of edge and origin may differ by this much, in milliseconds.
pub const LEEWAY: u64 = 60_000;

/// A key is at least this long, in characters: as the server's other secrets.
pub const SHORTEST_KEY: usize = 16;

/// Keys are at most this many: one in use, one on its way in, one on its way out, and one forgotten.
pub const MOST_KEYS: usize = 4;

/// What a statement is signed for.
#[derive(Debug, Clone, Copy)]
pub struct Bound<'a> {
    /// The build's id. Hooks of another build may have decided otherwise: what they let through is not what these guard.
    pub build: &'a str,
    /// The method.
    pub method: &'a str,
    /// The host that the request to the origin names, with its port.
    pub host: &'a str,
    /// The path as the request names it.
    pub path: &'a CanonicalPath,
    /// The query as the request has it, without its question mark.
    pub query: &'a str,
}

/// The keys that edge and origin share. The first signs; each verifies.
#[derive(Clone)]
pub struct Keys(Arc<[Hmac<Sha256>]>);

impl Keys {
    /// Reads keys that are separated by commas: a new one is put before the old one, which goes once both sides have the new one.
    ///
    /// # Errors
    /// [`Error::Limit`] where there is none, one is shorter than [`SHORTEST_KEY`], or there are more than [`MOST_KEYS`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        let keys: Vec<&str> = text.split(',').map(str::trim).collect();
        if keys.len() > MOST_KEYS || keys.iter().any(|key| key.chars().count() < SHORTEST_KEY) {
            return Err(Error::Limit(
                "the edge's secret is one to four secrets of at least 16 characters, separated by commas",
            ));
        }
        let macs = keys.iter().filter_map(|key| Hmac::new_from_slice(key.as_bytes()).ok());
        Ok(Self(macs.collect()))
    }

    /// The first key's tag.
    fn sign(&self, bound: Bound<'_>, payload: &str) -> Option<String> {
        let tag = told(self.0.first()?.clone(), bound, payload).finalize().into_bytes();
        Some(URL_SAFE_NO_PAD.encode(tag))
    }

    /// Whether some key made the tag, in a time that does not tell how much of it is right.
    fn verify(&self, bound: Bound<'_>, payload: &str, tag: &[u8]) -> bool {
        self.0.iter().any(|key| told(key.clone(), bound, payload).verify_slice(tag).is_ok())
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(..)")
    }
}

/// Has the mac see all that is signed, each part behind its length, so that no two requests are signed alike.
fn told(mut mac: Hmac<Sha256>, bound: Bound<'_>, payload: &str) -> Hmac<Sha256> {
    let host = bound.host.to_ascii_lowercase();
    // A Worker is not told the port that the scheme has anyway (WHATWG URL §4.4), which a client may have named all the same.
    let host = host.strip_suffix(":80").or_else(|| host.strip_suffix(":443")).unwrap_or(&host);
    let slash = if bound.path.has_trailing_slash() { "/" } else { "" };
    let target = [bound.path.as_str(), slash, bound.query];
    let parts =
        ["tropos edge statement", bound.build, bound.method, host].into_iter().chain(target).chain([payload]);
    for part in parts {
        mac.update(&(part.len() as u64).to_le_bytes());
        mac.update(part.as_bytes());
    }
    mac
}

/// Why a statement is not believed. Said in logs alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// It is longer than [`LONGEST`], or not in the form of a statement.
    #[error("is no statement")]
    Form,
    /// No key made it for this request.
    #[error("was signed by another key, for another request, or by the Worker of another build")]
    Signature,
    /// It is older than [`LIFE`] and [`LEEWAY`] allow, or of the future.
    #[error("is of another time: look at both clocks")]
    Time,
}

/// What the edge decided. Short names: it travels with every request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)] // What an older origin would not apply, it does not believe.
pub struct Statement {
    #[serde(rename = "t")]
    time: UnixMillis,
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(rename = "q", default, skip_serializing_if = "Option::is_none")]
    query: Option<String>,
    #[serde(rename = "v", default, skip_serializing_if = "Vec::is_empty")]
    variants: Vec<(String, String)>,
    #[serde(rename = "c", default, skip_serializing_if = "Vec::is_empty")]
    context: Vec<(String, String)>,
    #[serde(rename = "h", default, skip_serializing_if = "Vec::is_empty")]
    headers: Vec<Edit>,
    /// `None`: taken away.
    #[serde(rename = "k", default, skip_serializing_if = "Vec::is_empty")]
    cookies: Vec<(String, Option<String>)>,
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    csp: Option<Csp>,
    /// What a purge is for; of no page.
    #[serde(rename = "g", default, skip_serializing_if = "Vec::is_empty")]
    purge: Vec<String>,
}

/// A change of headers: `=`, `+` or `-`, name, value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit(char, String, String);

impl Edit {
    /// The header's name, in small letters.
    pub fn name(&self) -> &str {
        &self.1
    }

    /// As they are written, of a set each header for itself. `None` where a value is no UTF-8, which no hook can write.
    pub fn of(edit: &HeaderEdit) -> Option<Vec<Self>> {
        let one = |sign, name: &HeaderName, value: &HeaderValue| {
            Some(Self(sign, name.to_string(), String::from_utf8(value.as_bytes().to_vec()).ok()?))
        };
        match edit {
            HeaderEdit::Set(name, value) => Some(vec![one('=', name, value)?]),
            HeaderEdit::Append(name, value) => Some(vec![one('+', name, value)?]),
            HeaderEdit::Remove(name) => Some(vec![Self('-', name.to_string(), String::new())]),
            HeaderEdit::SetAll(set) => set.iter().map(|(name, value)| one('=', name, value)).collect(),
        }
    }

    fn read(self) -> Option<HeaderEdit> {
        let name = HeaderName::from_bytes(self.1.as_bytes()).ok()?;
        let value = HeaderValue::from_bytes(self.2.as_bytes()).ok()?;
        Some(match self.0 {
            '=' => HeaderEdit::Set(name, value),
            '+' => HeaderEdit::Append(name, value),
            '-' => HeaderEdit::Remove(name),
            _ => return None,
        })
    }
}

impl Statement {
    /// What is to be told of a request that the hooks let through. `None` where it cannot be written.
    pub fn of(passed: &Passed, now: UnixMillis) -> Option<Self> {
        let cookie = |cookie: &Cookie<'_>| {
            let value = (!is_removal(cookie)).then(|| cookie.value().to_owned());
            (cookie.name().to_owned(), value)
        };
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let path = passed.path.as_ref().map(|path| {
            let slash = if path.has_trailing_slash() { "/" } else { "" };
            format!("{}{slash}", path.as_str())
        });
        Some(Self {
            time: now,
            path,
            query: passed.query.clone(),
            variants: passed.variants.iter().map(owned).collect(),
            context: passed.context.iter().map(|(name, json)| (name.to_string(), json.clone())).collect(),
            headers: passed.request.iter().map(Edit::of).collect::<Option<Vec<_>>>()?.concat(),
            cookies: passed.response.cookies.iter().map(cookie).collect(),
            csp: passed.csp.as_deref().cloned(),
            purge: Vec::new(),
        })
    }

    /// That entries of these tags are to be forgotten at the edge.
    pub fn purge(tags: impl IntoIterator<Item = impl Into<String>>, now: UnixMillis) -> Self {
        Self { time: now, purge: tags.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// Which tags are to be forgotten.
    pub fn purged(&self) -> &[String] {
        &self.purge
    }

    /// Writes and signs it. `None` where it would be longer than [`LONGEST`].
    pub fn sign(&self, keys: &Keys, bound: Bound<'_>) -> Option<String> {
        let payload = URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).ok()?);
        let text = format!("v1.{payload}.{}", keys.sign(bound, &payload)?);
        (text.len() <= LONGEST).then_some(text)
    }

    /// Reads a statement that some key signed for this very request, a minute ago at most.
    ///
    /// # Errors
    /// Why it is not believed.
    pub fn verify(text: &[u8], keys: &Keys, bound: Bound<'_>, now: UnixMillis) -> Result<Self, Refused> {
        if text.len() > LONGEST {
            return Err(Refused::Form);
        }
        let text = std::str::from_utf8(text).map_err(|_| Refused::Form)?;
        let signed = text.strip_prefix("v1.").and_then(|rest| rest.split_once('.'));
        let (payload, tag) = signed.ok_or(Refused::Form)?;
        let tag = URL_SAFE_NO_PAD.decode(tag).map_err(|_| Refused::Form)?;
        // Nothing is read of what nobody signed.
        if !keys.verify(bound, payload, &tag) {
            return Err(Refused::Signature);
        }
        let json = URL_SAFE_NO_PAD.decode(payload).map_err(|_| Refused::Form)?;
        let this: Self = serde_json::from_slice(&json).map_err(|_| Refused::Form)?;
        let in_time =
            now <= this.time.saturating_add(LIFE + LEEWAY) && this.time <= now.saturating_add(LEEWAY);
        if in_time { Ok(this) } else { Err(Refused::Time) }
    }

    /// What the origin is to do, as if its own hooks had said it. The cookies are for the page alone; and nothing is added to the answer.
    ///
    /// # Errors
    /// [`Refused::Form`] where a part of it is no header, or no path.
    pub fn into_passed(self) -> Result<Passed, Refused> {
        let path = self.path.as_deref().map(CanonicalPath::parse).transpose().map_err(|_| Refused::Form)?;
        let headers = self.headers.into_iter().map(Edit::read).collect::<Option<_>>().ok_or(Refused::Form)?;
        let cookie = |(name, value): (String, Option<String>)| match value {
            Some(value) => Cookie::new(name, value),
            None => removal(&name),
        };
        let cookies = self.cookies.into_iter().map(cookie).collect();
        Ok(Passed {
            path,
            query: self.query,
            request: headers,
            response: Additions { headers: Vec::new(), cookies },
            variants: Variants::told(self.variants),
            context: self.context.into_iter().map(|(name, json)| (name.into(), json)).collect(),
            csp: self.csp.map(Arc::new),
            ..Passed::default()
        })
    }
}
