//! What a render is given besides its path: query and variants.

use tropos_core::{Key, PageKey};

/// The query and the variants of a render: in a stored page, declared ones alone, and in their one spelling.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Inputs {
    /// Without its question mark; as it came for pages that are not stored.
    pub(crate) query: String,
    /// Such as `ab=a,size=l`; empty where none are declared.
    pub(crate) variants: String,
}

impl Inputs {
    /// A query, and no variants.
    pub(crate) fn of_query(query: impl Into<String>) -> Self {
        Self { query: query.into(), variants: String::new() }
    }

    /// Those of a stored page's key.
    pub(crate) fn of_key(key: PageKey<'_>) -> Self {
        Self { query: key.query.to_owned(), variants: key.variants.to_owned() }
    }

    /// The key of a stored page with these inputs.
    pub(crate) fn key(&self, route: &str, path: &str) -> Key {
        Key::page_variant(route, path, &self.query, &self.variants)
    }
}
