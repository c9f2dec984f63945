//! One Redis server.

use crate::{
    Error, FaultProxy, PATIENCE,
    poll::blocking,
    program::{Program, free_addresses},
    resp,
};
use std::{fs, io, net::SocketAddr, process::Command, sync::Arc, time::Duration};
use tempfile::TempDir;

/// Debian's package, for the message.
pub(crate) const PACKAGE: &str = "redis-server";

/// How often other ports are tried when somebody took them between the look for them and the start.
const TRIES: usize = 4;

/// What a server remembers over [`Redis::restart`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data {
    /// What its append-only file holds; nothing without one.
    Kept,
    /// Nothing.
    Emptied,
}

/// How a server is to be started.
#[derive(Debug, Clone, Default)]
pub struct RedisOptions {
    appendonly: bool,
    password: Option<String>,
    arguments: Vec<String>,
}

impl RedisOptions {
    /// A server that keeps everything in memory, without bound and password.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether it writes an append-only file, so that [`Data::Kept`] keeps something. What it has answered is in the
    /// file even when it is killed.
    #[must_use]
    pub fn appendonly(mut self, appendonly: bool) -> Self {
        self.appendonly = appendonly;
        self
    }

    /// Its bound, as Redis spells it (`2mb`), and what it does there (`noeviction`, `allkeys-lru`).
    #[must_use]
    pub fn maxmemory(self, bound: &str, policy: &str) -> Self {
        self.argument("maxmemory", bound).argument("maxmemory-policy", policy)
    }

    /// The password of its default user, which [`Redis::url`] then holds.
    #[must_use]
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.into());
        self.argument("requirepass", password)
    }

    /// Any other setting.
    #[must_use]
    pub fn argument(mut self, name: &str, value: &str) -> Self {
        self.arguments.extend([format!("--{name}"), value.to_owned()]);
        self
    }

    /// Starts it and waits until it answers.
    ///
    /// # Errors
    /// When Redis is not installed, or does not answer within [`PATIENCE`].
    pub async fn start(self) -> Result<Redis, Error> {
        blocking(move || start(&self).map(Redis)).await
    }
}

/// A server of its own, killed when this is dropped.
#[derive(Debug)]
pub struct Redis(pub(crate) Arc<Server>);

/// The fields are dropped in this order: the process ends before its folder goes.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) program: Program,
    pub(crate) address: SocketAddr,
    bus: SocketAddr,
    folder: TempDir,
    options: RedisOptions,
}

impl Redis {
    /// Starts a server that keeps everything in memory.
    ///
    /// # Errors
    /// As [`RedisOptions::start`].
    pub async fn start() -> Result<Self, Error> {
        RedisOptions::new().start().await
    }

    /// Starts a replica, and waits until it has all that `master` had.
    ///
    /// # Errors
    /// As [`RedisOptions::start`].
    pub async fn replica_of(master: &Redis) -> Result<Self, Error> {
        let address = master.address();
        let mut options = master.0.options.clone();
        options = options.argument("replicaof", &format!("{} {}", address.ip(), address.port()));
        if let Some(password) = master.0.options.password.clone() {
            options = options.argument("masterauth", &password);
        }
        let replica = options.start().await?;
        let server = replica.0.clone();
        blocking(move || {
            server.until("the replica did not catch up", || {
                Ok(server.info("replication")?.contains("master_link_status:up").then_some(()))
            })
        })
        .await?;
        Ok(replica)
    }

    /// Waits until `replica` has all that this master wrote so far. `WAIT` by [`Redis::cli`] would not do: it counts
    /// the writes of its own connection alone.
    ///
    /// # Errors
    /// When that is not so within [`PATIENCE`].
    pub async fn replicated_to(&self, replica: &Redis) -> Result<(), Error> {
        let (master, replica) = (self.0.clone(), replica.0.clone());
        blocking(move || {
            let written = master.offset("master_repl_offset:")?;
            replica.until("the replica did not catch up", || {
                Ok((replica.offset("slave_repl_offset:")? >= written).then_some(()))
            })
        })
        .await
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// Its process id, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.0.program.id()
    }

    /// `redis://HOST:PORT`, with the password if it has one.
    pub fn url(&self) -> String {
        self.url_at(self.address())
    }

    /// The same by way of a proxy.
    pub fn url_through(&self, proxy: &FaultProxy) -> String {
        self.url_at(proxy.address())
    }

    fn url_at(&self, address: SocketAddr) -> String {
        match &self.0.options.password {
            Some(password) => format!("redis://:{password}@{address}"),
            None => format!("redis://{address}"),
        }
    }

    /// Sends one command over a connection of its own, and gives its answer as text: an array as a line for each
    /// element, nil as an empty one.
    ///
    /// # Errors
    /// [`Error::Refused`] when the answer is an error, [`Error::Io`] when there is none within [`PATIENCE`].
    pub async fn cli<W: Into<String>>(&self, words: impl IntoIterator<Item = W>) -> Result<String, Error> {
        let words: Vec<String> = words.into_iter().map(Into::into).collect();
        let server = self.0.clone();
        blocking(move || server.command(&words)).await
    }

