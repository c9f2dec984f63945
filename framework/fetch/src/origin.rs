//! What the origin's own headers say about an answer (RFC 9111), as pure functions.

use crate::{Fetched, call::Call};
use http::{HeaderMap, HeaderValue, header};
use http_cache_semantics::{CacheOptions, CachePolicy};
use std::time::{Duration, UNIX_EPOCH};
use tropos_core::{Ages, Revalidate, UnixMillis};

/// An age of more seconds than this counts as this (RFC 9111 §1.2.2).
const LONGEST: Duration = Duration::from_secs(1 << 31);

/// How long `answer` is fresh, from when it was asked for; `None` where it may not be stored, or is not fresh at all.
/// `shared`: by the rules of a shared cache.
pub(crate) fn fresh_for(call: &Call, answer: &Fetched, shared: bool, wall: UnixMillis) -> Option<Duration> {
    // What a redirect leads to is as old as the redirect too, whose headers are not at hand; and RFC 9110 §9.3.3 lets
    // the answer to a `POST` be reused for a `GET` alone.
    if answer.is_redirected() || !call.only_reads() {
        return None;
    }
    let mut request = http::Request::new(());
    *request.method_mut() = call.method.clone();
    *request.headers_mut() = call.headers.clone();
    let mut response = http::Response::new(());
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers.clone();
    small(request.headers_mut());
    small(response.headers_mut());
    // Without cookies: whether what sets one is stored is for the caller to say.
    response.headers_mut().remove(header::SET_COOKIE);
    let now = UNIX_EPOCH.checked_add(Duration::from_millis(wall))?;
    // No heuristic (RFC 9111 §4.2.2 lets a cache have one): an age that nobody declared is nobody's fault when it is
    // wrong.
    let options = CacheOptions { shared, cache_heuristic: 0.0, ..CacheOptions::default() };
    let policy = CachePolicy::new_options(&request, &response, now, options);
    // All that `Vary` could name is a part of the entry's key, but `*` (RFC 9111 §4.1).
    let varies = list(&response, header::VARY).any(|name| name == "*");
    let fresh = if policy.is_storable() && !varies { policy.time_to_live(now) } else { Duration::ZERO };
    (!fresh.is_zero()).then_some(fresh.min(LONGEST))
}

/// Directives are the same in capitals (RFC 9111 §5.2), which the policy does not know.
fn small(headers: &mut HeaderMap) {
    if let header::Entry::Occupied(mut lines) = headers.entry(header::CACHE_CONTROL) {
        for line in lines.iter_mut() {
            let small = HeaderValue::from_bytes(&line.as_bytes().to_ascii_lowercase());
            *line = small.unwrap_or_else(|_| HeaderValue::from_static("no-store"));
        }
    }
}

fn list(response: &http::Response<()>, name: header::HeaderName) -> impl Iterator<Item = &str> {
    let lines = response.headers().get_all(name).into_iter();
    lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(',')).map(str::trim)
}

/// What an answer says about being given once it is stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Staleness {
    /// Not without the origin's word that it is still right (RFC 9111 §5.2.2.2, §5.2.2.4, §5.2.2.8).
    forbidden: bool,
    /// Neither, unless something more exact is said (RFC 9111 §5.2.2.10).
    s_maxage: bool,
    /// RFC 5861 §3.
    while_revalidate: Option<Duration>,
    /// RFC 5861 §4.
    if_error: Option<Duration>,
}

impl Staleness {
    /// By the headers of the answer.
    pub(crate) fn of(headers: &HeaderMap, shared: bool) -> Self {
        let mut all = Self::default();
        for (name, value) in directives(headers) {
            let seconds = || Some(Duration::from_secs(value.parse().ok()?).min(LONGEST));
            match name.as_str() {
                "must-revalidate" | "no-cache" => all.forbidden = true,
                "proxy-revalidate" => all.forbidden |= shared,
                "s-maxage" => all.s_maxage |= shared,
                "stale-while-revalidate" => all.while_revalidate = seconds(),
                "stale-if-error" => all.if_error = seconds(),
                _ => {}
            }
        }
        all
    }

    /// Whether it may be given at once, while it is asked for anew.
    pub(crate) fn meanwhile(&self, stale_for: Duration) -> bool {
        !self.forbidden && self.while_revalidate.is_some_and(|most| stale_for < most)
    }

