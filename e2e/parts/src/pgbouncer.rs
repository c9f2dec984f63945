//! PgBouncer before one or several PostgreSQL servers.

use crate::{
    Error, FaultProxy, PATIENCE, Postgres,
    poll::blocking,
    postgres::{Install, SUPERUSER, psql, retried, url},
    program::{Program, folder_on_path, free_addresses},
};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};
use tempfile::TempDir;

const PACKAGE: &str = "pgbouncer";

/// Where Debian keeps it, out of the path of ordinary users.
const FOLDER: &str = "/usr/sbin";

/// The database that answers questions about PgBouncer itself.
const ADMIN: &str = "pgbouncer";

/// What every PgBouncer is told before its own settings; the last of two counts.
const SETTINGS: &[(&str, &str)] = &[
    ("listen_addr", "127.0.0.1"),
    ("unix_socket_dir", ""),
    ("auth_type", "trust"),
    ("admin_users", SUPERUSER),
    ("pool_mode", "transaction"),
    // Instead of fifteen seconds: how long nobody tries a server that has refused a connection.
    ("server_login_retry", "1"),
    // Most drivers send it, and PgBouncer refuses whatever it does not know.
    ("ignore_startup_parameters", "extra_float_digits"),
];

/// How PgBouncer is to be started.
#[derive(Debug, Clone, Default)]
pub struct PgBouncerOptions {
    settings: Vec<(String, String)>,
    users: Vec<String>,
}

impl PgBouncerOptions {
    /// PgBouncer's own defaults (20 connections to a server for each database and user, 100 from clients), but one
    /// connection for each transaction, and for the user `postgres` alone.
    pub fn new() -> Self {
        Self::default()
    }

    /// How long a client keeps a connection to the server: `session`, `transaction` or `statement`.
    #[must_use]
    pub fn pool_mode(self, mode: &str) -> Self {
        self.setting("pool_mode", mode)
    }

    /// The most connections to a server for each database and user.
    #[must_use]
    pub fn pool_size(self, connections: usize) -> Self {
        self.setting("default_pool_size", &connections.to_string())
    }

    /// The most connections from clients.
    #[must_use]
    pub fn max_client_conn(self, connections: usize) -> Self {
        self.setting("max_client_conn", &connections.to_string())
    }

    /// Another user that it lets in; the server has to know it too.
    #[must_use]
    pub fn user(mut self, name: &str) -> Self {
        self.users.push(name.to_owned());
        self
    }

    /// Any other setting of the section `[pgbouncer]`.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A PgBouncer of its own, killed when this is dropped.
#[derive(Debug)]
pub struct PgBouncer(Arc<Bouncer>);

/// The fields are dropped in this order: the process ends before its folder goes.
#[derive(Debug)]
struct Bouncer {
    program: Program,
    binary: PathBuf,
    address: SocketAddr,
    install: Install,
    folder: TempDir,
}

impl PgBouncer {
    /// Starts one that passes each of the databases on to a server that has one of the same name, of letters, digits and
    /// underscores, and waits until it answers.
    ///
    /// # Errors
    /// When PgBouncer or PostgreSQL is not installed, a setting is refused, or it does not answer within [`PATIENCE`].
    pub async fn start(databases: &[(&str, &Postgres)], options: PgBouncerOptions) -> Result<Self, Error> {
        let databases: Vec<_> = databases.iter().map(|(name, server)| (*name, server.address())).collect();
        Self::before(&databases, options).await
    }

    /// The same by addresses: of a [`FaultProxy`] before a server, for one. Nobody need listen there yet.
    ///
    /// # Errors
    /// As [`PgBouncer::start`].
    pub async fn before(databases: &[(&str, SocketAddr)], options: PgBouncerOptions) -> Result<Self, Error> {
        let databases: String = databases.iter().map(|(name, address)| entry(name, *address)).collect();
        blocking(move || retried(|| start(&databases, &options)).map(Self)).await
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// Its process id, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.0.program.id()
    }

    /// `postgres://postgres@HOST:PORT/DATABASE`.
    pub fn url(&self, database: &str) -> String {
        self.url_as(SUPERUSER, database)
    }

    /// The same for another of its users.
    pub fn url_as(&self, user: &str, database: &str) -> String {
        url(self.address(), user, database)
    }

    /// The same as [`PgBouncer::url`] by way of a proxy before it.
    pub fn url_through(&self, proxy: &FaultProxy, database: &str) -> String {
        url(proxy.address(), SUPERUSER, database)
    }

    /// Sends a command to its console (`SHOW POOLS`, `PAUSE`, `RECONNECT`), and gives the rows alone, a line for each,
    /// with `|` between columns.
    ///
    /// # Errors
    /// As [`Postgres::psql`].
    pub async fn admin(&self, command: &str) -> Result<String, Error> {
        self.psql(ADMIN, command).await
    }

