//! Why a page cannot be watched.

/// Why [`Hub::watch`](crate::Hub::watch) refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A bound of [`Limits`](crate::Limits) is reached.
    #[error(
        "{limit} {what} are watched already: answer 503 with `Retry-After`, raise `Limits::{what}`, or add an instance"
    )]
    Full {
        /// The field of [`Limits`](crate::Limits) whose bound it is.
        what: &'static str,
        /// The bound.
        limit: usize,
    },
    /// The instance is going down.
    #[error(
        "this instance is shutting down and takes no new watchers: answer 503, the page connects again elsewhere"
    )]
    Closed,
}
