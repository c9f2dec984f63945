//! The server binary: compiled, and asked to render pages and to name its routes.

use crate::{Error, cargo, interrupt, project::Project, table::Route};
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Compiles the server; returns where it is.
///
/// # Errors
/// Where the code does not compile.
pub(crate) fn compile(project: &Project, debug: bool) -> Result<PathBuf, Error> {
    let mut command = cargo::command();
    command.arg("build").arg("--manifest-path").arg(&project.manifest);
    command.args(["--package", &project.name, "--bin", &project.name]);
    if !debug {
        command.arg("--release");
    }
    let files = cargo::compile(command, &project.name)?;
    let is_server = |file: &PathBuf| file.file_name().is_some_and(|name| name == project.binary().as_str());
    files
        .into_iter()
        .find(is_server)
        .ok_or_else(|| Error::Project(format!("cargo compiled `{}` and reported no binary", project.name)))
}

/// Runs the server's `prerender`, which writes `pages/` beside it.
///
/// # Errors
/// Where a page fails; the server says which.
pub(crate) fn prerender(project: &Project, server: &Path) -> Result<(), Error> {
    let mut command = Command::new(server);
    command.arg("prerender").current_dir(&project.directory).stdin(Stdio::null());
    let shown = cargo::shown(&command);
    let status =
        interrupt::status(&mut command).map_err(|source| Error::Run { command: shown.clone(), source })?;
    if status.success() { Ok(()) } else { Err(Error::Failed { command: shown, status: status.to_string() }) }
}

/// Asks the server for its routes; returns the JSON that it printed.
///
/// # Errors
/// Where it fails.
pub(crate) fn routes_json(project: &Project, server: &Path) -> Result<Vec<u8>, Error> {
    let mut command = Command::new(server);
    command
        .args(["routes", "--json"])
        .current_dir(&project.directory)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    let shown = cargo::shown(&command);
    let output =
        interrupt::output(&mut command).map_err(|source| Error::Run { command: shown.clone(), source })?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(Error::Failed { command: shown, status: output.status.to_string() })
    }
}

/// Asks the server for its routes.
///
/// # Errors
/// Where it fails, or prints something else.
pub(crate) fn routes(project: &Project, server: &Path) -> Result<Vec<Route>, Error> {
    let json = routes_json(project, server)?;
    let what = || format!("what `{} routes --json` printed", project.name);
    serde_json::from_slice(&json).map_err(|source| Error::Json { what: what(), source })
}
