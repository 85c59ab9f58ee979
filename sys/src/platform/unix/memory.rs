//! Mappings of every Unix.
use std::num::NonZeroUsize;
use std::ptr::NonNull;

use rustix::mm::{MapFlags, MprotectFlags, ProtFlags};

use super::handle::{AsHandle, Errno};
use crate::memory::Access;

/// Bytes of a page.
pub(crate) fn page_size() -> usize {
    rustix::param::page_size()
}

/// Zeroed private pages, readable and writable.
pub(crate) fn map(length: NonZeroUsize) -> Result<NonNull<u8>, Errno> {
    let access = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a null hint without MAP_FIXED lets the kernel choose a free range, so that no memory of
    // ours is replaced.
    let start =
        unsafe { rustix::mm::mmap_anonymous(std::ptr::null_mut(), length.get(), access, MapFlags::PRIVATE) }?;
    NonNull::new(start.cast()).ok_or(Errno::NOMEM)
}

/// The first `length` bytes of a file, readable.
///
/// # Safety
/// Nobody writes or shortens the file while it is mapped.
pub(crate) unsafe fn map_file(file: impl AsHandle, length: NonZeroUsize) -> Result<NonNull<u8>, Errno> {
    // SAFETY: a null hint without MAP_FIXED replaces no memory of ours; that the bytes stay is the
    // caller's promise.
    let start = unsafe {
        rustix::mm::mmap(std::ptr::null_mut(), length.get(), ProtFlags::READ, MapFlags::PRIVATE, file, 0)
    }?;
    NonNull::new(start.cast()).ok_or(Errno::NOMEM)
}

/// Changes what may be done with a mapping.
///
/// # Safety
/// The range is a mapping of the caller's that nothing borrows from.
pub(crate) unsafe fn protect(start: NonNull<u8>, length: NonZeroUsize, access: Access) -> Result<(), Errno> {
    let access = match access {
        Access::Write => MprotectFlags::READ | MprotectFlags::WRITE,
        Access::Read => MprotectFlags::READ,
        Access::Execute => MprotectFlags::READ | MprotectFlags::EXEC,
    };
    // SAFETY: the caller owns the range and nothing borrows from it; all three protections allow reads.
    unsafe { rustix::mm::mprotect(start.as_ptr().cast(), length.get(), access) }
}

/// Takes a mapping away.
///
/// # Safety
/// The range is a mapping of the caller's that nothing borrows from, now or later.
pub(crate) unsafe fn unmap(start: NonNull<u8>, length: NonZeroUsize) {
    // SAFETY: as the caller promises. It can fail only for arguments that are no mapping.
    let _ = unsafe { rustix::mm::munmap(start.as_ptr().cast(), length.get()) };
}

/// The first `length` bytes of a file, readable and writable, seen by all who map them.
pub(crate) fn map_shared(file: impl AsHandle, length: NonZeroUsize) -> Result<NonNull<u8>, Errno> {
    let access = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a null hint without MAP_FIXED lets the kernel choose a free range, so that no memory of
    // ours is replaced.
    let start =
        unsafe { rustix::mm::mmap(std::ptr::null_mut(), length.get(), access, MapFlags::SHARED, file, 0) }?;
    NonNull::new(start.cast()).ok_or(Errno::NOMEM)
}
