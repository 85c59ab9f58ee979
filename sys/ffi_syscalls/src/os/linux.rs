//! What only Linux does this way.

use core::ffi::{c_char, c_int};

use super::{Entry, Fd};
use crate::buf::RtBuf;
use crate::errno::{Errno, Out, Ret, check, retry};
use crate::text::Text;

unsafe extern "C" {
    /// The variables of this process, as libc keeps them.
    static mut environ: *const *mut c_char;

    /// Entries of a directory as the kernel writes them; in glibc from 2.30 and in musl.
    fn getdents64(fd: c_int, into: *mut u8, len: usize) -> isize;
}

/// Where libc keeps the errno of this thread.
pub(crate) fn errno_location() -> *mut c_int {
    // SAFETY: the function has no conditions.
    unsafe { libc::__errno_location() }
}

/// The variables of this process: pointers to `NAME=value`, the last one null.
pub(crate) fn environment() -> *const *mut c_char {
    // SAFETY: reading the pointer is sound as long as no other thread changes the environment,
    // which the documentation of rt_env_set_var asks for.
    unsafe { environ }
}

/// What the system knows of an open file.
pub(crate) fn stat_fd(fd: c_int) -> Out<libc::stat> {
    // SAFETY: the literal ends with a 0.
    let empty = unsafe { Text::new(c"".as_ptr()) };
    super::stat_at(fd, empty, libc::AT_EMPTY_PATH)
}

/// When a file's contents last changed, in nanoseconds since 1970.
pub(crate) fn modified_ns(stat: &libc::stat) -> i64 {
    stat.st_mtime.saturating_mul(1_000_000_000).saturating_add(stat.st_mtime_nsec)
}

/// Changes the lock on a whole file: F_RDLCK, F_WRLCK or F_UNLCK. The lock belongs to the open file
/// description, so that closing another descriptor of the same file leaves it alone.
pub(crate) fn lock(fd: c_int, kind: c_int, wait: bool) -> Ret {
    let request = libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    let command = if wait { libc::F_OFD_SETLKW } else { libc::F_OFD_SETLK };
    // SAFETY: request is a local that the call only reads.
    retry(|| unsafe { libc::fcntl(fd, command, &raw const request) }.into())
}

/// Copies inside the kernel, sharing storage where the file system can. Stops at the end and at any
/// error alike: the caller goes on by plain reading and writing, which meets a real error again.
pub(crate) fn copy_range(from: c_int, to: c_int) -> i64 {
    /// Below the most one call may move.
    const MOST: usize = 1 << 30;
    let none = core::ptr::null_mut();
    // SAFETY: null offsets mean the descriptors' own positions.
    let copy = || unsafe { libc::copy_file_range(from, none, to, none, MOST, 0) as i64 };
    let mut total = 0;
    while let Ret(count @ 1..) = retry(copy) {
        total += count;
    }
    total
}

/// Cuts or extends an open file.
pub(crate) fn truncate(fd: c_int, len: i64) -> Ret {
    // SAFETY: the arguments are numbers.
    retry(|| unsafe { libc::ftruncate(fd, len) }.into())
}

/// Starts a program found through PATH, with this environment. Answers its number.
///
/// # Safety
/// `argv` points to pointers to C strings, the last one null, the first one not; the other two are
/// null or initialised.
pub(crate) unsafe fn spawn(
    argv: *const *mut c_char,
    actions: *const libc::posix_spawn_file_actions_t,
    attributes: *const libc::posix_spawnattr_t,
    environment: *const *mut c_char,
) -> Ret {
    let mut pid = 0;
    // SAFETY: the caller vouches for all of them; pid is a local.
    let code = unsafe { libc::posix_spawnp(&raw mut pid, *argv, actions, attributes, argv, environment) };
    if code == 0 { Ret(pid.into()) } else { Errno::of(code).into() }
}

/// The machine's name into `into`, which gets a final 0 if there is room.
///
/// # Safety
/// `into` is writable for `len` bytes.
pub(crate) unsafe fn hostname(into: *mut u8, len: usize) -> Ret {
    // SAFETY: the caller's promise.
    check(unsafe { libc::gethostname(into.cast(), len) }.into())
}

/// Reads the entries of an open directory. One call of the kernel fills a buffer with many.
pub(crate) struct Entries {
    dir: Fd,
    buf: RtBuf,
    /// Where in the buffer the next entry is.
    at: usize,
}

impl Entries {
    pub(crate) fn of(dir: Fd) -> Out<Self> {
        let mut buf = RtBuf::EMPTY;
        buf.reserve(0x7fff).ok()?;
        Ok(Self { dir, buf, at: 0 })
    }

    /// The next entry; None at the end.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> Out<Option<Entry<'_>>> {
        loop {
            if self.at >= self.buf.len {
                let Self { dir, buf, at } = self;
                // SAFETY: the buffer has cap bytes.
                let filled = check(unsafe { getdents64(dir.get(), buf.ptr, buf.cap) } as i64).ok()?;
                if filled == 0 {
                    return Ok(None);
                }
                (buf.len, *at) = (filled as usize, 0);
            }
            // SAFETY: the kernel wrote whole entries, aligned, up to len.
            let entry = unsafe { &*self.buf.ptr.add(self.at).cast::<libc::dirent64>() };
            self.at = self.at.wrapping_add(entry.d_reclen.into());
            match entry.d_name {
                [46, 0, ..] | [46, 46, 0, ..] => {}
                _ => {
                    // SAFETY: the kernel ends every name with a 0.
                    let name = unsafe { Text::new(entry.d_name.as_ptr()) };
                    return Ok(Some(Entry { name, kind: u32::from(entry.d_type) << 12 }));
                }
            }
        }
    }
}

#[cfg(feature = "wide")]
pub(crate) use wide::*;

/// What only the larger library needs.
#[cfg(feature = "wide")]
mod wide {
    use core::ffi::{c_int, c_void};

    use crate::errno::{Ret, check};
    use crate::text::Text;

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
        check(unsafe { libc::renameat2(here, from.as_ptr(), here, to.as_ptr(), flags) }.into())
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
