//! What only the larger library needs of a system that follows POSIX.

use core::ffi::{c_int, c_void};
use core::ptr::null;

use super::{AT_FDCWD, environment, random, retry};
use crate::buf::RtBuf;
use crate::errno::{Ret, check};
use crate::text::Text;

pub(crate) use libc::O_NOFOLLOW;

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
