//! Trees made and removed without ever following a symbolic link.
use std::ffi::OsStr;
use std::path::Path;

use super::contents;
use crate::platform::handle::{BorrowedHandle, OwnedHandle, borrow};
use crate::platform::{Errno, NodeKind, Open, files};
use crate::{Op, SysError};

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
    files::open(parent, Open::DIRECTORY, 0).and_then(|parent| remove_at(borrow(&parent), name)).map_err(fail)
}

/// Removes `name`, which is one component, from `directory`.
pub(super) fn remove_at(directory: BorrowedHandle<'_>, name: &OsStr) -> Result<(), Errno> {
    let refused = match files::remove_file_at(directory, name) {
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
        match files::remove_directory_at(directory, name) {
            Err(Errno::NOTEMPTY | Errno::EXIST) => {}
            done => return done,
        }
    }
    Err(Errno::NOTEMPTY)
}

fn open_directory(parent: BorrowedHandle<'_>, name: &OsStr) -> Result<OwnedHandle, Errno> {
    files::open_at(parent, name, Open::LIST.no_follow(), 0)
}

/// Removes the entries of `directory`, which is `depth` below `top`.
fn empty(top: &OwnedHandle, directory: &OwnedHandle, depth: usize) -> Result<(), Errno> {
    let mut entries = files::Listing::of(directory)?;
    while let Some(entry) = entries.next() {
        let (name, kind) = entry?;
        let removed = match kind {
            Some(NodeKind::Directory) => Err(Errno::ISDIR),
            Some(NodeKind::File | NodeKind::Link | NodeKind::Other) | None => {
                files::remove_file_at(borrow(directory), &name)
            }
        };
        match removed {
            Ok(()) | Err(Errno::NOENT) => {}
            // EPERM: POSIX's word for a directory here; for another thing, opening it says ENOTDIR.
            Err(error @ (Errno::ISDIR | Errno::PERM)) => match remove_below(top, directory, &name, depth) {
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

fn remove_below(top: &OwnedHandle, parent: &OwnedHandle, name: &OsStr, depth: usize) -> Result<(), Errno> {
    let parent = borrow(parent);
    match files::remove_directory_at(parent, name) {
        Err(Errno::NOTEMPTY | Errno::EXIST) => {}
        done => return done,
    }
    if depth == DEPTH {
        let aside = contents::temporary_name(OsStr::new("deep"));
        return files::rename_at(parent, name, borrow(top), &aside);
    }
    let directory = open_directory(parent, name)?;
    empty(top, &directory, depth + 1)?;
    files::remove_directory_at(parent, name)
}

/// Makes the directories `names` below one another, following no link on the way. Directories that
/// are there already are used. Answers with the last one.
pub(super) fn create_below<'n>(
    directory: BorrowedHandle<'_>,
    names: impl Iterator<Item = &'n OsStr>,
    mode: u32,
) -> Result<OwnedHandle, Errno> {
    let mut current = directory.try_clone_to_owned().map_err(|_| Errno::MFILE)?;
    for name in names {
        match files::make_directory_at(borrow(&current), name, mode) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
        current = files::open_at(borrow(&current), name, Open::DIRECTORY.no_follow(), 0)?;
    }
    Ok(current)
}
