//! The environment of this process.
//!
//! libc keeps it without a lock: no thread may change it while another reads or changes it, through
//! this library or otherwise.

use core::ffi::c_char;

use crate::buf::RtBuf;
use crate::errno::Ret;
use crate::os;
use crate::text::{NONE, RT_NUL_TERMINATED, Word, with_text, word_of};

/// The value of a variable; returns its length. ENOENT if there is none, which is not the same as an
/// empty one.
///
/// # Errors
/// - `malloc`: ENOMEM
///
/// # Safety
/// `name` is a readable text, `out` a valid buffer, and no thread changes the environment meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_env_var(name: *const c_char, name_len: usize, out: *mut RtBuf) -> i64 {
    // SAFETY: the caller's promise.
    unsafe { with_text(name, name_len, out.cast(), NONE, NONE, variable) }.0
}

/// Gets the text of [`rt_env_var`].
unsafe fn variable(name: *mut c_char, out: Word, _: Word, _: Word) -> Ret {
    // SAFETY: the caller's promise.
    match unsafe { RtBuf::emptied(out.cast()) } {
        // SAFETY: with_text made the name end with a 0; the rest is the caller's promise.
        Ok(out) => unsafe { os::variable(name, out) },
        Err(code) => code.into(),
    }
}

/// Sets a variable. EINVAL for a name that is empty or has `=`.
///
/// # Errors
/// - `malloc`: ENOMEM
///
/// # Safety
/// `name` is a readable text, `value` one, and no other thread uses the environment.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_env_set_var(
    name: *const c_char,
    name_len: usize,
    value: *const c_char,
    value_len: usize,
) -> i64 {
    // SAFETY: the caller's promise.
    unsafe { with_text(name, name_len, value.cast_mut().cast(), word_of(value_len), NONE, set) }.0
}

/// Sets the text of [`rt_env_set_var`].
unsafe fn set(name: *mut c_char, value: Word, len: Word, _: Word) -> Ret {
    if value.is_null() {
        return Ret::error(libc::EFAULT);
    }
    // A value may be longer than any path.
    let mut copy = RtBuf::EMPTY;
    let mut start: *const c_char = value.cast();
    if len.addr() != RT_NUL_TERMINATED {
        // SAFETY: the caller's promise.
        let pushed = unsafe { copy.push(start.cast(), len.addr()) };
        if pushed.0 < 0 {
            return pushed;
        }
        start = copy.ptr.cast();
        // SAFETY: the copy ends with a 0.
        if unsafe { copy.measure() }.0 != pushed.0 {
            return Ret::error(libc::EINVAL);
        }
    }
    // SAFETY: both end with a 0; the rest is the caller's promise.
    unsafe { os::set_variable(name, start) }
}

/// The working directory, an absolute path; returns its length. ENOENT if it was removed,
/// ERANGE if it is longer than any path that can be used.
///
/// # Errors
/// - `getcwd`: EACCES, ENOENT
/// - `malloc`: ENOMEM
///
/// # Safety
/// `out` is a valid buffer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_env_current_dir(out: *mut RtBuf) -> i64 {
    // SAFETY: the caller's promise.
    match unsafe { RtBuf::emptied(out) } {
        Ok(out) => os::current_dir(out).0,
        Err(code) => Ret::from(code).0,
    }
}

/// The user's home directory: HOME if it is set and not empty, else what the user database says.
/// Returns its length; ENOENT if neither knows.
///
/// # Errors
/// - `malloc`: ENOMEM
///
/// # Safety
/// `out` is a valid buffer, and no thread changes the environment meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_env_home_dir(out: *mut RtBuf) -> i64 {
    // SAFETY: the caller's promise.
    match unsafe { RtBuf::emptied(out) } {
        // SAFETY: the caller's promise.
        Ok(out) => unsafe { os::home_dir(out) }.0,
        Err(code) => Ret::from(code).0,
    }
}
