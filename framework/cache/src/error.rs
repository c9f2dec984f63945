//! What can go wrong in the cache itself.

use crate::store::shared::SharedError;
use std::{io, path::PathBuf};
use tropos_core::{Failure, Tag, path::PathError};

/// A cache that cannot be opened, or an invalidation that did not take place.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another process uses the folder.
    #[error("the cache folder {} is in use by another process: stop that one, or set TROPOS_CACHE_DIR to a folder of its own for each", dir.display())]
    Locked {
        /// The folder.
        dir: PathBuf,
    },
    /// The disk store could not be read or written.
    #[error("could not {what} {}: check that the folder exists, has room and may be written, or set TROPOS_CACHE_DIR to another", path.display())]
    Io {
        /// What was tried: "write", "create".
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The engine was shut down.
    #[error("the cache is shut down: nothing was invalidated")]
    Closed,
    /// The shared store did not confirm an invalidation.
    #[error(
        "the invalidation was not confirmed by the shared store ({0}): it may have taken effect or not; call it again, and check REDIS_URL and the server behind it if this goes on"
    )]
    Shared(#[from] SharedError),
    /// The address of the shared store cannot be used.
    #[error(
        "`{url}` is not the address of a shared store: {problem}; write `redis://host:6379`, `rediss://…`, `redis+sentinel://host:26379,host:26379/SERVICE` or `redis+cluster://host:7000,host:7001`"
    )]
    SharedUrl {
        /// What was given, without user and password.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The database did not say how far its log has come.
    #[error(
        "the primary of the database cannot be asked for its log position ({failure}): nothing was invalidated, since pages would be made from replicas that lack the write; try again"
    )]
    Positions {
        /// What it said.
        failure: Failure,
    },
    /// An invalidation that failed after the commit of the transaction in which it was made.
    #[error(
        "the transaction is committed, and its invalidation of {} failed ({cause}): invalidate again what this error names in `tags`",
        few(tags)
    )]
    AfterCommit {
        /// What is left to be invalidated.
        tags: Vec<Tag>,
        /// Why the last try failed.
        cause: Box<Error>,
    },
    /// More names than a transaction may have wait for its commit.
    #[error(
        "more than {most} names wait for the commit of one transaction: invalidate a tag that stands for the whole list, or a prefix"
    )]
    TooManyHeld {
        /// How many may.
        most: usize,
    },
    /// A report of an invalidation that waits for a commit.
    #[error(
        "there is nothing to report before the commit: within a transaction an invalidation only takes effect afterwards; call `.report()` when the transaction is committed"
    )]
    ReportHeld,
    /// An invalidation where no engine is known.
    #[error(
        "there is no cache to invalidate here: call `revalidate` inside a request, a server function or a task that Tropos started, or keep the `Engine` and call `engine.invalidate`"
    )]
    NoScope,
    /// An invalidation by the render of a page.
    #[error(
        "a render cannot invalidate: what it reads could never be stored, since each render would outdate itself; invalidate where the data is written, in a server function or an API handler"
    )]
    DuringRender,
    /// A path to invalidate that has no single meaning.
    #[error("cannot invalidate the path `{path}`: it {problem}")]
    Path {
        /// What was given.
        path: String,
        /// What is wrong with it.
        problem: PathError,
    },
}

impl Error {
    /// The same error for another who waited for it.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::Locked { dir } => Self::Locked { dir: dir.clone() },
            Self::Io { what, path, source } => {
                let source = io::Error::new(source.kind(), source.to_string());
                Self::Io { what, path: path.clone(), source }
            }
            Self::Closed => Self::Closed,
            Self::Shared(error) => Self::Shared(error.clone()),
            Self::SharedUrl { url, problem } => {
                Self::SharedUrl { url: url.clone(), problem: problem.clone() }
            }
            Self::Positions { failure } => Self::Positions { failure: failure.clone() },
            Self::AfterCommit { tags, cause } => {
                Self::AfterCommit { tags: tags.clone(), cause: Box::new(cause.again()) }
            }
            Self::TooManyHeld { most } => Self::TooManyHeld { most: *most },
            Self::ReportHeld => Self::ReportHeld,
            Self::NoScope => Self::NoScope,
            Self::DuringRender => Self::DuringRender,
            Self::Path { path, problem } => Self::Path { path: path.clone(), problem: *problem },
        }
    }
}

/// The first few names, and how many there are besides.
fn few(tags: &[Tag]) -> String {
    const FEW: usize = 5;
    let mut text = tags.iter().take(FEW).map(|tag| format!("`{tag}`")).collect::<Vec<_>>().join(", ");
    if let more @ 1.. = tags.len().saturating_sub(FEW) {
        text.push_str(&format!(" and {more} more"));
    }
    text
}
