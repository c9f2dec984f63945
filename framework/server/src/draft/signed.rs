//! What is signed: the cookie, and the link that sets it.

use super::cookie_name;
use cookie::Cookie;
use std::{sync::Arc, time::Duration};
use tropos_core::{Clock, UnixMillis};

/// A cookie is good for this long: a working day, so that an editor signs in each morning and a browser that was left
/// behind shows no drafts the next day.
const COOKIE_LIFE: Duration = Duration::from_secs(8 * 3600);

/// A link is good for this long: it is opened right after it was made, and ends up in histories and logs.
const LINK_LIFE: Duration = Duration::from_secs(600);

/// Keeps this key apart from any other that somebody makes of the same secret.
const CONTEXT: &str = "tropos 2026-10-01 drafts: cookies and links";

/// Signs, and checks what was signed. Cloning gives another handle on the same.
#[derive(Clone)]
pub(crate) struct Drafts {
    key: [u8; 32],
    clock: Arc<dyn Clock>,
}

impl Drafts {
    pub(crate) fn new(secret: &str, clock: Arc<dyn Clock>) -> Self {
        Self { key: blake3::derive_key(CONTEXT, secret.as_bytes()), clock }
    }

    /// The cookie. `HttpOnly`, `SameSite` and `Path` are added where it is set.
    pub(crate) fn cookie(&self, secure: bool) -> Cookie<'static> {
        let until = self.until(COOKIE_LIFE);
        let value = format!("{until}.{}", self.mac("cookie", until, ""));
        let mut cookie = Cookie::new(cookie_name(secure), value);
        cookie.set_max_age(cookie::time::Duration::seconds(
            i64::try_from(COOKIE_LIFE.as_secs()).unwrap_or(i64::MAX),
        ));
        cookie
    }

    /// Whether the value is one that this secret signed and that has not expired.
    pub(crate) fn accepts(&self, value: &str) -> bool {
        value.split_once('.').is_some_and(|(until, mac)| self.is_good("cookie", until, "", mac))
    }

    /// An address that sets the cookie and leads on to `to`; `None` where that is no path of this site.
    pub(crate) fn link(&self, to: &str) -> Option<String> {
        if !is_local(to) {
            return None;
        }
        let until = self.until(LINK_LIFE);
        let mac = self.mac("link", until, to);
        let query = serde_urlencoded::to_string([("to", to), ("until", &until.to_string()), ("sign", &mac)]);
        Some(format!("/_tropos/draft?{}", query.ok()?))
    }

    /// Where the link with this query leads, if it is good.
    pub(crate) fn open(&self, query: &str) -> Option<String> {
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).ok()?;
        let of = |name: &str| pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let (to, until, mac) = (of("to")?, of("until")?, of("sign")?);
        (self.is_good("link", until, to, mac) && is_local(to)).then(|| to.to_owned())
    }

    /// Seconds since 1970.
    fn until(&self, life: Duration) -> u64 {
        seconds(self.clock.wall()).saturating_add(life.as_secs())
    }

    /// Each part is preceded by its length, so that no two run together to the same text.
    fn mac(&self, kind: &str, until: u64, to: &str) -> String {
        let mut hash = blake3::Hasher::new_keyed(&self.key);
        hash.update(&kind.len().to_le_bytes()).update(kind.as_bytes());
        hash.update(&until.to_le_bytes()).update(to.as_bytes());
        hash.finalize().to_hex().to_string()
    }

    fn is_good(&self, kind: &str, until: &str, to: &str, mac: &str) -> bool {
        let (Ok(until), Ok(given)) = (until.parse(), blake3::Hash::from_hex(mac)) else { return false };
        let own = blake3::Hash::from_hex(self.mac(kind, until, to));
        // Comparing hashes takes the same time wherever they differ.
        own.is_ok_and(|own| own == given) && seconds(self.clock.wall()) < until
    }
}

const fn seconds(wall: UnixMillis) -> u64 {
    wall / 1000
}

/// Whether `to` is a path of this site, and to every browser: not `//evil`, `/\evil` or `/\t/evil`.
fn is_local(to: &str) -> bool {
    to.starts_with('/') && crate::dispatch::location(to).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tropos_core::ManualClock;

    fn drafts(secret: &str) -> (Drafts, ManualClock) {
        let clock = ManualClock::new();
        (Drafts::new(secret, Arc::new(clock.clone())), clock)
    }

    #[test]
    fn a_cookie_is_good_for_eight_hours_and_only_as_it_was_signed() {
        let (own, clock) = drafts("a long secret of this site");
        let (other, _) = drafts("a long secret of another one");
        let cookie = own.cookie(true).value().to_owned();
        assert!(own.accepts(&cookie) && !other.accepts(&cookie));
        let (until, mac) = cookie.split_once('.').unwrap();
        let later = until.parse::<u64>().unwrap() + 3600;
        let cut = &mac[1..];
        for forged in [
            "",
            ".",
            "1",
            until,
            &format!("{later}.{mac}"),
            &format!("{until}.{cut}"),
            &format!("{until}.{}", "0".repeat(64)),
            &format!("+{until}.{mac}x"),
            &format!("{until}.{mac}.{mac}"),
        ] {
            assert!(!own.accepts(forged), "{forged}");
        }
        clock.advance(COOKIE_LIFE - Duration::from_secs(1));
        assert!(own.accepts(&cookie));
        clock.advance(Duration::from_secs(1));
        assert!(!own.accepts(&cookie));
    }

    #[test]
    fn a_link_is_good_for_ten_minutes_and_leads_where_it_was_signed_to() {
        let (own, clock) = drafts("a long secret of this site");
        let link = own.link("/blog/a b?page=2&x=ä").unwrap_or_default();
        assert_eq!(link, "", "a blank is no part of an address");
        let link = own.link("/blog/a?page=2&x=1").unwrap();
        let query = link.strip_prefix("/_tropos/draft?").unwrap();
        assert_eq!(own.open(query).as_deref(), Some("/blog/a?page=2&x=1"));
        assert_eq!(own.open(&query.replace("blog", "blogs")), None);
        let cookie = own.cookie(false).value().to_owned();
        let (until, mac) = cookie.split_once('.').unwrap();
        assert_eq!(own.open(&format!("to=&until={until}&sign={mac}")), None, "a cookie is no link");
        clock.advance(LINK_LIFE);
        assert_eq!(own.open(query), None);
        for to in ["//evil", "/\\evil", "https://evil", "/\t/evil", "", "javascript:x"] {
            assert_eq!(own.link(to), None, "{to:?}");
        }
    }
}
