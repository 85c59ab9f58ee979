//! Control events, standard handles, the system's release.
use std::os::windows::io::{AsHandle, AsRawHandle, OwnedHandle};

use windows_sys::Wdk::System::SystemServices::RtlGetVersion;
use windows_sys::Win32::System::Console::{
    CTRL_BREAK_EVENT, FreeConsole, GenerateConsoleCtrlEvent, SetConsoleCtrlHandler, SetStdHandle,
};
use windows_sys::Win32::System::SystemInformation::OSVERSIONINFOW;
use windows_sys::core::BOOL;

use super::{check, check_status, size};
use crate::platform::Errno;

/// What the system calls on a thread of its own when a control event arrives; nonzero when it is dealt
/// with.
pub(crate) type Handler = unsafe extern "system" fn(event: u32) -> BOOL;

/// Adds `handler` to those of this process, or takes it away.
pub(crate) fn set_handler(handler: Handler, add: bool) -> Result<(), Errno> {
    // SAFETY: the handler is a function of this program, which is never unloaded.
    check(unsafe { SetConsoleCtrlHandler(Some(handler), BOOL::from(add)) })
}

/// Sends Ctrl-Break to the process group `group` of this console; 0 means all of the console.
pub(crate) fn send_break(group: u32) -> Result<(), Errno> {
    // SAFETY: takes two numbers.
    check(unsafe { GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, group) })
}

/// Leaves the console.
pub(crate) fn leave() -> Result<(), Errno> {
    // SAFETY: takes nothing; handles of the console that are still open answer with errors from now on.
    check(unsafe { FreeConsole() })
}

/// Makes `object` the standard handle `which` (`STD_*_HANDLE`), for ever.
pub(crate) fn set_standard(which: u32, object: OwnedHandle) -> Result<(), Errno> {
    // SAFETY: the handle stays open, since it is given up below.
    check(unsafe { SetStdHandle(which, object.as_handle().as_raw_handle()) })?;
    // The standard library borrows it without end.
    let _ = std::mem::ManuallyDrop::new(object);
    Ok(())
}

/// The release of the system: major, minor, build. Not what a manifest makes of it.
pub(crate) fn release() -> Result<(u32, u32, u32), Errno> {
    let mut version =
        OSVERSIONINFOW { dwOSVersionInfoSize: size::<OSVERSIONINFOW>(), ..OSVERSIONINFOW::default() };
    // SAFETY: the call fills the structure, whose size it was told.
    check_status(unsafe { RtlGetVersion(&raw mut version) })?;
    Ok((version.dwMajorVersion, version.dwMinorVersion, version.dwBuildNumber))
}
