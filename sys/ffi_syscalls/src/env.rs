//! The environment of this process.
//!
//! libc keeps it without a lock: no thread may change it while another reads or changes it, through
//! this library or otherwise.

use core::ffi::c_char;
use core::mem::MaybeUninit;

use crate::buf::RtBuf;
use crate::errno::{Errno, Ret, check, raw};
use crate::text::{RT_NUL_TERMINATED, Scratch};

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
    let mut scratch = Scratch::new();
    raw((|| {
        // SAFETY: the caller's promise.
        let out = unsafe { RtBuf::emptied(out) }?;
        // SAFETY: the caller's promise.
        let name = unsafe { scratch.text(name, name_len) }?;
        // SAFETY: a Text ends with a 0.
        let value = unsafe { libc::getenv(name.as_ptr()) };
        if value.is_null() {
            return Err(Errno::of(libc::ENOENT));
        }
        // SAFETY: libc's value ends with a 0 and nobody changes it meanwhile.
        unsafe { push_text(out, value) }.ok()
    })())
}

/// Appends a C string; the result is the buffer's length.
///
/// # Safety
/// `text` ends with a 0.
#[inline(never)]
unsafe fn push_text(out: &mut RtBuf, text: *const c_char) -> Ret {
    // SAFETY: the caller's promise.
    let len = unsafe { libc::strlen(text) };
    // SAFETY: as above.
    unsafe { out.push(text.cast(), len) }
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
    let mut scratch = Scratch::new();
    raw((|| {
        // SAFETY: the caller's promise.
        let name = unsafe { scratch.text(name, name_len) }?;
        if value.is_null() {
            return Err(Errno::of(libc::EFAULT));
        }
        // A value may be longer than any path.
        let mut copy = RtBuf::EMPTY;
        let mut start = value;
        if value_len != RT_NUL_TERMINATED {
            // SAFETY: the caller's promise.
            unsafe { copy.push(value.cast(), value_len) }.ok()?;
            start = copy.ptr.cast();
            // SAFETY: the copy ends with a 0.
            if unsafe { libc::strlen(start) } != value_len {
                return Err(Errno::of(libc::EINVAL));
            }
        }
        // SAFETY: both end with a 0; libc takes copies.
        check(unsafe { libc::setenv(name.as_ptr(), start, 1) }.into()).ok()
    })())
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
    raw((|| {
        // SAFETY: the caller's promise.
        let out = unsafe { RtBuf::emptied(out) }?;
        out.reserve(libc::PATH_MAX as usize).ok()?;
        // SAFETY: cap bytes are allocated.
        if unsafe { libc::getcwd(out.ptr.cast(), out.cap) }.is_null() {
            return Err(Errno::last());
        }
        // SAFETY: the call succeeded and ended the path with a 0.
        out.len = unsafe { libc::strlen(out.ptr.cast()) };
        Ok(out.len as i64)
    })())
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
    raw((|| {
        // SAFETY: the caller's promise.
        let out = unsafe { RtBuf::emptied(out) }?;
        // SAFETY: the literal ends with a 0.
        let home = unsafe { libc::getenv(c"HOME".as_ptr()) };
        // SAFETY: a value has at least its 0.
        if !home.is_null() && unsafe { home.read() } != 0 {
            // SAFETY: libc's value ends with a 0 and nobody changes it meanwhile.
            return unsafe { push_text(out, home) }.ok();
        }
        // Entries are far shorter; one that is not is refused with ERANGE.
        let mut strings = MaybeUninit::<[c_char; 2048]>::uninit();
        let mut entry = MaybeUninit::<libc::passwd>::uninit();
        let mut found = core::ptr::null_mut();
        // SAFETY: the function has no conditions.
        let user = unsafe { libc::getuid() };
        let place = strings.as_mut_ptr().cast();
        // SAFETY: all are locals, and the size is that of the array.
        let code = unsafe {
            libc::getpwuid_r(user, entry.as_mut_ptr(), place, size_of_val(&strings), &raw mut found)
        };
        // SAFETY: null, or the entry just filled.
        match unsafe { found.as_ref() } {
            // SAFETY: the fields of an entry end with a 0.
            Some(entry) => unsafe { push_text(out, entry.pw_dir) }.ok(),
            None if code == 0 => Err(Errno::of(libc::ENOENT)),
            None => Err(Errno::of(code)),
        }
    })())
}
