//! Strings on their way to the operating system.

use core::ffi::c_char;
use core::marker::PhantomData;
use core::mem::MaybeUninit;

use crate::errno::{Errno, Out};

/// Given as a length, says that the text ends with a byte 0 instead.
pub const RT_NUL_TERMINATED: usize = usize::MAX;

/// As long as a path can be for the system, its final 0 included.
const CAPACITY: usize = libc::PATH_MAX as usize;

/// A text with a final 0.
#[derive(Clone, Copy)]
pub(crate) struct Text<'a>(*const c_char, PhantomData<&'a [u8]>);

impl Text<'_> {
    /// # Safety
    /// `start` points to bytes that end with a 0 and live as long as the result.
    pub(crate) const unsafe fn new(start: *const c_char) -> Self {
        Self(start, PhantomData)
    }

    pub(crate) const fn as_ptr(self) -> *const c_char {
        self.0
    }

    /// The number of bytes before the 0.
    pub(crate) fn len(self) -> usize {
        // SAFETY: a Text ends with a 0.
        unsafe { libc::strlen(self.0) }
    }
}

/// Room for the copy of a path or name that came without a final 0.
pub(crate) struct Scratch(MaybeUninit<[u8; CAPACITY]>);

impl Scratch {
    pub(crate) const fn new() -> Self {
        Self(MaybeUninit::uninit())
    }

    /// The text with a final 0: as it is if the caller's has one, else copied here.
    ///
    /// # Errors
    /// EFAULT for null, EINVAL for a 0 inside, ENAMETOOLONG for what no path can be.
    ///
    /// # Safety
    /// `text` is null, or readable for `len` bytes, or up to its 0 if `len` says so.
    #[inline(never)]
    pub(crate) unsafe fn text(&mut self, text: *const c_char, len: usize) -> Out<Text<'_>> {
        if text.is_null() {
            return Err(Errno::of(libc::EFAULT));
        }
        if len == RT_NUL_TERMINATED {
            return Ok(Text(text, PhantomData));
        }
        // SAFETY: the same promise as here.
        unsafe { self.copied(text, len) }
    }

    /// The text copied here, with a final 0.
    ///
    /// # Errors
    /// EINVAL for a 0 inside, ENAMETOOLONG for what no path can be.
    ///
    /// # Safety
    /// `text` is readable for `len` bytes.
    unsafe fn copied(&mut self, text: *const c_char, len: usize) -> Out<Text<'_>> {
        if len >= CAPACITY {
            return Err(Errno::of(libc::ENAMETOOLONG));
        }
        let copy: *mut c_char = self.0.as_mut_ptr().cast();
        for at in 0..len {
            // SAFETY: at is below len.
            let byte = unsafe { text.add(at).read() };
            if byte == 0 {
                return Err(Errno::of(libc::EINVAL));
            }
            // SAFETY: at is below CAPACITY.
            unsafe { copy.add(at).write(byte) };
        }
        // SAFETY: len is below CAPACITY.
        unsafe { copy.add(len).write(0) };
        Ok(Text(copy, PhantomData))
    }
}
