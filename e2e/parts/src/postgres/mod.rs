//! One PostgreSQL server, and one with replicas.

mod cluster;
mod install;
mod lsn;
mod server;
mod template;

pub use self::cluster::{PostgresCluster, PostgresClusterOptions};
pub(crate) use self::{
    install::Install,
    server::{Server, psql, retried},
    template::SUPERUSER,
};

use crate::{Error, FaultProxy, poll::blocking};
use server::Settings;
use std::{net::SocketAddr, path::PathBuf, sync::Arc};

/// How a server is to be started.
#[derive(Debug, Clone, Default)]
pub struct PostgresOptions {
    settings: Settings,
}

impl PostgresOptions {
    /// PostgreSQL's own defaults, but `fsync` off, little shared memory, and UTC.
    pub fn new() -> Self {
        Self::default()
    }

    /// A setting, by the name and value that `postgresql.conf` would have (`max_connections`, `20`).
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts it and waits until it takes connections.
    ///
    /// # Errors
    /// When PostgreSQL is not installed, refuses a setting, or takes no connections within [`crate::PATIENCE`].
    pub async fn start(self) -> Result<Postgres, Error> {
        blocking(move || server::start(&self.settings).map(Postgres)).await
    }
}

/// A server of its own with an empty database `postgres`, killed when this is dropped.
///
/// It listens on a free port of 127.0.0.1 and in its folder, trusts everybody, and has a system identifier of its own.
/// Where root runs the tests it runs as the user `postgres`. Its data is a copy of an empty cluster that is made once, and
/// kept as an archive in the folder `tropos-servers-UID` of the system's temporary files.
#[derive(Debug)]
pub struct Postgres(pub(crate) Arc<Server>);

impl Postgres {
    /// Starts a server with the defaults of [`PostgresOptions::new`].
    ///
    /// # Errors
    /// As [`PostgresOptions::start`].
    pub async fn start() -> Result<Self, Error> {
        PostgresOptions::new().start().await
    }

    /// Starts a server with these options: the same as [`PostgresOptions::start`].
    ///
    /// # Errors
    /// As there.
    pub async fn with(options: PostgresOptions) -> Result<Self, Error> {
        options.start().await
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// The folder that holds its Unix socket.
    pub fn socket_folder(&self) -> PathBuf {
        self.0.folder()
    }

    /// The id of its first process, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.0.id()
    }

    /// `postgres://postgres@HOST:PORT/DATABASE`: the user without limits.
    pub fn url(&self, database: &str) -> String {
        self.url_as(SUPERUSER, database)
    }

    /// The same for another user, who has to be made first.
    pub fn url_as(&self, user: &str, database: &str) -> String {
        url(self.address(), user, database)
    }

    /// The same as [`Postgres::url`] by way of a proxy.
    pub fn url_through(&self, proxy: &FaultProxy, database: &str) -> String {
        url(proxy.address(), SUPERUSER, database)
    }

    /// Runs the program psql with a text, as if somebody had typed it: statements are separate, the first error ends it.
    /// Gives the rows alone, a line for each, with `|` between columns.
    ///
    /// # Errors
    /// [`Error::Refused`] with what psql wrote, also when there is no connection; [`Error::Late`] when it has not ended
    /// within [`crate::PATIENCE`].
    pub async fn psql(&self, database: &str, sql: &str) -> Result<String, Error> {
        let (server, database, sql) = (self.0.clone(), database.to_owned(), sql.to_owned());
        blocking(move || server.psql(&database, &sql)).await
    }

    /// Makes an empty database.
    ///
    /// # Errors
    /// As [`Postgres::psql`].
    pub async fn create_database(&self, name: &str) -> Result<(), Error> {
        let sql = format!("create database \"{}\"", name.replace('"', "\"\""));
        self.psql("postgres", &sql).await.map(drop)
    }

    /// Changes a setting, as [`PostgresOptions::setting`], and has a running server read it. Some count from the next
    /// start only.
    ///
    /// # Errors
    /// When a running server does not take it.
    pub async fn set(&self, name: &str, value: &str) -> Result<(), Error> {
        self.0.remember(name, value);
        let server = self.0.clone();
        blocking(move || server.reload()).await
    }

    /// Its position in the write-ahead log, in bytes: up to where it has written, or, of a replica, replayed. Whatever
    /// was committed before is below.
    ///
    /// # Errors
    /// As [`Postgres::psql`].
    pub async fn lsn(&self) -> Result<u64, Error> {
        let server = self.0.clone();
        blocking(move || server.lsn()).await
    }

    /// Asks it to end without waiting for clients, whose connections end with an error (SIGINT, "fast"), and waits for
    /// that. Connections to its port are refused from then on.
    ///
    /// # Errors
    /// When it does not run, or does not end; a frozen one does not.
    pub async fn stop(&self) -> Result<(), Error> {
        let server = self.0.clone();
        blocking(move || server.stop()).await
    }

    /// Kills all of its processes (SIGKILL), as a crash does. What it has confirmed is there after a restart.
    ///
    /// # Errors
    /// When the system refuses.
    pub async fn kill(&self) -> Result<(), Error> {
        let server = self.0.clone();
        blocking(move || server.kill()).await
    }

    /// Starts it again on the same port and with its data, after killing it if it runs.
    ///
    /// # Errors
    /// As [`PostgresOptions::start`]. Also where somebody took the port meanwhile.
    pub async fn restart(&self) -> Result<(), Error> {
        let server = self.0.clone();
        blocking(move || {
            server.kill()?;
            server.start()
        })
        .await
    }

    /// Stops all of its processes where they are (SIGSTOP): connections stay open, new ones are accepted by the system,
    /// nothing answers.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn freeze(&self) -> Result<(), Error> {
        let server = self.0.clone();
        blocking(move || server.freeze()).await
    }

    /// Lets it go on after [`Postgres::freeze`]; what came meanwhile is answered then.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn thaw(&self) -> Result<(), Error> {
        let server = self.0.clone();
        blocking(move || server.thaw()).await
    }

    /// The last lines that it wrote.
    pub fn log_tail(&self) -> String {
        self.0.log_tail()
    }
}

pub(crate) fn url(address: SocketAddr, user: &str, database: &str) -> String {
    format!("postgres://{user}@{address}/{database}")
}
