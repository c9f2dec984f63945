//! Running cargo.

use crate::{Error, interrupt, terminal};
use cargo_metadata::Message;
use std::{
    ffi::OsStr,
    io::BufReader,
    path::PathBuf,
    process::{Command, Stdio},
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

/// Compiles, and returns the files of the target of this name.
///
/// # Errors
/// Where cargo cannot be run, or the code does not compile.
pub(crate) fn compile(mut command: Command, target: &str) -> Result<Vec<PathBuf>, Error> {
    let shown = shown(&command);
    let run = |source| Error::Run { command: shown.clone(), source };
    command.arg("--message-format=json-render-diagnostics").stdin(Stdio::null()).stdout(Stdio::piped());
    let (mut child, _running) = interrupt::spawn(&mut command).map_err(run)?;
    let mut files = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        for message in Message::parse_stream(BufReader::new(stdout)) {
            match message.map_err(run)? {
                Message::CompilerArtifact(artifact) if artifact.target.name == target => {
                    files.extend(artifact.executable.map(PathBuf::from));
                    files.extend(artifact.filenames.into_iter().map(PathBuf::from));
                }
                // What programs print by themselves, such as a test runner.
                Message::TextLine(line) => eprintln!("{line}"),
                _ => {}
            }
        }
    }
    let status = child.wait().map_err(run)?;
    if status.success() {
        Ok(files)
    } else {
        Err(Error::Failed { command: shown, status: status.to_string() })
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
