//! The cookies by which visitors read their own writes: one for each shard that they wrote to.
//!
//! Each says how far the shard's log had come after what the visitor wrote: a replica answers their next reads once it
//! has come as far, on whatever instance. It is signed, since a forged one would send all reads to the primary.
//!
//! One for each shard, since a browser keeps the last of what answers to several requests set under one name, and two
//! requests at once may write to two shards.

use crate::request::cookie_pairs;
use cookie::{Cookie, SameSite};
use http::{HeaderMap, HeaderValue};
use std::{fmt, str, sync::Arc, time::Duration};
use tropos_core::{Clock, MOST_SHARDS, Positions};

/// How long it is good for. A replica that is further behind than ten seconds is left out anyway; an hour covers every
/// fail-over and every clock that is a little off.
const LIFE: Duration = Duration::from_secs(3600);

/// Keeps this key apart from any other that is made of the same secret.
const CONTEXT: &str = "tropos 2026-11-23 positions: what a visitor has written";

/// Digits of the signature: 128 bits.
const SIGNATURE: usize = 32;

/// A longer cookie is none: one shard with its position takes half of it.
const LONGEST: usize = 128;

/// So many are looked at: one of each shard, and as many that a neighbouring host may have planted.
const MOST_COOKIES: usize = 2 * MOST_SHARDS;

/// The name of the first shard's; that of another has its number after it.
const NAME: &str = "tropos_seen";

/// Browsers take a prefixed name from this very host alone (RFC 6265bis §4.1.3.2).
const PREFIX: &str = "__Host-";

/// Signs, and reads what was signed.
pub(crate) struct Seen {
    key: [u8; 32],
    clock: Arc<dyn Clock>,
}

impl Seen {
    /// `secret` is what all instances know and nobody else does.
    pub(crate) fn new(secret: &str, clock: Arc<dyn Clock>) -> Self {
        Self { key: blake3::derive_key(CONTEXT, secret.as_bytes()), clock }
    }

    /// The cookies that say how far the logs had come after a request, as values of `Set-Cookie` headers: one for each
    /// shard of `after`, and none lower than what the visitor `brought` of that shard.
    pub(crate) fn cookies(&self, after: &Positions, brought: &Positions, secure: bool) -> Vec<String> {
        let raised = |(shard, position): (u16, u64)| {
            // The highest there is stands for a question that nobody answered: an answer ends it.
            let brought = Some(brought.of(shard)).filter(|brought| *brought != u64::MAX);
            (shard, position.max(brought.unwrap_or_default()))
        };
        after.iter().map(raised).map(|(shard, position)| self.cookie(shard, position, secure)).collect()
    }

    fn cookie(&self, shard: u16, position: u64, secure: bool) -> String {
        let until = self.clock.wall() / 1000 + LIFE.as_secs();
        let positions: Positions = [(shard, position)].into_iter().collect();
        let signed = format!("{until}.{positions}");
        let mut cookie = Cookie::new(name(shard, secure), format!("{signed}.{}", self.signature(&signed)));
        cookie
            .set_max_age(cookie::time::Duration::seconds(i64::try_from(LIFE.as_secs()).unwrap_or(i64::MAX)));
        cookie.set_http_only(true);
        cookie.set_same_site(SameSite::Lax);
        cookie.set_path("/");
        cookie.set_secure(secure);
        cookie.to_string()
    }

