//! Making sure that rustc can compile for the browser.

use crate::{Error, interrupt, terminal::Terminal};
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The target's name.
pub(crate) const WASM: &str = "wasm32-unknown-unknown";

/// How the standard library for the browser is had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// Rustup, or whoever installed rustc, put it there.
    Installed,
    /// It is compiled along with the islands, from the sources in this folder.
    FromSources(PathBuf),
}

impl Target {
    /// Adds to a `cargo rustc` what this way needs.
    pub(crate) fn apply(&self, command: &mut Command) {
        if let Target::FromSources(library) = self {
            // Cargo's own tests use the variable to point `-Zbuild-std` at sources that rustup does not manage.
            command
                .env("RUSTC_BOOTSTRAP", "1")
                .env("__CARGO_TESTS_ONLY_SRC_ROOT", library)
                .arg("-Zbuild-std=std,panic_abort");
        }
    }
}

/// Finds the target, installs it by rustup, or finds sources to build it from.
///
/// # Errors
/// [`Error::WasmTarget`] where none of it works.
pub(crate) fn ensure(terminal: &Terminal) -> Result<Target, Error> {
    if is_installed() {
        return Ok(Target::Installed);
    }
    terminal.note(format_args!("the target {WASM} is missing; running `rustup target add {WASM}`"));
    let mut rustup = Command::new("rustup");
    let why = match interrupt::status(rustup.args(["target", "add", WASM]).stdin(Stdio::null())) {
        Ok(status) if status.success() && is_installed() => return Ok(Target::Installed),
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    };
    match sources() {
        Some(library) => {
            terminal
                .note(format_args!("building the standard library for {WASM} from {}", library.display()));
            Ok(Target::FromSources(library))
        }
        None => Err(Error::WasmTarget { why }),
    }
}

/// How it is had as things are; `None` where [`ensure`] would have to install something.
pub(crate) fn look() -> Option<Target> {
    if is_installed() { Some(Target::Installed) } else { sources().map(Target::FromSources) }
}

/// The sources of the standard library, where there are any.
fn sources() -> Option<PathBuf> {
    let own = sysroot().map(|root| root.join("lib/rustlib/src/rust/library"));
    let mut places = own.into_iter().chain(packaged_sources(Path::new("/usr/src")));
    places.find(|path| path.join("std").is_dir())
}

/// Debian's `rust-web-src` and `rust-src` put sources at `/usr/src/rustc-VERSION/library`; the newest comes first.
fn packaged_sources(folder: &Path) -> Vec<PathBuf> {
    let entries = folder.read_dir().into_iter().flatten().filter_map(Result::ok);
    let mut found: Vec<_> = entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("rustc-"))
        .map(|entry| entry.path().join("library"))
        .collect();
    found.sort();
    found.reverse();
    found
}

fn is_installed() -> bool {
    let folder = ask_rustc(&["--print", "target-libdir", "--target", WASM]);
    folder.and_then(|folder| folder.read_dir().ok()).is_some_and(|mut entries| entries.next().is_some())
}

fn sysroot() -> Option<PathBuf> {
    ask_rustc(&["--print", "sysroot"])
}

fn ask_rustc(arguments: &[&str]) -> Option<PathBuf> {
    let program = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output =
        Command::new(program).args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_from_sources_brings_its_flags_and_an_installed_one_none() {
        let mut command = Command::new("cargo");
        Target::Installed.apply(&mut command);
        assert_eq!(command.get_args().count() + command.get_envs().count(), 0);
        Target::FromSources("/src/library".into()).apply(&mut command);
        assert_eq!(command.get_args().collect::<Vec<_>>(), ["-Zbuild-std=std,panic_abort"]);
        assert_eq!(command.get_envs().count(), 2);
    }

    #[test]
    fn the_newest_packaged_sources_are_tried_first() {
        let root = tempfile::tempdir().unwrap();
        for name in ["rustc-1.95.0", "rustc-1.96.0", "linux-6.1"] {
            std::fs::create_dir(root.path().join(name)).unwrap();
        }
        let found = packaged_sources(root.path());
        assert_eq!(
            found,
            [root.path().join("rustc-1.96.0/library"), root.path().join("rustc-1.95.0/library")]
        );
        assert!(packaged_sources(Path::new("/nonexistent")).is_empty());
    }
}
