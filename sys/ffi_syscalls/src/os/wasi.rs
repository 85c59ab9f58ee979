//! What WASI (preview 1) does its own way, through wasi-libc. It has files, clocks and random numbers,
//! and no processes, users, pipes, locks, permissions or memory maps: those answer ENOSYS.

use core::ffi::{c_char, c_int};
use core::mem::MaybeUninit;
use core::ptr::null_mut;

use super::{again, check, errno, set_errno};
use crate::buf::RtBuf;
use crate::errno::Ret;
use crate::file::{RT_MODE_DIRECTORY, RT_MODE_FILE, RT_MODE_SYMLINK, RtStat};
use crate::os::Entry;

/// What there is nothing of.
const NOTHING: Ret = Ret::error(libc::ENOSYS);

/// Where libc keeps the errno of this thread.
pub(crate) fn errno_location() -> *mut c_int {
    // SAFETY: the function has no conditions.
    unsafe { libc::__errno_location() }
}

/// The variables of this process: pointers to `NAME=value`, the last one null.
#[cfg(feature = "wide")]
pub(crate) fn environment() -> *const *mut c_char {
    // SAFETY: reading the pointer is sound as long as no other thread changes the environment,
    // which the documentation of rt_env_set_var asks for.
    unsafe { libc::environ }
}

/// When the contents last changed: seconds since 1970, and nanoseconds.
pub(crate) fn modified(stat: &libc::stat) -> (i64, i64) {
    (stat.st_mtim.tv_sec, stat.st_mtim.tv_nsec.into())
}

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
        unsafe { super::describe(found, out) };
    }
    done
}

/// A lock that excludes all others, if there were one.
pub(crate) const LOCK_EXCLUSIVE: c_int = 1;
/// A lock that excludes exclusive ones.
pub(crate) const LOCK_SHARED: c_int = 2;
/// No lock any more.
pub(crate) const LOCK_NONE: c_int = 3;

/// Locks nothing.
pub(crate) const fn lock(_: c_int, _: c_int, _: bool) -> Ret {
    NOTHING
}

/// Nothing is copied inside the system.
pub(crate) const fn copy_range(_: c_int, _: c_int) -> i64 {
    0
}

/// Cuts or extends an open file.
pub(crate) fn truncate(fd: c_int, len: i64) -> Ret {
    // SAFETY: the arguments are numbers.
    again(|| check(unsafe { libc::ftruncate(fd, len) }.into()))
}

/// One read.
///
/// # Safety
/// `into` is writable for `len` bytes.
pub(crate) unsafe fn read(fd: c_int, into: *mut u8, len: usize) -> Ret {
    // SAFETY: the caller's promise.
    again(|| check(unsafe { libc::read(fd, into.cast(), len) } as i64))
}

/// One write.
///
/// # Safety
/// `from` is readable for `len` bytes.
pub(crate) unsafe fn write(fd: c_int, from: *const u8, len: usize) -> Ret {
    // SAFETY: the caller's promise.
    again(|| check(unsafe { libc::write(fd, from.cast(), len) } as i64))
}

/// Closes a descriptor, which is gone whatever the answer.
pub(crate) fn close_once(fd: c_int) -> Ret {
    // SAFETY: the argument is a number.
    check(unsafe { libc::close(fd) }.into())
}

/// The only process there is.
pub(crate) const fn process_number() -> i64 {
    1
}