    /// What a visitor has written: all that their cookies say together. Of several of one name, as a neighbouring host may
    /// plant, all that are signed count.
    pub(crate) fn read(&self, headers: &HeaderMap, secure: bool) -> Positions {
        let mut seen = Positions::default();
        for (_, value) in cookie_pairs(headers).filter(|(name, _)| is_name(name, secure)).take(MOST_COOKIES) {
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

/// The cookies of a `Cookie` header but for these, which change with each write and say nothing of who a visitor is.
pub(crate) fn others(line: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    let pairs = line.as_bytes().split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    pairs.filter(|pair| {
        let name = pair.split(|byte| *byte == b'=').next().and_then(|name| str::from_utf8(name).ok());
        !name.is_some_and(|name| is_name(name, false) || is_name(name, true))
    })
}

fn name(shard: u16, secure: bool) -> String {
    let prefix = if secure { PREFIX } else { "" };
    match shard {
        0 => format!("{prefix}{NAME}"),
        shard => format!("{prefix}{NAME}_{shard}"),
    }
}

fn is_name(name: &str, secure: bool) -> bool {
    let plain = if secure { name.strip_prefix(PREFIX) } else { Some(name) };
    match plain.and_then(|plain| plain.strip_prefix(NAME)) {
        Some("") => true,
        Some(rest) => rest
            .strip_prefix('_')
            .and_then(|shard| shard.parse::<usize>().ok())
            .is_some_and(|shard| (1..MOST_SHARDS).contains(&shard)),
        None => false,
    }
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
    use http::header;
    use tropos_core::ManualClock;

    fn seen(secret: &str) -> (Seen, ManualClock) {
        let clock = ManualClock::new();
        (Seen::new(secret, Arc::new(clock.clone())), clock)
    }

    fn pair(cookie: &str) -> &str {
        cookie.split(';').next().unwrap_or_default()
    }

    /// The request of a browser that was given these, one after the other.
    fn sent(cookies: &[String]) -> HeaderMap {
        let mut jar = std::collections::BTreeMap::from([("a", "b")]);
        jar.extend(cookies.iter().filter_map(|cookie| pair(cookie).split_once('=')));
        let line = jar.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
        HeaderMap::from_iter([(header::COOKIE, line.parse().unwrap())])
    }

    fn positions(of: &[(u16, u64)]) -> Positions {
        of.iter().copied().collect()
    }

    #[test]
    fn every_instance_reads_what_another_has_signed() {
        let [(one, _), (other, _)] = ["secret"; 2].map(seen);
        let written = positions(&[(0, 0x16B_3748), (3, 7), (63, u64::MAX)]);
        for (secure, names) in [
            (false, ["tropos_seen=", "tropos_seen_3=", "tropos_seen_63="]),
            (true, ["__Host-tropos_seen=", "__Host-tropos_seen_3=", "__Host-tropos_seen_63="]),
        ] {
            let cookies = one.cookies(&written, &Positions::default(), secure);
            assert_eq!(other.read(&sent(&cookies), secure), written, "{cookies:?}");
            assert_eq!(cookies.len(), names.len());
            for (cookie, name) in cookies.iter().zip(names) {
                assert!(cookie.starts_with(name), "{cookie}");
                assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
                assert_eq!(cookie.contains("Secure"), secure);
                assert!(pair(cookie).len() - name.len() <= LONGEST / 2, "{cookie}");
            }
        }
    }

    #[test]
    fn answers_to_requests_that_ran_at_once_take_nothing_from_each_other() {
        let (seen, _) = seen("secret");
        let brought = positions(&[(0, 5), (1, 5), (2, 5)]);
        let before = seen.cookies(&brought, &Positions::default(), false);
        let first = seen.cookies(&positions(&[(0, 9)]), &brought, false);
        let second = seen.cookies(&positions(&[(1, 8)]), &brought, false);
        for order in [[&before, &first, &second], [&before, &second, &first]] {
            let jar: Vec<String> = order.into_iter().flatten().cloned().collect();
            assert_eq!(seen.read(&sent(&jar), false), positions(&[(0, 9), (1, 8), (2, 5)]));
        }
    }

    #[test]
    fn an_answer_lowers_no_position_but_the_one_that_stood_for_no_answer() {
        let (seen, _) = seen("secret");
        for (after, brought, kept) in
            [(7, 5, 7), (7, 9, 9), (7, u64::MAX, 7), (u64::MAX, 9, u64::MAX), (u64::MAX, u64::MAX, u64::MAX)]
        {
            let cookies = seen.cookies(&positions(&[(1, after)]), &positions(&[(1, brought)]), false);
            assert_eq!(seen.read(&sent(&cookies), false).of(1), kept, "{after} after {brought}");
        }
    }

    #[test]
    fn what_was_not_signed_or_has_expired_says_nothing() {
        let (own, clock) = seen("secret");
        let (stranger, _) = seen("guess");
        let [written, nothing] = [positions(&[(3, 7)]), Positions::default()];
        let cookies = own.cookies(&written, &nothing, false);
        let value = pair(&cookies[0]);
        assert_eq!(own.read(&sent(&stranger.cookies(&written, &nothing, false)), false), nothing);
        for forged in [
            value.replace("3-7", "3-8"),
            value.replace('.', ""),
            value.replace("seen_3", "seen_64"),
            value.replace("seen_3", "seen_x"),
            "tropos_seen=".to_owned(),
            "tropos_seen=..".to_owned(),
            format!("tropos_seen={}", "1".repeat(3000)),
        ] {
            assert_eq!(own.read(&sent(std::slice::from_ref(&forged)), false), nothing, "{forged}");
        }
        assert_eq!(own.read(&sent(&cookies), true), nothing, "a name that any host may set");
        clock.advance(LIFE);
        assert_eq!(own.read(&sent(&cookies), false), nothing);
    }

    #[test]
    fn who_a_visitor_is_does_not_depend_on_what_they_have_written() {
        let line = "a=1; tropos_seen=x;  __Host-tropos_seen_3=y; tropos_seen_99=z; b";
        let line = HeaderValue::from_static(line);
        let others: Vec<_> = others(&line).map(|pair| str::from_utf8(pair).unwrap()).collect();
        assert_eq!(others, ["a=1", "tropos_seen_99=z", "b"]);
    }
}
