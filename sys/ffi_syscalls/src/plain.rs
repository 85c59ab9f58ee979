//! The first interface: 23 functions over C strings.
//!
//! Texts end with a byte 0 and must not be null. A failure is `false`, null or -1, and its reason is
//! what `rt_last_errno` answers next. What is returned as a pointer is given to `rt_free`.

use core::ffi::{c_char, c_void};
use core::mem::{MaybeUninit, offset_of};
use core::ptr::{null, null_mut};

use crate::buf::RtBuf;
use crate::errno::{Ret, leave};
use crate::file::{
    RT_APPEND, RT_RECURSIVE, RtStat, rt_fs_copy, rt_fs_list, rt_fs_lock, rt_fs_mkdir, rt_fs_read,
    rt_fs_remove, rt_fs_stat, rt_fs_unlock, rt_fs_write,
};
use crate::process::{RT_SIGNALED, pointers, rt_process_exec};
use crate::text::{RT_NUL_TERMINATED as NUL, length};
use crate::{env, system};

/// Whether a result is a success.
#[inline(never)]
fn done(result: i64) -> bool {
    leave(result) >= 0
}

/// A function of the second interface that fills a buffer.
type Fill = unsafe extern "C" fn(*const c_char, usize, *mut RtBuf) -> i64;

/// What a function does that finds nothing.
#[derive(Clone, Copy, PartialEq)]
enum Missing {
    /// It answers null, as for any failure.
    Fails,
    /// It answers an empty text.
    IsEmpty,
}

/// What `fill` puts into a buffer, or null.
///
/// # Safety
/// `text` is a C string if `fill` uses it.
#[inline(never)]
unsafe fn filled(text: *const c_char, missing: Missing, fill: Fill) -> *mut c_char {
    let mut buf = RtBuf::EMPTY;
    // SAFETY: the buffer is a local; the rest is the caller's promise.
    let mut result = unsafe { fill(text, NUL, &raw mut buf) };
    leave(result);
    if missing == Missing::IsEmpty && result == Ret::error(libc::ENOENT).0 {
        // SAFETY: the literal ends with a 0.
        result = unsafe { buf.push_text(c"".as_ptr(), 0) }.0;
    }
    if result < 0 {
        return null_mut();
    }
    buf.into_ptr().cast()
}

/// One number of a description, by its place there, or -1.
///
/// # Safety
/// `path` is a C string.
#[inline(never)]
unsafe fn number(path: *const c_char, place: usize) -> i64 {
    let mut stat = MaybeUninit::<RtStat>::uninit();
    // SAFETY: the caller vouches for the path; the structure is a local.
    let result = leave(unsafe { rt_fs_stat(path, NUL, 0, stat.as_mut_ptr(), size_of::<RtStat>()) });
    if result < 0 {
        return result;
    }
    // SAFETY: the call filled it, and there is a number of this width at that place.
    unsafe { stat.as_ptr().byte_add(place).cast::<i64>().read() }
}

/// Whether a name leads to something. `false` also if that cannot be found out: the errno is then
/// not ENOENT.
///
/// # Errors
/// As `rt_fs_stat`.
///
/// # Safety
/// `path` is a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_file_exists(path: *const c_char) -> bool {
    // SAFETY: the caller's promise.
    unsafe { number(path, offset_of!(RtStat, size)) >= 0 }
}

/// The contents of a file, whatever its size is said to be, with a 0 behind them; null on failure. A
/// text with a 0 inside looks shorter than it is: `rt_fs_read` tells the length.
///
/// # Errors
/// As `rt_fs_read`.
///
/// # Safety
/// `path` is a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_file_read_text(path: *const c_char) -> *mut c_char {
    // SAFETY: the caller's promise.
    unsafe { filled(path, Missing::Fails, rt_fs_read) }
}

/// Replaces the contents of a file, making it if need be.
///
/// # Errors
/// As `rt_fs_write`.
///
/// # Safety
/// Both are C strings.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_file_write_text(path: *const c_char, content: *const c_char) -> bool {
    // SAFETY: the caller's promise.
    unsafe { write(path, content, 0) }
}

/// Writes a C string.
unsafe fn write(path: *const c_char, content: *const c_char, flags: u32) -> bool {
    // SAFETY: the callers' promise.
    let len = unsafe { length(content) };
    // SAFETY: as above.
    done(unsafe { rt_fs_write(path, NUL, flags, content.cast::<c_void>(), len) })
}

