//! How the pools are opened, each default with its reason.

use std::time::Duration;

/// How the pools are opened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// `sqlite://path/to/file.db`, or `sqlite::memory:` for a database that ends with the process.
    pub url: String,
    /// Connections that read. SQLite reads in parallel up to the number of cores; eight serve small machines, and
    /// cost about two megabytes of page cache each.
    pub readers: u32,
    /// How long a query waits for a connection before it fails. Longer than any healthy query, shorter than the
    /// patience of a reader.
    pub acquire_timeout: Duration,
    /// How long a writer waits for another process's write to end.
    pub busy_timeout: Duration,
}

impl Config {
    /// The defaults, for the database at `url`.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            readers: 8,
            acquire_timeout: Duration::from_secs(5),
            busy_timeout: Duration::from_secs(5),
        }
    }
}
