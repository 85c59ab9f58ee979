//! Files and shared memory as memory.

use core::ffi::c_void;
use core::ptr::null_mut;

use super::fd;
use crate::errno::{Errno, only, raw};
use crate::os::{self, Fd};

/// Writable. Writes stay in this process unless RT_MAP_SHARED is given too.
pub const RT_MAP_WRITE: u32 = 1;
/// Writes reach the file and everyone who maps it.
pub const RT_MAP_SHARED: u32 = 2;

/// A part of a file in memory. Reading behind the end of a file that became shorter ends the process
/// (SIGBUS): map what no one else cuts.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct RtMap {
    /// The first byte.
    pub ptr: *mut c_void,
    /// The number of bytes.
    pub len: usize,
}

/// Maps `len` bytes of a file from an offset that is a multiple of the page size. The descriptor can be
/// closed afterwards. EINVAL for no bytes.
///
/// # Errors
/// - `mmap`: EACCES, EAGAIN, EBADF, EINVAL, ENFILE, ENODEV, ENOMEM, EOVERFLOW, EPERM
///
/// # Safety
/// `out` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_map(file: i64, offset: i64, len: usize, flags: u32, out: *mut RtMap) -> i64 {
    raw((|| {
        only(flags, RT_MAP_WRITE | RT_MAP_SHARED)?;
        let file = fd(file)?;
        let ptr = os::map(file, offset, len, flags & RT_MAP_WRITE != 0, flags & RT_MAP_SHARED != 0)?;
        // SAFETY: the caller's promise.
        unsafe { out.write(RtMap { ptr, len }) };
        Ok(0)
    })())
}

/// Waits until what was written to a shared mapping is on the device.
///
/// # Errors
/// - `msync`: EBUSY, EINVAL, EIO, ENOMEM
///
/// # Safety
/// `map` is from `rt_map` and still mapped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_map_sync(map: *const RtMap) -> i64 {
    raw((|| {
        // SAFETY: the caller's promise.
        let map = unsafe { map.as_ref() }.ok_or(Errno::of(libc::EFAULT))?;
        // SAFETY: the range is mapped.
        unsafe { os::map_sync(map.ptr, map.len) }.ok()
    })())
}

/// Ends a mapping and empties the structure; an empty one is allowed.
///
/// # Errors
/// - `munmap`: EINVAL, ENOMEM
///
/// # Safety
/// `map` is from `rt_map`, and its memory not used afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_unmap(map: *mut RtMap) -> i64 {
    raw((|| {
        // SAFETY: the caller's promise.
        let map = unsafe { map.as_mut() }.ok_or(Errno::of(libc::EFAULT))?;
        if map.len == 0 {
            return Ok(0);
        }
        // SAFETY: the caller gives the range up.
        unsafe { os::unmap(map.ptr, map.len) }.ok()?;
        *map = RtMap { ptr: null_mut(), len: 0 };
        Ok(0)
    })())
}

/// Makes `len` bytes of zeros that have no name, as a descriptor: mapped with RT_MAP_SHARED here and
/// in a child that gets the descriptor, they are the same memory.
///
/// # Errors
/// - `memfd_create`: EMFILE, ENFILE, ENOMEM
/// - `ftruncate`: EFBIG, EINVAL, EPERM
#[unsafe(no_mangle)]
pub extern "C" fn rt_shared_memory(len: i64) -> i64 {
    raw((|| {
        let file = Fd::own(os::memory_file().ok()? as core::ffi::c_int);
        os::truncate(file.get(), len).ok()?;
        Ok(file.into_raw())
    })())
}
