//! What Unix systems do alike that WASI has nothing of: users, processes, memory maps, permissions.

use core::ffi::{c_char, c_int};
use core::mem::MaybeUninit;
use core::ptr::{null, null_mut};

use super::{environment, user, wait_once};
use crate::buf::RtBuf;
use crate::errno::Ret;

/// Bionic has it from Android 9 on; libc's declarations do not.
#[cfg(target_os = "android")]
#[path = "bionic.rs"]
mod spawning;
#[cfg(not(target_os = "android"))]
use libc as spawning;

/// The home directory of this user into an empty buffer, as the user database has it, else ENOENT.
#[inline(always)]
pub(crate) fn home_of_user(out: &mut RtBuf) -> Ret {
    // Entries are far shorter; one that is not is refused with ERANGE.
    let mut strings = MaybeUninit::<[c_char; 2048]>::uninit();
    let mut entry = MaybeUninit::<libc::passwd>::uninit();
    let mut found = null_mut();
    let user = user();
    let place = strings.as_mut_ptr().cast();
    // SAFETY: all are locals, and the size is that of the array.
    let code =
        unsafe { libc::getpwuid_r(user, entry.as_mut_ptr(), place, size_of_val(&strings), &raw mut found) };
    // SAFETY: null, or the entry just filled.
    match unsafe { found.as_ref() } {
        // SAFETY: the fields of an entry end with a 0.
        Some(entry) => unsafe { out.push_text(entry.pw_dir, 0) },
        None if code == 0 => Ret::error(libc::ENOENT),
        None => Ret::error(code),
    }
}

/// Starts a program found through PATH, with this environment. Answers its number.
///
/// # Safety
/// `argv` points to pointers to C strings, the last one null, the first one not; the other two are
/// null or initialised.
#[inline(always)]
pub(crate) unsafe fn spawn(
    argv: *const *mut c_char,
    actions: *const libc::posix_spawn_file_actions_t,
    attributes: *const libc::posix_spawnattr_t,
    environment: *const *mut c_char,
) -> Ret {
    let mut pid = 0;
    // SAFETY: the caller vouches for all of them; pid is a local.
    let code = unsafe { spawning::posix_spawnp(&raw mut pid, *argv, actions, attributes, argv, environment) };
    if code == 0 { Ret(pid.into()) } else { Ret::error(code) }
}

/// Starts a program that inherits everything, and answers its number.
///
/// # Safety
/// As for [`spawn`].
#[inline(always)]
pub(crate) unsafe fn start(argv: *const *mut c_char) -> Ret {
    // SAFETY: the caller's promise; null stands for neither actions nor attributes.
    unsafe { spawn(argv, null(), null(), environment()) }
}

/// Waits for a child; `options` as for `waitpid`. Answers the child's number, and its exit code or
/// RT_SIGNALED and the signal in `status`.
pub(crate) fn wait(child: i64, options: c_int, status: &mut i64) -> Ret {
    let mut raw = 0;
    let done = wait_once(child as c_int, options, &mut raw);
    // Neither stopping nor going on is waited for.
    *status = if libc::WIFEXITED(raw) {
        libc::WEXITSTATUS(raw).into()
    } else {
        crate::process::RT_SIGNALED | i64::from(libc::WTERMSIG(raw))
    };
    done
}

/// The number of processors that are online; 0 or less if it is not known.
pub(crate) fn processors() -> i64 {
    // SAFETY: sysconf takes a number.
    unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) as i64 }
}

#[cfg(feature = "wide")]
#[path = "unix_wide.rs"]
mod wide;
#[cfg(feature = "wide")]
pub(crate) use wide::*;
