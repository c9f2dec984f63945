//! What must be installed, and how it is had: by rustup, from Debian's packages, from npm.

use crate::{
    Error,
    steps::{Steps, ask},
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const WASM: &str = "wasm32-unknown-unknown";

/// The line of binaryen whose output is known to work with the workspace's wasm-bindgen.
const BINARYEN: &str = "binaryen@132";

/// Something that Debian has, and the file or program by which it is found.
struct Need {
    package: &'static str,
    found_by: Found,
}

enum Found {
    Program(&'static str),
    File(&'static str),
    /// On the path, or in `FOLDER/VERSION/bin`, where Debian keeps versions side by side.
    Versioned(&'static str, &'static str),
}

const fn program(name: &'static str, package: &'static str) -> Need {
    Need { package, found_by: Found::Program(name) }
}

/// The package of the clients makes the folder too, hence a program of the server.
const POSTGRES: Need =
    Need { package: "postgresql", found_by: Found::Versioned("/usr/lib/postgresql", "initdb") };

/// What tests need beyond Rust.
const FOR_TESTS: &[Need] = &[
    program("chromium", "chromium"),
    program("node", "nodejs"),
    program("npm", "npm"),
    program("wrk", "wrk"),
    // Tests start their own servers on free ports; one that a package itself starts is never asked. In a container
    // without an init system none is started.
    program("redis-server", "redis-server"),
    POSTGRES,
    // Debian keeps it out of the path of ordinary users.
    Need { package: "pgbouncer", found_by: Found::File("/usr/sbin/pgbouncer") },
    // What `cargo tropos deploy nginx` writes is tested in use; Debian keeps nginx out of the path of ordinary users.
    Need { package: "nginx-light", found_by: Found::File("/usr/sbin/nginx") },
    program("openssl", "openssl"),
    // Scrapes a running shop, and judges the rules that `cargo tropos deploy observability` writes.
    program("prometheus", "prometheus"),
    // Screenshots would otherwise be measured in whatever font the machine has.
    Need { package: "fonts-liberation", found_by: Found::File("/usr/share/fonts/truetype/liberation") },
];

/// What measuring needs.
const FOR_MEASURING: &[Need] = &[
    program("wrk", "wrk"),
    // Debian keeps it out of the path of ordinary users.
    Need { package: "nginx-light", found_by: Found::File("/usr/sbin/nginx") },
];

/// Makes sure that rustc can compile for the browser: by rustup, or else by the sources of the standard library, from
/// which `cargo tropos build` can compile it.
///
/// # Errors
/// Where neither can be had.
pub(crate) fn wasm_target(steps: &Steps) -> Result<(), Error> {
    let installed = || {
        let folder = ask(steps.command("rustc").args(["--print", "target-libdir", "--target", WASM]));
        folder.is_some_and(|folder| Path::new(&folder).is_dir())
    };
    if installed() {
        return Ok(());
    }
    let added = steps.run(steps.command("rustup").args(["target", "add", WASM]));
    if installed() || library_sources(Path::new("/usr/src")) {
        return Ok(());
    }
    if added.is_err() {
        steps.say("rustup could not add the target; trying the library's sources from Debian");
    }
    apt(steps, "the sources of the standard library", &["rust-web-src"])
}

fn library_sources(folder: &Path) -> bool {
    let entries = folder.read_dir().into_iter().flatten().filter_map(Result::ok);
    entries.map(|entry| entry.path()).any(|path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("rustc-"))
            && path.join("library/std").is_dir()
    })
}

/// Installs Debian packages where something that tests need is missing, and leaves apt alone otherwise.
///
/// # Errors
/// Where something is missing and cannot be installed.
pub(crate) fn for_tests(steps: &Steps) -> Result<(), Error> {
    install(steps, FOR_TESTS, "what tests need")
}

/// The same, of what measuring the server needs.
///
/// # Errors
/// As [`for_tests`].
pub(crate) fn for_measuring(steps: &Steps) -> Result<(), Error> {
    install(steps, FOR_MEASURING, "what measuring needs")
}

/// The same, of what measuring the data layer needs.
///
/// # Errors
/// As [`for_tests`].
pub(crate) fn for_measuring_the_database(steps: &Steps) -> Result<(), Error> {
    install(steps, &[POSTGRES], "what measuring the data layer needs")
}

fn install(steps: &Steps, needs: &[Need], what: &'static str) -> Result<(), Error> {
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = std::env::split_paths(&on_path).collect();
    let missing = missing(needs, &folders);
    if missing.is_empty() { Ok(()) } else { apt(steps, what, &missing) }
}

fn missing(needs: &[Need], folders: &[PathBuf]) -> Vec<&'static str> {
    let on_path = |name| folders.iter().any(|folder| folder.join(name).is_file());
    let is_there = |need: &&Need| match need.found_by {
        Found::Program(name) => on_path(name),
        Found::File(path) => Path::new(path).exists(),
        Found::Versioned(folder, name) => on_path(name) || has_version(Path::new(folder), name),
    };
    needs.iter().filter(|need| !is_there(need)).map(|need| need.package).collect()
}

