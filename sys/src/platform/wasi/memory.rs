//! Memory.
use std::num::NonZeroUsize;
use std::ptr::NonNull;

use super::handle::{AsHandle, Errno, OwnedHandle};
use crate::memory::Access;

/// Bytes of a page.
pub(crate) fn page_size() -> usize {
    64 << 10
}

/// Zeroed private pages, readable and writable.
pub(crate) fn map(_length: NonZeroUsize) -> Result<NonNull<u8>, Errno> {
    Err(Errno::OPNOTSUPP)
}

/// The first `length` bytes of a file, readable.
///
/// # Safety
/// Nobody writes or shortens the file while it is mapped.
pub(crate) unsafe fn map_file(_file: impl AsHandle, _length: NonZeroUsize) -> Result<NonNull<u8>, Errno> {
    Err(Errno::OPNOTSUPP)
}

/// Changes what may be done with a mapping.
///
/// # Safety
/// The range is a mapping of the caller's that nothing borrows from.
pub(crate) unsafe fn protect(
    _start: NonNull<u8>,
    _length: NonZeroUsize,
    _access: Access,
) -> Result<(), Errno> {
    Err(Errno::OPNOTSUPP)
}

/// Takes a mapping away.
///
/// # Safety
/// The range is a mapping of the caller's that nothing borrows from, now or later.
pub(crate) unsafe fn unmap(_start: NonNull<u8>, _length: NonZeroUsize) {}

/// An empty file in memory, without a place in any directory. `name` is for people.
pub(crate) fn file(_name: &str) -> Result<OwnedHandle, Errno> {
    Err(Errno::OPNOTSUPP)
}

/// Ends all changes of a file in memory, in every process.
pub(crate) fn seal_file(_file: impl AsHandle) -> Result<(), Errno> {
    Err(Errno::OPNOTSUPP)
}

/// Whether a file in memory can no longer change.
pub(crate) fn is_sealed(_file: impl AsHandle) -> Result<bool, Errno> {
    Err(Errno::OPNOTSUPP)
}

/// Takes from this process the means to unmap a range or to change what may be done with it.
pub(crate) fn seal(_start: NonNull<u8>, _length: NonZeroUsize) -> Result<(), Errno> {
    Err(Errno::OPNOTSUPP)
}

/// These allocators give memory back by themselves, or cannot be asked.
pub(crate) fn release_unused() {}

/// Nothing here runs code from files in memory.
pub(crate) fn executable_file(_: &str, _: u64) -> Result<OwnedHandle, Errno> {
    Err(Errno::OPNOTSUPP)
}

/// Nothing here shares memory by files.
pub(crate) fn map_shared(_: impl AsHandle, _: NonZeroUsize) -> Result<NonNull<u8>, Errno> {
    Err(Errno::OPNOTSUPP)
}
