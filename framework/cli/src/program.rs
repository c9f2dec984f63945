//! Having the application's program do something without serving: it knows its migrations, its seeding and its
//! configuration, and answers in JSON.

use crate::{
    Error, build,
    cargo::{self, Together},
    interrupt,
    project::Project,
    terminal::Terminal,
};
use serde::de::DeserializeOwned;
use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// What a program printed.
#[derive(Debug)]
pub(crate) struct Answer {
    /// JSON.
    pub(crate) text: String,
    /// Whether it found nothing left to do.
    pub(crate) well: bool,
}

/// The built program, or, in development, one compiled for the purpose where there is none or `anew` is wanted.
///
/// # Errors
/// Where it does not compile.
pub(crate) fn at_hand(project: &Project, anew: bool, terminal: &Terminal) -> Result<PathBuf, Error> {
    let built = project.server();
    if built.is_file() && !anew {
        return Ok(built);
    }
    if !anew {
        terminal
            .note(format_args!("there is no build in {}; compiling for debugging", project.out.display()));
    }
    Ok(build::server::compile(project, true, &Together::default())?.path)
}

/// Runs the program in the package's directory, where its `tropos.toml` is. One that answers has succeeded, whatever its
/// exit code says of what it found; one that cannot says why on standard error.
///
/// # Errors
/// Where it cannot be run, or fails.
pub(crate) fn ask(
    project: &Project,
    program: &Path,
    words: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Result<Answer, Error> {
    let mut command = Command::new(program);
    command.args(words).current_dir(&project.directory).stdin(Stdio::null()).stderr(Stdio::inherit());
    let shown = cargo::shown(&command);
    let output =
        interrupt::output(&mut command).map_err(|source| Error::Run { command: shown.clone(), source })?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.success() || !text.trim().is_empty() {
        true => Ok(Answer { text, well: output.status.success() }),
        false => Err(Error::Failed { command: shown, status: output.status.to_string() }),
    }
}

impl Answer {
    /// Reads it.
    ///
    /// # Errors
    /// Where it is of another form.
    pub(crate) fn read<T: DeserializeOwned>(&self, project: &Project) -> Result<T, Error> {
        let what = || format!("what the program `{}` printed", project.name);
        serde_json::from_str(&self.text).map_err(|source| Error::Json { what: what(), source })
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_program_that_answers_has_succeeded_and_one_that_cannot_has_not() {
        let folder = tempfile::tempdir().unwrap();
        let project = Project {
            name: "shop".into(),
            library: String::new(),
            manifest: folder.path().join("Cargo.toml"),
            directory: folder.path().to_owned(),
            target: folder.path().join("target"),
            hydrates: false,
            has_edge: false,
            wasm_bindgen: None,
            out: folder.path().join("dist"),
        };
        std::fs::create_dir(&project.out).unwrap();
        let program = project.server();
        // The first word is what it prints, the second its exit code.
        std::fs::write(&program, "#!/bin/sh\nprintf %s \"$1\"\nexit \"$2\"\n").unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let answer = |text: &str, code: &str| ask(&project, &program, [text, code]);

        assert!(answer("[1]", "0").unwrap().well);
        let found = answer("[1]", "1").unwrap();
        assert!(!found.well);
        assert_eq!(found.read::<Vec<u8>>(&project).unwrap(), [1]);
        assert!(found.read::<String>(&project).unwrap_err().to_string().contains("`shop` printed"));
        assert!(matches!(answer("", "1"), Err(Error::Failed { .. })));
    }
}