    /// Whether it may be given instead of a failure.
    ///
    /// RFC 9111 §4.2.4 leaves it to the cache how long that goes on; here it goes on as for an age that the application
    /// declares.
    pub(crate) fn instead_of_failure(&self, fresh_for: Duration, stale_for: Duration) -> bool {
        let by_default = || {
            let expire = Ages::new(Revalidate::After(fresh_for), None).ok().and_then(|ages| ages.expire());
            expire.is_none_or(|expire| fresh_for.saturating_add(stale_for) < expire)
        };
        match (self.forbidden, self.if_error) {
            (true, _) => false,
            (false, Some(most)) => stale_for < most,
            (false, None) => !self.s_maxage && by_default(),
        }
    }
}

/// The directives of `Cache-Control`, in small letters, each with its argument or nothing.
fn directives(headers: &HeaderMap) -> impl Iterator<Item = (String, String)> {
    let lines = headers.get_all(header::CACHE_CONTROL).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| {
        let mut quoted = false;
        line.split(move |c| {
            quoted ^= c == '"';
            c == ',' && !quoted
        })
        .map(|directive| {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            (name.trim().to_ascii_lowercase(), value.trim().trim_matches('"').to_owned())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, Method, StatusCode};

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let line = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        lines.iter().map(line).collect()
    }

    fn call(method: Method, lines: &[(&'static str, &'static str)]) -> Call {
        Call {
            method,
            url: reqwest::Url::parse("http://a.example/").unwrap(),
            headers: headers(lines),
            body: bytes::Bytes::new(),
            timeout: Duration::from_secs(1),
            max_bytes: 1,
            redirects: 0,
            allow_private: false,
        }
    }

    fn answer(status: u16, lines: &[(&'static str, &'static str)]) -> Fetched {
        let status = StatusCode::from_u16(status).unwrap();
        Fetched::new(String::new(), status, headers(lines), bytes::Bytes::new())
    }

    /// 2020-01-01T00:00:00Z.
    const NOW: UnixMillis = 1_577_836_800_000;

    #[test]
    fn an_answer_is_fresh_for_as_long_as_its_headers_say() {
        const CC: &str = "cache-control";
        let date = ("date", "Wed, 01 Jan 2020 00:00:00 GMT");
        type Lines<'a> = &'a [(&'static str, &'static str)];
        let cases: &[(&str, Lines<'_>, u64)] = &[
            ("max-age", &[(CC, "max-age=60")], 60),
            ("in capitals", &[(CC, "Public, Max-Age=60")], 60),
            ("less its age", &[(CC, "max-age=60"), ("age", "20")], 40),
            ("older than that", &[(CC, "max-age=60"), ("age", "61")], 0),
            ("an age beyond all", &[(CC, "max-age=60"), ("age", "18446744073709551615")], 0),
            ("s-maxage goes before", &[(CC, "max-age=60, s-maxage=5")], 5),
            ("s-maxage of nothing", &[(CC, "max-age=60, s-maxage=0")], 0),
            ("Expires", &[date, ("expires", "Wed, 01 Jan 2020 00:02:00 GMT")], 120),
            ("Expires in the past", &[date, ("expires", "Tue, 31 Dec 2019 00:02:00 GMT")], 0),
            ("Expires, no date at all", &[date, ("expires", "0")], 0),
            ("max-age goes before Expires", &[(CC, "max-age=9"), ("expires", "0")], 9),
            ("nothing said", &[date], 0),
            (
                "nothing said, but changed long ago",
                &[date, ("last-modified", "Sun, 01 Jan 2012 00:00:00 GMT")],
                0,
            ),
            ("public alone", &[(CC, "public")], 0),
            ("no-store", &[(CC, "no-store, max-age=60")], 0),
            ("no-store in capitals", &[(CC, "No-Store, max-age=60")], 0),
            ("no-store in a line of its own", &[(CC, "max-age=60"), (CC, "no-store")], 0),
            ("no-cache", &[(CC, "no-cache, max-age=60")], 0),
            ("Pragma", &[("pragma", "no-cache"), ("expires", "Wed, 01 Jan 2020 00:02:00 GMT"), date], 0),
            ("private", &[(CC, "private, max-age=60")], 0),
            ("private by name", &[(CC, "private=\"x-a, x-b\", max-age=60")], 0),
            ("must-revalidate", &[(CC, "max-age=60, must-revalidate")], 60),
            ("Vary", &[(CC, "max-age=60"), ("vary", "accept, accept-encoding")], 60),
            ("Vary by everything", &[(CC, "max-age=60"), ("vary", "*")], 0),
            ("Vary by everything, among others", &[(CC, "max-age=60"), ("vary", "accept, *")], 0),
            ("immutable", &[(CC, "max-age=60, immutable")], 60),
            ("no number", &[(CC, "max-age=soon")], 0),
            ("less than nothing", &[(CC, "max-age=-5")], 0),
            ("for ever", &[(CC, "max-age=18446744073709551615")], 1 << 31),
        ];
        for (name, lines, seconds) in cases {
            let fresh = fresh_for(&call(Method::GET, &[]), &answer(200, lines), true, NOW);
            assert_eq!(fresh.unwrap_or_default(), Duration::from_secs(*seconds), "{name}");
        }
    }

    #[test]
    fn method_status_request_and_redirects_decide_too() {
        let lines = [("cache-control", "max-age=60")];
        let get = call(Method::GET, &[]);
        for (status, stored) in [
            (200, true),
            (203, true),
            (204, true),
            (301, true),
            (404, true),
            (410, true),
            (206, false),
            (304, false),
            (418, false),
        ] {
            assert_eq!(fresh_for(&get, &answer(status, &lines), true, NOW).is_some(), stored, "{status}");
        }
        for (method, stored) in
            [(Method::GET, true), (Method::HEAD, true), (Method::POST, false), (Method::PUT, false)]
        {
            let asked = call(method.clone(), &[]);
            assert_eq!(fresh_for(&asked, &answer(200, &lines), true, NOW).is_some(), stored, "{method}");
        }
        let no_store = call(Method::GET, &[("cache-control", "No-Store")]);
        assert_eq!(fresh_for(&no_store, &answer(200, &lines), true, NOW), None);
        assert_eq!(fresh_for(&get, &answer(200, &lines).redirected(), true, NOW), None);
        // RFC 9111 §3.5; a private cache may.
        let known = call(Method::GET, &[("authorization", "a")]);
        for (said, shared, stored) in [
            ("max-age=60", true, false),
            ("max-age=60", false, true),
            ("private, max-age=60", false, true),
            ("max-age=60, public", true, true),
        ] {
            let answer = answer(200, &[("cache-control", said)]);
            assert_eq!(fresh_for(&known, &answer, shared, NOW).is_some(), stored, "{said} {shared}");
        }
    }

    #[test]
    fn a_stale_answer_is_given_as_far_as_it_says() {
        // What is said, whether shared, for how long stale; whether meanwhile, whether instead of a failure.
        let cases = [
            ("max-age=60", true, 1, false, true),
            ("max-age=60", true, 3539, false, true),
            ("max-age=60", true, 3540, false, false),
            ("max-age=60, stale-while-revalidate=30", true, 29, true, true),
            ("max-age=60, stale-while-revalidate=30", true, 30, false, true),
            ("max-age=60, Stale-While-Revalidate=\"30\"", true, 29, true, true),
            ("max-age=60, stale-if-error=30", true, 29, false, true),
            ("max-age=60, stale-if-error=30", true, 30, false, false),
            ("max-age=60, stale-if-error=0", true, 0, false, false),
            ("max-age=60, must-revalidate", true, 1, false, false),
            ("max-age=60, MUST-REVALIDATE", true, 1, false, false),
            (
                "max-age=60, must-revalidate, stale-while-revalidate=30, stale-if-error=30",
                true,
                1,
                false,
                false,
            ),
            ("max-age=60, proxy-revalidate", true, 1, false, false),
            ("max-age=60, proxy-revalidate", false, 1, false, true),
            ("s-maxage=60", true, 1, false, false),
            ("s-maxage=60", false, 1, false, true),
            ("s-maxage=60, stale-while-revalidate=30, stale-if-error=90", true, 1, true, true),
            ("x=\"a, must-revalidate\", max-age=60", true, 1, false, true),
            ("no-cache=\"a, b\", max-age=60", true, 1, false, false),
        ];
        for (said, shared, stale, meanwhile, instead) in cases {
            let staleness = Staleness::of(&headers(&[("cache-control", said)]), shared);
            let stale = Duration::from_secs(stale);
            assert_eq!(staleness.meanwhile(stale), meanwhile, "{said}, {stale:?}");
            let instead_of = staleness.instead_of_failure(Duration::from_secs(60), stale);
            assert_eq!(instead_of, instead, "{said}, {stale:?}");
        }
    }
}
