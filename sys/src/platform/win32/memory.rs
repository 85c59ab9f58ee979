//! Memory.
use std::fs::OpenOptions;
use std::num::NonZeroUsize;
use std::os::windows::fs::OpenOptionsExt;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use windows_sys::Win32::Storage::FileSystem::{FILE_ATTRIBUTE_TEMPORARY, FILE_FLAG_DELETE_ON_CLOSE};

use super::handle::{AsHandle, Errno, OwnedHandle, code};
use crate::ffi::win32::memory as native;
use crate::memory::Access;

/// Bytes of a page.
pub(crate) fn page_size() -> usize {
    native::page_size()
}

/// Zeroed private pages, readable and writable.
pub(crate) fn map(length: NonZeroUsize) -> Result<NonNull<u8>, Errno> {
    native::map(length)
}

/// The first `length` bytes of a file, readable.
///
/// # Safety
/// Nobody writes or shortens the file while it is mapped.
pub(crate) unsafe fn map_file(file: impl AsHandle, length: NonZeroUsize) -> Result<NonNull<u8>, Errno> {
    // SAFETY: the caller's promise.
    unsafe { native::map_file(file, length) }
}

/// Changes what may be done with a mapping.
///
/// # Safety
/// The range is a mapping of the caller's that nothing borrows from.
pub(crate) unsafe fn protect(start: NonNull<u8>, length: NonZeroUsize, access: Access) -> Result<(), Errno> {
    // SAFETY: the caller's promise.
    unsafe { native::protect(start, length, access) }
}

/// Takes a mapping away, the whole of it.
///
/// # Safety
/// The range is a mapping of the caller's that nothing borrows from, now or later.
pub(crate) unsafe fn unmap(start: NonNull<u8>, _length: NonZeroUsize) {
    // SAFETY: the caller's promise.
    unsafe { native::unmap(start) }
}

/// An empty file that goes with its last handle and that the system keeps in memory while there is
/// room. It has a name among the user's temporary files, which nobody else may open.
pub(crate) fn file(name: &str) -> Result<OwnedHandle, Errno> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    if name.contains('\0') {
        return Err(Errno::INVAL);
    }
    let name: String = name.chars().filter(|letter| plain(*letter)).take(40).collect();
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("{name}-{}-{number}.tmp", std::process::id()));
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .share_mode(0)
        .attributes(FILE_ATTRIBUTE_TEMPORARY)
        .custom_flags(FILE_FLAG_DELETE_ON_CLOSE)
        .open(path)
        .map(OwnedHandle::from)
        .map_err(|error| code(&error))
}

/// Windows cannot take the right to write from handles that are open.
pub(crate) fn seal_file(_file: impl AsHandle) -> Result<(), Errno> {
    Err(Errno::OPNOTSUPP)
}

/// See [`seal_file`].
pub(crate) fn is_sealed(_file: impl AsHandle) -> Result<bool, Errno> {
    Err(Errno::OPNOTSUPP)
}

/// Windows has no such call.
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
