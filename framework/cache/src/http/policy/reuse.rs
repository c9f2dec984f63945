//! Whether a stored answer may be used (RFC 9111 §4), also when it is stale (§4.2.4, RFC 5861).

use super::{
    Rules, Stored,
    directives::{Control, Covers},
    storable::allows_authorized,
};
use ::http::{HeaderMap, StatusCode, header};
use std::time::Duration;
use tropos_core::Tick;

/// What to do with a stored answer that is for this request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    /// It is fresh: it goes out.
    Fresh,
    /// It is stale, and goes out while it is validated in the background (RFC 5861 §3).
    WhileRevalidated,
    /// It is stale, and goes out since the request allows it (`max-stale`, RFC 9111 §5.2.1.2).
    Tolerated,
    /// The origin is asked first.
    Validate(Why),
}

/// Why the origin is asked although something is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It is stale (RFC 9111 §4.2).
    Stale,
    /// The answer carries `no-cache` (§5.2.2.4).
    NoCache,
    /// The request says so: `no-cache` (§5.2.1.4), `max-age` (§5.2.1.1), `min-fresh` (§5.2.1.3).
    Request,
    /// The request carries `Authorization`, and nothing in the answer says that it is for everybody (§3.5 in spirit: it
    /// forbids the way from an authorised request to others, and an origin may answer the two differently).
    Authorization,
}

/// What a request asks of caches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wishes {
    /// Its directives.
    pub control: Control,
    /// Whether it carries `Authorization`.
    pub authorized: bool,
}

impl Wishes {
    /// Those of a request.
    pub fn of(request: &HeaderMap, rules: &Rules) -> Self {
        Self {
            control: Control::of_request(request, rules),
            authorized: request.contains_key(header::AUTHORIZATION),
        }
    }
}

/// What to do with a stored answer whose `Vary` fits the request.
pub fn decide(stored: &Stored, wishes: &Wishes, now: Tick) -> Reuse {
    let (said, asked) = (&stored.control.directives, &wishes.control.directives);
    if said.no_cache == Covers::All {
        return Reuse::Validate(Why::NoCache);
    }
    if asked.no_cache != Covers::Nothing {
        return Reuse::Validate(Why::Request);
    }
    if wishes.authorized && !allows_authorized(&stored.control) {
        return Reuse::Validate(Why::Authorization);
    }
    let age = stored.age(now);
    // §5.2.1.1. In whole seconds, as it is given and as `Age` shows it; one that is no number allows no age at all.
    if asked.max_age.or_stale().is_some_and(|most| age > Duration::from_secs(most)) {
        return Reuse::Validate(Why::Request);
    }
    let Some(staleness) = stored.staleness(now) else {
        // §5.2.1.3.
        let left = stored.freshness.lifetime.saturating_sub(age);
        return match asked.min_fresh.valid() {
            Some(least) if left < Duration::from_secs(least) => Reuse::Validate(Why::Request),
            _ => Reuse::Fresh,
        };
    };
    let within = |seconds: Option<u64>| seconds.is_some_and(|most| staleness < Duration::from_secs(most));
    if asked.min_fresh.is_present() {
        return Reuse::Validate(Why::Request);
    }
    // RFC 5861 §3. Beside `s-maxage`, which forbids stale answers in general (§5.2.2.10), this is the more exact word of
    // the same origin, and no cache in use takes it otherwise.
    if within(said.stale_while_revalidate.valid()) && !forbids_stale(stored) {
        return Reuse::WhileRevalidated;
    }
    // §5.2.1.2; §4.2.4: not where the answer forbids it.
    if within(asked.max_stale.valid()) && !forbids_stale(stored) && !said.s_maxage.is_present() {
        return Reuse::Tolerated;
    }
    Reuse::Validate(Why::Stale)
}

/// How the origin failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// It gave no answer.
    Unreachable,
    /// It gave this one.
    Status(StatusCode),
}

impl Failure {
    /// Whether the status says that the origin failed in the sense of RFC 5861 §4.
    pub const fn of(status: StatusCode) -> Option<Self> {
        match status.as_u16() {
            500 | 502 | 503 | 504 => Some(Failure::Status(status)),
            _ => None,
        }
    }
}

/// Whether a stored answer may go out because the origin failed (RFC 5861 §4; RFC 9111 §4.2.4).
///
/// Where only the request wanted it validated, it may: a stale answer is of more use than a failure. Not so where it may
/// be another one than who asks with `Authorization` would get.
pub fn stands_in(stored: &Stored, wishes: &Wishes, failure: Failure, now: Tick, rules: &Rules) -> bool {
    let said = &stored.control.directives;
    if said.no_cache == Covers::All || forbids_stale(stored) {
        return false;
    }
    if wishes.authorized && !allows_authorized(&stored.control) {
        return false;
    }
    let Some(staleness) = stored.staleness(now) else {
        return true; // fresh: only the request wanted it validated
    };
    if said.stale_if_error.valid().is_some_and(|most| staleness < Duration::from_secs(most)) {
        return true;
    }
    // §4.2.4: a cache that is cut off may, unless a directive forbids it; `s-maxage` does (§5.2.2.10).
    failure == Failure::Unreachable && !said.s_maxage.is_present() && staleness < rules.stale_if_unreachable
}

