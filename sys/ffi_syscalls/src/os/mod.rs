//! The calls of libc, each wrapped once. What POSIX describes is here; what differs between systems
//! is in one file per system, all of which export the same functions.

use core::ffi::c_int;

use crate::errno::{Out, Ret, check, retry};
use crate::text::Text;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::*;

#[cfg(not(target_os = "linux"))]
compile_error!("this system has no file in src/os yet; it would export what linux.rs does");

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

/// An open descriptor, closed when dropped. It never goes to child processes.
pub(crate) struct Fd(c_int);

impl Fd {
    /// Owns a descriptor that was just opened.
    pub(crate) const fn own(fd: c_int) -> Self {
        Self(fd)
    }

    pub(crate) const fn get(&self) -> c_int {
        self.0
    }

    /// Gives the descriptor up, to be closed by somebody else.
    pub(crate) fn into_raw(self) -> i64 {
        core::mem::ManuallyDrop::new(self).0.into()
    }

    /// Closes, reporting what a delayed write may still have to say. Whatever the answer, the
    /// descriptor is gone, so that a second attempt could close someone else's.
    pub(crate) fn close(self) -> Ret {
        close(self.into_raw() as c_int)
    }
}

impl Drop for Fd {
    fn drop(&mut self) {
        let _ = close(self.0);
    }
}

/// Opens, never for child processes.
pub(crate) fn open_at(dir: c_int, path: Text<'_>, flags: c_int, mode: u32) -> Ret {
    // SAFETY: a Text ends with a 0; the rest are numbers.
    retry(|| unsafe { libc::openat(dir, path.as_ptr(), flags | libc::O_CLOEXEC, mode) }.into())
}

/// Closes a descriptor. An interruption is success: the descriptor is closed all the same.
#[inline(never)]
pub(crate) fn close(fd: c_int) -> Ret {
    // SAFETY: close takes a number, and a wrong one is an error.
    let out = check(unsafe { libc::close(fd) }.into());
    if out.0 == -i64::from(libc::EINTR) { Ret(0) } else { out }
}

/// One read.
///
/// # Safety
/// `into` is writable for `len` bytes.
#[inline(never)]
pub(crate) unsafe fn read(fd: c_int, into: *mut u8, len: usize) -> Ret {
    // SAFETY: the caller's promise.
    retry(|| unsafe { libc::read(fd, into.cast(), len) } as i64)
}

/// As many writes as it takes.
///
/// # Safety
/// `from` is readable for `len` bytes.
#[inline(never)]
pub(crate) unsafe fn write_all(fd: c_int, from: *const u8, len: usize) -> Ret {
    let mut done = 0_usize;
    while done < len {
        // SAFETY: done is below len, and the caller vouches for len bytes.
        let out = retry(|| unsafe { libc::write(fd, from.add(done).cast(), len - done) } as i64);
        if out.0 < 0 {
            return out;
        }
        done += out.0 as usize;
    }
    Ret(len as i64)
}

/// What the system knows of a name; `flags` as for `fstatat`.
#[inline(always)]
pub(crate) fn stat_at(dir: c_int, path: Text<'_>, flags: c_int) -> Out<libc::stat> {
    let mut stat = core::mem::MaybeUninit::uninit();
    // SAFETY: a Text ends with a 0, and there is room for one structure.
    check(unsafe { libc::fstatat(dir, path.as_ptr(), stat.as_mut_ptr(), flags) }.into()).ok()?;
    // SAFETY: the call succeeded and filled it.
    Ok(unsafe { stat.assume_init() })
}

/// Whether a name leads to a directory.
pub(crate) fn is_dir(path: Text<'_>) -> bool {
    stat_at(libc::AT_FDCWD, path, 0).is_ok_and(|stat| stat.st_mode & libc::S_IFMT == libc::S_IFDIR)
}

/// Removes a name; `flags` as for `unlinkat`.
pub(crate) fn unlink_at(dir: c_int, path: Text<'_>, flags: c_int) -> Ret {
    // SAFETY: a Text ends with a 0.
    check(unsafe { libc::unlinkat(dir, path.as_ptr(), flags) }.into())
}

/// Makes one directory.
pub(crate) fn mkdir(path: Text<'_>, mode: u32) -> Ret {
    // SAFETY: a Text ends with a 0.
    check(unsafe { libc::mkdirat(libc::AT_FDCWD, path.as_ptr(), mode as libc::mode_t) }.into())
}

/// An entry of a directory.
pub(crate) struct Entry<'a> {
    /// Its name, neither `.` nor `..`.
    pub(crate) name: Text<'a>,
    /// The kind in the bits of a mode, or 0 if the file system does not tell.
    #[cfg_attr(not(feature = "wide"), expect(dead_code, reason = "the small library lists names only"))]
    pub(crate) kind: u32,
}

/// Waits for a child; `options` as for `waitpid`. Answers the child's number, and its raw status.
pub(crate) fn wait(pid: libc::pid_t, options: c_int) -> Out<(i64, c_int)> {
    let mut status = 0;
    // SAFETY: status is a local.
    let pid = retry(|| unsafe { libc::waitpid(pid, &raw mut status, options) }.into()).ok()?;
    Ok((pid, status))
}
