//! Named pipes. They are opened for overlapped use, so that one thread can read while another writes.
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, OwnedHandle};
use std::ptr::{null, null_mut};

use windows_sys::Win32::Foundation::{GENERIC_READ, GENERIC_WRITE};
use windows_sys::Win32::Storage::FileSystem::{
    CreateFileW, FILE_FLAG_FIRST_PIPE_INSTANCE, FILE_FLAG_OVERLAPPED, OPEN_EXISTING, PIPE_ACCESS_DUPLEX,
    ReadFile, SECURITY_IDENTIFICATION, SECURITY_SQOS_PRESENT, WriteFile,
};
use windows_sys::Win32::System::IO::{CancelIoEx, GetOverlappedResult, OVERLAPPED};
use windows_sys::Win32::System::Pipes::{
    ConnectNamedPipe, CreateNamedPipeW, GetNamedPipeClientProcessId, GetNamedPipeHandleStateW,
    GetNamedPipeInfo, GetNamedPipeServerProcessId, PIPE_READMODE_BYTE, PIPE_REJECT_REMOTE_CLIENTS,
    PIPE_SERVER_END, PIPE_TYPE_BYTE, PIPE_UNLIMITED_INSTANCES, PIPE_WAIT, PeekNamedPipe, WaitNamedPipeW,
};
use windows_sys::Win32::System::Threading::CreateEventW;
use windows_sys::core::BOOL;

use super::security::Descriptor;
use super::{check, owned};
use crate::platform::Errno;

/// Bytes that each direction keeps before a writer waits.
const BUFFER: u32 = 64 << 10;

/// An instance of the server's end of the pipe `name`, which ends with a zero. Only this user and the
/// system may connect, and only from this machine. The `first` fails when anybody has a pipe of that
/// name.
pub(crate) fn listen(name: &[u16], first: bool) -> Result<OwnedHandle, Errno> {
    let descriptor = Descriptor::of_this_user()?;
    let attributes = descriptor.attributes();
    let flags = if first { FILE_FLAG_FIRST_PIPE_INSTANCE } else { 0 };
    // SAFETY: the name ends with a zero; name and attributes live for the call.
    let pipe = owned(unsafe {
        CreateNamedPipeW(
            name.as_ptr(),
            PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED | flags,
            PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS,
            PIPE_UNLIMITED_INSTANCES,
            BUFFER,
            BUFFER,
            0,
            &raw const attributes,
        )
    })?;
    // Wine before 9 ignores the flag.
    if first && instances(pipe.as_handle())? > 1 {
        return Err(Errno::ADDRINUSE);
    }
    Ok(pipe)
}

/// How many instances a pipe has.
fn instances(pipe: BorrowedHandle<'_>) -> Result<u32, Errno> {
    let mut count = 0;
    // SAFETY: the handle is open; one number is written, the others are not asked for.
    check(unsafe {
        GetNamedPipeHandleStateW(
            pipe.as_raw_handle(),
            null_mut(),
            &raw mut count,
            null_mut(),
            null_mut(),
            null_mut(),
            0,
        )
    })?;
    Ok(count)
}

/// The client's end of the pipe `name`, which ends with a zero. The server learns who we are and cannot
/// act for us.
pub(crate) fn connect(name: &[u16]) -> Result<OwnedHandle, Errno> {
    // SAFETY: the name ends with a zero and lives for the call.
    owned(unsafe {
        CreateFileW(
            name.as_ptr(),
            GENERIC_READ | GENERIC_WRITE,
            0,
            null(),
            OPEN_EXISTING,
            FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION,
            null_mut(),
        )
    })
}

/// Waits up to `milliseconds` until the pipe `name` has an instance that nobody is connected to.
pub(crate) fn wait_for_instance(name: &[u16], milliseconds: u32) -> Result<(), Errno> {
    // SAFETY: the name ends with a zero and lives for the call.
    check(unsafe { WaitNamedPipeW(name.as_ptr(), milliseconds) })
}

