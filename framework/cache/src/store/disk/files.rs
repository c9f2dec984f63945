//! The files of the disk store, and the list of them in memory. Everything here blocks.

use crate::Error;
use std::{
    collections::{BTreeMap, HashMap},
    ffi::OsStr,
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};
use tropos_core::Key;

/// Files occupy whole blocks.
const BLOCK: u64 = 4096;

/// The first 128 bits of the key's hash: nobody can make two keys meet, and the key within the file is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Name(u128);

impl Name {
    pub(super) fn of(key: &Key) -> Self {
        let hash = blake3::hash(key.as_str().as_bytes());
        Self(hash.as_bytes().first_chunk().map_or(0, |half| u128::from_be_bytes(*half)))
    }

    fn of_file(path: &Path) -> Option<Self> {
        let stem = path.file_stem()?.to_str()?;
        let is_entry = path.extension() == Some(OsStr::new("entry")) && stem.len() == 32;
        is_entry.then(|| u128::from_str_radix(stem, 16).ok().map(Self))?
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The entry files of one build.
pub(super) struct Files {
    /// The folder of all builds.
    builds: PathBuf,
    /// The folder of this one.
    root: PathBuf,
    most_bytes: u64,
    index: Mutex<Index>,
    warned: AtomicBool,
}

/// What there is, by when it was last used.
#[derive(Default)]
struct Index {
    files: HashMap<Name, Slot>,
    by_use: BTreeMap<u64, Name>,
    uses: u64,
    bytes: u64,
}

struct Slot {
    bytes: u64,
    used: u64,
}

impl Files {
    pub(super) fn open(builds: &Path, build: &str, most_bytes: u64) -> Result<Self, Error> {
        let root = builds.join(folder_name(build));
        fs::create_dir_all(&root).map_err(|source| Error::Io {
            what: "create",
            path: root.clone(),
            source,
        })?;
        let mut index = Index::default();
        let mut found =
            list(&root).map_err(|source| Error::Io { what: "read", path: root.clone(), source })?;
        found.sort_by_key(|(_, modified, _)| *modified);
        for (name, _, bytes) in found {
            index.insert(name, bytes);
        }
        let files = Self {
            builds: builds.to_owned(),
            root,
            most_bytes,
            index: Mutex::new(index),
            warned: AtomicBool::new(false),
        };
        files.drive_out();
        Ok(files)
    }

    /// Whether there is such a file; it counts as used.
    pub(super) fn touch(&self, name: Name) -> bool {
        self.index().touch(name)
    }

    pub(super) fn read(&self, name: Name) -> Option<Vec<u8>> {
        match fs::read(self.path(name)) {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                self.index().remove(name);
                if error.kind() != io::ErrorKind::NotFound {
                    self.warn("read", &error);
                }
                None
            }
        }
    }

    pub(super) fn write(&self, name: Name, bytes: &[u8]) {
        let path = self.path(name);
        let temporary = path.with_extension("tmp");
        let write = || {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::write(&temporary, bytes)?;
            fs::rename(&temporary, &path)
        };
        match write() {
            Ok(()) => {
                self.index().insert(name, bytes.len() as u64);
                self.drive_out();
            }
            Err(error) => {
                drop(fs::remove_file(&temporary)); // as far as it came
                self.warn("write", &error);
            }
        }
    }

    pub(super) fn remove(&self, name: Name) {
        let known = self.index().remove(name);
        if known {
            drop(fs::remove_file(self.path(name))); // gone is gone, by whomever
        }
    }

    pub(super) fn remove_other_builds(&self) {
        let Ok(builds) = fs::read_dir(&self.builds) else {
            return;
        };
        for other in builds.flatten().map(|build| build.path()).filter(|build| *build != self.root) {
            if let Err(error) = fs::remove_dir_all(&other) {
                tracing::warn!(path = %other.display(), %error, "the entries of another build could not be removed");
            }
        }
    }

    /// Removes what was not used for longest, until the rest fits.
    fn drive_out(&self) {
        loop {
            let oldest = self.index().oldest_beyond(self.most_bytes); // the list is free again when a file is removed
            match oldest {
                Some(name) => self.remove(name),
                None => return,
            }
        }
    }

    fn path(&self, name: Name) -> PathBuf {
        let name = name.to_string();
        let folder = name.get(..2).unwrap_or_default();
        self.root.join(folder).join(format!("{name}.entry"))
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Once: a full disk fails every write, and the log may lie on the same disk.
    fn warn(&self, what: &str, error: &io::Error) {
        if !self.warned.swap(true, Ordering::Relaxed) {
            let path = self.root.display();
            tracing::warn!(%path, %error, "could not {what} entries on disk; memory goes on (said once)");
        }
    }
}

impl Index {
    fn insert(&mut self, name: Name, bytes: u64) {
        self.remove(name);
        let bytes = bytes.div_ceil(BLOCK) * BLOCK;
        self.uses += 1;
        self.bytes += bytes;
        self.by_use.insert(self.uses, name);
        self.files.insert(name, Slot { bytes, used: self.uses });
    }

    fn remove(&mut self, name: Name) -> bool {
        let Some(slot) = self.files.remove(&name) else {
            return false;
        };
        self.by_use.remove(&slot.used);
        self.bytes -= slot.bytes;
        true
    }

    fn touch(&mut self, name: Name) -> bool {
        let Some(slot) = self.files.get_mut(&name) else {
            return false;
        };
        self.by_use.remove(&slot.used);
        self.uses += 1;
        slot.used = self.uses;
        self.by_use.insert(self.uses, name);
        true
    }

    fn oldest_beyond(&self, most_bytes: u64) -> Option<Name> {
        (self.bytes > most_bytes).then(|| self.by_use.values().next().copied())?
    }
}

/// A build's folder. What could lead out of the parent folder is hashed.
fn folder_name(build: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    match build.chars().all(plain) && (1..=64).contains(&build.len()) {
        true => build.to_owned(),
        false => blake3::hash(build.as_bytes()).to_hex().to_string(),
    }
}

type Found = (Name, std::time::SystemTime, u64);

/// The entries in a build's folder. What a write left unfinished is removed.
fn list(root: &Path) -> io::Result<Vec<Found>> {
    let mut found = Vec::new();
    for folder in fs::read_dir(root)? {
        let Ok(files) = fs::read_dir(folder?.path()) else {
            continue;
        };
        for file in files {
            let file = file?;
            let path = file.path();
            match (Name::of_file(&path), file.metadata()) {
                (Some(name), Ok(about)) => found.push((name, about.modified()?, about.len())),
                _ if path.extension() == Some(OsStr::new("tmp")) => fs::remove_file(&path)?,
                _ => {}
            }
        }
    }
    Ok(found)
}
