//! What Linux does its own way.
//!
//! Calls that libraries such as fakeroot put themselves before (opening, describing, removing) are made
//! through the functions of libc's that they replace. The others share one, `syscall`: an import costs
//! 70 bytes, which is more than most of these functions.

use core::ffi::{c_char, c_int, c_long};
use core::mem::MaybeUninit;
use core::ptr::null_mut;

use super::again;
use crate::buf::RtBuf;
use crate::errno::{Ret, check};
use crate::file::RtStat;
use crate::os::Entry;
use crate::text::{NONE, Text, Word, word, word_of};

unsafe extern "C" {
    /// The variables of this process, as libc keeps them.
    static mut environ: *const *mut c_char;
}

/// A call of the kernel, made until no signal interrupts it; a fourth argument is null.
///
/// # Safety
/// The arguments are what the call of that number asks for.
#[inline(never)]
unsafe fn system(first: c_int, second: Word, third: Word, number: c_long) -> Ret {
    let none: Word = NONE;
    // SAFETY: the caller's promise.
    again(|| check(unsafe { libc::syscall(number, first, second, third, none) }))
}

/// Where libc keeps the errno of this thread.
pub(crate) fn errno_location() -> *mut c_int {
    #[cfg(target_os = "android")]
    // SAFETY: the function has no conditions.
    return unsafe { libc::__errno() };
    #[cfg(not(target_os = "android"))]
    // SAFETY: the function has no conditions.
    return unsafe { libc::__errno_location() };
}

/// The variables of this process: pointers to `NAME=value`, the last one null.
pub(crate) fn environment() -> *const *mut c_char {
    // SAFETY: reading the pointer is sound as long as no other thread changes the environment,
    // which the documentation of rt_env_set_var asks for.
    unsafe { environ }
}

/// Describes an open file.
///
/// # Safety
/// `out` is writable.
#[inline(always)]
pub(crate) unsafe fn stat_fd(fd: c_int, out: *mut RtStat) -> Ret {
    // SAFETY: the literal ends with a 0.
    let empty = unsafe { Text::new(c"".as_ptr()) };
    // SAFETY: the caller's promise.
    unsafe { super::stat(fd, empty, libc::AT_EMPTY_PATH, out) }
}

/// When the contents last changed: seconds since 1970, and nanoseconds.
#[inline(always)]
#[allow(clippy::unnecessary_cast, reason = "the widths differ between processors")]
pub(crate) fn modified(stat: &libc::stat) -> (i64, i64) {
    (stat.st_mtime as i64, stat.st_mtime_nsec as i64)
}

/// A lock that excludes all others.
pub(crate) const LOCK_EXCLUSIVE: c_int = libc::F_WRLCK as c_int;
/// A lock that excludes exclusive ones.
pub(crate) const LOCK_SHARED: c_int = libc::F_RDLCK as c_int;
/// No lock any more.
pub(crate) const LOCK_NONE: c_int = libc::F_UNLCK as c_int;

/// Changes the lock on a whole file. The lock belongs to the open file description, so that closing
/// another descriptor of the same file leaves it alone.
#[inline(never)]
pub(crate) fn lock(fd: c_int, kind: c_int, wait: bool) -> Ret {
    let mut request = libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    let command = libc::F_OFD_SETLK + c_int::from(wait);
    // SAFETY: request is a local that the call only reads.
    unsafe { system(fd, word(command as u32), (&raw mut request).cast(), libc::SYS_fcntl) }
}

const _: () = assert!(libc::F_OFD_SETLKW == libc::F_OFD_SETLK + 1);

/// Copies some of a file inside the kernel, sharing storage where the file system can. Answers how
/// much, and 0 or less at the end or when it cannot: reading and writing then tells which.
#[inline(always)]
pub(crate) fn copy_range(from: c_int, to: c_int) -> i64 {
    /// Below the most one call may move.
    const MOST: usize = 1 << 30;
    const NO_OFFSET: *mut i64 = null_mut();
    // SAFETY: null offsets mean the descriptors' own positions.
    unsafe { libc::syscall(libc::SYS_copy_file_range, from, NO_OFFSET, to, NO_OFFSET, MOST, 0) }
}

