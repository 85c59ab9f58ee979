//! Open files, pipes and waiting for them. A descriptor is a number of the system's own, never
//! inherited by child processes unless `rt_process_spawn` is told so.

use core::ffi::{c_char, c_int, c_void};

use super::fd;
use crate::errno::{Errno, only, raw};
use crate::{file, os};

/// Open for reading.
pub const RT_OPEN_READ: u32 = 1;
/// Open for writing.
pub const RT_OPEN_WRITE: u32 = 2;
/// Every write goes to the end.
pub const RT_OPEN_APPEND: u32 = 4;
/// Make the file if there is none.
pub const RT_OPEN_CREATE: u32 = 8;
/// Together with RT_OPEN_CREATE: EEXIST if there is one, even a dangling link.
pub const RT_OPEN_NEW: u32 = 16;
/// Drop the contents.
pub const RT_OPEN_TRUNCATE: u32 = 32;
/// ELOOP if the name itself is a symbolic link.
pub const RT_OPEN_NO_FOLLOW: u32 = 64;

/// Count from the start.
pub const RT_SEEK_SET: u32 = 0;
/// Count from where the descriptor is.
pub const RT_SEEK_CURRENT: u32 = 1;
/// Count from the end.
pub const RT_SEEK_END: u32 = 2;

/// There is something to read, or the end.
pub const RT_POLL_READ: u16 = 1;
/// A write would not wait.
pub const RT_POLL_WRITE: u16 = 4;
/// An error is pending; always waited for.
pub const RT_POLL_ERROR: u16 = 8;
/// The other side is gone; always waited for.
pub const RT_POLL_HANGUP: u16 = 16;
/// The descriptor is not open; always waited for.
pub const RT_POLL_INVALID: u16 = 32;

/// A descriptor to wait for.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct RtPoll {
    /// The descriptor; a negative one is passed over.
    pub fd: i32,
    /// What to wait for, of the RT_POLL constants.
    pub wanted: u16,
    /// What happened.
    pub happened: u16,
}

/// Opens a file and returns its descriptor. `mode` is for a file that is made.
///
/// # Errors
/// - `openat`: EACCES, EBUSY, EDQUOT, EEXIST, EISDIR, ELOOP, EMFILE, ENAMETOOLONG, ENFILE, ENODEV, ENOENT, ENOMEM, ENOSPC, ENOTDIR, ENXIO, EPERM, EROFS, ETXTBSY
///
/// # Safety
/// `path` is a readable text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_fd_open(path: *const c_char, path_len: usize, flags: u32, mode: u32) -> i64 {
    raw((|| {
        only(flags, 2 * RT_OPEN_NO_FOLLOW - 1)?;
        let mut how = match flags & (RT_OPEN_READ | RT_OPEN_WRITE) {
            RT_OPEN_READ => os::O_RDONLY,
            RT_OPEN_WRITE => os::O_WRONLY,
            0 => return Err(Errno::of(libc::EINVAL)),
            _ => os::O_RDWR,
        };
        for (flag, meaning) in [
            (RT_OPEN_APPEND, os::O_APPEND),
            (RT_OPEN_CREATE, os::O_CREAT),
            (RT_OPEN_NEW, os::O_EXCL),
            (RT_OPEN_TRUNCATE, os::O_TRUNC),
            (RT_OPEN_NO_FOLLOW, os::O_NOFOLLOW),
        ] {
            if flags & flag != 0 {
                how |= meaning;
            }
        }
        // SAFETY: the caller's promise.
        unsafe { file::open(path, path_len, how, mode) }.ok()
    })())
}

/// Closes a descriptor. It is gone whatever the answer, which may be the failure of an earlier write.
///
/// # Errors
/// - `close`: EBADF, EDQUOT, EIO, ENOSPC
#[unsafe(no_mangle)]
pub extern "C" fn rt_fd_close(file: i64) -> i64 {
    raw((|| os::close(fd(file)?).ok())())
}

/// Reads up to `len` bytes from where the descriptor is; 0 is the end. Fewer come when fewer are there.
///
/// # Errors
/// - `read`: EAGAIN, EBADF, EFAULT, EINVAL, EIO, EISDIR
///
/// # Safety
/// `into` is writable for `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_fd_read(file: i64, into: *mut c_void, len: usize) -> i64 {
    // SAFETY: the caller's promise.
    raw((|| unsafe { os::read(fd(file)?, into.cast(), len) }.ok())())
}

