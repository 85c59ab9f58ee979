//! Processes: start, look at, wait for, end.
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, OwnedHandle, RawHandle};
use std::ptr::{null, null_mut};
use std::time::Duration;

use windows_sys::Win32::Foundation::{DUPLICATE_SAME_ACCESS, DuplicateHandle, WAIT_FAILED, WAIT_OBJECT_0};
use windows_sys::Win32::System::Threading::{
    CREATE_NEW_PROCESS_GROUP, CREATE_NO_WINDOW, CREATE_SUSPENDED, CREATE_UNICODE_ENVIRONMENT,
    CreateProcessAsUserW, CreateProcessW, DeleteProcThreadAttributeList, EXTENDED_STARTUPINFO_PRESENT,
    GetCurrentProcess, GetExitCodeProcess, INFINITE, InitializeProcThreadAttributeList, OpenProcess,
    PROC_THREAD_ATTRIBUTE_HANDLE_LIST, PROCESS_INFORMATION, PROCESS_QUERY_LIMITED_INFORMATION,
    PROCESS_SYNCHRONIZE, PROCESS_TERMINATE, ResumeThread, STARTF_USESTDHANDLES, STARTUPINFOEXW,
    TerminateProcess, UpdateProcThreadAttribute, WaitForSingleObject,
};

use super::{check, last_error, owned, size};
use crate::platform::Errno;

/// What [`start`] starts. All texts end with a zero.
#[derive(Debug)]
pub(crate) struct Start<'s> {
    pub(crate) program: &'s [u16],
    /// The whole command line; the call may write to it.
    pub(crate) command_line: &'s mut [u16],
    /// `NAME=value`, each ended by a zero, and one more zero.
    pub(crate) environment: &'s [u16],
    pub(crate) directory: Option<&'s [u16]>,
    /// Standard input, output and error. All are inheritable ([`inheritable`]).
    pub(crate) standard: [Option<BorrowedHandle<'s>>; 3],
    /// A weaker token than this process's.
    pub(crate) token: Option<BorrowedHandle<'s>>,
    /// A console of its own, without a window.
    pub(crate) apart: bool,
}

/// A started process and its first thread, which does not run yet.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) process: OwnedHandle,
    pub(crate) thread: OwnedHandle,
    pub(crate) id: u32,
}

/// The attributes of a start, freed at the end.
struct Attributes(Vec<usize>);

impl Attributes {
    /// Room for one attribute.
    fn new() -> Result<Self, Errno> {
        let mut bytes = 0;
        // SAFETY: without a list the call only says how many bytes it needs, by failing.
        unsafe { InitializeProcThreadAttributeList(null_mut(), 1, 0, &raw mut bytes) };
        // Words, for the alignment.
        let mut list = Self(vec![0; bytes.div_ceil(size_of::<usize>()).max(1)]);
        // SAFETY: the list has as many bytes as the call asked for.
        let initialised = check(unsafe {
            InitializeProcThreadAttributeList(list.0.as_mut_ptr().cast(), 1, 0, &raw mut bytes)
        });
        match initialised {
            Ok(()) => Ok(list),
            Err(error) => {
                // Not to be deleted: it never was one.
                list.0.clear();
                Err(error)
            }
        }
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        if !self.0.is_empty() {
            // SAFETY: initialised by `new`, deleted only here.
            unsafe { DeleteProcThreadAttributeList(self.0.as_mut_ptr().cast()) };
        }
    }
}

/// A copy of a handle that children may inherit. It should live for one start only.
pub(crate) fn inheritable(handle: BorrowedHandle<'_>) -> Result<OwnedHandle, Errno> {
    let mut copy = null_mut();
    // SAFETY: this process's own pseudo-handle, twice, and an open handle; the call writes one handle.
    check(unsafe {
        DuplicateHandle(
            GetCurrentProcess(),
            handle.as_raw_handle(),
            GetCurrentProcess(),
            &raw mut copy,
            0,
            1,
            DUPLICATE_SAME_ACCESS,
        )
    })?;
    owned(copy)
}

