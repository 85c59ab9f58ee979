//! Buffers that cross the C boundary.

use core::ffi::{c_char, c_int, c_void};

use crate::errno::{Errno, Out, Ret};
use crate::os;
use crate::text::{copy, length};

/// Bytes owned by the caller and grown by this library. Start with all three fields zero; the same
/// buffer can be given to any number of calls, each of which replaces the contents and reuses the
/// memory. `rt_buf_free` ends it. A byte 0 that `len` does not count follows the contents. After a
/// failed call the contents are unspecified, and the buffer is still to be freed.
#[repr(C)]
pub struct RtBuf {
    /// The first byte; null only while `cap` is 0.
    pub ptr: *mut u8,
    /// The number of bytes that are contents.
    pub len: usize,
    /// The number of bytes allocated.
    pub cap: usize,
}

impl RtBuf {
    pub(crate) const EMPTY: Self = Self { ptr: core::ptr::null_mut(), len: 0, cap: 0 };

    /// The caller's buffer, emptied.
    ///
    /// # Safety
    /// `buf` is null or points to a buffer as described at the type, which nothing else uses.
    #[inline(always)]
    pub(crate) unsafe fn emptied<'a>(buf: *mut Self) -> Out<&'a mut Self> {
        // SAFETY: null is answered with None; otherwise the caller vouches for the pointer.
        let buf = unsafe { buf.as_mut() }.ok_or(Errno::of(libc::EFAULT))?;
        buf.len = 0;
        Ok(buf)
    }

    /// Makes room for `more` bytes and the 0 behind them.
    #[inline(never)]
    pub(crate) fn reserve(&mut self, more: usize) -> Ret {
        // An impossible size stays impossible, and realloc says so.
        let wanted = self.len.saturating_add(more).saturating_add(1);
        if wanted <= self.cap {
            return Ret(0);
        }
        // Doubling keeps the cost of growing in step with the final size.
        let wanted = wanted.max(self.cap.wrapping_mul(2));
        // SAFETY: ptr is null or came from this allocator, and is replaced at once.
        let grown = unsafe { libc::realloc(self.ptr.cast(), wanted) };
        if grown.is_null() {
            return Ret::error(libc::ENOMEM);
        }
        self.ptr = grown.cast();
        self.cap = wanted;
        Ret(0)
    }

    /// Where the next byte goes.
    pub(crate) fn end(&self) -> *mut u8 {
        self.ptr.wrapping_add(self.len)
    }

    /// How many bytes fit behind the contents after a `reserve`, with one kept for the 0.
    pub(crate) fn room(&self) -> usize {
        self.cap.wrapping_sub(self.len).wrapping_sub(1)
    }

    /// Appends bytes and the 0 behind them; the result is the number of bytes there are now.
    ///
    /// # Safety
    /// `from` is readable for `len` bytes, and not in this buffer.
    #[inline(never)]
    pub(crate) unsafe fn push(&mut self, from: *const u8, len: usize) -> Ret {
        let reserved = self.reserve(len);
        if reserved.0 < 0 {
            return reserved;
        }
        // SAFETY: reserve made room; the source is the caller's promise and is not this buffer.
        unsafe { copy(from, self.end(), len) };
        self.len = self.len.wrapping_add(len);
        self.close()
    }

    /// Appends a C string, of whose final 0 `ends` are counted: 1 in a list, else 0.
    ///
    /// # Safety
    /// `text` ends with a 0, and is not in this buffer.
    #[inline(never)]
    pub(crate) unsafe fn push_text(&mut self, text: *const c_char, ends: usize) -> Ret {
        // SAFETY: the caller's promise.
        let len = unsafe { length(text) };
        // SAFETY: as above.
        unsafe { self.push(text.cast(), len.wrapping_add(ends)) }
    }

    /// Writes the 0 behind the contents, for which there is room after any `reserve`. The result is
    /// the number of bytes.
    #[inline(always)]
    pub(crate) fn close(&mut self) -> Ret {
        // SAFETY: reserve always allocates one byte more than it was asked for.
        unsafe { self.end().write(0) };
        Ret(self.len as i64)
    }

    /// Counts what is there up to a 0 as the contents.
    ///
    /// # Safety
    /// The memory has a 0 within `cap`.
    #[inline(always)]
    pub(crate) unsafe fn measure(&mut self) -> Ret {
        // SAFETY: the caller's promise.
        self.len = unsafe { length(self.ptr.cast()) };
        Ret(self.len as i64)
    }

    /// Appends everything a descriptor has until it reports its end. The size is not asked for:
    /// procfs reports 0, and a file may grow or shrink meanwhile.
    pub(crate) fn read_all(&mut self, fd: c_int) -> Ret {
        /// Holds most sources whole, and is no burden for a stack of small ones.
        const CHUNK: usize = 8191;
        loop {
            let reserved = self.reserve(CHUNK);
            if reserved.0 < 0 {
                return reserved;
            }
            // SAFETY: room() bytes from end() on are allocated.
            let count = unsafe { os::read(fd, self.end(), self.room()) };
            if count.0 < 0 {
                return count;
            }
            self.len = self.len.wrapping_add(count.0 as usize);
            if count.0 == 0 {
                return self.close();
            }
        }
    }

    /// Gives the memory up as a pointer for `rt_free`.
    pub(crate) fn into_ptr(self) -> *mut u8 {
        core::mem::ManuallyDrop::new(self).ptr
    }
}

/// A buffer of this library's own gives its memory back; one of the caller's is only borrowed and
/// never dropped here.
impl Drop for RtBuf {
    fn drop(&mut self) {
        // SAFETY: ptr is null or came from realloc, and nothing uses it afterwards.
        unsafe { libc::free(self.ptr.cast()) };
    }
}

/// Frees a buffer's memory and makes it empty again. Null and empty buffers are allowed.
///
/// # Safety
/// `buf` is null or points to a buffer as described at `RtBuf`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_buf_free(buf: *mut RtBuf) {
    if !buf.is_null() {
        // SAFETY: the pointer is valid; replacing the value drops the old one, which frees it.
        unsafe { *buf = RtBuf::EMPTY };
    }
}

/// Frees what a function of the first interface returned. Null is allowed.
///
/// # Safety
/// `pointer` is null or was returned by this library and not freed before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_free(pointer: *mut c_void) {
    // SAFETY: the caller vouches for the pointer.
    unsafe { libc::free(pointer) };
}
