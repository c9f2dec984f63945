//! Running programs, with a line for each that says what runs and since when.

use crate::Error;
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};
use tropos_core::{Clock as _, SystemClock};

/// Where the work takes place, and when it began.
pub(crate) struct Steps {
    clock: SystemClock,
    /// The repository.
    pub(crate) root: PathBuf,
}

impl Steps {
    pub(crate) fn new() -> Self {
        let own = Path::new(env!("CARGO_MANIFEST_DIR"));
        // framework/xtask, so two up.
        let root = own.ancestors().nth(2).unwrap_or(own).to_owned();
        Self { clock: SystemClock::new(), root }
    }

    /// The time since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.clock.now().0).unwrap_or(0))
    }

    /// Says what comes next. Standard output belongs to results.
    pub(crate) fn say(&self, what: &str) {
        eprintln!("[{}] {what}", clock(self.elapsed()));
    }

    /// A program that runs in the repository's root and prints to standard error.
    pub(crate) fn command(&self, program: impl Into<OsString>) -> Command {
        let mut command = Command::new(program.into());
        command.current_dir(&self.root).stdin(Stdio::null());
        command
    }

    /// The cargo that runs this.
    pub(crate) fn cargo(&self) -> Command {
        self.command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
    }

    /// Says what runs, runs it with its output on standard error, and insists on success.
    ///
    /// # Errors
    /// Where it cannot be run or fails.
    pub(crate) fn run(&self, command: &mut Command) -> Result<(), Error> {
        let program = shown(command);
        self.say(&program);
        command.stdout(std::io::stderr());
        let status = command.status().map_err(|source| Error::Run { program: program.clone(), source })?;
        if status.success() { Ok(()) } else { Err(Error::Failed { program, status: status.to_string() }) }
    }
}

/// What a program prints; `None` where it cannot be run or fails.
pub(crate) fn ask(command: &mut Command) -> Option<String> {
    let Output { status, stdout, .. } = command.stderr(Stdio::null()).output().ok()?;
    status.success().then(|| String::from_utf8_lossy(&stdout).trim().to_owned())
}

/// The command as a person would type it, without the environment.
pub(crate) fn shown(command: &Command) -> String {
    let program = PathBuf::from(command.get_program());
    let mut words = vec![program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    words.join(" ")
}

/// `00:07`, `12:30`, `1:02:03`.
pub(crate) fn clock(span: Duration) -> String {
    let seconds = span.as_secs();
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes:02}:{seconds:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elapsed_time_reads_as_a_clock() {
        for (seconds, text) in [(0, "00:00"), (7, "00:07"), (750, "12:30"), (3_723, "1:02:03")] {
            assert_eq!(clock(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn the_root_holds_the_workspace() {
        assert!(Steps::new().root.join("framework/xtask/Cargo.toml").is_file());
    }
}
