//! What macOS and the BSDs do through the functions of libc that POSIX names.

use core::ffi::{c_char, c_int};
use core::mem::MaybeUninit;
use core::ptr::null_mut;

use super::super::{again, check, errno, set_errno};
use crate::buf::RtBuf;
use crate::errno::Ret;
use crate::file::RtStat;
use crate::os::Entry;

/// Describes an open file.
///
/// # Safety
/// `out` is writable.
pub(crate) unsafe fn stat_fd(fd: c_int, out: *mut RtStat) -> Ret {
    let mut found = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: there is room for one structure.
    let done = check(unsafe { libc::fstat(fd, found.as_mut_ptr()) }.into());
    if done.0 >= 0 {
        // SAFETY: the call succeeded and filled it.
        let found = unsafe { found.assume_init_ref() };
        // SAFETY: the caller's promise.
        unsafe { super::super::describe(found, out) };
    }
    done
}

/// A lock that excludes all others.
pub(crate) const LOCK_EXCLUSIVE: c_int = libc::LOCK_EX;
/// A lock that excludes exclusive ones.
pub(crate) const LOCK_SHARED: c_int = libc::LOCK_SH;
/// No lock any more.
pub(crate) const LOCK_NONE: c_int = libc::LOCK_UN;

/// Changes the lock on a whole file. The lock belongs to the open file, so that closing another
/// descriptor of the same file leaves it alone.
pub(crate) fn lock(fd: c_int, kind: c_int, wait: bool) -> Ret {
    let how = if wait { kind } else { kind | libc::LOCK_NB };
    // SAFETY: the arguments are numbers.
    again(|| check(unsafe { libc::flock(fd, how) }.into()))
}

/// Nothing is copied inside the kernel.
pub(crate) const fn copy_range(_: c_int, _: c_int) -> i64 {
    0
}

/// Cuts or extends an open file.
pub(crate) fn truncate(fd: c_int, len: i64) -> Ret {
    // SAFETY: the arguments are numbers.
    again(|| check(unsafe { libc::ftruncate(fd, len) }.into()))
}

/// Waits for a child; `options` as for `waitpid`. Answers its number, and fills in the status.
pub(crate) fn wait_once(child: c_int, options: c_int, status: &mut c_int) -> Ret {
    // SAFETY: the status is writable.
    again(|| check(unsafe { libc::waitpid(child, status, options) }.into()))
}

/// One read.
///
/// # Safety
/// `into` is writable for `len` bytes.
pub(crate) unsafe fn read(fd: c_int, into: *mut u8, len: usize) -> Ret {
    // macOS refuses more than this.
    let len = len.min(c_int::MAX as usize);
    // SAFETY: the caller's promise.
    again(|| check(unsafe { libc::read(fd, into.cast(), len) } as i64))
}

/// One write.
///
/// # Safety
/// `from` is readable for `len` bytes.
pub(crate) unsafe fn write(fd: c_int, from: *const u8, len: usize) -> Ret {
    let len = len.min(c_int::MAX as usize);
    // SAFETY: the caller's promise.
    again(|| check(unsafe { libc::write(fd, from.cast(), len) } as i64))
}

/// Closes a descriptor, which is gone whatever the answer.
pub(crate) fn close_once(fd: c_int) -> Ret {
    // SAFETY: the argument is a number.
    check(unsafe { libc::close(fd) }.into())
}

/// The user this process runs as.
pub(crate) fn user() -> libc::uid_t {
    // SAFETY: the function has no conditions.
    unsafe { libc::getuid() }
}

/// The number of this process.
pub(crate) fn process_number() -> i64 {
    // SAFETY: the function has no conditions.
    unsafe { libc::getpid() }.into()
}

/// The working directory into a buffer.
pub(crate) fn current_dir(out: &mut RtBuf) -> Ret {
    let reserved = out.reserve(libc::PATH_MAX as usize);
    if reserved.0 < 0 {
        return reserved;
    }
    // SAFETY: cap bytes are allocated.
    if unsafe { libc::getcwd(out.ptr.cast(), out.cap) }.is_null() {
        return Ret::error(errno());
    }
    // SAFETY: the call succeeded and ended the path with a 0.
    unsafe { out.measure() }
}

