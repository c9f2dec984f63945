//! Whether a changed source can be patched into the open pages.

use std::path::{Path, PathBuf};

/// What a change of sources is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    /// Nothing that runs: comments, blanks.
    None,
    /// Only views, which open pages are patched by.
    Patch(Vec<serde_json::Value>),
    /// Something to compile.
    Code,
}

/// The sources as they were compiled, and as they are now.
pub(crate) struct Views {
    _root: PathBuf,
}

impl Views {
    /// `root` is the folder from which the compiler names sources.
    pub(crate) fn new(root: &Path) -> Self {
        Self { _root: root.to_owned() }
    }

    /// Learns a source as it was compiled.
    pub(crate) fn load(&mut self, _path: &Path) {}

    /// What a source became.
    pub(crate) fn change(&mut self, _path: &Path) -> Change {
        Change::Code
    }

    /// What pages of the running process are to be patched by.
    pub(crate) fn pending(&self) -> Vec<serde_json::Value> {
        Vec::new()
    }

    /// The sources as they are now have been compiled.
    pub(crate) fn compiled(&mut self) {}
}
