//! The folder that a build fills, and how it takes the place of the one before.

use crate::{Error, interrupt::Unfinished};
use std::{
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;
use tropos_core::manifest;

/// What tells a folder of one's own from any other, and what to say where it is another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind {
    /// A file that every such folder holds.
    pub(crate) marker: &'static str,
    /// The option that names another place.
    pub(crate) option: &'static str,
}

/// What `build` leaves.
pub(crate) const DIST: Kind = Kind { marker: manifest::FILE, option: "--out" };

/// Keeps the unfinished folder out of `git status`, since nobody ignores its name.
const IGNORE: &str = ".gitignore";

/// A folder beside `dist/`, swapped in by renaming once it is complete: a build that fails leaves `dist/` as it was, and
/// nobody sees a half of one.
pub(crate) struct Output {
    staging: TempDir,
    place: PathBuf,
    _unfinished: Unfinished,
}

impl Output {
    /// Refuses a place that holds something that no build made, since `--out ~` must not end in an empty home, and one
    /// where nothing can be written: better now than after minutes of compiling.
    ///
    /// # Errors
    /// [`Error::ForeignOutput`], or where no folder can be made there.
    pub(crate) fn check(place: &Path, kind: Kind) -> Result<(), Error> {
        Self::beside(place, kind).map(drop)
    }

    /// A new, empty folder beside `place`. To be made once compiling is over, so that it is there for a short time.
    ///
    /// # Errors
    /// Where the folder cannot be made, or the place holds something else.
    pub(crate) fn beside(place: &Path, kind: Kind) -> Result<Self, Error> {
        if is_foreign(place, kind) {
            let Kind { marker, option } = kind;
            return Err(Error::ForeignOutput { place: place.to_owned(), marker, option });
        }
        let parent = place.parent().unwrap_or_else(|| Path::new("."));
        fs::create_dir_all(parent).map_err(Error::file("making", parent))?;
        let mut prefix = place.file_name().unwrap_or_default().to_owned();
        prefix.push(".tmp-");
        let staging = tempfile::Builder::new()
            .prefix(&prefix)
            .tempdir_in(parent)
            .map_err(Error::file("making", parent))?;
        readable_by_all(staging.path())?;
        let ignore = staging.path().join(IGNORE);
        fs::write(&ignore, "*\n").map_err(Error::file("writing", ignore))?;
        let _unfinished = Unfinished::new(staging.path());
        Ok(Self { staging, place: place.to_owned(), _unfinished })
    }

    /// The folder to fill.
    pub(crate) fn path(&self) -> &Path {
        self.staging.path()
    }

    /// Puts the folder in place of the one before.
    ///
    /// # Errors
    /// Where something cannot be renamed; the folder before is then in place again.
    pub(crate) fn publish(self) -> Result<(), Error> {
        let place = &self.place;
        let ignore = self.staging.path().join(IGNORE);
        fs::remove_file(&ignore).map_err(Error::file("removing", ignore))?;
        let mut before = self.staging.path().as_os_str().to_owned();
        before.push(".old");
        let before = PathBuf::from(before);
        let replaces = place.exists();
        if replaces {
            fs::rename(place, &before).map_err(Error::file("moving away", place))?;
        }
        if let Err(error) = fs::rename(self.staging.path(), place) {
            if replaces {
                // Nothing better to do with a second failure than to report the first.
                let _ = fs::rename(&before, place);
            }
            return Err(Error::file("moving the build to", place)(error));
        }
        // The folder is no longer where its guard would delete it.
        let _ = self.staging.keep();
        if replaces {
            fs::remove_dir_all(&before).map_err(Error::file("removing", before))?;
        }
        Ok(())
    }
}

/// Whether a folder holds something that is of no such kind.
fn is_foreign(place: &Path, kind: Kind) -> bool {
    let holds_something = || place.read_dir().map_or(true, |mut entries| entries.next().is_some());
    place.exists() && !place.join(kind.marker).is_file() && holds_something()
}

#[cfg(unix)]
fn readable_by_all(folder: &Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt as _;
    // Temporary folders are their owner's alone, and a server often runs as another user.
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).map_err(Error::file("opening up", folder))
}

#[cfg(not(unix))]
fn readable_by_all(_: &Path) -> Result<(), Error> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            folder.read_dir().unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_finished_build_takes_the_place_of_the_one_before_and_leaves_nothing_beside_it() {
        let root = tempfile::tempdir().unwrap();
        let place = root.path().join("dist");
        for content in ["one", "two"] {
            let output = Output::beside(&place, DIST).unwrap();
            fs::write(output.path().join(manifest::FILE), content).unwrap();
            fs::write(output.path().join(content), "").unwrap();
            output.publish().unwrap();
            assert_eq!(fs::read_to_string(place.join(manifest::FILE)).unwrap(), content);
        }
        assert_eq!(names(root.path()), ["dist"]);
        assert_eq!(names(&place), ["manifest.json", "two"]);
    }

    #[test]
    fn a_build_that_fails_leaves_the_one_before() {
        let root = tempfile::tempdir().unwrap();
        let place = root.path().join("dist");
        fs::create_dir(&place).unwrap();
        fs::write(place.join(manifest::FILE), "old").unwrap();
        let output = Output::beside(&place, DIST).unwrap();
        fs::write(output.path().join("half"), "").unwrap();
        drop(output);
        assert_eq!(fs::read_to_string(place.join(manifest::FILE)).unwrap(), "old");
        assert_eq!(names(root.path()), ["dist"]);
    }

    #[test]
    fn a_folder_that_no_build_made_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("letter.txt"), "").unwrap();
        assert!(matches!(Output::beside(root.path(), DIST), Err(Error::ForeignOutput { .. })));
        let empty = root.path().join("empty");
        fs::create_dir(&empty).unwrap();
        assert!(Output::beside(&empty, DIST).is_ok());
    }

    #[test]
    fn a_place_where_nothing_can_be_made_is_refused_and_nothing_is_left_behind() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("file"), "").unwrap();
        let error = Output::check(&root.path().join("file/dist"), DIST).unwrap_err().to_string();
        assert!(error.starts_with("making ") && error.contains("file"), "{error}");
        Output::check(&root.path().join("dist"), DIST).unwrap();
        assert_eq!(names(root.path()), ["file"]);
    }

    #[cfg(unix)]
    #[test]
    fn another_user_may_read_the_build() {
        use std::os::unix::fs::PermissionsExt as _;
        let root = tempfile::tempdir().unwrap();
        let output = Output::beside(&root.path().join("dist"), DIST).unwrap();
        assert_eq!(fs::metadata(output.path()).unwrap().permissions().mode() & 0o777, 0o755);
    }
}
