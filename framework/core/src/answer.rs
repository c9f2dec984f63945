//! What a page answers when it has no view.

use crate::Failure;
use std::error::Error;

/// Why a page answers with something other than its view.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum PageError {
    /// There is no such thing: 404.
    NotFound,
    /// It is elsewhere: 307, or 308 when permanent.
    Redirect(Redirect),
    /// Something went wrong: 500, or the last good answer where there is one.
    Failed(Failure),
}

/// Where a page sends its reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// The value of `Location`.
    pub location: String,
    /// 308 when true, else 307.
    pub permanent: bool,
}

impl Redirect {
    /// The status by which it is answered: 308 when permanent, else 307.
    pub const fn status(&self) -> u16 {
        if self.permanent { 308 } else { 307 }
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for PageError {
    #[track_caller]
    fn from(error: E) -> Self {
        PageError::Failed(error.into())
    }
}

impl From<Failure> for PageError {
    fn from(failure: Failure) -> Self {
        PageError::Failed(failure)
    }
}

/// `Err(redirect("/new")?)`: sends the reader elsewhere, for now (307).
pub fn redirect(location: impl Into<String>) -> PageError {
    PageError::Redirect(Redirect { location: location.into(), permanent: false })
}

/// Sends the reader elsewhere for good (308).
pub fn redirect_permanently(location: impl Into<String>) -> PageError {
    PageError::Redirect(Redirect { location: location.into(), permanent: true })
}

/// Turns what is missing into "not found".
///
/// ```
/// use tropos_core::{PageError, answer::OrNotFound};
/// let missing: Option<u8> = None;
/// assert!(matches!(missing.or_not_found(), Err(PageError::NotFound)));
/// ```
pub trait OrNotFound<T> {
    /// The value, or [`PageError::NotFound`].
    ///
    /// # Errors
    /// [`PageError::NotFound`] where there is none.
    fn or_not_found(self) -> Result<T, PageError>;
}

impl<T> OrNotFound<T> for Option<T> {
    fn or_not_found(self) -> Result<T, PageError> {
        self.ok_or(PageError::NotFound)
    }
}
