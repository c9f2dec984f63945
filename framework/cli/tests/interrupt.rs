//! Whoever ends a command ends all that it started.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(target_os = "linux")]

mod support;

use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::Path,
    process::{Command, Stdio},
};
use support::{application, patiently};

/// Stands for a program that has children of its own, and says which processes these are.
const SLEEPER: &str = "#!/bin/sh\nif [ \"$1\" = metadata ]; then exec \"$REAL_CARGO\" \"$@\"; fi\n\
                       sleep 600 &\necho $$ $! > \"$PROCESSES.new\"\nmv \"$PROCESSES.new\" \"$PROCESSES\"\nwait\n";

fn script(path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, SLEEPER).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Whether a process runs; one that nobody has waited for yet does not.
fn runs(process: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// Starts a command, ends it by a signal to it alone once its child has a child, and returns its exit code.
fn ended_by(signal: Signal, arguments: &[&str]) -> Option<i32> {
    let folder = application();
    let (cargo, processes) = (folder.path().join("bin/cargo"), folder.path().join("processes"));
    script(&cargo);
    script(&folder.path().join("shop/dist/shop"));
    // By which a build is known to be one.
    fs::write(folder.path().join("shop/dist/manifest.json"), "{}").unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_cargo-tropos"))
        .args(arguments)
        .current_dir(folder.path())
        .env("CARGO", &cargo)
        .env("REAL_CARGO", option_env!("CARGO").unwrap_or("cargo"))
        .env("CARGO_NET_OFFLINE", "true")
        .env("PROCESSES", &processes)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        // As where a shell starts it: a group of its own.
        .process_group(0)
        .spawn()
        .unwrap();
    let text = patiently(|| fs::read_to_string(&processes).ok());
    let running: Vec<&str> = text.split_whitespace().collect();
    assert!(running.len() == 2 && running.iter().all(|process| runs(process)), "{text}");

    kill_process(Pid::from_child(&child), signal).unwrap();
    let status = patiently(|| child.try_wait().unwrap());
    for process in running {
        assert!(!runs(process), "{arguments:?}: {process} is left behind");
    }
    let left = folder.path().join("shop").read_dir().unwrap().map(|entry| entry.unwrap().file_name());
    assert!(
        left.into_iter().all(|name| !name.to_string_lossy().contains(".tmp-")),
        "an unfinished folder is left behind"
    );
    status.code()
}

#[test]
fn a_build_that_is_ended_leaves_no_process_behind() {
    assert_eq!(ended_by(Signal::INT, &["build"]), Some(130));
    assert_eq!(ended_by(Signal::TERM, &["build"]), Some(143));
}

#[test]
fn work_on_the_database_that_is_ended_leaves_no_process_behind() {
    assert_eq!(ended_by(Signal::INT, &["db", "migrate"]), Some(130));
    assert_eq!(ended_by(Signal::HUP, &["doctor"]), Some(129));
}

#[test]
fn a_server_takes_the_place_of_the_command_and_gets_its_signals() {
    let folder = application();
    let program = folder.path().join("shop/dist/shop");
    fs::create_dir_all(program.parent().unwrap()).unwrap();
    fs::write(&program, "#!/bin/sh\ntrap 'exit 7' TERM\n: > started\nwhile :; do sleep 0.05; done\n")
        .unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_cargo-tropos"))
        .arg("start")
        .current_dir(folder.path().join("shop/src"))
        .env("CARGO_NET_OFFLINE", "true")
        .spawn()
        .unwrap();
    patiently(|| folder.path().join("shop/started").exists().then_some(()));
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(patiently(|| child.try_wait().unwrap()).code(), Some(7));
}
