//! For how long other caches may keep an answer (RFC 9111 §5.2, RFC 5861, RFC 9213).

use super::CDN_CACHE_CONTROL;
use ::http::{HeaderMap, HeaderName, HeaderValue, header};
use std::{fmt::Write, time::Duration};
use tropos_core::Mode;

/// What `s-maxage` says of an entry that only an invalidation ends: a year, as RFC 2616 §14.21 had it, and as CDNs
/// still cap it.
pub const YEAR: u64 = 31_536_000;

/// `server` and `live` pages: for this visitor alone, and not to be kept.
pub const PRIVATE_NO_STORE: HeaderValue = HeaderValue::from_static("private, no-store");

/// Errors, unmatched paths: not to be kept by anybody.
pub const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// Stored by Tropos behind a hook that decides for each visitor, which no CDN could.
pub const PRIVATE_NO_CACHE: HeaderValue = HeaderValue::from_static("private, no-cache");

/// Hashed assets: another content has another name (RFC 8246).
pub const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// For how long an answer may be kept, and by whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Lifetime {
    /// By shared caches; browsers ask each time, so that an invalidation reaches them.
    Shared {
        /// Seconds for which it is fresh, counted from the render.
        fresh: u64,
        /// Seconds after those for which it may be served while a new one is fetched, or fails to be.
        stale: u64,
    },
    /// By Tropos alone: a hook decides for each visitor.
    Private,
    /// By nobody: made for one visitor.
    Visitor,
    /// By nobody: an error.
    Nobody,
}

impl Lifetime {
    /// The lifetime of a page's answer.
    ///
    /// `revalidate` is the effective age, that of the shortest-lived cached read in it; `None`: never. `negative` is
    /// the negative age where the answer is "not found". Both ages are counted from the render, and so is the `Age`
    /// that goes out beside them.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tropos_cache::http::Lifetime;
    /// use tropos_core::Mode;
    /// let (minute, hour) = (Duration::from_secs(60), Duration::from_secs(3600));
    /// let lifetime = Lifetime::of(Mode::Isr, Some(minute), Some(hour), None);
    /// assert_eq!(lifetime.cache_control(), "public, max-age=0, s-maxage=60, stale-while-revalidate=3540");
    /// ```
    pub fn of(
        mode: Mode,
        revalidate: Option<Duration>,
        expire: Option<Duration>,
        negative: Option<Duration>,
    ) -> Self {
        match (mode, negative.or(revalidate)) {
            (Mode::Server | Mode::Live, _) => Lifetime::Visitor,
            (Mode::Ssg, _) | (Mode::Isr, None) => Lifetime::Shared { fresh: YEAR, stale: 0 },
            (Mode::Isr, Some(fresh)) => {
                // Rounded down: a CDN may ask too early, never too late.
                let fresh = fresh.as_secs().min(YEAR);
                let stale = expire.map_or(0, |expire| expire.as_secs().saturating_sub(fresh)).min(YEAR);
                Lifetime::Shared { fresh, stale }
            }
        }
    }

    /// The value of `Cache-Control`.
    pub fn cache_control(self) -> HeaderValue {
        match self {
            // `max-age=0` is for browsers, `s-maxage` for shared caches (RFC 9111 §5.2.2.10).
            Lifetime::Shared { fresh: YEAR, stale: 0 } => {
                HeaderValue::from_static("public, max-age=0, s-maxage=31536000")
            }
            Lifetime::Shared { fresh, stale } => line(|out| {
                write!(out, "public, max-age=0, s-maxage={fresh}")?;
                // RFC 5861 §3.
                if stale > 0 { write!(out, ", stale-while-revalidate={stale}") } else { Ok(()) }
            }),
            Lifetime::Private => PRIVATE_NO_CACHE,
            Lifetime::Visitor => PRIVATE_NO_STORE,
            Lifetime::Nobody => NO_STORE,
        }
    }

    /// The value of `CDN-Cache-Control`, where the answer is public: the same lifetimes in the words of RFC 9213 §3.1,
    /// and leave to serve a stale answer when Tropos cannot be reached (RFC 5861 §4).
    pub fn cdn_cache_control(self) -> Option<HeaderValue> {
        match self {
            Lifetime::Shared { fresh: YEAR, stale: 0 } => Some(HeaderValue::from_static("max-age=31536000")),
            Lifetime::Shared { fresh, stale } => Some(line(|out| {
                write!(out, "max-age={fresh}")?;
                if stale > 0 {
                    write!(out, ", stale-while-revalidate={stale}, stale-if-error={stale}")
                } else {
                    Ok(())
                }
            })),
            Lifetime::Private | Lifetime::Visitor | Lifetime::Nobody => None,
        }
    }
}

/// Headers by which an answer says for how long others may keep it, or how they find it to end it: those that
/// [`make_private`] changes.
pub const CACHING: [HeaderName; 5] = [
    header::CACHE_CONTROL,
    CDN_CACHE_CONTROL,
    HeaderName::from_static("surrogate-control"),
    HeaderName::from_static("surrogate-key"),
    HeaderName::from_static("cache-tag"),
];

