//! What can go wrong with the programs.

use std::{io, process::ExitStatus, time::Duration};

/// Why a program could not be had, or did not do what it was told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The program is not on the `PATH`.
    #[error(
        "{program} is not installed: install Debian's package {package}, or run `cargo xtask test`, which does"
    )]
    Missing {
        /// Its name.
        program: &'static str,
        /// The package that holds it.
        package: &'static str,
    },
    /// The program ended although nobody had asked it to.
    #[error("{program} ended with {status}; its last lines:\n{log}")]
    Ended {
        /// Its name.
        program: &'static str,
        /// How.
        status: ExitStatus,
        /// The tail of its log.
        log: String,
    },
    /// The program does not run: it was stopped or killed before.
    #[error("{program} does not run: restart it first")]
    NotRunning {
        /// Its name.
        program: &'static str,
    },
    /// What was waited for did not come.
    #[error("{what} within {patience:?}{log}")]
    Late {
        /// What did not happen.
        what: String,
        /// How long it was waited for.
        patience: Duration,
        /// The tail of a log, if one helps.
        log: String,
    },
    /// A command was answered by an error.
    #[error("{command}: {answer}")]
    Refused {
        /// The command with its arguments.
        command: String,
        /// The error.
        answer: String,
    },
    /// The system refused.
    #[error("{doing}: {source}")]
    Io {
        /// What was done.
        doing: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The runtime ended before the work did.
    #[error("the test's runtime ended before the work did: {0}")]
    Runtime(#[from] tokio::task::JoinError),
}

impl Error {
    /// For `map_err`: an error of the system, with what was done.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        move |source| Error::Io { doing: doing.into(), source }
    }
}
