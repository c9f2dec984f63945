//! What can go wrong, and what to do about it.

use crate::{
    build::budgets::Measure,
    export::{Broken, LeftOut},
    table::plural,
};
use std::{io, path::PathBuf};
use tropos_core::build::PageFailure;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    #[error("{doing} {path}: {source}{}", remedy(source))]
    File { doing: &'static str, path: PathBuf, source: io::Error },

    #[error("{command} could not be run: {source}")]
    Run { command: String, source: io::Error },

    #[error("{command} failed ({status}); what it printed is above")]
    Failed { command: String, status: String },

    /// One of several was ended since another failed, which is the error to show.
    #[error("{command} was stopped, since another one failed")]
    Stopped { command: String },

    #[error("{}", pages(failures, *keep_going, out))]
    Pages { failures: Vec<PageFailure>, keep_going: bool, out: PathBuf },

    #[error("{}", budgets(exceeded, out))]
    Budgets { exceeded: Vec<Measure>, out: PathBuf },

    /// Something in `tropos.toml`.
    #[error("{0}")]
    Config(String),

    #[error(
        "nothing was exported: {} cannot be plain files. Make them `ssg`, serve the application by `cargo \
         tropos start`, or write the others alone by --partial",
        plural(.0.len() as u64, "route")
    )]
    NotStatic(Vec<LeftOut>),

    #[error(
        "nothing was exported: hooks stand in front of {}, and no static host runs them, so everybody could read what they \
         guard: {}. Serve the application by `cargo tropos start`, or leave these pages out by --partial",
        plural(.0.len() as u64, "page"),
        some(.0)
    )]
    Hooked(Vec<String>),

    #[error("nothing was exported: {} on the pages lead nowhere, as listed above", plural(.0.len() as u64, "link"))]
    BrokenLinks(Vec<Broken>),

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
        "{place} holds files that this command did not put there (it has no {marker}), so it is left alone; name another \
         place by {option}"
    )]
    ForeignOutput { place: PathBuf, marker: &'static str, option: &'static str },

    #[error("nothing was written: {files} was changed, or is not of this command; --force overwrites")]
    Changed { files: String },

    #[error("the template of {name} does not fit this version: {source}")]
    Template { name: String, source: Box<minijinja::Error> },

    #[error("there is no build in {0}; run `cargo tropos build` first")]
    NotBuilt(PathBuf),

    #[error("no token: set TROPOS_REVALIDATE_TOKEN to the one that the server was started with")]
    NoToken,

    #[error("`{name}` cannot be the name of an application: {why}; `{instead}` can")]
    Name { name: String, why: &'static str, instead: String },

    #[error(
        "{folder} is not empty ({found}), and nothing is written over; name a folder that is empty or not there yet"
    )]
    Occupied { folder: PathBuf, found: String },

    #[error("nothing was made; `--yes` takes the defaults without asking")]
    GaveUp,

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

/// The first of many.
fn some(paths: &[String]) -> String {
    let shown: Vec<_> = paths.iter().take(10).map(String::as_str).collect();
    let more = if paths.len() > shown.len() { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

/// What to do where the system says no more than that it would not.
fn remedy(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ". Free some space there, and try again",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            ". This user may not do that there; change the permissions, or use another place"
        }
        _ => "",
    }
}

fn pages(failures: &[PageFailure], keep_going: bool, out: &std::path::Path) -> String {
    let count = failures.len();
    let mut text = format!(
        "{count} page{} could not be made, so {} is as it was:",
        if count == 1 { "" } else { "s" },
        out.display()
    );
    failures.iter().for_each(|failure| text.push_str(&format!("\n  {failure}")));
    if !keep_going {
        text.push_str(
            "\n  The build stopped there; --keep-going renders the others too and names all that fail",
        );
    }
    text
}

fn budgets(exceeded: &[Measure], out: &std::path::Path) -> String {
    let mut text = format!("the build exceeds a budget of tropos.toml, so {} is as it was:", out.display());
    exceeded.iter().for_each(|measure| text.push_str(&format!("\n  {measure}")));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_and_a_folder_of_somebody_elses_say_what_to_do() {
        for (kind, expected) in [
            (io::ErrorKind::StorageFull, "Free some space"),
            (io::ErrorKind::PermissionDenied, "permissions"),
            (io::ErrorKind::ReadOnlyFilesystem, "another place"),
        ] {
            let error = Error::file("writing", "/out/x")(kind.into()).to_string();
            assert!(error.starts_with("writing /out/x: ") && error.contains(expected), "{error}");
            assert!(!error.contains("--"), "the command that failed may have no such option: {error}");
        }
        let error = Error::file("reading", "/out/x")(io::ErrorKind::NotFound.into()).to_string();
        assert_eq!(error, "reading /out/x: entity not found");
    }

    #[test]
    fn failed_pages_are_named_one_by_one_and_how_to_see_the_rest() {
        let failure = |path: &str| PageFailure {
            route: "/a/:b".into(),
            path: path.into(),
            params: Default::default(),
            cause: "gone".into(),
        };
        let out = || PathBuf::from("dist");
        let one = Error::Pages { failures: vec![failure("/a/1")], keep_going: false, out: out() };
        assert!(one.to_string().starts_with(
            "1 page could not be made, so dist is as it was:\n  /a/1 (route /a/:b): gone\n  The build stopped"
        ));
        let failures = (0..30).map(|n| failure(&format!("/a/{n}"))).collect();
        let all = Error::Pages { failures, keep_going: true, out: out() }.to_string();
        assert_eq!(all.lines().count(), 31, "{all}");
    }
}
