//! `cargo xtask fixture`: the application that black-box tests drive.

use crate::{Error, machine, steps::Steps};
use std::{path::Path, process::ExitCode};

/// Below the repository's root.
const FOLDER: &str = "e2e/fixture";
const PACKAGE: &str = "tropos-fixture";

/// Builds it, and prints the path of its server as the last line of standard output, which is the only one.
///
/// # Errors
/// Where `UPSTREAM_URL` is missing, or the build fails.
pub(crate) fn run(steps: &Steps) -> Result<ExitCode, Error> {
    if std::env::var_os("UPSTREAM_URL").is_none_or(|url| url.is_empty()) {
        return Err(Error::NoUpstream);
    }
    let out = steps.root.join(FOLDER).join("dist");
    build(steps, PACKAGE, &out, &[], &["--edge", "workers"])?;
    println!("{}", out.join(PACKAGE).display());
    Ok(ExitCode::SUCCESS)
}

/// Builds a package of this repository with the command line of this repository, in this environment besides its own, and with `more`
/// arguments.
///
/// # Errors
/// Where the target is missing, or the build fails.
pub(crate) fn build(
    steps: &Steps,
    package: &str,
    out: &Path,
    environment: &[(&str, &str)],
    more: &[&str],
) -> Result<(), Error> {
    machine::wasm_target(steps)?;
    let mut command = steps.cargo();
    command
        .args(["run", "--package", "cargo-tropos", "--", "tropos", "build", "--package", package, "--out"])
        .arg(out)
        .args(more);
    command.envs(environment.iter().copied());
    if let Some(tool) = machine::wasm_opt(steps) {
        command.arg("--wasm-opt").arg(tool);
    }
    steps.run(&mut command)
}
