//! One process: start, signals, end, and what it wrote.

use crate::{Error, PATIENCE, poll};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use std::{
    fs::{self, File},
    hash::{BuildHasher as _, RandomState},
    io,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How much of a log an error quotes.
const TAIL: usize = 15;

/// A program that may run. Its process is killed and waited for when this is dropped.
#[derive(Debug)]
pub(crate) struct Program {
    name: &'static str,
    log: PathBuf,
    /// `None` while it does not run. The id in it stays valid, because only this value waits for the process.
    child: Mutex<Option<Child>>,
}

impl Program {
    /// One that does not run yet.
    pub(crate) fn new(name: &'static str, log: PathBuf) -> Self {
        Self { name, log, child: Mutex::new(None) }
    }

    /// Starts it. Whatever it writes is added to the log.
    pub(crate) fn spawn(&self, command: &mut Command, package: &'static str) -> Result<(), Error> {
        let doing = || format!("writing {}", self.log.display());
        let log = File::options().create(true).append(true).open(&self.log).map_err(Error::io(doing()))?;
        let copy = log.try_clone().map_err(Error::io(doing()))?;
        let child = command.stdin(Stdio::null()).stdout(copy).stderr(log).spawn();
        let child = child.map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => Error::Missing { program: self.name, package },
            _ => Error::Io { doing: format!("starting {}", self.name), source },
        })?;
        *self.child() = Some(child);
        Ok(())
    }

    /// Its process id, while it runs.
    pub(crate) fn id(&self) -> Option<u32> {
        self.child().as_ref().map(Child::id)
    }

    /// Fails where it has ended by itself.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let mut child = self.child();
        let Some(running) = child.as_mut() else { return Err(self.not_running()) };
        let Some(status) = running.try_wait().map_err(Error::io("asking for its end"))? else {
            return Ok(());
        };
        *child = None;
        Err(Error::Ended { program: self.name, status, log: self.tail() })
    }

    /// Kills it and waits for its end. Nothing happens where it does not run.
    pub(crate) fn kill(&self) -> Result<(), Error> {
        let Some(mut child) = self.child().take() else { return Ok(()) };
        // A process that has ended is no failure; it only remains to be waited for.
        child.kill().and_then(|()| child.wait()).map_err(Error::io(format!("killing {}", self.name)))?;
        Ok(())
    }

    /// Asks it to end, and waits for that.
    pub(crate) fn terminate(&self) -> Result<ExitStatus, Error> {
        self.end_by(Signal::TERM)
    }

    /// Sends a signal that asks it to end, and waits for that.
    pub(crate) fn end_by(&self, signal: Signal) -> Result<ExitStatus, Error> {
        self.signal(signal)?;
        let ended = poll::until(PATIENCE, || match self.child().as_mut() {
            Some(child) => child.try_wait().map_err(Error::io("waiting for its end")),
            None => Err(self.not_running()),
        })?;
        match ended {
            Some(status) => {
                *self.child() = None;
                Ok(status)
            }
            None => Err(Error::Late {
                what: format!("{} did not end on {signal:?}", self.name),
                patience: PATIENCE,
                log: format!("; its last lines:\n{}", self.tail()),
            }),
        }
    }

    /// Stops it where it is (SIGSTOP), and returns once it stands still.
    pub(crate) fn pause(&self) -> Result<(), Error> {
        self.signal(Signal::STOP)?;
        let stands = poll::until(PATIENCE, || {
            let pid = self.pid()?;
            let options = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
            let changed = waitid(WaitId::Pid(pid), options)
                .map_err(|error| Error::io("waiting for SIGSTOP")(error.into()))?;
            Ok(changed.filter(|status| status.stopped()).map(drop))
        })?;
        match stands {
            Some(()) => Ok(()),
            None => Err(Error::Late {
                what: format!("{} did not stand still on SIGSTOP", self.name),
                patience: PATIENCE,
                log: String::new(),
            }),
        }
    }

    /// Lets it go on after [`Program::pause`].
    pub(crate) fn resume(&self) -> Result<(), Error> {
        self.signal(Signal::CONT)
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<(), Error> {
        kill_process(self.pid()?, signal)
            .map_err(|error| Error::io(format!("sending {signal:?} to {}", self.name))(error.into()))
    }

    pub(crate) fn pid(&self) -> Result<Pid, Error> {
        self.child().as_ref().map(Pid::from_child).ok_or_else(|| self.not_running())
    }

    fn not_running(&self) -> Error {
        Error::NotRunning { program: self.name }
    }

    /// Looks until `look` finds something; the error has the end of the program's log.
    pub(crate) fn until<T>(
        &self,
        patience: Duration,
        what: &str,
        look: impl FnMut() -> Result<Option<T>, Error>,
    ) -> Result<T, Error> {
        poll::until(patience, look)?.ok_or_else(|| Error::Late {
            what: what.to_owned(),
            patience,
            log: format!("; the last lines of {}:\n{}", self.name, self.tail()),
        })
    }

    /// The last lines that it wrote, indented.
    pub(crate) fn tail(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        let last = lines.get(lines.len().saturating_sub(TAIL)..).unwrap_or_default();
        format!("  {}", last.join("\n  "))
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It cannot be reported from here, and a process that refuses SIGKILL is out of anybody's reach.
        let _ = self.kill();
    }
}

/// Below the ports that systems hand out by themselves (from 32768 on Linux), and above the well-known ones. A port that
/// the system handed out could be that of anybody's connection by the time its server is started again.
const PORTS: std::ops::Range<u16> = 12_000..32_000;

/// `N` addresses of 127.0.0.1 at which nobody listens, for servers that a test starts itself.
///
/// They differ, and the system does not hand their ports out: neither to a listener on port 0 nor to the near end of a
/// connection. Another process may still take one before the caller does.
///
/// # Errors
/// [`Error::Io`] when a hundred tries did not find one.
pub fn free_addresses<const N: usize>() -> Result<[SocketAddr; N], Error> {
    let mut held = Vec::with_capacity(N);
    let mut addresses = [SocketAddr::from(([127, 0, 0, 1], 0)); N];
    for address in &mut addresses {
        let (found, listener) = free_address().map_err(Error::io("looking for a free port"))?;
        *address = found;
        held.push(listener);
    }
    Ok(addresses)
}

/// Begins at random, so that processes that look at the same time do not find the same.
fn free_address() -> io::Result<(SocketAddr, TcpListener)> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for number in 0..100 {
        let offset = RandomState::new().hash_one(number) % PORTS.len() as u64;
        let port = PORTS.start + u16::try_from(offset).unwrap_or(0);
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        match TcpListener::bind(address) {
            Ok(listener) => return Ok((address, listener)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Whether a program of that name is in one of the folders of the `PATH`.
pub(crate) fn is_on_path(name: &str) -> bool {
    folder_on_path(name).is_some()
}

/// The first folder of the `PATH` that holds a program of that name.
pub(crate) fn folder_on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).find(|folder| folder.join(name).is_file())
}
