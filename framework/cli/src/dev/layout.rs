//! Where the application's sources are, as `cargo metadata` says.

use crate::{Error, args, project::Project};
use cargo_metadata::{CargoOpt, MetadataCommand};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

/// What is watched, and what is known of it.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// The workspace's folder: compilers name sources from there.
    pub(crate) workspace: PathBuf,
    /// The folders of the application's package and of all that it depends on by path.
    pub(crate) packages: Vec<PathBuf>,
}

/// What cargo says after a manifest changed.
#[derive(Debug)]
pub(crate) struct Looked {
    pub(crate) layout: Layout,
    /// What the dev server goes by that is otherwise now, where it cannot go on with that.
    pub(crate) stale: Option<&'static str>,
}

impl Looked {
    /// Asks cargo.
    ///
    /// # Errors
    /// Where a manifest is wrong.
    pub(crate) fn at(before: &Project) -> Result<Self, Error> {
        let options = args::Project {
            manifest_path: Some(before.manifest.clone()),
            package: Some(before.name.clone()),
            out: None,
        };
        let now = Project::find(&options)?;
        Ok(Self { layout: Layout::find(&now)?, stale: stale(before, &now) })
    }
}

fn stale(before: &Project, now: &Project) -> Option<&'static str> {
    if now.hydrates != before.hydrates {
        return Some("whether the application has islands has changed");
    }
    if now.wasm_bindgen != before.wasm_bindgen {
        return Some("the application is locked to another wasm-bindgen now");
    }
    (now.library != before.library).then_some("the application's library has another name now")
}

impl Layout {
    /// Asks cargo.
    ///
    /// # Errors
    /// Where a manifest is wrong.
    pub(crate) fn find(project: &Project) -> Result<Self, Error> {
        let metadata =
            MetadataCommand::new().manifest_path(&project.manifest).features(CargoOpt::AllFeatures).exec()?;
        let nodes = metadata.resolve.iter().flat_map(|resolve| &resolve.nodes);
        let nodes: BTreeMap<_, _> = nodes.map(|node| (&node.id, &node.dependencies)).collect();
        let root = metadata.packages.iter().find(|package| package.manifest_path == project.manifest);
        let mut waiting: Vec<_> = root.map(|package| &package.id).into_iter().collect();
        let mut seen = BTreeSet::new();
        while let Some(id) = waiting.pop() {
            if seen.insert(id) {
                waiting.extend(nodes.get(id).into_iter().flat_map(|ids| ids.iter()));
            }
        }
        let mut packages: Vec<PathBuf> = metadata
            .packages
            .iter()
            .filter(|package| package.source.is_none() && seen.contains(&package.id))
            .filter_map(|package| {
                package.manifest_path.parent().map(|folder| folder.as_std_path().to_owned())
            })
            .collect();
        if packages.is_empty() {
            packages.push(project.directory.clone());
        }
        Ok(Self { workspace: metadata.workspace_root.clone().into(), packages })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_dev_server_cannot_go_on_with_is_said() {
        let before = Project {
            name: "shop".into(),
            library: "shop".into(),
            manifest: PathBuf::new(),
            directory: PathBuf::new(),
            target: PathBuf::new(),
            hydrates: true,
            has_edge: false,
            wasm_bindgen: Some("0.2.130".into()),
            out: PathBuf::new(),
        };
        let now = || before.clone();
        for (now, expected) in [
            (now(), None),
            (Project { hydrates: false, ..now() }, Some("islands")),
            (Project { wasm_bindgen: None, ..now() }, Some("wasm-bindgen")),
            (Project { library: "store".into(), ..now() }, Some("library")),
        ] {
            let stale = stale(&before, &now);
            assert_eq!(stale.is_some(), expected.is_some());
            assert!(stale.is_none_or(|text| text.contains(expected.unwrap())), "{stale:?}");
        }
    }
}
