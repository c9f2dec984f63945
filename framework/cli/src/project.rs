//! Which package is meant, and what `cargo metadata` says of it.

use crate::{Error, args, near};
use cargo_metadata::{CargoOpt, Metadata, MetadataCommand, Package, TargetKind};
use std::path::{Path, PathBuf};

/// An application: one package with a binary of its own name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Project {
    /// The package's name, which is the binary's too.
    pub(crate) name: String,
    /// The library's name, as cargo reports it; empty where there is none.
    pub(crate) library: String,
    /// The package's `Cargo.toml`.
    pub(crate) manifest: PathBuf,
    /// The directory that it lies in.
    pub(crate) directory: PathBuf,
    /// Where cargo puts what it compiles.
    pub(crate) target: PathBuf,
    /// Whether the package can be compiled for the browser: a library and a feature `hydrate`.
    pub(crate) hydrates: bool,
    /// Whether its hooks can be compiled for the edge: a library and a feature `edge`.
    pub(crate) has_edge: bool,
    /// The version of wasm-bindgen that the application is locked to.
    pub(crate) wasm_bindgen: Option<String>,
    /// Where the build goes.
    pub(crate) out: PathBuf,
}

impl Project {
    /// Asks cargo.
    ///
    /// # Errors
    /// Where cargo finds no manifest, or the workspace has no such application.
    pub(crate) fn find(options: &args::Project) -> Result<Self, Error> {
        let mut command = MetadataCommand::new();
        // wasm-bindgen is there under the feature `hydrate` only.
        command.features(CargoOpt::AllFeatures);
        if let Some(path) = &options.manifest_path {
            command.manifest_path(path);
        }
        let metadata = command.exec()?;
        let mut project = select(&metadata, options.package.as_deref())?;
        if let Some(out) = &options.out {
            project.out = std::path::absolute(out).map_err(Error::file("resolving", out))?;
        }
        Ok(project)
    }

    /// The built server.
    pub(crate) fn server(&self) -> PathBuf {
        self.out.join(self.binary())
    }

    /// The server's file name.
    pub(crate) fn binary(&self) -> String {
        format!("{}{}", self.name, std::env::consts::EXE_SUFFIX)
    }

    /// Files that are served as they are.
    pub(crate) fn public(&self) -> PathBuf {
        self.directory.join("public")
    }
}

/// Chooses the package: the named one, the one of the current directory, or the only one that can be meant.
fn select(metadata: &Metadata, wanted: Option<&str>) -> Result<Project, Error> {
    let applications = || metadata.workspace_packages().into_iter().filter(|package| is_application(package));
    let package = match (wanted, metadata.root_package()) {
        (Some(name), _) => metadata
            .workspace_packages()
            .into_iter()
            .find(|package| package.name == name)
            .ok_or_else(|| {
                let names: Vec<&str> =
                    metadata.workspace_packages().into_iter().map(|it| it.name.as_str()).collect();
                let meant = near::name(name, names).map(|near| format!("; did you mean `{near}`?"));
                let listed = listed(applications());
                Error::Project(format!("the workspace has no package `{name}`{}", meant.unwrap_or(listed)))
            })?,
        (None, Some(package)) if is_application(package) => package,
        // The root of a workspace may be a package too, which no application is.
        (None, _) => {
            let mut found = applications();
            match (found.next(), found.next()) {
                (Some(only), None) => only,
                (None, _) => {
                    return Err(Error::Project(
                        "there is no application here: one depends on `tropos`, and has a binary of its own name".into(),
                    ));
                }
                _ => {
                    return Err(Error::Project(format!(
                        "say which package is the application{}",
                        listed(applications())
                    )));
                }
            }
        }
    };
    if !has_own_binary(package) {
        return Err(Error::Project(format!(
            "the package `{0}` has no binary `{0}`: an application is one package with a binary of its own name, \
             src/main.rs",
            package.name
        )));
    }
    let library = library(package);
    let directory = package.manifest_path.parent().map_or_else(|| Path::new("."), |path| path.as_std_path());
    Ok(Project {
        name: package.name.to_string(),
        manifest: package.manifest_path.clone().into(),
        directory: directory.to_owned(),
        target: metadata.target_directory.clone().into(),
        hydrates: package.features.contains_key("hydrate") && library.is_some(),
        has_edge: package.features.contains_key("edge") && library.is_some(),
        library: library.unwrap_or_default(),
        wasm_bindgen: metadata
            .packages
            .iter()
            .find(|p| p.name == "wasm-bindgen")
            .map(|p| p.version.to_string()),
        out: directory.join("dist"),
    })
}

