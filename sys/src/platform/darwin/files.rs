//! Files of macOS: flushing through the drive's cache, exclusive renames, locks of open files.
use std::ffi::OsStr;
use std::fs::File;

use rustix::fs::{OFlags, RenameFlags};
use rustix::io::retry_on_intr;

use super::handle::{AsHandle, BorrowedHandle, Errno};
use crate::ffi::posix::{RangeChange, change_range};
pub(crate) use crate::platform::unix::bare::{open_beneath, read_cached, share_blocks, stat_beneath};
pub(crate) use crate::platform::unix::files::*;

/// Holds a directory without the right to read it.
pub(crate) const SEARCH: OFlags = OFlags::from_bits_retain(libc::O_SEARCH.unsigned_abs());

/// Whether everything mounted below a directory has another device number.
pub(crate) const MOUNTS_HAVE_DEVICES: bool = true;

/// The answer of open(2) in POSIX's words: it is already.
pub(crate) fn open_error(error: Errno) -> Errno {
    error
}

/// Exchanges what two names of a directory name; `INVAL`, `NOSYS` or `OPNOTSUPP` where that cannot be done.
pub(crate) fn swap_at(directory: BorrowedHandle<'_>, one: &OsStr, other: &OsStr) -> Result<(), Errno> {
    retry_on_intr(|| rustix::fs::renameat_with(directory, one, directory, other, RenameFlags::EXCHANGE))
}

/// [`rename_at`], but `to` must not be there (`EXIST`).
pub(crate) fn rename_new_at(
    from_directory: BorrowedHandle<'_>,
    from: &OsStr,
    to_directory: BorrowedHandle<'_>,
    to: &OsStr,
) -> Result<(), Errno> {
    let flags = RenameFlags::NOREPLACE;
    retry_on_intr(|| rustix::fs::renameat_with(from_directory, from, to_directory, to, flags))
}

/// Waits until the contents of a file are on its device: fsync(2) alone leaves them in the drive's
/// cache (fcntl(2), F_FULLFSYNC).
pub(crate) fn flush(file: impl AsHandle) -> Result<(), Errno> {
    match retry_on_intr(|| rustix::fs::fcntl_fullfsync(&file)) {
        // File systems of other machines cannot.
        Err(Errno::NOTSUP | Errno::INVAL | Errno::NOTTY | Errno::NODEV) => {
            retry_on_intr(|| rustix::fs::fsync(&file))
        }
        answer => answer,
    }
}

/// Waits until the names of a directory, opened to be read, are on its device.
pub(crate) fn flush_directory(directory: impl AsHandle) -> Result<(), Errno> {
    flush(directory)
}

/// Asks for the contents of a file, which will be read soon.
pub(crate) fn will_need(file: impl AsHandle) {
    let file = file.as_fd();
    if let Ok(stat) = stat(file) {
        // Advice: a file system that cannot take it reads later.
        let _ = rustix::fs::fcntl_rdadvise(file, 0, stat.size);
    }
}

/// The kernel copies whole files by name only.
pub(crate) fn copy_some(_: &File, _: &File) -> Option<Result<usize, Errno>> {
    None
}

/// Locks `length` bytes from `start` on, or all from there for 0, for this opening of the file;
/// `false` when somebody else has a lock in the way.
pub(crate) fn try_lock_range(file: &File, start: i64, length: i64, alone: bool) -> Result<bool, Errno> {
    let change = if alone { RangeChange::Take } else { RangeChange::Share };
    match change_range(file, change, start, length) {
        Ok(()) => Ok(true),
        Err(Errno::AGAIN | Errno::ACCESS) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Frees what [`try_lock_range`] took.
pub(crate) fn unlock_range(file: &File, start: i64, length: i64) {
    // Freeing a range we hold can fail only for lack of memory to split it; close frees it then.
    let _ = change_range(file, RangeChange::Free, start, length);
}
