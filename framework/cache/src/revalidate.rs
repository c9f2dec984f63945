//! Invalidation as an application writes it.
//!
//! ```no_run
//! # async fn example() -> Result<(), tropos_cache::Error> {
//! use tropos_cache::revalidate;
//! revalidate::tag(("product", 42)).await?; // the next request is answered from new data
//! revalidate::prefix("/blog").soft().await?; // all pages beneath are shown once more while they are made anew
//! # Ok(()) }
//! ```

use crate::{Error, Purpose, Scope, Strength};
use futures::future::BoxFuture;
use std::future::IntoFuture;
use tropos_core::{CanonicalPath, Tag};

/// Invalidates all that carries a tag.
pub fn tag(tag: impl Into<Tag>) -> Invalidation {
    tags([tag])
}

/// Invalidates all that carries one of several tags, in one step.
pub fn tags<T: Into<Tag>>(tags: impl IntoIterator<Item = T>) -> Invalidation {
    Invalidation { tags: Ok(tags.into_iter().map(Into::into).collect()), strength: Strength::Hard }
}

/// Invalidates the page at a path, with all its query keys and variants.
pub fn path(path: impl AsRef<str>) -> Invalidation {
    of_path(path.as_ref(), Tag::path)
}

/// Invalidates all pages at and beneath a path, by whole segments: `/blog` covers `/blog/a` and not `/blogs`.
pub fn prefix(path: impl AsRef<str>) -> Invalidation {
    of_path(path.as_ref(), Tag::prefix)
}

/// The tag of the page at `path`, whatever spelling, query or fragment it comes with: for those who invalidate through
/// the engine.
///
/// # Errors
/// [`Error::Path`].
pub fn path_tag(path: &str) -> Result<Tag, Error> {
    canonical(path).map(|path| Tag::path(path.as_str()))
}

/// The tag of all pages at and beneath `path`.
///
/// # Errors
/// [`Error::Path`].
pub fn prefix_tag(path: &str) -> Result<Tag, Error> {
    canonical(path).map(|path| Tag::prefix(path.as_str()))
}

/// An invalidation that takes place when it is awaited, and gives its number.
#[derive(Debug)]
#[must_use = "nothing is invalidated until this is awaited"]
pub struct Invalidation {
    tags: Result<Vec<Tag>, Error>,
    strength: Strength,
}

impl Invalidation {
    /// Makes stale instead of unusable: the old is served while the new is made.
    pub fn soft(mut self) -> Self {
        self.strength = Strength::Soft;
        self
    }
}

impl IntoFuture for Invalidation {
    type Output = Result<u64, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let scope = Scope::current().ok_or(Error::NoScope)?;
            match scope.purpose() {
                Purpose::Action => scope.engine().invalidate(&self.tags?, self.strength).await,
                Purpose::Stored | Purpose::Once | Purpose::Live => Err(Error::DuringRender),
            }
        })
    }
}

fn of_path(path: &str, tag: fn(&str) -> Tag) -> Invalidation {
    Invalidation { tags: canonical(path).map(|path| vec![tag(path.as_str())]), strength: Strength::Hard }
}

fn canonical(path: &str) -> Result<CanonicalPath, Error> {
    let end = path.find(['?', '#']).unwrap_or(path.len());
    let plain = path.get(..end).unwrap_or(path);
    CanonicalPath::parse(plain).map_err(|problem| Error::Path { path: path.to_owned(), problem })
}
