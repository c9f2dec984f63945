//! The suite's own programs, which are for Node.

use crate::Error;
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::timeout,
};

/// A run takes half a minute, most of it in pauses; this is what a busy machine may make of it.
const MOST_TIME: Duration = Duration::from_secs(300);

/// Where the suite is installed.
pub(crate) struct Suite {
    package: PathBuf,
    required: PathBuf,
    /// For what its programs write.
    scratch: tempfile::TempDir,
}

/// What became of a case: it passed, or it did not for a kind of reason.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Outcome {
    /// `true`.
    Passed(bool),
    /// The kind of failure, and what was seen.
    Failed(String, String),
}

/// By the ids of the cases.
pub(crate) type Outcomes = BTreeMap<String, Outcome>;

/// A running origin; it ends when this goes.
pub(crate) struct Origin {
    pub(crate) port: u16,
    _process: Child,
}

impl Suite {
    pub(crate) fn in_folder(folder: &Path) -> Result<Self, Error> {
        // Its programs run in their own folder.
        let folder = folder.canonicalize()?;
        let package = folder.join("node_modules/http-cache-tests");
        if !package.join("cli.mjs").is_file() {
            let folder = folder.display();
            return Err(format!("http-cache-tests is not installed: run `npm install` in {folder}").into());
        }
        Ok(Self { package, required: folder.join("required.mjs"), scratch: tempfile::tempdir()? })
    }

    fn node(&self) -> Command {
        let mut command = Command::new("node");
        command.current_dir(&self.package).stdin(Stdio::null()).stderr(Stdio::inherit()).kill_on_drop(true);
        command
    }

    /// The ids of the cases that count.
    pub(crate) async fn required(&self) -> Result<Vec<String>, Error> {
        let output = self.node().arg(&self.required).arg(&self.package).output().await?;
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// Starts the origin on a free port.
    pub(crate) async fn origin(&self) -> Result<Origin, Error> {
        let mut process = self
            .node()
            .arg("server/server.mjs")
            .env("npm_config_protocol", "http")
            .env("npm_config_port", "0")
            .env("npm_config_pidfile", self.scratch.path().join("origin.pid"))
            .stdout(Stdio::piped())
            .spawn()?;
        let out = process.stdout.take().ok_or("the origin has no output")?;
        let mut lines = BufReader::new(out).lines();
        let first = timeout(MOST_TIME, lines.next_line()).await??.unwrap_or_default();
        let port = first.trim_end_matches('/').rsplit(':').next().and_then(|port| port.parse().ok());
        let port = port.ok_or_else(|| format!("the origin did not say where it listens: {first}"))?;
        // Read on, so that it can go on writing.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Origin { port, _process: process })
    }

    /// Runs all cases against this port.
    pub(crate) async fn run(&self, port: u16) -> Result<Outcomes, Error> {
        let mut client = self.node();
        client
            .args(["--no-warnings", "cli.mjs"])
            .env("npm_config_base", format!("http://127.0.0.1:{port}"))
            .env("npm_config_id", "")
            .env("npm_package_config_id", "");
        let output = timeout(MOST_TIME, client.output()).await??;
        let text = String::from_utf8_lossy(&output.stdout);
        // Its own remarks may stand before the result.
        let start = text.find("{\n").ok_or_else(|| format!("the client printed no result: {text}"))?;
        Ok(serde_json::from_str(text.get(start..).unwrap_or_default())?)
    }
}

impl Outcome {
    pub(crate) fn passed(&self) -> bool {
        *self == Outcome::Passed(true)
    }
}
