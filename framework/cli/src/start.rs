//! `cargo tropos start`: the built server takes the place of this process.

use crate::{Error, args, cargo, project::Project, terminal::Terminal};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::SystemTime,
};
use tropos_core::manifest;

/// What a build is made of, within the package's directory. `tropos.toml` is not: the server reads it at start.
const SOURCES: [&str; 6] = ["src", "public", "migrations", "content", "Cargo.toml", "build.rs"];

/// Files that are looked at: enough for any application, and a bound for a folder that leads around in a circle.
const MOST_FILES: usize = 20_000;

/// Runs the server in the package's directory, so that `.tropos/` and `tropos.toml` are the same as at build.
///
/// # Errors
/// [`Error::NotBuilt`], or where the server cannot be run.
pub(crate) fn run(options: &args::Start, terminal: &Terminal) -> Result<ExitCode, Error> {
    let project = Project::find(&options.project)?;
    let server = project.server();
    if !server.is_file() {
        return Err(Error::NotBuilt(project.out));
    }
    if let Some(file) = newer(&project.directory, &project.out.join(manifest::FILE)) {
        let file = file.strip_prefix(&project.directory).unwrap_or(&file).display();
        terminal.note(format_args!(
            "{file} is newer than the build, which is started as it is; `cargo tropos build` takes it in"
        ));
    }
    let mut command = Command::new(server);
    command.args(&options.rest).current_dir(&project.directory);
    become_it(command)
}

/// A source that was changed after the build; none where nobody can tell.
fn newer(directory: &Path, build: &Path) -> Option<PathBuf> {
    let built = changed(build)?;
    let mut waiting: Vec<_> = SOURCES.iter().map(|name| directory.join(name)).collect();
    let mut looked = 0;
    while let Some(path) = waiting.pop() {
        looked += 1;
        if looked > MOST_FILES {
            return None;
        }
        if path.is_dir() {
            // A folder's own time changes when a file in it goes, which a build would take in too.
            waiting.extend(path.read_dir().into_iter().flatten().flatten().map(|entry| entry.path()));
        }
        if changed(&path).is_some_and(|changed| changed > built) {
            return Some(path);
        }
    }
    None
}

fn changed(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|data| data.modified()).ok()
}

/// Signals then reach the server itself, and its exit code is the command's.
#[cfg(unix)]
fn become_it(mut command: Command) -> Result<ExitCode, Error> {
    use std::os::unix::process::CommandExt as _;
    let source = command.exec();
    Err(Error::Run { command: cargo::shown(&command), source })
}

#[cfg(not(unix))]
fn become_it(mut command: Command) -> Result<ExitCode, Error> {
    let status = command.status().map_err(|source| Error::Run { command: cargo::shown(&command), source })?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs::File, time::Duration};

    #[test]
    fn a_source_that_changed_after_the_build_is_named_and_nothing_else_counts() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        fs::create_dir_all(path("src/pages")).unwrap();
        let at = |name: &str, seconds: u64| {
            let file = File::options().create(true).append(true).open(path(name)).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
        };
        at("src/pages/home.rs", 100);
        at("manifest.json", 200);
        for folder in ["src", "src/pages"] {
            let folder = File::open(path(folder)).unwrap();
            folder.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(100)).unwrap();
        }
        let build = path("manifest.json");
        assert_eq!(newer(root.path(), &build), None);
        at("tropos.toml", 300);
        assert_eq!(newer(root.path(), &build), None);
        at("src/pages/home.rs", 300);
        assert_eq!(newer(root.path(), &build), Some(path("src/pages/home.rs")));
        assert_eq!(newer(root.path(), &path("nothing.json")), None);
    }
}
