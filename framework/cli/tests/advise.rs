//! `cargo tropos advise` beside an application that runs.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

#[path = "../../server/tests/common/planted.rs"]
mod planted;

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Arc,
};
use tokio::net::TcpListener;
use tropos_cache::Engine;
use tropos_core::{SystemClock, advice::Advice};
use tropos_server::{App, Config, Site};

/// Where an application listens.
struct Running {
    admin: String,
    /// Of the requests.
    sample: PathBuf,
    _folder: tempfile::TempDir,
}

async fn running(advise: bool) -> Running {
    let public = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let admin = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = Config::default();
    config.addr = public.local_addr().unwrap();
    config.advise = advise;
    config.database = tropos_db::Config::new("sqlite::memory:");
    let engine = Engine::in_memory(Arc::new(SystemClock::new()));
    let site = Site::over(planted::planted(App::new()), config, engine).await.unwrap();
    let router: axum::Router = match advise {
        true => tropos_server::dev::router(&site),
        // As an admin listener is without it.
        false => axum::Router::new(),
    };
    let address = admin.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(admin, router).await });
    tokio::spawn(site.serve_on(public, std::future::pending()));
    let folder = tempfile::tempdir().unwrap();
    let sample = folder.path().join("access.log");
    let line = |path: &String| {
        format!("127.0.0.1 - - [23/Nov/2026:07:00:00 +0000] \"GET {path} HTTP/1.1\" 200 512 \"-\" \"x\"\n")
    };
    std::fs::write(&sample, planted::sample().iter().map(line).collect::<String>()).unwrap();
    Running { admin: address, sample, _folder: folder }
}

async fn advise(running: &Running, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-tropos"));
    command.args(["tropos", "advise", "--url", &running.admin]).args(more);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_two_planted_pages_are_named_and_none_else() {
    let running = running(true).await;
    let before = out(&advise(&running, &[]).await);
    assert_eq!(before, "Nothing to say yet: no route has been asked for often enough.\n");

    let sample = path(&running.sample);
    let output = advise(&running, &["--requests", sample]).await;
    let text = out(&output);
    assert!(output.status.success(), "{output:?}");
    let note = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(note.contains("sent 400 requests") && note.contains("0 of which failed"), "{note}");
    let named: Vec<&str> = text.lines().filter(|line| line.contains("planted.rs:")).collect();
    assert_eq!(named.len(), 2, "{text}");
    assert!(named[0].starts_with("Terms /terms/:part, server"), "{text}");
    assert!(named[1].starts_with("Receipt /receipt/:number, isr"), "{text}");
    assert!(text.contains("Judged 7 routes: 2 should be declared otherwise."), "{text}");
    assert!(text.contains("% of the renders, of "), "{text}");

    let json = out(&advise(&running, &["--json"]).await);
    let advice: Advice = serde_json::from_str(&json).unwrap();
    assert_eq!(advice.findings.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_count_says_how_it_would() {
    let running = running(false).await;
    let output = advise(&running, &[]).await;
    assert!(!output.status.success());
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("TROPOS_ADVISE=1"), "{error}");
}