/// No cache outside may give this answer to another visitor: a hook let this one have it (RFC 9111 §5.2.2.7). What says nothing
/// of caches could be kept by its age alone (RFC 9111 §4.2.2), so it is told too.
pub fn make_private(headers: &mut HeaderMap) {
    const PRIVATE_IMMUTABLE: HeaderValue = HeaderValue::from_static("private, max-age=31536000, immutable");
    let [own, shared @ ..] = CACHING;
    let caching = headers.get(&own).map(HeaderValue::as_bytes).unwrap_or_default();
    let caching = caching.to_ascii_lowercase();
    let says = |word: &[u8]| caching.windows(word.len()).any(|part| part == word);
    if says(b"immutable") {
        headers.insert(own, PRIVATE_IMMUTABLE);
    } else if !says(b"private") && !says(b"no-store") {
        headers.insert(own, PRIVATE_NO_CACHE);
    }
    shared.into_iter().for_each(|name| drop(headers.remove(name)));
}

/// A header value made of words and numbers.
pub(crate) fn line(write: impl FnOnce(&mut String) -> std::fmt::Result) -> HeaderValue {
    let mut out = String::with_capacity(96);
    // Neither can fail: a `String` takes all, and words and numbers are visible ASCII.
    match write(&mut out) {
        Ok(()) => HeaderValue::try_from(out).unwrap_or(NO_STORE),
        Err(_) => NO_STORE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_the_contract() {
        let s = |seconds| Some(Duration::from_secs(seconds));
        let cases = [
            // mode, revalidate, expire, negative, Cache-Control, CDN-Cache-Control
            (Mode::Ssg, None, None, None, "public, max-age=0, s-maxage=31536000", "max-age=31536000"),
            (
                Mode::Isr,
                s(2),
                s(10),
                None,
                "public, max-age=0, s-maxage=2, stale-while-revalidate=8",
                "max-age=2, stale-while-revalidate=8, stale-if-error=8",
            ),
            (Mode::Isr, s(60), s(60), None, "public, max-age=0, s-maxage=60", "max-age=60"),
            (Mode::Isr, s(60), None, None, "public, max-age=0, s-maxage=60", "max-age=60"),
            (Mode::Isr, None, None, None, "public, max-age=0, s-maxage=31536000", "max-age=31536000"),
            (Mode::Isr, None, s(600), None, "public, max-age=0, s-maxage=31536000", "max-age=31536000"),
            (
                Mode::Isr,
                s(60),
                s(3600),
                s(10),
                "public, max-age=0, s-maxage=10, stale-while-revalidate=3590",
                "max-age=10, stale-while-revalidate=3590, stale-if-error=3590",
            ),
            (Mode::Isr, None, None, s(10), "public, max-age=0, s-maxage=10", "max-age=10"),
            (
                Mode::Isr,
                Some(Duration::from_millis(1999)),
                s(3600),
                None,
                "public, max-age=0, s-maxage=1, stale-while-revalidate=3599",
                "max-age=1, stale-while-revalidate=3599, stale-if-error=3599",
            ),
            (Mode::Isr, s(YEAR * 50), None, None, "public, max-age=0, s-maxage=31536000", "max-age=31536000"),
            (Mode::Server, None, None, None, "private, no-store", ""),
            (Mode::Live, s(2), s(10), None, "private, no-store", ""),
        ];
        for (mode, revalidate, expire, negative, cache_control, cdn) in cases {
            let lifetime = Lifetime::of(mode, revalidate, expire, negative);
            let name = format!("{mode} {revalidate:?} {expire:?} {negative:?}");
            assert_eq!(lifetime.cache_control(), cache_control, "{name}");
            assert_eq!(
                lifetime.cdn_cache_control().as_ref().map_or("", |v| v.to_str().unwrap()),
                cdn,
                "{name}"
            );
        }
    }

    #[test]
    fn what_one_visitor_was_let_have_is_kept_by_nobody_else() {
        for (public, private) in [
            ("public, max-age=0, s-maxage=60, stale-while-revalidate=540", "private, no-cache"),
            ("public, max-age=31536000, immutable", "private, max-age=31536000, immutable"),
            ("no-store", "no-store"),
            ("max-age=60", "private, no-cache"),
            ("Public, s-maxage=60", "private, no-cache"),
            ("", "private, no-cache"),
            ("private, no-store", "private, no-store"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(public));
            headers.insert("cdn-cache-control", HeaderValue::from_static("max-age=60"));
            make_private(&mut headers);
            assert_eq!(headers[header::CACHE_CONTROL], private);
            assert!(!headers.contains_key("cdn-cache-control"));
        }
    }

    #[test]
    fn what_is_not_public_has_no_word_for_a_cdn() {
        for (lifetime, expected) in [
            (Lifetime::Private, "private, no-cache"),
            (Lifetime::Visitor, "private, no-store"),
            (Lifetime::Nobody, "no-store"),
        ] {
            assert_eq!(lifetime.cache_control(), expected);
            assert_eq!(lifetime.cdn_cache_control(), None);
        }
    }
}