/// Cuts or extends an open file.
pub(crate) fn truncate(fd: c_int, len: i64) -> Ret {
    // The number of the call is not among the constants for Android.
    #[cfg(target_os = "android")]
    // SAFETY: the arguments are numbers.
    return again(|| check(unsafe { libc::ftruncate(fd, len) }.into()));
    #[cfg(not(target_os = "android"))]
    // SAFETY: the arguments are numbers.
    unsafe {
        system(fd, word_of(len as usize), NONE, libc::SYS_ftruncate)
    }
}

/// Waits for a child; `options` as for `waitpid`. Answers its number, and fills in the status.
#[inline(always)]
pub(crate) fn wait_once(child: c_int, options: c_int, status: &mut c_int) -> Ret {
    let status: *mut c_int = status;
    // SAFETY: the status is writable; no usage is asked for.
    unsafe { system(child, status.cast(), word(options as u32), libc::SYS_wait4) }
}

/// One read.
///
/// # Safety
/// `into` is writable for `len` bytes.
pub(crate) unsafe fn read(fd: c_int, into: *mut u8, len: usize) -> Ret {
    // SAFETY: the caller's promise.
    unsafe { system(fd, into.cast(), word_of(len), libc::SYS_read) }
}

/// One write.
///
/// # Safety
/// `from` is readable for `len` bytes.
#[inline(always)]
pub(crate) unsafe fn write(fd: c_int, from: *const u8, len: usize) -> Ret {
    // SAFETY: the caller's promise; it is only read.
    unsafe { system(fd, from.cast_mut().cast(), word_of(len), libc::SYS_write) }
}

/// Closes a descriptor, which is gone whatever the answer.
#[inline(always)]
pub(crate) fn close_once(fd: c_int) -> Ret {
    // SAFETY: the argument is a number.
    check(unsafe { libc::syscall(libc::SYS_close, fd) })
}

/// The user this process runs as.
pub(crate) fn user() -> libc::uid_t {
    // SAFETY: the call has no conditions.
    unsafe { libc::syscall(libc::SYS_getuid) as libc::uid_t }
}

/// The working directory into a buffer.
pub(crate) fn current_dir(out: &mut RtBuf) -> Ret {
    let reserved = out.reserve(libc::PATH_MAX as usize);
    if reserved.0 < 0 {
        return reserved;
    }
    // SAFETY: cap bytes are allocated.
    let done = check(unsafe { libc::syscall(libc::SYS_getcwd, out.ptr, out.cap) });
    if done.0 < 0 {
        return done;
    }
    // A directory outside of this process's root has no path: the kernel answers a remark.
    // SAFETY: the call succeeded, so that there is a text with its 0.
    if unsafe { out.ptr.read() } != b'/' {
        return Ret::error(libc::ENOENT);
    }
    // The 0 was counted.
    out.len = (done.0 as usize).wrapping_sub(1);
    Ret(out.len as i64)
}

/// The number of this process.
pub(crate) fn process_number() -> i64 {
    // SAFETY: the call has no conditions.
    unsafe { libc::syscall(libc::SYS_getpid) }
}

/// The machine's name into a buffer.
pub(crate) fn hostname(out: &mut RtBuf) -> Ret {
    let mut names = MaybeUninit::<libc::utsname>::uninit();
    // SAFETY: there is room for one structure.
    let done = check(unsafe { libc::syscall(libc::SYS_uname, names.as_mut_ptr()) });
    if done.0 < 0 {
        return done;
    }
    // SAFETY: the call succeeded and filled it.
    let name = unsafe { &raw const (*names.as_ptr()).nodename };
    // SAFETY: the kernel ends the name with a 0.
    unsafe { out.push_text(name.cast(), 0) }
}