/// Whether `folder/VERSION/bin` holds a program, for any version.
fn has_version(folder: &Path, program: &str) -> bool {
    let versions = folder.read_dir().into_iter().flatten().filter_map(Result::ok);
    versions.map(|version| version.path()).any(|version| version.join("bin").join(program).is_file())
}

fn apt(steps: &Steps, needed: &'static str, packages: &[&'static str]) -> Result<(), Error> {
    let is_root = ask(steps.command("id").arg("-u")).as_deref() == Some("0");
    if ask(steps.command("apt-get").arg("--version")).is_none() {
        return Err(Error::NotInstallable { needed, packages: packages.to_vec() });
    }
    let apt_get = || {
        let mut command = steps.command(if is_root { "apt-get" } else { "sudo" });
        if !is_root {
            command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]);
        }
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    // A source that is out of reach need not be the one that has the packages.
    if let Err(error) = steps.run(apt_get().arg("update")) {
        steps.say(&error.to_string());
    }
    steps.run(apt_get().args(["install", "--yes", "--no-install-recommends"]).args(packages))
}

/// Installs the packages of a folder with a `package.json`, where that is newer than what is installed.
///
/// # Errors
/// Where npm fails.
pub(crate) fn node_modules(steps: &Steps, folder: &Path) -> Result<(), Error> {
    if !is_newer(&folder.join("package.json"), &folder.join("node_modules/.package-lock.json")) {
        return Ok(());
    }
    steps.run(npm(steps, folder).arg("install"))
}

fn npm(steps: &Steps, folder: &Path) -> Command {
    let mut command = steps.command("npm");
    command.arg("--prefix").arg(folder).args([
        "--no-audit",
        "--no-fund",
        "--no-update-notifier",
        "--loglevel=error",
    ]);
    command
}

/// Whether `file` was written after `stamp`, or there is no stamp.
fn is_newer(file: &Path, stamp: &Path) -> bool {
    let time = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
    match (time(file), time(stamp)) {
        (Some(file), Some(stamp)) => file > stamp,
        (Some(_), None) => true,
        (None, _) => false,
    }
}

/// Where tools go that come from npm: out of the repository's sight.
pub(crate) fn tools(steps: &Steps) -> PathBuf {
    target(steps).join("tools")
}

/// Where cargo compiles into.
pub(crate) fn target(steps: &Steps) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| steps.root.join("target"), PathBuf::from)
}

/// A `wasm-opt` that this repository installed earlier.
pub(crate) fn wasm_opt(steps: &Steps) -> Option<PathBuf> {
    let tool = tools(steps).join("node_modules/.bin/wasm-opt");
    tool.is_file().then_some(tool)
}

/// Installs a `wasm-opt` that is new enough, where npm is there to do it.
///
/// # Errors
/// Where npm fails.
pub(crate) fn install_wasm_opt(steps: &Steps) -> Result<(), Error> {
    if wasm_opt(steps).is_some() || ask(steps.command("npm").arg("--version")).is_none() {
        return Ok(());
    }
    let folder = tools(steps);
    fs::create_dir_all(&folder).map_err(Error::file("making", &folder))?;
    steps.run(npm(steps, &folder).args(["install", BINARYEN]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_missing_is_installed() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("node"), "").unwrap();
        let there = Need { package: "there", found_by: Found::File("/") };
        let needs = [program("node", "nodejs"), program("wrk", "wrk"), there];
        assert_eq!(missing(&needs, &[folder.path().to_owned()]), ["wrk"]);
    }

    #[test]
    fn a_server_is_found_in_any_version_but_not_by_its_clients() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!has_version(folder.path(), "initdb"));
        for (version, program, expected) in [("15", "psql", false), ("17", "initdb", true)] {
            let programs = folder.path().join(version).join("bin");
            fs::create_dir_all(&programs).unwrap();
            fs::write(programs.join(program), "").unwrap();
            assert_eq!(has_version(folder.path(), "initdb"), expected, "{version}");
        }
    }

    #[test]
    fn packages_are_installed_anew_when_their_list_is_newer() {
        let folder = tempfile::tempdir().unwrap();
        let (list, stamp) = (folder.path().join("package.json"), folder.path().join("stamp"));
        assert!(!is_newer(&list, &stamp), "nothing to install");
        fs::write(&list, "{}").unwrap();
        assert!(is_newer(&list, &stamp), "never installed");
        fs::write(&stamp, "").unwrap();
        let later = fs::metadata(&list).unwrap().modified().unwrap() + std::time::Duration::from_secs(5);
        fs::File::options().write(true).open(&stamp).unwrap().set_modified(later).unwrap();
        assert!(!is_newer(&list, &stamp), "installed since");
    }

    #[test]
    fn library_sources_are_told_from_other_sources() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("linux-6.1/library/std")).unwrap();
        assert!(!library_sources(folder.path()));
        fs::create_dir_all(folder.path().join("rustc-1.96.0/library/std")).unwrap();
        assert!(library_sources(folder.path()));
    }
}
