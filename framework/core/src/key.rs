//! What an entry is stored under.

use std::{fmt, sync::Arc};

/// Names one entry, within one build.
///
/// A page's key is its route, canonical path, declared query keys and declared variants: nothing else of a request
/// reaches the render, so nothing else is in the key.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(Arc<str>);

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

    /// Route, path and declared query of a page's key; `None` for any other key.
    ///
    /// ```
    /// use tropos_core::Key;
    /// assert_eq!(Key::page("/q/:key", "/q/a", "page=2").as_page(), Some(("/q/:key", "/q/a", "page=2")));
    /// assert_eq!(Key::fetch("page").as_page(), None);
    /// ```
    pub fn as_page(&self) -> Option<(&str, &str, &str)> {
        let (route, target) = self.0.strip_prefix("page ")?.split_once(' ')?;
        // A question mark in a canonical path is encoded.
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Some((route, path, query))
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
