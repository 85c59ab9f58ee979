//! Pages and mapped files.
use std::num::NonZeroUsize;
use std::os::windows::io::{AsHandle, AsRawHandle};
use std::ptr::{NonNull, null};

use windows_sys::Win32::System::Diagnostics::Debug::FlushInstructionCache;
use windows_sys::Win32::System::Memory::{
    CreateFileMappingW, FILE_MAP_READ, MEM_COMMIT, MEM_MAPPED, MEM_RELEASE, MEM_RESERVE,
    MEMORY_BASIC_INFORMATION, MEMORY_MAPPED_VIEW_ADDRESS, MapViewOfFile, PAGE_EXECUTE_READ, PAGE_READONLY,
    PAGE_READWRITE, UnmapViewOfFile, VirtualAlloc, VirtualFree, VirtualProtect, VirtualQuery,
};
use windows_sys::Win32::System::SystemInformation::{GetSystemInfo, SYSTEM_INFO};
use windows_sys::Win32::System::Threading::GetCurrentProcess;

use super::{check, last_error, owned};
use crate::memory::Access;
use crate::platform::Errno;

/// Bytes of a page.
pub(crate) fn page_size() -> usize {
    let mut information = SYSTEM_INFO::default();
    // SAFETY: the call fills the structure and cannot fail.
    unsafe { GetSystemInfo(&raw mut information) };
    information.dwPageSize as usize
}

/// Zeroed private pages, readable and writable.
pub(crate) fn map(length: NonZeroUsize) -> Result<NonNull<u8>, Errno> {
    // SAFETY: without an address the call takes no memory that is in use.
    let start = unsafe { VirtualAlloc(null(), length.get(), MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE) };
    NonNull::new(start.cast()).ok_or_else(last_error)
}

/// The first `length` bytes of a file, readable.
///
/// # Safety
/// Nobody writes the file while it is mapped.
pub(crate) unsafe fn map_file(file: impl AsHandle, length: NonZeroUsize) -> Result<NonNull<u8>, Errno> {
    // SAFETY: the handle is borrowed for the call; no name, and the size is the file's.
    let mapping = owned(unsafe {
        CreateFileMappingW(file.as_handle().as_raw_handle(), null(), PAGE_READONLY, 0, 0, null())
    })?;
    // SAFETY: the mapping is open; the view is placed where nothing else is. What the bytes do is the
    // caller's promise.
    let view = unsafe { MapViewOfFile(mapping.as_raw_handle(), FILE_MAP_READ, 0, 0, length.get()) };
    NonNull::new(view.Value.cast()).ok_or_else(last_error)
}

/// Changes what may be done with pages.
///
/// # Safety
/// The range is the caller's, and nothing borrows from it.
pub(crate) unsafe fn protect(start: NonNull<u8>, length: NonZeroUsize, access: Access) -> Result<(), Errno> {
    let protection = match access {
        Access::Read => PAGE_READONLY,
        Access::Write => PAGE_READWRITE,
        Access::Execute => PAGE_EXECUTE_READ,
    };
    let mut previous = 0;
    // SAFETY: the caller's promise; `previous` takes the earlier protection.
    check(unsafe { VirtualProtect(start.as_ptr().cast(), length.get(), protection, &raw mut previous) })?;
    if access == Access::Execute {
        // SAFETY: this process's own pseudo-handle, and a range that is mapped.
        check(unsafe { FlushInstructionCache(GetCurrentProcess(), start.as_ptr().cast(), length.get()) })?;
    }
    Ok(())
}

/// Takes pages or a mapped file away.
///
/// # Safety
/// The range came from [`map`] or [`map_file`], and nothing borrows from it, now or later.
pub(crate) unsafe fn unmap(start: NonNull<u8>) {
    let mut known = MEMORY_BASIC_INFORMATION::default();
    // SAFETY: the call fills the structure with what it knows of the address.
    let length =
        unsafe { VirtualQuery(start.as_ptr().cast(), &raw mut known, size_of::<MEMORY_BASIC_INFORMATION>()) };
    // Failures leave the range mapped, which harms nobody.
    if length != 0 && known.Type == MEM_MAPPED {
        let view = MEMORY_MAPPED_VIEW_ADDRESS { Value: start.as_ptr().cast() };
        // SAFETY: the caller's promise.
        let _ = unsafe { UnmapViewOfFile(view) };
    } else {
        // SAFETY: the caller's promise; a length of zero means the whole reservation.
        let _ = unsafe { VirtualFree(start.as_ptr().cast(), 0, MEM_RELEASE) };
    }
}
