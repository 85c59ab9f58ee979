//! Control events, standard handles, the system's release.
use std::os::windows::io::{AsHandle, AsRawHandle, OwnedHandle};

use windows_sys::Wdk::System::SystemServices::RtlGetVersion;
use windows_sys::Win32::System::Console::{
    CONSOLE_SCREEN_BUFFER_INFO, CTRL_BREAK_EVENT, FreeConsole, GenerateConsoleCtrlEvent,
    GetConsoleScreenBufferInfo, SetConsoleCtrlHandler, SetStdHandle,
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

/// Columns and rows of the window of a console.
pub(crate) fn window(output: impl AsHandle) -> Result<(u16, u16), Errno> {
    let mut buffer = CONSOLE_SCREEN_BUFFER_INFO::default();
    // SAFETY: the handle is borrowed for the call, which fills the structure.
    check(unsafe { GetConsoleScreenBufferInfo(output.as_handle().as_raw_handle(), &raw mut buffer) })?;
    let window = buffer.srWindow;
    let length = |first: i16, last: i16| u16::try_from(i32::from(last) - i32::from(first) + 1).unwrap_or(0);
    Ok((length(window.Left, window.Right), length(window.Top, window.Bottom)))
}

/// The release of the system: major, minor, build. Not what a manifest makes of it.
pub(crate) fn release() -> Result<(u32, u32, u32), Errno> {
    let mut version =
        OSVERSIONINFOW { dwOSVersionInfoSize: size::<OSVERSIONINFOW>(), ..OSVERSIONINFOW::default() };
    // SAFETY: the call fills the structure, whose size it was told.
    check_status(unsafe { RtlGetVersion(&raw mut version) })?;
    Ok((version.dwMajorVersion, version.dwMinorVersion, version.dwBuildNumber))
}
