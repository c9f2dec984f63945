//! Whether a file that was written is another than before.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

/// What is known of files, by the hash of their content. As many as a build reads.
#[derive(Debug, Default)]
pub(crate) struct Contents(HashMap<PathBuf, Option<blake3::Hash>>);

impl Contents {
    /// Learns what is in files that are not known yet.
    pub(crate) fn learn<'a>(&mut self, paths: impl IntoIterator<Item = &'a PathBuf>) {
        for path in paths {
            if !self.0.contains_key(path) {
                self.0.insert(path.clone(), hash(path));
            }
        }
    }

    /// Whether the file holds something else than when it was last looked at; a file that is not known is new.
    pub(crate) fn differs(&mut self, path: &Path) -> bool {
        let now = hash(path);
        self.0.insert(path.to_owned(), now) != Some(now)
    }
}

/// Nothing for what is no file.
fn hash(path: &Path) -> Option<blake3::Hash> {
    std::fs::read(path).ok().map(|bytes| blake3::hash(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_written_as_it_was_has_not_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.rs");
        std::fs::write(&path, "1").unwrap();
        let mut contents = Contents::default();
        contents.learn([&path]);
        std::fs::write(&path, "1").unwrap();
        assert!(!contents.differs(&path));
        std::fs::write(&path, "2").unwrap();
        assert!(contents.differs(&path) && !contents.differs(&path));
        std::fs::remove_file(&path).unwrap();
        assert!(contents.differs(&path) && !contents.differs(&path));
        assert!(contents.differs(&folder.path().join("new.rs")));
    }
}
