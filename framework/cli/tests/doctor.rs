//! The doctor mends what it can, and looks again.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(unix)]

mod support;

use serde_json::Value;
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output},
};
use support::copy;

/// An application that is locked to another wasm-bindgen, and a `cargo` that mends just that.
fn out_of_step() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy(Path::new("tests/cmd/unbuilt.in"), folder.path());
    let cargo = folder.path().join("bin/cargo");
    fs::create_dir(cargo.parent().unwrap()).unwrap();
    let script = "#!/bin/sh\necho \"cargo $*\" >> \"$CALLS\"\n\
                  sed -i.old 's/^version = .*/version = \"'\"$5\"'\"/' ../wasm-bindgen/Cargo.toml\n";
    fs::write(&cargo, script).unwrap();
    fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

fn doctor(folder: &Path, arguments: &[&str]) -> Output {
    let path = std::env::var_os("PATH").unwrap();
    let folders = std::iter::once(folder.join("bin")).chain(std::env::split_paths(&path));
    Command::new(env!("CARGO_BIN_EXE_cargo-tropos"))
        .args(["doctor", "--machine", "--json"])
        .args(arguments)
        .current_dir(folder)
        .env("PATH", std::env::join_paths(folders).unwrap())
        // For `cargo metadata`.
        .env("CARGO", option_env!("CARGO").unwrap_or("cargo"))
        .env("CARGO_NET_OFFLINE", "true")
        .env("CALLS", folder.join("calls"))
        .output()
        .unwrap()
}

fn about(output: &Output, subject: &str) -> Value {
    let all: Value = serde_json::from_slice(&output.stdout).unwrap();
    let found = all["findings"].as_array().unwrap().iter().find(|finding| finding["subject"] == subject);
    found.cloned().unwrap_or_default()
}

#[test]
fn what_does_no_harm_is_run_by_fix_alone_and_looked_at_again() {
    let folder = out_of_step();
    let calls = || fs::read_to_string(folder.path().join("calls")).unwrap_or_default();

    let before = doctor(folder.path(), &[]);
    let found = about(&before, "wasm-bindgen");
    assert_eq!((&found["level"], before.status.code()), (&"problem".into(), Some(1)));
    let words: Vec<&str> = found["fix"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(found["mend"], words.join(" "));
    assert_eq!(calls(), "", "nothing is run unasked");

    let after = doctor(folder.path(), &["--fix"]);
    let shown = String::from_utf8_lossy(&after.stderr);
    assert!(shown.contains(&format!("running `{}`", words.join(" "))), "{shown}");
    assert!(calls().contains(&words.join(" ")), "{}", calls());
    assert_eq!(about(&after, "wasm-bindgen")["level"], "ok");
}

#[test]
fn outside_of_an_application_the_machine_alone_is_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let (_, text) = support::run(folder.path(), &["doctor"]);
    assert!(text.contains("rustc") && text.contains("only the machine was looked at"), "{text}");
    assert!(!text.contains('\u{1b}'), "no colours where nobody looks");
    let (fine, text) = support::run(folder.path(), &["doctor", "-p", "shop"]);
    assert!(!fine && text.contains("no Cargo.toml here"), "{text}");
}