/// The machine's name into a buffer.
pub(crate) fn hostname(out: &mut RtBuf) -> Ret {
    /// The longest name POSIX lets a system have.
    const LONGEST: usize = 255;
    let reserved = out.reserve(LONGEST);
    if reserved.0 < 0 {
        return reserved;
    }
    // SAFETY: LONGEST + 1 bytes are allocated.
    let done = check(unsafe { libc::gethostname(out.ptr.cast(), LONGEST) }.into());
    if done.0 < 0 {
        return done;
    }
    // A name that just fits has no 0 of its own.
    // SAFETY: as above.
    unsafe { out.ptr.add(LONGEST).write(0) };
    // SAFETY: there is a 0 now.
    unsafe { out.measure() }
}

/// Reads the entries of an open directory.
pub(crate) struct Entries {
    dir: c_int,
    /// Null until the first entry is wanted.
    stream: *mut libc::DIR,
}

impl Entries {
    /// Reads a directory that was just opened, and is closed by someone else.
    pub(crate) const fn of(dir: c_int) -> Self {
        Self { dir, stream: null_mut() }
    }

    /// Gets the next entry, which is valid until the one after. Answers whether there is one: 1 or 0.
    pub(crate) fn next(&mut self, entry: &mut Entry) -> Ret {
        if self.stream.is_null() {
            // A stream closes its descriptor, which belongs to someone else.
            // SAFETY: the arguments are numbers.
            let copy = check(unsafe { libc::fcntl(self.dir, libc::F_DUPFD_CLOEXEC, 0) }.into());
            if copy.0 < 0 {
                return copy;
            }
            // SAFETY: the descriptor was just made.
            self.stream = unsafe { libc::fdopendir(copy.0 as c_int) };
            if self.stream.is_null() {
                let code = errno();
                let _ = close_once(copy.0 as c_int);
                return Ret::error(code);
            }
        }
        loop {
            set_errno(0);
            // SAFETY: the stream is open.
            let found = unsafe { libc::readdir(self.stream) };
            if found.is_null() {
                return Ret::error(errno());
            }
            // SAFETY: an entry is valid until the next call.
            let name: *const c_char = unsafe { (&raw const (*found).d_name).cast() };
            // SAFETY: a name is at least two bytes with its 0.
            let start = unsafe { name.cast::<[u8; 2]>().read() };
            // SAFETY: what does not end at the second byte has a third.
            if start == *b".\0" || start == *b".." && unsafe { name.add(2).read() } == 0 {
                continue;
            }
            // SAFETY: as above.
            let kind = u32::from(unsafe { (*found).d_type });
            *entry = Entry { name, kind: kind << 12 };
            return Ret(1);
        }
    }
}

impl Drop for Entries {
    fn drop(&mut self) {
        if !self.stream.is_null() {
            // SAFETY: the stream is open and not used again.
            unsafe { libc::closedir(self.stream) };
        }
    }
}

#[cfg(feature = "wide")]
pub(crate) use wide::*;

/// What only the larger library needs.
#[cfg(feature = "wide")]
mod wide {
    use core::ffi::{c_char, c_int, c_void};

    use super::check;
    use crate::errno::Ret;

    /// Starts reading a file ahead of the calls that will want it, where a system can be told.
    pub(crate) const fn will_need(_: c_int) {}

    /// Some random bytes; the number of them, or -1 with errno.
    ///
    /// # Safety
    /// `into` is writable for `len` bytes.
    pub(crate) unsafe fn random(into: *mut c_void, len: usize) -> i64 {
        /// The most one call gives.
        const MOST: usize = 256;
        let len = len.min(MOST);
        // SAFETY: the caller's promise.
        if unsafe { libc::getentropy(into, len) } == 0 { len as i64 } else { -1 }
    }

    /// A file in memory, whose name is gone when it is there.
    pub(crate) fn memory_file() -> Ret {
        let mut name = *b"/ffi-0000000000\0";
        let start: *const c_char = name.as_ptr().cast();
        loop {
            let mut chance = [0_u8; 10];
            // SAFETY: the array is writable for its size.
            let _ = check(unsafe { random(chance.as_mut_ptr().cast(), chance.len()) });
            for (letter, byte) in name.iter_mut().skip(5).zip(chance) {
                *letter = b'a' + byte % 26;
            }
            let how = libc::O_RDWR | libc::O_CREAT | libc::O_EXCL;
            // SAFETY: the name ends with a 0.
            let made = check(unsafe { libc::shm_open(start, how, 0o600) }.into());
            if made.0 != -i64::from(libc::EEXIST) {
                // SAFETY: as above. If it was not made, it is not there.
                unsafe { libc::shm_unlink(start) };
                return made;
            }
        }
    }
}
