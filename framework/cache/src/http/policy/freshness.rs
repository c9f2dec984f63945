//! For how long an answer is fresh (RFC 9111 §4.2.1, §4.2.2).

use super::{
    Rules,
    age::{date, seconds},
    directives::Control,
};
use ::http::{HeaderMap, StatusCode, header};
use std::time::Duration;
use tropos_core::UnixMillis;

/// Where a lifetime comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// `s-maxage`, for shared caches alone (§5.2.2.10).
    SMaxAge,
    /// `max-age` (§5.2.2.1).
    MaxAge,
    /// `Expires` less `Date` (§5.3).
    Expires,
    /// A part of the time since `Last-Modified` (§4.2.2).
    Heuristic,
    /// Nothing speaks of a lifetime, so there is none.
    Nothing,
}

/// A lifetime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// How long, counted from when the answer was made.
    pub lifetime: Duration,
    /// By what.
    pub source: Source,
}

/// The lifetime of an answer that came at `received_wall`.
pub fn lifetime(
    status: StatusCode,
    headers: &HeaderMap,
    control: &Control,
    received_wall: UnixMillis,
    rules: &Rules,
) -> Freshness {
    let found = |seconds, source| Freshness { lifetime: Duration::from_secs(seconds), source };
    let directives = &control.directives;
    // §4.2.1: the first that matches.
    if let Some(age) = directives.s_maxage.or_stale() {
        return found(age, Source::SMaxAge);
    }
    if let Some(age) = directives.max_age.or_stale() {
        return found(age, Source::MaxAge);
    }
    let made = date(headers).unwrap_or(received_wall / 1000);
    // RFC 9213 §2.2: beside a field for this cache, `Expires` does not count, and so nothing is guessed either.
    if control.targeted {
        return found(0, Source::Nothing);
    }
    let mut lines = headers.get_all(header::EXPIRES).iter();
    if let Some(line) = lines.next() {
        // §5.3: what is no date, "0" above all, is a time in the past. §4.2.1: so is one of two that differ.
        let same = lines.all(|other| other == line);
        let expires = seconds(line).filter(|_| same).unwrap_or(0);
        return found(expires.saturating_sub(made), Source::Expires);
    }
    let may_guess = directives.public || is_cacheable_by_default(status);
    let modified = headers.get(header::LAST_MODIFIED).and_then(seconds).filter(|_| may_guess);
    match modified {
        Some(modified) if rules.heuristic_percent > 0 => {
            let part = made.saturating_sub(modified).saturating_mul(u64::from(rules.heuristic_percent)) / 100;
            found(part.min(rules.heuristic_most.as_secs()), Source::Heuristic)
        }
        _ => found(0, Source::Nothing),
    }
}

/// RFC 9110 §15.1: "heuristically cacheable". 206 is among them, but this cache stores no parts.
pub const fn is_cacheable_by_default(status: StatusCode) -> bool {
    matches!(status.as_u16(), 200 | 203 | 204 | 206 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501)
}

#[cfg(test)]
mod tests {
    use super::{Source::*, *};
    use ::http::HeaderValue;

    const RECEIVED: UnixMillis = 1_577_836_810_000;

    fn of(status: u16, fields: &[(&'static str, &'static str)], rules: &Rules) -> (u64, Source) {
        let mut headers = HeaderMap::new();
        fields.iter().for_each(|(name, value)| {
            headers.append(*name, HeaderValue::from_static(value));
        });
        let control = Control::of_response(&headers, rules);
        let status = StatusCode::from_u16(status).unwrap();
        let found = lifetime(status, &headers, &control, RECEIVED, rules);
        (found.lifetime.as_secs(), found.source)
    }

    #[test]
    fn the_first_of_the_sources_counts() {
        let date = ("date", "Wed, 01 Jan 2020 00:00:10 GMT");
        let expires = ("expires", "Wed, 01 Jan 2020 00:01:10 GMT");
        let modified = ("last-modified", "Wed, 01 Jan 2020 00:00:00 GMT");
        let long_ago = ("last-modified", "Wed, 01 Jan 1997 00:00:00 GMT");
        for (status, fields, expected) in [
            (200, &[("cache-control", "max-age=5, s-maxage=9"), expires][..], (9, SMaxAge)),
            (200, &[("cache-control", "max-age=5"), expires], (5, MaxAge)),
            (200, &[("cache-control", "max-age=x"), expires], (0, MaxAge)),
            (200, &[date, expires, modified], (60, Expires)),
            (200, &[expires], (60, Expires)),
            (200, &[date, ("expires", "0"), long_ago], (0, Expires)),
            (200, &[date, expires, ("expires", "Wed, 01 Jan 2020 00:02:10 GMT")], (0, Expires)),
            (200, &[date, modified], (1, Heuristic)),
            (200, &[long_ago], (86_400, Heuristic)),
            (403, &[long_ago], (0, Nothing)),
            (403, &[long_ago, ("cache-control", "public")], (86_400, Heuristic)),
            (200, &[date], (0, Nothing)),
            (200, &[("cdn-cache-control", "max-age=3"), ("cache-control", "s-maxage=9")], (3, MaxAge)),
            (200, &[("cdn-cache-control", "public"), expires], (0, Nothing)),
            (200, &[("cdn-cache-control", "max-age='3'"), ("cache-control", "max-age=9")], (9, MaxAge)),
        ] {
            assert_eq!(of(status, fields, &Rules::default()), expected, "{status} {fields:?}");
        }
        let sober = Rules { heuristic_percent: 0, ..Rules::default() };
        assert_eq!(of(200, &[long_ago], &sober), (0, Nothing));
    }
}
