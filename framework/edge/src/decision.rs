//! What a hook may decide.

use crate::Error;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use tropos_core::CanonicalPath;

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Decision {
    /// The next hook, and after the last one the page.
    #[default]
    Next,
    /// Goes on as if another path of this site had been asked for; the visitor keeps seeing the one they asked for. All
    /// hooks see it anew under its new path, so a guard there guards.
    Rewrite(Target),
    /// Sends the visitor elsewhere.
    Redirect(Redirect),
    /// Answers.
    Respond(Reply),
}

/// Where a rewrite leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub(crate) path: CanonicalPath,
    /// `None` keeps the query of the request.
    pub(crate) query: Option<String>,
}

impl Decision {
    /// Goes on as `target`, a path with or without a query. Without one, the query of the request is kept.
    ///
    /// # Errors
    /// [`Error::Location`] where it is no path of this site.
    pub fn rewrite(target: &str) -> Result<Self, Error> {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (target, None),
        };
        let path = CanonicalPath::parse(path).map_err(|_| Error::Location(target.to_owned()))?;
        Ok(Self::Rewrite(Target { path, query }))
    }

    /// Sends the visitor to `location` for now (307), their method and body kept.
    ///
    /// # Errors
    /// [`Error::Location`] where nobody should be sent there.
    pub fn redirect(location: &str) -> Result<Self, Error> {
        Redirect::new(StatusCode::TEMPORARY_REDIRECT, location).map(Self::Redirect)
    }

    /// Sends the visitor to `location` for ever (308).
    ///
    /// # Errors
    /// [`Error::Location`] where nobody should be sent there.
    pub fn redirect_permanently(location: &str) -> Result<Self, Error> {
        Redirect::new(StatusCode::PERMANENT_REDIRECT, location).map(Self::Redirect)
    }
}

/// An answer that sends the visitor elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    pub(crate) status: StatusCode,
    pub(crate) location: String,
    /// Whether it leads from plain `http` to `https`, and so elsewhere though all else is the same.
    pub(crate) other_scheme: bool,
}

impl Redirect {
    /// A redirect with one of 301, 302, 303, 307 and 308.
    ///
    /// # Errors
    /// [`Error::Location`] for anything but a path that begins with one slash, or an `http(s)://` address, and for any other status.
    pub fn new(status: StatusCode, location: &str) -> Result<Self, Error> {
        let wrong = || Error::Location(location.to_owned());
        if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) || !is_location(location) {
            return Err(wrong());
        }
        Ok(Self { status, location: location.to_owned(), other_scheme: false })
    }

    /// Where it leads.
    pub fn location(&self) -> &str {
        &self.location
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

/// Whether a visitor may be sent there. Browsers take `//host` and `/\host` for other sites, and strip tabs and line ends
/// (WHATWG URL §4.4).
pub fn is_location(location: &str) -> bool {
    let clean = !location.is_empty() && location.bytes().all(|byte| byte.is_ascii_graphic());
    let rest = location.strip_prefix('/');
    let path = rest.is_some_and(|rest| !rest.starts_with(['/', '\\']));
    let absolute = ["https://", "http://"].iter().any(|scheme| {
        location
            .strip_prefix(scheme)
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '['))
    });
    clean && !location.contains('\\') && (path || absolute)
}

/// An answer that a hook gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Bytes,
}

impl Reply {
    /// An answer of plain text. A status that is none becomes 500. Not stored by anybody, unless a header says otherwise.
    pub fn text(status: u16, text: impl Into<String>) -> Self {
        Self::of(status, "text/plain; charset=utf-8", text.into().into())
    }

    /// An answer of HTML.
    pub fn html(status: u16, html: impl Into<String>) -> Self {
        Self::of(status, "text/html; charset=utf-8", html.into().into())
    }

    /// An answer without a body, such as 204.
    pub fn empty(status: u16) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, headers: vec![no_store()], body: Bytes::new() }
    }

    fn of(status: u16, kind: &'static str, body: Bytes) -> Self {
        let kind = (header::CONTENT_TYPE, HeaderValue::from_static(kind));
        let mut reply = Self::empty(status);
        reply.headers.push(kind);
        Self { body, ..reply }
    }

    /// Sets a header. Without effect where it cannot be one.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            self.headers.retain(|(known, _)| *known != name);
            self.headers.push((name, value));
        }
        self
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The headers, each name once.
    pub fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.headers
    }

    /// The body.
    pub fn body(&self) -> &Bytes {
        &self.body
    }
}

fn no_store() -> (HeaderName, HeaderValue) {
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
}

impl From<Reply> for Decision {
    fn from(reply: Reply) -> Self {
        Self::Respond(reply)
    }
}

impl From<Redirect> for Decision {
    fn from(redirect: Redirect) -> Self {
        Self::Redirect(redirect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visitors_are_sent_to_paths_of_this_site_and_to_whole_addresses_alone() {
        for (location, fine) in [
            ("/", true),
            ("/a?b=c#d", true),
            ("https://shop.example/a", true),
            ("http://[::1]/", true),
            ("", false),
            ("a", false),
            ("//evil", false),
            ("/\\evil", false),
            ("/a\\b", false),
            ("javascript:alert(1)", false),
            ("https:evil", false),
            ("https:///evil", false),
            ("/a\r\nset-cookie: x", false),
            ("/a b", false),
            ("/\t/evil", false),
        ] {
            assert_eq!(is_location(location), fine, "{location}");
            assert_eq!(Decision::redirect(location).is_ok(), fine, "{location}");
        }
        assert!(Redirect::new(StatusCode::OK, "/").is_err());
    }

    #[test]
    fn a_rewrite_stays_on_this_site() {
        assert!(Decision::rewrite("/a?b=c").is_ok());
        for wrong in ["a", "//evil", "/a/../b", "/%zz", "https://evil/"] {
            assert!(Decision::rewrite(wrong).is_err(), "{wrong}");
        }
    }
}