/// The working directory into a buffer.
pub(crate) fn current_dir(out: &mut RtBuf) -> Ret {
    /// The longest path that `with_text` takes.
    const LONGEST: usize = 4096;
    let reserved = out.reserve(LONGEST);
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

/// The machine has no name.
pub(crate) const fn hostname(_: &mut RtBuf) -> Ret {
    NOTHING
}

/// There are no users, so that the variable HOME alone tells.
pub(crate) const fn home_of_user(_: &mut RtBuf) -> Ret {
    Ret::error(libc::ENOENT)
}

/// Starts nothing.
///
/// # Safety
/// None: nothing is read.
pub(crate) const unsafe fn start(_: *const *mut c_char) -> Ret {
    NOTHING
}

/// Waits for nothing.
pub(crate) const fn wait(_: i64, _: c_int, _: &mut i64) -> Ret {
    NOTHING
}

/// Not known.
pub(crate) const fn processors() -> i64 {
    0
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
            // A stream closes its descriptor, which belongs to someone else, and there are no copies of
            // descriptors.
            let how = libc::O_RDONLY | libc::O_DIRECTORY;
            // SAFETY: the literal ends with a 0; the rest are numbers.
            let own = check(unsafe { libc::openat(self.dir, c".".as_ptr(), how) }.into());
            if own.0 < 0 {
                return own;
            }
            // SAFETY: the descriptor was just made.
            self.stream = unsafe { libc::fdopendir(own.0 as c_int) };
            if self.stream.is_null() {
                let code = errno();
                let _ = close_once(own.0 as c_int);
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
            let kind = match unsafe { (*found).d_type } {
                libc::DT_REG => RT_MODE_FILE,
                libc::DT_DIR => RT_MODE_DIRECTORY,
                libc::DT_LNK => RT_MODE_SYMLINK,
                _ => 0,
            };
            *entry = Entry { name, kind };
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
    use core::mem::MaybeUninit;

    use super::super::{AT_FDCWD, Clock, nanoseconds, unlink};
    use super::{NOTHING, check};
    use crate::buf::RtBuf;
    use crate::errno::{Errno, Out, Ret};
    use crate::text::Text;
    use crate::wide::{RT_POLL_ERROR, RT_POLL_HANGUP, RT_POLL_INVALID, RT_POLL_READ, RT_POLL_WRITE, RtPoll};

    /// Ask and do not wait for a child, if there were one.
    pub(crate) const NO_WAIT: c_int = 1;

    /// There are no permissions.
    pub(crate) const fn chmod(_: Text<'_>, _: u32) -> Ret {
        NOTHING
    }

    /// There are no pipes.
    pub(crate) const fn pipe(_: &mut [c_int; 2]) -> Ret {
        NOTHING
    }

    /// There is nobody to send to.
    pub(crate) const fn kill(_: c_int, _: c_int) -> Ret {
        NOTHING
    }

    /// There are no files without names.
    pub(crate) const fn memory_file() -> Ret {
        NOTHING
    }

    /// Starts nothing.
    ///
    /// # Safety
    /// None: nothing is read.
    pub(crate) const unsafe fn start_with(
        _: *const *mut c_char,
        _: *const *mut c_char,
        _: [c_int; 3],
        _: bool,
    ) -> Ret {
        NOTHING
    }

    /// Maps nothing.
    pub(crate) fn map(_: c_int, _: i64, _: usize, _: bool, _: bool) -> Out<*mut c_void> {
        Err(Errno::of(libc::ENOSYS))
    }

    /// Nothing is mapped.
    ///
    /// # Safety
    /// None: nothing is touched.
    pub(crate) const unsafe fn map_sync(_: *mut c_void, _: usize) -> Ret {
        NOTHING
    }

    /// Nothing is mapped.
    ///
    /// # Safety
    /// None: nothing is touched.
    pub(crate) const unsafe fn unmap(_: *mut c_void, _: usize) -> Ret {
        NOTHING
    }

    /// Renames, if asked only to a name that is free. There is no call for the latter, so that the file
    /// gets a second name and then loses the first; a directory cannot.
    pub(crate) fn rename(from: Text<'_>, to: Text<'_>, only_new: bool) -> Ret {
        if !only_new {
            // SAFETY: a Text ends with a 0.
            return check(unsafe { libc::renameat(AT_FDCWD, from.as_ptr(), AT_FDCWD, to.as_ptr()) }.into());
        }
        // SAFETY: a Text ends with a 0.
        let linked = check(unsafe { libc::linkat(AT_FDCWD, from.as_ptr(), AT_FDCWD, to.as_ptr(), 0) }.into());
        if linked.0 < 0 { linked } else { unlink(AT_FDCWD, from, 0) }
    }

    /// Starts reading a file ahead of the calls that will want it. Only advice: it cannot fail.
    pub(crate) fn will_need(fd: c_int) {
        // SAFETY: the arguments are numbers.
        unsafe { libc::posix_fadvise(fd, 0, 0, libc::POSIX_FADV_WILLNEED) };
    }

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

    /// Makes and opens a file of a name that nobody has, whose path goes into an empty buffer.
    pub(crate) fn temp_file(dir: Text<'_>, out: &mut RtBuf) -> Ret {
        loop {
            let mut name = *b"/tmp-000000\0";
            let mut chance = [0_u8; 6];
            // SAFETY: the array is writable for its size.
            let got = check(unsafe { random(chance.as_mut_ptr().cast(), chance.len()) });
            if got.0 < 0 {
                return got;
            }
            for (letter, byte) in name.iter_mut().skip(5).zip(chance) {
                *letter = b'a' + byte % 26;
            }
            out.len = 0;
            for part in [dir.as_ptr(), name.as_ptr().cast()] {
                // SAFETY: both end with a 0.
                let pushed = unsafe { out.push_text(part, 0) };
                if pushed.0 < 0 {
                    return pushed;
                }
            }
            let how = libc::O_RDWR | libc::O_CREAT | libc::O_EXCL;
            // SAFETY: the buffer ends with a 0.
            let path = unsafe { Text::new(out.ptr.cast()) };
            let made = super::super::open(AT_FDCWD, path, how, 0o600);
            if made.0 != Ret::error(libc::EEXIST).0 {
                return made;
            }
        }
    }

    /// The time of a clock in nanoseconds. There is no sleep of the machine, and no clock of the process.
    pub(crate) fn clock(clock: Clock) -> Ret {
        let clock = match clock {
            Clock::Wall => libc::CLOCK_REALTIME,
            Clock::Steady | Clock::Boot => libc::CLOCK_MONOTONIC,
            Clock::Process => return NOTHING,
        };
        let mut time = MaybeUninit::<libc::timespec>::uninit();
        // SAFETY: there is room for one structure.
        let done = check(unsafe { libc::clock_gettime(clock, time.as_mut_ptr()) }.into());
        if done.0 < 0 {
            return done;
        }
        // SAFETY: the call succeeded and filled it.
        let time = unsafe { time.assume_init() };
        Ret(nanoseconds(time.tv_sec, time.tv_nsec.into()))
    }

    /// This library's numbers of what can happen to a descriptor, and the system's.
    const HAPPENINGS: [(u16, i16); 5] = [
        (RT_POLL_READ, libc::POLLIN),
        (RT_POLL_WRITE, libc::POLLOUT),
        (RT_POLL_ERROR, libc::POLLERR),
        (RT_POLL_HANGUP, libc::POLLHUP),
        (RT_POLL_INVALID, libc::POLLNVAL),
    ];

    const _: () = assert!(size_of::<RtPoll>() == size_of::<libc::pollfd>());

    /// Waits for descriptors. What is wanted is told in the system's numbers meanwhile, as the
    /// structures have the same layout but for these.
    ///
    /// # Safety
    /// `polls` is valid for `count` elements.
    pub(crate) unsafe fn poll(polls: *mut RtPoll, count: usize, timeout_ms: c_int) -> Ret {
        let place = |at: usize| polls.wrapping_add(at);
        for at in 0..count {
            // SAFETY: at is below count.
            let ours = unsafe { place(at).read() };
            let theirs = HAPPENINGS.iter().filter(|(bit, _)| ours.wanted & bit != 0);
            let wanted = theirs.fold(0, |all, (_, bit)| all | *bit);
            let theirs = libc::pollfd { fd: ours.fd, events: wanted, revents: 0 };
            // SAFETY: as above; the layouts are the same.
            unsafe { place(at).cast::<libc::pollfd>().write(theirs) };
        }
        // SAFETY: the structures were just made the system's.
        let out = check(unsafe { libc::poll(polls.cast(), count as libc::nfds_t, timeout_ms) }.into());
        for at in 0..count {
            // SAFETY: as above.
            let theirs = unsafe { place(at).cast::<libc::pollfd>().read() };
            let ours = |bits: i16| {
                let ours = HAPPENINGS.iter().filter(|(_, bit)| bits & bit != 0);
                ours.fold(0, |all, (bit, _)| all | *bit)
            };
            let back = RtPoll { fd: theirs.fd, wanted: ours(theirs.events), happened: ours(theirs.revents) };
            // SAFETY: as above.
            unsafe { place(at).write(back) };
        }
        out
    }
}
