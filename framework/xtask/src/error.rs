//! What can go wrong, and what to do about it.

use std::{io, path::PathBuf};

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    #[error("{doing} {path}: {source}")]
    File { doing: &'static str, path: PathBuf, source: io::Error },

    #[error("{program} could not be run: {source}")]
    Run { program: String, source: io::Error },

    #[error("{program} failed ({status}); what it printed is above")]
    Failed { program: String, status: String },

    #[error("{0}")]
    Metadata(#[from] cargo_metadata::Error),

    #[error(
        "UPSTREAM_URL is not set. The fixture renders pages at build from what that server answers (docs: the contract's \
         chapter on the fixture). To build it against the test's own server:\n  \
         cargo run -p tropos-cases -- upstream -- cargo xtask fixture"
    )]
    NoUpstream,

    #[error("{needed} must be installed for this, and there is no apt-get here to do it; install: {}", packages.join(" "))]
    NotInstallable { needed: &'static str, packages: Vec<&'static str> },

    #[error("no port from {first} to {last} is free on 127.0.0.1")]
    NoPort { first: u16, last: u16 },
}

impl Error {
    /// Turns an I/O error into one that names the file: `.map_err(Error::file("reading", path))`.
    pub(crate) fn file(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
        let path = path.into();
        move |source| Error::File { doing, path, source }
    }
}