/// Removes a file or link.
///
/// # Errors
/// As `rt_fs_remove`.
///
/// # Safety
/// `path` is a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_file_delete(path: *const c_char) -> bool {
    // SAFETY: the caller's promise.
    done(unsafe { rt_fs_remove(path, NUL, 0) })
}

/// The size in bytes, or -1.
///
/// # Errors
/// As `rt_fs_stat`.
///
/// # Safety
/// `path` is a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_file_size(path: *const c_char) -> i64 {
    // SAFETY: the caller's promise.
    unsafe { number(path, offset_of!(RtStat, size)) }
}

/// Makes a directory with mode 0755 less the umask; with `recursive` also those above it, and one
/// that exists is then success.
///
/// # Errors
/// As `rt_fs_mkdir`.
///
/// # Safety
/// `path` is a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_dir_create(path: *const c_char, recursive: bool) -> bool {
    // SAFETY: the caller's promise.
    done(unsafe { rt_fs_mkdir(path, NUL, 0o755, u32::from(recursive) * RT_RECURSIVE) })
}

/// The names in a directory, without `.` and `..`: an array that ends with null, to be freed by one
/// `rt_free`, which frees the names too. Null on failure.
///
/// # Errors
/// As `rt_fs_list`.
///
/// # Safety
/// `path` is a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_dir_list(path: *const c_char) -> *mut *mut c_char {
    let mut names = RtBuf::EMPTY;
    let mut array = RtBuf::EMPTY;
    // SAFETY: the caller's promise.
    let mut result = unsafe { rt_fs_list(path, NUL, &raw mut names) };
    if result >= 0 {
        // SAFETY: the buffer is filled up to its length.
        result = unsafe { pointers(names.ptr.cast(), names.len, result as usize, &mut array) }.0;
    }
    if done(result) { array.into_ptr().cast() } else { null_mut() }
}

/// Locks an existing file for writing, without waiting, and returns a descriptor for
/// `rt_file_unlock`, or -1; EAGAIN says that someone else has it.
///
/// # Errors
/// As `rt_fs_lock`.
///
/// # Safety
/// `path` is a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_file_lock(path: *const c_char) -> i64 {
    // SAFETY: the caller's promise.
    leave(unsafe { rt_fs_lock(path, NUL, 0) })
}

/// Gives up a lock.
///
/// # Errors
/// As `rt_fs_unlock`.
#[unsafe(no_mangle)]
pub extern "C" fn rt_file_unlock(lock: i64) -> bool {
    done(rt_fs_unlock(lock))
}

/// The working directory, or null.
///
/// # Errors
/// As `rt_env_current_dir`.
#[unsafe(no_mangle)]
pub extern "C" fn rt_env_cwd() -> *mut c_char {
    // SAFETY: the text is not used.
    unsafe { filled(null(), Missing::Fails, current_dir) }
}

/// [`env::rt_env_current_dir`] as a [`Fill`].
unsafe extern "C" fn current_dir(_: *const c_char, _: usize, out: *mut RtBuf) -> i64 {
    // SAFETY: the caller's promise.
    unsafe { env::rt_env_current_dir(out) }
}

/// The value of a variable, an empty text if there is none (errno is then ENOENT), or null.
///
/// # Errors
/// As `rt_env_var`.
///
/// # Safety
/// `name` is a C string, and no thread changes the environment meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_env_get(name: *const c_char) -> *mut c_char {
    // SAFETY: the caller's promise.
    unsafe { filled(name, Missing::IsEmpty, env::rt_env_var) }
}

/// The user's home directory, an empty text if nothing knows it, or null.
///
/// # Errors
/// As `rt_env_home_dir`.
///
/// # Safety
/// No thread changes the environment meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_env_home() -> *mut c_char {
    // SAFETY: the text is not used; the rest is the caller's promise.
    unsafe { filled(null(), Missing::IsEmpty, home_dir) }
}

/// [`env::rt_env_home_dir`] as a [`Fill`].
unsafe extern "C" fn home_dir(_: *const c_char, _: usize, out: *mut RtBuf) -> i64 {
    // SAFETY: the caller's promise.
    unsafe { env::rt_env_home_dir(out) }
}

