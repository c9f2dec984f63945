//! `cargo xtask tidy`: what the repository says of itself, held to it.
//!
//! | module | holds |
//! |---|---|
//! | `edges` | which crate may depend on which, and who alone knows what |
//! | `sizes` | how long files are |
//! | `links` | relative links in Markdown |
//! | `variables` | each `TROPOS_*` variable is documented |
//! | `text` | what no file may hold |

mod edges;
mod links;
mod sizes;
mod text;
mod variables;

use crate::{Error, steps::Steps};
use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// A file of the repository whose content is text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    /// Below the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    #[cfg(test)]
    fn new(path: &str, text: &str) -> Self {
        Self { path: path.into(), text: text.into() }
    }

    fn is(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|own| own == extension)
    }

    /// Whether it is a test, or what one needs.
    fn is_test(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        self.path.split('/').any(|part| part == "tests" || part == "e2e")
            || name == "tests.rs"
            || name.ends_with(".test.mjs")
    }
}

/// Prints the problems.
///
/// # Errors
/// Where the repository cannot be read.
pub(crate) fn run(steps: &Steps) -> Result<ExitCode, Error> {
    let problems = problems(steps)?;
    Ok(if report(&problems) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Says what is wrong; whether nothing is.
pub(crate) fn report(problems: &[String]) -> bool {
    problems.iter().for_each(|problem| eprintln!("tidy: {problem}"));
    match problems.len() {
        0 => eprintln!("tidy: nothing to mend"),
        number => eprintln!("tidy: {number} to mend"),
    }
    problems.is_empty()
}

/// Everything that is wrong with the repository.
///
/// # Errors
/// Where it cannot be read.
pub(crate) fn problems(steps: &Steps) -> Result<Vec<String>, Error> {
    let files = files(steps)?;
    let mut problems = edges::check(steps)?;
    problems.extend(sizes::check(&files));
    problems.extend(links::check(&files, |path| steps.root.join(path).exists()));
    problems.extend(variables::check(&files));
    problems.extend(text::check(&files, &steps.root));
    Ok(problems)
}

/// The files that git has, or would take; those that are text.
fn files(steps: &Steps) -> Result<Vec<File>, Error> {
    let mut command = steps.command("git");
    command.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let program = crate::steps::shown(&command);
    let output = command.output().map_err(|source| Error::Run { program: program.clone(), source })?;
    if !output.status.success() {
        return Err(Error::Failed { program, status: output.status.to_string() });
    }
    let mut files = Vec::new();
    for path in String::from_utf8_lossy(&output.stdout).split('\0').filter(|path| !path.is_empty()) {
        let place: PathBuf = steps.root.join(path);
        // Deleted and not yet committed, a link to a folder, or not text.
        if let Ok(text) = fs::read_to_string(&place) {
            files.push(File { path: path.to_owned(), text });
        }
    }
    Ok(files)
}
