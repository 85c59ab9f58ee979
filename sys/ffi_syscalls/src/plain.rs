//! The first interface: 23 functions over C strings.
//!
//! Texts end with a byte 0 and must not be null. A failure is `false`, null or -1, and its reason is
//! what `rt_last_errno` answers next. What is returned as a pointer is given to `rt_free`.

use core::ffi::{c_char, c_void};
use core::ptr::{null, null_mut};

use crate::buf::RtBuf;
use crate::errno::leave;
use crate::file::{
    RT_APPEND, RT_RECURSIVE, RtStat, rt_fs_copy, rt_fs_list, rt_fs_lock, rt_fs_mkdir, rt_fs_read,
    rt_fs_remove, rt_fs_stat, rt_fs_unlock, rt_fs_write,
};
use crate::process::{RT_SIGNALED, run};
use crate::text::RT_NUL_TERMINATED as NUL;
use crate::{env, system};

/// Whether a result is a success.
fn done(result: i64) -> bool {
    leave(result) >= 0
}

/// The contents of a filled buffer, or null.
fn text(buf: RtBuf, result: i64) -> *mut c_char {
    if done(result) { buf.into_ptr().cast() } else { null_mut() }
}

/// One field of a description, or -1.
unsafe fn stat(path: *const c_char, field: fn(&RtStat) -> i64) -> i64 {
    let mut stat = core::mem::MaybeUninit::<RtStat>::uninit();
    // SAFETY: the caller vouches for the path; the structure is a local.
    if !done(unsafe { rt_fs_stat(path, NUL, 0, stat.as_mut_ptr(), size_of::<RtStat>()) }) {
        return -1;
    }
    // SAFETY: the call filled it.
    field(unsafe { stat.assume_init_ref() })
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
    unsafe { stat(path, |_| 0) == 0 }
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
    let mut buf = RtBuf::EMPTY;
    // SAFETY: the caller's promise.
    let result = unsafe { rt_fs_read(path, NUL, &raw mut buf) };
    text(buf, result)
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
    let len = unsafe { libc::strlen(content) };
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
    unsafe { stat(path, |stat| stat.size) }
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
    // SAFETY: the caller's promise.
    let result = unsafe { rt_fs_list(path, NUL, &raw mut names) };
    if !done(result) {
        return null_mut();
    }
    // The names follow the array in one block.
    let array_len = (result as usize).wrapping_add(1).wrapping_mul(size_of::<*mut c_char>());
    let mut block = RtBuf::EMPTY;
    if !done(block.reserve(array_len.wrapping_add(names.len)).0) {
        return null_mut();
    }
    let array: *mut *mut c_char = block.ptr.cast();
    block.len = array_len;
    let mut name: *mut c_char = block.end().cast();
    // SAFETY: the block was reserved for both.
    unsafe { core::ptr::copy_nonoverlapping(names.ptr, name.cast(), names.len) };
    for at in 0..result as usize {
        // SAFETY: the array has one element more than there are names.
        unsafe { array.add(at).write(name) };
        // SAFETY: each name ends with a 0.
        let len = unsafe { libc::strlen(name) };
        name = name.wrapping_add(len).wrapping_add(1);
    }
    // SAFETY: as above.
    unsafe { array.add(result as usize).write(null_mut()) };
    block.into_ptr().cast()
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
    leave(unsafe { rt_fs_lock(path, NUL, 0) }).max(-1)
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
    let mut buf = RtBuf::EMPTY;
    // SAFETY: the buffer is a local.
    let result = unsafe { env::rt_env_current_dir(&raw mut buf) };
    text(buf, result)
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
    let mut buf = RtBuf::EMPTY;
    // SAFETY: the caller's promise.
    let result = unsafe { env::rt_env_var(name, NUL, &raw mut buf) };
    or_empty(buf, result)
}

/// The text, or an empty one in place of ENOENT.
fn or_empty(mut buf: RtBuf, result: i64) -> *mut c_char {
    if leave(result) == -i64::from(libc::ENOENT) && buf.reserve(0).0 == 0 {
        buf.close();
        return buf.into_ptr().cast();
    }
    text(buf, result)
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
    let mut buf = RtBuf::EMPTY;
    // SAFETY: the buffer is a local; the rest is the caller's promise.
    let result = unsafe { env::rt_env_home_dir(&raw mut buf) };
    or_empty(buf, result)
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
    let mut argv = RtBuf::EMPTY;
    let size = size_of::<*const c_char>();
    // The program, its arguments and the final null.
    if !done(argv.reserve(count.saturating_add(2).saturating_mul(size)).0) {
        return -1;
    }
    let array: *mut *const c_char = argv.ptr.cast();
    // SAFETY: the first of count + 2 elements.
    unsafe { array.write(program) };
    // SAFETY: count elements behind the first.
    unsafe { core::ptr::copy_nonoverlapping(args, array.add(1), count) };
    // SAFETY: the last element.
    unsafe { array.add(count).add(1).write(null()) };
    // SAFETY: the array was just filled.
    match leave(unsafe { run(array.cast()) }) {
        ..0 => -1,
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
    let mut buf = RtBuf::EMPTY;
    // SAFETY: the buffer is a local.
    let result = unsafe { system::rt_sys_hostname(&raw mut buf) };
    text(buf, result)
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
    // SAFETY: the caller's promise.
    unsafe { stat(path, |stat| stat.modified_ns.div_euclid(1_000_000_000)) }
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
