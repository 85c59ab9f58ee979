//! Processes.

use core::ffi::c_char;
use core::ptr::null_mut;

use crate::buf::RtBuf;
use crate::errno::Ret;
use crate::os;

/// Set in a status if a signal ended the process; the number of the signal is added to it.
pub const RT_SIGNALED: i64 = 256;

/// Puts into an empty buffer an array of pointers to the texts of a list, the last one null, and copies
/// of the texts behind it. There are at most `most` of them; answers how many there are.
///
/// # Errors
/// EINVAL for a list that does not end with a 0.
///
/// # Safety
/// `list` is readable for `len` bytes.
#[inline(never)]
pub(crate) unsafe fn pointers(list: *const c_char, len: usize, most: usize, into: &mut RtBuf) -> Ret {
    // No overflow: the list is in memory, and has at most as many texts as bytes.
    let array_len = most.wrapping_add(1).wrapping_mul(size_of::<*mut c_char>());
    let reserved = into.reserve(array_len.wrapping_add(len));
    if reserved.0 < 0 {
        return reserved;
    }
    let mut place: *mut *mut c_char = into.ptr.cast();
    let mut text: *mut c_char = into.ptr.wrapping_add(array_len).cast();
    let mut count = 0;
    let mut ended = true;
    for at in 0..len {
        if ended {
            // SAFETY: there is an element for each text.
            unsafe { place.write(text) };
            place = place.wrapping_add(1);
            count += 1;
        }
        // SAFETY: at is below len.
        let byte = unsafe { list.add(at).read() };
        // SAFETY: there is room for a byte for each of the list's.
        unsafe { text.write(byte) };
        text = text.wrapping_add(1);
        ended = byte == 0;
    }
    if !ended {
        return Ret::error(libc::EINVAL);
    }
    // SAFETY: there is one element more than there are texts.
    unsafe { place.write(null_mut()) };
    Ret(count)
}

/// Runs a program to its end.
///
/// # Safety
/// `argv` points to pointers to C strings, the last one null.
#[inline(never)]
pub(crate) unsafe fn run(argv: *const *mut c_char) -> Ret {
    // SAFETY: the array has at least its last element.
    if unsafe { argv.read() }.is_null() {
        return Ret::error(libc::EINVAL);
    }
    // SAFETY: the caller's promise, and the first is not null.
    let child = unsafe { os::start(argv) };
    if child.0 < 0 {
        return child;
    }
    let mut status = 0;
    let waited = os::wait(child.0, 0, &mut status);
    if waited.0 < 0 { waited } else { Ret(status) }
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
    let mut argv = RtBuf::EMPTY;
    // SAFETY: the caller's promise.
    let count = unsafe { pointers(args, args_len, args_len, &mut argv) };
    if count.0 < 0 {
        return count.0;
    }
    // SAFETY: pointers made the array.
    unsafe { run(argv.ptr.cast()) }.0
}

/// The number of this process.
#[unsafe(no_mangle)]
pub extern "C" fn rt_getpid() -> i64 {
    os::process_number()
}
