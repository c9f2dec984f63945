//! Where PostgreSQL's programs are, and as whom its servers run.

use crate::{Error, folder, program::folder_on_path};
use rustix::process::geteuid;
use std::{
    fs,
    os::unix::{self, process::CommandExt as _},
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// Debian's package, for the message.
pub(crate) const PACKAGE: &str = "postgresql";

/// Debian keeps the versions side by side, and out of the `PATH`.
const VERSIONS: &str = "/usr/lib/postgresql";

/// Whose servers they are where root runs the tests: PostgreSQL and PgBouncer refuse to run as root. Debian's packages
/// make this user.
const USER: &str = "postgres";

/// A version of PostgreSQL on this machine.
#[derive(Debug, Clone)]
pub(crate) struct Install {
    programs: PathBuf,
    owner: Owner,
}

impl Install {
    /// The newest of Debian's folders, or else what is on the `PATH`.
    pub(crate) fn find() -> Result<Self, Error> {
        let programs = newest(Path::new(VERSIONS)).or_else(|| folder_on_path("initdb"));
        let programs = programs.ok_or(Error::Missing { program: "postgres", package: PACKAGE })?;
        Ok(Self { programs, owner: Owner::find()? })
    }

    /// One of its programs, with nothing of what the tester has set for clients.
    pub(crate) fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        let set = std::env::vars_os().map(|(name, _)| name);
        for name in set.filter(|name| name.to_string_lossy().starts_with("PG")) {
            command.env_remove(name);
        }
        // Messages are looked for by their English words.
        command.env("LC_ALL", "C").env("PGCLIENTENCODING", "UTF8");
        command
    }

    /// The same, run in `folder` and as whom servers run.
    pub(crate) fn as_owner(&self, name: &str, folder: &Path) -> Command {
        let mut command = self.program(name);
        self.owner.run(&mut command);
        command.current_dir(folder);
        command
    }

    pub(crate) fn owner(&self) -> Owner {
        self.owner
    }
}

/// The folder of the programs of the highest version; one with clients alone does not count.
fn newest(versions: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(versions).ok()?.filter_map(Result::ok);
    let version = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let found = entries.filter_map(|entry| Some((version(&entry.path())?, entry.path().join("bin"))));
    found.filter(|(_, programs)| programs.join("initdb").is_file()).max().map(|(_, programs)| programs)
}

/// As whom servers run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owner {
    /// User and group; `None` for whoever runs the test.
    ids: Option<(u32, u32)>,
}

impl Owner {
    /// The tester, or [`USER`] where that is root.
    pub(crate) fn find() -> Result<Self, Error> {
        if !geteuid().is_root() {
            return Ok(Self { ids: None });
        }
        let users = fs::read_to_string("/etc/passwd").map_err(Error::io("looking for a user of servers"))?;
        let ids =
            ids_of(USER, &users).ok_or(Error::Missing { program: "the user postgres", package: PACKAGE })?;
        Ok(Self { ids: Some(ids) })
    }

    /// Makes a program run as it.
    pub(crate) fn run(self, command: &mut Command) {
        if let Some((user, group)) = self.ids {
            command.uid(user).gid(group);
        }
    }

    /// Makes a file or folder its own.
    pub(crate) fn own(self, path: &Path) -> Result<(), Error> {
        let Some((user, group)) = self.ids else { return Ok(()) };
        unix::fs::chown(path, Some(user), Some(group))
            .map_err(Error::io(format!("giving {} to the user of servers", path.display())))
    }

    /// Writes a file that is its own.
    pub(crate) fn write(self, path: &Path, text: &str) -> Result<(), Error> {
        let doing = format!("writing {}", path.display());
        fs::write(path, text).map_err(Error::io(doing))?;
        self.own(path)
    }

    /// Makes a folder of its own below the one that all servers share.
    pub(crate) fn folder(self, prefix: &str) -> Result<TempDir, Error> {
        let folder = tempfile::Builder::new().prefix(prefix).tempdir_in(folder::shared()?);
        let folder = folder.map_err(Error::io("making a folder for a server"))?;
        self.own(folder.path())?;
        Ok(folder)
    }
}

/// User and group, by the lines of passwd(5).
fn ids_of(user: &str, passwd: &str) -> Option<(u32, u32)> {
    let fields = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
    fields.into_iter().find_map(|fields| match fields[..] {
        [name, _, id, group, ..] if name == user => Some((id.parse().ok()?, group.parse().ok()?)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_with_a_server_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        for (version, program) in [("9", "initdb"), ("15", "initdb"), ("17", "psql"), ("common", "initdb")] {
            let programs = folder.path().join(version).join("bin");
            fs::create_dir_all(&programs).unwrap();
            fs::write(programs.join(program), "").unwrap();
        }
        assert_eq!(newest(folder.path()), Some(folder.path().join("15/bin")));
        assert_eq!(newest(&folder.path().join("none")), None);
    }

    #[test]
    fn a_user_is_found_by_its_whole_name() {
        let passwd =
            "root:x:0:0:root:/root:/bin/sh\npostgres2:x:5:6::/:\npostgres:x:101:104:,,,:/var:/bin/sh\n";
        assert_eq!(ids_of("postgres", passwd), Some((101, 104)));
        assert_eq!(ids_of("nobody", passwd), None);
    }
}