/// Sets a variable.
///
/// # Errors
/// As `rt_env_set_var`.
///
/// # Safety
/// Both are C strings, and no other thread uses the environment.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_env_set(name: *const c_char, value: *const c_char) -> bool {
    // SAFETY: the caller's promise.
    done(unsafe { env::rt_env_set_var(name, NUL, value, NUL) })
}

/// Runs a program, found through PATH, with `count` arguments besides its name. Returns its exit
/// code, or 128 and the signal that ended it, or -1 if it could not be run.
///
/// # Errors
/// As `rt_process_exec`.
///
/// # Safety
/// `program` is a C string, and `args` points to `count` of them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_process_run(
    program: *const c_char,
    args: *const *const c_char,
    count: usize,
) -> i32 {
    let mut list = RtBuf::EMPTY;
    let mut next = program;
    let mut left = count;
    let mut at = args;
    // SAFETY: the caller's promise.
    let mut result = unsafe { list.push_text(next, 1) };
    while left != 0 && result.0 >= 0 {
        // SAFETY: the caller's promise: there are count of them.
        next = unsafe { at.read() };
        // SAFETY: as above.
        result = unsafe { list.push_text(next, 1) };
        at = at.wrapping_add(1);
        left = left.wrapping_sub(1);
    }
    if result.0 >= 0 {
        // SAFETY: the list is filled up to its length.
        result = Ret(unsafe { rt_process_exec(list.ptr.cast(), list.len) });
    }
    match leave(result.0) {
        status @ RT_SIGNALED.. => (status - RT_SIGNALED + 128) as i32,
        status => status as i32,
    }
}

/// The machine's name, or null.
///
/// # Errors
/// As `rt_sys_hostname`.
#[unsafe(no_mangle)]
pub extern "C" fn rt_hostname() -> *mut c_char {
    // SAFETY: the text is not used.
    unsafe { filled(null(), Missing::Fails, hostname) }
}

/// [`system::rt_sys_hostname`] as a [`Fill`].
unsafe extern "C" fn hostname(_: *const c_char, _: usize, out: *mut RtBuf) -> i64 {
    // SAFETY: the caller's promise.
    unsafe { system::rt_sys_hostname(out) }
}

/// Copies a file and its permission bits.
///
/// # Errors
/// As `rt_fs_copy`.
///
/// # Safety
/// Both are C strings.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_file_copy(from: *const c_char, to: *const c_char) -> bool {
    // SAFETY: the caller's promise.
    done(unsafe { rt_fs_copy(from, NUL, to, NUL) })
}

/// The same as `rt_file_delete`.
///
/// # Errors
/// As `rt_fs_remove`.
///
/// # Safety
/// `path` is a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_file_remove(path: *const c_char) -> bool {
    // SAFETY: the caller's promise.
    unsafe { rt_file_delete(path) }
}

/// When the contents last changed, in whole seconds since 1970, or -1 (which a file from 1969 also
/// has: `rt_fs_stat` tells them apart).
///
/// # Errors
/// As `rt_fs_stat`.
///
/// # Safety
/// `path` is a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_file_modified_time(path: *const c_char) -> i64 {
    // A failure stays -1.
    // SAFETY: the caller's promise.
    unsafe { number(path, offset_of!(RtStat, modified_ns)) }.div_euclid(1_000_000_000)
}

/// Writes behind the contents of a file, making it if need be.
///
/// # Errors
/// As `rt_fs_write`.
///
/// # Safety
/// Both are C strings.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_file_append_text(path: *const c_char, content: *const c_char) -> bool {
    // SAFETY: the caller's promise.
    unsafe { write(path, content, RT_APPEND) }
}

/// The same as `rt_file_read_text`. The name is from a time when the file was mapped and then
/// copied: reading is as fast, and a file cut meanwhile does not kill the process.
///
/// # Errors
/// As `rt_fs_read`.
///
/// # Safety
/// `path` is a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_file_mmap_read_text(path: *const c_char) -> *mut c_char {
    // SAFETY: the caller's promise.
    unsafe { rt_file_read_text(path) }
}

/// The contents of a file as bytes, or null. The length is not told, for which there is
/// `rt_fs_read`; a 0 follows the last byte.
///
/// # Errors
/// As `rt_fs_read`.
///
/// # Safety
/// `path` is a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_file_mmap_read_bytes(path: *const c_char) -> *mut u8 {
    // SAFETY: the caller's promise.
    unsafe { rt_file_read_text(path) }.cast()
}
