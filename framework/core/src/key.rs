//! What an entry is stored under.

use std::{fmt, sync::Arc};

/// Names one entry, within one build.
///
/// A page's key is its route, canonical path, declared query keys and declared variants: nothing else of a request
/// reaches the render, so nothing else is in the key.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(Arc<str>);

/// The parts of a page's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageKey<'a> {
    /// The path as it was declared.
    pub route: &'a str,
    /// The canonical path.
    pub path: &'a str,
    /// The canonical spelling of the declared query.
    pub query: &'a str,
    /// What was chosen of the declared variants.
    pub variants: &'a str,
}

impl Key {
    /// A stored page. `query` is the canonical spelling of the declared keys, empty where none are declared.
    ///
    /// ```
    /// use tropos_core::Key;
    /// assert_eq!(Key::page("/isr/:key", "/isr/a", "").as_str(), "page /isr/:key /isr/a");
    /// assert_eq!(Key::page("/q/:key", "/q/a", "page=2").as_str(), "page /q/:key /q/a?page=2");
    /// ```
    pub fn page(route: &str, path: &str, query: &str) -> Self {
        // Blanks cannot occur in a canonical path or pattern, so that no two pages meet in one key.
        match query {
            "" => Self(format!("page {route} {path}").into()),
            query => Self(format!("page {route} {path}?{query}").into()),
        }
    }

    /// A stored page of a route that declares variants: `variants` is what was chosen of them, such as `ab=a`.
    ///
    /// ```
    /// use tropos_core::Key;
    /// assert_eq!(Key::page_variant("/v/:key", "/v/a", "page=2", "ab=a").as_str(), "page /v/:key /v/a?page=2#ab=a");
    /// assert_eq!(Key::page_variant("/v/:key", "/v/a", "", ""), Key::page("/v/:key", "/v/a", ""));
    /// ```
    pub fn page_variant(route: &str, path: &str, query: &str, variants: &str) -> Self {
        let plain = Self::page(route, path, query);
        match variants {
            "" => plain,
            variants => Self(format!("{plain}#{variants}").into()),
        }
    }

    /// The parts of a page's key; `None` for any other key.
    ///
    /// ```
    /// use tropos_core::Key;
    /// let key = Key::page("/q/:key", "/q/a", "page=2");
    /// let page = key.as_page().unwrap();
    /// assert_eq!((page.route, page.path, page.query, page.variants), ("/q/:key", "/q/a", "page=2", ""));
    /// assert_eq!(Key::fetch("page").as_page(), None);
    /// ```
    pub fn as_page(&self) -> Option<PageKey<'_>> {
        let (route, target) = self.0.strip_prefix("page ")?.split_once(' ')?;
        // Both marks are encoded in a canonical path, and in a canonical query.
        let (target, variants) = target.split_once('#').unwrap_or((target, ""));
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Some(PageKey { route, path, query, variants })
    }

    /// A fetch, by a digest of method, URL, headers and body.
    pub fn fetch(digest: &str) -> Self {
        Self(format!("fetch {digest}").into())
    }

    /// A cached function, by its path in the program and its encoded arguments.
    pub fn function(function: &str, arguments: &str) -> Self {
        Self(format!("fn {function} {arguments}").into())
    }

    /// The key as it was stored.
    pub fn from_stored(key: &str) -> Self {
        Self(key.into())
    }

    /// The whole key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