    /// Asks it to end (SIGTERM), and waits for that. Connections to its port are refused from then on.
    ///
    /// # Errors
    /// When it does not run, or does not end.
    pub async fn stop(&self) -> Result<(), Error> {
        let server = self.0.clone();
        blocking(move || server.program.terminate().map(drop)).await
    }

    /// Kills it (SIGKILL), as a crash does.
    ///
    /// # Errors
    /// When the system refuses.
    pub async fn kill(&self) -> Result<(), Error> {
        let server = self.0.clone();
        blocking(move || server.program.kill()).await
    }

    /// Starts it again on the same port, after killing it if it runs.
    ///
    /// # Errors
    /// As [`RedisOptions::start`]. Also where somebody took the port meanwhile.
    pub async fn restart(&self, data: Data) -> Result<(), Error> {
        let server = self.0.clone();
        blocking(move || {
            server.program.kill()?;
            if data == Data::Emptied {
                empty(&server.folder).map_err(Error::io("emptying the folder of redis-server"))?;
            }
            server.start()
        })
        .await
    }

    /// Stops it where it is (SIGSTOP): connections stay open, new ones are accepted by the system, nothing answers.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn pause(&self) -> Result<(), Error> {
        let server = self.0.clone();
        blocking(move || server.program.pause()).await
    }

    /// Lets it go on after [`Redis::pause`]; what came meanwhile is answered then.
    ///
    /// # Errors
    /// When it does not run.
    pub fn resume(&self) -> Result<(), Error> {
        self.0.program.resume()
    }

    /// The last lines that it wrote.
    pub fn log(&self) -> String {
        self.0.program.tail()
    }
}

/// Starts a server on free ports.
pub(crate) fn start(options: &RedisOptions) -> Result<Arc<Server>, Error> {
    let mut tries = 0;
    loop {
        let folder = tempfile::Builder::new().prefix("tropos-redis-").tempdir();
        let folder = folder.map_err(Error::io("making a folder for redis-server"))?;
        let [address, bus] = free_addresses()?;
        let program = Program::new("redis-server", folder.path().join("log"));
        let server = Arc::new(Server { program, address, bus, folder, options: options.clone() });
        tries += 1;
        match server.start() {
            Err(Error::Ended { log, .. }) if tries < TRIES && log.contains("in use") => {}
            Err(error) => return Err(error),
            Ok(()) => return Ok(server),
        }
    }
}

impl Server {
    fn start(&self) -> Result<(), Error> {
        let [port, bus] = [self.address, self.bus].map(|address| address.port().to_string());
        let appendonly = if self.options.appendonly { "yes" } else { "no" };
        let mut command = Command::new("redis-server");
        command.current_dir(self.folder.path());
        command.args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", appendonly]);
        // Only a node of a cluster listens on its bus; the usual one, 10,000 above the port, need not be free.
        command.args(["--cluster-port", &bus]);
        // A replica is served at once. By default a master waits five seconds, for others to come.
        command.args(["--repl-diskless-sync-delay", "0"]);
        command.args(&self.options.arguments);
        self.program.spawn(&mut command, PACKAGE)?;
        self.until("redis-server did not answer", || {
            self.program.check()?;
            let answers = || -> Result<bool, Error> {
                let has = |info: String, line: &str| info.lines().any(|other| other == line);
                let Some(own) = self.own_line() else { return Ok(false) };
                // Somebody else may have taken the port; and while it reads its file it says so, and refuses the rest.
                Ok(has(self.info("server")?, &own) && has(self.info("persistence")?, "loading:0"))
            };
            match answers() {
                Ok(answers) => Ok(answers.then_some(())),
                // It does not listen yet.
                Err(Error::Io { .. } | Error::Refused { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        })
    }

    fn own_line(&self) -> Option<String> {
        self.program.id().map(|id| format!("process_id:{id}"))
    }

    /// The port of the cluster's bus.
    pub(crate) fn bus(&self) -> u16 {
        self.bus.port()
    }

    pub(crate) fn command(&self, words: &[String]) -> Result<String, Error> {
        resp::command(self.address, self.options.password.as_deref(), words)
    }

    /// A command of words that are known.
    pub(crate) fn say(&self, line: &str) -> Result<String, Error> {
        self.command(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    pub(crate) fn info(&self, section: &str) -> Result<String, Error> {
        self.say(&format!("INFO {section}"))
    }

    fn offset(&self, name: &str) -> Result<u64, Error> {
        let info = self.info("replication")?;
        Ok(info.lines().find_map(|line| line.strip_prefix(name)?.parse().ok()).unwrap_or(0))
    }

    /// Looks until `look` finds something.
    pub(crate) fn until<T>(
        &self,
        what: &str,
        look: impl FnMut() -> Result<Option<T>, Error>,
    ) -> Result<T, Error> {
        self.until_within(PATIENCE, what, look)
    }

    pub(crate) fn until_within<T>(
        &self,
        patience: Duration,
        what: &str,
        look: impl FnMut() -> Result<Option<T>, Error>,
    ) -> Result<T, Error> {
        self.program.until(patience, what, look)
    }
}

/// Removes what a folder holds.
fn empty(folder: &TempDir) -> io::Result<()> {
    for entry in fs::read_dir(folder.path())? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