/// Makes one overlapped call and waits for its end: how many bytes were moved.
fn overlapped(pipe: BorrowedHandle<'_>, call: impl FnOnce(*mut OVERLAPPED) -> BOOL) -> Result<usize, Errno> {
    // SAFETY: a new event without a name; reset by hand, as the system wants it here.
    let event = owned(unsafe { CreateEventW(null(), 1, 0, null()) })?;
    let mut state = OVERLAPPED { hEvent: event.as_raw_handle(), ..OVERLAPPED::default() };
    match check(call(&raw mut state)) {
        Ok(()) | Err(Errno::IO_PENDING) => {}
        Err(error) => return Err(error),
    }
    let mut count = 0;
    // SAFETY: the handle and the state are those of the call, which has been made; waits for its end, so
    // that the system writes to neither state nor buffer afterwards.
    let waited =
        check(unsafe { GetOverlappedResult(pipe.as_raw_handle(), &raw const state, &raw mut count, 1) });
    match waited {
        Ok(()) => Ok(count as usize),
        Err(error) => {
            // The call has ended with this error, or the wait failed while it goes on: then it must not
            // outlive `state`.
            // SAFETY: as above.
            unsafe { CancelIoEx(pipe.as_raw_handle(), &raw const state) };
            // SAFETY: as above.
            unsafe { GetOverlappedResult(pipe.as_raw_handle(), &raw const state, &raw mut count, 1) };
            Err(error)
        }
    }
}

/// Waits until a client has connected to this instance.
pub(crate) fn accept(pipe: BorrowedHandle<'_>) -> Result<(), Errno> {
    // SAFETY: the handle is open, and `overlapped` waits for the end of the call.
    let connected = overlapped(pipe, |state| unsafe { ConnectNamedPipe(pipe.as_raw_handle(), state) });
    match connected {
        // It was there before we asked, or has even gone again: reading will tell.
        Ok(_) | Err(Errno::PIPE_CONNECTED | Errno::NO_DATA) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Reads some bytes; 0 when the other end is closed.
pub(crate) fn read(pipe: BorrowedHandle<'_>, bytes: &mut [u8]) -> Result<usize, Errno> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let buffer = bytes.as_mut_ptr();
    // SAFETY: at most `length` bytes are written to the slice, which is borrowed until `overlapped` has
    // waited for the end of the call.
    let read = overlapped(pipe, |state| unsafe {
        ReadFile(pipe.as_raw_handle(), buffer, length, null_mut(), state)
    });
    match read {
        Err(Errno::PIPE) => Ok(0),
        answer => answer,
    }
}

/// Writes the beginning of `bytes`.
pub(crate) fn write(pipe: BorrowedHandle<'_>, bytes: &[u8]) -> Result<usize, Errno> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    // SAFETY: at most `length` bytes are read from the slice, which is borrowed until `overlapped` has
    // waited for the end of the call.
    overlapped(pipe, |state| unsafe {
        WriteFile(pipe.as_raw_handle(), bytes.as_ptr(), length, null_mut(), state)
    })
}

/// How many bytes can be read now; an error of the pipe when the other end is closed.
pub(crate) fn available(pipe: BorrowedHandle<'_>) -> Result<usize, Errno> {
    let mut count = 0;
    // SAFETY: the handle is open; nothing is read, and one number written.
    check(unsafe {
        PeekNamedPipe(pipe.as_raw_handle(), null_mut(), 0, null_mut(), &raw mut count, null_mut())
    })?;
    Ok(count as usize)
}

/// The id of the process at the other end.
pub(crate) fn peer(pipe: impl AsHandle) -> Result<u32, Errno> {
    let pipe = pipe.as_handle();
    let mut flags = 0;
    // SAFETY: the handle is open; one number is written, the others are not asked for.
    check(unsafe {
        GetNamedPipeInfo(pipe.as_raw_handle(), &raw mut flags, null_mut(), null_mut(), null_mut())
    })?;
    let mut id = 0;
    let answer = match flags & PIPE_SERVER_END != 0 {
        // SAFETY: the handle is open; one number is written.
        true => unsafe { GetNamedPipeClientProcessId(pipe.as_raw_handle(), &raw mut id) },
        // SAFETY: as above.
        false => unsafe { GetNamedPipeServerProcessId(pipe.as_raw_handle(), &raw mut id) },
    };
    check(answer)?;
    Ok(id)
}
