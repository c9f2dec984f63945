//! `cargo tropos routes`: the server binary prints its own table.

use crate::{Error, args, build, cargo, project::Project, terminal::Terminal};
use std::process::{Command, ExitCode};

/// Asks the built server, or one compiled for the purpose where there is none.
///
/// # Errors
/// Where it does not compile, or fails.
pub(crate) fn run(options: &args::Routes, terminal: &Terminal) -> Result<ExitCode, Error> {
    let project = Project::find(&options.project)?;
    let mut server = project.server();
    if !server.is_file() {
        terminal.note(format_args!(
            "there is no build in {}; compiling for debugging",
            project.out.display()
        ));
        server = build::server::compile(&project, true)?;
    }
    let mut command = Command::new(server);
    command.arg("routes").current_dir(&project.directory);
    if options.json {
        command.arg("--json");
    }
    let shown = cargo::shown(&command);
    let status = command.status().map_err(|source| Error::Run {
        command: shown.clone(),
        source,
    })?;
    if status.success() {
        Ok(ExitCode::SUCCESS)
    } else {
        Err(Error::Failed {
            command: shown,
            status: status.to_string(),
        })
    }
}
