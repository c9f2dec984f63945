//! Running cargo for the dev server: progress, diagnostics, and an end at any time.

use super::{
    diagnostic::{Problems, plain},
    event::{Problem, Source},
    flags,
    group::Group,
};
use crate::{cargo, project::Project, terminal};
use cargo_metadata::Message;
use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::Command,
};

/// What cargo prints besides messages is cut off here.
const MOST_PRINTED: u64 = 64 << 10;

/// Which of the two programs of an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    Server,
    Islands,
}

/// How far a build is: packages, each once.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    done: AtomicUsize,
    total: AtomicUsize,
}

impl Meter {
    /// Of how many how many are done. More may be done than `cargo tree` told of: then all are.
    pub(crate) fn read(&self) -> (usize, usize) {
        let done = self.done.load(Ordering::Relaxed);
        (done, self.total.load(Ordering::Relaxed).max(done))
    }
}

/// Of how many packages a part is made, as long as no manifest changes: `cargo tree` takes as long as a small build.
#[derive(Debug, Default)]
pub(crate) struct Counted(Mutex<HashMap<Part, usize>>);

impl Counted {
    fn all(&self) -> MutexGuard<'_, HashMap<Part, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, part: Part) -> Option<usize> {
        self.all().get(&part).copied()
    }

    /// A manifest changed.
    pub(crate) fn forget(&self) {
        self.all().clear();
    }
}

/// Warnings that were shown: cargo repeats them at each build.
#[derive(Debug, Default)]
pub(crate) struct Warned(Mutex<HashSet<blake3::Hash>>);

impl Warned {
    fn is_new(&self, text: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(blake3::hash(text.as_bytes()))
    }

