//! What can go wrong before a query runs. Queries themselves give `sqlx::Error`.

/// The database cannot be opened or brought up to date.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address names no database that Tropos can open.
    #[error("DATABASE_URL `{url}` is not supported: write `sqlite://path/to/file.db`")]
    Url {
        /// The address, without its password.
        url: String,
    },
    /// The file's folder cannot be made.
    #[error(
        "cannot make the folder of the database `{path}`: {source}; check DATABASE_URL and the folder's rights"
    )]
    Folder {
        /// The database file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The database cannot be opened.
    #[error("cannot open the database `{url}`: {source}")]
    Open {
        /// The address, without its password.
        url: String,
        /// What sqlx said.
        source: sqlx::Error,
    },
    /// A migration failed; those before it have been applied.
    #[error("cannot migrate the database: {0}; mend the migration and start again")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}
