//! Finding Tailwind, and having it make the style sheet.

use crate::Error;
use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// What to do where it is missing.
pub(crate) const MISSING: &str = "Tailwind was not found, so the application has plain CSS; install the program `tailwindcss` \
     (https://tailwindcss.com/blog/standalone-cli), or `@tailwindcss/cli` by npm in a folder above, and run this again in \
     another folder";

/// What it reads, and what it makes.
const INPUT: &str = "styles/app.css";
const OUTPUT: &str = "public/style.css";

/// Tailwind's program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tailwind {
    /// The standalone program, on the path.
    Standalone(PathBuf),
    /// That of npm's `@tailwindcss/cli`, in a `node_modules` above.
    Npm(PathBuf),
}

/// Looks on the path, and in each `node_modules` from the application up.
pub(crate) fn find(application: &Path) -> Option<Tailwind> {
    find_in(env::var_os("PATH").as_deref(), application)
}

fn find_in(path: Option<&OsStr>, application: &Path) -> Option<Tailwind> {
    let program = |folder: PathBuf| {
        let names = ["tailwindcss", "tailwindcss.exe", "tailwindcss.cmd"];
        names.into_iter().map(|name| folder.join(name)).find(|program| program.is_file())
    };
    let standalone = path.and_then(|path| env::split_paths(path).find_map(program));
    standalone.map(Tailwind::Standalone).or_else(|| {
        let modules = application.ancestors().map(|folder| folder.join("node_modules/.bin"));
        modules.into_iter().find_map(program).map(Tailwind::Npm)
    })
}

impl Tailwind {
    /// The command as a person types it in the application's folder.
    pub(crate) fn command(&self) -> String {
        let program = match self {
            Self::Standalone(_) => "tailwindcss",
            Self::Npm(_) => "npx @tailwindcss/cli",
        };
        format!("{program} -i {INPUT} -o {OUTPUT} --minify")
    }

    /// Makes the sheet.
    ///
    /// # Errors
    /// Where the program cannot be run, or fails; then with the last that it said.
    pub(crate) fn run(&self, application: &Path) -> Result<(), Error> {
        let (Self::Standalone(program) | Self::Npm(program)) = self;
        let mut command = Command::new(program);
        command.args(["-i", INPUT, "-o", OUTPUT, "--minify"]).current_dir(application).stdin(Stdio::null());
        let output = command.output().map_err(|source| Error::Run { command: self.command(), source })?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("it said nothing");
        Err(Error::Project(format!("Tailwind made no style sheet ({}: {last})", output.status)))
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt as _};

    fn program(folder: &Path, script: &str) -> PathBuf {
        fs::create_dir_all(folder).unwrap();
        let path = folder.join("tailwindcss");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn the_path_goes_before_the_modules_of_a_folder_above() {
        let root = tempfile::tempdir().unwrap();
        let application = root.path().join("apps/shop");
        let nothing = root.path().join("empty");
        assert_eq!(find_in(Some(nothing.as_os_str()), &application), None);

        let npm = program(&root.path().join("node_modules/.bin"), "");
        assert_eq!(find_in(None, &application), Some(Tailwind::Npm(npm)));

        let bin = root.path().join("bin");
        let standalone = program(&bin, "");
        assert_eq!(find_in(Some(bin.as_os_str()), &application), Some(Tailwind::Standalone(standalone)));
    }

    #[test]
    fn it_runs_in_the_applications_folder_and_a_failure_is_told_in_its_own_words() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("public")).unwrap();
        let made = program(&root.path().join("a"), "echo \"$1 $2\" > \"$4\"");
        Tailwind::Standalone(made).run(root.path()).unwrap();
        assert_eq!(fs::read_to_string(root.path().join(OUTPUT)).unwrap(), "-i styles/app.css\n");

        let fails = program(&root.path().join("b"), "echo 'cannot resolve tailwindcss' >&2; exit 1");
        let error = Tailwind::Npm(fails).run(root.path()).unwrap_err().to_string();
        assert!(error.contains("cannot resolve tailwindcss"), "{error}");
    }
}