/// Starts a process whose first thread waits for [`resume`]. It inherits the standard handles and no
/// others.
pub(crate) fn start(start: &mut Start<'_>) -> Result<Started, Errno> {
    // The same handle twice is an error of the call.
    let mut handles: Vec<RawHandle> = Vec::new();
    for handle in start.standard.iter().flatten().map(AsRawHandle::as_raw_handle) {
        if !handles.contains(&handle) {
            handles.push(handle);
        }
    }
    let mut attributes = Attributes::new()?;
    if !handles.is_empty() {
        // SAFETY: the list is initialised. It keeps the pointer to the handles, which outlive it: they are
        // declared first.
        check(unsafe {
            UpdateProcThreadAttribute(
                attributes.0.as_mut_ptr().cast(),
                0,
                PROC_THREAD_ATTRIBUTE_HANDLE_LIST as usize,
                handles.as_ptr().cast(),
                size_of_val(handles.as_slice()),
                null_mut(),
                null(),
            )
        })?;
    }
    let mut information = STARTUPINFOEXW::default();
    information.StartupInfo.cb = size::<STARTUPINFOEXW>();
    information.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
    let [input, output, errors] =
        start.standard.map(|handle| handle.map_or(null_mut(), |handle| handle.as_raw_handle()));
    information.StartupInfo.hStdInput = input;
    information.StartupInfo.hStdOutput = output;
    information.StartupInfo.hStdError = errors;
    information.lpAttributeList = attributes.0.as_mut_ptr().cast();
    let mut flags = CREATE_SUSPENDED
        | CREATE_UNICODE_ENVIRONMENT
        | CREATE_NEW_PROCESS_GROUP
        | EXTENDED_STARTUPINFO_PRESENT;
    if start.apart {
        flags |= CREATE_NO_WINDOW;
    }
    let inherit = i32::from(!handles.is_empty());
    let directory = start.directory.map_or(null(), <[u16]>::as_ptr);
    let mut made = PROCESS_INFORMATION::default();
    let answer = match start.token {
        // SAFETY: every text ends with a zero and outlives the call, the environment with two; the
        // information and its attribute list are initialised; the call writes to the command line,
        // which is ours alone, and to `made`.
        None => unsafe {
            CreateProcessW(
                start.program.as_ptr(),
                start.command_line.as_mut_ptr(),
                null(),
                null(),
                inherit,
                flags,
                start.environment.as_ptr().cast(),
                directory,
                (&raw const information).cast(),
                &raw mut made,
            )
        },
        // SAFETY: as above, and the token is open.
        Some(token) => unsafe {
            CreateProcessAsUserW(
                token.as_raw_handle(),
                start.program.as_ptr(),
                start.command_line.as_mut_ptr(),
                null(),
                null(),
                inherit,
                flags,
                start.environment.as_ptr().cast(),
                directory,
                (&raw const information).cast(),
                &raw mut made,
            )
        },
    };
    check(answer)?;
    Ok(Started { process: owned(made.hProcess)?, thread: owned(made.hThread)?, id: made.dwProcessId })
}

/// Lets a thread run that was started waiting.
pub(crate) fn resume(thread: BorrowedHandle<'_>) -> Result<(), Errno> {
    // SAFETY: the handle is open for the call.
    match unsafe { ResumeThread(thread.as_raw_handle()) } {
        u32::MAX => Err(last_error()),
        _ => Ok(()),
    }
}

/// A handle on a process: to wait for it, to ask about it, and to end it if `end`. `SRCH` when there
/// is none with this id.
pub(crate) fn open(id: u32, end: bool) -> Result<OwnedHandle, Errno> {
    let access =
        PROCESS_SYNCHRONIZE | PROCESS_QUERY_LIMITED_INFORMATION | if end { PROCESS_TERMINATE } else { 0 };
    // SAFETY: takes numbers; the handle is not inheritable.
    owned(unsafe { OpenProcess(access, 0, id) }).map_err(|error| match error {
        // What the call says for an id that nobody has.
        Errno::INVAL => Errno::SRCH,
        other => other,
    })
}

/// Waits until `object` is signalled, as a process is by its end; `false` when `timeout` passes first.
pub(crate) fn wait(object: BorrowedHandle<'_>, timeout: Option<Duration>) -> Result<bool, Errno> {
    // Rounded up, so that a short wait is none; longer than the call can express is for ever.
    let milliseconds = timeout
        .map_or(INFINITE, |timeout| u32::try_from(timeout.as_micros().div_ceil(1000)).unwrap_or(INFINITE));
    // SAFETY: the handle is open for the call.
    match unsafe { WaitForSingleObject(object.as_raw_handle(), milliseconds) } {
        WAIT_OBJECT_0 => Ok(true),
        WAIT_FAILED => Err(last_error()),
        _ => Ok(false),
    }
}

/// The status of a process that has ended.
pub(crate) fn status(process: BorrowedHandle<'_>) -> Result<u32, Errno> {
    let mut status = 0;
    // SAFETY: the handle is open for the call, which writes one number.
    check(unsafe { GetExitCodeProcess(process.as_raw_handle(), &raw mut status) })?;
    Ok(status)
}

/// Ends a process with `status`.
pub(crate) fn end(process: impl AsHandle, status: u32) -> Result<(), Errno> {
    // SAFETY: the handle is open for the call.
    check(unsafe { TerminateProcess(process.as_handle().as_raw_handle(), status) })
}
