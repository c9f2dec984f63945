//! Looking at the machine and asking the application's program.

use super::facts::{Application, Folder, Machine, Said, Wasm, WasmOpt};
use crate::{
    Error,
    build::{
        islands,
        target::{self, Target},
        wasm_opt::{self, Found},
    },
    cargo, interrupt,
    project::Project,
};
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The machine, as seen from a directory.
pub(super) fn machine(directory: &Path, target: Option<&Path>) -> Machine {
    let tool = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let cc = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let named = std::env::var_os("TROPOS_WASM_OPT").map(PathBuf::from);
    Machine {
        rustc: first_line(Command::new(tool).arg("--version")),
        rust_wanted: env!("CARGO_PKG_RUST_VERSION").to_owned(),
        has_rustup: first_line(Command::new("rustup").arg("--version")).is_some(),
        cc: first_line(Command::new(cc).arg("--version")),
        wasm: match target::look() {
            Some(Target::Installed) => Wasm::Installed,
            Some(Target::FromSources(path)) => Wasm::FromSources(path),
            None => Wasm::Missing,
        },
        wasm_opt: match wasm_opt::find(named.as_deref(), directory) {
            Ok(Found::Usable(path)) => WasmOpt::Usable(path),
            Ok(Found::None(note)) => WasmOpt::None(note),
            Err(error) => WasmOpt::Wrong(error.to_string()),
        },
        files: open_files(),
        target: target.and_then(|path| Some((path.to_owned(), free(path)?))),
    }
}

/// The application, by its sources.
pub(super) fn application(project: &Project) -> Application {
    Application {
        name: project.name.clone(),
        hydrates: project.hydrates,
        wasm_bindgen: project.wasm_bindgen.clone(),
        wasm_bindgen_own: islands::WASM_BINDGEN,
        is_built: project.server().is_file(),
    }
}

/// What the application's program says, or the reason that it gives for saying nothing.
///
/// # Errors
/// Where it cannot be run, or says something of another form.
pub(super) fn ask(project: &Project, program: &Path, instances: u32) -> Result<Result<Said, String>, Error> {
    let mut command = Command::new(program);
    command.args(["doctor", "--instances", &instances.to_string()]);
    command.current_dir(&project.directory).stdin(Stdio::null());
    let shown = cargo::shown(&command);
    let output = interrupt::output(command.stderr(Stdio::piped()))
        .map_err(|source| Error::Run { command: shown, source })?;
    let text = String::from_utf8_lossy(&output.stdout);
    if text.trim().is_empty() {
        return Ok(Err(reason(&String::from_utf8_lossy(&output.stderr))));
    }
    let what = || format!("what the program `{}` printed", project.name);
    serde_json::from_str(&text).map(Ok).map_err(|source| Error::Json { what: what(), source })
}

/// The last line that says what failed.
fn reason(stderr: &str) -> String {
    let last = stderr.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("it gives no reason");
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

/// The folder of the disk store; relative ones are the package's.
pub(super) fn folder(project: &Project, path: &Path) -> Folder {
    let path = project.directory.join(path);
    let existing = path.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
    let refused = tempfile::Builder::new().prefix(".doctor-").tempfile_in(existing).err();
    Folder {
        exists: path.exists(),
        refused: refused.map(|error| error.kind().to_string()),
        free: free(existing),
        path,
    }
}

/// The first line that a command prints, where it succeeds.
fn first_line(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().trim().to_owned();
    output.status.success().then_some(text)
}

/// How many files a process that is started from here may open, by default and at most.
#[cfg(unix)]
fn open_files() -> Option<(u64, u64)> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    // Nothing said is no limit.
    Some((limit.current.unwrap_or(u64::MAX), limit.maximum.unwrap_or(u64::MAX)))
}

#[cfg(not(unix))]
fn open_files() -> Option<(u64, u64)> {
    None
}

/// The bytes that are free where a path is, or would be.
#[cfg(unix)]
fn free(path: &Path) -> Option<u64> {
    let existing = path.ancestors().find(|folder| folder.exists())?;
    let stat = rustix::fs::statvfs(existing).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

#[cfg(not(unix))]
fn free(_: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_the_last_line_without_its_label() {
        assert_eq!(
            reason("warning: x\nerror: tropos.toml: unknown key `adr`\n\n"),
            "tropos.toml: unknown key `adr`"
        );
        assert_eq!(reason(""), "it gives no reason");
    }

    #[test]
    fn this_machine_has_a_disk_and_a_limit() {
        let facts = machine(Path::new("."), Some(Path::new("/nonexistent/target")));
        assert!(facts.rustc.is_some_and(|text| text.starts_with("rustc ")));
        if cfg!(unix) {
            assert!(facts.target.is_some_and(|(_, free)| free > 0));
            assert!(facts.files.is_some_and(|(soft, hard)| soft <= hard));
        }
        assert_eq!(first_line(&mut Command::new("/nonexistent/tool")), None);
    }
}
