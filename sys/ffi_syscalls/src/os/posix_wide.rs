//! What only the larger library needs of a system that follows POSIX.

use core::ffi::{c_char, c_int, c_void};
use core::mem::MaybeUninit;
use core::ptr::{null, null_mut};

use super::{AT_FDCWD, CLOCK_BOOT, CLOCK_STEADY, again, environment, nanoseconds, random, retry, spawn};
use crate::buf::RtBuf;
use crate::errno::{Errno, Out, Ret, check};
use crate::text::Text;
use crate::wide::RtPoll;

pub(crate) use libc::{O_NOFOLLOW, WNOHANG as NO_WAIT};

/// Sets permissions.
pub(crate) fn chmod(path: Text<'_>, mode: u32) -> Ret {
    // SAFETY: a Text ends with a 0.
    check(unsafe { libc::fchmodat(AT_FDCWD, path.as_ptr(), mode as libc::mode_t, 0) }.into())
}

/// Makes a symbolic link.
pub(crate) fn symlink(target: Text<'_>, path: Text<'_>) -> Ret {
    // SAFETY: a Text ends with a 0.
    check(unsafe { libc::symlinkat(target.as_ptr(), AT_FDCWD, path.as_ptr()) }.into())
}

/// The text of a symbolic link into a buffer.
pub(crate) fn read_link(path: Text<'_>, out: &mut RtBuf) -> Ret {
    let mut room = 255;
    loop {
        let reserved = out.reserve(room);
        if reserved.0 < 0 {
            return reserved;
        }
        room = out.room();
        // SAFETY: room bytes are allocated, and one more.
        let len = unsafe { libc::readlinkat(AT_FDCWD, path.as_ptr(), out.ptr.cast(), room) };
        let len = check(len as i64);
        if len.0 < 0 {
            return len;
        }
        // A text that fills the room may have been cut.
        if (len.0 as usize) < room {
            out.len = len.0 as usize;
            return out.close();
        }
        room = out.cap;
    }
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

/// Removes a variable.
///
/// # Safety
/// No other thread uses the environment.
pub(crate) unsafe fn remove_variable(name: Text<'_>) -> Ret {
    // SAFETY: a Text ends with a 0.
    check(unsafe { libc::unsetenv(name.as_ptr()) }.into())
}

/// Reads at an offset, and leaves the descriptor where it is.
///
/// # Safety
/// `into` is writable for `len` bytes.
pub(crate) unsafe fn read_at(fd: c_int, into: *mut c_void, len: usize, offset: i64) -> Ret {
    // SAFETY: the caller's promise.
    retry(|| unsafe { libc::pread(fd, into, len, offset) } as i64)
}

/// Writes at an offset, and leaves the descriptor where it is.
///
/// # Safety
/// `from` is readable for `len` bytes.
pub(crate) unsafe fn write_at(fd: c_int, from: *const c_void, len: usize, offset: i64) -> Ret {
    // SAFETY: the caller's promise.
    retry(|| unsafe { libc::pwrite(fd, from, len, offset) } as i64)
}

pub(crate) use libc::{SEEK_CUR, SEEK_END, SEEK_SET};

/// Moves a descriptor.
pub(crate) fn seek(fd: c_int, offset: i64, origin: c_int) -> Ret {
    // SAFETY: the arguments are numbers.
    check(unsafe { libc::lseek(fd, offset, origin) })
}

/// Waits until what was written is on the device.
pub(crate) fn sync(fd: c_int) -> Ret {
    // SAFETY: the argument is a number.
    retry(|| unsafe { libc::fsync(fd) }.into())
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

/// The clocks that there are.
#[derive(Clone, Copy)]
pub(crate) enum Clock {
    /// Time of day.
    Wall,
    /// Stops while the machine sleeps.
    Steady,
    /// Goes on while the machine sleeps.
    Boot,
    /// What this process has computed.
    Process,
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

/// Fills memory with random bytes.
///
/// # Safety
/// `into` is writable for `len` bytes.
pub(crate) unsafe fn fill_random(into: *mut c_void, len: usize) -> Ret {
    let mut done = 0_usize;
    while done < len {
        // SAFETY: done is below len, and the caller vouches for len bytes.
        let some = retry(|| unsafe { random(into.byte_add(done), len - done) });
        if some.0 < 0 {
            return some;
        }
        done = done.wrapping_add(some.0 as usize);
    }
    Ret(len as i64)
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
    let ready = unsafe { libc::posix_spawn_file_actions_init(actions.as_mut_ptr()) };
    if ready != 0 {
        return Ret::error(ready);
    }
    let mut code = 0;
    for (stream, from) in (0..).zip(streams) {
        if from >= 0 && code == 0 {
            // A descriptor that is its own target loses its close-on-exec mark here too.
            // SAFETY: the actions are initialised.
            code = unsafe { libc::posix_spawn_file_actions_adddup2(actions.as_mut_ptr(), from, stream) };
        }
    }
    let mut attributes = MaybeUninit::uninit();
    if code == 0 {
        // SAFETY: there is room for the attributes.
        code = unsafe { libc::posix_spawnattr_init(attributes.as_mut_ptr()) };
    }
    let mut started = Ret::error(code);
    if code == 0 {
        let mut mask = MaybeUninit::uninit();
        // SAFETY: there is room for a set.
        unsafe { libc::sigemptyset(mask.as_mut_ptr()) };
        // Both only store what they are given, and refuse nothing that is known when this is compiled.
        // SAFETY: both are initialised.
        unsafe { libc::posix_spawnattr_setsigmask(attributes.as_mut_ptr(), mask.as_ptr()) };
        // The group 0, as it is from the start, stands for one of the child's own number.
        let flags = if group { libc::POSIX_SPAWN_SETPGROUP } else { 0 } | libc::POSIX_SPAWN_SETSIGMASK;
        // SAFETY: the attributes are initialised.
        unsafe { libc::posix_spawnattr_setflags(attributes.as_mut_ptr(), flags as _) };
        let env = if env.is_null() { environment() } else { env };
        // SAFETY: all are initialised, and the arrays end with null.
        started = unsafe { spawn(argv, actions.as_ptr(), attributes.as_ptr(), env) };
        // SAFETY: the attributes are initialised and not used again.
        unsafe { libc::posix_spawnattr_destroy(attributes.as_mut_ptr()) };
    }
    // SAFETY: the actions are initialised and not used again.
    unsafe { libc::posix_spawn_file_actions_destroy(actions.as_mut_ptr()) };
    started
}

/// Appends the variables of this process to a list; answers how many there are.
///
/// # Safety
/// No thread changes the environment meanwhile.
pub(crate) unsafe fn variables(out: &mut RtBuf) -> Ret {
    let mut entry = environment();
    let mut count = 0;
    loop {
        // SAFETY: the array ends with null, where this stops. A process may have none at all.
        let text = if entry.is_null() { null() } else { unsafe { entry.read() }.cast_const() };
        if text.is_null() {
            return Ret(count);
        }
        // SAFETY: the entries end with a 0.
        let pushed = unsafe { out.push_text(text, 1) };
        if pushed.0 < 0 {
            return pushed;
        }
        entry = entry.wrapping_add(1);
        count += 1;
    }
}
