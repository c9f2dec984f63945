//! Measures how fast the fixture prerenders.

use crate::{
    check::{Problem, fail},
    upstream::Upstream,
};
use std::{path::Path, process::Stdio, time::Duration};
use tokio::{process::Command, time::Instant};

/// What was measured.
#[derive(Debug, Clone)]
pub struct Measured {
    /// Pages of `/isr/:key` for which the data was read.
    pub pages: usize,
    /// From the start of the process to its end.
    pub elapsed: Duration,
    /// What the process said about it.
    pub said: String,
}

impl Measured {
    /// Pages a second.
    pub fn rate(&self) -> f64 {
        self.pages as f64 / self.elapsed.as_secs_f64()
    }
}

/// Runs `BINARY prerender --out FOLDER` with that many keys in `list/isr`.
///
/// # Errors
/// When it fails, or leaves a page out.
pub async fn measure(binary: &Path, pages: usize) -> Result<Measured, Problem> {
    let upstream = Upstream::start("127.0.0.1:0").await?;
    let marker = "bulk";
    upstream.set_list("isr", (0..pages).map(|number| format!("{marker}-{number}")).collect());
    let folder = tempfile::Builder::new().prefix("tropos-prerender-").tempdir()?;
    let started = Instant::now();
    let output = Command::new(binary.canonicalize()?)
        .arg("prerender")
        .arg("--out")
        .arg(folder.path())
        .current_dir(folder.path())
        .env("UPSTREAM_URL", upstream.url())
        .env("TROPOS_CACHE_DIR", folder.path().join("cache"))
        .env("DATABASE_URL", format!("sqlite://{}", folder.path().join("app.db").display()))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await?;
    let elapsed = started.elapsed();
    if !output.status.success() {
        return fail(format!("{}\n{}", output.status, String::from_utf8_lossy(&output.stderr)));
    }
    let rendered = (0..pages).filter(|number| upstream.calls(&format!("isr-{marker}-{number}")) > 0).count();
    if rendered < pages {
        return fail(format!("{rendered} of {pages} pages were rendered"));
    }
    Ok(Measured { pages, elapsed, said: String::from_utf8_lossy(&output.stderr).trim().to_owned() })
}