/// Reads the entries of an open directory. One call of the kernel fills the chunk with many.
#[repr(C)] // the chunk last, so that what is before it is addressed by one byte
pub(crate) struct Entries {
    dir: c_int,
    /// Where in the chunk the next entry is.
    at: usize,
    /// Where the entries in the chunk end.
    end: usize,
    /// As large as the stack gives without being probed. Twice the size reads no faster.
    chunk: MaybeUninit<[u64; 480]>,
}

impl Entries {
    /// Reads a directory that was just opened, and is closed by someone else.
    #[inline(always)]
    pub(crate) fn of(dir: c_int) -> Self {
        Self { dir, at: 0, end: 0, chunk: MaybeUninit::uninit() }
    }

    /// Gets the next entry, which is valid until the one after. Answers whether there is one: 1 or 0.
    #[cfg_attr(feature = "wide", inline(never))] // there it has three callers
    #[cfg_attr(not(feature = "wide"), inline(always))]
    pub(crate) fn next(&mut self, entry: &mut Entry) -> Ret {
        let chunk: *mut u8 = self.chunk.as_mut_ptr().cast();
        loop {
            if self.at >= self.end {
                // SAFETY: the chunk is writable for its size.
                let filled = check(unsafe {
                    libc::syscall(libc::SYS_getdents64, self.dir, chunk, size_of_val(&self.chunk))
                });
                if filled.0 <= 0 {
                    return filled;
                }
                (self.at, self.end) = (0, filled.0 as usize);
            }
            let found = chunk.wrapping_add(self.at).cast::<libc::dirent64>();
            // A name is shorter than the array it is declared as, so no reference to the whole is made.
            // SAFETY: the kernel wrote whole entries, aligned, up to the end.
            let name = unsafe { (&raw const (*found).d_name).cast::<c_char>() };
            // SAFETY: as above.
            let (len, kind) = unsafe { ((*found).d_reclen, (*found).d_type) };
            self.at = self.at.wrapping_add(len.into());
            // SAFETY: the kernel pads entries to 8 bytes, of which the name has at least 5.
            let start = u32::from_le_bytes(unsafe { name.cast::<[u8; 4]>().read() });
            // `.` and `..`, each with its 0.
            if start & 0xffff != 0x2e && start & 0xff_ffff != 0x2e2e {
                *entry = Entry { name, kind: u32::from(kind) << 12 };
                return Ret(1);
            }
        }
    }
}

#[cfg(feature = "wide")]
#[path = "ring.rs"]
mod ring;
#[cfg(feature = "wide")]
pub(crate) use ring::Ring;
#[cfg(feature = "wide")]
pub(crate) use wide::*;

/// What only the larger library needs.
#[cfg(feature = "wide")]
mod wide {
    use core::ffi::{c_int, c_void};

    use crate::errno::{Ret, check};
    use crate::text::Text;

    /// The clock that stops while the machine sleeps.
    pub(crate) const CLOCK_STEADY: libc::clockid_t = libc::CLOCK_MONOTONIC;
    /// The clock that goes on while the machine sleeps.
    pub(crate) const CLOCK_BOOT: libc::clockid_t = libc::CLOCK_BOOTTIME;

    /// Makes a pipe whose ends do not go to child processes.
    pub(crate) fn pipe(ends: &mut [c_int; 2]) -> Ret {
        // SAFETY: the array has the two elements.
        check(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) }.into())
    }

    /// Renames, if asked only to a name that is free.
    pub(crate) fn rename(from: Text<'_>, to: Text<'_>, only_new: bool) -> Ret {
        let here = libc::AT_FDCWD;
        let flags = if only_new { libc::RENAME_NOREPLACE } else { 0 };
        // SAFETY: a Text ends with a 0.
        check(unsafe { libc::renameat2(here, from.as_ptr(), here, to.as_ptr(), flags as _) }.into())
    }

    /// A file without a name, in memory.
    pub(crate) fn memory_file() -> Ret {
        // SAFETY: the literal ends with a 0.
        check(unsafe { libc::memfd_create(c"ffi_syscalls".as_ptr(), libc::MFD_CLOEXEC) }.into())
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
        // SAFETY: the caller's promise.
        unsafe { libc::getrandom(into, len, 0) as i64 }
    }
}
