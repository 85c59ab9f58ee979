//! Files of the BSDs.
use std::fs::File;

use rustix::fs::OFlags;
use rustix::io::retry_on_intr;

use super::handle::{AsHandle, Errno};
pub(crate) use crate::platform::unix::bare::{
    open_beneath, read_cached, rename_new_at, share_blocks, stat_beneath, swap_at,
};
pub(crate) use crate::platform::unix::files::*;

/// Holds a directory, without the right to read it where the system makes that difference.
#[cfg(any(target_os = "freebsd", target_os = "netbsd"))]
pub(crate) const SEARCH: OFlags = OFlags::from_bits_retain(libc::O_SEARCH.unsigned_abs());
#[cfg(any(target_os = "openbsd", target_os = "dragonfly"))]
pub(crate) const SEARCH: OFlags = OFlags::RDONLY;

/// Whether everything mounted below a directory has another device number.
pub(crate) const MOUNTS_HAVE_DEVICES: bool = true;

/// The answer of open(2) in POSIX's words: a link that is not to be followed has others here.
pub(crate) fn open_error(error: Errno) -> Errno {
    match error {
        Errno::MLINK | Errno::FTYPE => Errno::LOOP,
        other => other,
    }
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
#[cfg(target_os = "freebsd")]
pub(crate) fn will_need(file: impl AsHandle) {
    // Advice: a file system that cannot take it reads later.
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::WillNeed);
}

/// There is no way to ask.
#[cfg(not(target_os = "freebsd"))]
pub(crate) fn will_need(_: impl AsHandle) {}

/// Copies are made by hand.
pub(crate) fn copy_some(_: &File, _: &File) -> Option<Result<usize, Errno>> {
    None
}

/// Locks on ranges belong to the process here, and closing any descriptor of the file would drop them.
pub(crate) fn try_lock_range(_: &File, _: i64, _: i64, _alone: bool) -> Result<bool, Errno> {
    Err(Errno::OPNOTSUPP)
}

/// None was taken.
pub(crate) fn unlock_range(_: &File, _: i64, _: i64) {}
