//! Where servers of thousands of files have their folders.

use crate::Error;
use rustix::process::geteuid;
use std::{
    fs::{self, DirBuilder, Metadata, Permissions},
    io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

/// The folder of this user's servers below the system's for temporary files, made now if there is none. Others may pass
/// through it, because the servers of root's tests are another user's; nobody else may write to it.
pub(crate) fn shared() -> Result<PathBuf, Error> {
    let user = geteuid().as_raw();
    let folder = std::env::temp_dir().join(format!("tropos-servers-{user}"));
    let doing = format!("making {}", folder.display());
    match DirBuilder::new().mode(0o700).create(&folder) {
        Ok(()) => {
            // Whatever the tester's mask keeps from new folders.
            fs::set_permissions(&folder, Permissions::from_mode(0o711)).map_err(Error::io(doing.clone()))?;
            spread(&folder);
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(Error::io(doing)(error)),
    }
    let is_own = |data: Metadata| data.is_dir() && data.uid() == user && data.mode() & 0o022 == 0;
    if fs::symlink_metadata(&folder).is_ok_and(is_own) {
        return Ok(folder);
    }
    Err(Error::io(doing)(io::Error::new(
        io::ErrorKind::PermissionDenied,
        "somebody else made it or may write to it: remove it",
    )))
}

/// Has ext4 place each folder in a part of the disk of its own (`chattr +T`). It places files near those of their folder's
/// neighbours else, does not use an inode again for minutes, and looks at each of them in turn: with the thousand files
/// of each server that was removed, the next one takes seconds to make.
#[cfg(target_os = "linux")]
fn spread(folder: &Path) {
    use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};
    // Other file systems refuse, and have no need of it.
    let _ = fs::File::open(folder).map(|folder| {
        ioctl_getflags(&folder).and_then(|flags| ioctl_setflags(&folder, flags | IFlags::TOPDIR))
    });
}

#[cfg(not(target_os = "linux"))]
fn spread(_folder: &Path) {}
