//! How the layer came to its answer, in the words of RFC 9211 and in the form of
//! [`CacheStatus`](crate::http::CacheStatus).

use crate::http::{lifetime::line, policy::NotStored};
use ::http::{HeaderValue, StatusCode};
use std::fmt::Write as _;

/// What `Cache-Status` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// Answered from the store (RFC 9211 §2.1).
    Hit { ttl: i64, detail: Option<Detail> },
    /// Asked the origin (§2.2).
    Forwarded { why: Why, fwd_status: Option<StatusCode>, kept: Kept },
}

/// §2.8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    /// Stale: validated in the background, or tolerated by the request.
    Stale,
    /// Stale, and the origin failed.
    StaleError,
}

/// §2.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Nothing is stored under this URL.
    UriMiss,
    /// Something is, for other requests.
    VaryMiss,
    /// What is stored must be validated.
    Stale,
    /// The request wanted it.
    Request,
    /// The method is not for caches.
    Method,
    /// The request is not for caches.
    Bypass,
}

/// What became of the origin's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// Stored, as far as its header says: a body that is cut short is not (§2.5).
    Stored,
    /// Another request's answer serves this one too (§2.6).
    Collapsed,
    /// Not stored, for this reason.
    Not(NotStored),
    /// There was nothing to store.
    Nothing,
}

impl Status {
    pub(super) fn as_header(self) -> HeaderValue {
        line(|out| {
            out.write_str("tropos; ")?;
            match self {
                Status::Hit { ttl, detail } => {
                    // RFC 8941 §3.3.1: an integer has at most 15 digits.
                    write!(out, "hit; ttl={}", ttl.clamp(-999_999_999_999_999, 999_999_999_999_999))?;
                    match detail {
                        Some(Detail::Stale) => out.write_str("; detail=stale"),
                        Some(Detail::StaleError) => out.write_str("; detail=stale-error"),
                        None => Ok(()),
                    }
                }
                Status::Forwarded { why, fwd_status, kept } => {
                    out.write_str(match why {
                        Why::UriMiss => "fwd=uri-miss",
                        Why::VaryMiss => "fwd=vary-miss",
                        Why::Stale => "fwd=stale",
                        Why::Request => "fwd=request",
                        Why::Method => "fwd=method",
                        Why::Bypass => "fwd=bypass",
                    })?;
                    if let Some(status) = fwd_status {
                        write!(out, "; fwd-status={}", status.as_u16())?;
                    }
                    match kept {
                        Kept::Stored => out.write_str("; stored"),
                        Kept::Collapsed => out.write_str("; collapsed"),
                        Kept::Not(why) => write!(out, "; detail={why}"),
                        Kept::Nothing => Ok(()),
                    }
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms() {
        let forwarded = |why, kept| Status::Forwarded { why, fwd_status: None, kept };
        let validated = Status::Forwarded {
            why: Why::Stale,
            fwd_status: Some(StatusCode::NOT_MODIFIED),
            kept: Kept::Stored,
        };
        for (status, expected) in [
            (Status::Hit { ttl: 57, detail: None }, "tropos; hit; ttl=57"),
            (Status::Hit { ttl: -3, detail: Some(Detail::Stale) }, "tropos; hit; ttl=-3; detail=stale"),
            (
                Status::Hit { ttl: -9, detail: Some(Detail::StaleError) },
                "tropos; hit; ttl=-9; detail=stale-error",
            ),
            (forwarded(Why::UriMiss, Kept::Stored), "tropos; fwd=uri-miss; stored"),
            (forwarded(Why::UriMiss, Kept::Collapsed), "tropos; fwd=uri-miss; collapsed"),
            (forwarded(Why::VaryMiss, Kept::Nothing), "tropos; fwd=vary-miss"),
            (forwarded(Why::Request, Kept::Not(NotStored::NoStore)), "tropos; fwd=request; detail=no-store"),
            (validated, "tropos; fwd=stale; fwd-status=304; stored"),
        ] {
            assert_eq!(status.as_header(), expected, "{status:?}");
        }
    }
}
