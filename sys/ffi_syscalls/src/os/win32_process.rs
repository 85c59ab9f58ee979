//! Processes on Windows. The number of a child is that of a handle to it, which waiting closes.

use core::ffi::{c_char, c_int};
use core::mem::MaybeUninit;
use core::ptr::{null, null_mut};

use windows_sys::Win32::Foundation::{
    DUPLICATE_SAME_ACCESS, DuplicateHandle, HANDLE, STATUS_ACCESS_VIOLATION, STATUS_CONTROL_C_EXIT,
    STATUS_ILLEGAL_INSTRUCTION, STATUS_INTEGER_DIVIDE_BY_ZERO, WAIT_OBJECT_0, WAIT_TIMEOUT,
};
use windows_sys::Win32::Globalization::{CP_UTF8, MB_ERR_INVALID_CHARS, MultiByteToWideChar};
use windows_sys::Win32::System::Threading as threading;

use super::{check, close, handle, refusal};
use crate::buf::RtBuf;
use crate::errno::Ret;
use crate::process::RT_SIGNALED;

/// Do not wait.
pub(crate) const NO_WAIT: c_int = 1;
/// The exit status of a process that `rt_process_kill` ended, less the signal. The bits say: an error,
/// and not one of the system's own.
pub(super) const KILLED: u32 = 0xe000_0000;

/// Starts a program that inherits the standard streams, and answers its number.
///
/// # Safety
/// `argv` points to pointers to C strings, the last one null, the first one not.
pub(crate) unsafe fn start(argv: *const *mut c_char) -> Ret {
    // SAFETY: the caller's promise.
    unsafe { start_with(argv, null(), [-1; 3], false) }
}

/// Starts a program found through PATH, with `streams` as its 0, 1 and 2 where they are not negative,
/// in a group of its own if `group`. Nothing else is inherited. Answers its number.
///
/// # Safety
/// `argv` and, unless it is null, `env` point to pointers to C strings, the last one null.
pub(crate) unsafe fn start_with(
    argv: *const *mut c_char,
    env: *const *mut c_char,
    streams: [c_int; 3],
    group: bool,
) -> Ret {
    let mut line = RtBuf::EMPTY;
    // SAFETY: the caller's promise.
    let quoted = unsafe { command_line(argv, &mut line) };
    if quoted.0 < 0 {
        return quoted;
    }
    let mut wide_line = RtBuf::EMPTY;
    // SAFETY: the line is filled up to its length.
    let widened = unsafe { widen(&mut wide_line, line.ptr.cast(), line.len) };
    if widened.0 < 0 {
        return widened;
    }
    let mut block = RtBuf::EMPTY;
    if !env.is_null() {
        // SAFETY: the caller's promise.
        let made = unsafe { environment_block(env, &mut block) };
        if made.0 < 0 {
            return made;
        }
    }
    let mut ends = [null_mut(); 3];
    let mut started = Ret(0);
    for (stream, (end, given)) in (0..).zip(ends.iter_mut().zip(streams)) {
        let source = handle(if given >= 0 { given } else { stream });
        if !source.is_null() {
            // SAFETY: the function has no conditions.
            let this = unsafe { threading::GetCurrentProcess() };
            let same = DUPLICATE_SAME_ACCESS;
            // SAFETY: a handle that is none is refused.
            let copied = check(unsafe { DuplicateHandle(this, source, this, &raw mut *end, 0, 1, same) });
            if copied.0 < 0 && given >= 0 {
                started = copied;
            }
        }
    }
    if started.0 >= 0 {
        let environment: *const core::ffi::c_void = if env.is_null() { null() } else { block.ptr.cast() };
        // SAFETY: the line and the block end as they must, and the handles are open.
        started = unsafe { create(wide_line.ptr.cast(), environment, &ends, group) };
    }
    for end in ends {
        if !end.is_null() {
            // SAFETY: the copy is not used again.
            unsafe { windows_sys::Win32::Foundation::CloseHandle(end) };
        }
    }
    started
}

