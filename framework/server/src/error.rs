//! Why an application cannot start, build or answer.

use std::{net::SocketAddr, path::PathBuf};
use tropos_core::build::PageFailure;

/// Why an application cannot start, build or answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A hook is configured wrongly.
    #[error("{0}")]
    Hooks(#[from] tropos_edge::Error),
    /// The configuration cannot be read.
    #[error("{0}")]
    Config(#[from] crate::config::ConfigError),
    /// A route's path is malformed.
    #[error("{0}")]
    Pattern(#[from] tropos_core::Error),
    /// Two pages have the same address.
    #[error("`{first}` and `{second}` both have the path `{pattern}`: give one of them another path")]
    SamePath {
        /// The page that was declared first.
        first: String,
        /// The other.
        second: String,
        /// The path.
        pattern: String,
    },
    /// An `ssg` page with parameters does not say which pages there are.
    #[error(
        "`{page}` ({pattern}) is `ssg` with parameters, and does not say which pages there are: add `prerender = function`"
    )]
    NothingListed {
        /// The page.
        page: String,
        /// Its path.
        pattern: String,
    },
    /// Telemetry cannot be set up.
    #[error("{0}")]
    Telemetry(#[from] tropos_telemetry::Error),
    /// The cache cannot be opened.
    #[error("{0}")]
    Cache(#[from] tropos_cache::Error),
    /// The database cannot be opened or migrated.
    #[error("{0}")]
    Database(#[from] tropos_db::Error),
    /// The application's seeding failed.
    #[error("the database could not be filled: {0}")]
    Seed(tropos_core::Failure),
    /// Something was asked of the database of an application that has none.
    #[error("the application has no database: give it one by `App::migrations(sqlx::migrate!())`")]
    NoDatabase,
    /// What would be lost is not to be lost by accident.
    #[error("nothing was dropped: this drops everything in {databases}{why}; say that you mean it by {flag}")]
    NotSure {
        /// The addresses, without passwords.
        databases: String,
        /// What there is to know besides.
        why: &'static str,
        /// What is to be written.
        flag: &'static str,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; choose another by {variable}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
        /// The environment variable that sets it.
        variable: &'static str,
    },
    /// A file of the build cannot be read or written.
    #[error("{}: {source}; run `cargo tropos build` again", path.display())]
    Dist {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: std::io::Error,
    },
    /// A page could not be made at build.
    #[error("{}", describe(.0))]
    Prerender(Vec<PageFailure>),
    /// The command line is not understood.
    #[error(
        "unknown command `{0}`: write `serve` (the default), `prerender`, `export --out DIR`, `routes`, `db migrate`, `db status`, `db seed`, `db reset` or `doctor`"
    )]
    Command(String),
    /// Something was asked of a request where there is none to be asked, or it is not there.
    #[error("{0}")]
    Unavailable(String),
    /// The system refused something.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

fn describe(failures: &[PageFailure]) -> String {
    let mut text = format!("{} of the pages could not be made:", failures.len());
    for failure in failures.iter().take(20) {
        text.push_str(&format!("\n  {failure}"));
    }
    if failures.len() > 20 {
        text.push_str(&format!("\n  and {} more", failures.len() - 20));
    }
    text
}
