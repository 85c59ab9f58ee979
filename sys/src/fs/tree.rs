//! Trees made and removed without ever following a symbolic link.
use std::ffi::{CStr, OsStr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};

use super::contents;
use crate::{Op, SysError};

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Directories open at one time. Deeper ones are moved up first, so that neither descriptors nor the
/// stack run out however deep the tree is.
const DEPTH: usize = 64;

/// Turns after which a directory that somebody keeps filling is left to them.
const PATIENCE: usize = 1024;

/// Removes what stands at `path`, a file, a link or a whole directory. Links are removed, never
/// followed, also when somebody exchanges a directory for a link meanwhile.
///
/// # Errors
/// Those of unlinkat(2) and openat(2); `ENOTEMPTY` when somebody keeps adding entries.
pub fn remove_tree(path: &Path) -> Result<(), SysError> {
    let fail = |error: Errno| SysError::new(Op::Remove, path, error);
    let name = path.file_name().ok_or(fail(Errno::INVAL))?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    retry_on_intr(|| rustix::fs::open(parent, flags, Mode::empty()))
        .and_then(|parent| remove_at(parent.as_fd(), name))
        .map_err(fail)
}

/// Removes `name`, which is one component, from `directory`.
pub(super) fn remove_at(directory: BorrowedFd<'_>, name: &OsStr) -> Result<(), Errno> {
    let refused = match retry_on_intr(|| rustix::fs::unlinkat(directory, name, AtFlags::empty())) {
        // Linux says EISDIR, POSIX says EPERM.
        Err(error @ (Errno::ISDIR | Errno::PERM)) => error,
        done => return done,
    };
    let top = open_directory(directory, name).map_err(|error| match error {
        Errno::NOTDIR => refused,
        other => other,
    })?;
    for _ in 0..PATIENCE {
        empty(&top, &top, 0)?;
        match remove_directory(directory, name) {
            Err(Errno::NOTEMPTY | Errno::EXIST) => {}
            done => return done,
        }
    }
    Err(Errno::NOTEMPTY)
}

fn open_directory(parent: impl AsFd, name: impl rustix::path::Arg + Copy) -> Result<OwnedFd, Errno> {
    retry_on_intr(|| rustix::fs::openat(&parent, name, DIRECTORY, Mode::empty()))
}

fn remove_directory(parent: impl AsFd, name: impl rustix::path::Arg + Copy) -> Result<(), Errno> {
    retry_on_intr(|| rustix::fs::unlinkat(&parent, name, AtFlags::REMOVEDIR))
}

/// Removes the entries of `directory`, which is `depth` below `top`.
fn empty(top: &OwnedFd, directory: &OwnedFd, depth: usize) -> Result<(), Errno> {
    let mut entries = Dir::read_from(directory)?;
    while let Some(entry) = entries.read() {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let removed = match entry.file_type() {
            FileType::Directory => Err(Errno::ISDIR),
            _ => retry_on_intr(|| rustix::fs::unlinkat(directory, name, AtFlags::empty())),
        };
        match removed {
            Ok(()) | Err(Errno::NOENT) => {}
            // EPERM: POSIX's word for a directory here; for another thing, opening it says ENOTDIR.
            Err(error @ (Errno::ISDIR | Errno::PERM)) => match remove_below(top, directory, name, depth) {
                Err(Errno::NOTDIR) if error == Errno::PERM => return Err(error),
                // Exchanged for something else meanwhile: the next turn sees what it is now.
                Ok(()) | Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NOTEMPTY | Errno::EXIST) => {
                }
                Err(error) => return Err(error),
            },
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn remove_below(top: &OwnedFd, parent: &OwnedFd, name: &CStr, depth: usize) -> Result<(), Errno> {
    match remove_directory(parent, name) {
        Err(Errno::NOTEMPTY | Errno::EXIST) => {}
        done => return done,
    }
    if depth == DEPTH {
        let aside = contents::temporary_name(OsStr::new("deep"));
        return retry_on_intr(|| rustix::fs::renameat(parent, name, top, &aside));
    }
    let directory = open_directory(parent, name)?;
    empty(top, &directory, depth + 1)?;
    remove_directory(parent, name)
}

/// Makes the directories `names` below one another, following no link on the way. Directories that
/// are there already are used. Answers with the last one.
pub(super) fn create_below<'n>(
    directory: BorrowedFd<'_>,
    names: impl Iterator<Item = &'n OsStr>,
    mode: u32,
) -> Result<OwnedFd, Errno> {
    let mut current = directory.try_clone_to_owned().map_err(|_| Errno::MFILE)?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    for name in names {
        match retry_on_intr(|| rustix::fs::mkdirat(&current, name, Mode::from_raw_mode(mode))) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
        current = retry_on_intr(|| rustix::fs::openat(&current, name, flags, Mode::empty()))?;
    }
    Ok(current)
}
