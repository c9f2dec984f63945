//! Whether an answer to `GET` may be stored (RFC 9111 §3).

use super::{Freshness, Rules, Source, directives::Control, directives::Covers, freshness};
use ::http::{HeaderMap, StatusCode, header};
use std::fmt;

/// Why an answer is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NotStored {
    /// Not a final answer, or part of one (RFC 9111 §3, §3.3), or one that only a condition could have.
    Status,
    /// `no-store` in the response (§5.2.2.5).
    NoStore,
    /// `no-store` in the request (§5.2.1.5).
    RequestNoStore,
    /// `private` (§5.2.2.7).
    Private,
    /// The request carried `Authorization`, and nothing in the answer says that others may see it (§3.5).
    Authorization,
    /// `must-understand` with a status that this cache does not know (§5.2.2.3).
    NotUnderstood,
    /// `Vary: *`: no other request could be answered with it (§4.1).
    VaryAny,
    /// `Set-Cookie`, which these [`Rules`] refuse; RFC 9111 §7.3 would allow it.
    SetCookie,
    /// Nothing says that it may be stored (§3).
    NothingAllows,
    /// Stale on arrival, without leave to be served so and without a validator: it could never answer anything.
    Useless,
    /// Larger than what the store takes.
    TooLarge,
}

impl NotStored {
    /// A word for `Cache-Status` and the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            NotStored::Status => "status",
            NotStored::NoStore => "no-store",
            NotStored::RequestNoStore => "request-no-store",
            NotStored::Private => "private",
            NotStored::Authorization => "authorization",
            NotStored::NotUnderstood => "not-understood",
            NotStored::VaryAny => "vary",
            NotStored::SetCookie => "set-cookie",
            NotStored::NothingAllows => "nothing-allows",
            NotStored::Useless => "no-lifetime",
            NotStored::TooLarge => "too-large",
        }
    }
}

impl fmt::Display for NotStored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether the answer may be stored, and is worth it.
///
/// # Errors
/// With the reason why it may not.
pub fn check(
    request: &HeaderMap,
    status: StatusCode,
    headers: &HeaderMap,
    control: &Control,
    freshness: Freshness,
    rules: &Rules,
) -> Result<(), NotStored> {
    let directives = &control.directives;
    // §3: a final status code; 206 and 304 only by a cache that combines them, which this one does not.
    if status.is_informational() || matches!(status.as_u16(), 206 | 304 | 412 | 416) {
        return Err(NotStored::Status);
    }
    if Control::of_request(request, rules).directives.no_store {
        return Err(NotStored::RequestNoStore);
    }
    if directives.must_understand && !is_understood(status) {
        return Err(NotStored::NotUnderstood);
    }
    // §5.2.2.3: beside `must-understand`, `no-store` is for caches that do not understand.
    if directives.no_store && !directives.must_understand {
        return Err(NotStored::NoStore);
    }
    if directives.private == Covers::All {
        return Err(NotStored::Private);
    }
    if request.contains_key(header::AUTHORIZATION) && !allows_authorized(control) {
        return Err(NotStored::Authorization);
    }
    if headers.contains_key(header::SET_COOKIE)
        && !rules.store_set_cookie
        && !names_set_cookie(&directives.no_cache)
        && !names_set_cookie(&directives.private)
    {
        return Err(NotStored::SetCookie);
    }
    // §3, the last item. `private` does not count in a shared cache. Beside a field for this cache, `Expires` does not
    // count either (RFC 9213 §2.2).
    let allowed = directives.public
        || directives.max_age.is_present()
        || directives.s_maxage.is_present()
        || (headers.contains_key(header::EXPIRES) && !control.targeted)
        || freshness::is_cacheable_by_default(status);
    if !allowed {
        return Err(NotStored::NothingAllows);
    }
    let may_be_stale = directives.stale_while_revalidate.valid().is_some_and(|seconds| seconds > 0)
        || directives.stale_if_error.valid().is_some_and(|seconds| seconds > 0);
    let has_validator = headers.contains_key(header::ETAG) || headers.contains_key(header::LAST_MODIFIED);
    if freshness.lifetime.is_zero() && !may_be_stale && !has_validator {
        return Err(match freshness.source {
            Source::Nothing => NotStored::NothingAllows,
            _ => NotStored::Useless,
        });
    }
    Ok(())
}

