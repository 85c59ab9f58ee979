//! Windows calls behind a safe signature each.
use std::ffi::OsStr;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::{FromRawHandle, OwnedHandle};

use windows_sys::Win32::Foundation::{
    GetLastError, HANDLE, INVALID_HANDLE_VALUE, NTSTATUS, RtlNtStatusToDosError,
};
use windows_sys::core::BOOL;

use crate::platform::Errno;

pub(crate) mod console; // control events, standard handles, the system's release
pub(crate) mod files; // files relative to open directories
pub(crate) mod job; // limits on a whole tree of processes
pub(crate) mod memory; // pages, mapped files
pub(crate) mod pipe; // named pipes
pub(crate) mod process; // starting, waiting for and ending programs
pub(crate) mod security; // users, restricted tokens, access lists
pub(crate) mod thread; // processors and clocks

/// The code of the call that has just failed.
fn last_error() -> Errno {
    // SAFETY: reads a variable of this thread.
    Errno::of(unsafe { GetLastError() })
}

/// The answer of a call that says whether it succeeded.
fn check(answer: BOOL) -> Result<(), Errno> {
    if answer != 0 { Ok(()) } else { Err(last_error()) }
}

/// The answer of a call of the native interface.
fn check_status(status: NTSTATUS) -> Result<(), Errno> {
    if status >= 0 {
        return Ok(());
    }
    // SAFETY: translates a number.
    Err(Errno::of(unsafe { RtlNtStatusToDosError(status) }))
}

/// Takes over a handle that a call has just made.
fn owned(handle: HANDLE) -> Result<OwnedHandle, Errno> {
    if handle.is_null() || handle == INVALID_HANDLE_VALUE {
        return Err(last_error());
    }
    // SAFETY: the caller passes what a call has just made for us, and nobody else knows it.
    Ok(unsafe { OwnedHandle::from_raw_handle(handle) })
}

/// The size of a structure as calls want it.
const fn size<T>() -> u32 {
    size_of::<T>() as u32
}

/// `text` as calls take it, ended by a zero.
///
/// # Errors
/// `EINVAL` when there is a zero in it.
pub(crate) fn wide(text: &OsStr) -> Result<Vec<u16>, Errno> {
    let mut units: Vec<u16> = text.encode_wide().collect();
    if units.contains(&0) {
        return Err(Errno::INVAL);
    }
    units.push(0);
    Ok(units)
}
