//! Drafts: showing what is not published to those who may see it.
//!
//! Who carries a signed cookie sees every page rendered afresh, for themselves alone: nothing is read from the cache and
//! nothing is stored in it, by the page or by what it calls. All others are answered as ever. A page asks
//! [`Draft`](crate::Draft) whether this is a draft, so that its query can include what is not published.
//!
//! The cookie is set by [`enable`], which the application calls after it has made sure who is asking; or by a
//! [`link`], which is signed too and soon invalid, and which whoever knows the secret gets from `POST /_tropos/draft`.
//!
//! ```no_run
//! # async fn sign_in(_: String) -> bool { true }
//! # async fn example(password: String) -> Result<(), tropos_server::Error> {
//! use tropos_server::draft;
//! if sign_in(password).await {
//!     draft::enable()?;
//! }
//! # Ok(()) }
//! ```

mod signed;

pub(crate) use signed::Drafts;

use crate::{Error, page::PageCx, request::Cookies};
use cookie::Cookie;

/// The cookie over `http`, in development.
const COOKIE: &str = "tropos_draft";

/// The cookie over `https`: browsers take it from this very host alone, and only as `Secure` for `/` (RFC 6265bis
/// §4.1.3.2), so that no neighbouring host can plant one.
const SECURE_COOKIE: &str = "__Host-tropos_draft";

/// The name of the cookie.
pub(crate) const fn cookie_name(secure: bool) -> &'static str {
    if secure { SECURE_COOKIE } else { COOKIE }
}

/// The visitor whose request is running sees drafts from now on, for eight hours. Call it in a server function, an API
/// handler or a `server` page, once you know that they may.
///
/// # Errors
/// [`Error::Unavailable`] says why: no `draft_secret` is configured, or there is no request.
pub fn enable() -> Result<(), Error> {
    let (drafts, cookies) = running("draft::enable")?;
    cookies.add(drafts.cookie(cookies.are_secure()));
    Ok(())
}

/// The visitor whose request is running sees no drafts from now on. The cookie is taken away; a copy of it, should
/// somebody have kept one, is good until it expires.
///
/// # Errors
/// As [`enable`].
pub fn disable() -> Result<(), Error> {
    let (_, cookies) = running("draft::disable")?;
    cookies.add(expired(cookies.are_secure()));
    Ok(())
}

/// An address that, opened within ten minutes, shows drafts to whoever opens it and leads them on to `to`, a path of this
/// site: for the preview button of an editor.
///
/// # Errors
/// As [`enable`]; a `to` that is no path of this site.
pub fn link(to: &str) -> Result<String, Error> {
    let cx = current("draft::link")?;
    let drafts = cx.drafts().ok_or_else(no_secret)?;
    drafts.link(to).ok_or_else(|| {
        Error::Unavailable(format!("`draft::link` leads to `{to}`: write a path that begins with one `/`"))
    })
}

fn running(what: &str) -> Result<(Drafts, Cookies), Error> {
    let cx = current(what)?;
    let drafts = cx.drafts().cloned().ok_or_else(no_secret)?;
    let no_request =
        |_| Error::Unavailable(format!("`{what}` was called where no request is: a stored page renders"));
    Ok((drafts, cx.cookies().map_err(no_request)?))
}

fn current(what: &str) -> Result<PageCx, Error> {
    PageCx::current().ok_or_else(|| Error::Unavailable(format!("`{what}` was called outside of a request")))
}

fn no_secret() -> Error {
    Error::Unavailable(
        "there are no drafts: set `draft_secret` in tropos.toml, or TROPOS_DRAFT_SECRET, to a long random text".to_owned(),
    )
}

/// Takes the cookie away.
pub(crate) fn expired(secure: bool) -> Cookie<'static> {
    let mut cookie = Cookie::new(cookie_name(secure), "");
    cookie.set_max_age(cookie::time::Duration::ZERO);
    cookie
}
