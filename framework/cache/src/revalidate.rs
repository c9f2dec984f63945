//! Invalidation as an application writes it.
//!
//! ```no_run
//! # async fn example() -> Result<(), tropos_cache::Error> {
//! use tropos_cache::revalidate;
//! revalidate::tag(("product", 42)).await?; // the next request is answered from new data
//! revalidate::prefix("/blog").soft().await?; // all pages beneath are shown once more while they are made anew
//! revalidate::tag("prices").warm().await?; // and have it made again before somebody asks
//! let report = revalidate::tag("prices").report().await?; // what was hit, in this instance's memory
//! # drop(report); Ok(()) }
//! ```
//!
//! While a transaction is open in the scope ([`Hold`](crate::Hold)), an invalidation takes effect after its commit, and
//! not at all after a roll-back.

use crate::{Engine, Error, Purpose, Report, Scope, Strength};
use futures::future::BoxFuture;
use std::future::IntoFuture;
use tropos_core::{CanonicalPath, Tag};

/// Invalidates all that carries a tag.
pub fn tag(tag: impl Into<Tag>) -> Invalidation {
    tags([tag])
}

/// Invalidates all that carries one of several tags, in one step.
pub fn tags<T: Into<Tag>>(tags: impl IntoIterator<Item = T>) -> Invalidation {
    Invalidation::of(Ok(tags.into_iter().map(Into::into).collect()))
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

/// An invalidation that takes place when it is awaited, and gives its number; 0, where it waits for the commit of a
/// transaction.
#[derive(Debug)]
#[must_use = "nothing is invalidated until this is awaited"]
pub struct Invalidation {
    tags: Result<Vec<Tag>, Error>,
    strength: Strength,
    warm: bool,
}

/// An invalidation that takes place when it is awaited, and says afterwards what it hit.
#[derive(Debug)]
#[must_use = "nothing is invalidated until this is awaited"]
pub struct Reported(Invalidation);

/// The number of an invalidation that has not taken any yet; the first one is 1.
const HELD: u64 = 0;

impl Invalidation {
    fn of(tags: Result<Vec<Tag>, Error>) -> Self {
        Self { tags, strength: Strength::Hard, warm: false }
    }

    /// Makes stale instead of unusable: the old is served while the new is made.
    pub fn soft(mut self) -> Self {
        self.strength = Strength::Soft;
        self
    }

    /// Has what it hit made again without a visitor: pages in the memory of this instance, in the background, at a
    /// bounded rate (see [`warm`](crate::warm)). The invalidation does not wait for it.
    pub fn warm(mut self) -> Self {
        self.warm = true;
        self
    }

    /// Gives a [`Report`] instead of the number: how many entries in the memory of this instance carry each name. They are
    /// counted after the invalidation has taken place, which takes the longer the more there are. Within a transaction
    /// there is nothing to count yet, and this is an error: [`Error::ReportHeld`].
    pub fn report(self) -> Reported {
        Reported(self)
    }

    async fn take_place(self, report: bool) -> Result<(Engine, Vec<Tag>, u64), Error> {
        let scope = Scope::current().ok_or(Error::NoScope)?;
        match scope.purpose() {
            Purpose::Action => {
                let (engine, tags) = (scope.engine().clone(), self.tags?);
                if report && scope.is_holding() {
                    return Err(Error::ReportHeld);
                }
                if scope.defer(&tags, self.strength, self.warm)? {
                    return Ok((engine, tags, HELD));
                }
                let sequence = engine.invalidate(&tags, self.strength).await?;
                if self.warm {
                    engine.warm(&tags);
                }
                Ok((engine, tags, sequence))
            }
            Purpose::Stored | Purpose::Once | Purpose::Live => Err(Error::DuringRender),
        }
    }
}

impl IntoFuture for Invalidation {
    type Output = Result<u64, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.take_place(false).await.map(|(_, _, sequence)| sequence) })
    }
}

impl IntoFuture for Reported {
    type Output = Result<Report, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (engine, tags, sequence) = self.0.take_place(true).await?;
            Ok(engine.report(sequence, &tags).await)
        })
    }
}

fn of_path(path: &str, tag: fn(&str) -> Tag) -> Invalidation {
    Invalidation::of(canonical(path).map(|path| vec![tag(path.as_str())]))
}

fn canonical(path: &str) -> Result<CanonicalPath, Error> {
    let end = path.find(['?', '#']).unwrap_or(path.len());
    let plain = path.get(..end).unwrap_or(path);
    CanonicalPath::parse(plain).map_err(|problem| Error::Path { path: path.to_owned(), problem })
}
