//! What is wrong with the database as it is configured, and what mends it: for `cargo tropos doctor`.
//!
//! | file | holds |
//! |---|---|
//! | `plan` | whether the connections of all instances fit into a server (pure) |
//! | `judge` | what follows from what the servers said (pure) |
//! | `ask` | asking the servers |

mod ask;
mod judge;
mod plan;

use crate::{Config, Error};
use std::fmt;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What was looked at: a server, a shard.
    pub subject: String,
    /// How it is.
    pub level: Level,
    /// What was found.
    pub says: String,
    /// The command or setting that mends it, where something is to be mended.
    pub mend: Option<String>,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be.
    Ok,
    /// It works, and may not for long.
    Warning,
    /// It does not work, or will not under load.
    Problem,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
        })
    }
}

impl Finding {
    fn ok(subject: impl Into<String>, says: impl Into<String>) -> Self {
        Self { subject: subject.into(), level: Level::Ok, says: says.into(), mend: None }
    }

    fn warning(subject: impl Into<String>, says: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { level: Level::Warning, mend: Some(mend.into()), ..Self::ok(subject, says) }
    }

    fn problem(subject: impl Into<String>, says: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { level: Level::Problem, mend: Some(mend.into()), ..Self::ok(subject, says) }
    }
}

/// Asks every server of the configuration for its role, lag, version and limits, and plans the connections of this many
/// instances. Changes nothing, and makes no file.
pub async fn examine(config: &Config, instances: u32) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Err(Error::Config(text)) = crate::db::slot_map(config) {
        findings.push(Finding::problem("shards", text, "mend the slots in tropos.toml"));
    }
    let servers = ask::all(config).await;
    findings.extend(judge::judge(config, &servers, instances.max(1)));
    findings
}
