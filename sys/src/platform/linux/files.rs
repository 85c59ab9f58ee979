//! Files of Linux: openat2, reflinks, copies by the kernel, reads that do not wait.
use std::ffi::OsStr;
use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{Advice, Mode, OFlags, RenameFlags, ResolveFlags};
use rustix::io::retry_on_intr;

use super::handle::{AsHandle, BorrowedHandle, Errno, OwnedHandle};
use crate::ffi::posix::{RangeChange, change_range};
use crate::platform::unix::files::flags;
pub(crate) use crate::platform::unix::files::*;
use crate::platform::{Open, Stat};

/// Holds a directory without the right to read it.
pub(crate) const SEARCH: OFlags = OFlags::PATH;

/// Whether everything mounted below a directory has another device number. Bind mounts have not.
pub(crate) const MOUNTS_HAVE_DEVICES: bool = false;

/// The answer of open(2) in POSIX's words: it is already.
pub(crate) fn open_error(error: Errno) -> Errno {
    error
}

/// `openat2` says EAGAIN when something was renamed while it looked at a `..`; somebody who renames
/// without end must not hold us for ever.
const ATTEMPTS: usize = 128;

/// Only the failure is remembered: a sandbox can take the call away later, never give it back.
static OPENAT2_MISSING: AtomicBool = AtomicBool::new(false);

/// Whether `openat2` works at all in this process.
fn openat2_works(directory: BorrowedHandle<'_>) -> bool {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    !matches!(
        rustix::fs::openat2(directory, ".", flags, Mode::empty(), ResolveFlags::BENEATH),
        Err(Errno::NOSYS | Errno::PERM)
    )
}

/// Opens `path` below `directory` in one call of the kernel, which never leaves it; `None` when the
/// kernel cannot. `links` and `mounts` say whether they may be passed.
pub(crate) fn open_beneath(
    directory: BorrowedHandle<'_>,
    path: &Path,
    how: Open,
    mode: u32,
    links: bool,
    mounts: bool,
) -> Option<Result<OwnedHandle, Errno>> {
    beneath(directory, path, flags(how), permissions(mode), links, mounts)
}

/// [`open_beneath`] for what is known of `path`.
pub(crate) fn stat_beneath(
    directory: BorrowedHandle<'_>,
    path: &Path,
    links: bool,
    mounts: bool,
) -> Option<Result<Stat, Errno>> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let found = beneath(directory, path, flags, Mode::empty(), links, mounts)?;
    Some(found.and_then(stat))
}

fn beneath(
    directory: BorrowedHandle<'_>,
    path: &Path,
    flags: OFlags,
    mode: Mode,
    links: bool,
    mounts: bool,
) -> Option<Result<OwnedHandle, Errno>> {
    if OPENAT2_MISSING.load(Ordering::Relaxed) {
        return None;
    }
    let mut resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    if !links {
        resolve |= ResolveFlags::NO_SYMLINKS;
    }
    if !mounts {
        resolve |= ResolveFlags::NO_XDEV;
    }
    // The kernel refuses a mode that would not be used.
    let mode = if flags.contains(OFlags::CREATE) { mode } else { Mode::empty() };
    let mut answer = Err(Errno::AGAIN);
    for _ in 0..ATTEMPTS {
        answer = retry_on_intr(|| rustix::fs::openat2(directory, path, flags, mode, resolve));
        // EAGAIN of a file under a lease would also end here, after as many tries.
        if !matches!(answer, Err(Errno::AGAIN)) {
            break;
        }
    }
    match answer {
        Err(Errno::NOSYS) => {}
        // Either the answer about this path, or a sandbox that refuses the call as such.
        Err(Errno::PERM) if !openat2_works(directory) => {}
        answer => return Some(answer),
    }
    OPENAT2_MISSING.store(true, Ordering::Relaxed);
    None
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

/// Waits until the contents of a file are on its device.
pub(crate) fn flush(file: impl AsHandle) -> Result<(), Errno> {
    retry_on_intr(|| rustix::fs::fsync(&file))
}

/// Waits until the names of a directory, opened to be read, are on its device.
pub(crate) fn flush_directory(directory: impl AsHandle) -> Result<(), Errno> {
    flush(directory)
}

/// Asks for the contents of a file, which will be read soon.
pub(crate) fn will_need(file: impl AsHandle) {
    // Advice: a file system that cannot take it reads later.
    let _ = rustix::fs::fadvise(file, 0, None, Advice::WillNeed);
}

/// Reads from the beginning of a file what is in memory; `AGAIN` when nothing is.
pub(crate) fn read_cached(file: impl AsHandle, bytes: &mut [u8]) -> Result<usize, Errno> {
    retry_on_intr(|| crate::ffi::linux::read_cached(&file, bytes))
}

/// Lets the empty file `target` share the blocks of `source`.
pub(crate) fn share_blocks(source: &File, target: &File) -> Result<(), Errno> {
    rustix::fs::ioctl_ficlone(target, source)
}

/// Bytes asked for by one `copy_file_range`: the kernel's own limit, rounded down to a page.
const RANGE: usize = 0x7fff_f000;

/// Copies some bytes from where `source` stands to where `target` stands, inside the kernel; 0 at the
/// end. `None` when it cannot: two file systems, a file system without it, a sandbox.
pub(crate) fn copy_some(source: &File, target: &File) -> Option<Result<usize, Errno>> {
    match retry_on_intr(|| rustix::fs::copy_file_range(source, None, target, None, RANGE)) {
        Err(Errno::XDEV | Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS | Errno::PERM) => None,
        answer => Some(answer),
    }
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
