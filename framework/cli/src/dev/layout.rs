//! Where the application's sources are, as `cargo metadata` says.

use crate::{Error, project::Project};
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
