//! What the files say of the application.

use crate::{Error, args, project::Project};
use cargo_metadata::{Metadata, MetadataCommand};
use std::path::{Path, PathBuf};

/// What the templates are filled with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Context {
    /// The package's name, which is the binary's and the service's too.
    pub(super) name: String,
    /// The name as variables and zones of nginx have it.
    pub(super) id: String,
    /// The host that visitors see.
    pub(super) domain: String,
    /// Whether `domain` is a stand-in.
    pub(super) is_domain_guessed: bool,
    /// The version of Rust that the container builds with.
    pub(super) rust: String,
    /// `registry`, `git`, `path` or `outside`: where the application has Tropos from.
    pub(super) install: &'static str,
    /// What `cargo install` needs for a `cargo tropos` of the same version.
    pub(super) install_words: String,
    /// The package's folder within the workspace: empty, or ending with a slash.
    pub(super) folder: String,
    /// Whether nginx holds pages too.
    pub(super) page_cache: bool,
    /// What the container runs to see whether it is well.
    pub(super) health: &'static str,
    /// The workspace's folder.
    pub(super) root: PathBuf,
}

/// Within quotes in JSON, within quotes of `bash -c`.
const HEALTH: &str = "exec 3<>/dev/tcp/127.0.0.1/3001 && printf 'GET /readyz HTTP/1.0\\\\r\\\\n\\\\r\\\\n' >&3 && read -r line <&3 && [[ $line == *' 200 '* ]]";

impl Context {
    /// Asks cargo.
    ///
    /// # Errors
    /// Where cargo cannot say.
    pub(super) fn of(project: &Project, options: &args::Deploy) -> Result<Self, Error> {
        let metadata = MetadataCommand::new().manifest_path(&project.manifest).exec()?;
        let root = metadata.workspace_root.as_std_path();
        let (install, install_words) = install(&metadata, root);
        let folder = project.directory.strip_prefix(root).unwrap_or(Path::new(""));
        let folder = match folder.to_string_lossy() {
            path if path.is_empty() => String::new(),
            path => format!("{path}/"),
        };
        let settings = std::fs::read_to_string(project.directory.join("tropos.toml")).unwrap_or_default();
        let domain = options.domain.clone().or_else(|| origin(&settings));
        Ok(Self {
            name: project.name.clone(),
            id: project.name.replace('-', "_"),
            is_domain_guessed: domain.is_none(),
            domain: domain.unwrap_or_else(|| format!("{}.example", project.name.replace('_', "-"))),
            rust: env!("CARGO_PKG_RUST_VERSION").to_owned(),
            install,
            install_words,
            folder,
            page_cache: options.page_cache,
            health: HEALTH,
            root: root.to_owned(),
        })
    }
}

/// The host of `origin = "https://shop.example"` in the text of a `tropos.toml`.
fn origin(settings: &str) -> Option<String> {
    let settings: toml::Table = settings.parse().ok()?;
    let (_, host) = settings.get("origin")?.as_str()?.split_once("://")?;
    // With a port it is no host that a proxy would be known by.
    args::host(host.trim_end_matches('/')).ok()
}

/// Where the application has Tropos from, and what `cargo install` needs for a command of the same version.
fn install(metadata: &Metadata, root: &Path) -> (&'static str, String) {
    let registry = |version: &str| format!("cargo-tropos --version {version}");
    let Some(package) = metadata.packages.iter().find(|package| package.name == "tropos") else {
        return ("registry", registry(env!("CARGO_PKG_VERSION")));
    };
    let version = package.version.to_string();
    match package.source.as_ref().map(|source| source.repr.as_str()) {
        Some(source) if source.starts_with("git+") => ("git", format!("cargo-tropos {}", git(source))),
        Some(_) => ("registry", registry(&version)),
        None => {
            let own = package
                .manifest_path
                .parent()
                .and_then(|folder| folder.parent())
                .map(|folder| folder.join("cli"));
            // A copy of the crate alone has no command beside it.
            let own = own.filter(|cli| cli.join("Cargo.toml").is_file());
            match own.as_ref().and_then(|cli| cli.as_std_path().strip_prefix(root).ok()) {
                Some(cli) => ("path", format!("--path {}", cli.display())),
                None => ("outside", registry(&version)),
            }
        }
    }
}

/// `git+https://host/repo?branch=main#0123` is `--git https://host/repo --rev 0123`.
fn git(source: &str) -> String {
    let source = source.trim_start_matches("git+");
    let (address, rev) = source.split_once('#').unwrap_or((source, ""));
    let address = address.split('?').next().unwrap_or(address);
    if rev.is_empty() { format!("--git {address}") } else { format!("--git {address} --rev {rev}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_domain_is_taken_from_the_settings() {
        for (text, expected) in [
            ("addr = \"127.0.0.1:1\"\norigin = \"https://shop.test/\" # ours\n", Some("shop.test")),
            ("origin = \"http://localhost:3000\"", None),
            ("origin = 'https://shop.test'", Some("shop.test")),
            ("[budgets]\norigin = \"https://other.test\"", None),
            ("# origin = \"https://shop.test\"", None),
            ("", None),
        ] {
            assert_eq!(origin(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_repository_is_pinned_to_the_commit_of_the_lock_file() {
        for (source, words) in [
            ("git+https://host/repo?branch=main#0123", "--git https://host/repo --rev 0123"),
            ("git+https://host/repo#0123", "--git https://host/repo --rev 0123"),
            ("git+https://host/repo", "--git https://host/repo"),
        ] {
            assert_eq!(git(source), words);
        }
    }
}
