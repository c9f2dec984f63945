//! `cargo tropos new` by its program: what it makes is formatted, free of warnings, and passes its own tests.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    env, fs,
    fs::File,
    hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher},
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};
use tropos_parts::PostgresClusterOptions;

/// Runs `cargo tropos` in a folder.
fn tropos(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-tropos"));
    command.arg("tropos").args(arguments).current_dir(folder).stdin(Stdio::null());
    command.output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Makes an application, and returns its folder.
#[track_caller]
fn new(folder: &Path, arguments: &[&str]) -> PathBuf {
    let output = tropos(folder, &[&["new"], arguments].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    folder.join(arguments.first().unwrap())
}

/// The target folder that this test was compiled in.
fn target() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap()
}

/// Runs cargo in a folder as somebody at a shell does, over [`target`]: third-party crates are there already, since the
/// application is locked to the versions of the workspace.
fn cargo(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // What the cargo around this test says of its own package.
    let of_outer = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in env::vars_os().filter(|(name, _)| of_outer(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    command.env("CARGO_TARGET_DIR", target()).env("CARGO_NET_OFFLINE", "true");
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command.output().unwrap()
}

#[track_caller]
fn cargo_succeeds(folder: &Path, arguments: &[&str]) -> String {
    let output = cargo(folder, arguments);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "cargo {}:\n{text}\n{}", arguments.join(" "), stderr(&output));
    text
}

/// A folder outside of any workspace, always the same for one target folder, so that what cargo makes of it is written over
/// and does not pile up. Held by one process at a time.
fn workshop() -> (PathBuf, File) {
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(env!("CARGO_TARGET_TMPDIR"));
    let folder = env::temp_dir().join(format!("tropos-new-{hash:016x}"));
    fs::create_dir_all(&folder).unwrap();
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let _ = fs::remove_dir_all(folder.join("shop"));
    (folder, lock)
}

#[tokio::test]
async fn an_application_is_free_of_warnings_passes_its_tests_and_runs_on_postgresql() {
    let (folder, _lock) = workshop();
    let shop = new(&folder, &["shop", "--yes"]);
    let elsewhere = tempfile::tempdir().unwrap();
    let other = new(elsewhere.path(), &["shop", "--db", "postgres", "--yes"]);
    cargo_succeeds(&shop, &["clippy", "--all-targets", "--", "-D", "warnings"]);
    // Hooks that name something of the server would be noticed only when somebody builds a Worker.
    cargo_succeeds(&shop, &["check", "--lib", "--no-default-features", "--features", "edge"]);
    let tested = cargo_succeeds(&shop, &["test"]);
    assert!(tested.contains("5 passed"), "{tested}");

    // What the other database changes is configuration alone, so one program shows both.
    for part in ["src", "migrations", "tests", "Cargo.toml"] {
        assert_eq!(contents(&shop.join(part)), contents(&other.join(part)), "{part}");
    }
    if !tropos_parts::has_postgres() {
        eprintln!("skipped: PostgreSQL is not installed");
        return;
    }
    let cluster = PostgresClusterOptions::new(0).start().await.unwrap();
    let server = Server::start(&shop, &cluster.primary().url("postgres"));
    assert!(server.ask("GET", "/notes/tags").contains("6</output>"));
    assert!(server.ask("POST", "/api/notes/like").starts_with("HTTP/1.1 303"));
    assert!(server.ask("GET", "/notes/tags").contains("7</output>"));
    assert!(server.ask("GET", "/board").contains("value=\"7\""));
}

/// The texts of a file, or of all files of a folder in the order of their names.
fn contents(path: &Path) -> Vec<String> {
    if path.is_file() {
        return vec![fs::read_to_string(path).unwrap()];
    }
    let mut entries: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries.iter().flat_map(|entry| contents(entry)).collect()
}

/// The application's own program.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    /// Starts it on a free port, which its log names.
    fn start(shop: &Path, database: &str) -> Self {
        let mut command =
            Command::new(target().join("debug").join(format!("shop{}", env::consts::EXE_SUFFIX)));
        command.current_dir(shop).env("DATABASE_URL", database);
        command.env("TROPOS_ADDR", "127.0.0.1:0").env("TROPOS_ADMIN_ADDR", "127.0.0.1:0");
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines.map_while(Result::ok).find_map(|line| {
            let (_, after) = line.split_once("listening")?.1.split_once("127.0.0.1:")?;
            let port: String = after.chars().take_while(char::is_ascii_digit).collect();
            Some(format!("127.0.0.1:{port}"))
        });
        Self { child, address: address.unwrap() }
    }

    /// The whole answer, as text.
    fn ask(&self, method: &str, path: &str) -> String {
        let mut socket = TcpStream::connect(&self.address).unwrap();
        let body = if method == "POST" { "slug=tags" } else { "" };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\naccept: text/html\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        socket.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn every_application_is_formatted_whatever_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let long = "z".repeat(64);
    for name in ["shop", "a", "my-new-shop", &long] {
        for database in ["sqlite", "postgres"] {
            let path = format!("{database}/{name}");
            let application = new(folder.path(), &[&path, "--db", database, "--yes"]);
            cargo_succeeds(&application, &["fmt", "--check"]);
            for part in [".git", ".gitignore", ".github/workflows/ci.yml", "Cargo.lock"] {
                assert!(application.join(part).exists(), "{path}: no {part}");
            }
        }
    }
}

#[test]
fn what_cannot_become_an_application_is_refused_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("full")).unwrap();
    fs::write(folder.path().join("full/notes.txt"), "mine").unwrap();
    for (name, says) in [
        ("full", "is not empty (it holds notes.txt)"),
        ("Shop", "`shop` can"),
        ("match", "`match-app` can"),
        ("test", "`test-app` can"),
        ("tropos", "`app` can"),
    ] {
        let output = tropos(folder.path(), &["new", name, "--yes"]);
        assert_eq!(output.status.code(), Some(1), "{name}");
        assert!(stderr(&output).contains(says), "{name}: {}", stderr(&output));
    }
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["full"]);
    assert_eq!(fs::read_to_string(folder.path().join("full/notes.txt")).unwrap(), "mine");
}

