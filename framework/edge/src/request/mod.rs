//! What a hook may read of a request.

mod client;
mod cookies;
mod headers;
pub mod internal;
mod query;
mod stream;

pub use client::{Client, Geo};
pub use cookies::pairs as cookie_pairs;
pub use headers::{Headers, RawHeader};
pub use query::pairs as query_pairs;
pub use stream::page_of_stream;

use crate::{Platform, Variants, edits::ContextValue};
use http::Method;
use std::{borrow::Cow, fmt, sync::OnceLock};
use tropos_core::{CanonicalPath, Mode, UnixMillis};

/// A request as hooks see it: the same parsed path that the router and the cache's key use, and headers without those
/// that only Tropos itself may set ([`internal`]).
///
/// What an earlier hook changed is seen by a later one.
#[derive(Debug)]
pub struct EdgeRequest<'a> {
    pub(crate) method: &'a Method,
    pub(crate) host: &'a str,
    pub(crate) secure: bool,
    pub(crate) path: Cow<'a, CanonicalPath>,
    pub(crate) query: Cow<'a, str>,
    pub(crate) headers: Headers<'a>,
    pub(crate) client: Client<'a>,
    pub(crate) route: Option<Route<'a>>,
    pub(crate) variants: Variants,
    /// Cookies that hooks have set for this very request, or taken away, the later ones last.
    pub(crate) set: Vec<(String, Option<String>)>,
    pub(crate) rewritten_from: Option<CanonicalPath>,
    pub(crate) given: Given<'a>,
    /// What earlier hooks left for the page: names and JSON.
    pub(crate) context: Vec<(&'static str, String)>,
    /// What earlier hooks noted for later ones.
    pub(crate) marks: Vec<String>,
}

/// What the platform gives to all hooks alike: asked for where the first of them reads it, since most hits are read by none.
#[derive(Default)]
pub(crate) struct Given<'a> {
    pub(crate) platform: Option<&'a dyn Platform>,
    now: OnceLock<UnixMillis>,
    chance: OnceLock<u64>,
}

impl fmt::Debug for Given<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Given").field("now", &self.now).field("chance", &self.chance).finish_non_exhaustive()
    }
}

/// The page that the path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route<'a> {
    /// As it was declared, such as `/products/:id`.
    pub pattern: &'a str,
    /// How its HTML comes to be.
    pub mode: Mode,
}

impl<'a> EdgeRequest<'a> {
    /// A request. `host` is the one that it names, with its port; `secure` whether the public origin is `https`.
    pub fn new(
        method: &'a Method,
        host: &'a str,
        secure: bool,
        path: &'a CanonicalPath,
        query: &'a str,
        headers: Headers<'a>,
        client: Client<'a>,
    ) -> Self {
        Self {
            method,
            host,
            secure,
            path: Cow::Borrowed(path),
            query: Cow::Borrowed(query),
            headers,
            client,
            route: None,
            variants: Variants::default(),
            set: Vec::new(),
            rewritten_from: None,
            given: Given::default(),
            context: Vec::new(),
            marks: Vec::new(),
        }
    }

    /// The method.
    pub fn method(&self) -> &Method {
        self.method
    }

    /// The host that the request names, as it is spelled, with its port. Answers must not be made of it: clients choose it.
    pub fn host(&self) -> &str {
        self.host
    }

    /// Whether visitors come by `https`.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// The path in its one spelling, after all rewrites so far.
    pub fn path(&self) -> &CanonicalPath {
        &self.path
    }

    /// The path that the visitor asked for, where it was rewritten.
    pub fn rewritten_from(&self) -> Option<&CanonicalPath> {
        self.rewritten_from.as_ref()
    }

    /// The query as it came, without its question mark.
    pub fn query(&self) -> &str {
        &self.query
    }

    /// The first value of a key of the query, decoded.
    pub fn query_value(&self, key: &str) -> Option<Cow<'_, str>> {
        query::pairs(&self.query).find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The first value of a header, where it is text. Names are compared without regard to case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// All headers.
    pub fn headers(&self) -> &Headers<'a> {
        &self.headers
    }

    /// The value of a cookie as it was sent; one that an earlier hook has set for this request before all others.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        if let Some((_, value)) = self.set.iter().rev().find(|(known, _)| known == name) {
            return value.as_deref();
        }
        match &self.headers {
            Headers::Map(map) => {
                map.get_all("cookie").iter().find_map(|line| cookies::value(line.as_bytes(), name))
            }
            Headers::Raw(lines) => {
                let mut lines = lines.iter().filter(|line| line.name.eq_ignore_ascii_case("cookie"));
                lines.find_map(|line| cookies::value(line.value, name))
            }
        }
    }

    /// Where the visitor is, and by which address they come.
    pub fn client(&self) -> &Client<'a> {
        &self.client
    }

    /// The page that the path leads to; `None` for server functions, files, and paths that lead nowhere. The event stream of
    /// an open page is asked for as its page.
    pub fn route(&self) -> Option<Route<'a>> {
        self.route
    }

    /// The wall clock, in milliseconds since 1970, when a hook first asked for it: the same for all hooks of a request.
    pub fn now(&self) -> UnixMillis {
        *self.given.now.get_or_init(|| self.given.platform.map_or(0, Platform::now))
    }

    /// A number that nobody can foretell: of this request, the same for all hooks.
    pub fn chance(&self) -> u64 {
        *self.given.chance.get_or_init(|| self.given.platform.map_or(0, Platform::random))
    }

    /// The value that an earlier hook has left for the page, such as a session. Nothing that a client sends gets there.
    pub fn context<T: ContextValue>(&self) -> Option<T> {
        let (_, json) = self.context.iter().find(|(name, _)| *name == T::NAME)?;
        serde_json::from_str(json).ok()
    }

    /// Whether an earlier hook has [marked](crate::Edits::mark) this request so.
    pub fn is_marked(&self, mark: &str) -> bool {
        self.marks.iter().any(|known| known == mark)
    }

    /// The variants that were chosen so far.
    pub fn variants(&self) -> &Variants {
        &self.variants
    }
}
