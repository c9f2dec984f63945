//! Running cargo.

use crate::{Error, interrupt, terminal};
use cargo_metadata::Message;
use std::{
    ffi::OsStr,
    io::BufReader,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// `server_fn` names its addresses by a hash over the build folder unless this says otherwise; the server, the islands
/// and a second machine must agree.
const SERVER_FN_KEY: (&str, &str) = ("SERVER_FN_OVERRIDE_KEY", "tropos");

/// A cargo that does not know that it was started by another: what the outer one says of *its* package would make build
/// scripts of the inner one run again.
pub(crate) fn command() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if is_of_outer_package(&name) {
            command.env_remove(name);
        }
    }
    if std::env::var_os(SERVER_FN_KEY.0).is_none() {
        command.env(SERVER_FN_KEY.0, SERVER_FN_KEY.1);
    }
    if let Some(color) = terminal::chosen() {
        command.env("CARGO_TERM_COLOR", color.name());
    }
    command
}

fn is_of_outer_package(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with("CARGO_PKG_")
        || name.starts_with("CARGO_MANIFEST_")
        || name == "CARGO_BIN_NAME"
        || name == "CARGO_CRATE_NAME"
}

/// What cargo made.
#[derive(Debug)]
pub(crate) struct Compiled {
    /// The files of the target that was asked for.
    pub(crate) files: Vec<PathBuf>,
    /// Crates that were compiled, since they or what they depend on had changed.
    pub(crate) crates: usize,
}

/// Cargos that run side by side, of which one that fails ends the others.
#[derive(Debug, Default)]
pub(crate) struct Together {
    /// Two progress bars on one line would write over each other, so there is none.
    several: bool,
    stopped: AtomicBool,
    children: Mutex<Vec<Arc<Mutex<Child>>>>,
}

impl Together {
    /// One cargo, or several.
    pub(crate) fn new(several: bool) -> Self {
        Self { several, ..Self::default() }
    }

    /// Whether there are several.
    pub(crate) fn are_several(&self) -> bool {
        self.several
    }

    /// Ends those that run, and those that are started later.
    pub(crate) fn stop(&self) {
        let children = lock(&self.children);
        self.stopped.store(true, Ordering::SeqCst);
        // One that has ended by itself needs no more.
        children.iter().for_each(|child| interrupt::kill(&mut lock(child)));
    }

    fn add(&self, child: Arc<Mutex<Child>>) {
        let mut children = lock(&self.children);
        if self.stopped.load(Ordering::SeqCst) {
            interrupt::kill(&mut lock(&child));
        }
        children.push(child);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Compiles, and returns the files of the target of this name.
///
/// # Errors
/// Where cargo cannot be run, or the code does not compile; [`Error::Stopped`] where another was to be ended.
pub(crate) fn compile(mut command: Command, target: &str, together: &Together) -> Result<Compiled, Error> {
    let shown = shown(&command);
    let run = |source| Error::Run { command: shown.clone(), source };
    command.arg("--message-format=json-render-diagnostics").stdin(Stdio::null()).stdout(Stdio::piped());
    if together.several {
        command.env("CARGO_TERM_PROGRESS_WHEN", "never");
    }
    let (child, _running) = interrupt::spawn(&mut command).map_err(run)?;
    let child = Arc::new(Mutex::new(child));
    let stdout = lock(&child).stdout.take();
    together.add(child.clone());
    let mut compiled = Compiled { files: Vec::new(), crates: 0 };
    if let Some(stdout) = stdout {
        for message in Message::parse_stream(BufReader::new(stdout)) {
            match message.map_err(run)? {
                Message::CompilerArtifact(artifact) => {
                    compiled.crates += usize::from(!artifact.fresh);
                    if artifact.target.name == target {
                        compiled.files.extend(artifact.executable.map(PathBuf::from));
                        compiled.files.extend(artifact.filenames.into_iter().map(PathBuf::from));
                    }
                }
                // What programs print by themselves, such as a test runner.
                Message::TextLine(line) => eprintln!("{line}"),
                _ => {}
            }
        }
    }
    // It has closed its output, so this is soon over.
    let status = lock(&child).wait().map_err(run)?;
    match status.success() {
        true => Ok(compiled),
        false if together.stopped.load(Ordering::SeqCst) => Err(Error::Stopped { command: shown }),
        false => Err(Error::Failed { command: shown, status: status.to_string() }),
    }
}

/// The command as a person would type it, without the environment.
pub(crate) fn shown(command: &Command) -> String {
    let program = PathBuf::from(command.get_program());
    let mut words = vec![program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_one_would_type_it() {
        let mut command = Command::new("/somewhere/bin/cargo");
        command.args(["build", "--release"]);
        assert_eq!(shown(&command), "cargo build --release");
    }

    #[cfg(unix)]
    #[test]
    fn one_that_fails_ends_those_beside_it_and_those_that_come_later() {
        let together = Together::default();
        // The last of the words that `compile` adds are arguments of the script.
        let shell = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            command
        };
        assert_eq!(compile(shell("exit 0"), "x", &together).unwrap().crates, 0);
        assert!(matches!(compile(shell("exit 3"), "x", &together), Err(Error::Failed { .. })));
        std::thread::scope(|scope| {
            // A grandchild holds standard output: were the child killed alone, this would wait for it.
            let long = scope.spawn(|| compile(shell("sleep 600; true"), "x", &together));
            while lock(&together.children).len() < 3 {
                std::thread::yield_now();
            }
            together.stop();
            assert!(matches!(long.join().unwrap(), Err(Error::Stopped { .. })));
        });
        assert!(matches!(compile(shell("exec sleep 60"), "x", &together), Err(Error::Stopped { .. })));
    }

    #[test]
    fn the_outer_package_is_hidden_from_the_inner_cargo() {
        for (name, hidden) in [
            ("CARGO_PKG_NAME", true),
            ("CARGO_MANIFEST_DIR", true),
            ("CARGO_TARGET_DIR", false),
            ("CARGO_HOME", false),
        ] {
            assert_eq!(is_of_outer_package(OsStr::new(name)), hidden, "{name}");
        }
    }
}
