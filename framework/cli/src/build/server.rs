//! The server binary: compiled, and asked to render pages and to name its routes.

use crate::{
    Error,
    cargo::{self, Together},
    interrupt,
    project::Project,
    table::Route,
};
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use tropos_core::build::Prerendered;

/// Something that was compiled.
#[derive(Debug)]
pub(crate) struct Artifact {
    pub(crate) path: PathBuf,
    /// Crates that had to be compiled for it.
    pub(crate) crates: usize,
}

/// Compiles the server; returns where it is.
///
/// # Errors
/// Where the code does not compile.
pub(crate) fn compile(project: &Project, debug: bool, together: &Together) -> Result<Artifact, Error> {
    let mut command = cargo::command();
    command.arg("build").arg("--manifest-path").arg(&project.manifest);
    command.args(["--package", &project.name, "--bin", &project.name]);
    if !debug {
        command.arg("--release");
    }
    let compiled = cargo::compile(command, &project.name, together)?;
    let is_server = |file: &PathBuf| file.file_name().is_some_and(|name| name == project.binary().as_str());
    let path = compiled.files.into_iter().find(is_server);
    let missing = || Error::Project(format!("cargo compiled `{}` and reported no binary", project.name));
    Ok(Artifact { path: path.ok_or_else(missing)?, crates: compiled.crates })
}

/// Runs the server's `prerender`, which writes `pages/` beside it.
///
/// # Errors
/// [`Error::Pages`] with the pages that failed; [`Error::Failed`] where it could not begin, of which the server says why.
pub(crate) fn prerender(
    project: &Project,
    server: &Path,
    keep_going: bool,
    measure: bool,
) -> Result<Prerendered, Error> {
    let mut command = Command::new(server);
    command.args(["prerender", "--json"]);
    command.args(keep_going.then_some("--keep-going")).args(measure.then_some("--measure"));
    command.current_dir(&project.directory).stdin(Stdio::null()).stderr(Stdio::inherit());
    let shown = cargo::shown(&command);
    let output =
        interrupt::output(&mut command).map_err(|source| Error::Run { command: shown.clone(), source })?;
    let failed = || Error::Failed { command: shown, status: output.status.to_string() };
    if output.stdout.trim_ascii().is_empty() {
        return Err(failed());
    }
    let made: Prerendered = serde_json::from_slice(&output.stdout).map_err(|source| Error::Json {
        what: format!("what `{} prerender` printed", project.name),
        source,
    })?;
    match (made.failures.is_empty(), output.status.success()) {
        (true, true) => Ok(made),
        (true, false) => Err(failed()),
        (false, _) => Err(Error::Pages { failures: made.failures, keep_going, out: project.out.clone() }),
    }
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
