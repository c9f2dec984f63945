//! How the cache came to its answer, in the words of RFC 9211.

use super::lifetime::line;
use crate::{Miss, Reason, Stale};
use ::http::HeaderValue;
use std::fmt::{self, Write};
use tropos_core::Mode;

/// The value of `Cache-Status`, also on the trace span and in metrics.
///
/// ```
/// use tropos_cache::http::{CacheStatus, Detail};
/// assert_eq!(CacheStatus::hit(57).to_string(), "tropos; hit; ttl=57");
/// let stale = CacheStatus::Hit { ttl: -3, detail: Some(Detail::Stale) };
/// assert_eq!(stale.to_string(), "tropos; hit; ttl=-3; detail=stale");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CacheStatus {
    /// Answered from an entry (RFC 9211 §2.1).
    Hit {
        /// Seconds for which it is fresh yet, negative when stale (§2.4).
        ttl: i64,
        /// What else there is to say.
        detail: Option<Detail>,
    },
    /// Rendered (§2.2).
    Miss {
        /// Why.
        why: Forward,
        /// What became of the render.
        outcome: Outcome,
        /// The shared store cannot be reached.
        degraded: bool,
    },
    /// Rendered without a look at the store.
    Bypass(Detail),
}

/// Why no entry could answer (RFC 9211 §2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Forward {
    /// `uri-miss`: there was no entry.
    UriMiss,
    /// `stale`: there was one, past its expiry or invalidated.
    Stale,
}

/// What became of a render.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// `stored` (RFC 9211 §2.5).
    Stored,
    /// `collapsed`: another request's render answered this one too (§2.6).
    Collapsed,
    /// Neither: it failed, was outdated already, or may not be stored.
    NotStored,
}

/// What else there is to say (RFC 9211 §2.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Detail {
    /// Stale by age or by a soft invalidation; a new one is being made.
    Stale,
    /// Stale, and the last render failed.
    StaleError,
    /// The shared store cannot be reached.
    Degraded,
    /// A `server` page.
    Server,
    /// A `live` page.
    Live,
    /// A draft: the visitor sees what is not published.
    Draft,
}

impl CacheStatus {
    /// What the cache said about the answer to a page of this mode.
    pub const fn of(reason: Reason, mode: Mode) -> Self {
        match reason {
            Reason::Hit { ttl } => CacheStatus::hit(ttl),
            Reason::Stale { ttl, why: Stale::Error } => {
                CacheStatus::Hit { ttl, detail: Some(Detail::StaleError) }
            }
            Reason::Stale { ttl, why: Stale::Age | Stale::Soft } => {
                CacheStatus::Hit { ttl, detail: Some(Detail::Stale) }
            }
            Reason::Miss { why, stored, collapsed } => {
                let why = match why {
                    Miss::Absent => Forward::UriMiss,
                    Miss::Expired | Miss::Invalidated | Miss::Stale | Miss::Unconfirmed => Forward::Stale,
                };
                let outcome = match (collapsed, stored) {
                    (true, _) => Outcome::Collapsed,
                    (false, true) => Outcome::Stored,
                    (false, false) => Outcome::NotStored,
                };
                CacheStatus::miss(why, outcome)
            }
            Reason::Bypass => {
                CacheStatus::Bypass(if matches!(mode, Mode::Live) { Detail::Live } else { Detail::Server })
            }
        }
    }

    /// A fresh entry answered.
    pub const fn hit(ttl: i64) -> Self {
        CacheStatus::Hit { ttl, detail: None }
    }

    /// A render answered, for want of an entry or for want of a good one.
    pub const fn miss(why: Forward, outcome: Outcome) -> Self {
        CacheStatus::Miss { why, outcome, degraded: false }
    }

    /// The same, while the shared store cannot be reached; takes the place of another detail.
    #[must_use]
    pub const fn degraded(self) -> Self {
        match self {
            CacheStatus::Hit { ttl, .. } => CacheStatus::Hit { ttl, detail: Some(Detail::Degraded) },
            CacheStatus::Miss { why, outcome, .. } => CacheStatus::Miss { why, outcome, degraded: true },
            CacheStatus::Bypass(_) => CacheStatus::Bypass(Detail::Degraded),
        }
    }

    /// The value of the header.
    pub fn as_header(&self) -> HeaderValue {
        let fixed = |text| HeaderValue::from_static(text);
        match self {
            CacheStatus::Miss { why: Forward::UriMiss, outcome: Outcome::Stored, degraded: false } => {
                fixed("tropos; fwd=uri-miss; stored")
            }
            CacheStatus::Miss { why: Forward::UriMiss, outcome: Outcome::Collapsed, degraded: false } => {
                fixed("tropos; fwd=uri-miss; collapsed")
            }
            CacheStatus::Bypass(Detail::Server) => fixed("tropos; fwd=bypass; detail=server"),
            CacheStatus::Bypass(Detail::Live) => fixed("tropos; fwd=bypass; detail=live"),
            other => line(|out| write!(out, "{other}")),
        }
    }
}

