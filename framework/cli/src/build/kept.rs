//! The islands' files of the last build, kept in the target folder: binding, optimising and minifying take longer than all
//! else that a build without changes does, and depend on the module and the tools alone.

use super::assets::Hashed;
use crate::{Error, project::Project};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The file that says what is kept.
const LIST: &str = "kept.json";

#[derive(Debug, Serialize, Deserialize)]
struct List {
    key: String,
    files: Vec<Kept>,
}

/// One file, whose content lies beside the list under its number.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    name: String,
    file: String,
    hash: String,
}

/// Where the files of an application lie, apart for each profile. `cargo clean` takes them along.
pub(crate) fn folder(project: &Project, debug: bool) -> PathBuf {
    let profile = if debug { "dev" } else { "release" };
    project.target.join("tropos").join(format!("{}-{profile}", project.name))
}

/// What the files depend on: the module, how it is treated, and the programs that treat it.
///
/// # Errors
/// Where the module cannot be read.
pub(crate) fn key(module: &Path, debug: bool, optimiser: Option<&Path>) -> Result<String, Error> {
    let bytes = fs::read(module).map_err(Error::file("reading", module))?;
    let mut hash = blake3::Hasher::new();
    hash.update(blake3::hash(&bytes).as_bytes()).update(&[u8::from(debug)]);
    // wasm-bindgen and the minifier are part of this program.
    let own = std::env::current_exe().ok();
    for program in [own.as_deref(), optimiser] {
        hash.update(program.map(identity).unwrap_or_default().as_bytes()).update(&[0]);
    }
    Ok(hash.finalize().to_hex().to_string())
}

/// Another program of the same name has another length or another time.
fn identity(program: &Path) -> String {
    let data = fs::metadata(program).ok();
    let length = data.as_ref().map(fs::Metadata::len);
    let time = data.and_then(|data| data.modified().ok());
    format!("{} {length:?} {time:?}", program.display())
}

/// What is kept for this key, and whole.
pub(crate) fn read(folder: &Path, key: &str) -> Option<Vec<Hashed>> {
    let list: List = serde_json::from_slice(&fs::read(folder.join(LIST)).ok()?).ok()?;
    if list.key != key {
        return None;
    }
    let read = |(at, kept): (usize, Kept)| {
        let bytes = fs::read(folder.join(at.to_string())).ok()?;
        let whole = blake3::hash(&bytes).to_hex().as_str() == kept.hash;
        whole.then_some(Hashed { name: kept.name, file: kept.file, bytes })
    };
    list.files.into_iter().enumerate().map(read).collect()
}

/// Keeps files in place of those that were kept before.
///
/// # Errors
/// Where something cannot be written.
pub(crate) fn write(folder: &Path, key: String, files: &[Hashed]) -> Result<(), Error> {
    // The list is written last, and goes first: a build that is cut off leaves nothing that looks whole.
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(Error::file("removing", folder)(error));
        }
        _ => {}
    }
    fs::create_dir_all(folder).map_err(Error::file("making", folder))?;
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        fs::write(&path, bytes).map_err(Error::file("writing", path))
    };
    for (at, file) in files.iter().enumerate() {
        put(&at.to_string(), &file.bytes)?;
    }
    let kept = |file: &Hashed| Kept {
        name: file.name.clone(),
        file: file.file.clone(),
        hash: blake3::hash(&file.bytes).to_hex().to_string(),
    };
    let list = List { key, files: files.iter().map(kept).collect() };
    let json = serde_json::to_vec(&list).map_err(|source| Error::Json { what: LIST.into(), source })?;
    put(LIST, &json)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(text: &str) -> Vec<Hashed> {
        ["app.js", "snippets/a.js"]
            .map(|name| Hashed { name: name.into(), file: format!("h/{name}"), bytes: text.into() })
            .into()
    }

    #[test]
    fn what_is_kept_comes_back_for_its_key_alone_and_only_whole() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("shop-release");
        assert_eq!(read(&folder, "k"), None);
        write(&folder, "k".into(), &files("one")).unwrap();
        assert_eq!(read(&folder, "k"), Some(files("one")));
        assert_eq!(read(&folder, "other"), None);
        write(&folder, "l".into(), &files("two")).unwrap();
        assert_eq!(read(&folder, "k"), None, "one build is kept, not all");
        assert_eq!(read(&folder, "l"), Some(files("two")));
        fs::write(folder.join("1"), "tw").unwrap();
        assert_eq!(read(&folder, "l"), None);
        // An application without islands is nothing to bind again either.
        write(&folder, "m".into(), &[]).unwrap();
        assert_eq!(read(&folder, "m"), Some(Vec::new()));
    }

    #[test]
    fn the_key_changes_with_the_module_the_profile_and_the_optimiser() {
        let root = tempfile::tempdir().unwrap();
        let (module, tool) = (root.path().join("a.wasm"), root.path().join("wasm-opt"));
        fs::write(&module, "one").unwrap();
        fs::write(&tool, "1").unwrap();
        let mut keys = vec![
            key(&module, false, None).unwrap(),
            key(&module, true, None).unwrap(),
            key(&module, false, Some(&tool)).unwrap(),
        ];
        assert_eq!(keys[0], key(&module, false, None).unwrap());
        fs::write(&tool, "12").unwrap();
        keys.push(key(&module, false, Some(&tool)).unwrap());
        fs::write(&module, "two").unwrap();
        keys.push(key(&module, false, None).unwrap());
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), 5);
    }
}
