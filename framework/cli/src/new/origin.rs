//! Where a new application takes Tropos from: the release that the command is of, or the checkout that it was built from.

use crate::Error;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where Tropos is taken from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A release on crates.io.
    Release { version: &'static str },
    /// The root of a checkout, and how the application names it.
    Checkout { root: PathBuf, named: PathBuf },
}

impl Origin {
    /// The checkout, where the sources of this command still lie in one; the command's own release otherwise.
    pub(crate) fn find(application: &Path) -> Self {
        Self::beside(Path::new(env!("CARGO_MANIFEST_DIR")), application)
    }

    fn beside(sources: &Path, application: &Path) -> Self {
        // In a registry's folder, and in a package, there is no sibling of this name without a version.
        let root = sources.parent().and_then(Path::parent);
        let holds = |root: &&Path| {
            root.join("framework/tropos/Cargo.toml").is_file() && root.join("Cargo.lock").is_file()
        };
        match root.filter(holds) {
            Some(root) => Self::Checkout { named: named(root, application), root: root.to_owned() },
            None => Self::Release { version: env!("CARGO_PKG_VERSION") },
        }
    }

    /// How `Cargo.toml` names a crate of the framework.
    pub(crate) fn dependency(&self, folder: &str) -> String {
        match self {
            Self::Release { version } => format!("version = \"{version}\""),
            Self::Checkout { named, .. } => {
                let path = named.join("framework").join(folder);
                // Quoted and escaped as TOML wants it: a path of Windows has backslashes.
                let text = toml_edit::Value::from(path.to_string_lossy().into_owned());
                format!("path = {text}")
            }
        }
    }

    /// What `cargo install` is to be told for the command itself.
    pub(crate) fn install(&self) -> String {
        match self {
            Self::Release { version } => format!("cargo-tropos@{version}"),
            Self::Checkout { named, .. } => format!("--path {}", named.join("framework/cli").display()),
        }
    }

    /// Gives the application the versions that the checkout is locked to. A release has what is needed in its own manifests.
    ///
    /// # Errors
    /// Where the file cannot be copied.
    pub(crate) fn copy_lock(&self, application: &Path) -> Result<(), Error> {
        let Self::Checkout { root, .. } = self else { return Ok(()) };
        let (from, to) = (root.join("Cargo.lock"), application.join("Cargo.lock"));
        fs::copy(&from, &to).map(drop).map_err(Error::file("copying", from))
    }
}

/// The checkout's root as the application names it: by `..` where it lies within, so that the two can be moved together.
fn named(root: &Path, application: &Path) -> PathBuf {
    match application.strip_prefix(root) {
        Ok(within) => within.components().map(|_| "..").collect(),
        Err(_) => root.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_built_from_a_checkout_names_it_and_its_lock_file_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("tropos");
        fs::create_dir_all(root.join("framework/tropos")).unwrap();
        fs::write(root.join("framework/tropos/Cargo.toml"), "").unwrap();
        fs::write(root.join("Cargo.lock"), "# locked").unwrap();
        let sources = root.join("framework/cli");

        let origin = Origin::beside(&sources, &folder.path().join("shop"));
        let path = root.join("framework/testing");
        assert_eq!(origin.dependency("testing"), format!("path = \"{}\"", path.display()));
        fs::create_dir(folder.path().join("shop")).unwrap();
        origin.copy_lock(&folder.path().join("shop")).unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("shop/Cargo.lock")).unwrap(), "# locked");

        let within = Origin::beside(&sources, &root.join("examples/shop"));
        assert_eq!(within.dependency("tropos"), "path = \"../../framework/tropos\"");
        assert_eq!(within.install(), "--path ../../framework/cli");
    }

    #[test]
    fn a_command_from_a_registry_names_its_release() {
        let folder = tempfile::tempdir().unwrap();
        let origin = Origin::beside(&folder.path().join("cargo-tropos-0.1.0"), &folder.path().join("shop"));
        assert_eq!(origin.dependency("tropos"), concat!("version = \"", env!("CARGO_PKG_VERSION"), "\""));
        origin.copy_lock(folder.path()).unwrap();
        assert!(!folder.path().join("Cargo.lock").exists());
    }
}
