//! What all systems that follow POSIX do alike, WASI among them, which has its files.

use core::ffi::{c_char, c_int};
use core::mem::MaybeUninit;

use crate::buf::RtBuf;
use crate::errno::{Ret, check};
use crate::file::RtStat;
use crate::text::Text;

#[cfg(any(target_os = "linux", target_os = "android"))]
#[path = "linux.rs"]
mod system;
#[cfg(target_vendor = "apple")]
#[path = "darwin.rs"]
mod system;
#[cfg(any(target_os = "freebsd", target_os = "openbsd", target_os = "netbsd", target_os = "dragonfly"))]
#[path = "bsd.rs"]
mod system;
#[cfg(target_os = "wasi")]
#[path = "wasi.rs"]
mod system;
pub(crate) use system::*;

pub(crate) use libc::{
    AT_FDCWD, O_APPEND, O_CREAT, O_DIRECTORY, O_EXCL, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY,
};

/// The flag of [`stat`] that describes a symbolic link itself.
pub(crate) const NO_FOLLOW: c_int = libc::AT_SYMLINK_NOFOLLOW;
/// The flag of [`unlink`] for an empty directory.
pub(crate) const REMOVE_DIR: c_int = libc::AT_REMOVEDIR;

/// Whether a byte of a path stands between two names.
pub(crate) const fn is_separator(byte: c_char) -> bool {
    byte == b'/' as c_char
}

/// The errno of this thread.
pub(crate) fn errno() -> c_int {
    // SAFETY: the location is valid for the life of the thread.
    unsafe { *errno_location() }
}

/// Sets the errno of this thread.
pub(crate) fn set_errno(code: c_int) {
    // SAFETY: the location is valid for the life of the thread.
    unsafe { *errno_location() = code };
}

/// Makes a call until no signal interrupts it.
#[inline(always)]
pub(crate) fn again(mut call: impl FnMut() -> Ret) -> Ret {
    loop {
        let out = call();
        if out.0 != -(libc::EINTR as i64) {
            return out;
        }
    }
}

/// A call of libc that answers -1 and sets errno, made until no signal interrupts it.
#[cfg(feature = "wide")]
pub(crate) fn retry(mut call: impl FnMut() -> i64) -> Ret {
    again(|| check(call()))
}

/// Opens, never for child processes.
#[inline(never)]
pub(crate) fn open(dir: c_int, path: Text<'_>, flags: c_int, mode: u32) -> Ret {
    // SAFETY: a Text ends with a 0; the rest are numbers.
    again(|| check(unsafe { libc::openat(dir, path.as_ptr(), flags | libc::O_CLOEXEC, mode) }.into()))
}

/// Closes a descriptor. An interruption is success: the descriptor is closed all the same, and closing
/// it again could close someone else's.
#[inline(never)]
pub(crate) fn close(fd: c_int) -> Ret {
    let out = close_once(fd);
    if out.0 == -i64::from(libc::EINTR) { Ret(0) } else { out }
}

/// As many writes as it takes.
///
/// # Safety
/// `from` is readable for `len` bytes.
#[inline(never)]
pub(crate) unsafe fn write_all(fd: c_int, from: *const u8, len: usize) -> Ret {
    let mut left = len;
    let mut from = from;
    while left != 0 {
        // SAFETY: what is left of what the caller vouches for.
        let out = unsafe { write(fd, from, left) };
        if out.0 < 0 {
            return out;
        }
        from = from.wrapping_add(out.0 as usize);
        left = left.wrapping_sub(out.0 as usize);
    }
    Ret(len as i64)
}

