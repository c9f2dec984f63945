//! What can go wrong, and what to do about it.

use std::{io, path::PathBuf};

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    #[error("{doing} {path}: {source}")]
    File { doing: &'static str, path: PathBuf, source: io::Error },

    #[error("{command} could not be run: {source}")]
    Run { command: String, source: io::Error },

    #[error("{command} failed ({status}); what it printed is above")]
    Failed { command: String, status: String },

    #[error("{}", metadata(.0))]
    Metadata(#[from] cargo_metadata::Error),

    #[error("{0}")]
    Project(String),

    #[error(
        "the application is locked to wasm-bindgen {locked}, and this cargo-tropos understands {own} alone: the two share \
         a format.\n  Either: cargo update -p wasm-bindgen --precise {own}\n  Or install the cargo-tropos that belongs to \
         the application's tropos"
    )]
    WasmBindgenVersion { locked: String, own: &'static str },

    #[error(
        "rustc cannot build for the browser here: the target wasm32-unknown-unknown is not installed, and `rustup target \
         add wasm32-unknown-unknown` did not succeed ({why}).\n  Install the target, or the sources of the standard \
         library (`rustup component add rust-src`; Debian: `apt-get install rust-web-src`), from which it can be built"
    )]
    WasmTarget { why: String },

    #[error("wasm-bindgen did not accept the compiled islands: {0}")]
    WasmBindgen(String),

    #[error(
        "{path} is not a wasm-opt of version {at_least} or newer ({found}); name another by --wasm-opt, or none"
    )]
    WasmOpt { path: PathBuf, at_least: u32, found: String },

    #[error("stylesheets import each other in a circle, so that none can be named by its content: {0}")]
    CssCycle(String),

    #[error("the glue script of the islands could not be made smaller: {0}")]
    Glue(String),

    #[error(
        "{what} is not what this cargo-tropos reads: {source}. Is the application's tropos of another version?"
    )]
    Json { what: String, source: serde_json::Error },

    #[error(
        "{0} holds files that no build put there (it has no manifest.json), so it is left alone; name another place by --out"
    )]
    ForeignOutput(PathBuf),

    #[error("nothing was written: {files} was changed, or is not of this command; --force overwrites")]
    Changed { files: String },

    #[error("the template of {name} does not fit this version: {source}")]
    Template { name: String, source: Box<minijinja::Error> },

    #[error("there is no build in {0}; run `cargo tropos build` first")]
    NotBuilt(PathBuf),

    #[error("no token: set TROPOS_REVALIDATE_TOKEN to the one that the server was started with")]
    NoToken,

    #[error("{url} did not answer: {why}. Is the server running there? --url names another address")]
    Unreachable { url: String, why: String },

    #[error("{url} answered {status}: {meaning}")]
    Refused { url: String, status: u16, meaning: String },
}

/// What cargo said, without its own label; where it found nothing, what to do.
fn metadata(error: &cargo_metadata::Error) -> String {
    match error {
        cargo_metadata::Error::CargoMetadata { stderr } if stderr.contains("could not find `Cargo.toml`") => {
            "there is no Cargo.toml here or above: go into the application's folder, or name its Cargo.toml by \
             --manifest-path"
                .into()
        }
        cargo_metadata::Error::CargoMetadata { stderr } => stderr.trim().trim_start_matches("error: ").to_owned(),
        other => other.to_string(),
    }
}

impl Error {
    /// Turns an I/O error into one that names the file: `.map_err(Error::file("reading", path))`.
    pub(crate) fn file(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
        let path = path.into();
        move |source| Error::File { doing, path, source }
    }
}
