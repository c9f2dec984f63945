//! Ending early: whoever ends this command ends all that it started.
//!
//! Children get a process group each, so that what they start ends with them. A terminal's ctrl-c then reaches this process
//! alone, which passes it on.

use std::{
    io,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Output},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// What is running, and what is to be removed.
#[derive(Debug, Default)]
struct State {
    children: Vec<u32>,
    folders: Vec<PathBuf>,
    /// Whether signals are passed on: see [`watch`].
    watches: bool,
    /// The signal by which the command was ended.
    signal: Option<i32>,
}

static STATE: Mutex<State> =
    Mutex::new(State { children: Vec::new(), folders: Vec::new(), watches: false, signal: None });

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A child that is known to run; forgotten when dropped, which must be after it was waited for.
#[derive(Debug)]
pub(crate) struct Running(u32);

impl Drop for Running {
    fn drop(&mut self) {
        state().children.retain(|child| *child != self.0);
    }
}

/// A folder that is removed if the command is ended early; forgotten when dropped.
#[derive(Debug)]
pub(crate) struct Unfinished(PathBuf);

impl Unfinished {
    pub(crate) fn new(folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        state().folders.push(folder.clone());
        Self(folder)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        state().folders.retain(|folder| *folder != self.0);
    }
}

/// Starts a child in a group of its own.
///
/// # Errors
/// Where it cannot be started, or the command is being ended.
pub(crate) fn spawn(command: &mut Command) -> io::Result<(Child, Running)> {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    // Held, so that no child starts unseen while others are being ended.
    let mut state = state();
    if state.signal.is_some() {
        return Err(io::ErrorKind::Interrupted.into());
    }
    let child = command.spawn()?;
    let running = Running(child.id());
    state.children.push(running.0);
    Ok((child, running))
}

/// Ends a child of [`spawn`] with all that it started, now. One that has ended needs no more.
pub(crate) fn kill(child: &mut Child) {
    // Asked first: the number of one that was waited for may be another group's.
    if matches!(child.try_wait(), Ok(None)) {
        #[cfg(unix)]
        unix::kill_group(child.id());
        let _ = child.kill();
    }
}

/// Runs a child to its end.
///
/// # Errors
/// As [`spawn`].
pub(crate) fn status(command: &mut Command) -> io::Result<ExitStatus> {
    // Where nobody passes signals on, the terminal must reach it by itself.
    if !state().watches {
        return command.status();
    }
    let (mut child, _running) = spawn(command)?;
    child.wait()
}

/// Runs a child to its end, and returns what it wrote to those streams that are piped.
///
/// # Errors
/// As [`spawn`].
pub(crate) fn output(command: &mut Command) -> io::Result<Output> {
    let (child, _running) = spawn(command.stdout(std::process::Stdio::piped()))?;
    child.wait_with_output()
}

/// Does not return where the command is being ended: whoever ends it takes the process with it, once nothing is left behind.
pub(crate) fn hold_if_ending() {
    while state().signal.is_some() {
        std::thread::park();
    }
}

#[cfg(not(unix))]
pub(crate) fn watch() {}

#[cfg(unix)]
pub(crate) use unix::watch;

#[cfg(unix)]
mod unix {
    use super::state;
    use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
    use signal_hook::{
        consts::{SIGHUP, SIGINT, SIGTERM},
        iterator::Signals,
    };
    use std::time::Duration;

    /// How long children have to end: cargo lets go of its locks, a server rolls its transactions back.
    const PATIENCE: Duration = Duration::from_secs(5);
    /// How long those have that the children left behind.
    const LAST: Duration = Duration::from_secs(1);
    /// Between two looks at whether they have.
    const PAUSE: Duration = Duration::from_millis(20);

    /// From now on, a signal that ends this command ends its children first, and removes what is unfinished.
    pub(crate) fn watch() {
        let mut wanted = vec![SIGINT, SIGTERM];
        // Under nohup it stays ignored.
        if !ignores_hangups(&std::fs::read_to_string("/proc/self/status").unwrap_or_default()) {
            wanted.push(SIGHUP);
        }
        let Ok(mut signals) = Signals::new(wanted) else { return };
        state().watches = true;
        std::thread::spawn(move || {
            let Some(signal) = signals.forever().next() else { return };
            // A second one does not wait.
            std::thread::spawn(move || {
                if signals.forever().next().is_some() {
                    send(&state().children.clone(), Signal::KILL);
                    leave(signal);
                }
            });
            let groups = {
                let mut state = state();
                state.signal = Some(signal);
                state.children.clone()
            };
            send(&groups, Signal::TERM);
            wait(PATIENCE, || state().children.is_empty());
            // What the children started is nobody's now.
            wait(LAST, || groups.iter().all(|group| !exists(*group)));
            send(&groups, Signal::KILL);
            leave(signal);
        });
    }

    fn pid(group: u32) -> Option<Pid> {
        Pid::from_raw(i32::try_from(group).ok()?)
    }

    fn send(groups: &[u32], signal: Signal) {
        for group in groups.iter().filter_map(|group| pid(*group)) {
            // One that has ended needs no signal.
            let _ = kill_process_group(group, signal);
        }
    }

    /// Ends a group now.
    pub(super) fn kill_group(group: u32) {
        send(&[group], Signal::KILL);
    }

    fn exists(group: u32) -> bool {
        pid(group).is_some_and(|group| test_kill_process_group(group).is_ok())
    }

    /// Looks again and again, for as long as patience lasts.
    fn wait(patience: Duration, is_over: impl Fn() -> bool) {
        let mut waited = Duration::ZERO;
        while !is_over() && waited < patience {
            std::thread::sleep(PAUSE);
            waited += PAUSE;
        }
    }

    fn leave(signal: i32) -> ! {
        let folders = std::mem::take(&mut state().folders);
        for folder in folders {
            // What cannot be removed is named so that nobody takes it for a build.
            let _ = std::fs::remove_dir_all(folder);
        }
        std::process::exit(128 + signal);
    }

    /// Whether the first signal, SIGHUP, is among those that `/proc/self/status` calls ignored.
    fn ignores_hangups(status: &str) -> bool {
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn nohup_is_noticed() {
            assert!(ignores_hangups("Name:\tx\nSigIgn:\t0000000000000001\n"));
            assert!(!ignores_hangups("SigIgn:\t0000000000001000\n"));
            assert!(!ignores_hangups(""));
        }
    }
}
