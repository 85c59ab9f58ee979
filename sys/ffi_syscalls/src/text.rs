//! Strings on their way to the operating system.

use core::ffi::{c_char, c_void};
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::null_mut;

use crate::errno::Ret;

/// Given as a length, says that the text ends with a byte 0 instead.
pub const RT_NUL_TERMINATED: usize = usize::MAX;

/// As long as a path can be for the system, its final 0 included.
pub(crate) const CAPACITY: usize = 4096;

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
}

/// The number of bytes before the final 0. Not libc's `strlen`: an import is three times as large.
///
/// # Safety
/// `text` ends with a 0.
#[inline(never)]
pub(crate) unsafe fn length(text: *const c_char) -> usize {
    let mut len = 0_usize;
    // SAFETY: no 0 was met before.
    while unsafe { text.add(len).read() } != 0 {
        len = len.wrapping_add(1);
    }
    len
}

/// Copies bytes. In the small library they are few (names, values of variables), as what is long is read
/// and written in place: a loop is a third of what the import of `memcpy` would be.
///
/// # Safety
/// `from` is readable and `to` writable for `len` bytes, and they do not overlap.
#[inline(never)]
pub(crate) unsafe fn copy(from: *const u8, to: *mut u8, len: usize) {
    #[cfg(feature = "wide")]
    // SAFETY: the caller's promise.
    unsafe {
        core::ptr::copy_nonoverlapping(from, to, len);
    }
    #[cfg(not(feature = "wide"))]
    for at in 0..len {
        // SAFETY: at is below len.
        let byte = unsafe { from.add(at).read() };
        // SAFETY: as above.
        unsafe { to.add(at).write(byte) };
    }
}

/// What a function does once its text is ready: a copy that ends with a 0 and may be written to, up
/// to its length. The other arguments are those given to [`with_text`].
pub(crate) type Op = unsafe fn(*mut c_char, Word, Word, Word) -> Ret;

/// An argument of any kind that fits a register.
pub(crate) type Word = *mut c_void;

/// A number as a [`Word`].
#[inline(always)]
pub(crate) const fn word(number: u32) -> Word {
    word_of(number as usize)
}

/// A length as a [`Word`].
#[inline(always)]
pub(crate) const fn word_of(length: usize) -> Word {
    core::ptr::without_provenance_mut(length)
}

/// No argument.
pub(crate) const NONE: Word = null_mut();

/// Copies a text, gives it a final 0, and does `op` with it. This is the whole of most functions, and
/// out of line: the copy needs a page of stack, which would cost each of them 40 bytes of code.
///
/// # Errors
/// EFAULT for null, EINVAL for a 0 inside, ENAMETOOLONG for what no path can be.
///
/// # Safety
/// `text` is null, or readable for `len` bytes, or up to its 0 if `len` says so; the rest is what `op`
/// asks for.
#[inline(never)]
pub(crate) unsafe fn with_text(text: *const c_char, len: usize, a: Word, b: Word, c: Word, op: Op) -> Ret {
    if text.is_null() {
        return Ret::error(libc::EFAULT);
    }
    // The length is looked at first, so that one that cannot be right is refused without reading what
    // is there. RT_NUL_TERMINATED wraps to 0.
    if len.wrapping_add(1) > CAPACITY {
        return Ret::error(libc::ENAMETOOLONG);
    }
    let mut room = MaybeUninit::<[c_char; CAPACITY]>::uninit();
    let copy: *mut c_char = room.as_mut_ptr().cast();
    let most = len.min(CAPACITY);
    let mut at = 0_usize;
    while at != most {
        // SAFETY: at is below len, or no 0 has been met yet.
        let byte = unsafe { text.add(at).read() };
        if byte == 0 {
            break;
        }
        // SAFETY: at is below CAPACITY.
        unsafe { copy.add(at).write(byte) };
        at = at.wrapping_add(1);
    }
    if at == CAPACITY {
        return Ret::error(libc::ENAMETOOLONG);
    }
    if at != len && len != RT_NUL_TERMINATED {
        return Ret::error(libc::EINVAL);
    }
    // SAFETY: at is below CAPACITY.
    unsafe { copy.add(at).write(0) };
    // SAFETY: the copy is complete; the rest is the caller's promise.
    unsafe { op(copy, a, b, c) }
}
