//! What tests and measurements of `cargo tropos dev` have in common: the command, and where it compiles into.

use crate::{Error, machine, steps::Steps};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

const PACKAGE: &str = "cargo-tropos";

/// Builds the command and gives a copy of it, which a build that runs beside does not replace.
///
/// # Errors
/// Where it does not compile, or the copy cannot be written.
pub(crate) fn program(steps: &Steps) -> Result<PathBuf, Error> {
    machine::wasm_target(steps)?;
    steps.run(steps.cargo().args(["build", "--package", PACKAGE]))?;
    let name = format!("{PACKAGE}{}", std::env::consts::EXE_SUFFIX);
    let built = machine::target(steps).join("debug").join(&name);
    let folder = machine::tools(steps);
    std::fs::create_dir_all(&folder).map_err(Error::file("making", &folder))?;
    let copy = folder.join(name);
    // One that runs cannot be written to, but its name can be given to another.
    let _ = std::fs::remove_file(&copy);
    std::fs::copy(&built, &copy).map_err(Error::file("copying", &built))?;
    Ok(copy)
}

/// Tells a program which command to run, and where that is to compile into.
pub(crate) fn environment(steps: &Steps, program: &Path, command: &mut Command) {
    command
        .env("CARGO_TROPOS", program)
        .env("CARGO_TARGET_DIR", machine::target(steps))
        .env("TOOLS", machine::tools(steps));
}
