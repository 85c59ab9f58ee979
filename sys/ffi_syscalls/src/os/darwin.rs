//! What macOS does its own way.

use core::ffi::{c_char, c_int};

#[path = "generic.rs"]
mod generic;
pub(crate) use generic::*;

/// Where libc keeps the errno of this thread.
pub(crate) fn errno_location() -> *mut c_int {
    // SAFETY: the function has no conditions.
    unsafe { libc::__error() }
}

/// The variables of this process: pointers to `NAME=value`, the last one null.
pub(crate) fn environment() -> *const *mut c_char {
    // SAFETY: the function has no conditions.
    let place = unsafe { libc::_NSGetEnviron() };
    // SAFETY: reading the pointer is sound as long as no other thread changes the environment,
    // which the documentation of rt_env_set_var asks for.
    unsafe { place.read() }
}

/// When the contents last changed: seconds since 1970, and nanoseconds.
#[inline(always)]
pub(crate) const fn modified(stat: &libc::stat) -> (i64, i64) {
    (stat.st_mtime, stat.st_mtime_nsec)
}

#[cfg(feature = "wide")]
pub(crate) use wide::*;

/// What only the larger library needs.
#[cfg(feature = "wide")]
mod wide {
    use core::ffi::c_int;

    use super::super::{AT_FDCWD, check};
    use crate::errno::Ret;
    use crate::text::Text;

    /// The clock that stops while the machine sleeps.
    pub(crate) const CLOCK_STEADY: libc::clockid_t = libc::CLOCK_UPTIME_RAW;
    /// The clock that goes on while the machine sleeps.
    pub(crate) const CLOCK_BOOT: libc::clockid_t = libc::CLOCK_MONOTONIC;

    /// Makes a pipe whose ends do not go to child processes. There is no call that does both, so that
    /// a child started in between by another thread has them.
    pub(crate) fn pipe(ends: &mut [c_int; 2]) -> Ret {
        // SAFETY: the array has the two elements.
        let made = check(unsafe { libc::pipe(ends.as_mut_ptr()) }.into());
        if made.0 >= 0 {
            for end in *ends {
                // SAFETY: the arguments are numbers.
                unsafe { libc::fcntl(end, libc::F_SETFD, libc::FD_CLOEXEC) };
            }
        }
        made
    }

    /// Renames, if asked only to a name that is free.
    pub(crate) fn rename(from: Text<'_>, to: Text<'_>, only_new: bool) -> Ret {
        let flags = if only_new { libc::RENAME_EXCL } else { 0 };
        // SAFETY: a Text ends with a 0.
        check(unsafe { libc::renameatx_np(AT_FDCWD, from.as_ptr(), AT_FDCWD, to.as_ptr(), flags) }.into())
    }
}
