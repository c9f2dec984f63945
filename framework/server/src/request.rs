//! What belongs to one request, and what its answer carries besides a body.

use crate::{Error, dev::Recording, edge::Decided};
use cookie::{Cookie, SameSite};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};
use tropos_core::Positions;

/// The head of a request, as pages may read it.
#[derive(Debug)]
pub(crate) struct RequestHead {
    pub(crate) method: http::Method,
    pub(crate) headers: HeaderMap,
    /// Whether cookies that are set must be `Secure`: the public origin is `https`.
    pub(crate) secure: bool,
    /// Whether the visitor sees drafts.
    pub(crate) draft: bool,
    /// What the visitor has written: what they read must have seen it.
    pub(crate) seen: Positions,
    /// What hooks made of it; `None` where none ran.
    pub(crate) decided: Option<Arc<Decided>>,
    /// Who notes what a page reads of it; `None` unless routes are watched.
    pub(crate) watched: Option<Arc<Recording>>,
}

/// What a page or server function adds to its answer, until the head is sent.
#[derive(Debug, Default)]
pub(crate) struct ResponseHead(Mutex<Option<Additions>>);

#[derive(Debug, Default)]
pub(crate) struct Additions {
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) redirect: Option<tropos_core::Redirect>,
    /// Whether the error that it answers with was reported with its cause.
    pub(crate) reported: bool,
    /// The session that was started.
    session: Option<String>,
}

impl ResponseHead {
    pub(crate) fn open() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Some(Additions::default()))))
    }

    /// Closes the head: what is added from now on comes too late.
    pub(crate) fn take(&self) -> Additions {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default()
    }

    fn change(&self, change: impl FnOnce(&mut Additions)) {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(additions) => change(additions),
            None => tracing::warn!(
                "a header or cookie was set after the head of the answer had been sent: set it before the page's first `Suspense`"
            ),
        }
    }

    fn session(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref()?.session.clone()
    }

    fn add(&self, name: HeaderName, value: &str) {
        match HeaderValue::from_str(value) {
            Ok(value) => self.change(|additions| additions.headers.push((name, value))),
            Err(_) => {
                tracing::warn!(%name, "a header was not set: its value has characters that no header may have")
            }
        }
    }

    /// The error that is answered with has been reported.
    pub(crate) fn reported(&self) {
        self.change(|additions| additions.reported = true);
    }

    pub(crate) fn redirect(&self, redirect: tropos_core::Redirect) {
        self.change(|additions| additions.redirect = Some(redirect));
    }
}

/// Names and values of the cookies that a request carries, as they were sent. There may be several of one name.
pub(crate) fn cookie_pairs(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let lines = headers.get_all(header::COOKIE).into_iter();
    let lines = lines.filter_map(|line| std::str::from_utf8(line.as_bytes()).ok());
    lines.flat_map(tropos_edge::request::cookie_pairs)
}

/// The cookies of a request, and those that its answer sets.
#[derive(Clone)]
pub struct Cookies {
    request: Arc<RequestHead>,
    response: Arc<ResponseHead>,
}

impl Cookies {
    pub(crate) fn new(request: Arc<RequestHead>, response: Arc<ResponseHead>) -> Self {
        Self { request, response }
    }

    /// The value of a cookie that the request carries, percent-decoded.
    pub fn get(&self, name: &str) -> Option<String> {
        let value = cookie_pairs(&self.request.headers).find(|(known, _)| *known == name);
        let value = value.map(|(_, value)| value);
        if let Some(recording) = &self.request.watched {
            recording.reads_cookie(name, value);
        }
        value.map(|value| {
            let decoded = percent_encoding::percent_decode_str(value).decode_utf8();
            decoded.map_or_else(|_| value.to_owned(), |decoded| decoded.into_owned())
        })
    }

    /// Whether the public origin is `https`.
    pub(crate) fn are_secure(&self) -> bool {
        self.request.secure
    }

    /// Sets a cookie that scripts cannot read and other sites do not send (`HttpOnly`, `SameSite=Lax`, `Path=/`, and
    /// `Secure` where the origin is `https`), until the browser is closed.
    pub fn set(&self, name: &str, value: &str) {
        self.add(Cookie::new(name.to_owned(), value.to_owned()));
    }

    /// Sets a cookie with attributes of its own. `HttpOnly`, `SameSite` and `Path` that it leaves open are as in
    /// [`Cookies::set`].
    pub fn add(&self, mut cookie: Cookie<'static>) {
        if cookie.http_only().is_none() {
            cookie.set_http_only(true);
        }
        if cookie.same_site().is_none() {
            cookie.set_same_site(SameSite::Lax);
        }
        if cookie.path().is_none() {
            cookie.set_path("/");
        }
        if cookie.secure().is_none() && self.request.secure {
            cookie.set_secure(true);
        }
        // Encoded, so that no value adds attributes.
        self.response.add(header::SET_COOKIE, &cookie.encoded().to_string());
    }
}

impl fmt::Debug for Cookies {
    /// Without values: they are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cookies")
    }
}

/// Who is asking, from one visit to the next: an unguessable name in a cookie, to keep data under in a database.
///
/// It proves nothing but that the same browser came back. Nothing is set until [`Session::start`] is called, so that
/// visitors who only read stay without a cookie.
#[derive(Debug, Clone)]
pub struct Session {
    cookies: Cookies,
}

/// The session's cookie.
const SESSION_COOKIE: &str = "tropos_session";

/// 128 random bits in hexadecimal digits.
const SESSION_LENGTH: usize = 32;

impl Session {
    pub(crate) fn new(cookies: Cookies) -> Self {
        Self { cookies }
    }

    /// The session's name, where the visitor has one.
    pub fn id(&self) -> Option<String> {
        if let Some(started) = self.cookies.response.session() {
            return Some(started);
        }
        let id = self.cookies.get(SESSION_COOKIE)?;
        (id.len() == SESSION_LENGTH && id.bytes().all(|b| b.is_ascii_hexdigit())).then_some(id)
    }

    /// The session's name; a new one is made, and its cookie set for a year, where the visitor has none.
    pub fn start(&self) -> String {
        self.id().unwrap_or_else(|| {
            let id = format!("{:032x}", rand::random::<u128>());
            self.cookies.response.change(|additions| additions.session = Some(id.clone()));
            let mut cookie = Cookie::new(SESSION_COOKIE, id.clone());
            cookie.set_max_age(cookie::time::Duration::days(365));
            self.cookies.add(cookie);
            id
        })
    }
}

/// Sends the visitor on after a server function: a browser's form post by 303 and `Location`, a call from an island by
/// the header that its client follows.
///
/// # Errors
/// [`Error::Unavailable`] outside of a request.
pub fn redirect_after(location: impl Into<String>) -> Result<(), Error> {
    let outside = || Error::Unavailable("`redirect_after` was called outside of a request".to_owned());
    let cx = crate::page::PageCx::current().ok_or_else(outside)?;
    cx.response().redirect(tropos_core::Redirect { location: location.into(), permanent: false });
    Ok(())
}