/// §5.2.2.2, §5.2.2.8.
fn forbids_stale(stored: &Stored) -> bool {
    let said = &stored.control.directives;
    said.must_revalidate || said.proxy_revalidate
}

#[cfg(test)]
mod tests {
    use super::{Reuse::*, Why::*, *};
    use crate::http::policy::Exchange;
    use crate::http::policy::testing::map;

    fn stored(response: &[(&'static str, &'static str)]) -> Stored {
        let exchange = Exchange { requested: Tick(0), received: Tick(0), received_wall: 1_577_836_810_000 };
        Stored::new(&HeaderMap::new(), StatusCode::OK, map(response), &exchange, &Rules::default()).unwrap()
    }

    #[test]
    fn what_is_done_with_an_answer_of_a_minute() {
        for (control, request, after, expected) in [
            ("max-age=60", &[][..], 0, Fresh),
            ("max-age=60", &[], 59, Fresh),
            ("max-age=60", &[], 60, Validate(Stale)),
            ("s-maxage=60, max-age=1", &[], 59, Fresh),
            ("max-age=60, no-cache", &[], 0, Validate(NoCache)),
            ("max-age=60, no-cache=\"a\"", &[], 0, Fresh),
            ("max-age=60", &[("cache-control", "no-cache")], 0, Validate(Request)),
            ("max-age=60", &[("pragma", "no-cache")], 0, Validate(Request)),
            ("max-age=60", &[("cache-control", "max-age=0")], 0, Fresh),
            ("max-age=60", &[("cache-control", "max-age=0")], 1, Validate(Request)),
            ("max-age=60", &[("cache-control", "max-age=x")], 1, Validate(Request)),
            ("max-age=60", &[("cache-control", "max-age=30")], 30, Fresh),
            ("max-age=60", &[("cache-control", "min-fresh=30")], 30, Fresh),
            ("max-age=60", &[("cache-control", "min-fresh=30")], 31, Validate(Request)),
            ("max-age=60", &[("cache-control", "max-stale=5")], 64, Tolerated),
            ("max-age=60", &[("cache-control", "max-stale=5")], 65, Validate(Stale)),
            ("max-age=60", &[("cache-control", "max-stale")], 100_000, Tolerated),
            ("max-age=60, must-revalidate", &[("cache-control", "max-stale")], 60, Validate(Stale)),
            ("max-age=60, proxy-revalidate", &[("cache-control", "max-stale")], 60, Validate(Stale)),
            ("s-maxage=60", &[("cache-control", "max-stale")], 60, Validate(Stale)),
            ("max-age=60, stale-while-revalidate=5", &[], 64, WhileRevalidated),
            ("s-maxage=60, stale-while-revalidate=5", &[], 64, WhileRevalidated),
            ("max-age=60, stale-while-revalidate=5", &[], 65, Validate(Stale)),
            ("max-age=60, stale-while-revalidate=5, must-revalidate", &[], 60, Validate(Stale)),
            ("max-age=60", &[("authorization", "x")], 0, Validate(Authorization)),
            ("max-age=60, public", &[("authorization", "x")], 0, Fresh),
        ] {
            let wishes = Wishes::of(&map(request), &Rules::default());
            let stored = stored(&[("cache-control", control), ("etag", "\"a\"")]);
            assert_eq!(
                decide(&stored, &wishes, Tick(after * 1000)),
                expected,
                "{control} {request:?} {after}"
            );
        }
    }

    #[test]
    fn what_stands_in_for_an_origin_that_fails() {
        let status = |code| Failure::of(StatusCode::from_u16(code).unwrap());
        assert_eq!(status(404), None);
        assert_eq!(status(501), None);
        let unavailable = status(503).unwrap();
        for (control, after, by_cut, by_status) in [
            ("max-age=60", 59, true, true),
            ("max-age=60", 61, true, false),
            ("max-age=60", 60 + 3600, false, false),
            ("max-age=60, stale-if-error=5", 64, true, true),
            ("max-age=60, stale-if-error=5", 66, true, false),
            ("s-maxage=60", 61, false, false),
            ("s-maxage=60, stale-if-error=5", 61, true, true),
            ("max-age=60, must-revalidate, stale-if-error=5", 61, false, false),
            ("max-age=60, proxy-revalidate", 61, false, false),
            ("max-age=60, no-cache", 0, false, false),
        ] {
            let stored = stored(&[("cache-control", control), ("etag", "\"a\"")]);
            let (now, rules) = (Tick(after * 1000), Rules::default());
            let anybody = Wishes::of(&HeaderMap::new(), &rules);
            let somebody = Wishes::of(&map(&[("authorization", "x")]), &rules);
            let is_for_all = by_cut && control.contains("s-maxage");
            for (wishes, failure, expected) in [
                (&anybody, Failure::Unreachable, by_cut),
                (&anybody, unavailable, by_status),
                (&somebody, Failure::Unreachable, is_for_all),
            ] {
                let found = stands_in(&stored, wishes, failure, now, &rules);
                assert_eq!(found, expected, "{control} {after} {wishes:?} {failure:?}");
            }
        }
    }
}