    /// Those that are gone and come again are shown again: called when a source changed.
    pub(crate) fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// The folder that a part is compiled in. Each has one of its own: cargo locks a folder while it builds, and the two are
/// built at once; and neither `cargo build` nor an editor's checks, whose flags are others, wait for these or undo them.
pub(crate) fn target(project: &Project, part: Part) -> PathBuf {
    let name = match part {
        Part::Server => "server",
        Part::Islands => "islands",
    };
    folder(project).join(name)
}

/// The dev server's own folder.
pub(crate) fn folder(project: &Project) -> PathBuf {
    project.target.join("tropos-dev")
}

/// The command that compiles a part. `wasm` prepares that for the browser.
pub(crate) fn command(
    project: &Project,
    part: Part,
    wasm: impl FnOnce(&mut std::process::Command),
) -> std::process::Command {
    let mut command = cargo::command();
    command.arg(match part {
        Part::Server => "build",
        Part::Islands => "rustc",
    });
    command.arg("--manifest-path").arg(&project.manifest);
    match part {
        Part::Server => {
            command.args(["--package", &project.name, "--bin", &project.name]);
        }
        Part::Islands => {
            command.args(crate::build::islands::arguments(
                &project.name,
                crate::build::islands::FEATURE,
                true,
            ));
            wasm(&mut command);
        }
    }
    command.arg("--target-dir").arg(target(project, part));
    // Leptos writes then the comments by which an open page finds its views. It looks when it is compiled itself; cargo
    // knows, and compiles it anew where it was compiled without. The browser renders without them.
    if part == Part::Server {
        command.env("LEPTOS_WATCH", "1");
    }
    // Incremental whatever the surroundings say: a CI's setting is not meant for this.
    command.env("CARGO_INCREMENTAL", "1");
    // Panics and errors name lines all the same, and linking takes half the time. A person who debugs says otherwise.
    let (name, value) =
        ("CARGO_PROFILE_DEV_DEBUG", if part == Part::Server { "line-tables-only" } else { "none" });
    if std::env::var_os(name).is_none() {
        command.env(name, value);
    }
    flags::add(&mut command, project);
    command
}

/// Compiles. Dropped, cargo and all that it started are killed.
///
/// # Errors
/// What is wrong with the sources, or with cargo.
pub(crate) async fn run(
    command: std::process::Command,
    target: &str,
    meter: &Meter,
    warned: &Warned,
    color: bool,
) -> Result<Vec<PathBuf>, Vec<Problem>> {
    let shown = cargo::shown(&command);
    let failed = |error: std::io::Error| vec![of_cargo(&format!("{shown} could not be run: {error}"))];
    let mut command = Command::from(command);
    command.args(["--quiet", "--message-format=json-diagnostic-rendered-ansi"]);
    command.args(["--color", if color { "always" } else { "never" }]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut group = Group::spawn(command).map_err(failed)?;
    let (stdout, stderr) = (group.child().stdout.take(), group.child().stderr.take());
    let mut problems = Problems::default();
    let mut files = Vec::new();
    let mut packages = HashSet::new();
    let messages = async {
        let Some(stdout) = stdout else { return };
        let mut lines = BufReader::new(stdout).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            match serde_json::from_str(&line) {
                Ok(Message::CompilerArtifact(artifact)) => {
                    if !artifact.target.is_custom_build() && packages.insert(artifact.package_id) {
                        meter.done.fetch_add(1, Ordering::Relaxed);
                    }
                    if artifact.target.name == target {
                        files.extend(artifact.executable.map(PathBuf::from));
                        files.extend(artifact.filenames.into_iter().map(PathBuf::from));
                    }
                }
                Ok(Message::CompilerMessage(message)) => {
                    problems.add(&message.message);
                    if let Some(text) = &message.message.rendered
                        && warned.is_new(text)
                    {
                        terminal::say(
                            if color { text.trim_end().to_owned() } else { plain(text.trim_end()) }.as_str(),
                        );
                    }
                }
                _ => {}
            }
        }
    };
    let printed = async {
        let mut bytes = Vec::new();
        if let Some(mut stderr) = stderr {
            let _ = (&mut stderr).take(MOST_PRINTED).read_to_end(&mut bytes).await;
            // Read on, since cargo would end where nobody reads what it prints.
            let _ = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
        }
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let ((), printed) = tokio::join!(messages, printed);
    let status = group.wait().await.map_err(failed)?;
    if status.success() {
        return Ok(files);
    }
    let problems = problems.or_else(&printed);
    if problems.iter().all(|problem| problem.file.is_none()) {
        terminal::say(printed.trim_end());
    }
    Err(problems)
}

/// A failure without a place in the sources.
pub(crate) fn of_cargo(text: &str) -> Problem {
    let title = plain(text.lines().next().unwrap_or_default());
    Problem {
        source: Source::Compile,
        title,
        text: text.to_owned(),
        file: None,
        line: None,
        column: None,
        path: None,
    }
}

/// Adds to the meter how many packages a part is made of, as `cargo tree` resolves them for its platform and features.
pub(crate) async fn count(project: &Project, part: Part, counted: &Counted, meter: &Meter) {
    if let Some(known) = counted.get(part) {
        meter.total.fetch_add(known, Ordering::Relaxed);
        return;
    }
    let mut command = cargo::command();
    command.arg("tree").arg("--manifest-path").arg(&project.manifest).args(["--package", &project.name]);
    command.args(["--edges", "normal,build", "--prefix", "none", "--format", "{p}", "--quiet"]);
    if part == Part::Islands {
        command.args([
            "--target",
            crate::build::target::WASM,
            "--no-default-features",
            "--features",
            "hydrate",
        ]);
    }
    let mut command = Command::from(command);
    command.stdin(Stdio::null()).stderr(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    if let Ok(output) = command.output().await {
        let found = packages(&String::from_utf8_lossy(&output.stdout));
        meter.total.fetch_add(found, Ordering::Relaxed);
        // A manifest that is wrong has no tree.
        if output.status.success() {
            counted.all().insert(part, found);
        }
    }
}

/// Each package is listed wherever it is used, later ones with ` (*)`.
fn packages(tree: &str) -> usize {
    tree.lines()
        .map(|line| line.trim_end_matches(" (*)"))
        .filter(|line| !line.is_empty())
        .collect::<HashSet<_>>()
        .len()
}

/// The file of a part among those that cargo reports.
///
/// # Errors
/// A problem that says that it is not there.
pub(crate) fn product(files: Vec<PathBuf>, is_it: impl Fn(&Path) -> bool) -> Result<PathBuf, Vec<Problem>> {
    files
        .into_iter()
        .find(|file| is_it(file))
        .ok_or_else(|| vec![of_cargo("cargo compiled the application and did not say where it put it")])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> std::process::Command {
        let mut command = std::process::Command::new("sh");
        // What is added for cargo becomes the script's arguments.
        command.args(["-c", script, "sh"]);
        command
    }

    async fn outcome(script: &str) -> (Result<Vec<PathBuf>, Vec<Problem>>, (usize, usize)) {
        let meter = Meter::default();
        let result = run(sh(script), "shop", &meter, &Warned::default(), false).await;
        (result, meter.read())
    }

    #[tokio::test]
    async fn artefacts_are_counted_by_package_and_the_targets_own_are_returned() {
        let artifact = |package: &str, name: &str, file: &str| {
            serde_json::json!({
                "reason": "compiler-artifact", "package_id": package, "manifest_path": "/a/Cargo.toml",
                "target": { "kind": ["lib"], "crate_types": ["lib"], "name": name, "src_path": "/a", "edition": "2024",
                    "doc": true, "doctest": true, "test": true },
                "profile": { "opt_level": "0", "debuginfo": 0, "debug_assertions": true, "overflow_checks": true, "test": false },
                "features": [], "filenames": [file], "executable": null, "fresh": true
            })
        };
        let lines =
            [artifact("a", "a", "/a.rlib"), artifact("a", "a", "/a.so"), artifact("s", "shop", "/shop.wasm")];
        let script: String = lines.iter().map(|line| format!("echo '{line}'\n")).collect();
        let (result, (done, total)) = outcome(&script).await;
        assert_eq!(result.unwrap(), [PathBuf::from("/shop.wasm")]);
        assert_eq!((done, total), (2, 2));
    }

    #[tokio::test]
    async fn a_failure_without_diagnostics_is_what_cargo_printed() {
        let (result, _) = outcome("echo 'error: no such manifest' >&2; exit 101").await;
        assert_eq!(result.unwrap_err()[0].title, "no such manifest");
    }

    #[tokio::test]
    async fn what_cargo_prints_may_be_no_text_and_may_be_long() {
        let script = "printf 'error: no \\377 such\\n' >&2; head -c 300000 /dev/zero >&2; exit 101";
        let (result, _) = outcome(script).await;
        assert_eq!(result.unwrap_err()[0].title, "no \u{fffd} such");
        let script = "head -c 300000 /dev/zero >&2 || exit 1";
        assert!(outcome(script).await.0.is_ok(), "its pipe stays open");
    }

    #[tokio::test]
    async fn a_build_that_is_given_up_ends_with_all_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().join("mark");
        let script = format!("touch {0}; (sleep 600; touch {0}.late) & wait", mark.display());
        let (meter, warned) = (Meter::default(), Warned::default());
        let mut build = Box::pin(run(sh(&script), "shop", &meter, &warned, false));
        let begun = async {
            while !mark.exists() {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            _ = &mut build => panic!("it sleeps"),
            () = begun => {}
        }
        drop(build);
        let script = mark.display().to_string();
        let mut left = true;
        for _ in 0..400 {
            let list = std::process::Command::new("ps").args(["-eo", "args"]).output().unwrap();
            left = String::from_utf8_lossy(&list.stdout).lines().any(|line| line.contains(&script));
            if !left {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        assert!(!left);
    }

    #[test]
    fn packages_of_a_tree_count_once() {
        assert_eq!(
            packages("shop v0.1.0 (/a)\nserde v1.0.0\nserde v1.0.0 (*)\nsyn v2.0.0\nsyn v3.0.0\n\n"),
            4
        );
    }
}
