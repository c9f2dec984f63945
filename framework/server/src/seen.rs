//! The cookie by which visitors read their own writes.
//!
//! It says how far the database's log had come after what the visitor wrote: a replica answers their next reads once it
//! has come as far, on whatever instance. It is signed, since a forged one would send all reads to the primary.

use cookie::{Cookie, SameSite};
use http::{HeaderMap, header};
use std::{fmt, sync::Arc, time::Duration};
use tropos_core::{Clock, Positions};

/// How long it is good for. A replica that is further behind than ten seconds is left out anyway; an hour covers every
/// fail-over and every clock that is a little off.
const LIFE: Duration = Duration::from_secs(3600);

/// Keeps this key apart from any other that is made of the same secret.
const CONTEXT: &str = "tropos 2026-11-23 positions: what a visitor has written";

/// Digits of the signature: 128 bits.
const SIGNATURE: usize = 32;

/// A longer cookie is none: all shards with their positions take less.
const LONGEST: usize = 2048;

/// Signs, and reads what was signed.
pub(crate) struct Seen {
    key: [u8; 32],
    clock: Arc<dyn Clock>,
}

impl Seen {
    /// `database_url` is what all instances know and nobody else does: its user, password and database, not its host,
    /// which instances may spell differently.
    pub(crate) fn new(database_url: &str, clock: Arc<dyn Clock>) -> Self {
        let rest = database_url.split_once("://").map_or(database_url, |(_, rest)| rest);
        let (user, place) = rest.rsplit_once('@').unwrap_or(("", rest));
        let name = place.split_once('/').map_or("", |(_, name)| name.split('?').next().unwrap_or_default());
        Self { key: blake3::derive_key(CONTEXT, format!("{user}/{name}").as_bytes()), clock }
    }

    /// The cookie that says so, as the value of a `Set-Cookie` header.
    pub(crate) fn cookie(&self, positions: &Positions, secure: bool) -> String {
        let until = self.clock.wall() / 1000 + LIFE.as_secs();
        let signed = format!("{until}.{positions}");
        let mut cookie = Cookie::new(name(secure), format!("{signed}.{}", self.signature(&signed)));
        cookie
            .set_max_age(cookie::time::Duration::seconds(i64::try_from(LIFE.as_secs()).unwrap_or(i64::MAX)));
        cookie.set_http_only(true);
        cookie.set_same_site(SameSite::Lax);
        cookie.set_path("/");
        cookie.set_secure(secure);
        cookie.to_string()
    }

    /// What a visitor has written. Of several cookies, as a neighbouring host may plant, all that are signed count.
    pub(crate) fn read(&self, headers: &HeaderMap, secure: bool) -> Positions {
        let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
        let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let mut seen = Positions::default();
        for (_, value) in pairs.filter(|(known, _)| *known == name(secure)).take(4) {
            if let Some(positions) = self.accept(value) {
                seen.merge(&positions);
            }
        }
        seen
    }

    fn accept(&self, value: &str) -> Option<Positions> {
        let (signed, signature) = value.rsplit_once('.').filter(|_| value.len() <= LONGEST)?;
        let (until, positions) = signed.split_once('.')?;
        // Hashes of both, so that the comparison takes the same time wherever they differ.
        let good = blake3::hash(signature.as_bytes()) == blake3::hash(self.signature(signed).as_bytes());
        (good && until.parse().is_ok_and(|until: u64| self.clock.wall() / 1000 < until))
            .then(|| positions.parse().ok())?
    }

    fn signature(&self, signed: &str) -> String {
        let hash = blake3::keyed_hash(&self.key, signed.as_bytes()).to_hex();
        hash.as_str().get(..SIGNATURE).unwrap_or_default().to_owned()
    }
}

/// Browsers take the prefixed name from this very host alone (RFC 6265bis §4.1.3.2).
const fn name(secure: bool) -> &'static str {
    if secure { "__Host-tropos_seen" } else { "tropos_seen" }
}

impl fmt::Debug for Seen {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seen")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tropos_core::ManualClock;

    fn seen(url: &str) -> (Seen, ManualClock) {
        let clock = ManualClock::new();
        (Seen::new(url, Arc::new(clock.clone())), clock)
    }

    fn sent(cookie: &str) -> HeaderMap {
        let pair = cookie.split(';').next().unwrap_or_default();
        HeaderMap::from_iter([(header::COOKIE, format!("a=b; {pair}").parse().unwrap())])
    }

    fn positions() -> Positions {
        [(0, 0x16B_3748), (3, 7)].into_iter().collect()
    }

    #[test]
    fn every_instance_reads_what_another_has_signed() {
        let (one, _) = seen("postgres://app:secret@10.0.0.1:5432/shop");
        let (other, _) = seen("postgres://app:secret@db.internal/shop?sslmode=require");
        for secure in [false, true] {
            let cookie = one.cookie(&positions(), secure);
            assert_eq!(other.read(&sent(&cookie), secure), positions(), "{cookie}");
            assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
            assert_eq!(cookie.contains("Secure"), secure);
        }
    }

    #[test]
    fn what_was_not_signed_or_has_expired_says_nothing() {
        let (own, clock) = seen("postgres://app:secret@h/shop");
        let (stranger, _) = seen("postgres://app:guess@h/shop");
        let cookie = own.cookie(&positions(), false);
        let value = cookie.split(';').next().unwrap_or_default();
        let nothing = Positions::default();
        assert_eq!(own.read(&sent(&stranger.cookie(&positions(), false)), false), nothing);
        for forged in [
            value.replace("3-7", "3-8"),
            value.replace('.', ""),
            "tropos_seen=".to_owned(),
            "tropos_seen=..".to_owned(),
            format!("tropos_seen={}", "1".repeat(3000)),
        ] {
            assert_eq!(own.read(&sent(&forged), false), nothing, "{forged}");
        }
        clock.advance(LIFE);
        assert_eq!(own.read(&sent(value), false), nothing);
    }
}
