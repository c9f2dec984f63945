//! The processes of one server, and its folder.

use super::{
    install::{Install, PACKAGE},
    lsn,
    template::{self, SUPERUSER},
};
use crate::{
    Error, PATIENCE, processes,
    program::{Program, free_addresses},
    run::{input, run},
};
use rustix::process::Signal;
use std::{
    fs,
    net::SocketAddr,
    path::PathBuf,
    process::{Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
};
use tempfile::TempDir;

/// How often other ports are tried when somebody took them between the look for them and the start.
const TRIES: usize = 4;

/// What every server is told before its own settings.
const SETTINGS: &[(&str, &str)] = &[
    ("listen_addresses", "127.0.0.1"),
    // A crash of the server loses nothing without it, only one of the machine would.
    ("fsync", "off"),
    ("synchronous_commit", "on"),
    ("shared_buffers", "32MB"),
    // Nothing is left behind in the system's shared memory when a server is killed.
    ("shared_memory_type", "mmap"),
    ("dynamic_shared_memory_type", "mmap"),
    // Disk space; the log of a test is short.
    ("max_wal_size", "256MB"),
    ("timezone", "UTC"),
];

/// Names and values; of two with the same name the last one counts.
pub(super) type Settings = Vec<(String, String)>;

/// Killed with all of its processes when this is dropped, before its folder goes.
#[derive(Debug)]
pub(crate) struct Server {
    program: Program,
    address: SocketAddr,
    install: Install,
    settings: Mutex<Settings>,
    folder: TempDir,
}

/// Starts a server with an empty cluster.
pub(super) fn start(settings: &Settings) -> Result<Arc<Server>, Error> {
    let install = Install::find()?;
    retried(|| {
        let server = Server::new(&install, settings.clone())?;
        template::unpack(&install, server.folder.path())?;
        server.start()?;
        Ok(Arc::new(server))
    })
}

/// Tries again, with other ports, where somebody took one of them.
pub(crate) fn retried<T>(mut start: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
    let mut tries = 0;
    loop {
        tries += 1;
        match start() {
            Err(Error::Ended { log, .. }) if tries < TRIES && log.contains("in use") => {}
            other => return other,
        }
    }
}

impl Server {
    /// One without data, which does not run yet.
    pub(super) fn new(install: &Install, settings: Settings) -> Result<Self, Error> {
        let folder = install.owner().folder("postgres-")?;
        let [address] = free_addresses()?;
        let program = Program::new("postgres", folder.path().join("log"));
        Ok(Self { program, address, install: install.clone(), settings: Mutex::new(settings), folder })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn id(&self) -> Option<u32> {
        self.program.id()
    }

    pub(super) fn log_tail(&self) -> String {
        self.program.tail()
    }

    pub(super) fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    pub(super) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(super) fn install(&self) -> &Install {
        &self.install
    }

    /// Starts it, and waits until it takes connections.
    pub(super) fn start(&self) -> Result<(), Error> {
        self.write_settings()?;
        let mut command = self.install.as_owner("postgres", self.folder.path());
        self.program.spawn(command.args(["-D", "data"]), PACKAGE)?;
        self.until("postgres did not take connections", || {
            self.program.check()?;
            // The same file and line by which pg_ctl waits.
            let is_own = self.pid_line(0) == self.id().map(|id| id.to_string());
            let is_ready = self.pid_line(7).is_some_and(|status| status == "ready");
            Ok((is_own && is_ready).then_some(()))
        })
    }

    /// A line of the file that a running server keeps: 0 is its process id, 6 its shared memory, 7 its status.
    fn pid_line(&self, line: usize) -> Option<String> {
        let file = fs::read_to_string(self.data().join("postmaster.pid")).ok()?;
        file.lines().nth(line).map(|line| line.trim().to_owned())
    }

    /// In a file and not as arguments, which could not be changed while it runs.
    fn write_settings(&self) -> Result<(), Error> {
        let folder = self.folder.path().display().to_string();
        let port = self.address.port().to_string();
        let own = [("port", port.as_str()), ("unix_socket_directories", folder.as_str())];
        let given = self.settings.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let given = given.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let lines = SETTINGS.iter().copied().chain(own).chain(given);
        let text: String = lines.map(|(name, value)| line(name, value)).collect();
        self.install.owner().write(&self.data().join("postgresql.conf"), &text)
    }

    /// Changes a setting for the next start.
    pub(super) fn remember(&self, name: &str, value: &str) {
        let mut settings = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        settings.retain(|(other, _)| other != name);
        settings.push((name.to_owned(), value.to_owned()));
    }

    /// Has it read its changed settings, where it runs.
    pub(super) fn reload(&self) -> Result<(), Error> {
        self.write_settings()?;
        if self.id().is_none() {
            return Ok(());
        }
        // A new connection has what the first process read. A file that is wrong is not taken, and leaves the time.
        let read = || self.psql("postgres", "select pg_conf_load_time()");
        let before = read()?;
        self.program.signal(Signal::HUP)?;
        self.until("postgres did not read its settings", || Ok((read()? != before).then_some(())))
    }

    pub(super) fn psql(&self, database: &str, sql: &str) -> Result<String, Error> {
        psql(&self.install, self.address, database, sql)
    }

    /// How far its log is written, or, of a replica, replayed.
    pub(super) fn lsn(&self) -> Result<u64, Error> {
        let sql = "select case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end";
        let answer = self.psql("postgres", sql)?;
        lsn::parse(&answer).ok_or_else(|| Error::Refused { command: sql.to_owned(), answer })
    }

    /// Asks it to end at once, and properly; clients are told.
    pub(super) fn stop(&self) -> Result<(), Error> {
        self.program.end_by(Signal::INT).map(drop)
    }

    /// Kills all of its processes.
    pub(super) fn kill(&self) -> Result<(), Error> {
        let Some(pid) = self.id().and_then(|_| self.program.pid().ok()) else { return Ok(()) };
        let others = processes::kill_descendants(pid);
        // Also where one of the others is stuck: without the first process they end as soon as they look.
        self.program.kill()?;
        others
    }

    pub(super) fn freeze(&self) -> Result<(), Error> {
        processes::freeze(self.program.pid()?)
    }

    pub(super) fn thaw(&self) -> Result<(), Error> {
        processes::thaw(self.program.pid()?);
        Ok(())
    }

    /// Looks until `look` finds something.
    pub(super) fn until<T>(
        &self,
        what: &str,
        look: impl FnMut() -> Result<Option<T>, Error>,
    ) -> Result<T, Error> {
        self.program.until(PATIENCE, what, look)
    }

    /// Removes the data of a server that does not run.
    pub(super) fn forget(&self) -> Result<(), Error> {
        self.remove_segment();
        fs::remove_dir_all(self.data()).map_err(Error::io("removing the data of a server"))
    }

    /// A few bytes by which PostgreSQL tells whether processes of an older server are left. A restart removes them, and
    /// after a kill nobody else does.
    fn remove_segment(&self) {
        let segment = self.pid_line(6);
        let Some(id) = segment.as_deref().and_then(|line| line.split_ascii_whitespace().nth(1)) else {
            return;
        };
        let _ = run(Command::new("ipcrm").args(["-m", id]), "ipcrm", "util-linux", "ipcrm", Stdio::null());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It cannot be reported from here.
        let _ = self.kill();
        self.remove_segment();
    }
}

/// A line of the file of settings.
fn line(name: &str, value: &str) -> String {
    format!("{name} = '{}'\n", value.replace('\\', "\\\\").replace('\'', "''"))
}

/// Runs psql with a text, as if somebody had typed it.
pub(crate) fn psql(
    install: &Install,
    address: SocketAddr,
    database: &str,
    sql: &str,
) -> Result<String, Error> {
    let mut command = install.program("psql");
    command.args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--no-password"]);
    command.args(["--set=ON_ERROR_STOP=1", "--file=-"]);
    command.args(["--username", SUPERUSER, "--dbname", database]);
    command.args(["--host", &address.ip().to_string(), "--port", &address.port().to_string()]);
    run(&mut command, "psql", PACKAGE, sql, input(sql)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_quoted() {
        assert_eq!(line("a.b", r"it's \n"), "a.b = 'it''s \\\\n'\n");
    }
}
