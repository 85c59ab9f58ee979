//! Processes.

use core::ffi::c_char;
use core::ptr::null;

use crate::buf::RtBuf;
use crate::errno::{Errno, Out, raw};
use crate::os;

/// Set in a status if a signal ended the process; the number of the signal is added to it.
pub const RT_SIGNALED: i64 = 256;

/// An array of pointers to the texts of a list, the last one null.
///
/// # Errors
/// EINVAL for a list that is empty or does not end with a 0.
///
/// # Safety
/// `list` is readable for `len` bytes.
pub(crate) unsafe fn pointers(list: *const c_char, len: usize) -> Out<RtBuf> {
    let mut array = RtBuf::EMPTY;
    let mut ended = true;
    for at in 0..len {
        // SAFETY: at is below len.
        let text = unsafe { list.add(at) };
        if ended {
            // SAFETY: the bytes of a local.
            unsafe { array.push((&raw const text).cast(), size_of_val(&text)) }.ok()?;
        }
        // SAFETY: as above.
        ended = unsafe { text.read() } == 0;
    }
    if !ended || len == 0 {
        return Err(Errno::of(libc::EINVAL));
    }
    let end = null::<c_char>();
    // SAFETY: the bytes of a local.
    unsafe { array.push((&raw const end).cast(), size_of_val(&end)) }.ok()?;
    Ok(array)
}

/// Runs a program to its end.
///
/// # Safety
/// `argv` points to pointers to C strings, the last one null, the first one not.
#[inline(never)]
pub(crate) unsafe fn run(argv: *const *mut c_char) -> i64 {
    raw((|| {
        // SAFETY: the caller's promise.
        let pid = unsafe { os::spawn(argv, null(), null(), os::environment()) }.ok()?;
        let (_, status) = os::wait(pid as libc::pid_t, 0)?;
        Ok(status_of(status))
    })())
}

/// A raw status as this library gives it: the exit code, or RT_SIGNALED and the signal.
pub(crate) fn status_of(status: libc::c_int) -> i64 {
    if libc::WIFSIGNALED(status) {
        RT_SIGNALED | i64::from(libc::WTERMSIG(status))
    } else {
        libc::WEXITSTATUS(status).into()
    }
}

/// Runs a program to its end. `args` is a list, texts that are each followed by a byte 0: the first
/// names the program, looked for through PATH unless it has a `/`, and all are its arguments. Returns
/// its exit code, 0 to 255, or RT_SIGNALED and the signal that ended it. It inherits the standard
/// streams, the environment and the signal mask. The process is not forked, so that the cost does not
/// grow with the size of the caller. A program that cannot be started is an error (ENOENT, EACCES,
/// ENOEXEC ...), never a status.
///
/// # Errors
/// - `clone`: EAGAIN, ENOMEM
/// - `execve`: E2BIG, EACCES, EIO, EISDIR, ELOOP, EMFILE, ENAMETOOLONG, ENFILE, ENOENT, ENOMEM, ENOTDIR, EPERM, ETXTBSY
/// - `wait4`: ECHILD
/// - `malloc`: ENOMEM
///
/// # Safety
/// `args` is readable for `args_len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_process_exec(args: *const c_char, args_len: usize) -> i64 {
    // SAFETY: the caller's promise.
    match unsafe { pointers(args, args_len) } {
        // SAFETY: pointers made the array.
        Ok(argv) => unsafe { run(argv.ptr.cast()) },
        Err(code) => raw(Err(code)),
    }
}

/// The number of this process.
#[unsafe(no_mangle)]
pub extern "C" fn rt_getpid() -> i64 {
    // SAFETY: the function has no conditions.
    unsafe { libc::getpid() }.into()
}