/// Creates the process, which inherits these handles and no others.
///
/// # Safety
/// `line` ends with a 0, `environment` is null or a block.
unsafe fn create(
    line: *mut u16,
    environment: *const core::ffi::c_void,
    ends: &[HANDLE; 3],
    group: bool,
) -> Ret {
    let mut inherited = [null_mut(); 3];
    let mut count = 0_usize;
    for end in ends.iter().filter(|end| !end.is_null()) {
        if let Some(place) = inherited.get_mut(count) {
            *place = *end;
        }
        count += 1;
    }
    let mut size = 0;
    // SAFETY: null asks for the size alone.
    unsafe { threading::InitializeProcThreadAttributeList(null_mut(), 1, 0, &raw mut size) };
    let mut list = RtBuf::EMPTY;
    let reserved = list.reserve(size);
    if reserved.0 < 0 {
        return reserved;
    }
    let attributes = list.ptr.cast();
    // SAFETY: there is room for that size.
    let ready =
        check(unsafe { threading::InitializeProcThreadAttributeList(attributes, 1, 0, &raw mut size) });
    if ready.0 < 0 {
        return ready;
    }
    let mut flags = threading::CREATE_UNICODE_ENVIRONMENT | threading::EXTENDED_STARTUPINFO_PRESENT;
    if group {
        flags |= threading::CREATE_NEW_PROCESS_GROUP;
    }
    // SAFETY: zeros and null pointers are values of every field.
    let mut info = unsafe { MaybeUninit::<threading::STARTUPINFOEXW>::zeroed().assume_init() };
    info.StartupInfo.cb = size_of::<threading::STARTUPINFOEXW>() as u32;
    info.StartupInfo.dwFlags = threading::STARTF_USESTDHANDLES;
    [info.StartupInfo.hStdInput, info.StartupInfo.hStdOutput, info.StartupInfo.hStdError] = *ends;
    let mut done = Ret(0);
    if count != 0 {
        info.lpAttributeList = attributes;
        let kind = threading::PROC_THREAD_ATTRIBUTE_HANDLE_LIST as usize;
        let bytes = count.wrapping_mul(size_of::<HANDLE>());
        let handles = inherited.as_ptr().cast();
        // SAFETY: the handles outlive the list.
        done = check(unsafe {
            threading::UpdateProcThreadAttribute(attributes, 0, kind, handles, bytes, null_mut(), null())
        });
    }
    if done.0 >= 0 {
        let mut made = MaybeUninit::<threading::PROCESS_INFORMATION>::zeroed();
        let startup = (&raw const info).cast();
        let inherits = i32::from(count != 0);
        // SAFETY: the caller's promise; the rest are locals.
        done = check(unsafe {
            threading::CreateProcessW(
                null(),
                line,
                null(),
                null(),
                inherits,
                flags,
                environment,
                null(),
                startup,
                made.as_mut_ptr(),
            )
        });
        if done.0 >= 0 {
            // SAFETY: the call succeeded and filled it.
            let made = unsafe { made.assume_init() };
            // SAFETY: the thread's handle is of no use here.
            unsafe { windows_sys::Win32::Foundation::CloseHandle(made.hThread) };
            done = Ret(made.hProcess.addr() as i64);
        }
    }
    // SAFETY: the list was initialised.
    unsafe { threading::DeleteProcThreadAttributeList(attributes) };
    done
}

/// Waits for a child; `options` is 0 or NO_WAIT. Answers the child's number, or 0 if it still runs, and
/// its exit code or RT_SIGNALED and the signal in `status`.
pub(crate) fn wait(child: i64, options: c_int, status: &mut i64) -> Ret {
    let process = handle(child as c_int);
    let patience = if options == NO_WAIT { 0 } else { threading::INFINITE };
    // SAFETY: a handle that is none is refused.
    match unsafe { threading::WaitForSingleObject(process, patience) } {
        WAIT_OBJECT_0 => {}
        WAIT_TIMEOUT => return Ret(0),
        _ => return Ret::error(libc::ECHILD),
    }
    let mut code = 0;
    // SAFETY: code is a local.
    if check(unsafe { threading::GetExitCodeProcess(process, &raw mut code) }).0 < 0 {
        return Ret::error(libc::ECHILD);
    }
    *status = status_of(code);
    let _ = close(child as c_int);
    Ret(child)
}