fn has_own_binary(package: &Package) -> bool {
    package.targets.iter().any(|target| target.is_bin() && target.name == package.name.as_str())
}

fn library(package: &Package) -> Option<String> {
    let library = |kind: &TargetKind| matches!(kind, TargetKind::Lib | TargetKind::RLib | TargetKind::CDyLib);
    package.targets.iter().find(|target| target.kind.iter().any(library)).map(|target| target.name.clone())
}

/// Depends on the facade and has a binary of its own name.
fn is_application(package: &Package) -> bool {
    has_own_binary(package) && package.dependencies.iter().any(|dependency| dependency.name == "tropos")
}

fn listed<'a>(packages: impl Iterator<Item = &'a Package>) -> String {
    let names: Vec<_> = packages.map(|package| format!("-p {}", package.name)).collect();
    if names.is_empty() { String::new() } else { format!("; it has: {}", names.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A workspace of packages that need nothing, as (name, has a binary, has `hydrate`).
    fn workspace(packages: &[(&str, bool, bool)]) -> (tempfile::TempDir, Metadata) {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("Cargo.toml"), "[workspace]\nresolver = \"3\"\nmembers = [\"*\"]\n")
            .unwrap();
        // Stands in for the facade, so that packages can depend on it without the network.
        for (name, binary, hydrates) in packages.iter().chain(&[("tropos", false, false)]) {
            let directory = root.path().join(name);
            fs::create_dir_all(directory.join("src")).unwrap();
            let dependency = if *name == "tropos" { "" } else { "tropos = { path = \"../tropos\" }" };
            let features = if *hydrates { "hydrate = []" } else { "" };
            let manifest = format!(
                "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[features]\n{features}\n\n\
                 [dependencies]\n{dependency}\n"
            );
            fs::write(directory.join("Cargo.toml"), manifest).unwrap();
            fs::write(directory.join("src/lib.rs"), "").unwrap();
            if *binary {
                fs::write(directory.join("src/main.rs"), "fn main() {}").unwrap();
            }
        }
        let metadata = MetadataCommand::new()
            .manifest_path(root.path().join("Cargo.toml"))
            .other_options(["--offline".to_owned()])
            .exec()
            .unwrap();
        (root, metadata)
    }

    #[test]
    fn the_only_application_of_a_workspace_is_meant() {
        let (root, metadata) = workspace(&[("shop", true, true), ("helpers", false, false)]);
        let project = select(&metadata, None).unwrap();
        let root = fs::canonicalize(root.path()).unwrap();
        assert_eq!(project.name, "shop");
        assert!(project.hydrates);
        assert_eq!(project.wasm_bindgen, None);
        assert_eq!(fs::canonicalize(&project.directory).unwrap(), root.join("shop"));
        assert!(project.server().ends_with("shop/dist/shop"));
    }

    #[test]
    fn of_several_applications_one_must_be_named() {
        let (_root, metadata) = workspace(&[("shop", true, true), ("blog", true, false)]);
        let error = select(&metadata, None).unwrap_err().to_string();
        assert!(error.contains("-p blog") && error.contains("-p shop"), "{error}");
        assert!(!select(&metadata, Some("blog")).unwrap().hydrates);
        let error = select(&metadata, Some("blgo")).unwrap_err().to_string();
        assert!(error.ends_with("did you mean `blog`?"), "{error}");
        let error = select(&metadata, Some("forum")).unwrap_err().to_string();
        assert!(error.contains("no package `forum`"), "{error}");
    }

    #[test]
    fn a_package_without_a_binary_of_its_name_is_no_application() {
        let (_root, metadata) = workspace(&[("helpers", false, false)]);
        let error = select(&metadata, None).unwrap_err().to_string();
        assert!(error.starts_with("there is no application here"), "{error}");
        let error = select(&metadata, Some("helpers")).unwrap_err().to_string();
        assert!(error.contains("has no binary `helpers`"), "{error}");
    }
}
