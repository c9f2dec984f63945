//! `cargo tropos start`: the built server takes the place of this process.

use crate::{Error, args, cargo, project::Project};
use std::process::{Command, ExitCode};

/// Runs the server in the package's directory, so that `.tropos/` and `tropos.toml` are the same as at build.
///
/// # Errors
/// [`Error::NotBuilt`], or where the server cannot be run.
pub(crate) fn run(options: &args::Start) -> Result<ExitCode, Error> {
    let project = Project::find(&options.project)?;
    let server = project.server();
    if !server.is_file() {
        return Err(Error::NotBuilt(project.out));
    }
    let mut command = Command::new(server);
    command.args(&options.rest).current_dir(&project.directory);
    become_it(command)
}

/// Signals then reach the server itself, and its exit code is the command's.
#[cfg(unix)]
fn become_it(mut command: Command) -> Result<ExitCode, Error> {
    use std::os::unix::process::CommandExt as _;
    let source = command.exec();
    Err(Error::Run { command: cargo::shown(&command), source })
}

#[cfg(not(unix))]
fn become_it(mut command: Command) -> Result<ExitCode, Error> {
    let status = command.status().map_err(|source| Error::Run { command: cargo::shown(&command), source })?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}
