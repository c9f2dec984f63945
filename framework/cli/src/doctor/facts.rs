//! What there is to know, before anything is judged: plain data.

use super::finding::Finding;
use serde::Deserialize;
use std::path::PathBuf;

/// Of the machine, whatever the application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Machine {
    /// What `rustc --version` prints; `None` where it cannot be run.
    pub(crate) rustc: Option<String>,
    /// The oldest Rust that will do.
    pub(crate) rust_wanted: String,
    /// Whether rustup looks after it.
    pub(crate) has_rustup: bool,
    /// What the C compiler says of itself, in a line.
    pub(crate) cc: Option<String>,
    /// How the standard library for the browser is had.
    pub(crate) wasm: Wasm,
    pub(crate) wasm_opt: WasmOpt,
    /// How many files a process may open, by default and at most.
    pub(crate) files: Option<(u64, u64)>,
    /// Where builds go, and the bytes that are free there.
    pub(crate) target: Option<(PathBuf, u64)>,
}

/// How the standard library for the browser is had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wasm {
    Installed,
    /// From these sources.
    FromSources(PathBuf),
    Missing,
}

/// Whether there is a `wasm-opt`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WasmOpt {
    Usable(PathBuf),
    /// None that is new enough, in words.
    None(String),
    /// The one that was asked for cannot be used, in words: builds fail.
    Wrong(String),
}

/// Of the application, by its sources.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Application {
    pub(crate) name: String,
    /// Whether it has a part for the browser.
    pub(crate) hydrates: bool,
    /// The version of wasm-bindgen that it is locked to.
    pub(crate) wasm_bindgen: Option<String>,
    /// The version that this command understands.
    pub(crate) wasm_bindgen_own: &'static str,
    /// Whether there is a build.
    pub(crate) is_built: bool,
}

/// What the application's program said, by its own configuration. A program of another version may leave something out.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Said {
    /// Of the database.
    #[serde(default)]
    pub(crate) findings: Vec<Finding>,
    pub(crate) settings: Option<Settings>,
    pub(crate) redis: Option<Redis>,
}

/// The configuration, as far as something can be wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Settings {
    /// Whether a build is served.
    pub(crate) production: bool,
    pub(crate) addr: String,
    pub(crate) admin_addr: String,
    pub(crate) origin: Option<String>,
    /// Relative to the package's directory.
    pub(crate) cache_dir: PathBuf,
    pub(crate) cache_disk_bytes: u64,
    /// In characters.
    pub(crate) revalidate_token_length: Option<usize>,
}

/// What the shared store says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Redis {
    /// Without its password.
    pub(crate) address: String,
    /// Why it cannot be asked.
    pub(crate) error: Option<String>,
    pub(crate) version: Option<String>,
    /// What is wrong with its memory settings, and what to set.
    pub(crate) advice: Option<String>,
    /// By how many milliseconds its clock is ahead of this machine's.
    #[serde(default)]
    pub(crate) clock_ahead: i64,
}

/// What is at an address where the server is to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Port {
    Free,
    /// Somebody listens there, where it can be found out: the program's name and its process.
    Taken(Option<(String, u32)>),
    /// It may not be listened at, for this reason.
    Refused(String),
}

/// The folder of the disk store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    pub(crate) exists: bool,
    /// Why nothing can be written there, or where it would be made.
    pub(crate) refused: Option<String>,
    /// In bytes.
    pub(crate) free: Option<u64>,
}