/// Writes all of `len` bytes where the descriptor is. After a failure, some of them may be written.
///
/// # Errors
/// - `write`: EAGAIN, EBADF, EDQUOT, EFAULT, EFBIG, EINVAL, EIO, ENOSPC, EPERM, EPIPE
///
/// # Safety
/// `from` is readable for `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_fd_write(file: i64, from: *const c_void, len: usize) -> i64 {
    // SAFETY: the caller's promise.
    raw((|| unsafe { os::write_all(fd(file)?, from.cast(), len) }.ok())())
}

/// Reads at an offset, until `len` bytes are there or the end, and leaves the descriptor where it is.
///
/// # Errors
/// - `pread64`: EAGAIN, EBADF, EFAULT, EINVAL, EIO, EISDIR, ENXIO, EOVERFLOW, ESPIPE
///
/// # Safety
/// `into` is writable for `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_fd_read_at(file: i64, offset: i64, into: *mut c_void, len: usize) -> i64 {
    raw((|| {
        let file = fd(file)?;
        let mut done = 0_usize;
        while done < len {
            let (to, at) = (into.wrapping_byte_add(done), offset.saturating_add(done as i64));
            // SAFETY: done is below len, and the caller vouches for len bytes.
            match unsafe { os::read_at(file, to, len - done, at) }.ok()? {
                0 => break,
                count => done += count as usize,
            }
        }
        Ok(done as i64)
    })())
}

/// Writes all of `len` bytes at an offset, and leaves the descriptor where it is.
///
/// # Errors
/// - `pwrite64`: EAGAIN, EBADF, EDQUOT, EFAULT, EFBIG, EINVAL, EIO, ENOSPC, ENXIO, EOVERFLOW, EPERM, EPIPE, ESPIPE
///
/// # Safety
/// `from` is readable for `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_fd_write_at(file: i64, offset: i64, from: *const c_void, len: usize) -> i64 {
    raw((|| {
        let file = fd(file)?;
        let mut done = 0_usize;
        while done < len {
            let (data, at) = (from.wrapping_byte_add(done), offset.saturating_add(done as i64));
            // SAFETY: done is below len, and the caller vouches for len bytes.
            done += unsafe { os::write_at(file, data, len - done, at) }.ok()? as usize;
        }
        Ok(done as i64)
    })())
}

/// Moves a descriptor and returns its new offset; `origin` is one of the RT_SEEK constants.
///
/// # Errors
/// - `lseek`: EBADF, EINVAL, EOVERFLOW, ESPIPE
#[unsafe(no_mangle)]
pub extern "C" fn rt_fd_seek(file: i64, offset: i64, origin: u32) -> i64 {
    raw((|| {
        let origin = match origin {
            RT_SEEK_SET => os::SEEK_SET,
            RT_SEEK_CURRENT => os::SEEK_CUR,
            RT_SEEK_END => os::SEEK_END,
            _ => return Err(Errno::of(libc::EINVAL)),
        };
        os::seek(fd(file)?, offset, origin).ok()
    })())
}

/// Cuts a file, or extends it with zeros.
///
/// # Errors
/// - `ftruncate`: EBADF, EFBIG, EINVAL, EIO, EPERM
#[unsafe(no_mangle)]
pub extern "C" fn rt_fd_truncate(file: i64, len: i64) -> i64 {
    raw((|| os::truncate(fd(file)?, len).ok())())
}

/// Waits until what was written is on the device.
///
/// # Errors
/// - `fsync`: EBADF, EDQUOT, EINVAL, EIO, ENOSPC, EROFS
#[unsafe(no_mangle)]
pub extern "C" fn rt_fd_sync(file: i64) -> i64 {
    raw((|| os::sync(fd(file)?).ok())())
}

/// Makes a pipe: what is written to `ends[1]` is read from `ends[0]`.
///
/// # Errors
/// - `pipe2`: EMFILE, ENFILE
///
/// # Safety
/// `ends` is writable for two numbers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_pipe(ends: *mut i64) -> i64 {
    raw((|| {
        let mut pair: [c_int; 2] = [-1; 2];
        os::pipe(&mut pair).ok()?;
        // SAFETY: the caller's promise.
        unsafe { ends.cast::<[i64; 2]>().write(pair.map(i64::from)) };
        Ok(0)
    })())
}

/// Waits until something happens to one of `count` descriptors, at most `timeout_ms` milliseconds,
/// without end if that is negative. Returns how many have something in `happened`; 0 is the timeout.
/// EINTR is passed on, so that the caller can act on the signal and knows its own deadline.
///
/// # Errors
/// - `poll`: EFAULT, EINVAL, ENOMEM
///
/// # Safety
/// `polls` is valid for `count` elements.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_poll(polls: *mut RtPoll, count: usize, timeout_ms: i32) -> i64 {
    // SAFETY: the caller's promise.
    unsafe { os::poll(polls, count, timeout_ms) }.0
}
