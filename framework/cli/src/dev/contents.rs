//! Whether a file that was written is another than before.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

/// Files that are larger than this are not read: no source is, and a photograph of some megabytes is read in milliseconds.
const LARGE: u64 = 16 << 20;

/// More files are not remembered: all are forgotten then, and a file that is saved as it was counts as changed, once.
const MOST: usize = 50_000;

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
        if self.0.len() >= MOST {
            self.0.clear();
        }
        self.0.insert(path.to_owned(), now) != Some(now)
    }
}

/// Nothing for what is no file. A large one is told by its length and time alone, since it is read while pages wait.
fn hash(path: &Path) -> Option<blake3::Hash> {
    let metadata = std::fs::metadata(path).ok()?;
    if metadata.len() > LARGE {
        let text = format!("{} {:?}", metadata.len(), metadata.modified().ok());
        return Some(blake3::hash(text.as_bytes()));
    }
    std::fs::read(path).ok().map(|bytes| blake3::hash(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_file_is_told_by_its_length_and_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let file = std::fs::File::create(&path).unwrap();
        file.set_len(LARGE + 1).unwrap();
        let mut contents = Contents::default();
        contents.learn([&path]);
        assert!(!contents.differs(&path));
        file.set_len(LARGE + 2).unwrap();
        assert!(contents.differs(&path) && !contents.differs(&path));
    }

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