    /// Runs the program psql by way of it, as [`Postgres::psql`].
    ///
    /// # Errors
    /// As there.
    pub async fn psql(&self, database: &str, sql: &str) -> Result<String, Error> {
        let (bouncer, database, sql) = (self.0.clone(), database.to_owned(), sql.to_owned());
        blocking(move || bouncer.psql(&database, &sql)).await
    }

    /// Has it wait for its transactions to end and then keep all that comes (`PAUSE`): its clients wait.
    ///
    /// # Errors
    /// As [`Postgres::psql`]; also where a transaction does not end.
    pub async fn pause(&self) -> Result<(), Error> {
        self.admin("PAUSE").await.map(drop)
    }

    /// Lets it pass everything on after [`PgBouncer::pause`] (`RESUME`).
    ///
    /// # Errors
    /// As [`Postgres::psql`].
    pub async fn resume(&self) -> Result<(), Error> {
        self.admin("RESUME").await.map(drop)
    }

    /// Kills it (SIGKILL), as a crash does.
    ///
    /// # Errors
    /// When the system refuses.
    pub async fn kill(&self) -> Result<(), Error> {
        let bouncer = self.0.clone();
        blocking(move || bouncer.program.kill()).await
    }

    /// Starts it again on the same port, after killing it if it runs.
    ///
    /// # Errors
    /// As [`PgBouncer::start`]. Also where somebody took the port meanwhile.
    pub async fn restart(&self) -> Result<(), Error> {
        let bouncer = self.0.clone();
        blocking(move || {
            bouncer.program.kill()?;
            bouncer.start()
        })
        .await
    }

    /// Stops it where it is (SIGSTOP): connections stay open, new ones are accepted by the system, nothing answers.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn freeze(&self) -> Result<(), Error> {
        let bouncer = self.0.clone();
        blocking(move || bouncer.program.pause()).await
    }

    /// Lets it go on after [`PgBouncer::freeze`]; what came meanwhile is answered then.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn thaw(&self) -> Result<(), Error> {
        self.0.program.resume()
    }

    /// The last lines that it wrote.
    pub fn log_tail(&self) -> String {
        self.0.program.tail()
    }
}

/// Debian's, or one on the `PATH`.
pub(crate) fn find() -> Option<PathBuf> {
    let debian = Path::new(FOLDER).join("pgbouncer");
    let others = || folder_on_path("pgbouncer").map(|folder| folder.join("pgbouncer"));
    Some(debian).filter(|program| program.is_file()).or_else(others)
}

fn start(databases: &str, options: &PgBouncerOptions) -> Result<Arc<Bouncer>, Error> {
    let binary = find().ok_or(Error::Missing { program: "pgbouncer", package: PACKAGE })?;
    let install = Install::find()?;
    let folder = install.owner().folder("pgbouncer-")?;
    let [address] = free_addresses()?;
    let program = Program::new("pgbouncer", folder.path().join("log"));
    let bouncer = Bouncer { program, binary, address, install, folder };
    bouncer.write_settings(databases, options)?;
    bouncer.start()?;
    Ok(Arc::new(bouncer))
}

impl Bouncer {
    fn settings(&self) -> PathBuf {
        self.folder.path().join("pgbouncer.ini")
    }

    fn write_settings(&self, databases: &str, options: &PgBouncerOptions) -> Result<(), Error> {
        let users = self.folder.path().join("users");
        let names = options.users.iter().map(String::as_str).chain([SUPERUSER]);
        let list: String = names.map(|name| format!("\"{name}\" \"\"\n")).collect();
        self.install.owner().write(&users, &list)?;
        let (port, users) = (self.address.port().to_string(), users.display().to_string());
        let own = [("listen_port", port.as_str()), ("auth_file", users.as_str())];
        let given = options.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let lines = SETTINGS.iter().copied().chain(own).chain(given);
        let lines: String = lines.map(|(name, value)| format!("{name} = {value}\n")).collect();
        let text = format!("[databases]\n{databases}[pgbouncer]\n{lines}");
        self.install.owner().write(&self.settings(), &text)
    }

    fn start(&self) -> Result<(), Error> {
        let mut command = Command::new(&self.binary);
        self.install.owner().run(&mut command);
        let settings = self.settings();
        self.program.spawn(command.arg(&settings).current_dir(self.folder.path()), PACKAGE)?;
        let own = settings.display().to_string();
        self.program.until(PATIENCE, "pgbouncer did not answer", || {
            self.program.check()?;
            match self.psql(ADMIN, "SHOW CONFIG") {
                // Somebody else may have taken the port.
                Ok(config) => Ok(config.contains(&own).then_some(())),
                // It does not listen yet.
                Err(Error::Refused { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        })
    }

    fn psql(&self, database: &str, sql: &str) -> Result<String, Error> {
        psql(&self.install, self.address, database, sql)
    }
}

/// A line of the section `[databases]`.
fn entry(name: &str, address: SocketAddr) -> String {
    let quoted = name.replace('\'', "''");
    format!("{name} = host={} port={} dbname='{quoted}'\n", address.ip(), address.port())
}
