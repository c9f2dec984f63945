//! An application of the tests, as somebody has it who works on one.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// This command, as it was compiled for the tests.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_cargo-tropos");

/// The application in a folder of its own, and the command in another: a compile that runs beside the test may replace the
/// program where cargo puts it.
pub struct Application {
    folder: TempDir,
    program: TempDir,
}

impl Application {
    /// A copy of the one of this name below `tests/`.
    pub fn of(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        copy(&here.join("tests").join(name), folder.path());
        let template = folder.path().join("Cargo.toml.txt");
        let tropos = here.join("../tropos").canonicalize().unwrap();
        let manifest = fs::read_to_string(&template).unwrap().replace("TROPOS", tropos.to_str().unwrap());
        fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
        fs::remove_file(template).unwrap();
        // The same versions as the repository's, of which all are here already.
        fs::copy(here.join("../../Cargo.lock"), folder.path().join("Cargo.lock")).unwrap();
        let program = tempfile::tempdir().unwrap();
        fs::copy(PROGRAM, program.path().join("cargo-tropos")).unwrap();
        Self { folder, program }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// The command, run in the application's folder.
    pub fn command(&self) -> Command {
        let mut command = Command::new(self.program.path().join("cargo-tropos"));
        command.arg("tropos").current_dir(self.folder());
        command
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in from.read_dir().unwrap() {
        let path = entry.unwrap().path();
        let place = to.join(path.file_name().unwrap());
        match path.is_dir() {
            true => copy(&path, &place),
            // Written anew, so that cargo sees sources that are newer than what it has of an earlier run.
            false => fs::write(place, fs::read(&path).unwrap()).unwrap(),
        }
    }
}