/// Describes a name; `flags` is 0 or NO_FOLLOW.
///
/// # Safety
/// `out` is writable. It is written to on success only.
#[inline(never)]
pub(crate) unsafe fn stat(dir: c_int, path: Text<'_>, flags: c_int, out: *mut RtStat) -> Ret {
    let mut found = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: a Text ends with a 0, and there is room for one structure.
    let done = check(unsafe { libc::fstatat(dir, path.as_ptr(), found.as_mut_ptr(), flags) }.into());
    if done.0 >= 0 {
        // SAFETY: the call succeeded and filled it.
        let found = unsafe { found.assume_init_ref() };
        // SAFETY: the caller's promise.
        unsafe { describe(found, out) };
    }
    done
}

/// The description in the form of this library.
///
/// # Safety
/// `out` is writable.
#[inline(always)]
#[allow(clippy::unnecessary_cast, reason = "the widths differ between systems")]
pub(super) unsafe fn describe(found: &libc::stat, out: *mut RtStat) {
    let (seconds, below) = modified(found);
    let known = RtStat {
        size: found.st_size as i64,
        modified_ns: nanoseconds(seconds, below),
        device: found.st_dev as u64,
        inode: found.st_ino as u64,
        links: found.st_nlink as u64,
        mode: found.st_mode as u32,
        uid: found.st_uid as u32,
        gid: found.st_gid as u32,
        reserved: 0,
    };
    // SAFETY: the caller's promise.
    unsafe { out.write(known) };
}

/// A time in nanoseconds, or the largest number if it is too far from 1970: before 1677, after 2262.
#[inline(always)]
pub(crate) fn nanoseconds(seconds: i64, below: i64) -> i64 {
    seconds.checked_mul(1_000_000_000).and_then(|whole| whole.checked_add(below)).unwrap_or(i64::MAX)
}

/// Removes a name; `flags` is 0 or REMOVE_DIR.
pub(crate) fn unlink(dir: c_int, path: Text<'_>, flags: c_int) -> Ret {
    // SAFETY: a Text ends with a 0.
    check(unsafe { libc::unlinkat(dir, path.as_ptr(), flags) }.into())
}

/// Makes one directory.
pub(crate) fn mkdir(path: Text<'_>, mode: u32) -> Ret {
    // SAFETY: a Text ends with a 0.
    check(unsafe { libc::mkdirat(AT_FDCWD, path.as_ptr(), mode as libc::mode_t) }.into())
}

/// Appends the value of a variable to a buffer; ENOENT if there is none.
///
/// # Safety
/// `name` ends with a 0, and no thread changes the environment meanwhile.
#[inline(never)]
pub(crate) unsafe fn variable(name: *const c_char, out: &mut RtBuf) -> Ret {
    // SAFETY: the caller's promise.
    let value = unsafe { libc::getenv(name) };
    if value.is_null() {
        return Ret::error(libc::ENOENT);
    }
    // SAFETY: libc's value ends with a 0 and nobody changes it meanwhile.
    unsafe { out.push_text(value, 0) }
}

/// Sets a variable.
///
/// # Safety
/// Both end with a 0, and no other thread uses the environment.
pub(crate) unsafe fn set_variable(name: *const c_char, value: *const c_char) -> Ret {
    // SAFETY: the caller's promise; libc takes copies.
    check(unsafe { libc::setenv(name, value, 1) }.into())
}

/// The user's home directory into an empty buffer: HOME unless it is empty, else what the user
/// database says, else ENOENT.
///
/// # Safety
/// No thread changes the environment meanwhile.
pub(crate) unsafe fn home_dir(out: &mut RtBuf) -> Ret {
    // SAFETY: the literal ends with a 0; the rest is the caller's promise.
    let home = unsafe { variable(c"HOME".as_ptr(), out) };
    if home.0 != 0 && home.0 != Ret::error(libc::ENOENT).0 {
        return home;
    }
    home_of_user(out)
}

/// What systems with users, processes and memory maps have besides.
#[cfg(unix)]
#[path = "unix.rs"]
mod unix;
#[cfg(unix)]
pub(crate) use unix::*;

#[cfg(feature = "wide")]
#[path = "posix_wide.rs"]
mod wide;
#[cfg(feature = "wide")]
pub(crate) use wide::*;