#[test]
fn without_a_terminal_the_defaults_are_taken_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let output = tropos(folder.path(), &["new", "shop"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("--db sqlite is taken"), "{}", stderr(&output));
    let next = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(next.contains("cd shop") && next.contains("cargo tropos dev"), "{next}");
    assert!(!next.contains('\u{1b}'), "colours where nobody looks: {next:?}");
}

#[cfg(unix)]
#[test]
fn tailwind_makes_the_sheet_where_it_is_found_and_plain_css_is_there_where_it_is_not() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let bin = folder.path().join("bin");
    fs::create_dir(&bin).unwrap();
    // Neither git nor Tailwind: both are said, and neither stops the work.
    let without = tropos_with_path(folder.path(), &bin, &["new", "plain", "--tailwind", "--yes"]);
    assert!(without.status.success(), "{}", stderr(&without));
    for says in ["Tailwind was not found", "git did not make a repository"] {
        assert!(stderr(&without).contains(says), "{}", stderr(&without));
    }
    let plain = folder.path().join("plain");
    assert!(!plain.join("styles").exists() && plain.join("public/style.css").is_file());

    let program = bin.join("tailwindcss");
    fs::write(&program, "#!/bin/sh\necho \"/* made of $2 */\" > \"$4\"\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let with = tropos_with_path(folder.path(), &bin, &["new", "made", "--tailwind", "--yes"]);
    assert!(with.status.success(), "{}", stderr(&with));
    let made = folder.path().join("made");
    let sheet = fs::read_to_string(made.join("public/style.css")).unwrap();
    assert_eq!(sheet, "/* made of styles/app.css */\n");
    assert!(made.join("styles/site.css").is_file());
    assert!(fs::read_to_string(made.join("README.md")).unwrap().contains("`tailwindcss -i styles/app.css"));
}

/// Runs `cargo tropos` with nothing else on the path.
#[cfg(unix)]
fn tropos_with_path(folder: &Path, path: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-tropos"));
    command.arg("tropos").args(arguments).current_dir(folder).env("PATH", path).stdin(Stdio::null());
    command.output().unwrap()
}

#[test]
fn within_a_workspace_and_a_repository_it_becomes_a_part_of_both() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    fs::create_dir(folder.path().join(".git")).unwrap();
    write("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"other\"]\n");
    write("other/Cargo.toml", "[package]\nname = \"other\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
    write("other/src/lib.rs", "");

    let shop = new(folder.path(), &["apps/shop", "--yes"]);
    // cargo would refuse a package that is no member.
    let metadata = cargo_succeeds(&shop, &["metadata", "--no-deps", "--format-version", "1"]);
    assert!(metadata.contains("\"name\":\"shop\"") && metadata.contains("\"name\":\"other\""), "{metadata}");
    for absent in [".git", "Cargo.lock", ".github"] {
        assert!(!shop.join(absent).exists(), "{absent} belongs to the whole");
    }
}

#[test]
fn the_package_of_the_command_carries_the_template() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let listed = cargo_succeeds(here, &["package", "--list", "--allow-dirty"]).replace('\\', "/");
    for path in ["template/Cargo.toml.jinja", "template/.gitignore.jinja", "template/src/pages/home.rs"] {
        assert!(listed.lines().any(|line| line == path), "no {path} in\n{listed}");
    }
}
