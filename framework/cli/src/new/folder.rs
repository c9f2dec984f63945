//! The folder of a new application: what is there already, writing into it, git.

use super::template::{self, File};
use crate::Error;
use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Where the application is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The last part of the path, which is the package's name.
    pub(crate) name: String,
    /// Absolute, and without links as far as it exists.
    pub(crate) folder: PathBuf,
}

impl Place {
    /// What a path means: `shop`, `apps/shop`, `.`.
    ///
    /// # Errors
    /// Where the current folder cannot be told.
    pub(crate) fn of(path: &Path) -> Result<Self, Error> {
        let absolute = std::path::absolute(path).map_err(Error::file("resolving", path))?;
        let folder = resolved(&absolute);
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { name, folder })
    }

    /// Whether nothing is there yet. A repository without a file in it is as good as nothing.
    ///
    /// # Errors
    /// [`Error::Occupied`], or where the folder cannot be read.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let occupied = |found| Err(Error::Occupied { folder: self.folder.clone(), found });
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return occupied("it is a file".to_owned());
            }
            Err(error) => return Err(Error::file("reading", &self.folder)(error)),
        };
        for entry in entries {
            let name = entry.map_err(Error::file("reading", &self.folder))?.file_name();
            if name != ".git" {
                return occupied(format!("it holds {}", name.to_string_lossy()));
            }
        }
        Ok(())
    }

    /// The name as code has it.
    pub(crate) fn krate(&self) -> String {
        template::krate(&self.name)
    }

    /// The root of the repository that the folder is in, where it is in one.
    pub(crate) fn repository(&self) -> Option<&Path> {
        self.folder.ancestors().find(|folder| folder.join(".git").exists())
    }

    /// Writes the files.
    ///
    /// # Errors
    /// Where one cannot be written.
    pub(crate) fn write(&self, files: &[File]) -> Result<(), Error> {
        for file in files {
            let path = self.folder.join(&file.path);
            let parent = path.parent().unwrap_or(&self.folder);
            fs::create_dir_all(parent).map_err(Error::file("making", parent))?;
            fs::write(&path, &file.text).map_err(Error::file("writing", &path))?;
        }
        Ok(())
    }

    /// Makes it a repository; whether git did.
    pub(crate) fn init_repository(&self) -> bool {
        let mut git = Command::new("git");
        git.args(["init", "--quiet"]).current_dir(&self.folder);
        let status = git.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    }
}

/// The path without links and `..`, as far as it exists: what does not exist yet has none.
fn resolved(path: &Path) -> PathBuf {
    let known = path.ancestors().find_map(|known| Some((known, fs::canonicalize(known).ok()?)));
    match known {
        Some((known, real)) => match path.strip_prefix(known) {
            Ok(rest) if !rest.as_os_str().is_empty() => real.join(rest),
            _ => real,
        },
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_part_of_a_path_is_the_name() {
        let root = tempfile::tempdir().unwrap();
        let real = fs::canonicalize(root.path()).unwrap();
        let place = Place::of(&root.path().join("apps/shop")).unwrap();
        assert_eq!((place.name.as_str(), place.folder.clone()), ("shop", real.join("apps/shop")));
        let place = Place::of(&root.path().join("shop/")).unwrap();
        assert_eq!(place.name, "shop");
        fs::create_dir(root.path().join("blog")).unwrap();
        assert_eq!(Place::of(&root.path().join("blog/.")).unwrap().name, "blog");
    }

    #[test]
    fn a_folder_that_holds_something_is_refused_and_an_empty_repository_is_not() {
        let root = tempfile::tempdir().unwrap();
        let place = Place::of(&root.path().join("shop")).unwrap();
        place.check().unwrap();
        fs::create_dir_all(place.folder.join(".git")).unwrap();
        place.check().unwrap();
        fs::write(place.folder.join("notes.txt"), "").unwrap();
        let error = place.check().unwrap_err().to_string();
        assert!(error.contains("notes.txt"), "{error}");

        fs::write(root.path().join("file"), "").unwrap();
        let error = Place::of(&root.path().join("file")).unwrap().check().unwrap_err().to_string();
        assert!(error.contains("is a file"), "{error}");
    }

    #[test]
    fn a_repository_is_found_wherever_above_it_is() {
        let root = tempfile::tempdir().unwrap();
        let place = Place::of(&root.path().join("apps/shop")).unwrap();
        assert_eq!(place.repository(), None);
        fs::create_dir(root.path().join(".git")).unwrap();
        assert_eq!(place.repository(), Some(fs::canonicalize(root.path()).unwrap().as_path()));
    }
}
