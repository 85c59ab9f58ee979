//! What FreeBSD, OpenBSD, NetBSD and DragonFly do their own way.

use core::ffi::{c_char, c_int};

#[path = "generic.rs"]
mod generic;
pub(crate) use generic::*;

unsafe extern "C" {
    /// The variables of this process, as libc keeps them.
    static mut environ: *const *mut c_char;
}

/// Where libc keeps the errno of this thread.
pub(crate) fn errno_location() -> *mut c_int {
    #[cfg(any(target_os = "freebsd", target_os = "dragonfly"))]
    // SAFETY: the function has no conditions.
    return unsafe { libc::__error() };
    #[cfg(not(any(target_os = "freebsd", target_os = "dragonfly")))]
    // SAFETY: the function has no conditions.
    return unsafe { libc::__errno() };
}

/// The variables of this process: pointers to `NAME=value`, the last one null.
pub(crate) fn environment() -> *const *mut c_char {
    // SAFETY: reading the pointer is sound as long as no other thread changes the environment,
    // which the documentation of rt_env_set_var asks for.
    unsafe { environ }
}

/// When the contents last changed: seconds since 1970, and nanoseconds.
#[inline(always)]
#[allow(clippy::unnecessary_cast, reason = "the widths differ between systems")]
pub(crate) const fn modified(stat: &libc::stat) -> (i64, i64) {
    #[cfg(target_os = "netbsd")]
    return (stat.st_mtime as i64, stat.st_mtimensec as i64);
    #[cfg(not(target_os = "netbsd"))]
    return (stat.st_mtime as i64, stat.st_mtime_nsec as i64);
}

#[cfg(feature = "wide")]
pub(crate) use wide::*;

/// What only the larger library needs.
#[cfg(feature = "wide")]
mod wide {
    use core::ffi::c_int;

    use super::super::{AT_FDCWD, check, unlink};
    use crate::errno::Ret;
    use crate::text::Text;

    /// The clock that stops while the machine sleeps, where there is one.
    pub(crate) const CLOCK_STEADY: libc::clockid_t = libc::CLOCK_MONOTONIC;
    /// The clock that goes on while the machine sleeps, where there is one.
    #[cfg(target_os = "openbsd")]
    pub(crate) const CLOCK_BOOT: libc::clockid_t = libc::CLOCK_BOOTTIME;
    /// The clock that goes on while the machine sleeps, where there is one.
    #[cfg(not(target_os = "openbsd"))]
    pub(crate) const CLOCK_BOOT: libc::clockid_t = libc::CLOCK_MONOTONIC;

    /// Makes a pipe whose ends do not go to child processes.
    pub(crate) fn pipe(ends: &mut [c_int; 2]) -> Ret {
        // SAFETY: the array has the two elements.
        check(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) }.into())
    }

    /// Renames, if asked only to a name that is free. These systems have no call for the latter, so
    /// that the file gets a second name and then loses the first; a directory cannot: EPERM.
    pub(crate) fn rename(from: Text<'_>, to: Text<'_>, only_new: bool) -> Ret {
        if !only_new {
            // SAFETY: a Text ends with a 0.
            return check(unsafe { libc::renameat(AT_FDCWD, from.as_ptr(), AT_FDCWD, to.as_ptr()) }.into());
        }
        // SAFETY: a Text ends with a 0.
        let linked = check(unsafe { libc::linkat(AT_FDCWD, from.as_ptr(), AT_FDCWD, to.as_ptr(), 0) }.into());
        if linked.0 < 0 { linked } else { unlink(AT_FDCWD, from, 0) }
    }
}