/// §3.5: what lets the answer to an authorised request answer others.
pub(super) fn allows_authorized(control: &Control) -> bool {
    let directives = &control.directives;
    directives.public || directives.must_revalidate || directives.s_maxage.is_present()
}

/// The cookie is not stored then, and the rest may be.
fn names_set_cookie(covers: &Covers) -> bool {
    covers.fields().contains(&header::SET_COOKIE)
}

/// The status codes whose requirements on caches this one meets (§5.2.2.3): those of RFC 9110 §15 without 206 and 304.
const fn is_understood(status: StatusCode) -> bool {
    matches!(status.as_u16(), 200..=205 | 300..=303 | 305 | 307 | 308 | 400..=411 | 413..=415 | 417 | 421 | 422 | 426 | 500..=505)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::policy::testing::map;
    use crate::http::policy::{Exchange, Stored};
    use tropos_core::Tick;

    fn stored(
        request: &[(&'static str, &'static str)],
        status: u16,
        response: &[(&'static str, &'static str)],
        rules: &Rules,
    ) -> Option<NotStored> {
        let exchange = Exchange { requested: Tick(0), received: Tick(0), received_wall: 1_577_836_810_000 };
        let status = StatusCode::from_u16(status).unwrap();
        Stored::new(&map(request), status, map(response), &exchange, rules).err()
    }

    #[test]
    fn what_is_stored_and_why_the_rest_is_not() {
        use NotStored::*;
        let plain: &[(&str, &str)] = &[];
        let minute = ("cache-control", "max-age=60");
        let authorized: &[(&str, &str)] = &[("authorization", "x")];
        for (request, status, response, expected) in [
            (plain, 200, &[minute][..], None),
            (plain, 299, &[minute], None),
            (plain, 599, &[minute], None),
            (plain, 206, &[minute], Some(Status)),
            (plain, 304, &[minute], Some(Status)),
            (plain, 101, &[minute], Some(Status)),
            (plain, 200, &[("cache-control", "no-store, max-age=60")], Some(NoStore)),
            (&[("cache-control", "no-store")], 200, &[minute], Some(RequestNoStore)),
            (plain, 200, &[("cache-control", "private, max-age=60")], Some(Private)),
            (plain, 200, &[("cache-control", "private=\"a\", max-age=60")], None),
            (plain, 200, &[("cache-control", "must-understand, no-store, max-age=60")], None),
            (plain, 599, &[("cache-control", "must-understand, max-age=60")], Some(NotUnderstood)),
            (authorized, 200, &[minute], Some(Authorization)),
            (authorized, 200, &[("expires", "Thu, 01 Jan 2032 00:00:00 GMT")], Some(Authorization)),
            (authorized, 200, &[("cache-control", "max-age=60, public")], None),
            (authorized, 200, &[("cache-control", "max-age=60, must-revalidate")], None),
            (authorized, 200, &[("cache-control", "s-maxage=60")], None),
            (plain, 200, &[minute, ("vary", "*")], Some(VaryAny)),
            (plain, 200, &[minute, ("set-cookie", "a=b")], Some(SetCookie)),
            (
                plain,
                200,
                &[("cache-control", "max-age=60, no-cache=set-cookie"), ("set-cookie", "a=b")],
                None,
            ),
            (plain, 200, &[], Some(NothingAllows)),
            (plain, 403, &[("last-modified", "Thu, 01 Jan 2015 00:00:00 GMT")], Some(NothingAllows)),
            (plain, 200, &[("last-modified", "Thu, 01 Jan 2015 00:00:00 GMT")], None),
            (plain, 200, &[("cache-control", "max-age=0")], Some(Useless)),
            (plain, 200, &[("cache-control", "max-age=0"), ("etag", "\"a\"")], None),
            (plain, 200, &[("cache-control", "max-age=0, stale-if-error=9")], None),
            (plain, 200, &[("cache-control", "no-store"), ("cdn-cache-control", "max-age=60")], None),
            (plain, 200, &[minute, ("cdn-cache-control", "no-store")], Some(NoStore)),
        ] {
            assert_eq!(
                stored(request, status, response, &Rules::default()),
                expected,
                "{request:?} {response:?}"
            );
        }
        let rules = Rules { store_set_cookie: true, ..Rules::default() };
        assert_eq!(stored(plain, 200, &[minute, ("set-cookie", "a=b")], &rules), None);
        let rules = Rules { honour_requests: false, ..Rules::default() };
        assert_eq!(stored(&[("cache-control", "no-store")], 200, &[minute], &rules), None);
    }
}
