//! The islands for the browser, in the folder that `TROPOS_DEV` names.

use crate::{
    Error,
    build::{assets::put, islands},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::{Mutex, PoisonError},
};
use tropos_core::manifest::{self, Asset, Islands, Manifest};

/// Names the module that the folder was made from.
const SOURCE: &str = "module.hash";
/// The files of the build before: pages that are open still name them.
const BEFORE: &str = "before.json";

/// One at a time: a round that was given up may still be at it, and must not write over what the next one made.
static BINDING: Mutex<()> = Mutex::new(());

/// Binds a compiled module and puts the result into `folder`; `false` where it was made from the same bytes already.
///
/// # Errors
/// Where wasm-bindgen refuses the module, or a file cannot be written.
pub(crate) fn make(module: &Path, folder: &Path) -> Result<bool, Error> {
    let _one = BINDING.lock().unwrap_or_else(PoisonError::into_inner);
    let bytes = fs::read(module).map_err(Error::file("reading", module))?;
    let hash = blake3::hash(&bytes).to_hex().to_string();
    if is_made_from(folder, &hash) {
        return Ok(false);
    }
    let parent = folder.parent().unwrap_or(folder);
    fs::create_dir_all(parent).map_err(Error::file("making", parent))?;
    let scratch = tempfile::tempdir_in(parent).map_err(Error::file("making a folder in", parent))?;
    let files = if islands::bind(module, scratch.path(), true)? {
        islands::files(scratch.path(), true)?
    } else {
        Vec::new()
    };
    let public = folder.join("public");
    let mut assets = BTreeMap::new();
    for file in files {
        put(&public.join(&file.file), &file.bytes)?;
        let bytes = u64::try_from(file.bytes.len()).unwrap_or(u64::MAX);
        assets.insert(file.name, Asset { file: file.file, bytes, encoded: BTreeMap::new() });
    }
    replace(folder, assets)?;
    put(&folder.join(SOURCE), hash.as_bytes())?;
    Ok(true)
}

/// An application without islands has an empty list.
///
/// # Errors
/// Where a file cannot be written.
pub(crate) fn none(folder: &Path) -> Result<(), Error> {
    replace(folder, BTreeMap::new())
}

fn is_made_from(folder: &Path, hash: &str) -> bool {
    folder.join(manifest::FILE).is_file()
        && fs::read_to_string(folder.join(SOURCE)).is_ok_and(|known| known == hash)
}

/// Writes the manifest, and removes what neither it nor the one before names.
fn replace(folder: &Path, assets: BTreeMap<String, Asset>) -> Result<(), Error> {
    let path = folder.join(manifest::FILE);
    let before: BTreeSet<String> = fs::read(&path)
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Manifest>(&bytes).ok())
        .map(|before| before.assets.into_values().map(|asset| asset.file).collect())
        .unwrap_or_default();
    let has = assets.contains_key(islands::SCRIPT) && assets.contains_key(islands::MODULE);
    let keep: BTreeSet<&str> =
        assets.values().map(|asset| asset.file.as_str()).chain(before.iter().map(String::as_str)).collect();
    let older = fs::read(folder.join(BEFORE)).ok();
    let older: Vec<String> = older.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    for file in older.iter().filter(|file| !keep.contains(file.as_str())) {
        // Another may have removed it.
        let _ = fs::remove_file(folder.join("public").join(file));
    }
    let json = |value: &serde_json::Value| value.to_string().into_bytes();
    put(&folder.join(BEFORE), &json(&serde_json::json!(keep)))?;
    let manifest = Manifest {
        version: manifest::VERSION,
        build_id: "dev".into(),
        islands: has.then(|| Islands { script: islands::SCRIPT.into(), wasm: islands::MODULE.into() }),
        assets,
    };
    let text = serde_json::to_vec_pretty(&manifest)
        .map_err(|source| Error::Json { what: manifest::FILE.into(), source })?;
    // By renaming, so that a process that starts meanwhile reads the one or the other.
    let scratch = folder.join("manifest.json.tmp");
    put(&scratch, &text)?;
    fs::rename(&scratch, &path).map_err(Error::file("writing", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_stay_for_as_long_as_an_open_page_may_name_them() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let there = |file: &str| folder.join("public").join(file).is_file();
        for build in 1..=4 {
            let file = format!("app.{build}.js");
            put(&folder.join("public").join(&file), b"x").unwrap();
            let asset = Asset { file, bytes: 1, encoded: BTreeMap::new() };
            replace(folder, BTreeMap::from([("app.js".to_owned(), asset)])).unwrap();
        }
        assert_eq!(["app.1.js", "app.2.js", "app.3.js", "app.4.js"].map(there), [false, false, true, true]);
        let manifest: Manifest =
            serde_json::from_slice(&fs::read(folder.join("manifest.json")).unwrap()).unwrap();
        assert_eq!(manifest.assets["app.js"].file, "app.4.js");
        assert!(manifest.islands.is_none());
    }
}
