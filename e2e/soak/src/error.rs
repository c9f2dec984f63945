//! What can go wrong.

use std::path::PathBuf;

/// Why a program has no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The engine could not be opened, or an invalidation failed.
    #[error("the engine failed: {0}")]
    Engine(#[from] tropos_cache::Error),
    /// A plan that cannot be run.
    #[error("this plan cannot be run: {0}")]
    Plan(String),
    /// An answer was not given.
    #[error("{what} was not answered: {why}")]
    Unanswered {
        /// What was asked for.
        what: String,
        /// Why, in the engine's words.
        why: String,
    },
    /// An answer was older than an invalidation that had returned.
    #[error("{what} was answered from version {got}, though {owed} had been made known")]
    Outdated {
        /// What was asked for.
        what: String,
        /// The version of the answer.
        got: u64,
        /// The version that was owed.
        owed: u64,
    },
    /// A file could not be measured.
    #[error("could not measure {path}: {source}")]
    Measure {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}
