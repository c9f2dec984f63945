//! Whether a changed source can be patched into the open pages: `tropos-dev` decides, and this reads the files.

use std::path::{Path, PathBuf};
use tropos_dev::views::{self, Renamed, Sources, ViewPatch};

/// What a change of sources is.
#[derive(Debug)]
pub(crate) enum Change {
    /// Nothing that is seen: comments, blanks.
    None,
    /// Only views, which open pages are patched by.
    Patch(Vec<ViewPatch>),
    /// Something to compile.
    Code,
}

/// The sources as they were compiled, as pages show them, and as they are.
pub(crate) struct Views {
    root: PathBuf,
    sources: Sources,
}

impl Views {
    /// `root` is the folder from which the compiler names sources: the workspace's.
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), sources: Sources::new() }
    }

    /// The file's name as the compiler has it, and what is in it.
    fn read(&self, path: &Path) -> Option<(String, String)> {
        if path.extension().is_none_or(|ending| ending != "rs") {
            return None;
        }
        let name = path.strip_prefix(&self.root).unwrap_or(path).to_str()?.to_owned();
        Some((name, std::fs::read_to_string(path).ok()?))
    }

    /// Learns sources as they were compiled first.
    pub(crate) fn load<'a>(&mut self, paths: impl IntoIterator<Item = &'a PathBuf>) {
        for path in paths {
            if let Some((name, text)) = self.read(path) {
                self.sources.load(&name, &text);
            }
        }
    }

    /// What a source became.
    pub(crate) fn change(&mut self, path: &Path) -> Change {
        let Some((name, text)) = self.read(path) else { return Change::Code };
        match self.sources.change(&name, &text) {
            views::Change::None => Change::None,
            views::Change::Patch(patches) => Change::Patch(patches),
            _ => Change::Code,
        }
    }

    /// What a page of the running process is to be patched by.
    pub(crate) fn pending(&self) -> Vec<ViewPatch> {
        self.sources.pending()
    }

    /// A build of the sources as they are begins.
    pub(crate) fn building(&mut self) {
        self.sources.building();
    }

    /// That build runs. Returns what views in open pages are called from now on.
    pub(crate) fn compiled(&mut self) -> Vec<Renamed> {
        self.sources.compiled()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_in_a_view_is_a_patch_and_an_expression_is_code() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("src/home.rs");
        std::fs::create_dir_all(root.path().join("src")).unwrap();
        let write = |text: &str| {
            let source = format!("fn home(n: u32) -> impl IntoView {{ view! {{ <p>{text}</p> }} }}");
            std::fs::write(&path, source).unwrap();
        };
        write("\"one\"");
        let mut views = Views::new(root.path());
        views.load([&path]);
        write("\"two\"");
        assert!(matches!(views.change(&path), Change::Patch(patches) if patches.len() == 1));
        assert_eq!(views.pending().len(), 1);
        write("{n + 1}");
        assert!(matches!(views.change(&path), Change::Code));
        views.building();
        views.compiled();
        assert!(views.pending().is_empty());
        assert!(matches!(views.change(&root.path().join("style.css")), Change::Code));
    }
}
