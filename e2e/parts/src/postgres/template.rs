//! An empty database cluster, made once for each version of PostgreSQL on a machine: `initdb` takes half a second and
//! more, and a copy a twentieth of one.

use super::install::{Install, PACKAGE};
use crate::{
    Error, PATIENCE, folder, poll,
    run::{input, run},
};
use std::{
    fs::{self, File, TryLockError},
    hash::{BuildHasher as _, RandomState},
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The user without limits, as Debian calls it.
pub(crate) const SUPERUSER: &str = "postgres";

/// Of the arguments below: raised when they change, so that an older template is not taken.
const RECIPE: u32 = 1;

/// Segments of one megabyte instead of sixteen make the folder half as large.
const INITDB: &[&str] = &[
    "--username=postgres",
    "--auth=trust",
    "--encoding=UTF8",
    "--locale=C.UTF-8",
    "--wal-segsize=1",
    "--no-sync",
    "--no-instructions",
    "--pgdata=data",
];

/// Fills `folder/data` with an empty cluster that has an identifier of its own.
pub(super) fn unpack(install: &Install, folder: &Path) -> Result<(), Error> {
    let archive = archive(install)?;
    let archive = File::open(&archive).map_err(Error::io(format!("opening {}", archive.display())))?;
    let mut tar = Command::new("tar");
    install.owner().run(&mut tar);
    tar.args(["-xpf", "-"]).current_dir(folder);
    run(&mut tar, "tar", "tar", "unpacking an empty database", archive.into())?;
    identify(install, folder)
}

/// Gives the copy an identifier that no other has, as `initdb` would: only a server and its replicas share one.
fn identify(install: &Install, folder: &Path) -> Result<(), Error> {
    // The identifier is the first field of the control file in each version, and written in the machine's order. SQL
    // shows it as a signed number.
    let identifier = (RandomState::new().hash_one(folder) >> 1) | 1;
    let write = || {
        let mut control = File::options().write(true).open(folder.join("data/global/pg_control"))?;
        control.write_all(&identifier.to_ne_bytes())
    };
    write().map_err(Error::io("giving a copy its identifier"))?;
    // Writes the checksum of the control file anew, and a log that belongs to the identifier. It has to be forced,
    // because the checksum is wrong until then.
    let mut reset = install.as_owner("pg_resetwal", folder);
    run(reset.args(["--force", "data"]), "pg_resetwal", PACKAGE, "pg_resetwal", Stdio::null()).map(drop)
}

/// The archive, made now if there is none. One file, so that it is there as a whole or not at all.
fn archive(install: &Install) -> Result<PathBuf, Error> {
    let mut command = install.program("postgres");
    let version = run(command.arg("--version"), "postgres", PACKAGE, "postgres --version", input("")?)?;
    // `postgres (PostgreSQL) 15.18 (Debian 15.18-0)`
    let version = version.split_ascii_whitespace().nth(2).unwrap_or("unknown");
    let folder = folder::shared()?;
    let archive = folder.join(format!("postgres-{version}-{RECIPE}.tar"));
    if archive.is_file() {
        return Ok(archive);
    }
    let lock = File::create(folder.join("lock")).map_err(Error::io("opening the lock of the template"))?;
    let locked = poll::until(PATIENCE * 2, || match lock.try_lock() {
        Ok(()) => Ok(Some(())),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(Error::io("locking the template")(error)),
    })?;
    if locked.is_none() {
        let what = format!("nobody released {}/lock", folder.display());
        return Err(Error::Late { what, patience: PATIENCE * 2, log: String::new() });
    }
    // Another may have made it meanwhile.
    if !archive.is_file() {
        make(install, &archive)?;
    }
    Ok(archive)
}

fn make(install: &Install, archive: &Path) -> Result<(), Error> {
    let folder = install.owner().folder("postgres-")?;
    let mut initdb = install.as_owner("initdb", folder.path());
    run(initdb.args(INITDB), "initdb", PACKAGE, "initdb", Stdio::null())?;
    let unfinished = archive.with_extension("unfinished");
    let mut tar = Command::new("tar");
    tar.arg("-cf").arg(&unfinished).arg("data").current_dir(folder.path());
    run(&mut tar, "tar", "tar", "packing an empty database", Stdio::null())?;
    fs::rename(&unfinished, archive).map_err(Error::io("keeping the template"))
}
