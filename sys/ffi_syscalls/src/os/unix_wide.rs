//! What only the larger library needs of a Unix system.

use core::ffi::{c_char, c_int, c_void};
use core::mem::MaybeUninit;
use core::ptr::null_mut;

use super::super::{AT_FDCWD, CLOCK_BOOT, CLOCK_STEADY, Clock, again, environment, nanoseconds};
use super::{spawn, spawning};
use crate::buf::RtBuf;
use crate::errno::{Errno, Out, Ret, check};
use crate::text::Text;
use crate::wide::RtPoll;

pub(crate) use libc::WNOHANG as NO_WAIT;

/// Sets permissions.
pub(crate) fn chmod(path: Text<'_>, mode: u32) -> Ret {
    // SAFETY: a Text ends with a 0.
    check(unsafe { libc::fchmodat(AT_FDCWD, path.as_ptr(), mode as libc::mode_t, 0) }.into())
}

#[cfg(not(target_vendor = "apple"))]
use libc::mkostemp;

#[cfg(target_vendor = "apple")]
unsafe extern "C" {
    /// Makes and opens a file, whose name replaces the last six letters of the template.
    fn mkostemp(template: *mut c_char, flags: c_int) -> c_int;
}

/// Makes and opens a file of a name that nobody has, whose path goes into an empty buffer.
pub(crate) fn temp_file(dir: Text<'_>, out: &mut RtBuf) -> Ret {
    again(|| {
        // An attempt that was interrupted has used the template up.
        out.len = 0;
        for part in [dir.as_ptr(), c"/tmp-XXXXXX".as_ptr()] {
            // SAFETY: both end with a 0.
            let pushed = unsafe { out.push_text(part, 0) };
            if pushed.0 < 0 {
                return pushed;
            }
        }
        // SAFETY: the buffer ends with a 0 and with the six letters that are replaced.
        check(unsafe { mkostemp(out.ptr.cast(), libc::O_CLOEXEC) }.into())
    })
}

const _: () = {
    use crate::wide::{RT_POLL_ERROR, RT_POLL_HANGUP, RT_POLL_INVALID, RT_POLL_READ, RT_POLL_WRITE};
    assert!(size_of::<RtPoll>() == size_of::<libc::pollfd>());
    assert!(RT_POLL_READ == libc::POLLIN as u16 && RT_POLL_WRITE == libc::POLLOUT as u16);
    assert!(RT_POLL_ERROR == libc::POLLERR as u16 && RT_POLL_HANGUP == libc::POLLHUP as u16);
    assert!(RT_POLL_INVALID == libc::POLLNVAL as u16);
};

/// Waits for descriptors.
///
/// # Safety
/// `polls` is valid for `count` elements.
pub(crate) unsafe fn poll(polls: *mut RtPoll, count: usize, timeout_ms: c_int) -> Ret {
    // SAFETY: the structures have the same layout, which is asserted above.
    check(unsafe { libc::poll(polls.cast(), count as libc::nfds_t, timeout_ms) }.into())
}

/// Maps a part of a file.
pub(crate) fn map(fd: c_int, offset: i64, len: usize, writable: bool, shared: bool) -> Out<*mut c_void> {
    let protection = if writable { libc::PROT_READ | libc::PROT_WRITE } else { libc::PROT_READ };
    let kind = if shared { libc::MAP_SHARED } else { libc::MAP_PRIVATE };
    // SAFETY: a new mapping at a place of the system's choice touches nothing that exists.
    let start = unsafe { libc::mmap(null_mut(), len, protection, kind, fd, offset) };
    if start == libc::MAP_FAILED { Err(Errno::last()) } else { Ok(start) }
}

/// Waits until what was written to a mapping is on the device.
///
/// # Safety
/// The range is mapped.
pub(crate) unsafe fn map_sync(start: *mut c_void, len: usize) -> Ret {
    // SAFETY: the caller's promise.
    check(unsafe { libc::msync(start, len, libc::MS_SYNC) }.into())
}

