//! Finding a `wasm-opt` that is new enough, and running it.

use super::super::{Error, cargo};
use crate::interrupt;
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Older ones write modules that fail in the browser (`WebAssembly.Table.set()`) with what wasm-bindgen makes of
/// reference types: 108, which Debian 12 has, does.
const AT_LEAST: u32 = 120;

/// What rustc's own target has, one by one: `--all-features` would let binaryen use what browsers do not have yet.
const FEATURES: &[&str] = &[
    "--enable-bulk-memory",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-multivalue",
];

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// One to use.
    Usable(PathBuf),
    /// None, or none that is new enough; the words say so.
    None(String),
}

/// Looks at the named one, or else on `PATH` and in each `node_modules/.bin` from `directory` up.
///
/// # Errors
/// [`Error::WasmOpt`] where the named one cannot be used.
pub(crate) fn find(named: Option<&Path>, directory: &Path) -> Result<Found, Error> {
    if let Some(path) = named {
        return match version(path) {
            Some(version) if version >= AT_LEAST => Ok(Found::Usable(path.to_owned())),
            found => {
                Err(Error::WasmOpt { path: path.to_owned(), at_least: AT_LEAST, found: describe(found) })
            }
        };
    }
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let candidates =
        candidates(std::env::split_paths(&on_path), directory).into_iter().filter(|path| path.is_file());
    let mut old = None;
    for path in candidates {
        match version(&path) {
            Some(version) if version >= AT_LEAST => return Ok(Found::Usable(path)),
            found => old = old.or(Some((path, found))),
        }
    }
    Ok(Found::None(match old {
        Some((path, found)) => format!(
            "the wasm is not optimised: {} is {}, and {AT_LEAST} is the oldest that works (`npm install binaryen` has it)",
            path.display(),
            describe(found)
        ),
        None => "the wasm is not optimised, since no wasm-opt was found (`npm install binaryen` has it)"
            .to_owned(),
    }))
}

fn candidates(on_path: impl Iterator<Item = PathBuf>, directory: &Path) -> Vec<PathBuf> {
    let in_modules = directory.ancestors().map(|folder| folder.join("node_modules/.bin"));
    on_path
        .chain(in_modules)
        .map(|folder| folder.join(format!("wasm-opt{}", std::env::consts::EXE_SUFFIX)))
        .collect()
}

fn describe(version: Option<u32>) -> String {
    version.map_or_else(|| "of an unknown version".to_owned(), |version| format!("version {version}"))
}

fn version(path: &Path) -> Option<u32> {
    let output = Command::new(path).arg("--version").stdin(Stdio::null()).output().ok()?;
    parse_version(&String::from_utf8_lossy(&output.stdout))
}

/// `wasm-opt version 132 (version_132)` is 132.
fn parse_version(text: &str) -> Option<u32> {
    let (_, after) = text.split_once("version ")?;
    let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
    after.get(..digits)?.parse().ok()
}

/// Makes a module smaller, in place.
///
/// # Errors
/// Where it cannot be run or refuses the module.
pub(crate) fn run(tool: &Path, module: &Path) -> Result<(), Error> {
    let mut command = Command::new(tool);
    command
        .arg("-Oz")
        .args(FEATURES)
        .arg("--strip-producers")
        .arg(module)
        .arg("-o")
        .arg(module)
        .stdin(Stdio::null());
    let shown = cargo::shown(&command);
    let status =
        interrupt::status(&mut command).map_err(|source| Error::Run { command: shown.clone(), source })?;
    if status.success() { Ok(()) } else { Err(Error::Failed { command: shown, status: status.to_string() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_wasm_opt_prints() {
        for (text, expected) in [
            ("wasm-opt version 132 (version_132)\n", Some(132)),
            ("wasm-opt version 108\n", Some(108)),
            ("wasm-opt version 130 (version_130-12-gabc)", Some(130)),
            ("command not found", None),
            ("version x", None),
            ("", None),
        ] {
            assert_eq!(parse_version(text), expected, "{text:?}");
        }
    }

    #[test]
    fn path_comes_before_node_modules_and_the_nearest_before_those_above() {
        let found = candidates(["/usr/bin".into()].into_iter(), Path::new("/a/b"));
        assert_eq!(
            found,
            [
                "/usr/bin/wasm-opt",
                "/a/b/node_modules/.bin/wasm-opt",
                "/a/node_modules/.bin/wasm-opt",
                "/node_modules/.bin/wasm-opt"
            ]
            .map(PathBuf::from)
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_named_one_that_is_old_is_an_error_and_an_old_one_nearby_counts_as_none() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("node_modules/.bin");
        std::fs::create_dir_all(&bin).unwrap();
        let tool = bin.join("wasm-opt");
        std::fs::write(&tool, "#!/bin/sh\necho 'wasm-opt version 108'\n").unwrap();
        std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();

        let error = find(Some(&tool), folder.path()).unwrap_err().to_string();
        assert!(error.contains("version 108") && error.contains("120"), "{error}");
        // Where the machine has a new one on PATH, that one is found instead.
        if let Found::None(note) = find(None, folder.path()).unwrap() {
            assert!(note.contains("not optimised"), "{note}");
        }
    }
}