impl fmt::Display for CacheStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tropos; ")?;
        match *self {
            CacheStatus::Hit { ttl, detail } => {
                // RFC 8941 §3.3.1: an integer has at most 15 digits.
                write!(f, "hit; ttl={}", ttl.clamp(-999_999_999_999_999, 999_999_999_999_999))?;
                detail.map_or(Ok(()), |detail| write!(f, "; detail={detail}"))
            }
            CacheStatus::Miss { why, outcome, degraded } => {
                f.write_str(match why {
                    Forward::UriMiss => "fwd=uri-miss",
                    Forward::Stale => "fwd=stale",
                })?;
                f.write_str(match outcome {
                    Outcome::Stored => "; stored",
                    Outcome::Collapsed => "; collapsed",
                    Outcome::NotStored => "",
                })?;
                if degraded { write!(f, "; detail={}", Detail::Degraded) } else { Ok(()) }
            }
            CacheStatus::Bypass(detail) => write!(f, "fwd=bypass; detail={detail}"),
        }
    }
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Detail::Stale => "stale",
            Detail::StaleError => "stale-error",
            Detail::Degraded => "degraded",
            Detail::Server => "server",
            Detail::Live => "live",
            Detail::Draft => "draft",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_form() {
        let miss = |why, stored, collapsed| Reason::Miss { why, stored, collapsed };
        let cases = [
            (Reason::Hit { ttl: 5 }, "tropos; hit; ttl=5"),
            (Reason::Stale { ttl: -3, why: Stale::Age }, "tropos; hit; ttl=-3; detail=stale"),
            (Reason::Stale { ttl: 0, why: Stale::Soft }, "tropos; hit; ttl=0; detail=stale"),
            (Reason::Stale { ttl: -9, why: Stale::Error }, "tropos; hit; ttl=-9; detail=stale-error"),
            (miss(Miss::Absent, true, false), "tropos; fwd=uri-miss; stored"),
            (miss(Miss::Absent, true, true), "tropos; fwd=uri-miss; collapsed"),
            (miss(Miss::Absent, false, false), "tropos; fwd=uri-miss"),
            (miss(Miss::Expired, true, false), "tropos; fwd=stale; stored"),
            (miss(Miss::Invalidated, true, false), "tropos; fwd=stale; stored"),
            (Reason::Bypass, "tropos; fwd=bypass; detail=server"),
        ];
        for (reason, expected) in cases {
            assert_eq!(CacheStatus::of(reason, Mode::Server).to_string(), expected, "{reason:?}");
        }
        assert_eq!(
            CacheStatus::of(Reason::Bypass, Mode::Live).to_string(),
            "tropos; fwd=bypass; detail=live"
        );
    }

    #[test]
    fn the_forms_of_the_contract_on_the_header_and_as_text() {
        let hit = |ttl, detail| CacheStatus::Hit { ttl, detail };
        let cases = [
            (CacheStatus::hit(57), "tropos; hit; ttl=57"),
            (hit(-3, Some(Detail::Stale)), "tropos; hit; ttl=-3; detail=stale"),
            (hit(-9, Some(Detail::StaleError)), "tropos; hit; ttl=-9; detail=stale-error"),
            (hit(-9, Some(Detail::StaleError)).degraded(), "tropos; hit; ttl=-9; detail=degraded"),
            (hit(i64::MAX, None), "tropos; hit; ttl=999999999999999"),
            (CacheStatus::miss(Forward::UriMiss, Outcome::Stored), "tropos; fwd=uri-miss; stored"),
            (CacheStatus::miss(Forward::UriMiss, Outcome::Collapsed), "tropos; fwd=uri-miss; collapsed"),
            (CacheStatus::miss(Forward::UriMiss, Outcome::NotStored), "tropos; fwd=uri-miss"),
            (CacheStatus::miss(Forward::Stale, Outcome::Stored), "tropos; fwd=stale; stored"),
            (
                CacheStatus::miss(Forward::UriMiss, Outcome::Stored).degraded(),
                "tropos; fwd=uri-miss; stored; detail=degraded",
            ),
            (CacheStatus::Bypass(Detail::Server), "tropos; fwd=bypass; detail=server"),
            (CacheStatus::Bypass(Detail::Live), "tropos; fwd=bypass; detail=live"),
            (CacheStatus::Bypass(Detail::Draft), "tropos; fwd=bypass; detail=draft"),
            (CacheStatus::Bypass(Detail::Draft).degraded(), "tropos; fwd=bypass; detail=degraded"),
        ];
        for (status, expected) in cases {
            assert_eq!(status.to_string(), expected);
            assert_eq!(status.as_header(), expected);
        }
    }
}