/// Ends a mapping.
///
/// # Safety
/// The range is mapped, and not used again.
pub(crate) unsafe fn unmap(start: *mut c_void, len: usize) -> Ret {
    // SAFETY: the caller gives the range up.
    check(unsafe { libc::munmap(start, len) }.into())
}

/// Sends a signal; a negative number stands for a group.
pub(crate) fn kill(process: c_int, signal: c_int) -> Ret {
    // SAFETY: the arguments are numbers.
    check(unsafe { libc::kill(process, signal) }.into())
}

/// The time of a clock in nanoseconds.
pub(crate) fn clock(clock: Clock) -> Ret {
    let clock = match clock {
        Clock::Wall => libc::CLOCK_REALTIME,
        Clock::Steady => CLOCK_STEADY,
        Clock::Boot => CLOCK_BOOT,
        Clock::Process => libc::CLOCK_PROCESS_CPUTIME_ID,
    };
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: there is room for one structure.
    let done = check(unsafe { libc::clock_gettime(clock, time.as_mut_ptr()) }.into());
    if done.0 < 0 {
        return done;
    }
    // SAFETY: the call succeeded and filled it.
    let time = unsafe { time.assume_init() };
    Ret(nanoseconds(time.tv_sec, time.tv_nsec))
}

/// Starts a program found through PATH, with `streams` as its 0, 1 and 2 where they are not negative,
/// in a process group of its own if `group`. Answers its number.
///
/// # Safety
/// `argv` and, unless it is null, `env` point to pointers to C strings, the last one null.
pub(crate) unsafe fn start_with(
    argv: *const *mut c_char,
    env: *const *mut c_char,
    streams: [c_int; 3],
    group: bool,
) -> Ret {
    let mut actions = MaybeUninit::uninit();
    // SAFETY: there is room for the actions.
    let ready = unsafe { spawning::posix_spawn_file_actions_init(actions.as_mut_ptr()) };
    if ready != 0 {
        return Ret::error(ready);
    }
    let mut code = 0;
    for (stream, from) in (0..).zip(streams) {
        if from >= 0 && code == 0 {
            // A descriptor that is its own target loses its close-on-exec mark here too.
            // SAFETY: the actions are initialised.
            code = unsafe { spawning::posix_spawn_file_actions_adddup2(actions.as_mut_ptr(), from, stream) };
        }
    }
    let mut attributes = MaybeUninit::uninit();
    if code == 0 {
        // SAFETY: there is room for the attributes.
        code = unsafe { spawning::posix_spawnattr_init(attributes.as_mut_ptr()) };
    }
    let mut started = Ret::error(code);
    if code == 0 {
        let mut mask = MaybeUninit::uninit();
        // SAFETY: there is room for a set.
        unsafe { libc::sigemptyset(mask.as_mut_ptr()) };
        // Both only store what they are given, and refuse nothing that is known when this is compiled.
        // SAFETY: both are initialised.
        unsafe { spawning::posix_spawnattr_setsigmask(attributes.as_mut_ptr(), mask.as_ptr()) };
        // The group 0, as it is from the start, stands for one of the child's own number.
        let flags = if group { libc::POSIX_SPAWN_SETPGROUP } else { 0 } | libc::POSIX_SPAWN_SETSIGMASK;
        // SAFETY: the attributes are initialised.
        unsafe { spawning::posix_spawnattr_setflags(attributes.as_mut_ptr(), flags as _) };
        let env = if env.is_null() { environment() } else { env };
        // SAFETY: all are initialised, and the arrays end with null.
        started = unsafe { spawn(argv, actions.as_ptr(), attributes.as_ptr(), env) };
        // SAFETY: the attributes are initialised and not used again.
        unsafe { spawning::posix_spawnattr_destroy(attributes.as_mut_ptr()) };
    }
    // SAFETY: the actions are initialised and not used again.
    unsafe { spawning::posix_spawn_file_actions_destroy(actions.as_mut_ptr()) };
    started
}