/// The exit code of a process as POSIX would give it.
const fn status_of(code: u32) -> i64 {
    /// What remains of a number of the system's that says what went wrong.
    const ERROR: u32 = 0xc000_0000;
    match code {
        0..=255 => code as i64,
        KILLED.. if code & 0xff != 0 && code & 0x0fff_ff00 == 0 => RT_SIGNALED | (code & 0x7f) as i64,
        ERROR.. => {
            RT_SIGNALED
                | match code as i32 {
                    STATUS_ACCESS_VIOLATION => 11,
                    STATUS_CONTROL_C_EXIT => 2,
                    STATUS_ILLEGAL_INSTRUCTION => 4,
                    STATUS_INTEGER_DIVIDE_BY_ZERO => 8,
                    _ => 6,
                }
        }
        _ => (code & 0xff) as i64,
    }
}

/// Puts arguments into one line, in the way that Microsoft's C run-time takes it apart: in quotes, of
/// which those inside and the backslashes before any are escaped by backslashes.
///
/// # Safety
/// `argv` points to pointers to C strings, the last one null.
unsafe fn command_line(argv: *const *mut c_char, line: &mut RtBuf) -> Ret {
    let mut next = argv;
    loop {
        // SAFETY: null was not met before.
        let argument = unsafe { next.read() };
        if argument.is_null() {
            return Ret(0);
        }
        let mut done = add(line, if next == argv { b"\"" } else { b" \"" });
        let mut at = argument;
        let mut backslashes = 0_usize;
        while done.0 >= 0 {
            // SAFETY: the 0 was not met before.
            let byte = unsafe { at.read() } as u8;
            match byte {
                b'\\' => backslashes += 1,
                b'"' | 0 => {
                    for _ in 0..backslashes {
                        done = if done.0 < 0 { done } else { add(line, b"\\") };
                    }
                    backslashes = 0;
                }
                _ => backslashes = 0,
            }
            if byte == 0 {
                break;
            }
            if byte == b'"' && done.0 >= 0 {
                done = add(line, b"\\");
            }
            done = if done.0 < 0 { done } else { add(line, &[byte]) };
            at = at.wrapping_add(1);
        }
        done = if done.0 < 0 { done } else { add(line, b"\"") };
        if done.0 < 0 {
            return done;
        }
        next = next.wrapping_add(1);
    }
}

/// Appends bytes.
fn add(line: &mut RtBuf, bytes: &[u8]) -> Ret {
    // SAFETY: a slice is readable for its length, and not in the buffer.
    unsafe { line.push(bytes.as_ptr(), bytes.len()) }
}

/// Appends a text of `len` bytes in UTF-16, and a 0 that is not counted.
///
/// # Safety
/// `text` is readable for `len` bytes.
unsafe fn widen(out: &mut RtBuf, text: *const c_char, len: usize) -> Ret {
    let unit = size_of::<u16>();
    let reserved = out.reserve(len.saturating_add(1).saturating_mul(unit));
    if reserved.0 < 0 {
        return reserved;
    }
    let into: *mut u16 = out.end().cast();
    let mut count = 0;
    if len != 0 {
        let Ok(bytes) = i32::try_from(len) else {
            return Ret::error(libc::E2BIG);
        };
        // SAFETY: the caller's promise; no text has more units than bytes.
        count =
            unsafe { MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text.cast(), bytes, into, bytes) };
        if count == 0 {
            return refusal();
        }
    }
    // SAFETY: there is room for the 0.
    unsafe { into.add(count as usize).write(0) };
    out.len = out.len.wrapping_add((count as usize).wrapping_mul(unit));
    Ret(0)
}

/// Puts variables into a block: each with its 0, and one more behind the last.
///
/// # Safety
/// `env` points to pointers to C strings, the last one null.
unsafe fn environment_block(env: *const *mut c_char, block: &mut RtBuf) -> Ret {
    let mut next = env;
    loop {
        // SAFETY: null was not met before.
        let variable = unsafe { next.read() };
        if variable.is_null() {
            // An empty block ends with two as well.
            return add(block, &[0; 4]);
        }
        // SAFETY: a variable ends with a 0.
        let len = unsafe { crate::text::length(variable) };
        // SAFETY: as above.
        let widened = unsafe { widen(block, variable, len) };
        if widened.0 < 0 {
            return widened;
        }
        let ended = add(block, &[0; 2]);
        if ended.0 < 0 {
            return ended;
        }
        next = next.wrapping_add(1);
    }
}
