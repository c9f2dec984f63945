//! The build before this one: what need not be compressed again, and what the new one is held against.

use super::{
    assets::Hashed,
    compress::{CODINGS, Encoded},
};
use crate::Error;
use serde::{Deserialize, Serialize};
use std::{
    fs,
    path::{Path, PathBuf},
};
use tropos_core::manifest::{self, Manifest, PageIndex};

/// The file's name within `dist/`. It is the command's own; no server reads it.
const RECORD: &str = "build.json";

/// How a build was made, for the next one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// `release` or `dev`: sizes of the two say nothing of each other.
    pub(crate) profile: String,
}

impl Record {
    /// Writes it into the folder of a build.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), Error> {
        let path = folder.join(RECORD);
        let json = serde_json::to_vec(self).map_err(|source| Error::Json { what: RECORD.into(), source })?;
        fs::write(&path, json).map_err(Error::file("writing", path))
    }
}

/// The build that the new one takes the place of.
#[derive(Debug)]
pub(crate) struct Before {
    folder: PathBuf,
    pub(crate) manifest: Manifest,
    pub(crate) index: PageIndex,
    record: Option<Record>,
}

impl Before {
    /// Reads it; `None` where there is none that this command understands, which is no error.
    pub(crate) fn read(folder: &Path) -> Option<Self> {
        let read = |name: &str| fs::read(folder.join(name)).ok();
        let manifest: Manifest = serde_json::from_slice(&read(manifest::FILE)?).ok()?;
        let index = read("pages/index.json").and_then(|json| serde_json::from_slice(&json).ok());
        let record = read(RECORD).and_then(|json| serde_json::from_slice(&json).ok());
        (manifest.version == manifest::VERSION).then(|| Self {
            folder: folder.to_owned(),
            manifest,
            index: index.unwrap_or_default(),
            record,
        })
    }

    /// Whether its sizes can be compared with those of this profile.
    pub(crate) fn is_comparable(&self, profile: &str) -> bool {
        self.record.as_ref().is_some_and(|record| record.profile == profile)
    }

    /// The encodings that it has of a file of the same name and content. The name holds 64 bits of the content's hash; the
    /// content itself is compared too, since it lies there.
    pub(crate) fn encodings(&self, file: &Hashed) -> Option<Vec<Encoded>> {
        let asset = self.manifest.assets.get(&file.name).filter(|asset| asset.file == file.file)?;
        let plain = self.folder.join("public").join(&file.file);
        if fs::read(&plain).ok()? != file.bytes {
            return None;
        }
        let mut encodings = Vec::new();
        for (coding, suffix) in CODINGS {
            let Some(length) = asset.encoded.get(coding) else { continue };
            let mut beside = plain.clone().into_os_string();
            beside.push(format!(".{suffix}"));
            let bytes = fs::read(PathBuf::from(beside)).ok()?;
            if bytes.len() as u64 != *length {
                return None;
            }
            encodings.push(Encoded { coding, suffix, bytes });
        }
        Some(encodings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::{assets, names};

    fn hashed(name: &str, bytes: &[u8]) -> Hashed {
        Hashed { name: name.into(), file: names::hashed(name, &names::content(bytes)), bytes: bytes.to_vec() }
    }

    /// A build of these files.
    fn build(folder: &Path, files: &[Hashed]) {
        let written = assets::write(files, &folder.join("public"), None).unwrap();
        let manifest = Manifest {
            version: manifest::VERSION,
            build_id: "b".into(),
            islands: None,
            assets: written.assets,
        };
        fs::write(folder.join(manifest::FILE), serde_json::to_vec(&manifest).unwrap()).unwrap();
    }

    #[test]
    fn a_file_of_the_same_content_is_not_compressed_again_and_any_other_is() {
        let folder = tempfile::tempdir().unwrap();
        let files = [hashed("a.css", &b"a { b: c }".repeat(50)), hashed("small.txt", b"x")];
        build(folder.path(), &files);
        let before = Before::read(folder.path()).unwrap();
        let out = folder.path().join("out");
        let again = assets::write(&files, &out, Some(&before)).unwrap();
        assert_eq!((again.compressed, again.reused), (1, 1));
        assert_eq!(again.assets, before.manifest.assets);
        let name = format!("{}.br", files[0].file);
        let read = |folder: &Path| fs::read(folder.join(&name)).unwrap();
        assert_eq!(read(&out), read(&folder.path().join("public")));

        let changed = [hashed("a.css", &b"a { b: d }".repeat(50))];
        let written = assets::write(&changed, &out, Some(&before)).unwrap();
        assert_eq!((written.compressed, written.reused), (1, 0));
    }

    #[test]
    fn what_was_cut_off_or_changed_by_hand_is_compressed_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = hashed("a.css", &b"a { b: c }".repeat(50));
        for (suffix, content) in [(".br", ""), ("", "a { b: x }")] {
            build(folder.path(), std::slice::from_ref(&file));
            let before = Before::read(folder.path()).unwrap();
            assert!(before.encodings(&file).is_some());
            fs::write(folder.path().join(format!("public/{}{suffix}", file.file)), content).unwrap();
            assert_eq!(before.encodings(&file), None, "{suffix}");
        }
    }

    #[test]
    fn builds_of_one_profile_are_compared_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Before::read(folder.path()).is_none());
        build(folder.path(), &[]);
        assert!(!Before::read(folder.path()).unwrap().is_comparable("dev"), "nobody knows its profile");
        Record { profile: "dev".into() }.write(folder.path()).unwrap();
        let before = Before::read(folder.path()).unwrap();
        assert!(before.is_comparable("dev") && !before.is_comparable("release"));
    }
}
