//! What can be wrong with a word.

/// A name, path, pattern or duration that is not well formed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A tag without any character.
    #[error("a tag has at least one character; name the data, such as `product-42`")]
    EmptyTag,
    /// A duration that is not a number with a unit.
    #[error(
        "`{text}` is not a duration: write a whole number with a unit, such as `500ms`, `60s`, `10m`, `2h`, `7d`, or `never`"
    )]
    Duration {
        /// What was written.
        text: String,
    },
    /// `expire` that would end an entry before it is stale.
    #[error(
        "expire ({expire}) is shorter than revalidate ({revalidate}): an entry would end before it is stale; make expire at least as long"
    )]
    ExpireBeforeRevalidate {
        /// The age after which the entry may not be served.
        expire: String,
        /// The age after which the entry is stale.
        revalidate: String,
    },
    /// A route's path that cannot be matched.
    #[error("the route path `{pattern}` {problem}")]
    Pattern {
        /// What was written.
        pattern: String,
        /// What is wrong with it, and what to write instead.
        problem: String,
    },
    /// A request's path that has no single meaning.
    #[error("the request path {0}")]
    Path(#[from] crate::path::PathError),
}
