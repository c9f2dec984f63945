//! What `cargo tropos build` left: the manifest, hashed files, and pages.

use crate::{error::Error, page::inputs::Inputs};
use futures::future::BoxFuture;
use serde::de::DeserializeOwned;
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};
use tropos_cache::{Entry, Seed, StoredPage};
use tropos_core::{
    Clock, Key,
    manifest::{self, Manifest, PageIndex},
};

/// The folder that a build left, `dist/`.
#[derive(Debug, Clone)]
pub struct Dist {
    pub(crate) dir: PathBuf,
    pub(crate) manifest: Manifest,
    pub(crate) pages: PageIndex,
}

/// Where pages lie within `dist/`.
pub(crate) const PAGES: &str = "pages";

/// The list of pages, within [`PAGES`].
pub(crate) const INDEX: &str = "index.json";

impl Dist {
    /// The build beside the running program; `None` where there is no manifest: in development and in tests.
    ///
    /// # Errors
    /// [`Error::Dist`] for a manifest that cannot be read or belongs to another version.
    pub fn beside_executable() -> Result<Option<Self>, Error> {
        let executable = std::env::current_exe()?;
        match executable.parent() {
            Some(dir) if dir.join(manifest::FILE).exists() => Self::read(dir).map(Some),
            _ => Ok(None),
        }
    }

    /// Reads the build in `dir`. Pages may be missing: they are made last.
    ///
    /// # Errors
    /// [`Error::Dist`].
    pub fn read(dir: &Path) -> Result<Self, Error> {
        let path = dir.join(manifest::FILE);
        let manifest: Manifest = read_json(&path)?;
        let index = dir.join(PAGES).join(INDEX);
        let pages = if index.exists() { read_json(&index)? } else { PageIndex::default() };
        of_this_version(path, manifest.version)?;
        Ok(Self { dir: dir.to_owned(), manifest, pages })
    }

    /// What the dev server keeps in the folder that `TROPOS_DEV` names; `None` before it has made anything.
    ///
    /// # Errors
    /// [`Error::Dist`].
    pub(crate) fn of_dev_server(dir: &Path) -> Result<Option<Self>, Error> {
        if dir.join(manifest::FILE).exists() { Self::read(dir).map(Some) } else { Ok(None) }
    }

    /// Whether the pages are all there, for a server: without their list, it would answer 404 for every page of the build.
    ///
    /// # Errors
    /// [`Error::Dist`] for a list that is missing or belongs to another version.
    pub(crate) fn check_pages(&self) -> Result<(), Error> {
        let path = self.dir.join(PAGES).join(INDEX);
        if !path.exists() {
            let source = std::io::Error::new(std::io::ErrorKind::NotFound, "the list of pages is missing");
            return Err(Error::Dist { path, source });
        }
        of_this_version(path, self.pages.version)
    }
}

fn of_this_version(path: PathBuf, version: u32) -> Result<(), Error> {
    if version == manifest::VERSION {
        return Ok(());
    }
    let source = std::io::Error::other(format!(
        "it is of version {version}, and this program of {}",
        manifest::VERSION
    ));
    Err(Error::Dist { path, source })
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let failed = |source| Error::Dist { path: path.to_owned(), source };
    let text = std::fs::read(path).map_err(failed)?;
    serde_json::from_slice(&text).map_err(|error| failed(error.into()))
}

/// The pages of a build, as the cache takes them.
pub(crate) struct BuiltPages {
    dir: PathBuf,
    files: HashMap<Key, String>,
    clock: Arc<dyn Clock>,
}

impl BuiltPages {
    /// `inputs` gives the query and variants under which a route's pages were made.
    pub(crate) fn new(dist: &Dist, clock: Arc<dyn Clock>, inputs: impl Fn(&str) -> Inputs) -> Self {
        let files = dist.pages.routes.iter().flat_map(|(route, pages)| {
            let inputs = inputs(route);
            pages.paths.iter().map(move |(path, file)| (inputs.key(route, path), file.clone()))
        });
        Self { dir: dist.dir.join(PAGES), files: files.collect(), clock }
    }
}

impl Seed<StoredPage> for BuiltPages {
    fn load<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Option<Entry<StoredPage>>> {
        Box::pin(async move {
            let path = self.dir.join(self.files.get(key)?);
            let bytes = match tokio::fs::read(&path).await {
                Ok(bytes) => bytes,
                Err(error) => {
                    tracing::error!(path = %path.display(), %error, "a page of the build cannot be read; run `cargo tropos build` again");
                    return None;
                }
            };
            // Decoding and compressing take about a millisecond, once for each page and process.
            let (now, wall) = (self.clock.now(), self.clock.wall());
            let decoded = tokio::task::spawn_blocking(move || {
                let (stored, entry) = Entry::<StoredPage>::decode(&bytes, now, wall)?;
                Some((stored, Entry::new(entry.meta, entry.value.compress())))
            });
            let (stored, entry) = decoded.await.ok().flatten()?;
            (stored == *key).then_some(entry)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_of_another_version_or_without_its_pages_is_refused_with_the_file_that_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        let manifest =
            |version| format!(r#"{{"version":{version},"build_id":"b","islands":null,"assets":{{}}}}"#);
        write(manifest::FILE, &manifest(99));
        let error = Dist::read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("manifest.json: it is of version 99"), "{error}");
        write(manifest::FILE, &manifest(manifest::VERSION));
        let error = Dist::read(folder.path()).unwrap().check_pages().unwrap_err().to_string();
        assert!(
            error.contains("index.json: the list of pages is missing; run `cargo tropos build` again"),
            "{error}"
        );
        std::fs::create_dir(folder.path().join(PAGES)).unwrap();
        write("pages/index.json", r#"{"version":1,"routes":{}}"#);
        Dist::read(folder.path()).unwrap().check_pages().unwrap();
    }
}
